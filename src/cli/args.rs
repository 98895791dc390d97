//! What can be said on the command line.
//!
//! Nothing secret is an option or a variable: command lines and environments are shown in too many places.

// The comments on options are what --help prints, and a terminal shows backticks as they are.
#![allow(clippy::doc_markdown)]

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use url::Url;

use crate::operator::args::between;
use crate::operator::version::version;
use crate::remote::Endpoints;

/// Purchase permissions of Microsoft CSP customers, for the people who look after csp-operator.
#[derive(Debug, Parser)]
#[command(name = "kubectl-csp", bin_name = "kubectl csp", version = version(), max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the plugin can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in to Partner Center, and create or renew the Secret that the operator signs in with.
    ///
    /// Opens a browser, in which a user of the partner signs in with MFA; that user should be an Admin agent. What the
    /// options leave out is taken from the Secret, so renewing it takes none.
    ///
    /// The application needs the delegated permission Microsoft Partner Center > user_impersonation and the redirect URI
    /// http://localhost, on the platform Web if it has a client secret or a certificate.
    Login(Box<LoginArgs>),

    /// Show who turned customers' purchase permissions on and off, as Partner Center's activity log tells it.
    ///
    /// Newest first, under the names that the portal's Activity log page has for it: Create, Update and Delete Customer
    /// Purchase Permissions. Read from the statuses of the CustomerPurchasePermissions, each of which keeps the newest 20
    /// records of its customer; needs no sign-in to Partner Center. The operator reads Partner Center's log every minute,
    /// and records take some minutes to appear there.
    #[command(after_help = ACTIVITY_EXAMPLES)]
    Activity(ActivityArgs),

    /// Write manifests for the customers that the partner has already, saying what Partner Center has of them.
    ///
    /// For each customer a Customer, an AzureSubscription for every active Azure subscription, and a
    /// CustomerPurchasePermission: a switch that is on is Allow, one that is off is Deny, and mode is Observe, so that
    /// applying them writes nothing and nobody accepts a bill by accident. To have the operator keep what is there, set
    /// mode to Enforce and, where anything is Allow, acceptBillingResponsibility to true. That writes nothing either.
    ///
    /// Reads only. Signs in as the operator does, with its two Secrets, and leaves them as they are. Costs three requests
    /// to Partner Center for each customer (one more for each further Azure plan, and one for 500 customers to list them), of
    /// the 500 a minute that the partner has for everything: 1,000 customers take 12 minutes at the default pace. Progress
    /// is told on standard error. A customer that cannot be read is told there and left out, and the exit code is then 1.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Box<ExportArgs>),

    /// Show what manifests would change in Partner Center, before they are applied.
    ///
    /// Reads the Customers, AzureSubscriptions and CustomerPurchasePermissions in files, reads Partner Center and Azure as
    /// the operator does, and asks the operator's own planner: which switches would be turned on or off, which stay as they
    /// are, and which are held up by what. Needs no cluster; writes nothing anywhere. A namespace acts only for the
    /// customers that its annotation csp-operator.dev/allowed-customers lists, so the Namespace belongs to the files, or
    /// --allow-all-namespaces says that the operator runs with that.
    ///
    /// What is no longer in the files is planned with --previous only: a deleted manifest with deletionPolicy Revoke, which is
    /// the default, has its switches turned off once it is deleted in the cluster too.
    ///
    /// Exit code 0: nothing would change. 2: something would change, or is to change and is held up, or the objects let the
    /// operator write what is not planned (azurePlan Purchase, ownerRole Assign, costManagement). 1: an error, such as a
    /// manifest that the API server would refuse, or a customer that could not be read.
    ///
    /// Costs up to four requests to Partner Center for each customer, and one to Azure for each subscription.
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Box<PlanArgs>),

    /// Check manifests without a cluster, as the API server would.
    ///
    /// Schema and CEL rules are those of the CRDs that belong to this version. Beside what the API server would refuse
    /// (errors) it tells what would come to nothing (warnings): references to what is not in the files, two permissions for
    /// one customer that want different things, a customer that its Namespace in the same files does not list. That fields
    /// such as tenantId cannot be changed afterwards is not looked at: there is nothing to compare with.
    ///
    /// Exit code 1 where there is an error.
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArgs),

    /// Say in words what an object waits for, and what to do.
    ///
    /// Follows the chain from a permission to its customer, its Azure subscriptions, their owners and the sign-in, each with
    /// its condition, since when, and why. Read from the statuses in the cluster.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArgs),

    /// Show customers with what belongs to them, and references that lead nowhere.
    Tree(TreeArgs),

    /// Print the completion script of a shell, for the program kubectl-csp.
    ///
    /// For kubectl csp itself, kubectl runs a program kubectl_complete-csp that it finds in PATH; put this into one and make
    /// it executable: exec kubectl-csp __complete "$@"
    Completion(CompletionArgs),

    /// Answer kubectl's completion.
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),

    /// Show which reservations and savings plans customers have bought, and when they end.
    ///
    /// Newest first, with who bought them as far as there is evidence. Read from the statuses of the Customers, each of which
    /// keeps the newest 20; needs no sign-in to Partner Center. The operator looks for them every six hours while a purchase
    /// permission is on. It is said where there may be more than can be seen.
    #[command(after_help = PURCHASES_EXAMPLES)]
    Purchases(PurchasesArgs),
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  kubectl csp export -n csp-customers --output-dir customers      a file for each customer, to be put into Git
  kubectl csp export fabrikam.onmicrosoft.com | kubectl apply -n csp-customers --server-side -f -
  kubectl csp export --only-with-policy                           only those that may buy anything themselves";

const PLAN_EXAMPLES: &str = "\
Examples:
  kubectl csp plan -f customers/                                       with the sign-in of the operator in the cluster
  kubectl csp plan -f customers/ -R --credentials sign-in.yaml         without a cluster, as in a pipeline
  kustomize build overlays/prod | kubectl csp plan -f - -o markdown    as a comment for a pull request";

const LINT_EXAMPLES: &str = "\
Examples:
  kubectl csp lint -f customers/ -R            every file below a directory
  kubectl csp lint -f customers/ --strict      warnings are errors too";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  kubectl csp explain cpp/fabrikam -n csp-customers
  kubectl csp explain customer/fabrikam";

const ACTIVITY_EXAMPLES: &str = "\
Examples:
  kubectl csp activity -A                      everything that is known, of all customers
  kubectl csp activity fabrikam --since 24h    what happened to one customer since yesterday
  kubectl csp activity -A -o json              the same for programs";

const PURCHASES_EXAMPLES: &str = "\
Examples:
  kubectl csp purchases -A                     everything that is known, of all customers
  kubectl csp purchases fabrikam               of one customer
  kubectl csp purchases -A -o json             for programs, with ids, evidence and scopes";

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

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns, for people.
    Table,
    /// One JSON list.
    Json,
    /// One YAML list.
    Yaml,
}

/// Options of `kubectl csp activity`.
#[derive(Debug, Args)]
pub struct ActivityArgs {
    /// Only this customer: the name of its Customer, or its tenant id.
    #[arg(value_name = "CUSTOMER")]
    pub customer: Option<String>,

    /// Only what happened within this time before now, like 90m, 24h or 7d.
    #[arg(long, value_name = "DURATION", value_parser = age)]
    pub since: Option<SignedDuration>,

    /// How to print it.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,

    /// Which objects.
    #[command(flatten)]
    pub objects: ObjectsArgs,
}

/// Which manifests, as kubectl apply's own options say it.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// A file, a directory whose .yaml, .yml and .json files are read, or - for standard input. Can be given several times.
    #[arg(short, long = "filename", value_name = "PATH", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub filenames: Vec<PathBuf>,

    /// Read the directories below a directory too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

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

/// A name that a namespace can have, and that can stand in YAML as it is.
fn namespace(text: &str) -> Result<String, &'static str> {
    let is_letter = |letter: char| letter.is_ascii_digit() || letter.is_ascii_lowercase();
    let is_label = (1..=63).contains(&text.len())
        && text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && text.chars().all(|letter| is_letter(letter) || letter == '-');
    is_label.then(|| text.to_owned()).ok_or("use lower-case letters, digits and hyphens")
}

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

/// A time before now. Days count 24 hours.
fn age(text: &str) -> Result<SignedDuration, &'static str> {
    let days = SpanRelativeTo::days_are_24_hours();
    let span = text.trim().parse::<Span>().and_then(|span| span.to_duration(days));
    span.ok().filter(SignedDuration::is_positive).ok_or("write it like 90m, 24h or 7d")
}

/// Where Microsoft is. The same variables set it for the operator.
#[derive(Debug, Args)]
pub struct MicrosoftArgs {
    /// Where tokens are issued.
    #[arg(long, env = "CSP_LOGIN_URL", value_name = "URL", default_value = Endpoints::LOGIN, help_heading = "Microsoft")]
    pub login_url: Url,

    /// Partner Center's API.
    #[arg(
        long,
        env = "CSP_PARTNER_CENTER_URL",
        value_name = "URL",
        default_value = Endpoints::PARTNER_CENTER,
        help_heading = "Microsoft"
    )]
    pub partner_center_url: Url,

    /// PEM file with certificate authorities to trust for these URLs, beside the usual ones.
    #[arg(long, env = "CSP_CA_FILE", value_name = "FILE", help_heading = "Microsoft")]
    pub ca_file: Option<PathBuf>,
}

/// Where Azure is. The same variables set it for the operator.
#[derive(Debug, Args)]
pub struct AzureArgs {
    /// Azure Resource Manager's API.
    #[arg(long, env = "CSP_AZURE_URL", value_name = "URL", default_value = Endpoints::AZURE, help_heading = "Microsoft")]
    pub azure_url: Url,

    /// Microsoft Graph's API, without the version.
    #[arg(long, env = "CSP_GRAPH_URL", value_name = "URL", default_value = Endpoints::GRAPH, help_heading = "Microsoft")]
    pub graph_url: Url,
}

/// Options of `kubectl csp login`.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The Secret to create or renew.
    #[arg(long, value_name = "NAME", default_value = "csp-operator-credentials", help_heading = "Cluster")]
    pub secret: String,

    /// The namespace of the operator.
    #[arg(short, long, value_name = "NAME", default_value = "csp-operator", help_heading = "Cluster")]
    pub namespace: String,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// The partner's tenant, an id or a domain. Without it: the Secret's partnerTenantId.
    #[arg(long, value_name = "TENANT", help_heading = "Application")]
    pub tenant: Option<String>,

    /// The id of the application that is registered there. Without it: the Secret's clientId.
    #[arg(long, value_name = "GUID", help_heading = "Application")]
    pub client_id: Option<String>,

    /// A file with the application's secret, - for standard input. Goes into the Secret, unless --no-store-client-secret says
    /// otherwise. Without it: the Secret's
    /// clientSecret, or its certificate in tls.crt and tls.key.
    #[arg(long, value_name = "FILE", help_heading = "Application")]
    pub client_secret_file: Option<PathBuf>,

    /// Use the secret of --client-secret-file for this sign-in only, and do not put it into the Secret: for an operator
    /// that runs with --federated-token-file, which takes no other proof beside that.
    #[arg(long, requires = "client_secret_file", help_heading = "Application")]
    pub no_store_client_secret: bool,

    /// Sign in without a proof of the application, which must then allow public clients: its redirect URI is on the
    /// platform "Mobile and desktop applications", or for --device-code "Allow public client flows" is on.
    #[arg(long, conflicts_with = "client_secret_file", help_heading = "Application")]
    pub public_client: bool,

    /// Show a code to be entered in a browser on any machine, instead of opening one on this.
    #[arg(long, help_heading = "Sign-in")]
    pub device_code: bool,

    /// Show the address instead of opening a browser. The browser must run on this machine.
    #[arg(long, conflicts_with = "device_code", help_heading = "Sign-in")]
    pub no_browser: bool,

    /// The user who is to sign in, such as ada@contoso.com. Without it, the page asks.
    #[arg(long, value_name = "NAME", conflicts_with = "device_code", help_heading = "Sign-in")]
    pub user: Option<String>,

    /// How long to wait for the person.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        value_parser = between(Duration::from_secs(1), Duration::from_hours(1)),
        help_heading = "Sign-in"
    )]
    pub timeout: Duration,

    /// Do not ask Partner Center whether the sign-in works.
    #[arg(long, help_heading = "Sign-in")]
    pub no_verify: bool,

    /// Sign in, but write nothing: show which keys of the Secret would be written. Needs no cluster if --tenant,
    /// --client-id, and --client-secret-file or --public-client are given.
    #[arg(long, help_heading = "Sign-in")]
    pub dry_run: bool,

    /// Where Microsoft is.
    #[command(flatten)]
    pub microsoft: MicrosoftArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_age_has_days_hours_and_minutes_and_is_past() {
        assert_eq!(age("7d"), Ok(SignedDuration::from_hours(7 * 24)));
        assert_eq!(age(" 1h30m"), Ok(SignedDuration::from_mins(90)));
        for text in ["", "yesterday", "0s", "-1h", "1mo"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_option_takes_a_secret() {
        let cli = Cli::command();
        for command in cli.get_subcommands() {
            for option in command.get_arguments() {
                let name = option.get_id().as_str();
                let is_secret = name.contains("password") || name.contains("token") || name == "client_secret";
                // The name of an object.
                assert!(!is_secret || name == "tokens_secret", "{name} of {}", command.get_name());
                assert!(option.get_help().is_some() || name == "help", "--{name} is not documented");
            }
        }
    }
}
