mod assigning;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::api::{AzureKind, AzureSubscription};
use crate::model::{
    Assignment, AssignmentScope, AzurePlanKind, AzureUse, Ignorance, OwnerHolders, OwnerName, PlanSubscription,
    PrincipalKind, Relationship,
};
use crate::plan::ObjectName;
use crate::plan::schedule::{latest_turn, next_turn};
use crate::plan::test_statuses::keep;
use crate::plan::testing::assert_no_object_is_empty;

const INTERVALS: Intervals = Intervals {
    resync: SignedDuration::from_hours(24),
    prerequisites: SignedDuration::from_hours(6),
    purchases: SignedDuration::from_hours(6),
};
const AZURE: &str = "a0000000-0000-4000-8000-000000000001";
const ADA: &str = "d0000000-0000-4000-8000-000000000001";
const BOB: &str = "d0000000-0000-4000-8000-000000000002";

#[derive(Clone)]
struct Case {
    identity: Identity,
    wish: Result<SubscriptionWish, String>,
    facts: Facts,
    before: AzureSubscriptionStatus,
    now: Timestamp,
}

fn id(text: &str) -> OwnerName {
    OwnerName::Id(text.parse().unwrap())
}

fn failed<T>(last_read: Option<Timestamp>) -> Fact<T> {
    Fact::Unknown { why: Ignorance::Failed { reason: "Throttled", message: "wait".into(), last_read } }
}

#[expect(clippy::unnecessary_wraps, reason = "as the fact has it")]
fn profile(relationship: Relationship) -> Option<CustomerProfile> {
    Some(CustomerProfile { company_name: None, domain: None, custom_domains: Vec::new(), relationship })
}

fn estate(status: &str) -> AzureEstate {
    AzureEstate {
        plans: vec![PlanSubscription {
            id: "plan".into(),
            kind: AzurePlanKind::AzurePlan,
            status: "active".into(),
            uses: vec![AzureUse { id: AZURE.parse().unwrap(), status: status.into() }],
        }],
    }
}

fn held_by(users: &[&str]) -> OwnerHolders {
    let mut holders = OwnerHolders::default();
    for user in users {
        holders.add(Assignment {
            principal: user.parse().unwrap(),
            kind: PrincipalKind::User,
            scope: AssignmentScope::Subscription,
            is_conditional: false,
        });
    }
    holders
}

/// A new subscription of a Customer, with everything just read and in order.
fn sound() -> Case {
    let now = latest_turn("uid", INTERVALS.prerequisites, "2026-03-02T08:00:00Z".parse().unwrap())
        + SignedDuration::from_mins(30);
    Case {
        identity: Identity {
            name: ObjectName { namespace: "ns".into(), name: "main".into() },
            uid: "uid".into(),
            generation: 1,
            created: now - SignedDuration::from_mins(1),
            reconcile_request: None,
        },
        wish: Ok(SubscriptionWish {
            customer: "fabrikam".into(),
            subscription: AZURE.parse().unwrap(),
            owner_role: OwnerRole::Verify,
            owners: BTreeSet::new(),
        }),
        facts: Facts {
            customer: CustomerRef::Found("c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap()),
            profile: Fact::Known { value: profile(Relationship::Reseller), at: now },
            estate: Fact::Known { value: estate("active"), at: now },
            owners: OwnerFacts { holders: Fact::Known { value: held_by(&[ADA]), at: now }, ..OwnerFacts::NOT_READ },
            may_assign: false,
            is_deleting: false,
            assigned: BTreeSet::new(),
            attempt: Attempt::None,
            started: now - SignedDuration::from_mins(20),
        },
        before: AzureSubscriptionStatus::default(),
        now,
    }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn wish(&mut self) -> &mut SubscriptionWish {
        self.wish.as_mut().unwrap()
    }

    fn plan(&self) -> SubscriptionPlan {
        let plan = plan(&self.identity, &self.wish, &self.facts, &self.before, INTERVALS, self.now);
        assert_no_object_is_empty(&plan.status);
        if plan.needs.is_empty() && plan.actions.is_empty() {
            keep::<AzureSubscription>(self.identity.generation, self.facts.is_deleting, &plan.status);
        }
        plan
    }

    fn needs(&self) -> String {
        let words = self.plan().needs.into_iter().map(|need| match need {
            Need::Customer(_) => "customer",
            Need::Estate(_) => "estate",
            Need::Owners(..) => "owners",
            Need::User(..) => "user",
            Need::Policy(_) => "policy",
            Need::Partner(_) => "partner",
            _ => "of a Customer",
        });
        words.collect::<Vec<_>>().join(", ")
    }

    /// The status is stored, and time passes.
    fn later(mut self, minutes: i64) -> Self {
        self.before = self.plan().status;
        self.now += SignedDuration::from_mins(minutes);
        self
    }

    fn restarted(self) -> Self {
        self.with(|case| {
            case.facts.profile = Fact::NOT_READ;
            case.facts.estate = Fact::NOT_READ;
            case.facts.owners.holders = Fact::NOT_READ;
            case.facts.started = case.now;
        })
    }
}

fn check(change: impl FnOnce(&mut Case), summary: &str) {
    let case = sound().with(change);
    let plan = case.plan();
    let told = |type_: &str| {
        let found = plan.status.conditions.iter().find(|condition| condition.type_ == type_);
        found.map_or_else(String::new, |condition| format!("{}/{}", condition.status, condition.reason))
    };
    let types = ["Ready", "Stalled", "CustomerResolved", "AzureSubscriptionVerified", "OwnerRoleVerified"];
    assert_eq!(types.map(told).join(" "), summary);
    let again = case.with(|case| case.before = plan.status.clone());
    assert_eq!(again.plan().status, plan.status, "a plan of its own status changes nothing");
}

#[test]
fn the_first_thing_that_does_not_hold_decides() {
    check(|_| {}, "True/Active False/NotStalled True/Resolved True/Active True/OwnerHeld");
    check(
        |case| case.facts.customer = CustomerRef::Missing,
        "False/CustomerNotFound False/NotStalled False/CustomerNotFound True/Active True/OwnerHeld",
    );
    check(
        |case| case.facts.profile = Fact::Known { value: None, at: case.now },
        "False/TenantUnknown False/NotStalled False/TenantUnknown True/Active True/OwnerHeld",
    );
    check(
        |case| case.facts.estate = Fact::Known { value: estate("deleted"), at: case.now },
        "False/SubscriptionNotActive False/NotStalled True/Resolved False/SubscriptionNotActive Unknown/SubscriptionNotVerified",
    );
    check(
        |case| case.facts.estate = failed(None),
        "False/Throttled False/NotStalled True/Resolved Unknown/Throttled Unknown/SubscriptionNotVerified",
    );
    check(
        |case| case.facts.owners.holders = Fact::Known { value: held_by(&[]), at: case.now },
        "False/OwnerMissing False/NotStalled True/Resolved True/Active False/OwnerMissing",
    );
    check(
        |case| case.facts.owners.holders = failed(None),
        "False/OwnerUnknown False/NotStalled True/Resolved True/Active Unknown/OwnerUnknown",
    );
    check(
        |case| case.wish().owner_role = OwnerRole::Skip,
        "True/Active False/NotStalled True/Resolved True/Active True/Skipped",
    );
    check(|case| case.wish = Err("no GUID".into()), "False/InvalidSpec True/InvalidSpec   ");
}

#[test]
fn the_status_shows_what_was_found() {
    let both = |case: &mut Case| case.wish().owners = [id(ADA), id(BOB)].into();
    let case = sound().with(both).with(|case| {
        let asked = [BOB.parse().unwrap()].into();
        case.facts.owners.holders = Fact::Known { value: OwnerHolders { asked, ..held_by(&[ADA]) }, at: case.now };
    });
    let status = case.plan().status;
    assert_eq!((status.kind, status.plan_id.as_deref()), (Some(AzureKind::AzurePlan), Some("plan")));
    assert_eq!(status.subscription_status.as_deref(), Some("active"));
    let results: Vec<_> = status.owners.iter().map(|owner| (owner.name.as_str(), owner.result)).collect();
    assert_eq!(results, [(ADA, crate::api::OwnerState::Holds), (BOB, crate::api::OwnerState::Missing)]);
}

#[test]
fn facts_are_asked_for_one_after_the_other() {
    let unread = sound().restarted();
    assert_eq!(unread.needs(), "customer, estate");
    let verified = unread.clone().with(|case| {
        case.facts.profile = sound().facts.profile;
        case.facts.estate = sound().facts.estate;
    });
    assert_eq!(verified.needs(), "owners");
    assert_eq!(verified.with(|case| case.wish().owner_role = OwnerRole::Skip).needs(), "");
    // Nobody asks about a customer that is not the partner's.
    let foreign = unread.with(|case| case.facts.profile = Fact::Known { value: None, at: case.now });
    assert_eq!(foreign.needs(), "");
    // A key user added later has not been asked about.
    let added = sound().later(1).with(|case| case.wish().owners = BTreeSet::from([id(BOB)]));
    assert_eq!(added.needs(), "owners");
}

#[test]
fn a_sound_subscription_is_read_once_per_interval_also_across_restarts() {
    let turn = next_turn("uid", INTERVALS.prerequisites, sound().now);
    assert_eq!(sound().plan().next, Wait::Until(turn));
    assert_eq!(sound().later(5 * 60).needs(), "");
    assert_eq!(sound().later(6 * 60).needs(), "customer, estate, owners");
    let restarted = sound().later(60).restarted();
    assert_eq!((restarted.needs(), restarted.plan().status), (String::new(), restarted.before.clone()));
    assert_eq!(restarted.with(|case| case.now = turn).needs(), "customer, estate");
    assert_eq!(
        sound().later(60).with(|case| case.identity.reconcile_request = Some("now".into())).needs(),
        "customer, estate, owners"
    );
}

#[test]
fn what_is_known_to_be_wrong_is_shown_although_the_rest_is_only_remembered() {
    let restarted = || sound().later(60).restarted();
    let ready = |case: Case| {
        let plan = case.plan();
        plan.status.conditions[0].reason.clone()
    };
    let gone = Fact::Known { value: None, at: sound().now + SignedDuration::from_mins(60) };
    assert_eq!(ready(restarted().with(|case| case.facts.profile = gone)), "TenantUnknown");
    let dead = restarted().with(|case| {
        case.facts.profile = Fact::Known { value: profile(Relationship::Reseller), at: case.now };
        case.facts.estate = Fact::Known { value: estate("deleted"), at: case.now };
    });
    assert_eq!(ready(dead), "SubscriptionNotActive");
}

#[test]
fn failures_change_nothing_for_three_intervals() {
    let read_at = sound().now;
    let failing = |hours: i64| {
        sound().later(hours * 60).with(|case| {
            case.facts.profile = failed(Some(read_at));
            case.facts.estate = failed(Some(read_at));
            case.facts.owners.holders = failed(Some(read_at));
        })
    };
    assert_eq!(failing(17).plan().status, failing(17).before);
    assert_eq!(failing(18).plan().status.conditions[0].status, "False");
    assert_eq!(failing(18).needs(), "");
}

#[test]
fn a_reference_has_a_moment_to_appear() {
    let fresh = sound().with(|case| {
        case.facts.customer = CustomerRef::Missing;
        case.identity.created = case.now;
    });
    let plan = fresh.plan();
    assert_eq!((plan.status, plan.next), (fresh.before.clone(), Wait::Until(fresh.now + SignedDuration::from_secs(2))));
}
