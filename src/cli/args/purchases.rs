//! Options of `kubectl csp purchases`.

use clap::Args;

use super::{ObjectsArgs, Output};

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl csp purchases -A                     everything that is known, of all customers
  kubectl csp purchases fabrikam               of one customer
  kubectl csp purchases -A -o json             for programs, with ids, evidence and scopes";

/// Options of `kubectl csp purchases`.
#[derive(Debug, Args)]
pub struct PurchasesArgs {
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
