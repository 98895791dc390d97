//! For which customers each namespace may act: one watch of the Namespaces' metadata.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;

use super::context::Context;
use super::customer::Customer;
use super::permission::Permission;
use super::watch::Watched as _;
use crate::api::ALLOWED_CUSTOMERS_ANNOTATION;
use crate::plan::namespace::NamespaceRule;

/// Namespaces of one page of a list.
const PAGE_SIZE: u32 = 100;

/// The rules of all namespaces.
#[derive(Debug)]
pub(super) struct Namespaces {
    allow_all: bool,
    rules: Mutex<HashMap<String, NamespaceRule>>,
}

impl Namespaces {
    /// Nothing is known yet. `allow_all`: nor need it be.
    pub(super) fn new(allow_all: bool) -> Self {
        Self { allow_all, rules: Mutex::default() }
    }

    /// For whom a namespace may act.
    pub(super) fn rule(&self, namespace: &str) -> NamespaceRule {
        if self.allow_all {
            return NamespaceRule::All;
        }
        self.rules().get(namespace).cloned().unwrap_or(NamespaceRule::Unknown)
    }

    /// Notes the rule of a namespace, or that it is gone. Says whether that is a change.
    fn note(&self, namespace: &str, rule: Option<&NamespaceRule>) -> bool {
        let mut rules = self.rules();
        let before = match rule {
            Some(rule) => rules.insert(namespace.to_owned(), rule.clone()),
            None => rules.remove(namespace),
        };
        before.as_ref() != rule
    }

    fn rules(&self) -> MutexGuard<'_, HashMap<String, NamespaceRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the Namespaces until the process ends. `is_complete` turns true once the first list is in.
pub(super) async fn follow(client: Client, context: Arc<Context>, is_complete: watch::Sender<bool>) {
    if context.namespaces.allow_all {
        is_complete.send_replace(true);
        return;
    }
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
                let known: Vec<_> = context.namespaces.rules().keys().cloned().collect();
                for gone in known.iter().filter(|name| !listed.contains_key(*name)) {
                    put(&context, gone, None);
                }
                for (name, rule) in listed.drain() {
                    put(&context, &name, Some(&rule));
                }
                is_complete.send_replace(true);
            }
            Ok(watcher::Event::Apply(namespace)) => put(&context, &namespace.name_any(), Some(&rule(&namespace))),
            Ok(watcher::Event::Delete(namespace)) => put(&context, &namespace.name_any(), None),
            Err(error) => {
                tracing::warn!(kind = "Namespace", "the watch was interrupted and is taken up again: {error}");
            }
        }
    }
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
