//! Options of `kubectl csp explain`.

use clap::Args;

use super::{ClusterArgs, Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl csp explain cpp/fabrikam -n csp-customers
  kubectl csp explain customer/fabrikam";

/// Options of `kubectl csp explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The object, as KIND/NAME: cpp/fabrikam, customer/fabrikam, azsub/fabrikam-prod.
    #[arg(value_name = "KIND/NAME")]
    pub object: String,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,

    /// The namespace of the object, instead of the context's.
    #[arg(short, long, value_name = "NAME", help_heading = "Cluster")]
    pub namespace: Option<String>,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
