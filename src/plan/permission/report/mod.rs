//! The status of a permission: what is known, what is done about it, and what a person should do.

mod author;
mod conditions;
mod drift;
mod latches;
mod standing;
mod switches;

use std::collections::BTreeSet;

use super::action::{Action, PermissionPlan};
use super::activity;
use super::assessment::Assessment;
use super::drift::Stall;
use super::facts::GrantBudget;
use super::held::Held;
use super::pass::Pass;
use super::target::Target;
use crate::api::Mode;
use crate::model::{Denial, TenantId};
use crate::plan::conditions::{ConditionType, Conditions};
use crate::plan::partner::PartnerAuthorization;
use crate::plan::summary::summarize;
use crate::plan::{Need, Plan, Wait, to_second};

/// What a pass has come to.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) tenant: Option<TenantId>,
    /// `None` when the prerequisites were not looked at: their conditions stay as they were.
    pub(super) assessment: Option<Assessment>,
    pub(super) held: Held,
    pub(super) outcome: Outcome,
    pub(super) needs: BTreeSet<Need>,
    pub(super) actions: Vec<Action>,
}

/// What follows for the switches.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is no telling which tenant is meant.
    Unresolved,
    /// Enforced; no target when nobody knows what Partner Center holds.
    Enforced {
        target: Option<Target>,
        denial: Option<Denial>,
        stall: Option<Stall>,
        /// What a first grant waits for, when nothing else is in its way.
        brake: Option<GrantBudget>,
    },
    /// Compared only.
    Observed { target: Option<Target> },
    /// Another permission owns the tenant, or nobody does.
    Conflict { message: String },
    /// A person must act first.
    Stopped { reason: &'static str, message: String },
    /// Not looked at.
    Suspended,
}

impl Report {
    pub(super) fn new(assessment: Assessment) -> Self {
        Self { needs: assessment.needs.clone(), assessment: Some(assessment), ..Self::of(Outcome::Unresolved) }
    }

    pub(super) fn conflict(assessment: Assessment, message: String) -> Self {
        Self { assessment: Some(assessment), ..Self::of(Outcome::Conflict { message }) }
    }

    pub(super) fn stopped(reason: &'static str, message: impl Into<String>) -> Self {
        Self::of(Outcome::Stopped { reason, message: message.into() })
    }

    pub(super) fn suspended() -> Self {
        Self::of(Outcome::Suspended)
    }

    fn of(outcome: Outcome) -> Self {
        Self {
            tenant: None,
            assessment: None,
            held: Held::Unread,
            outcome,
            needs: BTreeSet::new(),
            actions: Vec::new(),
        }
    }

    fn target(&self) -> Option<&Target> {
        match &self.outcome {
            Outcome::Enforced { target, .. } | Outcome::Observed { target } => target.as_ref(),
            Outcome::Unresolved | Outcome::Conflict { .. } | Outcome::Stopped { .. } | Outcome::Suspended => None,
        }
    }
}

impl Report {
    /// What a first grant waits for, when nothing else is in its way.
    fn brake(&self) -> Option<GrantBudget> {
        match self.outcome {
            Outcome::Enforced { brake, .. } => brake,
            _ => None,
        }
    }
}

impl Pass<'_> {
    /// Turns what a pass has come to into its plan.
    pub(super) fn report(&self, report: Report) -> PermissionPlan {
        let mut status = self.before.clone();
        status.observed_generation = self.desired.identity.generation;
        status.last_handled_reconcile_at.clone_from(&self.desired.identity.reconcile_request);
        if self.is_asked_anew() {
            status.read_anew_at = Some(to_second(self.now));
        }
        if let Some(tenant) = self.tenant {
            status.tenant_id = Some(tenant.to_string());
        }
        self.show_switches(&report, &mut status);
        status.plan = self.words(&report);
        status.recent_activity = activity::merge(&self.before.recent_activity, &self.facts.activity);

        let turned = self.turned(&report, &self.drifted(&report));
        self.show_drift(&report, &turned, &mut status);
        if self.owns_nothing(&report) {
            // What was applied before is no reason to restore it: with Enforce, this object begins anew.
            status.last_applied = None;
            status.corrections.clear();
        }
        status.latched.clone_from(&self.latches.latched);
        status.prerequisite_lost_since = self.lost_since(&report);
        self.adopt(&report, &mut status);
        let standing = self.standing(&report, &turned);
        let mut conditions = Conditions::new(&self.before.conditions, self.desired.identity.generation, self.now);
        self.show_prerequisites(&report, &standing, &mut conditions);
        self.show_activity(&status, &mut conditions);
        match &standing.synced {
            Some(verdict) => conditions.set(ConditionType::Synced, verdict.clone()),
            None => conditions.keep(ConditionType::Synced),
        }
        summarize(&mut conditions, standing.situation, standing.reason, &standing.message);
        status.conditions = conditions.finish();

        let mut events = self.events(&report, &turned);
        if matches!(report.outcome, Outcome::Enforced { .. }) {
            events.extend(self.latch_events());
        }
        let next = self.next(&report).or(self.next_look(&status));
        let next = if self.has_forgotten { Wait::Until(self.now) } else { next };
        Plan { needs: report.needs, actions: report.actions, status, events, next }
    }

    /// Whether it observes, and has let go of what it enforced or does so now.
    fn owns_nothing(&self, report: &Report) -> bool {
        let lets_go = report.actions.iter().any(|action| matches!(action, Action::Release { .. }));
        self.desired.mode == Mode::Observe && (lets_go || !self.desired.has_finalizer)
    }

    fn next(&self, report: &Report) -> Wait {
        let decay = match (&report.outcome, self.partner()) {
            (Outcome::Enforced { denial: Some(_), .. }, PartnerAuthorization::Denied { until, .. }) => {
                Wait::Until(until)
            }
            _ => Wait::ForChange,
        };
        let stall = match &report.outcome {
            Outcome::Enforced { stall: Some(stall), .. } => Wait::Until(stall.until),
            _ => Wait::ForChange,
        };
        let latch = self.latches.next.map_or(Wait::ForChange, Wait::Until);
        match (&report.outcome, report.tenant) {
            // Also where a person must act: there may be something to revoke meanwhile.
            (Outcome::Enforced { .. } | Outcome::Observed { .. } | Outcome::Stopped { .. }, Some(_)) => {
                self.next_sweep().or(decay).or(stall).or(latch)
            }
            _ => latch,
        }
    }
}
