//! What can go wrong, told so that the reader knows what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a control plane, or a process beside it, could not do what it was asked.
///
/// `Display` says what failed and never repeats its source. `Debug` prints the whole chain as text, because that is
/// what a test's `unwrap` shows.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read, written or removed.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was attempted, such as "create the directory".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },

    /// A program could not be started, or a running one could not be reached.
    #[error("cannot {action} {program}")]
    Process {
        /// What was attempted, such as "start".
        action: &'static str,
        /// The program's name or path.
        program: String,
        /// Why it failed.
        source: io::Error,
    },

    /// Binaries are missing, and Go, which would build them, is not installed.
    #[error(
        "{missing} not found, and there is no Go on the PATH to build them with. \
         Install Go 1.26 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a directory that holds them"
    )]
    GoMissing {
        /// The binaries that were not found, separated by commas.
        missing: String,
    },

    /// The pins name no Kubernetes whose version could be told.
    #[error("{}/go.mod requires no k8s.io/kubernetes of a version such as v1.36.3, which the API server is to tell", module.display())]
    NoVersion {
        /// The directory of the `go.mod`.
        module: PathBuf,
    },

    /// `go build` failed.
    #[error("building the control plane from {} failed ({status}); go said:\n{output}", module.display())]
    Build {
        /// The directory of the `go.mod`.
        module: PathBuf,
        /// How go ended.
        status: ExitStatus,
        /// The end of what go printed.
        output: String,
    },

    /// `go build` succeeded without making a binary that is needed.
    #[error("go built no {binary} from {}: does its go.mod lack a tool line?", module.display())]
    NotBuilt {
        /// The directory of the `go.mod`.
        module: PathBuf,
        /// The binary that is not there.
        binary: &'static str,
    },

    /// A component of the control plane ended by itself.
    #[error("{component} ended while the control plane was starting ({status}); its last words:\n{output}")]
    Ended {
        /// The component, such as `kube-apiserver`.
        component: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        output: String,
    },

    /// The control plane did not become usable in time.
    #[error("{what} after {seconds} s; {component} last said:\n{output}")]
    NotReady {
        /// What is still missing.
        what: String,
        /// How long was waited, in seconds.
        seconds: u64,
        /// The component to look at.
        component: &'static str,
        /// The end of that component's log.
        output: String,
    },

    /// No free loopback port was found.
    #[error("no free port on 127.0.0.1 between {from} and {to}: too many control planes still running?")]
    NoFreePort {
        /// The first port tried.
        from: u16,
        /// The last port tried.
        to: u16,
    },

    /// kubectl refused, or the API server did.
    #[error("`kubectl {arguments}` failed ({status}): {stderr}")]
    Kubectl {
        /// The arguments, separated by spaces.
        arguments: String,
        /// How kubectl ended.
        status: ExitStatus,
        /// What it printed on standard error.
        stderr: String,
    },

    /// A complete line of the audit log is not an audit event.
    #[error("{} has no audit event at byte {offset}", path.display())]
    AuditLine {
        /// The audit log.
        path: PathBuf,
        /// Where the line begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Turns an [`io::Error`] into [`Error::File`], for use with `map_err`.
pub(crate) fn file<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> Error + 'a {
    move |source| Error::File { action, path: path.to_owned(), source }
}
