//! A sign-in from a file or a directory, for where there is no cluster.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;

use super::manifests::documents;
use crate::operator::sign_in_keys as keys;

/// Largest file that is read: the API server takes no larger Secret.
const BYTES_MAX: u64 = 1 << 20;

/// The keys that a sign-in may have.
const KEYS: [&str; 6] =
    [keys::TENANT, keys::CLIENT, keys::CLIENT_SECRET, keys::REFRESH_TOKEN, keys::CERTIFICATE, keys::KEY];

/// Why there is no sign-in to be had from there. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredError {
    #[error("cannot read the sign-in from {}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "{}, line {line}: this is no YAML. Expected the manifest of a Secret, as kubectl csp login makes it", .path.display()
    )]
    Malformed { path: PathBuf, line: usize },
    #[error("{} holds no Secret: expected the manifest of one, as kubectl csp login makes it", .0.display())]
    NoSecret(PathBuf),
    #[error("{} holds several Secrets: keep the one with the sign-in", .0.display())]
    SeveralSecrets(PathBuf),
    #[error("the key {key} of the Secret in {} is no base64; under stringData it would be plain text", .path.display())]
    NotBase64 { path: PathBuf, key: &'static str },
}

/// The Secret there, and what to call it: a manifest in a file, or a directory as one is mounted.
pub(super) fn secret(path: &Path) -> Result<(Secret, String), StoredError> {
    let unreadable = |source| StoredError::Unreadable { path: path.to_owned(), source };
    let is_directory = fs::metadata(path).map_err(unreadable)?.is_dir();
    let data = if is_directory { mounted(path)? } else { manifest(path)? };
    let data = data.into_iter().map(|(key, bytes)| (key.to_owned(), ByteString(bytes))).collect();
    Ok((Secret { data: Some(data), ..Secret::default() }, format!("in {}", path.display())))
}

type Data = BTreeMap<&'static str, Vec<u8>>;

fn mounted(directory: &Path) -> Result<Data, StoredError> {
    let mut data = Data::new();
    for key in KEYS {
        let path = directory.join(key);
        match read(&path) {
            Ok(bytes) => drop(data.insert(key, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(StoredError::Unreadable { path, source }),
        }
    }
    Ok(data)
}

fn manifest(path: &Path) -> Result<Data, StoredError> {
    let bytes = read(path).map_err(|source| StoredError::Unreadable { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    let all = documents(&text).map_err(|error| StoredError::Malformed { path: path.to_owned(), line: error.line })?;
    let mut secrets = all.into_iter().map(|found| found.value).filter(|value| value["kind"] == "Secret");
    let secret = secrets.next().ok_or_else(|| StoredError::NoSecret(path.to_owned()))?;
    if secrets.next().is_some() {
        return Err(StoredError::SeveralSecrets(path.to_owned()));
    }
    let mut data = Data::new();
    for key in KEYS {
        // As the API server merges them.
        let found = match (&secret["stringData"][key], &secret["data"][key]) {
            (Value::String(plain), _) => plain.clone().into_bytes(),
            (_, Value::String(encoded)) => STANDARD
                .decode(encoded.split_whitespace().collect::<String>())
                .map_err(|_| StoredError::NotBase64 { path: path.to_owned(), key })?,
            _ => continue,
        };
        data.insert(key, found);
    }
    Ok(data)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("csp-stored-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn text(secret: &Secret, key: &str) -> String {
        String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap()
    }

    #[test]
    fn a_manifest_and_a_mounted_directory_say_the_same() {
        let path = directory("same");
        let file = path.join("secret.yaml");
        fs::write(&file, "kind: Namespace\n---\nkind: Secret\ndata: {clientId: YQ==, refreshToken: b2xk}\nstringData: {refreshToken: new}\n").unwrap();
        let (secret, name) = secret(&file).unwrap();
        assert_eq!((text(&secret, "clientId"), text(&secret, "refreshToken")), ("a".to_owned(), "new".to_owned()));
        assert_eq!(name, format!("in {}", file.display()));
        fs::write(path.join("clientId"), "a").unwrap();
        fs::write(path.join("refreshToken"), "new").unwrap();
        assert_eq!(super::secret(&path).unwrap().0, secret);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_holds_no_sign_in_is_refused_without_a_word_of_its_content() {
        let path = directory("refused");
        let file = path.join("secret.yaml");
        for (content, expected) in [
            ("hush: [", "line"),
            ("kind: ConfigMap\ndata: {clientSecret: hush}", "holds no Secret"),
            ("kind: Secret\n---\nkind: Secret", "several Secrets"),
            ("kind: Secret\ndata: {clientSecret: hush!}", "is no base64"),
        ] {
            fs::write(&file, content).unwrap();
            let said = secret(&file).unwrap_err().to_string();
            assert!(said.contains(expected) && !said.contains("hush"), "{said}");
        }
        assert!(secret(&path.join("nothing")).unwrap_err().to_string().starts_with("cannot read the sign-in from"));
        fs::remove_dir_all(path).unwrap();
    }
}
