//! Options of `kubectl csp tree`.

use clap::Args;

use super::{ObjectsArgs, Output};

/// Options of `kubectl csp tree`.
#[derive(Debug, Args)]
pub struct TreeArgs {
    /// Only this customer: the name of its Customer, or its tenant id.
    #[arg(value_name = "CUSTOMER")]
    pub customer: Option<String>,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,

    /// Which objects.
    #[command(flatten)]
    pub objects: ObjectsArgs,
}
