//! For which customers each namespace may act: one watch of the Namespaces' metadata.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;

use super::context::Context;
use super::customer::Customer;
use super::error::{Error, refusal};
use super::permission::Permission;
use super::watch::Watched as _;
use crate::api::ALLOWED_CUSTOMERS_ANNOTATION;
use crate::model::TenantId;
use crate::plan::CustomerRef;
use crate::plan::namespace::NamespaceRule;

/// Namespaces of one page of a list.
const PAGE_SIZE: u32 = 100;

/// How long passes wait for the first list. Then they go on without: what may be granted is not known, and says so.
const FIRST_LIST_MAX: Duration = Duration::from_secs(10);

/// The rules of all namespaces.
#[derive(Debug)]
pub(super) struct Namespaces {
    allow_all: bool,
    state: Mutex<State>,
    /// Whether passes need not wait any more.
    is_settled: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    rules: HashMap<String, NamespaceRule>,
    /// Namespaces whose rule was asked for and not known: their objects are to be looked at again.
    asked_in_vain: HashSet<String>,
    /// Why there is no list, where the API server refuses it.
    why_unlisted: Option<String>,
}

impl Namespaces {
    /// Nothing is known yet. `allow_all`: nor need it be.
    pub(super) fn new(allow_all: bool) -> Self {
        Self { allow_all, state: Mutex::default(), is_settled: watch::Sender::new(allow_all) }
    }

    /// Waits until all rules are known, or for so long that it is not waited for any more.
    pub(super) async fn settled(&self) {
        // The sender lives as long as this.
        let _ = self.is_settled.subscribe().wait_for(|is_settled| *is_settled).await;
    }

    /// Lets nobody wait any more.
    pub(super) fn stop_waiting(&self) {
        self.is_settled.send_replace(true);
    }

    /// For whom a namespace may act.
    pub(super) fn rule(&self, namespace: &str) -> NamespaceRule {
        if self.allow_all {
            return NamespaceRule::All;
        }
        let mut state = self.state();
        if let Some(rule) = state.rules.get(namespace) {
            return rule.clone();
        }
        if !state.asked_in_vain.contains(namespace) {
            state.asked_in_vain.insert(namespace.to_owned());
        }
        NamespaceRule::Unknown { why: state.why_unlisted.clone() }
    }

    /// Notes the rule of a namespace, or that it is gone. Says whether that is news to anybody.
    fn note(&self, namespace: &str, rule: Option<&NamespaceRule>) -> bool {
        let mut state = self.state();
        let was_asked = state.asked_in_vain.remove(namespace);
        let before = match rule {
            Some(rule) => state.rules.insert(namespace.to_owned(), rule.clone()),
            None => state.rules.remove(namespace),
        };
        before.as_ref() != rule && (before.is_some() || was_asked)
    }

    fn known(&self) -> Vec<String> {
        self.state().rules.keys().cloned().collect()
    }

    fn unlisted(&self, why: Option<String>) {
        self.state().why_unlisted = why;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the Namespaces until the process ends. `is_complete` turns true once the first list is in.
pub(super) async fn follow(client: Client, context: Arc<Context>, is_complete: watch::Sender<bool>) {
    if context.namespaces.allow_all {
        is_complete.send_replace(true);
        return;
    }
    let give_up_waiting = async {
        tokio::time::sleep(FIRST_LIST_MAX).await;
        if !*is_complete.borrow() {
            tracing::warn!("there is no list of Namespaces, so nothing is granted; revokes go on");
        }
        context.namespaces.stop_waiting();
    };
    futures::join!(keep_up(client, &context, &is_complete), give_up_waiting);
}

async fn keep_up(client: Client, context: &Context, is_complete: &watch::Sender<bool>) {
    let config = watcher::Config::default().page_size(PAGE_SIZE);
    let stream = watcher(Api::<PartialObjectMeta<Namespace>>::all(client), config).default_backoff();
    let mut listed = HashMap::new();
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(namespace)) => {
                listed.insert(namespace.name_any(), rule(&namespace));
            }
            Ok(watcher::Event::InitDone) => {
                context.namespaces.unlisted(None);
                for gone in context.namespaces.known().iter().filter(|name| !listed.contains_key(*name)) {
                    put(context, gone, None);
                }
                for (name, rule) in listed.drain() {
                    put(context, &name, Some(&rule));
                }
                context.namespaces.stop_waiting();
                is_complete.send_replace(true);
            }
            Ok(watcher::Event::Apply(namespace)) => put(context, &namespace.name_any(), Some(&rule(&namespace))),
            Ok(watcher::Event::Delete(namespace)) => put(context, &namespace.name_any(), None),
            Err(error) => {
                if let watcher::Error::InitialListFailed(source) = &error {
                    context.namespaces.unlisted(Some(refusal(source)));
                }
                tracing::warn!(kind = "Namespace", "the watch was interrupted and is taken up again: {error}");
            }
        }
    }
}

/// Asks the API server whether a namespace may still act for a tenant: the watch may stall, and what a cluster admin has
/// taken back meanwhile must not go out. A revoke does not wait for this.
pub(super) async fn make_sure(context: &Context, namespace: &str, tenant: TenantId) -> Result<(), Error> {
    if context.namespaces.allow_all {
        return Ok(());
    }
    let found = read(&context.client, namespace).await?;
    let verdict = judge(found.as_ref(), namespace, tenant);
    if let Err(Error::NamespaceNotAllowed { .. }) = verdict {
        // The next pass is to know, also while the watch does not.
        put(context, namespace, found.as_ref().map(rule).as_ref());
    }
    verdict
}

async fn read(client: &Client, namespace: &str) -> Result<Option<PartialObjectMeta<Namespace>>, Error> {
    let failed = |source| Error::NamespaceUnreadable { namespace: namespace.to_owned(), source: Box::new(source) };
    Api::<Namespace>::all(client.clone()).get_metadata_opt(namespace).await.map_err(failed)
}

/// Whether a namespace as it is now may act for a tenant. What is being deleted keeps what it has until its objects go, and
/// gets nothing new.
fn judge(found: Option<&PartialObjectMeta<Namespace>>, namespace: &str, tenant: TenantId) -> Result<(), Error> {
    if found.is_some_and(|found| found.metadata.deletion_timestamp.is_some()) {
        return Err(Error::NamespaceTerminating(namespace.to_owned()));
    }
    let is_allowed = found.is_some_and(|found| rule(found).refer(namespace, tenant) == CustomerRef::Found(tenant));
    if is_allowed { Ok(()) } else { Err(Error::NamespaceNotAllowed { namespace: namespace.to_owned(), tenant }) }
}

fn rule(namespace: &PartialObjectMeta<Namespace>) -> NamespaceRule {
    NamespaceRule::of(namespace.annotations().get(ALLOWED_CUSTOMERS_ANNOTATION).map(String::as_str))
}

/// Has everything looked at in a namespace whose rule has changed, and whoever contends with it.
fn put(context: &Context, namespace: &str, rule: Option<&NamespaceRule>) {
    if !context.namespaces.note(namespace, rule) {
        return;
    }
    for name in context.customers.wake_in(namespace) {
        Customer::wake_others(context, &name);
    }
    context.subscriptions.wake_in(namespace);
    for name in context.permissions.wake_in(namespace) {
        Permission::wake_others(context, &name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TENANT: &str = "10000000-0000-4000-8000-000000000001";

    #[test]
    fn only_a_namespace_that_is_there_to_stay_and_lists_the_customer_may_act_for_it() {
        let tenant = TENANT.parse().unwrap();
        let other = "10000000-0000-4000-8000-000000000002";
        for (annotations, deleted, expected) in [
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: TENANT }), None, "ok"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: "*" }), None, "ok"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: other }), None, "conflict"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: "" }), None, "conflict"),
            (json!(null), None, "conflict"),
            (json!({ ALLOWED_CUSTOMERS_ANNOTATION: "*" }), Some("2026-03-02T08:00:00Z"), "namespace_terminating"),
            (json!(null), Some("2026-03-02T08:00:00Z"), "namespace_terminating"),
        ] {
            let metadata = json!({ "name": "ns", "annotations": annotations, "deletionTimestamp": deleted });
            let found = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
            let verdict = judge(Some(&found), "ns", tenant);
            assert_eq!(verdict.as_ref().map_or_else(Error::category, |()| "ok"), expected, "{metadata}");
        }
        assert!(judge(None, "ns", tenant).is_err(), "it is gone");
    }

    #[test]
    fn who_has_asked_in_vain_is_told_and_nobody_else() {
        let namespaces = Namespaces::new(false);
        let all = NamespaceRule::All;
        assert!(!namespaces.note("quiet", Some(&all)), "nobody has looked yet");
        assert!(
            namespaces.note("quiet", Some(&NamespaceRule::of(None))),
            "whoever has looked since has seen the old one"
        );
        assert!(!namespaces.note("quiet", Some(&NamespaceRule::of(None))));
        namespaces.unlisted(Some("forbidden".to_owned()));
        assert_eq!(namespaces.rule("asked"), NamespaceRule::Unknown { why: Some("forbidden".to_owned()) });
        assert!(namespaces.note("asked", Some(&all)));
        assert_eq!(namespaces.rule("asked"), all);
        assert!(namespaces.note("asked", None));
    }
}
