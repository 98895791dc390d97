//! Which objects of the cluster.

use clap::Args;

use super::ClusterArgs;

/// Which objects, as kubectl's own options say it.
#[derive(Debug, Args)]
pub struct ObjectsArgs {
    /// The namespace of the objects, instead of the context's.
    #[arg(short, long, value_name = "NAME", help_heading = "Cluster")]
    pub namespace: Option<String>,

    /// The objects of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace", help_heading = "Cluster")]
    pub all_namespaces: bool,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}
