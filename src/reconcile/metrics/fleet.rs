//! How the objects stand, counted when somebody looks: in the watch's stores, never by the name of one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

use super::revokes::Revokes;
use crate::api::{AzureSubscription, Customer, CustomerPurchasePermission, SwitchState};
use crate::model::Switch;
use crate::plan::conditions::{ConditionType, find, is_true};

/// The objects that the watches show. Copies show the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Fleet {
    stores: Arc<Mutex<Option<Stores>>>,
    pub(super) revokes: Revokes,
}

/// Where the watches keep the objects.
#[derive(Debug)]
pub(in crate::reconcile) struct Stores {
    customers: Store<Customer>,
    subscriptions: Store<AzureSubscription>,
    permissions: Store<CustomerPurchasePermission>,
}

impl Stores {
    pub(in crate::reconcile) fn of(
        customers: &Store<Customer>,
        subscriptions: &Store<AzureSubscription>,
        permissions: &Store<CustomerPurchasePermission>,
    ) -> Self {
        Self { customers: customers.clone(), subscriptions: subscriptions.clone(), permissions: permissions.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Labels {
    kind: String,
    state: &'static str,
    /// Of `Ready`, which is one of those that the planner knows.
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SwitchLabel {
    switch: String,
}

impl Fleet {
    /// Shows these from now on.
    pub(super) fn show(&self, stores: Stores) {
        *self.stores.lock().unwrap_or_else(PoisonError::into_inner) = Some(stores);
    }

    fn count(&self) -> (BTreeMap<Labels, i64>, [i64; Switch::ALL.len()]) {
        let mut by_state = BTreeMap::new();
        let mut on = [0; Switch::ALL.len()];
        // No state at all would be no series, and no telling whether nothing is new or nobody looks.
        for kind in [Customer::kind(&()), AzureSubscription::kind(&()), CustomerPurchasePermission::kind(&())] {
            by_state.insert(Labels { kind: kind.into_owned(), state: "new", reason: String::from("NotRead") }, 0);
        }
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stores) = stores.as_ref() else { return (by_state, on) };
        let mut add = |kind: &str, conditions: &[Condition]| {
            *by_state.entry(labels(kind, conditions)).or_default() += 1;
        };
        for object in stores.customers.state() {
            let conditions = object.status.as_ref().map(|status| status.conditions.as_slice());
            add(&Customer::kind(&()), conditions.unwrap_or_default());
        }
        for object in stores.subscriptions.state() {
            let conditions = object.status.as_ref().map(|status| status.conditions.as_slice());
            add(&AzureSubscription::kind(&()), conditions.unwrap_or_default());
        }
        for object in stores.permissions.state() {
            let status = object.status.as_ref();
            add(
                &CustomerPurchasePermission::kind(&()),
                status.map(|status| status.conditions.as_slice()).unwrap_or_default(),
            );
            let effective = status.and_then(|status| status.effective.as_ref());
            for (switch, count) in Switch::ALL.into_iter().zip(&mut on) {
                let shown = effective.and_then(|effective| match switch {
                    Switch::Reservations => effective.azure_reservations.as_ref(),
                    Switch::SavingsPlans => effective.azure_savings_plans.as_ref(),
                });
                *count += i64::from(shown.is_some_and(|shown| shown.state == SwitchState::Allow));
            }
        }
        (by_state, on)
    }
}

/// How one object stands.
fn labels(kind: &str, conditions: &[Condition]) -> Labels {
    let ready = find(conditions, ConditionType::Ready);
    let reason = ready.map_or("NotRead", |ready| &ready.reason);
    let state = match reason {
        _ if ready.is_none() => "new",
        "Suspended" => "suspended",
        _ if is_true(conditions, ConditionType::Ready) => "ready",
        _ if is_true(conditions, ConditionType::Stalled) => "stalled",
        _ if is_true(conditions, ConditionType::Reconciling) => "reconciling",
        // Neither under way nor waiting for anybody: what driftPolicy leaves as it is.
        _ => "drifted",
    };
    Labels { kind: kind.to_owned(), state, reason: reason.to_owned() }
}

impl Collector for Fleet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (by_state, on) = self.count();
        let objects = Family::<Labels, Gauge>::default();
        for (labels, count) in &by_state {
            objects.get_or_create(labels).set(*count);
        }
        let described = encoder.encode_descriptor(
            "objects",
            "Objects of each kind by how they stand, with the reason of their condition Ready. state is ready, reconciling \
             (goes on by itself), stalled (a person must act), drifted (left so by driftPolicy), suspended or new (not \
             looked at yet). Each reason has a section in docs/runbook.md",
            None,
            MetricType::Gauge,
        )?;
        objects.encode(described)?;

        let switches = Family::<SwitchLabel, Gauge>::default();
        for (switch, count) in Switch::ALL.into_iter().zip(on) {
            switches.get_or_create(&SwitchLabel { switch: switch.to_string() }).set(count);
        }
        let described = encoder.encode_descriptor(
            "permissions_on",
            "Permissions whose customer may buy now, by switch, as their status shows. A jump that nobody expects: look what \
             was merged, docs/operations.md#too-much-was-permitted",
            None,
            MetricType::Gauge,
        )?;
        switches.encode(described)?;

        let (due, oldest_seconds) = self.revokes.waiting(Instant::now());
        let described = encoder.encode_descriptor(
            "revokes_due",
            "Permissions of which a switch is to be turned off and is not yet. They go first; some for minutes: \
             docs/runbook.md#cspoperatorrevokestuck",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(i64::try_from(due).unwrap_or(i64::MAX)).encode(described)?;
        let described = encoder.encode_descriptor(
            "revoke_due_oldest_age_seconds",
            "For how many seconds the oldest revoke has been due, as this process has seen it; 0 while none is. More than \
             300: a customer may still buy what it is not to, docs/runbook.md#cspoperatorrevokestuck",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(oldest_seconds).encode(described)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        serde_json::from_value(serde_json::json!({
            "type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-03-01T08:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn an_object_stands_as_its_three_conditions_say() {
        for (ready, reason, reconciling, stalled, expected) in [
            ("True", "InSync", "False", "False", "ready"),
            ("False", "PendingWrite", "True", "False", "reconciling"),
            ("False", "Conflict", "False", "True", "stalled"),
            ("False", "Drifted", "False", "False", "drifted"),
            ("True", "Suspended", "False", "False", "suspended"),
        ] {
            let conditions = [
                condition("Ready", ready, reason),
                condition("Reconciling", reconciling, reason),
                condition("Stalled", stalled, reason),
            ];
            let labels = labels("Customer", &conditions);
            assert_eq!((labels.state, labels.reason.as_str()), (expected, reason));
        }
        assert_eq!(labels("Customer", &[]).state, "new");
    }

    #[test]
    fn every_kind_is_shown_before_anything_is_known() {
        let (by_state, on) = Fleet::default().count();
        assert_eq!(by_state.keys().map(|labels| labels.state).collect::<Vec<_>>(), ["new"; 3]);
        assert_eq!((by_state.values().sum::<i64>(), on), (0, [0, 0]));
    }
}
