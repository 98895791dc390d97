//! Options of `kubectl csp lint`.

use clap::Args;

use super::files::namespace;
use super::{FilesArgs, Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl csp lint -f customers/ -R            every file below a directory
  kubectl csp lint -f customers/ --strict      warnings are errors too";

/// Options of `kubectl csp lint`.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Which manifests.
    #[command(flatten)]
    pub files: FilesArgs,

    /// The namespace of objects that name none.
    #[arg(short, long, value_name = "NAME", default_value = "default", value_parser = namespace)]
    pub namespace: String,

    /// End with exit code 1 where there are warnings.
    #[arg(long)]
    pub strict: bool,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}
