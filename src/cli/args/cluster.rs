//! Which cluster.

use std::path::PathBuf;

use clap::Args;

/// Which cluster, as kubectl's own options say it.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// The kubeconfig file, instead of KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig, instead of the current one.
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub context: Option<String>,
}
