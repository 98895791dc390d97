//! The watch of the Namespaces' metadata.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;

use crate::api::ALLOWED_CUSTOMERS_ANNOTATION;
use crate::plan::namespace::NamespaceRule;
use crate::reconcile::context::Context;
use crate::reconcile::error::refusal;
use crate::reconcile::wake;

/// Namespaces of one page of a list.
const PAGE_SIZE: u32 = 100;

/// How long passes wait for the first list. Then they go on without: what may be granted is not known, and says so.
const FIRST_LIST_MAX: Duration = Duration::from_secs(10);

/// Follows the Namespaces until the process ends. `is_complete` turns true once the first list is in.
pub(in crate::reconcile) async fn follow(client: Client, context: Arc<Context>, is_complete: watch::Sender<bool>) {
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
                    context.namespaces.unlisted(Some(format!("Namespaces cannot be listed: {}", refusal(source))));
                }
                tracing::warn!(kind = "Namespace", "the watch was interrupted and is taken up again: {error}");
            }
        }
    }
}

/// For whom a namespace may act, by its annotation.
pub(super) fn rule(namespace: &PartialObjectMeta<Namespace>) -> NamespaceRule {
    NamespaceRule::of(namespace.annotations().get(ALLOWED_CUSTOMERS_ANNOTATION).map(String::as_str))
}

/// Has everything looked at in a namespace whose rule has changed, and whoever contends with it.
pub(super) fn put(context: &Context, namespace: &str, rule: Option<&NamespaceRule>) {
    if !context.namespaces.note(namespace, rule) {
        return;
    }
    for name in context.customers.wake_in(namespace) {
        wake::others_of_customer(context, &name);
    }
    context.subscriptions.wake_in(namespace);
    for name in context.permissions.wake_in(namespace) {
        wake::others_of_permission(context, &name);
    }
}
