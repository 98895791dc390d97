//! The application's secret from a file: command lines and environments are shown in too many places.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// Longest client secret that is read. Entra's have some 40 characters.
const CLIENT_SECRET_BYTES_MAX: u64 = 4096;

/// Why there is no secret to be had from a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretFileError {
    #[error("cannot read the application's secret from {}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("--client-secret-file - reads standard input, which is a terminal and would show it: pipe it in")]
    Terminal,
    #[error("{} holds no application's secret: expected one line of text", .0.display())]
    NotASecret(PathBuf),
}

/// The secret in this file; `-` is standard input.
pub(super) fn read_secret(path: &Path) -> Result<SecretString, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    if path == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(SecretFileError::Terminal);
        }
        io::stdin().take(CLIENT_SECRET_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(CLIENT_SECRET_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    }
    // A newline at the end comes with many a way to make a file.
    let secret = text.trim();
    if secret.is_empty() || secret.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(SecretFileError::NotASecret(path.to_owned()));
    }
    Ok(secret.into())
}
