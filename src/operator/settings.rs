//! Options that have been checked, each by itself and with one another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use url::Url;

use super::args::{LogFormat, RunArgs};
use crate::remote::{Allowance, EndpointError, Endpoints, ExtraRoots, Limits, PlainHttp, RootsError};

/// Everything `csp-operator run` needs to know. There is no way to have one that makes no sense.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Namespace of the operator's own objects.
    pub namespace: String,
    /// Name of the Secret that the user owns.
    pub credentials_secret: String,
    /// Name of the Secret that the operator owns.
    pub tokens_secret: String,
    /// Name of the `ConfigMap` that remembers the watermark of the activity feed.
    pub state_configmap: String,
    /// What this replica is called; not unique, since it survives a restart.
    pub identity: String,
    /// Name of the Lease.
    pub lease_name: String,
    /// How long the lease is held without being renewed: whole seconds.
    pub lease_duration: Duration,
    /// Where Microsoft's services are.
    pub endpoints: Endpoints,
    /// File with the token by which the application proves itself, if it is not in the Secret that the user owns.
    pub federated_token_file: Option<PathBuf>,
    /// Whether Partner Center is read without a user where it allows that.
    pub app_only_reads: bool,
    /// Bounds on requests to them.
    pub limits: Limits,
    /// How often the activity log is read.
    pub activity_interval: Duration,
    /// How often every policy is read again.
    pub resync: Duration,
    /// How often a prerequisite that holds is read again.
    pub prerequisite_interval: Duration,
    /// How often it is looked what permitted customers have bought.
    pub purchase_interval: Duration,
    /// How many objects are reconciled at the same time; never 0, which kube takes for no limit.
    pub concurrency: u16,
    /// Limit of one pass over one object.
    pub reconcile_timeout: Duration,
    /// First grants within an hour, at most.
    pub max_grants_per_hour: u32,
    /// Whether every namespace may act for every customer, whatever is said on it.
    pub allow_all_namespaces: bool,
    /// Whether Owner may be assigned where an `AzureSubscription` asks for it.
    pub allow_owner_assignment: bool,
    /// Whether Azure plans may be bought where a `Customer` asks for it.
    pub allow_plan_purchase: bool,
    /// Where health and metrics are served.
    pub health_address: SocketAddr,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written.
    pub log_filter: String,
    /// Where traces are sent.
    pub otlp_endpoint: Option<Url>,
}

/// What a process knows of where it runs, for defaults.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Namespace of the pod's service account, when there is one.
    pub pod_namespace: Option<String>,
    /// `HOSTNAME`: in a pod, the pod's name.
    pub hostname: Option<String>,
    /// Name of the machine.
    pub machine: Option<String>,
    /// `AZURE_FEDERATED_TOKEN_FILE`: set in pods by the webhook of Azure workload identity.
    pub federated_token_file: Option<PathBuf>,
    /// Id of the process.
    pub pid: u32,
}

/// Why the operator refuses to start with the options it was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Kubernetes would refuse the name.
    #[error("{option} \"{name}\" is no name for a Kubernetes object: use lower-case letters, digits and hyphens")]
    BadName {
        /// The option.
        option: &'static str,
        /// Its value.
        name: String,
    },
    /// One Secret for both purposes: the operator would overwrite what the user owns.
    #[error(
        "--credentials-secret and --tokens-secret are both \"{name}\": name two different Secrets, one is yours and one the operator's"
    )]
    OneSecret {
        /// The name.
        name: String,
    },
    /// The identity could not be told from others, or not be shown.
    #[error("--identity must be one line of 1 to 200 characters")]
    BadIdentity,
    /// A Lease counts in seconds.
    #[error("--lease-duration must be whole seconds")]
    BrokenLeaseDuration,
    /// The fence would stop writes while the lease is being renewed.
    #[error(
        "--lease-duration {lease:?} is too short: it must be at least three times --write-timeout {write:?}, so {needed:?}"
    )]
    ShortLease {
        /// The lease duration.
        lease: Duration,
        /// The write timeout.
        write: Duration,
        /// The shortest lease duration that would do.
        needed: Duration,
    },
    /// No pass could ever end.
    #[error(
        "--reconcile-timeout {reconcile:?} is too short: one pass reads and writes, so it must be longer than --request-timeout {request:?} and --write-timeout {write:?} together"
    )]
    ShortReconcile {
        /// The timeout of a pass.
        reconcile: Duration,
        /// The timeout of a request that reads.
        request: Duration,
        /// The timeout of a request that writes.
        write: Duration,
    },
    /// A URL is no base URL, or would send secrets without TLS.
    #[error(
        "--login-url, --partner-center-url, --azure-url or --graph-url cannot be used (--allow-insecure-http allows plain http)"
    )]
    Endpoints(#[source] EndpointError),
    /// The file with certificate authorities cannot be read.
    #[error("--ca-file {path} cannot be read: {why}")]
    UnreadableCaFile {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        why: String,
    },
    /// It is read, and is not what it should be.
    #[error("--ca-file {path} cannot be used: {why}")]
    BadCaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: RootsError,
    },
    /// Not in the syntax of `RUST_LOG`.
    #[error("--log-filter \"{filter}\" cannot be read ({why}): write it like info or warn,csp_operator=debug")]
    BadLogFilter {
        /// The filter.
        filter: String,
        /// What is wrong.
        why: String,
    },
}

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const FALLBACK_NAMESPACE: &str = "csp-operator";

impl Surroundings {
    /// Looks around.
    pub fn look() -> Self {
        let file = |path| {
            std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        Self {
            pod_namespace: file(NAMESPACE_FILE),
            hostname: std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()),
            machine: file("/proc/sys/kernel/hostname"),
            federated_token_file: std::env::var_os("AZURE_FEDERATED_TOKEN_FILE")
                .filter(|path| !path.is_empty())
                .map(Into::into),
            pid: std::process::id(),
        }
    }

    fn identity(&self) -> String {
        self.hostname
            .clone()
            .unwrap_or_else(|| format!("{}@{}", self.pid, self.machine.as_deref().unwrap_or("localhost")))
    }
}

impl Settings {
    /// Checks `args` and fills in what they leave open.
    ///
    /// The fence (`LeaseFence`) lets a write begin only while at least the write timeout is left of the lease. The lease
    /// is renewed every third of its duration. When one renewal has failed and the next one is under way, two thirds
    /// are gone; a third must still hold one write, or a single lost packet would stop all work. Hence three times.
    pub fn new(args: RunArgs, surroundings: &Surroundings) -> Result<Self, SettingsError> {
        let plain_http = if args.allow_insecure_http { PlainHttp::ToAnyHost } else { PlainHttp::ToLoopback };
        let endpoints =
            Endpoints::new(args.login_url, args.partner_center_url, args.azure_url, args.graph_url, plain_http)
                .map_err(SettingsError::Endpoints)?;
        let endpoints = match &args.ca_file {
            Some(path) => endpoints.trusting(extra_roots(path)?),
            None => endpoints,
        };
        let limits = Limits {
            request_timeout: args.request_timeout,
            write_timeout: args.write_timeout,
            partner_center_calls: Allowance::per_minute(args.partner_center_calls_per_minute),
            ..Limits::default()
        };
        let settings = Self {
            namespace: args
                .namespace
                .or_else(|| surroundings.pod_namespace.clone())
                .unwrap_or_else(|| FALLBACK_NAMESPACE.to_owned()),
            credentials_secret: args.credentials_secret,
            tokens_secret: args.tokens_secret,
            state_configmap: args.state_configmap,
            identity: args.identity.unwrap_or_else(|| surroundings.identity()),
            lease_name: args.lease_name,
            lease_duration: args.lease_duration,
            endpoints,
            federated_token_file: args.federated_token_file.or_else(|| surroundings.federated_token_file.clone()),
            app_only_reads: args.app_only_reads,
            limits,
            activity_interval: args.activity_interval,
            resync: args.resync,
            prerequisite_interval: args.prerequisite_interval,
            purchase_interval: args.purchase_interval,
            concurrency: args.concurrency,
            reconcile_timeout: args.reconcile_timeout,
            max_grants_per_hour: args.max_grants_per_hour,
            allow_all_namespaces: args.allow_all_namespaces,
            allow_owner_assignment: args.allow_owner_assignment,
            allow_plan_purchase: args.allow_plan_purchase,
            health_address: args.health_address,
            log_format: args.log_format,
            log_filter: args.log_filter,
            otlp_endpoint: args.otlp_endpoint,
        };
        settings.check_names()?;
        settings.check_times()?;
        if let Err(error) = EnvFilter::builder().parse(&settings.log_filter) {
            return Err(SettingsError::BadLogFilter { filter: settings.log_filter, why: error.to_string() });
        }
        Ok(settings)
    }

    fn check_names(&self) -> Result<(), SettingsError> {
        let bad = |option, name: &String| Err(SettingsError::BadName { option, name: name.clone() });
        if !is_label(&self.namespace) {
            return bad("--namespace", &self.namespace);
        }
        for (option, name) in [
            ("--credentials-secret", &self.credentials_secret),
            ("--tokens-secret", &self.tokens_secret),
            ("--state-configmap", &self.state_configmap),
            ("--lease-name", &self.lease_name),
        ] {
            if name.len() > 253 || !name.split('.').all(is_label) {
                return bad(option, name);
            }
        }
        if self.credentials_secret == self.tokens_secret {
            return Err(SettingsError::OneSecret { name: self.tokens_secret.clone() });
        }
        let identity = &self.identity;
        if identity.trim().is_empty() || identity.chars().count() > 200 || identity.chars().any(char::is_control) {
            return Err(SettingsError::BadIdentity);
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), SettingsError> {
        if self.lease_duration.subsec_nanos() != 0 {
            return Err(SettingsError::BrokenLeaseDuration);
        }
        let Limits { request_timeout: request, write_timeout: write, .. } = self.limits;
        let needed = write * 3;
        if self.lease_duration < needed {
            return Err(SettingsError::ShortLease { lease: self.lease_duration, write, needed });
        }
        if self.reconcile_timeout <= request + write {
            return Err(SettingsError::ShortReconcile { reconcile: self.reconcile_timeout, request, write });
        }
        Ok(())
    }
}

/// Reads the authorities of a `--ca-file`.
pub(crate) fn extra_roots(path: &Path) -> Result<ExtraRoots, SettingsError> {
    let bundle = std::fs::read(path)
        .map_err(|error| SettingsError::UnreadableCaFile { path: path.to_owned(), why: error.to_string() })?;
    ExtraRoots::from_pem(&bundle).map_err(|why| SettingsError::BadCaFile { path: path.to_owned(), why })
}

/// Whether Kubernetes takes `name` for an RFC 1123 label.
fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::{Cli, Command};
    use super::super::telemetry::Chain;
    use super::*;

    fn settings(options: &[&str]) -> Result<Settings, SettingsError> {
        settings_in(&Surroundings { pid: 7, ..Surroundings::default() }, options)
    }

    fn settings_in(surroundings: &Surroundings, options: &[&str]) -> Result<Settings, SettingsError> {
        let words = ["csp-operator", "run"].iter().chain(options);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Run(args) => Settings::new(*args, surroundings),
            Command::Crds(_) | Command::Ready(_) => unreachable!(),
        }
    }

    #[test]
    fn the_defaults_are_valid() {
        let settings = settings(&[]).unwrap();
        assert_eq!(settings.namespace, "csp-operator");
        assert_eq!(settings.identity, "7@localhost");
        assert_eq!(settings.concurrency, 16);
        assert_eq!(settings.health_address.port(), 8081);
    }

    #[test]
    fn partner_center_is_sent_no_more_than_microsoft_publishes_unless_told_otherwise() {
        let calls = |options: &[&str]| settings(options).unwrap().limits.partner_center_calls;
        let per_minute = |calls| Allowance::per_minute(std::num::NonZeroU16::new(calls).unwrap());
        assert_eq!(calls(&[]), per_minute(500));
        assert_eq!(calls(&["--partner-center-calls-per-minute", "60"]), per_minute(60));
        assert_eq!(Limits::default().partner_center_calls, per_minute(500));
    }

    #[test]
    fn the_surroundings_fill_in_what_is_left_open() {
        let pod = Surroundings {
            pod_namespace: Some("partner".to_owned()),
            hostname: Some("csp-operator-0".to_owned()),
            machine: Some("node".to_owned()),
            federated_token_file: Some("/var/run/azure".into()),
            pid: 1,
        };
        let found = settings_in(&pod, &[]).unwrap();
        assert_eq!((found.namespace.as_str(), found.identity.as_str()), ("partner", "csp-operator-0"));
        assert_eq!(found.federated_token_file, Some("/var/run/azure".into()));
        let options = ["--namespace", "other", "--identity", "me", "--federated-token-file", "/token"];
        let given = settings_in(&pod, &options).unwrap();
        assert_eq!(given.federated_token_file, Some("/token".into()));
        assert_eq!((given.namespace.as_str(), given.identity.as_str()), ("other", "me"));
        let machine = settings_in(&Surroundings { hostname: None, ..pod }, &[]).unwrap();
        assert_eq!(machine.identity, "1@node");
    }

    #[test]
    fn wrong_settings_are_refused_in_one_sentence() {
        for (option, sentence) in [
            (
                "--namespace=Partner",
                "--namespace \"Partner\" is no name for a Kubernetes object: use lower-case letters",
            ),
            ("--namespace=a.b", "--namespace \"a.b\" is no name"),
            ("--lease-name=-a", "--lease-name \"-a\" is no name"),
            ("--tokens-secret=csp-operator-credentials", "are both \"csp-operator-credentials\": name two"),
            ("--identity=  ", "--identity must be one line"),
            ("--lease-duration=30500ms", "--lease-duration must be whole seconds"),
            ("--lease-duration=29s", "--lease-duration 29s is too short: it must be at least three times"),
            ("--write-timeout=11s", "so 33s"),
            ("--reconcile-timeout=40s", "--reconcile-timeout 40s is too short"),
            ("--azure-url=ftp://localhost", "--azure-url or --graph-url cannot be used"),
            ("--graph-url=http://graph.example", "http://graph.example/ would"),
            (
                "--login-url=http://login.example",
                "(--allow-insecure-http allows plain http): http://login.example/ would",
            ),
            ("--ca-file=/nonexistent/ca.pem", "--ca-file /nonexistent/ca.pem cannot be read: No such file"),
            ("--ca-file=Cargo.toml", "--ca-file Cargo.toml cannot be used: it holds no certificate: expected PEM"),
            ("--log-filter=csp_operator=loud", "--log-filter \"csp_operator=loud\" cannot be read"),
        ] {
            let error = settings(&[option]).unwrap_err();
            let text = Chain(&error).to_string();
            assert!(text.contains(sentence), "{option}: {text}");
        }
    }

    #[test]
    fn plain_http_is_for_this_host_unless_it_is_asked_for() {
        settings(&["--partner-center-url", "http://127.0.0.1:8080"]).unwrap();
        settings(&["--partner-center-url", "http://10.0.0.1"]).unwrap_err();
        settings(&["--partner-center-url", "http://10.0.0.1", "--allow-insecure-http"]).unwrap();
    }
}
