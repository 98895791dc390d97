//! The writes to our own objects. Each says which version of the object it was thought out for.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tracing::Instrument as _;

use super::error::Error;
use super::trace;
use crate::api::{CustomerPurchasePermission, FIELD_MANAGER, FINALIZER, TENANT_ANNOTATION};
use crate::model::TenantId;

/// Writes the whole status, by server-side apply: fields left out vanish, conditions of others stay.
///
/// The resource version stands in the body, because an apply goes by name alone and would else land on an object that
/// was deleted and made anew in between.
pub(super) async fn apply_status<K, S>(client: &Client, object: &K, status: &S) -> Result<K, Error>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    S: Serialize + Sync,
{
    let (api, name) = handle(client, object)?;
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": name, "resourceVersion": object.meta().resource_version },
        "status": status,
    });
    api.patch_status(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(body))
        .instrument(trace::kubernetes("status"))
        .await
        .map_err(|source| Error::Kubernetes { what: "write the status", source: Box::new(source) })
}

/// Reads an object from the API server itself.
pub(super) async fn read<K>(client: &Client, object: &K) -> Result<K, Error>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let (api, name) = handle(client, object)?;
    api.get(name).await.map_err(|source| Error::Kubernetes { what: "read the object again", source: Box::new(source) })
}

/// Puts the finalizer on a permission and remembers its tenant, in one patch.
pub(super) async fn claim(
    client: &Client,
    object: &CustomerPurchasePermission,
    tenant: TenantId,
) -> Result<CustomerPurchasePermission, Error> {
    let mut finalizers = object.metadata.finalizers.clone().unwrap_or_default();
    if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
    }
    patch_metadata(client, object, &finalizers, &json!(tenant.to_string()), "put the finalizer on the object").await
}

/// Takes the finalizer and the remembered tenant off a permission.
pub(super) async fn release(
    client: &Client,
    object: &CustomerPurchasePermission,
) -> Result<CustomerPurchasePermission, Error> {
    let mut finalizers = object.metadata.finalizers.clone().unwrap_or_default();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    patch_metadata(client, object, &finalizers, &Value::Null, "take the finalizer off the object").await
}

/// A merge patch bound to this very object: a missing one answers 404, one made anew 422, a changed one 409.
async fn patch_metadata(
    client: &Client,
    object: &CustomerPurchasePermission,
    finalizers: &[String],
    tenant: &Value,
    what: &'static str,
) -> Result<CustomerPurchasePermission, Error> {
    let (api, name) = handle(client, object)?;
    let body = json!({
        "metadata": {
            "uid": object.metadata.uid,
            "resourceVersion": object.metadata.resource_version,
            "finalizers": finalizers,
            "annotations": { TENANT_ANNOTATION: tenant },
        }
    });
    api.patch(
        name,
        &PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() },
        &Patch::Merge(body),
    )
    .instrument(trace::kubernetes("finalizers"))
    .await
    .map_err(|source| Error::Kubernetes { what, source: Box::new(source) })
}

fn handle<'a, K>(client: &Client, object: &'a K) -> Result<(Api<K>, &'a str), Error>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
{
    let meta = object.meta();
    match (meta.namespace.as_deref(), meta.name.as_deref()) {
        (Some(namespace), Some(name)) => Ok((Api::namespaced(client.clone(), namespace), name)),
        _ => Err(Error::Anonymous),
    }
}
