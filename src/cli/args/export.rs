//! Options of `kubectl csp export`.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::Args;

use super::files::namespace;
use super::{BorrowArgs, ClusterArgs, MicrosoftArgs};

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl csp export -n csp-customers --output-dir customers      a file for each customer, to be put into Git
  kubectl csp export fabrikam.onmicrosoft.com | kubectl apply -n csp-customers --server-side -f -
  kubectl csp export --only-with-policy                           only those that may buy anything themselves";

/// Options of `kubectl csp export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Only these customers, by tenant id or primary domain. Without any: all that the partner resells to.
    #[arg(value_name = "CUSTOMER")]
    pub customers: Vec<String>,

    /// The namespace to put into the manifests. Without it they have none.
    #[arg(short, long, value_name = "NAME", value_parser = namespace)]
    pub namespace: Option<String>,

    /// Write a file for each customer into this directory, instead of all of them to standard output.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,

    /// Overwrite files there that say something else.
    #[arg(long, requires = "output_dir")]
    pub force: bool,

    /// Leave out customers without a policy, who may buy nothing themselves. They cost one request each.
    #[arg(long)]
    pub only_with_policy: bool,

    /// The most requests to Partner Center in a minute. The operator, which goes on working, needs some too.
    #[arg(long, value_name = "COUNT", default_value = "250")]
    pub calls_per_minute: NonZeroU16,

    /// Whose sign-in.
    #[command(flatten)]
    pub sign_in: BorrowArgs,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Where Microsoft is.
    #[command(flatten)]
    pub microsoft: MicrosoftArgs,
}
