//! The objects, and what becomes of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::Instant;

use csp_operator::api::{
    AzurePlanPolicy, AzureSubscription, AzureSubscriptionSpec, CostManagement, Customer, CustomerPurchasePermission,
    CustomerPurchasePermissionSpec, CustomerSpec, DeletionPolicy, DriftPolicy, Mode, NameRef, OnPrerequisiteLost,
    OwnerRole, PurchaseSwitch,
};
use csp_operator::plan::schedule::{self, Intervals};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ListParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::Failure;
use super::progress::say;

/// The namespace of all objects.
pub(crate) const NAMESPACE: &str = "fleet";

/// Requests under way at a time while the objects are made.
const PARALLEL: usize = 16;

/// Calls when it is an `AzureSubscription`'s turn: its customer, plans, Azure subscriptions, a token of the customer's
/// tenant, and the Owners.
const CALLS_PER_SUBSCRIPTION: usize = 5;

/// Creates a Customer, an `AzureSubscription` and a permission for each of the simulator's generated customers.
pub(crate) async fn create_all(client: &Client, count: u32) -> Result<(), Failure> {
    create(client, "Customers", (0..count).map(customer)).await?;
    create(client, "AzureSubscriptions", (0..count).map(subscription)).await?;
    create(client, "CustomerPurchasePermissions", (0..count).map(permission)).await
}

async fn create<K>(client: &Client, what: &str, objects: impl ExactSizeIterator<Item = K>) -> Result<(), Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
{
    say(&format!("creating {} {what}", objects.len()));
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let params = PostParams { field_manager: Some("fleet".to_owned()), ..PostParams::default() };
    let (api, params) = (&api, &params);
    stream::iter(objects)
        .map(|object| async move { api.create(params, &object).await })
        .buffer_unordered(PARALLEL)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(())
}

fn customer(number: u32) -> Customer {
    Customer::new(
        &name(number),
        CustomerSpec {
            tenant_id: id('c', number),
            cost_management: CostManagement::Unmanaged,
            azure_plan: AzurePlanPolicy::Verify,
            indirect_reseller: None,
        },
    )
}

fn subscription(number: u32) -> AzureSubscription {
    let spec = AzureSubscriptionSpec {
        customer_ref: NameRef { name: name(number) },
        subscription_id: id('a', number),
        owner_role: OwnerRole::Verify,
        owners: Vec::new(),
    };
    AzureSubscription::new(&name(number), spec)
}

fn permission(number: u32) -> CustomerPurchasePermission {
    let spec = CustomerPurchasePermissionSpec {
        customer_ref: NameRef { name: name(number) },
        azure_reservations: PurchaseSwitch::Allow,
        azure_savings_plans: PurchaseSwitch::Allow,
        azure_subscription_refs: vec![NameRef { name: name(number) }],
        accept_billing_responsibility: true,
        mode: Mode::Enforce,
        drift_policy: DriftPolicy::Correct,
        on_prerequisite_lost: OnPrerequisiteLost::Keep,
        valid_until: None,
        deletion_policy: DeletionPolicy::Revoke,
    };
    CustomerPurchasePermission::new(&name(number), spec)
}

fn name(number: u32) -> String {
    format!("customer-{number:05}")
}

/// The simulator's id of the generated customer of this number, or of what is its.
fn id(kind: char, number: u32) -> String {
    format!("{kind}0000000-0000-4000-8000-{number:012x}")
}

/// How far the permissions have come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// Are `Ready`.
    pub(crate) ready: usize,
    /// Tell of an activity record.
    pub(crate) recorded: usize,
    /// When either number last changed.
    pub(crate) changed: Option<Instant>,
}

/// Follows the permissions until the receiver is dropped.
pub(crate) async fn follow(client: Client, standing: watch::Sender<Standing>) {
    let api: Api<CustomerPurchasePermission> = Api::namespaced(client, NAMESPACE);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    let mut seen = HashMap::new();
    while let Some(event) = events.next().await {
        // The watch takes itself up again.
        let Ok(object) = event else { continue };
        let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let now = (is_true(conditions, "Ready"), is_true(conditions, "ActivityRecorded"));
        let before = seen.insert(object.name_any(), now).unwrap_or_default();
        standing.send_if_modified(|standing| {
            count(&mut standing.ready, before.0, now.0);
            count(&mut standing.recorded, before.1, now.1);
            if before != now {
                standing.changed = Some(Instant::now());
            }
            before != now
        });
        if standing.is_closed() {
            return;
        }
    }
}

fn count(number: &mut usize, before: bool, now: bool) {
    *number = *number + usize::from(now) - usize::from(before);
}

fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}

/// Customers and `AzureSubscription`s that are not `Ready`.
pub(crate) async fn unready_prerequisites(client: &Client) -> Result<usize, Failure> {
    let (customers, subscriptions): (Vec<Customer>, Vec<AzureSubscription>) =
        (list(client).await?, list(client).await?);
    let customers = customers.into_iter().map(|object| object.status.unwrap_or_default().conditions);
    let subscriptions = subscriptions.into_iter().map(|object| object.status.unwrap_or_default().conditions);
    Ok(customers.chain(subscriptions).filter(|conditions| !is_true(conditions, "Ready")).count())
}

/// The calls that the timetable has for a time in which nothing changes: every fact is read again once per interval.
pub(crate) async fn calls_by_timetable(
    client: &Client,
    intervals: Intervals,
    (from, to): (Timestamp, Timestamp),
) -> Result<usize, Failure> {
    let turns =
        |uids: Vec<String>, interval| uids.iter().filter(|uid| schedule::next_turn(uid, interval, from) <= to).count();
    let customers = turns(uids::<Customer>(client).await?, intervals.prerequisites);
    let subscriptions = turns(uids::<AzureSubscription>(client).await?, intervals.prerequisites);
    let permissions = turns(uids::<CustomerPurchasePermission>(client).await?, intervals.resync);
    Ok(customers + subscriptions * CALLS_PER_SUBSCRIPTION + permissions)
}

async fn uids<K>(client: &Client) -> Result<Vec<String>, Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
{
    Ok(list::<K>(client).await?.iter().filter_map(|object| object.meta().uid.clone()).collect())
}

async fn list<K>(client: &Client) -> Result<Vec<K>, Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
{
    Ok(Api::namespaced(client.clone(), NAMESPACE).list(&ListParams::default()).await?.items)
}

/// Events by the kind they are about.
pub(crate) async fn events_by_kind(client: &Client) -> Result<BTreeMap<String, u64>, Failure> {
    let events = Api::<Event>::namespaced(client.clone(), NAMESPACE).list(&ListParams::default()).await?;
    let mut counts = BTreeMap::new();
    for kind in events.items.into_iter().filter_map(|event| event.regarding?.kind) {
        *counts.entry(kind).or_default() += 1;
    }
    Ok(counts)
}
