//! The objects of the three kinds, as kubectl would list them.

use std::fmt::Debug;

use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::args::{ClusterArgs, ObjectsArgs};
use super::cluster::{self, ClusterError};
use super::request::{RequestError, within};
use super::table::FormatError;
use super::terminal::printable;

/// Objects of one page of a list.
const PAGE_SIZE: u32 = 500;

/// Why objects cannot be listed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ObjectsError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(
        "the cluster does not know the kind {kind}: install the operator's CRDs, or name another cluster with --context"
    )]
    NoSuchKind { kind: String },
}

/// Why a list made of objects cannot be printed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    #[error(transparent)]
    Objects(#[from] ObjectsError),
    #[error("{place} has no Customer \"{customer}\" and none with that tenant id: see kubectl get customers")]
    NoSuchCustomer { customer: String, place: String },
    #[error(transparent)]
    Format(#[from] FormatError),
}

/// The objects that the options name, in all namespaces or one.
pub(super) struct Objects {
    client: Client,
    /// `None`: all.
    namespace: Option<String>,
}

impl Objects {
    pub(super) async fn open(args: &ObjectsArgs) -> Result<Self, ObjectsError> {
        let client = cluster::client(&args.cluster).await?;
        let namespace = args.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        Ok(Self { client, namespace: (!args.all_namespaces).then_some(namespace) })
    }

    /// Those of one namespace, or of the context's.
    pub(super) async fn in_one_namespace(namespace: Option<&str>, cluster: &ClusterArgs) -> Result<Self, ObjectsError> {
        let client = cluster::client(cluster).await?;
        let namespace = namespace.unwrap_or_else(|| client.default_namespace()).to_owned();
        Ok(Self { client, namespace: Some(namespace) })
    }

    /// Where they are, in words.
    pub(super) fn place(&self) -> String {
        self.namespace.as_ref().map_or_else(|| "any namespace".to_owned(), |name| format!("namespace {name}"))
    }

    /// That none of them is the customer that a person means.
    pub(super) fn lack(&self, customer: &str) -> ListError {
        ListError::NoSuchCustomer { customer: printable(customer), place: self.place() }
    }

    /// All of one kind.
    pub(super) async fn list<K>(&self) -> Result<Vec<K>, ObjectsError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let mut all = Vec::new();
        let mut params = ListParams::default().limit(PAGE_SIZE);
        loop {
            let page =
                match within(|| format!("list the {} of {}", K::plural(&()), self.place()), api.list(&params)).await {
                    Ok(page) => page,
                    Err(RequestError::Refused { code: 404, .. }) => {
                        return Err(ObjectsError::NoSuchKind { kind: K::kind(&()).into_owned() });
                    }
                    Err(error) => return Err(error.into()),
                };
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(all),
            }
        }
    }
}
