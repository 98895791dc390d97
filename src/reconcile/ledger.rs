//! What is remembered of buying Azure plans, outside of every custom resource: in a `ConfigMap` of the operator's own, one
//! entry for each tenant. An entry is never removed: there is one purchase per tenant, whatever is deleted or made anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::error::{Error, is_conflict};
use super::reading::Reading;
use crate::api::FIELD_MANAGER;
use crate::model::{Fact, Ignorance, PlanPurchase, TenantId};

/// Kubernetes takes a little more than a mebibyte.
const BYTES_MAX: usize = 900_000;

/// The entries.
pub(super) struct Ledger {
    api: Api<ConfigMap>,
    name: String,
    known: Mutex<HashMap<TenantId, Reading<Option<PlanPurchase>>>>,
}

/// What an entry's failure to be read means to the planner.
pub(super) fn why(error: &Error) -> Ignorance {
    let message = format!("What is remembered of a purchase cannot be read, and nothing is bought meanwhile: {error}.");
    Ignorance::Failed { reason: "PurchaseRecordUnreadable", message, last_read: None }
}

impl Ledger {
    /// Beside the `ConfigMap` called `state`.
    pub(super) fn new(client: Client, namespace: &str, state: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: format!("{state}-plans"), known: Mutex::default() }
    }

    /// What is known of a tenant's entry.
    pub(super) fn record(&self, tenant: TenantId) -> Fact<Option<PlanPurchase>> {
        match self.known().get(&tenant) {
            Some(reading) => Fact::Known { value: reading.value.clone(), at: reading.at() },
            None => Fact::NOT_READ,
        }
    }

    /// Reads a tenant's entry from the API server.
    pub(super) async fn read(&self, tenant: TenantId) -> Result<(), Error> {
        let at = Timestamp::now();
        self.known().remove(&tenant);
        let map = self.load().await?;
        let record = entry(map.as_ref(), tenant)?;
        self.known().insert(tenant, Reading::new(record, at));
        Ok(())
    }

    /// Replaces `before`, which must be the tenant's entry still, by `after`.
    pub(super) async fn write(
        &self,
        tenant: TenantId,
        before: Option<&PlanPurchase>,
        after: PlanPurchase,
    ) -> Result<(), Error> {
        let at = Timestamp::now();
        // Whatever becomes of it, what is remembered is unknown until it is written.
        self.known().remove(&tenant);
        let map = self.load().await?;
        if entry(map.as_ref(), tenant)?.as_ref() != before {
            return Err(Error::Outdated);
        }
        let unwritable = Error::Ledger { tenant, why: "cannot be written as JSON" };
        let text = serde_json::to_string(&after).map_err(|_| unwritable)?;
        let failed = |source: kube::Error| {
            if is_conflict(&source) || matches!(&source, kube::Error::Api(status) if status.is_already_exists()) {
                return Error::Outdated;
            }
            Error::Kubernetes { what: "remember the purchase of an Azure plan", source: Box::new(source) }
        };
        let data = BTreeMap::from([(tenant.to_string(), text)]);
        if let Some(map) = map {
            let bytes: usize = map.data.iter().flatten().map(|(key, value)| key.len() + value.len()).sum();
            if bytes > BYTES_MAX {
                return Err(Error::Ledger { tenant, why: "does not fit into the ConfigMap of purchases any more" });
            }
            // Bound to what was read just now: of two that write at once, one is refused.
            let body = json!({ "metadata": { "resourceVersion": map.metadata.resource_version }, "data": data });
            let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            self.api.patch(&self.name, &params, &Patch::Merge(body)).await.map_err(failed)?;
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
            let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            self.api.create(&params, &map).await.map_err(failed)?;
        }
        self.known().insert(tenant, Reading::new(Some(after), at));
        Ok(())
    }

    /// Forgets what was read of tenants that no object means any more; the entries stay.
    pub(super) fn prune(&self, is_meant: impl Fn(TenantId) -> bool) {
        self.known().retain(|tenant, _| is_meant(*tenant));
    }

    async fn load(&self) -> Result<Option<ConfigMap>, Error> {
        let what = "read what is remembered of purchases of Azure plans";
        self.api.get_opt(&self.name).await.map_err(|source| Error::Kubernetes { what, source: Box::new(source) })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TenantId, Reading<Option<PlanPurchase>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A tenant's entry. What is not understood may have been a purchase.
fn entry(map: Option<&ConfigMap>, tenant: TenantId) -> Result<Option<PlanPurchase>, Error> {
    let text = map.and_then(|map| map.data.as_ref()?.get(&tenant.to_string()));
    let unreadable = Error::Ledger { tenant, why: "cannot be understood" };
    text.map(|text| serde_json::from_str(text)).transpose().map_err(|_| unreadable)
}
