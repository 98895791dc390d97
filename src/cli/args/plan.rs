//! Options of `kubectl csp plan`.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::files::namespace;
use super::{AzureArgs, BorrowArgs, ClusterArgs, FilesArgs, MicrosoftArgs};

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl csp plan -f customers/                                       with the sign-in of the operator in the cluster
  kubectl csp plan -f customers/ -R --credentials sign-in.yaml         without a cluster, as in a pipeline
  kustomize build overlays/prod | kubectl csp plan -f - -o markdown    as a comment for a pull request";

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanOutput {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// One JSON object.
    Json,
    /// The same in YAML.
    Yaml,
    /// For a comment on a pull request.
    #[value(alias = "pull-request")]
    Markdown,
}

/// What makes the exit code of a plan 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Something is to change, and is held up.
    Blocked,
    /// Something would change, or may without being planned.
    Changes,
}

/// Options of `kubectl csp plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which manifests.
    #[command(flatten)]
    pub files: FilesArgs,

    /// The namespace of objects that name none.
    #[arg(short, long, value_name = "NAME", default_value = "default", value_parser = namespace)]
    pub namespace: String,

    /// Let every namespace act for every customer, as an operator does that runs with --allow-all-namespaces.
    #[arg(long)]
    pub allow_all_namespaces: bool,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: PlanOutput,

    /// The manifests as they were before, such as a checkout of the branch that a pull request goes into: a file or a
    /// directory, read as -f. What is no longer in -f is then planned too, as if it were deleted in the cluster.
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub previous: Option<PathBuf>,

    /// Show what would not change too. JSON and YAML always do.
    #[arg(long)]
    pub show_unchanged: bool,

    /// End with exit code 1 where there is any of this.
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub fail_on: Vec<FailOn>,

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

    /// Where Azure is.
    #[command(flatten)]
    pub azure: AzureArgs,
}
