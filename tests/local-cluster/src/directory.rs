//! A directory of one's own that is removed when its owner goes, in whatever way.

use std::fs::{self, DirBuilder, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::file;
use crate::{Error, watchdog};

/// A fresh directory under the system's temporary one, readable by this user only (it holds keys and tokens).
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    keep: bool,
}

impl Directory {
    /// Makes `<temporary directory>/local-cluster-<name>-<random>`. With `keep` nothing ever removes it.
    pub(crate) fn create(name: &str, keep: bool) -> Result<Self, Error> {
        let path = std::env::temp_dir().join(format!("local-cluster-{name}-{}", &random_token()?[..12]));
        DirBuilder::new().mode(0o700).create(&path).map_err(file("create the directory", &path))?;
        let directory = Self { path, keep };
        if !keep {
            watchdog::watch_directory(&directory.path)?;
        }
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // Left to the watchdog when it fails.
        if fs::remove_dir_all(&self.path).is_ok() {
            watchdog::forget_directory(&self.path);
        }
    }
}

/// Sixteen random bytes, good enough for a secret.
pub(crate) fn random() -> Result<[u8; 16], Error> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    File::open(source).and_then(|mut f| f.read_exact(&mut bytes)).map_err(file("read", source))?;
    Ok(bytes)
}

/// Thirty-two random hexadecimal digits.
pub(crate) fn random_token() -> Result<String, Error> {
    Ok(format!("{:032x}", u128::from_ne_bytes(random()?)))
}

/// A directory for a unit test, removed when the test ends.
#[cfg(test)]
pub(crate) fn for_test() -> Directory {
    Directory::create("test", false).unwrap()
}

/// Makes the program `directory/name`, which runs this shell script. All programs of one directory share one script.
#[cfg(test)]
pub(crate) fn stand_in(directory: &Path, name: &str, script: &str) -> PathBuf {
    let program = directory.join(name);
    fs::write(directory.join("script"), script).unwrap();
    // There already when a test only changes the script.
    let _ = std::os::unix::fs::symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/stand-in.sh"), &program);
    program
}
