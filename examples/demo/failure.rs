//! Why the demo cannot go on.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("usage: demo [--once]")]
    Usage,
    #[error("csp-operator and csp-simulator are not built yet: run `make demo`, which builds them first")]
    NotBuilt,
    #[error("TLS has been set up twice")]
    Tls,
    #[error(transparent)]
    Stage(#[from] stage::Error),
    #[error(transparent)]
    Cluster(#[from] local_cluster::Error),
    #[error("cannot print")]
    Screen(#[from] io::Error),
    #[error("cannot wait for Ctrl-C")]
    Signal(#[source] io::Error),
    /// A command has failed.
    #[error("`{command}` {how}:\n{said}")]
    Command { command: String, how: String, said: String },
    /// What a step says is not so.
    #[error("{0}")]
    Unmet(String),
    #[error("{why}\n\nThe operator last said:\n{log}")]
    OnStage { why: String, log: String },
}

impl Failure {
    pub(crate) fn unmet(what: impl Into<String>) -> Self {
        Self::Unmet(what.into())
    }

    /// The same, with the end of the operator's log.
    pub(crate) fn with_log(self, log: String) -> Self {
        Self::OnStage { why: self.chain(), log }
    }

    /// The failure and what caused it.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}
