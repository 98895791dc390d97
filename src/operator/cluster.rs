//! What the process needs of the cluster before it can work: a connection, the three CRDs, and a name for itself.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;

use super::call::{Call, CallError, within};
use super::health::{Check, Readiness, Standing};
use super::telemetry::{Chain, Complaints};
use crate::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use crate::model::Installation;

/// Limit of one request to the API server while starting.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Shortest and longest pause between two looks for something that is missing.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Why there is no connection to a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Neither a kubeconfig nor a service account.
    #[error("found no Kubernetes cluster: run inside one, or name a kubeconfig in KUBECONFIG")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The configuration cannot be used, for example because a certificate cannot be read.
    #[error("could not set up the connection to the Kubernetes API")]
    Client(#[source] Box<kube::Error>),
}

/// The configuration found in the surroundings.
pub(super) async fn config() -> Result<Config, ClusterError> {
    let mut config = Config::infer().await.map_err(|source| ClusterError::Config(Box::new(source)))?;
    // kube would retry in silence for minutes; here every loop decides, and says, what a failure means.
    config.default_retry = false;
    Ok(config)
}

/// A client with connections of its own.
pub(super) fn client(config: &Config) -> Result<Client, ClusterError> {
    Client::try_from(config.clone()).map_err(|source| ClusterError::Client(Box::new(source)))
}

/// Waits until the three kinds are served and may be listed. Meanwhile `/readyz` and the log say what is missing; a
/// process that ended instead would be restarted ever more rarely.
pub(super) async fn wait_for_kinds(client: &Client, readiness: &Readiness) {
    let missing = async || {
        try_list::<Customer>(client).await?;
        try_list::<AzureSubscription>(client).await?;
        try_list::<CustomerPurchasePermission>(client).await
    };
    retry(missing, |text| readiness.set(Check::Crds, Standing::Missing(text))).await;
    readiness.set(Check::Crds, Standing::Ready);
}

/// Why a kind cannot be used.
#[derive(Debug, thiserror::Error)]
enum KindError {
    #[error("the CRD {name} is not there: apply the CRDs first, with kubectl apply --server-side -f crds/")]
    NotServed { name: String },
    #[error("could not look for the CRD {name}")]
    Unknown { name: String, source: CallError },
}

/// Lists one object at most: it shows that the kind is served and that it may be read.
async fn try_list<K>(client: &Client) -> Result<(), KindError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let name = format!("{}.{}", K::plural(&()), K::group(&()));
    let call = || Call { verb: "list", resource: name.clone().into(), object: "in all namespaces".to_owned() };
    let api: Api<K> = Api::all(client.clone());
    // Only metadata: a single object that cannot be decoded is no reason not to start.
    match within(REQUEST_TIMEOUT, call, api.list_metadata(&ListParams::default().limit(1))).await {
        Ok(_) => Ok(()),
        Err(CallError::NotFound { .. }) => Err(KindError::NotServed { name }),
        Err(source) => Err(KindError::Unknown { name, source }),
    }
}

/// This installation: its name is the uid of the operator's namespace, which nobody can give to another one.
pub(super) async fn installation(client: &Client, namespace: &str, readiness: &Readiness) -> Installation {
    let found = retry(
        async || read_uid(client, namespace).await,
        |text| {
            // Without it nothing can be led.
            readiness.set(Check::Lease, Standing::Missing(text));
        },
    );
    Installation::new(found.await)
}

/// Why the installation has no name yet.
#[derive(Debug, thiserror::Error)]
enum InstallationError {
    #[error("the namespace {namespace} does not exist: create it, or name the operator's own with --namespace")]
    NoNamespace { namespace: String },
    #[error("could not read the namespace {namespace}, whose uid names this installation")]
    Unknown { namespace: String, source: CallError },
}

async fn read_uid(client: &Client, namespace: &str) -> Result<String, InstallationError> {
    let call = |verb| move || Call { verb, resource: "namespaces".into(), object: namespace.to_owned() };
    let api: Api<Namespace> = Api::all(client.clone());
    let only = ListParams::default().fields(&format!("metadata.name={namespace}"));
    // Either right does, since a role may lack one: nothing is granted then, but what must go off does not wait for it.
    let found = match within(REQUEST_TIMEOUT, call("list"), api.list_metadata(&only)).await {
        Err(CallError::Forbidden { .. }) => within(REQUEST_TIMEOUT, call("get"), api.get_metadata_opt(namespace)).await,
        list => list.map(|list| list.items.into_iter().next()),
    };
    match found {
        Ok(found) => found
            .and_then(|found| found.metadata.uid)
            .ok_or_else(|| InstallationError::NoNamespace { namespace: namespace.to_owned() }),
        Err(source) => Err(InstallationError::Unknown { namespace: namespace.to_owned(), source }),
    }
}

/// Tries until it succeeds, with growing pauses. Every failure is told to `tell`, and to the log when it is news.
async fn retry<T, E>(attempt: impl AsyncFn() -> Result<T, E>, tell: impl Fn(String)) -> T
where
    E: std::error::Error + 'static,
{
    let mut complaints = Complaints::default();
    let mut pause = PAUSE_MIN;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => {
                let text = Chain(&error).to_string();
                if complaints.is_news(&text) {
                    tracing::warn!(error = text, "cannot start yet; trying again");
                }
                tell(text);
            }
        }
        tokio::time::sleep(pause.mul_f64(1.0 - 0.2 * fastrand::f64())).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
