//! From a checked configuration to a replica that works, and back to nothing.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;

use super::cluster::{self, ClusterError};
use super::credentials::SecretStore;
use super::health::{self, HealthError, Readiness};
use super::lease::{Election, LostLease, Terms};
use super::metrics::Metrics;
use super::settings::Settings;
use super::shutdown::{Announce, Shutdown, Signals};
use super::telemetry::{self, TelemetryError};
use super::traces::{Traces, TracesError};
use super::version::{REVISION, VERSION};
use crate::model::Installation;
use crate::remote::{CredentialSource, Fence};

/// How long work that is under way may go on after the process was told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// How long saying goodbye to the API server may take after that.
const GOODBYE_MAX: Duration = Duration::from_secs(3);

/// What the controllers get once this replica may act.
#[derive(Clone)]
pub struct Leading {
    /// The checked configuration.
    pub settings: Arc<Settings>,
    /// For everything but the lease. It retries nothing by itself.
    pub client: Client,
    /// This installation, by which its own writes are recognised.
    pub installation: Installation,
    /// How long this process may still act.
    pub fence: Arc<dyn Fence>,
    /// The partner's sign-in.
    pub credentials: Arc<dyn CredentialSource>,
    /// To register metrics in.
    pub metrics: Metrics,
    /// To report [`health::Check::Caches`] to.
    pub readiness: Readiness,
    /// Tells when no new work shall be begun.
    pub shutdown: Shutdown,
}

impl fmt::Debug for Leading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leading")
            .field("installation", &self.installation)
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}

/// What the controllers end with when they cannot go on.
pub type ControllersError = Box<dyn Error + Send + Sync>;

/// Why the operator ended although nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No log lines.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// No traces.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// Something installed another TLS provider before.
    #[error("could not install the TLS provider: this process has one already")]
    Tls,
    /// The operating system refuses to tell of SIGTERM.
    #[error("could not catch SIGTERM and SIGINT")]
    Signals(#[source] std::io::Error),
    /// No connection to a cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Health cannot be served.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// Another replica acts now, or may.
    #[error(transparent)]
    Lease(#[from] LostLease),
    /// The controllers failed.
    #[error("the controllers failed")]
    Controllers(#[source] ControllersError),
    /// The controllers ended by themselves; a mistake in this program.
    #[error("the controllers ended although nobody told them to")]
    ControllersEnded,
}

/// Runs until the process is told to stop, or must not go on.
///
/// `controllers` is called once, when this replica may act. Its future does the work; when [`Leading::shutdown`] asks
/// for it, the future ends as soon as what is under way is finished. On a lost lease it is dropped at once.
pub async fn run<F, C>(settings: Settings, controllers: C) -> Result<(), ProcessError>
where
    C: FnOnce(Leading) -> F,
    F: Future<Output = Result<(), ControllersError>>,
{
    // Before anything speaks TLS: kube and reqwest take the provider of the process.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| ProcessError::Tls)?;
    let traces = Traces::to(settings.otlp_endpoint.as_ref(), |name| std::env::var(name).ok())?;
    telemetry::install(settings.log_format, &settings.log_filter, traces.as_ref().map(Traces::tracer))?;
    let ended = run_told(settings, controllers).await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    ended
}

/// The same, with somewhere to tell of it.
async fn run_told<F, C>(settings: Settings, controllers: C) -> Result<(), ProcessError>
where
    C: FnOnce(Leading) -> F,
    F: Future<Output = Result<(), ControllersError>>,
{
    let mut signals = Signals::catch().map_err(ProcessError::Signals)?;
    tracing::info!(version = VERSION, revision = REVISION, namespace = settings.namespace, "csp-operator starts");

    let (readiness, metrics) = (Readiness::new(), Metrics::new());
    let address = health::serve(settings.health_address, readiness.clone(), metrics.clone()).await?;
    tracing::info!(%address, "serving /livez, /readyz and /metrics");

    let config = cluster::config().await?;
    let client = cluster::client(&config)?;
    let lease_client = cluster::client(&config)?;

    let settings = Arc::new(settings);
    let credentials = SecretStore::open(client.clone(), &settings, readiness.clone(), &metrics);
    let prepared = async {
        cluster::wait_for_kinds(&client, &readiness).await;
        cluster::installation(&client, &settings.namespace, &readiness).await
    };
    let installation = tokio::select! {
        installation = prepared => installation,
        signal = signals.next() => {
            told_to_stop(signal);
            return Ok(());
        }
    };

    let mut election = Election::join(lease_client, Terms::new(&settings), readiness.clone(), metrics.clone());
    tokio::select! {
        leading = election.leading() => leading?,
        signal = signals.next() => {
            told_to_stop(signal);
            // It may have won in this very moment.
            election.release(GOODBYE_MAX).await;
            return Ok(());
        }
    }

    let (announce, shutdown) = Shutdown::new();
    let fence = election.fence();
    let leading = Leading {
        settings,
        client,
        installation,
        fence,
        credentials: Arc::<SecretStore>::clone(&credentials),
        metrics,
        readiness,
        shutdown,
    };
    tracing::info!("this replica acts");
    let ended = lead(controllers(leading), &mut election, signals.next(), &announce).await?;
    credentials.save(GOODBYE_MAX).await;
    match ended {
        Ended::Clean => election.release(GOODBYE_MAX).await,
        // Something may still be under way. Whoever takes over an unreleased lease waits that out.
        Ended::Unfinished => tracing::warn!(after = ?DRAIN_MAX, "work was cut off; leaving the lease to expire"),
    }
    tracing::info!("csp-operator ends");
    Ok(())
}

/// How the work ended after the process was told to stop.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// Nothing is under way.
    Clean,
    /// It had to be cut off.
    Unfinished,
}

/// Lets the controllers work until the process is told to stop, and then finish.
async fn lead(
    controllers: impl Future<Output = Result<(), ControllersError>>,
    election: &mut Election,
    stop: impl Future<Output = &'static str>,
    announce: &Announce,
) -> Result<Ended, ProcessError> {
    let mut controllers = pin!(controllers);
    tokio::select! {
        // A lost lease goes first: nothing else may happen after it.
        biased;
        lost = election.lost() => return Err(lost.into()),
        signal = stop => told_to_stop(signal),
        ended = &mut controllers => {
            return Err(ended.map_or_else(ProcessError::Controllers, |()| ProcessError::ControllersEnded));
        }
    }
    announce.request();
    tokio::select! {
        biased;
        lost = election.lost() => Err(lost.into()),
        drained = tokio::time::timeout(DRAIN_MAX, controllers) => match drained {
            Ok(Ok(())) => Ok(Ended::Clean),
            Ok(Err(error)) => Err(ProcessError::Controllers(error)),
            Err(_) => Ok(Ended::Unfinished),
        },
    }
}

fn told_to_stop(signal: &'static str) {
    tracing::info!(signal, "told to stop");
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::super::test_api::ApiServer;
    use super::*;

    async fn elected(server: &ApiServer) -> Election {
        let surroundings = super::super::Surroundings::default();
        let Ok(super::super::Cli { command: super::super::Command::Run(args) }) =
            clap::Parser::try_parse_from(["csp-operator", "run"])
        else {
            panic!("the defaults are valid")
        };
        let terms = Terms::new(&Settings::new(*args, &surroundings).unwrap());
        let mut election = Election::join(server.client(), terms, Readiness::new(), Metrics::new());
        election.leading().await.unwrap();
        election
    }

    #[tokio::test]
    async fn what_is_under_way_is_finished() {
        let mut election = elected(&ApiServer::default()).await;
        let (announce, shutdown) = Shutdown::new();
        let mut finished = false;
        let controllers = async {
            shutdown.requested().await;
            tokio::task::yield_now().await;
            finished = true;
            Ok(())
        };
        assert_eq!(lead(controllers, &mut election, ready("SIGTERM"), &announce).await.unwrap(), Ended::Clean);
        assert!(finished);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_cut_off() {
        let mut election = elected(&ApiServer::default()).await;
        let (announce, _shutdown) = Shutdown::new();
        let begun = tokio::time::Instant::now();
        assert_eq!(lead(pending(), &mut election, ready("SIGTERM"), &announce).await.unwrap(), Ended::Unfinished);
        assert_eq!(begun.elapsed().as_secs(), DRAIN_MAX.as_secs());
    }

    #[tokio::test]
    async fn controllers_that_end_by_themselves_are_an_error() {
        let mut election = elected(&ApiServer::default()).await;
        let (announce, _shutdown) = Shutdown::new();
        let error = lead(async { Ok(()) }, &mut election, pending(), &announce).await.unwrap_err();
        assert!(matches!(error, ProcessError::ControllersEnded), "{error}");
        let failed = async { Err("no watch".into()) };
        let error = lead(failed, &mut election, pending(), &announce).await.unwrap_err();
        assert_eq!(telemetry::Chain(&error).to_string(), "the controllers failed: no watch");
    }
}
