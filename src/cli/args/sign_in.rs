//! Whose sign-in is used.

use std::path::PathBuf;

use clap::Args;

/// Whose sign-in is used.
#[derive(Debug, Args)]
pub struct BorrowArgs {
    /// The sign-in from here instead of from the cluster: a file with the manifest of a Secret as kubectl csp login makes
    /// it, or a directory with a file for each of its keys.
    #[arg(long, env = "CSP_CREDENTIALS", value_name = "PATH", help_heading = "Sign-in")]
    pub credentials: Option<PathBuf>,

    /// The namespace of the operator.
    #[arg(long, value_name = "NAME", default_value = "csp-operator", help_heading = "Sign-in")]
    pub operator_namespace: String,

    /// The Secret that kubectl csp login has made there.
    #[arg(long, value_name = "NAME", default_value = "csp-operator-credentials", help_heading = "Sign-in")]
    pub secret: String,

    /// The Secret in which the operator keeps the newest refresh token.
    #[arg(long, value_name = "NAME", default_value = "csp-operator-tokens", help_heading = "Sign-in")]
    pub tokens_secret: String,

    /// A file with a secret of the application, - for standard input, instead of what the Secret has: for an operator that
    /// runs with --federated-token-file.
    #[arg(long, value_name = "FILE", help_heading = "Sign-in")]
    pub client_secret_file: Option<PathBuf>,
}
