//! One watch per kind: it fills the store, keeps the index, and wakes whoever a change concerns.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::NamespaceResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, store};
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::context::Context;
use super::customer::Customer;
use super::driver::Kind;
use super::index::PermissionLinks;
use super::permission::Permission;
use super::references::named_tenant;
use super::subscription::Subscription;
use super::wake;
use crate::api::{self, AzureSubscription, CustomerPurchasePermission, RECONCILE_ANNOTATION, TENANT_ANNOTATION};
use crate::plan::ObjectName;
use crate::plan::conditions::{ConditionType, find};
use crate::plan::permission::Desired;

/// Objects of one page of a list. A page lies in memory twice, as text and decoded with all its managed fields, and the
/// allocator keeps what it once needed: with pages of 500, a restart over 1,000 permissions ends at 64 MB instead of 48.
const PAGE_SIZE: u32 = 100;

/// What those who refer to an object care about: more than this may change in it without anybody else being woken.
#[derive(Debug, PartialEq, Eq)]
struct Essence {
    uid: Option<String>,
    generation: Option<i64>,
    is_deleting: bool,
    ready: Option<(String, String)>,
    remembered: Option<String>,
    finalizers: Vec<String>,
    request: Option<String>,
}

impl Essence {
    fn of<K: Resource>(object: &K, conditions: &[Condition]) -> Self {
        let meta = object.meta();
        let annotation = |name| object.annotations().get(name).cloned();
        Self {
            uid: meta.uid.clone(),
            generation: meta.generation,
            is_deleting: meta.deletion_timestamp.is_some(),
            ready: find(conditions, ConditionType::Ready).map(|ready| (ready.status.clone(), ready.reason.clone())),
            remembered: annotation(TENANT_ANNOTATION),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            request: annotation(RECONCILE_ANNOTATION),
        }
    }
}

/// A kind whose objects others refer to.
pub(super) trait Watched: Kind {
    /// Keeps the index; `object` is `None` when it is gone.
    fn note(context: &Context, name: &ObjectName, object: Option<&Self::Object>);
    /// Wakes those who refer to the object, before or after it was noted.
    fn wake_others(context: &Context, name: &ObjectName);
}

impl Watched for Customer {
    fn note(context: &Context, name: &ObjectName, object: Option<&Self::Object>) {
        context.index().put_customer(name, object.and_then(named_tenant));
    }

    fn wake_others(context: &Context, name: &ObjectName) {
        wake::others_of_customer(context, name);
    }
}

impl Watched for Subscription {
    fn note(context: &Context, name: &ObjectName, object: Option<&AzureSubscription>) {
        let customer = object.map(|object| sibling(name, &object.spec.customer_ref.name));
        context.index().put_subscription(name, customer);
    }

    fn wake_others(context: &Context, name: &ObjectName) {
        wake::others_of_subscription(context, name);
    }
}

impl Watched for Permission {
    fn note(context: &Context, name: &ObjectName, object: Option<&CustomerPurchasePermission>) {
        let links = object.map_or_else(PermissionLinks::default, |object| PermissionLinks {
            customer: Some(sibling(name, &object.spec.customer_ref.name)),
            subscriptions: object.spec.azure_subscription_refs.iter().map(|one| sibling(name, &one.name)).collect(),
            // An annotation without the finalizer is no claim, and may name anybody.
            remembered: Desired::of(object).and_then(|desired| desired.claim()),
        });
        context.index().put_permission(name, links);
    }

    fn wake_others(context: &Context, name: &ObjectName) {
        wake::others_of_permission(context, name);
    }
}

fn sibling(name: &ObjectName, other: &str) -> ObjectName {
    ObjectName { namespace: name.namespace.clone(), name: other.to_owned() }
}

/// Follows one kind until the process ends. `is_complete` turns true once the first list is in.
pub(super) async fn follow<K: Watched>(
    api: Api<K::Object>,
    writer: store::Writer<K::Object>,
    context: Arc<Context>,
    is_complete: watch::Sender<bool>,
) where
    K::Object:
        DeserializeOwned + Clone + Debug + Send + Sync + Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    let stream = watcher(api, watcher::Config::default().page_size(PAGE_SIZE)).default_backoff().modify(|object| {
        // A third of every object, and nobody here reads it.
        object.managed_fields_mut().clear();
    });
    let mut known: HashMap<ObjectName, Essence> = HashMap::new();
    let mut listed: HashMap<ObjectName, Essence> = HashMap::new();
    let mut stream = std::pin::pin!(reflector::reflector(writer, stream));
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init) => listed.clear(),
            Ok(watcher::Event::InitApply(object)) => {
                if let Some(name) = name_of(&object) {
                    K::note(&context, &name, Some(&object));
                    listed.insert(name, essence::<K>(&object));
                }
            }
            Ok(watcher::Event::InitDone) => {
                // A new list may leave out what went while nobody watched.
                let lost = lost(&known, &listed);
                known = std::mem::take(&mut listed);
                for (name, uid) in &lost {
                    forget::<K>(&context, name, uid);
                    if !known.contains_key(name) {
                        K::wake_others(&context, name);
                        K::note(&context, name, None);
                    }
                }
                for name in known.keys() {
                    K::objects(&context).wake(name);
                    K::wake_others(&context, name);
                }
                is_complete.send_replace(true);
            }
            Ok(watcher::Event::Apply(object)) => {
                let Some(name) = name_of(&object) else { continue };
                let essence = essence::<K>(&object);
                let concerns_others = known.get(&name) != Some(&essence);
                if concerns_others {
                    K::wake_others(&context, &name);
                }
                K::note(&context, &name, Some(&object));
                if K::objects(&context).is_news(&object) {
                    // Its pass may wait already, less urgent than the object is by now.
                    K::slots(&context).hurry(&name, K::urgency(&object));
                    K::objects(&context).wake(&name);
                }
                if concerns_others {
                    K::wake_others(&context, &name);
                    known.insert(name, essence);
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                let Some(name) = name_of(&object) else { continue };
                forget::<K>(&context, &name, &object.uid().unwrap_or_default());
                known.remove(&name);
                K::wake_others(&context, &name);
                K::note(&context, &name, None);
            }
            Err(error) => {
                tracing::warn!(kind = %K::Object::kind(&()), "the watch was interrupted and is taken up again: {error}");
            }
        }
    }
}

/// Names and UIDs of what a new list shows no more, also where another object has its name by now.
fn lost(known: &HashMap<ObjectName, Essence>, listed: &HashMap<ObjectName, Essence>) -> Vec<(ObjectName, String)> {
    let is_lost = |(name, before): &(&ObjectName, &Essence)| listed.get(*name).is_none_or(|now| now.uid != before.uid);
    let lost = known.iter().filter(is_lost);
    lost.map(|(name, before)| (name.clone(), before.uid.clone().unwrap_or_default())).collect()
}

/// Forgets all that is kept of an object that is gone.
fn forget<K: Watched>(context: &Context, name: &ObjectName, uid: &str) {
    K::objects(context).forget(uid);
    context.backoff.forget(uid);
    context.metrics.forget(uid);
    context.permits.forget(uid, name, K::Object::kind(&()) == api::Customer::kind(&()));
}

fn name_of<K: Resource>(object: &K) -> Option<ObjectName> {
    let meta = object.meta();
    Some(ObjectName { namespace: meta.namespace.clone()?, name: meta.name.clone()? })
}

fn essence<K: Kind>(object: &K::Object) -> Essence {
    let conditions = K::status(object).map(K::conditions).unwrap_or_default();
    Essence::of(object, conditions)
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;

    use super::*;

    #[test]
    fn what_a_new_list_leaves_out_is_lost_also_when_its_name_is_taken() {
        let all = |objects: &[(&str, &str)]| {
            let one = |(name, uid): &(&str, &str)| {
                let metadata = ObjectMeta { uid: Some((*uid).to_owned()), ..ObjectMeta::default() };
                let mut object = api::Customer::new(name, serde_json::from_str(r#"{"tenantId":"t"}"#).unwrap());
                object.metadata = metadata;
                let name = ObjectName { namespace: "ns".into(), name: (*name).to_owned() };
                (name, Essence::of(&object, &[]))
            };
            objects.iter().map(one).collect::<HashMap<_, _>>()
        };
        let known = all(&[("stays", "1"), ("goes", "2"), ("is-made-anew", "3")]);
        let listed = all(&[("stays", "1"), ("is-made-anew", "4"), ("comes", "5")]);
        let mut lost: Vec<_> = lost(&known, &listed).into_iter().map(|(name, uid)| (name.name, uid)).collect();
        lost.sort();
        assert_eq!(lost, [("goes".to_owned(), "2".to_owned()), ("is-made-anew".to_owned(), "3".to_owned())]);
    }
}
