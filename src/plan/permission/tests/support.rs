//! One permission, its surroundings, and short words for what its plan says.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::{
    CustomerPurchasePermission, CustomerPurchasePermissionStatus, DeletionPolicy, DriftPolicy, Mode,
    OnPrerequisiteLost, OwnerRole, PurchaseSwitch,
};
use crate::model::{
    ActivityOperation, ActivityRecord, Assignment, AssignmentScope, AzureEstate, AzurePlanKind, AzureUse,
    CustomerProfile, Denial, Fact, Ignorance, OwnerHolders, PartnerKind, PermissionSet, PlanSubscription, Policy,
    PolicyState, PrincipalKind, Relationship, SubscriptionId, Switch, TenantId,
};
use crate::model::{Origin, OtherPermission};
use crate::plan::owners::OwnerFacts;
use crate::plan::partner::{PartnerFacts, Refused};
use crate::plan::permission::{
    Action, Attempt, Contender, Desired, Facts, Failure, GrantBudget, PermissionPlan, PrerequisiteFacts, Record,
    SeenRecord, SubscriptionFacts, Wishes, Write, plan,
};
use crate::plan::prerequisites::SubscriptionWish;
use crate::plan::schedule::{Intervals, latest_turn};
use crate::plan::test_statuses::keep;
use crate::plan::testing::assert_no_object_is_empty;
use crate::plan::{CustomerRef, Identity, Need, ObjectName, PartnerQuestion};

pub(super) use crate::api::PurchaseSwitch::{Allow, Deny, Unmanaged};
pub(super) use crate::model::Switch::{Reservations, SavingsPlans};

pub(super) const INTERVALS: Intervals = Intervals {
    resync: SignedDuration::from_hours(24),
    prerequisites: SignedDuration::from_hours(6),
    purchases: SignedDuration::from_hours(6),
};

pub(super) fn tenant(number: u8) -> TenantId {
    format!("c1a0c1a0-1111-4a11-8a11-0000000000{number:02x}").parse().unwrap()
}

pub(super) fn subscription(number: u8) -> SubscriptionId {
    format!("a0000000-0000-4000-8000-0000000000{number:02x}").parse().unwrap()
}

pub(super) fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// One hour after the turn of the object whose UID is `uid`, so that a case starts far from any sweep.
pub(super) fn after_turn(uid: &str) -> Timestamp {
    latest_turn(uid, INTERVALS.resync, "2026-03-02T08:00:00Z".parse().unwrap()) + minutes(30)
}

pub(super) fn failed<T>(reason: &'static str) -> Fact<T> {
    Fact::Unknown { why: Ignorance::Failed { reason, message: format!("{reason}: try later"), last_read: None } }
}

pub(super) fn policy(allowed: &[Switch]) -> PolicyState {
    policy_with(allowed, Vec::new())
}

pub(super) fn policy_with(allowed: &[Switch], others: Vec<OtherPermission>) -> PolicyState {
    let permissions = PermissionSet::new(allowed.iter().copied(), others);
    if permissions.is_empty() {
        return PolicyState::Absent;
    }
    PolicyState::Present(Policy { id: "policy".into(), etag: Some("\"1\"".into()), permissions })
}

pub(super) fn marketplace() -> OtherPermission {
    OtherPermission { resource: "AzureMarketplace".into(), action: "Purchase".into() }
}

#[expect(clippy::unnecessary_wraps, reason = "as the fact has it")]
pub(super) fn profile(relationship: Relationship) -> Option<CustomerProfile> {
    Some(CustomerProfile {
        company_name: Some("Fabrikam".into()),
        domain: None,
        custom_domains: Vec::new(),
        relationship,
    })
}

pub(super) fn estate(status: &str) -> AzureEstate {
    AzureEstate {
        plans: vec![PlanSubscription {
            id: "plan".into(),
            kind: AzurePlanKind::AzurePlan,
            status: "active".into(),
            uses: (1..=2).map(|number| AzureUse { id: subscription(number), status: status.into() }).collect(),
        }],
    }
}

pub(super) fn holders() -> OwnerHolders {
    let mut holders = OwnerHolders::default();
    holders.add(Assignment {
        principal: "d0000000-0000-4000-8000-000000000001".parse().unwrap(),
        kind: PrincipalKind::User,
        scope: AssignmentScope::Subscription,
        is_conditional: false,
    });
    holders
}

/// A write was refused for the role of the signed-in user.
pub(super) fn role_refused(at: Timestamp) -> Refused {
    let denial = Denial { reason: "NotAdminAgent", message: "give it the role Admin agent".into() };
    Refused { denial, at }
}

/// Nobody can be asked about the partner: only a write can tell.
pub(super) fn unasked() -> PartnerFacts {
    PartnerFacts { kind: failed("Forbidden"), is_admin_agent: failed("GraphNotConsented"), ..PartnerFacts::UNKNOWN }
}

/// A direct-bill partner, with or without an Admin agent.
pub(super) fn asked(is_admin_agent: bool, at: Timestamp) -> PartnerFacts {
    PartnerFacts {
        kind: Fact::Known { value: PartnerKind::DirectBill, at },
        is_admin_agent: Fact::Known { value: is_admin_agent, at },
        ..PartnerFacts::UNKNOWN
    }
}

/// One object with all that is known. [`Case::new`] is a fresh object whose prerequisites were all just read and hold,
/// whose policy nobody has read, and whose partner nobody can be asked about.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) desired: Desired,
    pub(super) facts: Facts,
    pub(super) before: CustomerPurchasePermissionStatus,
    pub(super) now: Timestamp,
}

impl Case {
    pub(super) fn new(reservations: PurchaseSwitch, savings_plans: PurchaseSwitch) -> Self {
        let uid = "uid-permission".to_owned();
        let now = after_turn(&uid);
        let known = |value| Fact::Known { value, at: now };
        Self {
            desired: Desired {
                identity: Identity {
                    name: ObjectName { namespace: "ns".into(), name: "permission".into() },
                    uid,
                    generation: 1,
                    created: now - minutes(1),
                    reconcile_request: None,
                },
                customer: "fabrikam".into(),
                wishes: Wishes { reservations, savings_plans },
                subscriptions: vec!["main".into()],
                mode: Mode::Enforce,
                drift_policy: DriftPolicy::Correct,
                on_prerequisite_lost: OnPrerequisiteLost::Keep,
                valid_until: None,
                deletion_policy: DeletionPolicy::Revoke,
                is_deleting: false,
                is_abandoned: false,
                has_finalizer: false,
                remembered: None,
                record: Record::NONE,
            },
            facts: Facts {
                prerequisites: PrerequisiteFacts {
                    customer: CustomerRef::Found(tenant(1)),
                    profile: known(profile(Relationship::Reseller)),
                    estate: Fact::Known { value: estate("active"), at: now },
                    subscriptions: vec![subscription_facts("main", subscription(1), now)],
                },
                partner: unasked(),
                policy: Fact::NOT_READ,
                activity: Vec::new(),
                is_record_pending: false,
                is_feed_trusted: true,
                contenders: Vec::new(),
                successor: None,
                clock_ahead: None,
                started: now - minutes(20),
                grant_budget: GrantBudget { limit: 50, has_room: true },
                attempt: Attempt::None,
            },
            before: CustomerPurchasePermissionStatus::default(),
            now,
        }
    }

    pub(super) fn claimed(mut self) -> Self {
        self.desired.has_finalizer = true;
        self.desired.remembered = Some(tenant(1));
        self.desired.record = Record { tenant: Some(tenant(1)), has_acted: true, is_untold: false };
        self
    }

    /// The policy was read in this pass.
    pub(super) fn holding(mut self, state: PolicyState) -> Self {
        self.facts.policy = Fact::Known { value: state, at: self.now };
        self
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// As `self` with a policy that a pass has just read and shown, one minute later.
    pub(super) fn settled(self, state: PolicyState) -> Self {
        let mut case = self.claimed().holding(state);
        case.before = case.plan().status;
        case.later(minutes(1))
    }

    pub(super) fn later(mut self, time: SignedDuration) -> Self {
        self.now += time;
        self
    }

    /// The process has been restarted: of the facts, none is left.
    pub(super) fn restarted(mut self) -> Self {
        self.facts.started = self.now;
        self.facts.policy = Fact::NOT_READ;
        self.facts.is_record_pending = false;
        self.facts.partner = PartnerFacts::UNKNOWN;
        let prerequisites = &mut self.facts.prerequisites;
        prerequisites.profile = Fact::NOT_READ;
        prerequisites.estate = Fact::NOT_READ;
        for one in &mut prerequisites.subscriptions {
            one.owners = OwnerFacts::NOT_READ;
        }
        self
    }

    /// The spec is edited.
    pub(super) fn edited(mut self, change: impl FnOnce(&mut Desired)) -> Self {
        change(&mut self.desired);
        self.desired.identity.generation += 1;
        self
    }

    pub(super) fn deleting(self) -> Self {
        self.edited(|desired| desired.is_deleting = true)
    }

    pub(super) fn plan(&self) -> PermissionPlan {
        let plan = plan(&self.desired, &self.facts, &self.before, INTERVALS, self.now);
        assert_no_object_is_empty(&plan.status);
        if plan.needs.is_empty() && plan.actions.is_empty() {
            let Desired { identity, is_deleting, .. } = &self.desired;
            keep::<CustomerPurchasePermission>(identity.generation, *is_deleting, &plan.status);
        }
        plan
    }

    /// What the plan does, in words.
    pub(super) fn does(&self) -> String {
        does(&self.plan())
    }

    /// What the plan shows for one condition, as `False/Reason`; empty when it is not there.
    pub(super) fn shows(&self, type_: &str) -> String {
        shows(&self.plan().status.conditions, type_)
    }
}

pub(super) fn subscription_facts(name: &str, id: SubscriptionId, at: Timestamp) -> SubscriptionFacts {
    SubscriptionFacts {
        name: name.into(),
        wish: Some(Ok(SubscriptionWish {
            customer: "fabrikam".into(),
            subscription: id,
            owner_role: OwnerRole::Verify,
            owners: BTreeSet::new(),
        })),
        owners: OwnerFacts { holders: Fact::Known { value: holders(), at }, ..OwnerFacts::NOT_READ },
    }
}

pub(super) fn contender(name: &str, created: Timestamp, has_claimed: bool, wishes: Wishes) -> Contender {
    Contender {
        name: ObjectName { namespace: "elsewhere".into(), name: name.into() },
        uid: format!("uid-{name}"),
        created,
        has_claimed,
        has_acted: has_claimed,
        is_named: true,
        wishes,
        valid_until: None,
    }
}

pub(super) fn record(id: &str, at: Timestamp, origin: Origin, actor: &str) -> SeenRecord {
    SeenRecord {
        record: ActivityRecord {
            id: id.into(),
            customer: tenant(1),
            at,
            operation: ActivityOperation::Create,
            actor: Some(actor.into()),
            correlation_id: Some("0f7c3a52-9d2e-4d0b-8a53-2b1f0e9b7a10".into()),
            status: "succeeded".into(),
        },
        origin,
        is_confirmed: origin == Origin::Own,
        seen_at: at,
    }
}

pub(super) fn refusal(needs_person: bool) -> Attempt {
    Attempt::Failed(Failure { reason: "Refused", message: "Partner Center refused".into(), needs_person })
}

pub(super) fn shows(conditions: &[Condition], type_: &str) -> String {
    conditions
        .iter()
        .find(|condition| condition.type_ == type_)
        .map_or_else(String::new, |condition| format!("{}/{}", condition.status, condition.reason))
}

/// `read customer, policy` while facts are needed, else the actions.
pub(super) fn does(plan: &PermissionPlan) -> String {
    if !plan.needs.is_empty() {
        assert_eq!(plan.actions, [], "nothing is done while something must be read");
        let needs: Vec<_> = plan
            .needs
            .iter()
            .map(|need| match need {
                Need::Customer(_) => "customer",
                Need::Estate(_) => "estate",
                Need::Owners(..) => "owners",
                Need::User(..) => "user",
                Need::Policy(_) => "policy",
                Need::Partner(PartnerQuestion::Kind) => "partner",
                Need::Partner(PartnerQuestion::AdminAgents) => "admin agents",
                _ => "of a Customer",
            })
            .collect();
        return format!("read {}", needs.join(", "));
    }
    let set = |permissions: &PermissionSet| {
        let others = permissions.others().iter().map(|other| other.resource.clone());
        permissions.allowed().map(|switch| switch.to_string()).chain(others).collect::<Vec<_>>().join("+")
    };
    let actions: Vec<_> = plan
        .actions
        .iter()
        .map(|action| match action {
            Action::Claim { tenant: claimed } => {
                if *claimed == tenant(1) {
                    "claim".to_owned()
                } else {
                    format!("claim {claimed}")
                }
            }
            Action::Write { write: Write::Create { permissions }, .. } => format!("create {}", set(permissions)),
            Action::Write { write: Write::Update { permissions, .. }, .. } => format!("update {}", set(permissions)),
            Action::Write { write: Write::Delete { .. }, .. } => "delete".to_owned(),
            Action::PassOn { successor, .. } => format!("pass on to {successor}"),
            Action::Release { .. } => "release".to_owned(),
        })
        .collect();
    actions.join("; ")
}
