//! What can be said on the command line.
//!
//! Every option has an environment variable, so that a Deployment can set it either way. Nothing secret is an option:
//! command lines and environments are shown in too many places.

// The comments on options are what --help prints, and a terminal shows backticks as they are.
#![allow(clippy::doc_markdown)]

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use url::Url;

use super::probe::ReadyArgs;
use super::version::version;
use crate::remote::PARTNER_CENTER_CALLS_PER_MINUTE;

/// A Kubernetes operator for the purchase permissions of Microsoft CSP customers in Partner Center.
#[derive(Debug, Parser)]
#[command(name = "csp-operator", version = version(), max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the operator until it is told to stop.
    ///
    /// The cluster is found by KUBECONFIG or ~/.kube/config if there is one, else by the service account of the pod.
    Run(Box<RunArgs>),
    /// Write the CustomResourceDefinitions, as YAML to be applied before the operator runs, or as a page to be read.
    Crds(CrdsArgs),
    /// Print what a running operator says of its readiness, and succeed if it is ready.
    Ready(ReadyArgs),
}

/// Options of `csp-operator crds`.
#[derive(Debug, Args)]
pub struct CrdsArgs {
    /// Directory to write into: one file per kind, or reference.md. Without it everything goes to standard output.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,

    /// In which form.
    #[arg(long, value_name = "FORMAT", default_value = "yaml")]
    pub format: CrdFormat,
}

/// Forms of the CustomResourceDefinitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CrdFormat {
    /// What kubectl applies.
    Yaml,
    /// The reference of all fields.
    Markdown,
}

/// Options of `csp-operator run`, as given. [`super::Settings`] is what they come to.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Namespace of the operator's own objects: the lease, the two Secrets and the ConfigMap.
    /// Without it: the namespace of the pod, else csp-operator.
    #[arg(long, env = "CSP_NAMESPACE", help_heading = "Own objects")]
    pub namespace: Option<String>,

    /// Secret with the partner's sign-in, which you own and the operator only reads. Keys: partnerTenantId, clientId,
    /// refreshToken, and clientSecret or else tls.crt and tls.key or else --federated-token-file. A change is picked up without a restart.
    #[arg(
        long,
        env = "CSP_CREDENTIALS_SECRET",
        value_name = "NAME",
        default_value = "csp-operator-credentials",
        help_heading = "Own objects"
    )]
    pub credentials_secret: String,

    /// Secret that the operator owns and keeps renewed refresh tokens in.
    #[arg(
        long,
        env = "CSP_TOKENS_SECRET",
        value_name = "NAME",
        default_value = "csp-operator-tokens",
        help_heading = "Own objects"
    )]
    pub tokens_secret: String,

    /// ConfigMap in which the operator remembers how far it has read the activity log, and the first grants of this hour.
    #[arg(
        long,
        env = "CSP_STATE_CONFIGMAP",
        value_name = "NAME",
        default_value = "csp-operator-state",
        help_heading = "Own objects"
    )]
    pub state_configmap: String,

    /// Name under which this replica appears as the holder of the lease. Without it: HOSTNAME, else pid@host.
    #[arg(long, env = "CSP_IDENTITY", help_heading = "Leader election")]
    pub identity: Option<String>,

    /// Lease by which replicas agree on the one that acts.
    #[arg(
        long,
        env = "CSP_LEASE_NAME",
        value_name = "NAME",
        default_value = "csp-operator",
        help_heading = "Leader election"
    )]
    pub lease_name: String,

    /// How long a replica that is not heard of keeps the others waiting. Whole seconds, and at least three times
    /// --write-timeout: the lease is renewed every third of it, and no write to Partner Center begins unless it can end
    /// while the lease is still held.
    #[arg(
        long,
        env = "CSP_LEASE_DURATION",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = between(Duration::from_secs(3), LEASE_DURATION_MAX),
        help_heading = "Leader election"
    )]
    pub lease_duration: Duration,

    /// Where tokens are issued.
    #[arg(
        long,
        env = "CSP_LOGIN_URL",
        value_name = "URL",
        default_value = "https://login.microsoftonline.com",
        help_heading = "Microsoft"
    )]
    pub login_url: Url,

    /// Partner Center's API.
    #[arg(
        long,
        env = "CSP_PARTNER_CENTER_URL",
        value_name = "URL",
        default_value = "https://api.partnercenter.microsoft.com",
        help_heading = "Microsoft"
    )]
    pub partner_center_url: Url,

    /// Azure Resource Manager's API.
    #[arg(
        long,
        env = "CSP_AZURE_URL",
        value_name = "URL",
        default_value = "https://management.azure.com",
        help_heading = "Microsoft"
    )]
    pub azure_url: Url,

    /// Microsoft Graph's API, without the version. It is optional: with consent for it (User.Read and
    /// GroupMember.Read.All), the operator knows whether its user is an Admin agent before it tries to write. Owners
    /// named by userPrincipalName need it (User.Read.All in the customer's tenant).
    #[arg(
        long,
        env = "CSP_GRAPH_URL",
        value_name = "URL",
        default_value = "https://graph.microsoft.com",
        help_heading = "Microsoft"
    )]
    pub graph_url: Url,

    /// File with a token by which the application proves itself instead of a secret or certificate, such as a projected
    /// service account token. It is read anew for every sign-in. Without it: AZURE_FEDERATED_TOKEN_FILE, if set.
    #[arg(long, env = "CSP_FEDERATED_TOKEN_FILE", value_name = "FILE", help_heading = "Microsoft")]
    pub federated_token_file: Option<PathBuf>,

    /// Read customers, subscriptions and the activity log in the name of the application alone. For that it must be
    /// registered in Partner Center as a web app: Account settings > App management; the consent to user_impersonation
    /// does not give that right. This does not replace the user's sign-in: purchase permissions, and all else, are read
    /// and changed only as the user, so the Secret needs the refreshToken all the same.
    #[arg(long, env = "CSP_APP_ONLY_READS", help_heading = "Microsoft")]
    pub app_only_reads: bool,

    /// Allow http:// in the URLs above for hosts other than this one. The partner's secrets then travel unprotected.
    #[arg(long, env = "CSP_ALLOW_INSECURE_HTTP", help_heading = "Microsoft")]
    pub allow_insecure_http: bool,

    /// How many requests Partner Center is sent in any minute, at most. Lower it if other programs share the partner's
    /// limit. Revokes go first, then new and changed manifests, then drift, then what is only looked at.
    #[arg(
        long,
        env = "CSP_PARTNER_CENTER_CALLS_PER_MINUTE",
        value_name = "COUNT",
        default_value_t = PARTNER_CENTER_CALLS_PER_MINUTE,
        help_heading = "Microsoft"
    )]
    pub partner_center_calls_per_minute: NonZeroU16,

    /// PEM file with certificate authorities to trust for the URLs above, beside the usual ones: that of a proxy, or of
    /// csp-simulator. It is read at start.
    #[arg(long, env = "CSP_CA_FILE", value_name = "FILE", help_heading = "Microsoft")]
    pub ca_file: Option<PathBuf>,

    /// How long one request may take that reads.
    #[arg(
        long,
        env = "CSP_REQUEST_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s",
        value_parser = between(Duration::from_secs(1), Duration::from_mins(5)),
        help_heading = "Microsoft"
    )]
    pub request_timeout: Duration,

    /// How long one request may take that changes something.
    #[arg(
        long,
        env = "CSP_WRITE_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = between(Duration::from_secs(1), Duration::from_mins(1)),
        help_heading = "Microsoft"
    )]
    pub write_timeout: Duration,

    /// How often Partner Center's activity log is read for changes that others made.
    #[arg(
        long,
        env = "CSP_ACTIVITY_INTERVAL",
        value_name = "DURATION",
        default_value = "60s",
        value_parser = between(Duration::from_secs(1), Duration::from_hours(1)),
        help_heading = "Reconciling"
    )]
    pub activity_interval: Duration,

    /// How often every policy is read again, whatever the activity log says.
    #[arg(
        long,
        env = "CSP_RESYNC",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = between(Duration::from_mins(1), Duration::from_hours(24 * 30)),
        help_heading = "Reconciling"
    )]
    pub resync: Duration,

    /// How often a prerequisite that holds is read again.
    #[arg(
        long,
        env = "CSP_PREREQUISITE_INTERVAL",
        value_name = "DURATION",
        default_value = "24h",
        value_parser = between(Duration::from_mins(1), Duration::from_hours(24 * 30)),
        help_heading = "Reconciling"
    )]
    pub prerequisite_interval: Duration,

    /// How often it is looked what the customers have bought for whom a purchase permission is on, or was until a day ago:
    /// three requests each, of which one to Partner Center. The first time within a sixth of it.
    #[arg(
        long,
        env = "CSP_PURCHASE_INTERVAL",
        value_name = "DURATION",
        default_value = "6h",
        value_parser = between(Duration::from_mins(1), Duration::from_hours(24 * 30)),
        help_heading = "Reconciling"
    )]
    pub purchase_interval: Duration,

    /// How many objects are reconciled at the same time.
    #[arg(
        long,
        env = "CSP_CONCURRENCY",
        value_name = "COUNT",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=1000),
        help_heading = "Reconciling"
    )]
    pub concurrency: u16,

    /// How long one pass over one object may take, all its requests together.
    #[arg(
        long,
        env = "CSP_RECONCILE_TIMEOUT",
        value_name = "DURATION",
        default_value = "120s",
        value_parser = between(Duration::from_secs(1), Duration::from_hours(1)),
        help_heading = "Reconciling"
    )]
    pub reconcile_timeout: Duration,

    /// How many customers may be granted something for the first time within any hour; what exceeds it waits. So a wrong
    /// merge cannot permit all of them before anybody sees it. Revokes, and what restores a permission that somebody else
    /// has turned off, are not counted. 0 lets no first grant out. Raise it for the day on which you take over many
    /// customers, or restore what was deleted.
    #[arg(
        long,
        env = "CSP_MAX_GRANTS_PER_HOUR",
        value_name = "COUNT",
        default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(0..=100_000),
        help_heading = "Reconciling"
    )]
    pub max_grants_per_hour: u32,

    /// Let every namespace act for every customer. Without it, a namespace acts only for the tenants that its annotation
    /// csp-operator.dev/allowed-customers lists, so whoever may create objects in some namespace may not permit any customer.
    #[arg(long, env = "CSP_ALLOW_ALL_NAMESPACES", help_heading = "Reconciling")]
    pub allow_all_namespaces: bool,

    /// Allow AzureSubscriptions with ownerRole Assign to have Owner assigned to the users and groups they name. Whoever may
    /// write AzureSubscriptions can then make any user or group of a customer Owner of its Azure subscriptions.
    #[arg(long, env = "CSP_ALLOW_OWNER_ASSIGNMENT", help_heading = "Reconciling")]
    pub allow_owner_assignment: bool,

    /// Allow Customers with azurePlan Purchase to have an Azure plan bought, once, when they have none. Whoever may write
    /// Customers can then have the partner pay for what is used under those plans.
    #[arg(long, env = "CSP_ALLOW_PLAN_PURCHASE", help_heading = "Reconciling")]
    pub allow_plan_purchase: bool,

    /// Where /livez, /readyz and /metrics are served.
    #[arg(
        long,
        env = "CSP_HEALTH_ADDRESS",
        value_name = "IP:PORT",
        default_value = "0.0.0.0:8081",
        help_heading = "Observing"
    )]
    pub health_address: SocketAddr,

    /// How log lines are written, to standard error.
    #[arg(
        long,
        env = "CSP_LOG_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Observing"
    )]
    pub log_format: LogFormat,

    /// Which log lines are written, in the syntax of RUST_LOG, such as info or warn,csp_operator=debug.
    #[arg(
        long,
        env = "CSP_LOG_FILTER",
        value_name = "FILTER",
        default_value = "warn,kube_runtime=error,csp_operator=info",
        help_heading = "Observing"
    )]
    pub log_filter: String,

    /// Base address of an OpenTelemetry collector, such as http://collector:4318, that traces are sent to by OTLP over HTTP.
    /// Without it, and without OTEL_EXPORTER_OTLP_ENDPOINT, there are none. The other OTEL_… variables are honoured.
    #[arg(long, env = "CSP_OTLP_ENDPOINT", value_name = "URL", help_heading = "Observing")]
    pub otlp_endpoint: Option<Url>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text each, for people.
    #[default]
    Text,
    /// One JSON object each, for machines.
    Json,
}

/// The longest lease there can be. A record that promises more is taken to promise this.
pub(super) const LEASE_DURATION_MAX: Duration = Duration::from_mins(5);

/// Why text is no duration that an option takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("write it like 90s, 1m30s or 24h")]
    Unreadable,
    #[error("must be between {min:#} and {max:#}")]
    OutOfBounds { min: SignedDuration, max: SignedDuration },
}

/// Reads durations from `min` to `max`, both included.
pub(crate) fn between(
    min: Duration,
    max: Duration,
) -> impl Fn(&str) -> Result<Duration, DurationError> + Clone + Send + Sync {
    move |text| {
        let duration: SignedDuration = text.trim().parse().map_err(|_| DurationError::Unreadable)?;
        match Duration::try_from(duration) {
            Ok(duration) if (min..=max).contains(&duration) => Ok(duration),
            _ => Err(DurationError::OutOfBounds { min: signed(min), max: signed(max) }),
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
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
    fn every_option_of_run_is_documented_and_has_an_environment_variable() {
        let cli = Cli::command();
        let run = cli.get_subcommands().find(|command| command.get_name() == "run").unwrap();
        for option in run.get_arguments().filter(|option| option.get_id() != "help") {
            let name = option.get_long().unwrap();
            let variable = option.get_env().unwrap_or_else(|| panic!("--{name} has no environment variable"));
            assert_eq!(variable.to_str().unwrap(), format!("CSP_{}", name.replace('-', "_").to_uppercase()));
            assert!(option.get_help().is_some(), "--{name} is not documented");
        }
    }

    #[test]
    fn durations_are_read_and_bounded() {
        let read = between(Duration::from_secs(5), Duration::from_hours(24));
        let refused = |text: &str| read(text).unwrap_err().to_string();

        for (text, seconds) in [("90s", 90), ("1m30s", 90), (" 1m 30s ", 90), ("24h", 86_400), ("PT5S", 5)] {
            assert_eq!(read(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "90", "soon", "1 fortnight"] {
            assert_eq!(refused(text), "write it like 90s, 1m30s or 24h", "{text}");
        }
        for text in ["0s", "-90s", "4999ms", "24h1s"] {
            assert_eq!(refused(text), "must be between 5s and 24h", "{text}");
        }
    }
}
