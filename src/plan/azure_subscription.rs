//! The plan of an `AzureSubscription`: is it active, is it the customer's, do the key users own it, and who is to be made
//! an owner?

mod assignment;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::conditions::{ConditionType, Conditions, Truth, customer_verdict, is_true};
use super::namespace::NAMESPACE_NOT_ALLOWED;
use super::owners::{self, OwnerFacts};
use super::permission::Attempt;
use super::prerequisites::{self, SubscriptionWish};
use super::recheck::Recheck;
use super::schedule::Intervals;
use super::summary::{Situation, summarize};
use super::{CustomerRef, Identity, Need, Plan, Wait};
use crate::api::{AzureSubscriptionStatus, OwnerRole};
use crate::model::{Assignee, AzureEstate, CustomerProfile, Fact, ObjectId, SubscriptionId, TenantId};

use assignment::{Assignments, Decision};

/// The plan of one `AzureSubscription`.
pub type SubscriptionPlan = Plan<AzureSubscriptionStatus, Action>;

/// What is done for an `AzureSubscription`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Assign Owner to these, one after the other, stopping at the first failure. It is done only if the object is still
    /// as it was when it was planned with.
    AssignOwner {
        /// The customer.
        tenant: TenantId,
        /// The subscription.
        subscription: SubscriptionId,
        /// Users and groups of the customer that do not hold Owner.
        assignees: Vec<Assignee>,
    },
}

/// What is known about an `AzureSubscription`.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The Customer it names.
    pub customer: CustomerRef,
    /// What Partner Center says of that customer.
    pub profile: Fact<Option<CustomerProfile>>,
    /// What that customer has of Azure.
    pub estate: Fact<AzureEstate>,
    /// Who owns the subscription.
    pub owners: OwnerFacts,
    /// Whether the operator may assign Owner at all.
    pub may_assign: bool,
    /// Whether the object is being deleted: nothing is assigned for it any more.
    pub is_deleting: bool,
    /// To whom Owner was assigned in this pass.
    pub assigned: BTreeSet<ObjectId>,
    /// What has come of this pass so far.
    pub attempt: Attempt,
    /// When this process began to remember; facts of before are those in the status.
    pub started: Timestamp,
}

/// Plans one `AzureSubscription`. `wish` is an error when the manifest cannot be what the CRD allows.
pub fn plan(
    identity: &Identity,
    wish: &Result<SubscriptionWish, String>,
    facts: &Facts,
    before: &AzureSubscriptionStatus,
    intervals: Intervals,
    now: Timestamp,
) -> SubscriptionPlan {
    let mut status = before.clone();
    status.observed_generation = identity.generation;
    status.last_handled_reconcile_at.clone_from(&identity.reconcile_request);
    let mut conditions = Conditions::new(&before.conditions, identity.generation, now);

    let wish = match wish {
        Ok(wish) => wish,
        Err(why) => {
            summarize(&mut conditions, Situation::PersonMustAct, "InvalidSpec", why);
            status.conditions = conditions.finish();
            return without_needs(status, Wait::ForChange);
        }
    };
    if facts.customer == CustomerRef::Missing
        && let Some(end) = identity.grace(now)
    {
        return without_needs(before.clone(), Wait::Until(end));
    }

    let recheck = Recheck {
        identity,
        observed_generation: before.observed_generation,
        last_handled_reconcile_at: before.last_handled_reconcile_at.as_deref(),
        conditions: &before.conditions,
        interval: intervals.prerequisites,
        started: facts.started,
        now,
    };
    let mut needs = needs(wish, facts, &recheck);
    let is_resolved = matches!(facts.customer, CustomerRef::Found(_));
    let customer = customer_verdict(&facts.customer, &wish.customer, &facts.profile);
    let found = prerequisites::subscription(wish.subscription, &facts.estate);
    // What is known to be wrong is said, although the rest is only remembered.
    let is_wrong = [&customer, &found.verdict].into_iter().any(|verdict| verdict.truth == Truth::False);
    let asks_owners = asks_owners(wish) && found.verdict.holds();
    if is_resolved
        && !is_wrong
        && (recheck.is_remembered(&facts.profile)
            || recheck.is_remembered(&facts.estate)
            || (asks_owners
                && is_true(&before.conditions, ConditionType::OwnerRoleVerified)
                && (recheck.is_remembered(&facts.owners.holders)
                    || facts.owners.users.values().any(|user| recheck.is_remembered(user)))))
    {
        let next = recheck.next(is_true(&before.conditions, ConditionType::Ready));
        return Plan { needs, actions: Vec::new(), status: before.clone(), events: Vec::new(), next };
    }

    let (owners, results) = owners::owners(wish, found.verdict.holds(), &facts.owners);
    let assignments = Assignments::new(&before.owner_assignments, identity.generation, facts);
    let may_act = customer.holds() && found.verdict.holds();
    let decision = match owners.truth {
        Truth::False if may_act => assignments.decide(wish, facts, owners),
        _ => Decision::of(owners),
    };
    let Decision { verdict: owners, assignees, needs_person } = decision;
    if let CustomerRef::Found(tenant) = facts.customer
        && !assignees.is_empty()
    {
        needs.extend(assignment::stale(tenant, wish, facts, now));
    }
    // The first that does not hold is the one to put right first.
    let verdicts = [&customer, &found.verdict, &owners];
    let (situation, decisive) = match verdicts.into_iter().find(|verdict| !verdict.holds()) {
        Some(verdict) if needs_person || verdict.reason == NAMESPACE_NOT_ALLOWED => {
            (Situation::PersonMustAct, verdict.clone())
        }
        Some(verdict) => (Situation::InProgress, verdict.clone()),
        None => (Situation::Holds, found.verdict.clone()),
    };
    summarize(&mut conditions, situation, decisive.reason, &decisive.message);
    conditions.set(ConditionType::CustomerResolved, customer);
    conditions.set(ConditionType::AzureSubscriptionVerified, found.verdict);
    conditions.set(ConditionType::OwnerRoleVerified, owners);
    status.kind = found.kind;
    status.plan_id = found.plan_id;
    status.subscription_status = found.status;
    status.owners = results;
    let events = assignments.events(&before.owner_assignments, wish);
    status.owner_assignments = assignments.into_status();
    status.conditions = conditions.finish();
    let next = match facts.customer {
        CustomerRef::Found(_) => recheck.next(situation == Situation::Holds),
        // Its Customer is watched.
        CustomerRef::Missing | CustomerRef::Malformed(_) | CustomerRef::NotAllowed { .. } => Wait::ForChange,
    };
    let actions = match facts.customer {
        CustomerRef::Found(tenant) if !assignees.is_empty() && needs.is_empty() => {
            vec![Action::AssignOwner { tenant, subscription: wish.subscription, assignees }]
        }
        _ => Vec::new(),
    };
    Plan { needs, actions, status, events, next }
}

/// Whether anybody is asked about owners.
fn asks_owners(wish: &SubscriptionWish) -> bool {
    matches!(wish.owner_role, OwnerRole::Verify | OwnerRole::Assign)
}

/// Facts are asked for one after the other: nobody asks Azure about a subscription that Partner Center does not know.
fn needs(wish: &SubscriptionWish, facts: &Facts, recheck: &Recheck<'_>) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    let CustomerRef::Found(tenant) = facts.customer else { return needs };
    if recheck.is_due(&facts.profile) {
        needs.insert(Need::Customer(tenant));
    }
    let is_ours = customer_verdict(&facts.customer, &wish.customer, &facts.profile).holds();
    if (is_ours || facts.profile.is_unread()) && recheck.is_due(&facts.estate) {
        needs.insert(Need::Estate(tenant));
    }
    let is_verified = prerequisites::subscription(wish.subscription, &facts.estate).verdict.holds();
    if asks_owners(wish) && is_verified {
        let OwnerFacts { users, holders } = &facts.owners;
        let is_answered = holders.known().is_none_or(|holders| owners::answers(holders, wish, users));
        let are_holders_due = recheck.is_due(holders) || !is_answered;
        needs.extend(owners::needs(tenant, wish, &facts.owners, |user| recheck.is_due(user), are_holders_due));
    }
    needs
}

fn without_needs(status: AzureSubscriptionStatus, next: Wait) -> SubscriptionPlan {
    Plan { needs: BTreeSet::new(), actions: Vec::new(), status, events: Vec::new(), next }
}

#[cfg(test)]
mod tests;
