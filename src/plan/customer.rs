//! The plan of a `Customer`: is the tenant one of the partner's?

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::conditions::{ConditionType, Conditions, customer_verdict, is_true};
use super::recheck::Recheck;
use super::schedule::Intervals;
use super::summary::{Situation, summarize};
use super::{CustomerRef, Identity, Need, Plan};
use crate::api::CustomerStatus;
use crate::model::{CustomerProfile, Fact};

/// A Customer changes nothing outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAction {}

/// What is known about a Customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What Partner Center says of it; `None`: nothing, it knows no such customer of this partner.
    pub profile: Fact<Option<CustomerProfile>>,
    /// When this process began to remember; facts of before are those in the status.
    pub started: Timestamp,
}

/// Plans one Customer.
pub fn plan(
    identity: &Identity,
    reference: &CustomerRef,
    facts: &Facts,
    before: &CustomerStatus,
    intervals: Intervals,
    now: Timestamp,
) -> Plan<CustomerStatus, NoAction> {
    let recheck = Recheck {
        identity,
        observed_generation: before.observed_generation,
        last_handled_reconcile_at: before.last_handled_reconcile_at.as_deref(),
        conditions: &before.conditions,
        interval: intervals.prerequisites,
        started: facts.started,
        now,
    };
    let mut needs = BTreeSet::new();
    if let CustomerRef::Found(tenant) = reference
        && recheck.is_due(&facts.profile)
    {
        needs.insert(Need::Customer(*tenant));
    }
    if recheck.is_remembered(&facts.profile) {
        let next = recheck.next(is_true(&before.conditions, ConditionType::Ready));
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
    let verdict = customer_verdict(reference, &identity.name.name, &facts.profile);
    let situation = match reference {
        _ if verdict.holds() => Situation::Holds,
        CustomerRef::Malformed(_) => Situation::PersonMustAct,
        CustomerRef::Found(_) | CustomerRef::Missing => Situation::InProgress,
    };
    let mut conditions = Conditions::new(&before.conditions, identity.generation, now);
    summarize(&mut conditions, situation, verdict.reason, &verdict.message);
    conditions.set(ConditionType::CustomerResolved, verdict);
    status.conditions = conditions.finish();
    let next = recheck.next(situation == Situation::Holds);
    Plan { needs, actions: Vec::new(), status, events: Vec::new(), next }
}

#[cfg(test)]
mod tests;
