//! The operator's sign-in, borrowed from its Secrets, or one like it from a file.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use secrecy::SecretString;

use super::args::{BorrowArgs, ClusterArgs};
use super::cluster::{self, ClusterError};
use super::request::{RequestError, within};
use super::secret_file::{SecretFileError, read_secret};
use super::stored::{self, StoredError};
use crate::operator::{CredentialsDefect, borrow_sign_in};
use crate::remote::{CredentialError, CredentialSource, Credentials, Proof};

/// Why there is no sign-in to borrow. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum BorrowError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    SecretFile(#[from] SecretFileError),
    #[error(transparent)]
    Defect(#[from] CredentialsDefect),
    #[error("{0}; or give the application's secret with --client-secret-file")]
    NoProof(CredentialsDefect),
    #[error("{0}; or give a sign-in with --credentials, which takes no cluster")]
    NoCluster(ClusterError),
    #[error(transparent)]
    Stored(#[from] StoredError),
}

/// A sign-in that is used, and left as it is.
///
/// A refresh token that comes back is dropped. Microsoft's can be redeemed more than once, so the operator's goes on working;
/// and to write the newer one would be to change a Secret on account of a command that reads.
#[derive(Debug)]
pub(super) struct Borrowed(pub(super) Credentials);

impl Borrowed {
    /// Reads the two Secrets, or what is given instead.
    pub(super) async fn open(args: &BorrowArgs, cluster: &ClusterArgs) -> Result<Self, BorrowError> {
        let given = args.client_secret_file.as_deref().map(read_secret).transpose()?;
        if let Some(path) = &args.credentials {
            let (secret, name) = stored::secret(path)?;
            return Self::of(Some(&secret), &name, None, given.map(Proof::Secret));
        }
        let client = cluster::client(cluster).await.map_err(|error| match error {
            ClusterError::None(_) => BorrowError::NoCluster(error),
            error => error.into(),
        })?;
        let api: Api<Secret> = Api::namespaced(client, &args.operator_namespace);
        let read = async |name: &str| {
            let what = || format!("get the Secret {}/{name}", args.operator_namespace);
            within(what, api.get_opt(name)).await
        };
        let (user, kept) = (read(&args.secret).await?, read(&args.tokens_secret).await?);
        let name = format!("{}/{}", args.operator_namespace, args.secret);
        Self::of(user.as_ref(), &name, kept.as_ref(), given.map(Proof::Secret))
    }

    fn of(user: Option<&Secret>, name: &str, kept: Option<&Secret>, given: Option<Proof>) -> Result<Self, BorrowError> {
        match borrow_sign_in(user, name, kept, given, Timestamp::now()) {
            Ok(credentials) => Ok(Self(credentials)),
            Err(defect @ CredentialsDefect::NoProof { .. }) => Err(BorrowError::NoProof(defect)),
            Err(defect) => Err(defect.into()),
        }
    }
}

impl CredentialSource for Borrowed {
    fn current(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        futures::future::ready(Ok(self.0.clone())).boxed()
    }

    fn rotated<'a>(&'a self, _: &'a Credentials, _: SecretString) -> BoxFuture<'a, Result<(), CredentialError>> {
        futures::future::ready(Ok(())).boxed()
    }
}
