//! What the controllers count, for the person on call.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::purchase_metrics::Purchases;
use crate::api::Purchase;

/// From a pass that finds nothing to do to one that waits for throttled calls.
const BUCKETS: [f64; 8] = [0.001, 0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 120.0];

/// Counters of this process. Copies count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    passes: Family<PassLabels, Counter>,
    seconds: Family<KindLabel, Histogram, fn() -> Histogram>,
    drifts: Counter,
    abandoned: Counter,
    plans_purchased: Counter,
    events_lost: Counter,
    feed_trusted: Gauge,
    feed_failing: Gauge,
    denied: Family<ReasonLabel, Gauge>,
    purchases: Purchases,
    first_grants: Gauge,
    first_grants_max: Gauge,
    waiting_for_room: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassLabels {
    kind: String,
    /// `ok`, or the category of the error.
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            passes: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            drifts: Counter::default(),
            abandoned: Counter::default(),
            plans_purchased: Counter::default(),
            events_lost: Counter::default(),
            feed_trusted: Gauge::default(),
            feed_failing: Gauge::default(),
            denied: Family::default(),
            purchases: Purchases::default(),
            first_grants: Gauge::default(),
            first_grants_max: Gauge::default(),
            waiting_for_room: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Adds them all to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "reconcile_passes",
            "Passes over objects by kind and result. A result other than ok that keeps growing: its name is in the conditions of the objects concerned, the whole chain of causes in the log",
            self.passes.clone(),
        );
        registry.register_with_unit(
            "reconcile_pass_duration",
            "How long passes took. Slow ones wait for Partner Center or Azure",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "drifts",
            "Switches, and what customers see of their charges, found changed by somebody else. The events of the objects say who, as far as that is known; talk to them, or declare what they want",
            self.drifts.clone(),
        );
        registry.register(
            "permissions_abandoned",
            "Permissions released by annotation without a revoke. Look in Partner Center whether these customers may still buy",
            self.abandoned.clone(),
        );
        registry.register(
            "azure_plans_purchased",
            "Azure plans bought for customers without one. The events of the Customers say with which cart; a plan costs nothing by itself, what is used under it does",
            self.plans_purchased.clone(),
        );
        registry.register(
            "events_lost",
            "Kubernetes events that could not be created; the log has their text. In a namespace that is being deleted this is normal",
            self.events_lost.clone(),
        );
        registry.register(
            "activity_feed_trusted",
            "1 while the activity log shows this operator's own writes and is read without gaps. 0 for more than an hour: policies are read hourly instead, which costs calls; look for \"activity log\" in the log",
            self.feed_trusted.clone(),
        );
        registry.register(
            "activity_feed_failing",
            "1 while the activity log could not be read three times in a row. The category is in remote_requests, what to do in the log and in an event on the operator's Lease",
            self.feed_failing.clone(),
        );
        registry.register(
            "partner_denied",
            "1 while nothing is granted for a reason that concerns the partner as a whole, such as CredentialsInvalid or NotAdminAgent. What holds stays as it is; what to do is in an event on the operator's Lease",
            self.denied.clone(),
        );
        self.purchases.register(registry);
        registry.register(
            "first_grants_within_hour",
            "First grants that count against --max-grants-per-hour: sent within the last hour, or reserved by a process that has died since",
            self.first_grants.clone(),
        );
        registry.register(
            "first_grants_within_hour_max",
            "--max-grants-per-hour, which first_grants_within_hour does not exceed",
            self.first_grants_max.clone(),
        );
        registry.register(
            "permissions_waiting_for_grant_budget",
            "Permissions whose first grant waits because of --max-grants-per-hour. More than nobody expects: look what was merged, and take it back before it goes out",
            self.waiting_for_room.clone(),
        );
    }

    /// Notes what a Customer shows.
    pub(super) fn purchases(&self, uid: &str, shown: &[Purchase], now: Timestamp) {
        self.purchases.show(uid, shown, now);
    }

    /// Notes that it is gone.
    pub(super) fn forget_purchases(&self, uid: &str) {
        self.purchases.forget(uid);
    }

    pub(super) fn passed(&self, kind: &str, result: &'static str, took: Duration) {
        self.passes.get_or_create(&PassLabels { kind: kind.to_owned(), result }).inc();
        self.seconds.get_or_create(&KindLabel { kind: kind.to_owned() }).observe(took.as_secs_f64());
    }

    pub(super) fn drifted(&self) {
        self.drifts.inc();
    }

    pub(super) fn plan_purchased(&self) {
        self.plans_purchased.inc();
    }

    pub(super) fn abandoned(&self) {
        self.abandoned.inc();
    }

    pub(super) fn event_lost(&self) {
        self.events_lost.inc();
    }

    pub(super) fn fail_feed(&self, is_failing: bool) {
        self.feed_failing.set(i64::from(is_failing));
    }

    /// Shows why nothing is granted, and nothing of what was shown before.
    pub(super) fn deny(&self, reason: Option<&'static str>) {
        self.denied.clear();
        if let Some(reason) = reason {
            self.denied.get_or_create(&ReasonLabel { reason }).set(1);
        }
    }

    /// Shows how far the brake is used, and how many wait for it.
    pub(super) fn brake(&self, limit: u32, used: u32, waiting: usize) {
        self.first_grants_max.set(limit.into());
        self.first_grants.set(used.into());
        self.waiting_for_room.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// Says whether that is a change.
    pub(super) fn trust_feed(&self, is_trusted: bool) -> bool {
        let is_trusted = i64::from(is_trusted);
        self.feed_trusted.set(is_trusted) != is_trusted
    }
}
