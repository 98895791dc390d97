//! Where manifests go: standard output, or a file for each customer.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::model::TenantId;

/// Why manifests cannot be written there.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum DestinationError {
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
    #[error("cannot create the directory {}", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot write {}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} exists and says something else: move it away, or overwrite it with --force, which loses what has been edited (a permission with mode Enforce is in Observe again; see docs/export.md)", .0.display())]
    Exists(PathBuf),
}

/// Takes manifests, one customer's at a time.
#[derive(Debug)]
pub(super) enum Destination {
    Stdout,
    Directory { path: PathBuf, force: bool },
}

impl Destination {
    /// Standard output, or this directory, which is made if need be.
    pub(super) fn open(directory: Option<&Path>, force: bool) -> Result<Self, DestinationError> {
        let Some(path) = directory else { return Ok(Self::Stdout) };
        let failed = |source| DestinationError::Directory { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        Ok(Self::Directory { path: path.to_owned(), force })
    }

    /// Writes all of one customer's manifests, or nothing.
    pub(super) fn write(&self, name: &str, manifests: &str) -> Result<(), DestinationError> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(manifests.as_bytes()).and_then(|()| stdout.flush());
                written.map_err(DestinationError::Stdout)
            }
            Self::Directory { path, force } => write_file(&path.join(format!("{name}.yaml")), manifests, *force),
        }
    }

    /// Whether there is a file of this customer's, from this export or an earlier one.
    pub(super) fn has(&self, name: &str, tenant: TenantId) -> bool {
        let Self::Directory { path, .. } = self else { return false };
        let there = fs::read_to_string(path.join(format!("{name}.yaml")));
        there.is_ok_and(|text| text.to_ascii_lowercase().contains(&tenant.to_string()))
    }

    /// Writes the list of the customers that this export is about to a file that `kubectl apply -f` passes over, and says
    /// which; nothing where there is no directory.
    pub(super) fn write_list(&self, list: &str) -> Result<Option<PathBuf>, DestinationError> {
        let Self::Directory { path, .. } = self else { return Ok(None) };
        let path = path.join("allowed-customers.txt");
        // Nobody edits it: what it says follows from the export.
        write_file(&path, &format!("{list}\n"), true)?;
        Ok(Some(path))
    }
}

fn write_file(path: &Path, text: &str, force: bool) -> Result<(), DestinationError> {
    let failed = |source| DestinationError::File { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(there) if there == text.as_bytes() => return Ok(()),
        // Somebody may have edited it.
        Ok(_) if !force => return Err(DestinationError::Exists(path.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // Under another name first: nobody shall ever apply half of it.
    let whole = path.with_extension("yaml.partial");
    fs::write(&whole, text).and_then(|()| fs::rename(&whole, path)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_has_edited_is_overwritten_by_force_only() {
        let path = std::env::temp_dir().join(format!("csp-export-{}", std::process::id()));
        let open = |force| Destination::open(Some(&path.join("deep")), force).unwrap();
        let there = || fs::read_to_string(path.join("deep/fabrikam.yaml")).unwrap();
        open(false).write("fabrikam", "a: 1\n").unwrap();
        open(false).write("fabrikam", "a: 1\n").unwrap();
        let refused = open(false).write("fabrikam", "a: 2\n").unwrap_err().to_string();
        assert!(refused.contains("fabrikam.yaml exists and says something else"), "{refused}");
        assert_eq!(there(), "a: 1\n");
        open(true).write("fabrikam", "a: 2\n").unwrap();
        assert_eq!((there().as_str(), fs::read_dir(path.join("deep")).unwrap().count()), ("a: 2\n", 1));
        fs::remove_dir_all(&path).unwrap();
    }
}
