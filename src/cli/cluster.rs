//! The cluster that kubectl would use.

use std::error::Error;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::args::ClusterArgs;

/// Why there is no connection to a cluster.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClusterError {
    /// The file that was named cannot be read, or the one that would be used.
    #[error("cannot read the kubeconfig: name the right one with --kubeconfig, or in KUBECONFIG")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// There is neither a kubeconfig nor a service account.
    #[error("found no Kubernetes cluster: name a kubeconfig with --kubeconfig, or in KUBECONFIG ({0})")]
    None(String),
    /// For example a certificate that cannot be read.
    #[error("cannot set up the connection to the Kubernetes API")]
    Client(#[source] Box<kube::Error>),
}

/// A client of that cluster.
pub(super) async fn client(args: &ClusterArgs) -> Result<Client, ClusterError> {
    let unreadable = |source| ClusterError::Kubeconfig(Box::new(source));
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match (&args.kubeconfig, &args.context) {
        (Some(path), _) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(unreadable)?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(unreadable)?
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(unreadable)?,
        (None, None) => Config::infer().await.map_err(|error| ClusterError::None(root(&error)))?,
    };
    // A person waits: better a clear failure at once than silent repeats.
    config.default_retry = false;
    Client::try_from(config).map_err(|source| ClusterError::Client(Box::new(source)))
}

/// The innermost cause in one phrase: the layers above it tell a person nothing.
pub(super) fn root(error: &(dyn Error + 'static)) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}
