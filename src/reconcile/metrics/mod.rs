//! What the controllers count, for the person on call. Every name has its row in docs/monitoring.md.

mod fleet;
mod purchases;
mod revokes;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::Resource as _;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::fleet::Fleet;
pub(super) use self::fleet::Stores;
use self::purchases::Purchases;
use crate::api::{AzureSubscription, Customer, CustomerPurchasePermission, Purchase};
use crate::model::Origin;

/// From a pass that finds nothing to do to one that waits for throttled calls.
const BUCKETS: [f64; 8] = [0.001, 0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 120.0];

/// Results of passes that an alert waits for: an increase is only seen of a counter that was there before.
const SHOWN_FROM_THE_START: [&str; 4] = ["ok", "panicked", "endless", "anonymous"];

/// Counters of this process. Copies count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    passes: Family<PassLabels, Counter>,
    seconds: Family<KindLabel, Histogram, fn() -> Histogram>,
    drifts: Family<AuthorLabel, Counter>,
    writes: Family<WriteLabels, Counter>,
    abandoned: Counter,
    plans_purchased: Counter,
    events_lost: Counter,
    feed_read: Gauge,
    feed_trusted: Gauge,
    feed_failing: Gauge,
    denied: Family<ReasonLabel, Gauge>,
    purchases: Purchases,
    fleet: Fleet,
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
struct AuthorLabel {
    by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    direction: &'static str,
    /// `ok`, or the category of the error.
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Who has changed what was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// A request whose author the activity log tells.
    Of(Origin),
    /// Nothing tells.
    Unknown,
}

impl Author {
    const ALL: [Self; 4] = [Self::Of(Origin::Own), Self::Of(Origin::Rival), Self::Of(Origin::Other), Self::Unknown];

    fn label(self) -> &'static str {
        match self {
            Self::Of(Origin::Own) => "operator",
            Self::Of(Origin::Rival) => "rival",
            Self::Of(Origin::Other) => "other",
            Self::Unknown => "unknown",
        }
    }
}

/// Which way a write to Partner Center goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Grant,
    Revoke,
}

impl Way {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Revoke => "revoke",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            passes: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            drifts: Family::default(),
            writes: Family::default(),
            abandoned: Counter::default(),
            plans_purchased: Counter::default(),
            events_lost: Counter::default(),
            feed_read: Gauge::default(),
            feed_trusted: Gauge::default(),
            feed_failing: Gauge::default(),
            denied: Family::default(),
            purchases: Purchases::default(),
            fleet: Fleet::default(),
            first_grants: Gauge::default(),
            first_grants_max: Gauge::default(),
            waiting_for_room: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Adds them all to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        self.begin();
        self.register_passes(registry);
        self.register_feed(registry);
        self.register_permissions(registry);
        self.purchases.register(registry);
        self.fleet.revokes.register(registry);
        registry.register_collector(Box::new(self.fleet.clone()));
    }

    /// Shows at 0 what has not happened yet.
    fn begin(&self) {
        for kind in [Customer::kind(&()), AzureSubscription::kind(&()), CustomerPurchasePermission::kind(&())] {
            for result in SHOWN_FROM_THE_START {
                drop(self.passes.get_or_create(&PassLabels { kind: kind.to_string(), result }));
            }
        }
        for by in Author::ALL {
            drop(self.drifts.get_or_create(&AuthorLabel { by: by.label() }));
        }
        for way in [Way::Grant, Way::Revoke] {
            drop(self.writes.get_or_create(&WriteLabels { direction: way.label(), result: "ok" }));
        }
    }

    fn register_passes(&self, registry: &mut Registry) {
        registry.register(
            "reconcile_passes",
            "Passes over objects by kind and result: ok, or the category of the failure. conflict, late and deferred are no \
             failures. Another result that keeps growing: the conditions of the objects concerned say what to do, the log has \
             the whole chain of causes, docs/runbook.md#cspoperatorreconcilebudgetburnsfast how to find them",
            self.passes.clone(),
        );
        registry.register_with_unit(
            "reconcile_pass_duration",
            "How long passes took, in seconds, their waits for turns included. Slow ones wait for Partner Center or Azure: \
             compare request_budget_wait_seconds and remote_request_duration_seconds",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "events_lost",
            "Kubernetes events that could not be created; the log has their text. Normal in a namespace that is being \
             deleted, else docs/runbook.md#cspoperatoreventslost",
            self.events_lost.clone(),
        );
    }

    fn register_feed(&self, registry: &mut Registry) {
        registry.register(
            "activity_feed_last_read_timestamp_seconds",
            "When the activity log was last read to its end, in Unix seconds; 0: not yet by this process. More than a few \
             minutes ago: docs/runbook.md#cspoperatoractivitylogunreachable",
            self.feed_read.clone(),
        );
        registry.register(
            "activity_feed_trusted",
            "1 while the activity log shows this operator's own writes and is read without gaps. 0 for hours: policies are \
             read hourly instead, which costs calls, docs/runbook.md#cspoperatoractivityloguntrusted",
            self.feed_trusted.clone(),
        );
        registry.register(
            "activity_feed_failing",
            "1 while the activity log could not be read three times in a row. The category is in remote_requests, what to \
             do in docs/runbook.md#cspoperatoractivitylogunreachable",
            self.feed_failing.clone(),
        );
        registry.register(
            "drifts",
            "Switches, and what customers see of their charges, found changed by somebody else, by who did it: rival is \
             another installation of csp-operator, other a person or program, operator this installation, unknown whom no \
             record names. The events of the objects have names: docs/runbook.md#cspoperatordrift",
            self.drifts.clone(),
        );
    }

    fn register_permissions(&self, registry: &mut Registry) {
        registry.register(
            "permission_writes",
            "Changes of purchase permissions sent to Partner Center, by direction (grant, revoke) and result: ok, or the \
             category of the failure, which docs/errors.md explains. Both switches in one write count once",
            self.writes.clone(),
        );
        registry.register(
            "permissions_abandoned",
            "Permissions released by the annotation csp-operator.dev/abandon without a revoke. Look in Partner Center whether \
             these customers may still buy: docs/runbook.md#cspoperatorpermissionabandoned",
            self.abandoned.clone(),
        );
        registry.register(
            "azure_plans_purchased",
            "Azure plans bought for customers without one. The events of the Customers say with which cart; a plan costs \
             nothing by itself, what is used under it does: docs/runbook.md#cspoperatorazureplanpurchased",
            self.plans_purchased.clone(),
        );
        registry.register(
            "partner_denied",
            "1 while nothing is granted for a reason that concerns the partner as a whole, such as CredentialsInvalid or \
             NotAdminAgent. What holds stays as it is; what to do is in docs/runbook.md under the reason, and in an event on \
             the operator's Lease",
            self.denied.clone(),
        );
        registry.register(
            "first_grants_within_hour",
            "First grants that count against --max-grants-per-hour: sent within the last hour, or reserved by a process that \
             has died since",
            self.first_grants.clone(),
        );
        registry.register(
            "first_grants_within_hour_max",
            "The setting --max-grants-per-hour, which first_grants_within_hour does not exceed",
            self.first_grants_max.clone(),
        );
        registry.register(
            "permissions_waiting_for_grant_budget",
            "Permissions whose first grant waits because of --max-grants-per-hour. More than somebody expects: look what was \
             merged, and take it back before it goes out, docs/runbook.md#cspoperatorgrantbudgetexceeded",
            self.waiting_for_room.clone(),
        );
    }

    /// Counts the objects of these stores from now on.
    pub(super) fn show(&self, stores: Stores) {
        self.fleet.show(stores);
    }

    /// Notes what a Customer shows.
    pub(super) fn purchases(&self, uid: &str, shown: &[Purchase], now: Timestamp) {
        self.purchases.show(uid, shown, now);
    }

    /// Notes that an object is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.purchases.forget(uid);
        self.fleet.revokes.forget(uid);
    }

    pub(super) fn passed(&self, kind: &str, result: &'static str, took: Duration) {
        self.passes.get_or_create(&PassLabels { kind: kind.to_owned(), result }).inc();
        self.seconds.get_or_create(&KindLabel { kind: kind.to_owned() }).observe(took.as_secs_f64());
    }

    pub(super) fn drifted(&self, by: Author) {
        self.drifts.get_or_create(&AuthorLabel { by: by.label() }).inc();
    }

    /// Notes how a write of purchase permissions ended.
    pub(super) fn wrote(&self, way: Way, result: &'static str) {
        self.writes.get_or_create(&WriteLabels { direction: way.label(), result }).inc();
    }

    /// Notes that a permission is to be revoked, unless that is known.
    pub(super) fn revoke_due(&self, uid: &str) {
        self.fleet.revokes.due(uid, Instant::now());
    }

    /// Notes that it is.
    pub(super) fn revoke_made(&self, uid: &str) {
        self.fleet.revokes.made(uid, Instant::now());
    }

    /// Notes that it is not to be any more.
    pub(super) fn revoke_settled(&self, uid: &str) {
        self.fleet.revokes.forget(uid);
    }

    /// Notes that the activity log was read.
    pub(super) fn feed_read(&self, at: Timestamp) {
        self.feed_read.set(at.as_second());
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
