//! What is remembered of buying Azure plans, outside of every custom resource: in a `ConfigMap` of the operator's own, one
//! entry for each tenant. An entry is never removed: there is one purchase per tenant, whatever is deleted or made anew.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::error::Error;
use super::reading::Reading;
use crate::api::FIELD_MANAGER;
use crate::model::{Fact, Ignorance, PlanPurchase, TenantId};

/// Kubernetes takes a little more than a mebibyte.
const BYTES_MAX: usize = 900_000;
/// What one entry can come to, with a refusal in it.
const ENTRY_BYTES_MAX: usize = 2_000;
/// Characters of the API server's refusal that are shown.
const REFUSAL_MAX: usize = 400;
/// How often it is tried to remember what came of a checkout; each pause is twice as long as the one before.
const SETTLE_TRIES: u32 = 5;
const SETTLE_PAUSE: Duration = Duration::from_millis(100);

/// The entries.
pub(super) struct Ledger {
    api: Api<ConfigMap>,
    namespace: String,
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
            namespace: namespace.to_owned(),
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

    /// Finds out whether an entry of the tenant could be written; none is. A cart that cannot be remembered would be made
    /// anew by every pass.
    pub(super) async fn check(&self, tenant: TenantId) -> Result<(), Error> {
        let _turn = self.writing.lock().await;
        let map = self.load().await?;
        // The API server takes a change for none where it would be none.
        self.put(tenant, map.as_ref(), "?".repeat(ENTRY_BYTES_MAX), true).await
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
        let found = entry(map.as_ref(), tenant)?;
        if found.as_ref() != before {
            return Err(Error::Outdated);
        }
        let unwritable = Error::Ledger { tenant, why: "cannot be written as JSON" };
        let text = serde_json::to_string(&after).map_err(|_| unwritable)?;
        let result = self.put(tenant, map.as_ref(), text, false).await;
        let record = match &result {
            Ok(()) => Some(after),
            // It was refused, and is as it was.
            Err(Error::RecordUnwritable { .. }) => found,
            Err(_) => return result,
        };
        self.known().insert(tenant, Reading::new(record, at));
        result
    }

    /// Writes a tenant's entry into what was read just now: of two that write at once, one is refused.
    async fn put(&self, tenant: TenantId, map: Option<&ConfigMap>, text: String, dry_run: bool) -> Result<(), Error> {
        let field_manager = Some(FIELD_MANAGER.to_owned());
        let key = tenant.to_string();
        let Some(map) = map else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let map = ConfigMap { metadata, data: Some([(key, text)].into()), ..ConfigMap::default() };
            let created = self.api.create(&PostParams { dry_run, field_manager }, &map).await;
            return created.map(drop).map_err(|source| self.failed(source));
        };
        let held = || map.data.iter().flatten();
        let bytes: usize = held().map(|(key, value)| key.len() + value.len()).sum();
        // What came of a purchase that is there already always finds room.
        if bytes > BYTES_MAX && held().all(|(tenant, _)| *tenant != key) {
            let why = "it is full; remove the entries of tenants that are no customers any more";
            return Err(self.unwritable(why.to_owned()));
        }
        let version = &map.metadata.resource_version;
        let body = json!({ "metadata": { "resourceVersion": version }, "data": { key: text } });
        let params = PatchParams { dry_run, field_manager, ..PatchParams::default() };
        let patched = self.api.patch(&self.name, &params, &Patch::Merge(body)).await;
        patched.map(drop).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: kube::Error) -> Error {
        match &source {
            kube::Error::Api(status) if status.is_conflict() || status.is_already_exists() => Error::Outdated,
            // Forbidden, over a quota, immutable, too large, or denied by a webhook: it would be refused again.
            kube::Error::Api(status) if matches!(status.code, 400 | 403 | 413 | 422) => {
                self.unwritable(status.message.chars().take(REFUSAL_MAX).collect())
            }
            _ => Error::Kubernetes { what: "remember the purchase of an Azure plan", source: Box::new(source) },
        }
    }

    fn unwritable(&self, why: String) -> Error {
        Error::RecordUnwritable { map: format!("{}/{}", self.namespace, self.name), why }
    }

    /// Remembers what came of the checkout that `sent` tells of. The answer comes once, and is lost if it is not written: so
    /// that is tried a few times, as long as `sent` is the tenant's entry.
    pub(super) async fn settle(&self, tenant: TenantId, sent: &PlanPurchase, after: PlanPurchase) -> Result<(), Error> {
        let mut pause = SETTLE_PAUSE;
        for _ in 1..SETTLE_TRIES {
            match self.write(tenant, Some(sent), after.clone()).await {
                Err(Error::Outdated | Error::Kubernetes { .. } | Error::RecordUnwritable { .. }) => {}
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
    use axum::http::{Method, StatusCode, Uri};
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
        /// Every write is refused with this code.
        refuses: Option<u16>,
    }

    impl Server {
        fn ledger(&self) -> Ledger {
            let server = self.clone();
            let answer = move |method: Method, uri: Uri, body: Bytes| async move {
                // Others have their turn between a reading and the write that follows it.
                tokio::task::yield_now().await;
                server.answer(&method, uri.query().is_some_and(|query| query.contains("dryRun=All")), &body)
            };
            Ledger::new(Client::new(Router::new().fallback(answer), "csp"), "csp", "state")
        }

        fn answer(&self, method: &Method, is_dry_run: bool, body: &[u8]) -> Response {
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
                if let Some(code) = state.refuses {
                    return failed(code, "Refused");
                }
                if !is_dry_run {
                    state.version += 1;
                    state.data.extend(sent["data"].as_object().unwrap().clone());
                }
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

    #[tokio::test(start_paused = true)]
    async fn whether_it_can_be_written_is_found_out_without_writing() {
        use PurchaseStage::{Prepared, Sent};
        for (code, category) in [(403, "purchase_record"), (422, "purchase_record"), (500, "kubernetes")] {
            let server = Server::default();
            server.put(tenant(1), &record(Prepared));
            let (ledger, version) = (server.ledger(), server.0.lock().unwrap().version);
            for number in [1, 2] {
                ledger.check(tenant(number)).await.unwrap();
            }
            server.0.lock().unwrap().refuses = Some(code);
            assert_eq!(ledger.check(tenant(2)).await.unwrap_err().category(), category, "{code}");
            let failed = ledger.write(tenant(1), Some(&record(Prepared)), record(Sent)).await.unwrap_err();
            assert_eq!((failed.category(), failed.failure().is_some()), (category, code < 500), "{code}");
            // What was refused for certain is still what was read; else nobody knows.
            let is_known = ledger.record(tenant(1)).known() == Some(&Some(record(Prepared)));
            assert_eq!((is_known, server.0.lock().unwrap().version), (code < 500, version), "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_record_takes_no_new_tenant_and_tells_of_each_that_it_has_how_it_goes_on() {
        use PurchaseStage::{Bought, Prepared, Sent};
        let server = Server::default();
        server.put(tenant(1), &record(Sent));
        server.0.lock().unwrap().data.insert("others".to_owned(), "x".repeat(BYTES_MAX).into());
        let ledger = server.ledger();
        ledger.settle(tenant(1), &record(Sent), record(Bought)).await.unwrap();
        assert_eq!(server.stage(tenant(1)), Bought);
        assert_eq!(ledger.check(tenant(2)).await.unwrap_err().category(), "purchase_record");
        let full = ledger.write(tenant(2), None, record(Prepared)).await.unwrap_err();
        assert!(full.to_string().contains("csp/state-plans") && full.to_string().contains("it is full"), "{full}");
    }
}
