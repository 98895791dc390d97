//! Gauges of what customers have bought, over all Customers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::api::{Purchase, PurchaseKind, PurchasedBy};
use crate::plan::customer::purchases::{EXPIRY_NOTICES_DAYS, days_left};

/// Purchases by kind and buyer, and those that end soon. Copies count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Purchases {
    known: Family<Labels, Gauge>,
    expiring: Family<ExpiryLabels, Gauge>,
    /// What each Customer shows, by its UID.
    shown: Arc<Mutex<HashMap<String, Tally>>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    known: BTreeMap<Labels, i64>,
    expiring: BTreeMap<ExpiryLabels, i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct Labels {
    kind: &'static str,
    purchased_by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ExpiryLabels {
    kind: &'static str,
    within_days: i32,
}

impl Purchases {
    pub(super) fn register(&self, registry: &mut Registry) {
        // Nothing bought is 0, not nothing: an alert on one more needs to have seen none before.
        for kind in [kind(PurchaseKind::Reservation), kind(PurchaseKind::SavingsPlan)] {
            for by in [PurchasedBy::Customer, PurchasedBy::Partner, PurchasedBy::Unknown] {
                drop(self.known.get_or_create(&Labels { kind, purchased_by: buyer(by) }));
            }
            for within_days in EXPIRY_NOTICES_DAYS {
                drop(self.expiring.get_or_create(&ExpiryLabels { kind, within_days }));
            }
        }
        registry.register(
            "purchases",
            "Reservations and savings plans that the Customers show, by kind and by who bought them as far as that is known. \
             One more: the events ReservationPurchased and SavingsPlanPurchased, and kubectl csp purchases -A, say what it \
             is, docs/runbook.md#cspoperatorpurchase",
            self.known.clone(),
        );
        registry.register(
            "purchases_expiring",
            "Reservations and savings plans that end within so many days, each counted in every window it falls into. \
             Customers cannot renew them: docs/runbook.md#cspoperatorpurchaseexpiring",
            self.expiring.clone(),
        );
    }

    /// Notes what a Customer shows now.
    pub(super) fn show(&self, uid: &str, purchases: &[Purchase], now: Timestamp) {
        let mut tally = Tally::default();
        for purchase in purchases {
            let kind = kind(purchase.kind);
            *tally.known.entry(Labels { kind, purchased_by: buyer(purchase.purchased_by) }).or_default() += 1;
            let left = days_left(purchase, now);
            for within_days in EXPIRY_NOTICES_DAYS.into_iter().filter(|days| left.is_some_and(|left| left <= *days)) {
                *tally.expiring.entry(ExpiryLabels { kind, within_days }).or_default() += 1;
            }
        }
        self.replace(uid, tally);
    }

    /// Notes that a Customer is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.replace(uid, Tally::default());
    }

    fn replace(&self, uid: &str, after: Tally) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shown.remove(uid).unwrap_or_default();
        for (labels, count) in &before.known {
            self.known.get_or_create(labels).dec_by(*count);
        }
        for (labels, count) in &before.expiring {
            self.expiring.get_or_create(labels).dec_by(*count);
        }
        for (labels, count) in &after.known {
            self.known.get_or_create(labels).inc_by(*count);
        }
        for (labels, count) in &after.expiring {
            self.expiring.get_or_create(labels).inc_by(*count);
        }
        if after != Tally::default() {
            shown.insert(uid.to_owned(), after);
        }
    }
}

fn kind(kind: PurchaseKind) -> &'static str {
    match kind {
        PurchaseKind::Reservation => "reservation",
        PurchaseKind::SavingsPlan => "savings_plan",
        PurchaseKind::Unknown => "other",
    }
}

fn buyer(by: PurchasedBy) -> &'static str {
    match by {
        PurchasedBy::Customer => "customer",
        PurchasedBy::Partner => "partner",
        PurchasedBy::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::customer::purchases::test_purchase;

    #[test]
    fn each_customer_counts_once_and_no_more_when_it_is_gone() {
        let metrics = Purchases::default();
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let soon = test_purchase("2025-03-08T08:00:00Z", "2026-03-08T08:00:00Z");
        let late = test_purchase("2026-03-01T08:00:00Z", "2027-03-01T08:00:00Z");
        let known = |metrics: &Purchases| {
            metrics.known.get_or_create(&Labels { kind: "reservation", purchased_by: "unknown" }).get()
        };
        let expiring = |metrics: &Purchases, within_days| {
            metrics.expiring.get_or_create(&ExpiryLabels { kind: "reservation", within_days }).get()
        };
        metrics.show("a", &[soon.clone(), late.clone()], now);
        metrics.show("a", &[soon, late.clone()], now);
        metrics.show("b", &[late], now);
        assert_eq!((known(&metrics), expiring(&metrics, 30), expiring(&metrics, 7)), (3, 1, 1));
        assert_eq!(expiring(&metrics, 1), 0);
        metrics.forget("a");
        assert_eq!((known(&metrics), expiring(&metrics, 30)), (1, 0));
    }
}
