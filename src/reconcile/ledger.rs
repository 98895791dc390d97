//! What is remembered of buying Azure plans, outside of every custom resource: in a `ConfigMap` of the operator's own, one
//! entry for each tenant. An entry is never removed: there is one purchase per tenant, whatever is deleted or made anew.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
/// How often it is tried to remember what came of a checkout; each pause is twice as long as the one before.
const SETTLE_TRIES: u32 = 5;
const SETTLE_PAUSE: Duration = Duration::from_millis(100);

/// The entries.
pub(super) struct Ledger {
    api: Api<ConfigMap>,
    name: String,
    known: Mutex<HashMap<TenantId, Reading<Option<PlanPurchase>>>>,
    /// All tenants share one `ConfigMap`: of two that write at once, one would be refused.
    writing: tokio::sync::Mutex<()>,
}

/// What an entry's failure to be read means to the planner.
pub(super) fn why(error: &Error) -> Ignorance {
    let message = format!("What is remembered of a purchase cannot be read, and nothing is bought meanwhile: {error}.");
    Ignorance::Failed { reason: "PurchaseRecordUnreadable", message, last_read: None }
}

impl Ledger {
    /// Beside the `ConfigMap` called `state`.
    pub(super) fn new(client: Client, namespace: &str, state: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: format!("{state}-plans"),
            known: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        }
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
        let _turn = self.writing.lock().await;
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

    /// Remembers what came of the checkout that `sent` tells of. The answer comes once, and is lost if it is not written: so
    /// that is tried a few times, as long as `sent` is the tenant's entry.
    pub(super) async fn settle(&self, tenant: TenantId, sent: &PlanPurchase, after: PlanPurchase) -> Result<(), Error> {
        let mut pause = SETTLE_PAUSE;
        for _ in 1..SETTLE_TRIES {
            match self.write(tenant, Some(sent), after.clone()).await {
                Err(Error::Outdated | Error::Kubernetes { .. }) => {}
                settled => return settled,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            // An answer to the write may have been lost, or somebody else may have changed the entry.
            if self.read(tenant).await.is_ok()
                && let Some(record) = self.record(tenant).known().cloned().flatten()
                && record != *sent
            {
                return if record == after { Ok(()) } else { Err(Error::Outdated) };
            }
        }
        self.write(tenant, Some(sent), after).await
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Bytes;
    use axum::http::{Method, StatusCode};
    use axum::response::{IntoResponse as _, Response};
    use futures::future::join_all;
    use serde_json::Value;

    use super::*;
    use crate::model::PurchaseStage;

    /// An API server with one `ConfigMap`.
    #[derive(Clone, Default)]
    struct Server(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        data: serde_json::Map<String, Value>,
        version: u64,
        /// So many writes are still refused, because somebody else has written meanwhile.
        conflicts: u32,
        /// The next write is done, and its answer lost.
        loses_answer: bool,
    }

    impl Server {
        fn ledger(&self) -> Ledger {
            let server = self.clone();
            let answer = move |method: Method, body: Bytes| async move {
                // Others have their turn between a reading and the write that follows it.
                tokio::task::yield_now().await;
                server.answer(&method, &body)
            };
            Ledger::new(Client::new(Router::new().fallback(answer), "csp"), "csp", "state")
        }

        fn answer(&self, method: &Method, body: &[u8]) -> Response {
            let failed = |code: u16, reason| {
                let status = json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason });
                (StatusCode::from_u16(code).unwrap(), axum::Json(status)).into_response()
            };
            let mut state = self.0.lock().unwrap();
            if *method != Method::GET {
                let sent: Value = serde_json::from_slice(body).unwrap();
                state.version += u64::from(state.conflicts > 0);
                state.conflicts = state.conflicts.saturating_sub(1);
                if sent["metadata"]["resourceVersion"].as_str() != Some(state.version.to_string().as_str()) {
                    return failed(409, "Conflict");
                }
                state.version += 1;
                state.data.extend(sent["data"].as_object().unwrap().clone());
                if std::mem::take(&mut state.loses_answer) {
                    return failed(500, "InternalError");
                }
            }
            let metadata = json!({ "name": "state-plans", "resourceVersion": state.version.to_string() });
            axum::Json(json!({ "metadata": metadata, "data": state.data })).into_response()
        }

        fn put(&self, tenant: TenantId, record: &PlanPurchase) {
            let mut state = self.0.lock().unwrap();
            state.version += 1;
            state.data.insert(tenant.to_string(), serde_json::to_string(record).unwrap().into());
        }

        fn stage(&self, tenant: TenantId) -> PurchaseStage {
            let text = self.0.lock().unwrap().data[&tenant.to_string()].as_str().unwrap().to_owned();
            serde_json::from_str::<PlanPurchase>(&text).unwrap().stage
        }
    }

    fn tenant(number: u32) -> TenantId {
        format!("c1a0c1a0-1111-4a11-8a11-{number:012}").parse().unwrap()
    }

    fn record(stage: PurchaseStage) -> PlanPurchase {
        let at = "2026-03-02T08:00:00Z".parse().unwrap();
        PlanPurchase { cart: "cart-1".parse().unwrap(), reseller: None, at, stage, refusal: None }
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_write_at_once_wait_for_each_other() {
        let server = Server::default();
        let ledger = server.ledger();
        let write = |number| ledger.write(tenant(number), None, record(PurchaseStage::Prepared));
        for result in join_all((0..16).map(write)).await {
            result.unwrap();
        }
        assert_eq!(server.0.lock().unwrap().data.len(), 16);
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_of_a_checkout_is_remembered_although_others_write() {
        use PurchaseStage::{Bought, Prepared, Sent};
        for (found, conflicts, loses_answer, is_remembered, stage) in [
            (Sent, 0, false, true, Bought),
            (Sent, 1, false, true, Bought),
            (Sent, SETTLE_TRIES - 1, false, true, Bought),
            (Sent, SETTLE_TRIES, false, false, Sent),
            (Sent, 0, true, true, Bought),
            // Somebody has changed it by hand.
            (Prepared, 0, false, false, Prepared),
        ] {
            let server = Server::default();
            server.put(tenant(1), &record(found));
            server.0.lock().unwrap().conflicts = conflicts;
            server.0.lock().unwrap().loses_answer = loses_answer;
            let settled = server.ledger().settle(tenant(1), &record(Sent), record(Bought)).await;
            let what = format!("{found:?} {conflicts} {loses_answer}: {settled:?}");
            assert_eq!((settled.is_ok(), server.stage(tenant(1))), (is_remembered, stage), "{what}");
        }
    }
}
