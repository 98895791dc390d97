//! What the parts of a Customer's plan have in common.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Action;
use super::ownership::Contender;
use crate::model::{AzureEstate, CustomerProfile, Fact, TenantId};
use crate::plan::conditions::{ConditionType, Conditions, Verdict};
use crate::plan::permission::Attempt;
use crate::plan::recheck::Recheck;
use crate::plan::summary::Situation;
use crate::plan::{Event, Identity, Need, Wait};

/// How old the facts behind a write may be.
const FACTS_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What every part goes by.
pub(super) struct Scope<'a> {
    pub(super) identity: &'a Identity,
    pub(super) generation: i64,
    /// The customer's tenant, if the manifest names one.
    pub(super) tenant: Option<TenantId>,
    /// Whether it is the partner's to act for.
    pub(super) customer: &'a Verdict,
    pub(super) profile: &'a Fact<Option<CustomerProfile>>,
    pub(super) estate: &'a Fact<AzureEstate>,
    /// The conditions of before.
    pub(super) before: &'a [Condition],
    /// For prerequisites.
    pub(super) recheck: &'a Recheck<'a>,
    /// For what is kept as declared.
    pub(super) resync: &'a Recheck<'a>,
    pub(super) attempt: &'a Attempt,
    pub(super) is_deleting: bool,
    pub(super) now: Timestamp,
}

impl Scope<'_> {
    /// The Customer among those that mean its tenant.
    pub(super) fn contender<Wish>(&self, wish: Wish) -> Contender<Wish> {
        let Identity { name, uid, created, .. } = self.identity;
        Contender { name: name.clone(), uid: uid.clone(), created: *created, wish }
    }
}

/// What follows for one part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) needs: BTreeSet<Need>,
    pub(super) actions: Vec<Action>,
    /// What its condition says.
    pub(super) verdict: Verdict,
    pub(super) situation: Situation,
    /// Whether the condition stays as it was, which was true.
    pub(super) is_kept: bool,
    pub(super) events: Vec<Event>,
    /// When to look again, beside the usual turns.
    pub(super) next: Wait,
}

impl Section {
    fn new(verdict: Verdict, situation: Situation) -> Self {
        Self {
            needs: BTreeSet::new(),
            actions: Vec::new(),
            verdict,
            situation,
            is_kept: false,
            events: Vec::new(),
            next: Wait::ForChange,
        }
    }

    /// It is as declared.
    pub(super) fn holds(verdict: Verdict) -> Self {
        Self::new(verdict, Situation::Holds)
    }

    /// It may come by itself.
    pub(super) fn waiting(verdict: Verdict) -> Self {
        Self::new(verdict, Situation::InProgress)
    }

    /// A person must act.
    pub(super) fn stalled(verdict: Verdict) -> Self {
        Self::new(verdict, Situation::PersonMustAct)
    }

    /// What the status says is believed: it was so, and nobody has looked since.
    pub(super) fn kept() -> Self {
        Self { is_kept: true, ..Self::holds(Verdict::yes("Remembered", "")) }
    }

    /// Puts its condition among the others.
    pub(super) fn show(&self, type_: ConditionType, conditions: &mut Conditions<'_>) {
        if self.is_kept {
            conditions.renew(type_);
        } else {
            conditions.set(type_, self.verdict.clone());
        }
    }
}

/// Whether something must be read before anything is written on the strength of it. What has just failed to be read is not
/// asked for again in the same pass; nothing follows from it either.
pub(super) fn is_stale<T>(fact: &Fact<T>, now: Timestamp) -> bool {
    fact.fresh(now, FACTS_AGE_MAX).is_none() && fact.failure().is_none()
}
