//! The plan of a `Customer`: is the tenant one of the partner's, does it have an Azure plan, does it see its charges as
//! declared, and what has it bought?

pub mod azure_plan;
pub mod cost;
pub mod ownership;
pub mod purchases;
mod section;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::conditions::{ConditionType, Conditions, customer_verdict, is_true};
use super::permission::Attempt;
use super::recheck::Recheck;
use super::schedule::Intervals;
use super::summary::{Situation, summarize};
use super::{CustomerRef, Event, Identity, Need, Plan};
use crate::api::{AzurePlanStatus, CostManagement, CostManagementStatus, CustomerStatus};
use crate::model::{AzureEstate, BillingAccount, ChargeView, CustomerProfile, Fact, PlanPurchase, TenantId};

use azure_plan::{PlanFacts, PlanWish};
use cost::CostFacts;
pub use purchases::{Permitted, PurchaseFacts, SeenOrder};
use section::Scope;

/// The plan of one `Customer`.
pub type CustomerPlan = Plan<CustomerStatus, Action>;

/// What is done for a `Customer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Show the customer its charges, or hide them.
    ShowCharges {
        /// The customer.
        tenant: TenantId,
        /// The partner's billing account.
        account: BillingAccount,
        /// How it shall be.
        view: ChargeView,
        /// To be told once Azure has accepted it.
        told: Event,
    },
    /// Tell the permissions of this Customer what it is told itself.
    TellPermissions(Event),
    /// Put an Azure plan into a cart, and remember the cart. Nothing is bought by that.
    PreparePlan {
        /// The customer.
        tenant: TenantId,
        /// For which indirect reseller.
        reseller: Option<String>,
        /// What must be remembered until then, and is no longer: nothing was bought with its cart.
        replaced: Option<PlanPurchase>,
    },
    /// Check out the cart that is remembered. It is done only if the object is still as it was when it was planned with, and
    /// only if just this is still remembered.
    BuyPlan {
        /// The customer.
        tenant: TenantId,
        /// What is remembered.
        record: PlanPurchase,
    },
}

/// What a `Customer` wishes beside being known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerWish {
    /// What shall become of its charges.
    pub cost_management: CostManagement,
    /// What shall become of its Azure plan.
    pub plan: PlanWish,
}

/// What is known about a Customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What Partner Center says of it; `None`: nothing, it knows no such customer of this partner.
    pub profile: Fact<Option<CustomerProfile>>,
    /// What it has of Azure.
    pub estate: Fact<AzureEstate>,
    /// For its charges.
    pub cost: CostFacts,
    /// For its Azure plan.
    pub plan: PlanFacts,
    /// Whether the object is being deleted: nothing is done for it any more.
    pub is_deleting: bool,
    /// What has come of this pass so far.
    pub attempt: Attempt,
    /// When this process began to remember; facts of before are those in the status.
    pub started: Timestamp,
    /// What it has bought.
    pub purchases: PurchaseFacts,
}

/// Plans one Customer.
pub fn plan(
    identity: &Identity,
    reference: &CustomerRef,
    wish: &CustomerWish,
    facts: &Facts,
    before: &CustomerStatus,
    intervals: Intervals,
    now: Timestamp,
) -> CustomerPlan {
    let mut plan = declared(identity, reference, wish, facts, before, intervals, now);
    if let CustomerRef::Found(tenant) = reference {
        let pass = purchases::Pass { identity, before, intervals, started: facts.started, now };
        let profile = facts.profile.known().and_then(Option::as_ref);
        let custom_domains = profile.map(|profile| profile.custom_domains.as_slice()).unwrap_or_default();
        purchases::follow(&mut plan, *tenant, &facts.purchases, custom_domains, pass);
    }
    plan
}

/// The part that is about what is declared.
fn declared(
    identity: &Identity,
    reference: &CustomerRef,
    wish: &CustomerWish,
    facts: &Facts,
    before: &CustomerStatus,
    intervals: Intervals,
    now: Timestamp,
) -> CustomerPlan {
    let recheck = |interval| Recheck {
        identity,
        observed_generation: before.observed_generation,
        last_handled_reconcile_at: before.last_handled_reconcile_at.as_deref(),
        conditions: &before.conditions,
        interval,
        started: facts.started,
        now,
    };
    let (recheck, resync) = (recheck(intervals.prerequisites), recheck(intervals.resync));
    let tenant = match reference {
        CustomerRef::Found(tenant) => Some(*tenant),
        CustomerRef::Missing | CustomerRef::Malformed(_) | CustomerRef::NotAllowed { .. } => None,
    };
    let verdict = customer_verdict(reference, &identity.name.name, &facts.profile);
    let scope = Scope {
        identity,
        generation: identity.generation,
        tenant,
        customer: &verdict,
        profile: &facts.profile,
        estate: &facts.estate,
        before: &before.conditions,
        recheck: &recheck,
        resync: &resync,
        attempt: &facts.attempt,
        is_deleting: facts.is_deleting,
        now,
    };
    let cost = cost::plan(&scope, wish.cost_management, &facts.cost, before.cost_management.as_ref());
    let (cost, cost_status) = cost.unzip();
    // One part's failure is not the other's: charges are changed only where there is an active plan, and a plan is bought
    // only where there is none.
    let plan = azure_plan::plan(&scope, &wish.plan, &facts.plan, before.azure_plan.as_ref());
    let (plan, plan_status) = plan.unzip();
    // Charges wait for the plan: whatever keeps it from being bought is what is to be put right first.
    let sections = [(ConditionType::AzurePlanVerified, &plan), (ConditionType::CostManagementSynced, &cost)];

    let parts = || sections.iter().filter_map(|(_, section)| section.as_ref());
    let mut needs: BTreeSet<_> = parts().flat_map(|section| section.needs.clone()).collect();
    let mut next = recheck.next(is_true(&before.conditions, ConditionType::Ready));
    if cost.is_some() {
        next = next.or(resync.next(is_true(&before.conditions, ConditionType::Ready)));
    }
    if let Some(tenant) = tenant
        // What is only remembered of the customer does not do for anything else that is looked at.
        && (recheck.is_due(&facts.profile) || !needs.is_empty() && facts.profile.is_unread())
    {
        needs.insert(Need::Customer(tenant));
    }
    if tenant.is_some() && recheck.is_remembered(&facts.profile) {
        return Plan { needs, actions: Vec::new(), status: before.clone(), events: Vec::new(), next };
    }

    let mut status = before.clone();
    status.observed_generation = identity.generation;
    status.last_handled_reconcile_at.clone_from(&identity.reconcile_request);
    if let Some(profile) = facts.profile.known() {
        let profile = profile.as_ref();
        status.company_name = profile.and_then(|profile| profile.company_name.clone());
        status.domain = profile.and_then(|profile| profile.domain.clone());
        status.relationship = profile.map(|profile| profile.relationship.to_string());
    }
    // An object that has lost its last field is written as null by server-side apply, and then refused.
    status.cost_management = cost_status.filter(|status| *status != CostManagementStatus::default());
    status.azure_plan = plan_status.flatten().filter(|status| *status != AzurePlanStatus::default());
    let situation = match reference {
        _ if verdict.holds() => Situation::Holds,
        CustomerRef::Malformed(_) | CustomerRef::NotAllowed { is_certain: true, .. } => Situation::PersonMustAct,
        CustomerRef::Found(_) | CustomerRef::Missing | CustomerRef::NotAllowed { is_certain: false, .. } => {
            Situation::InProgress
        }
    };
    // The first that does not hold is the one to put right first.
    let (situation, decisive) = [(situation, &verdict)]
        .into_iter()
        .chain(parts().map(|section| (section.situation, &section.verdict)))
        .find(|(situation, _)| *situation != Situation::Holds)
        .unwrap_or((Situation::Holds, &verdict));
    let mut conditions = Conditions::new(&before.conditions, identity.generation, now);
    summarize(&mut conditions, situation, decisive.reason, &decisive.message);
    let (mut actions, mut events) = (Vec::new(), Vec::new());
    for (type_, section) in &sections {
        if let Some(section) = section {
            section.show(*type_, &mut conditions);
            events.extend(section.events.clone());
            actions.extend(section.actions.clone());
        }
    }
    conditions.set(ConditionType::CustomerResolved, verdict.clone());
    conditions.renew(ConditionType::PurchasesRecorded);
    status.conditions = conditions.finish();
    // What only a person can put right is looked at as seldom as what holds; whoever has done so asks anew.
    let is_quiet =
        situation != Situation::InProgress && parts().all(|section| section.situation != Situation::InProgress);
    next = recheck.next(is_quiet);
    for section in parts() {
        next = next.or(resync.next(is_quiet)).or(section.next);
    }
    if !needs.is_empty() {
        actions = Vec::new();
        events = Vec::new();
    }
    Plan { needs, actions, status, events, next }
}

#[cfg(test)]
mod tests;
