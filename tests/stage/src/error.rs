//! What can go wrong on stage.

use std::fmt;
use std::path::PathBuf;

/// Why the stage could not be put up, or somebody on it could not be reached.
///
/// `Debug` prints the whole chain as text, because that is what a test's `unwrap` shows.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The control plane or a process.
    #[error(transparent)]
    Cluster(#[from] local_cluster::Error),
    /// A log or a kubeconfig could not be read or written.
    #[error("cannot read or write {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program ended, or did not say in time that it is ready.
    #[error("{program} did not become ready; it last said:\n{said}")]
    NotReady {
        /// The program.
        program: &'static str,
        /// The end of its log.
        said: String,
    },
    /// The simulator's control API could not be reached.
    #[error("cannot reach the simulator at {path}")]
    Simulator {
        /// What was called.
        path: String,
        /// Why it failed.
        source: reqwest::Error,
    },
    /// The simulator's control API refused.
    #[error("the simulator refused {path}: {said}")]
    Refused {
        /// What was called.
        path: String,
        /// What it said.
        said: String,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
