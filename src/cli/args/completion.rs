//! Options of `kubectl csp completion`, and of what kubectl asks for.

use clap::Args;

/// Options of `kubectl csp completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// Which shell.
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// What kubectl asks for.
#[derive(Debug, Args)]
pub struct CompleteArgs {
    /// The words behind kubectl csp; the last is not finished.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}
