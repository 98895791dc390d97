mod buying;
mod costs;
mod plans;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::api::{AzurePlanPolicy, Customer};
use crate::model::{Ignorance, Relationship, TenantId};
use crate::plan::schedule::{latest_turn, next_turn};
use crate::plan::test_statuses::keep;
use crate::plan::testing::assert_no_object_is_empty;
use crate::plan::{ObjectName, Wait};

const INTERVALS: Intervals = Intervals {
    resync: SignedDuration::from_hours(24),
    prerequisites: SignedDuration::from_hours(6),
    purchases: SignedDuration::from_hours(6),
};

fn tenant() -> TenantId {
    "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap()
}

fn nothing_read(started: Timestamp) -> Facts {
    Facts {
        profile: Fact::NOT_READ,
        estate: Fact::NOT_READ,
        cost: CostFacts::UNKNOWN,
        plan: PlanFacts::UNKNOWN,
        is_deleting: false,
        attempt: Attempt::None,
        started,
        purchases: nothing_permitted(),
    }
}

#[derive(Clone)]
struct Case {
    identity: Identity,
    reference: CustomerRef,
    wish: CustomerWish,
    facts: Facts,
    before: CustomerStatus,
    now: Timestamp,
}

fn nothing_permitted() -> PurchaseFacts {
    PurchaseFacts {
        permitted: Permitted::Never,
        seen_on: None,
        is_clock_off: false,
        seen: Fact::NOT_READ,
        orders: Vec::new(),
        partner_domains: BTreeSet::new(),
    }
}

/// A new Customer that nobody has looked at.
fn fresh() -> Case {
    let now = latest_turn("uid", INTERVALS.prerequisites, "2026-03-02T08:00:00Z".parse().unwrap())
        + SignedDuration::from_mins(30);
    Case {
        identity: Identity {
            name: ObjectName { namespace: "ns".into(), name: "fabrikam".into() },
            uid: "uid".into(),
            generation: 1,
            created: now,
            reconcile_request: None,
        },
        reference: CustomerRef::Found(tenant()),
        wish: CustomerWish {
            cost_management: CostManagement::Unmanaged,
            plan: PlanWish { policy: AzurePlanPolicy::Verify, reseller: None },
        },
        facts: nothing_read(now),
        before: CustomerStatus::default(),
        now,
    }
}

impl Case {
    fn reads(mut self, relationship: Option<Relationship>) -> Self {
        let value = relationship.map(|relationship| CustomerProfile {
            company_name: Some("Fabrikam".into()),
            domain: Some("fabrikam.example".into()),
            custom_domains: Vec::new(),
            relationship,
        });
        self.facts.profile = Fact::Known { value, at: self.now };
        self
    }

    fn fails(mut self, last_read: Option<Timestamp>) -> Self {
        let why = Ignorance::Failed { reason: "Throttled", message: "wait".into(), last_read };
        self.facts.profile = Fact::Unknown { why };
        self
    }

    fn plan(&self) -> CustomerPlan {
        let plan = plan(&self.identity, &self.reference, &self.wish, &self.facts, &self.before, INTERVALS, self.now);
        assert_no_object_is_empty(&plan.status);
        if plan.needs.is_empty() && plan.actions.iter().all(|action| matches!(action, Action::TellPermissions(_))) {
            keep::<Customer>(self.identity.generation, self.facts.is_deleting, &plan.status);
        }
        plan
    }

    fn later(mut self, hours: i64) -> Self {
        self.before = self.plan().status;
        self.now += SignedDuration::from_hours(hours);
        self
    }

    fn is_due(&self) -> bool {
        !self.plan().needs.is_empty()
    }

    fn check(&self, summary: &str) {
        let plan = self.plan();
        let text: Vec<_> =
            plan.status.conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect();
        assert_eq!(text.join(" "), summary);
        let again = Case {
            before: plan.status.clone(),
            reference: self.reference.clone(),
            wish: self.wish.clone(),
            facts: self.facts.clone(),
            identity: self.identity.clone(),
            now: self.now,
        };
        assert_eq!(again.plan().status, plan.status, "a plan of its own status changes nothing");
    }
}

#[test]
fn what_partner_center_says_decides() {
    fresh()
        .reads(Some(Relationship::Reseller))
        .check("Ready=True/Resolved Reconciling=False/Idle Stalled=False/NotStalled CustomerResolved=True/Resolved");
    fresh().reads(Some(Relationship::Other("advisor".into()))).check(
        "Ready=False/NotReseller Reconciling=True/NotReseller Stalled=False/NotStalled CustomerResolved=False/NotReseller AzurePlanVerified=Unknown/NotReseller",
    );
    fresh().reads(None).check(
        "Ready=False/TenantUnknown Reconciling=True/TenantUnknown Stalled=False/NotStalled CustomerResolved=False/TenantUnknown AzurePlanVerified=Unknown/TenantUnknown",
    );
    fresh().fails(None).check(
        "Ready=False/Throttled Reconciling=True/Throttled Stalled=False/NotStalled CustomerResolved=Unknown/Throttled",
    );
    let mut malformed = fresh();
    malformed.reference = CustomerRef::Malformed("no GUID".into());
    assert!(!malformed.is_due());
    malformed.check(
        "Ready=False/TenantUnknown Reconciling=False/Idle Stalled=True/TenantUnknown CustomerResolved=False/TenantUnknown",
    );
    let status = fresh().reads(Some(Relationship::Reseller)).plan().status;
    assert_eq!((status.company_name.as_deref(), status.relationship.as_deref()), (Some("Fabrikam"), Some("reseller")));
}

#[test]
fn a_ready_customer_is_read_once_per_interval_also_across_restarts() {
    assert!(fresh().is_due());
    let ready = || fresh().reads(Some(Relationship::Reseller));
    let turn = next_turn("uid", INTERVALS.prerequisites, fresh().now);
    assert_eq!(ready().plan().next, Wait::Until(turn));
    assert!(!ready().later(5).is_due());
    assert!(ready().later(6).is_due());
    let restarted = |hours| {
        let mut case = ready().later(hours);
        case.facts = nothing_read(case.now);
        case
    };
    assert!(!restarted(1).is_due() && restarted(1).plan().status == restarted(1).before);
    // Its turn passes while this process runs.
    let mut due = restarted(1);
    due.now += SignedDuration::from_hours(6);
    assert!(due.is_due());
}

#[test]
fn a_ready_customer_stays_so_for_three_intervals_of_failures() {
    let read_at = fresh().now;
    let failing = |hours| fresh().reads(Some(Relationship::Reseller)).later(hours).fails(Some(read_at));
    assert_eq!(failing(17).plan().status, failing(17).before);
    assert!(failing(18).plan().status != failing(18).before);
    assert!(!failing(17).is_due(), "what has just failed is not asked for again in the same pass");
}

#[test]
fn what_does_not_hold_is_looked_at_again_soon_and_a_request_at_once() {
    let missing = fresh().reads(None);
    let Wait::Until(next) = missing.plan().next else { panic!() };
    assert!(next <= missing.now + SignedDuration::from_secs(20));
    let mut again = missing.later(0);
    assert!(!again.is_due());
    again.now = next;
    assert!(again.is_due());

    let mut asked = fresh().reads(Some(Relationship::Reseller)).later(1);
    assert!(!asked.is_due());
    asked.identity.reconcile_request = Some("now".into());
    assert!(asked.is_due());
    let answered = asked.reads(Some(Relationship::Reseller));
    assert!(!answered.is_due());
    assert_eq!(answered.plan().status.last_handled_reconcile_at.as_deref(), Some("now"));
}
