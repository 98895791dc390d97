//! The status of a permission: what is known, what is done about it, and what a person should do.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::activity::{self, unseen};
use super::assessment::Assessment;
use super::held::{Held, is_touched, state};
use super::target::Target;
use super::{Action, Attempt, Failure, Pass, PermissionPlan, denied};
use crate::api::{
    Activity, ActivityOrigin, CustomerPurchasePermissionStatus, PurchaseSwitch, SwitchState, SwitchStatus, Switches,
};
use crate::model::{Denial, Origin, PartnerAuthorization, Switch, TenantId};
use crate::plan::conditions::{ConditionType, Conditions, Truth, Verdict};
use crate::plan::summary::{Situation, summarize};
use crate::plan::{Event, Need, Plan, Severity, Wait, to_second};

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
    Enforced { target: Option<Target>, denial: Option<Denial> },
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

/// `Synced`, and what `Ready`, `Reconciling` and `Stalled` make of it.
struct Standing {
    synced: Option<Verdict>,
    situation: Situation,
    reason: &'static str,
    message: String,
}

impl Pass<'_> {
    /// Turns what a pass has come to into its plan.
    pub(super) fn report(&self, report: Report) -> PermissionPlan {
        let mut status = self.before.clone();
        status.observed_generation = self.desired.identity.generation;
        status.last_handled_reconcile_at.clone_from(&self.desired.identity.reconcile_request);
        self.show_switches(&report, &mut status);
        status.plan = self.words(&report);
        status.recent_activity = activity::merge(&self.before.recent_activity, &self.facts.activity);

        let drifted = self.drifted(&report);
        let standing = self.standing(&report, &drifted);
        let mut conditions = Conditions::new(&self.before.conditions, self.desired.identity.generation, self.now);
        self.show_prerequisites(&report, &standing, &mut conditions);
        self.show_activity(&status, &mut conditions);
        match &standing.synced {
            Some(verdict) => conditions.set(ConditionType::Synced, verdict.clone()),
            None => conditions.keep(ConditionType::Synced),
        }
        summarize(&mut conditions, standing.situation, standing.reason, &standing.message);
        status.conditions = conditions.finish();

        let events = self.events(&report, &drifted);
        let next = self.next(&report);
        Plan { needs: report.needs, actions: report.actions, status, events, next }
    }

    fn show_switches(&self, report: &Report, status: &mut CustomerPurchasePermissionStatus) {
        let Held::Read { state: read, .. } = &report.held else {
            let is_worthless = match report.outcome {
                // Who does not own the tenant does not hear of the owner's writes.
                Outcome::Conflict { .. } | Outcome::Unresolved => true,
                // From here on the status knows the record or the generation, so nothing but this tells that nobody has
                // looked since.
                Outcome::Enforced { .. } | Outcome::Observed { .. } | Outcome::Stopped { .. } => {
                    is_touched(self) || !self.is_current()
                }
                // Going on is another generation.
                Outcome::Suspended => is_touched(self),
            };
            if is_worthless {
                status.effective = None;
                status.policy_id = None;
            }
            return;
        };
        status.policy_id = read.policy().map(|policy| policy.id.clone());
        let before = self.before.effective.as_ref();
        let mut effective = Switches::default();
        for switch in Switch::ALL {
            set(&mut effective, switch, Some(self.since(before, switch, word(read.allows(switch)))));
        }
        status.effective = Some(effective);
        if !matches!(report.outcome, Outcome::Enforced { .. }) {
            return;
        }
        let applied_before = self.before.last_applied.as_ref();
        let mut applied = self.before.last_applied.clone().unwrap_or_default();
        for switch in Switch::ALL {
            match wished(self.desired.wishes.of(switch)) {
                None => set(&mut applied, switch, None),
                Some(wish) if wish == word(read.allows(switch)) => {
                    set(&mut applied, switch, Some(self.since(applied_before, switch, wish)));
                }
                Some(_) => {}
            }
        }
        status.last_applied = (applied != Switches::default()).then_some(applied);
    }

    /// `wanted`, with the time of before if that is what it was before.
    fn since(&self, before: Option<&Switches>, switch: Switch, wanted: SwitchState) -> SwitchStatus {
        let since: Time = before
            .and_then(|before| get(before, switch))
            .filter(|before| before.state == wanted)
            .map_or_else(|| to_second(self.now), |before| before.since.clone());
        SwitchStatus { state: wanted, since }
    }

    /// The switches that were as wished when we last looked, and are not any more.
    fn drifted(&self, report: &Report) -> Vec<Switch> {
        // What is being deleted wishes nothing any more.
        if self.desired.is_deleting || !matches!(report.outcome, Outcome::Enforced { .. }) {
            return Vec::new();
        }
        let Some(applied) = &self.before.last_applied else { return Vec::new() };
        Switch::ALL
            .into_iter()
            .filter(|switch| {
                let wish = wished(self.desired.wishes.of(*switch));
                wish.is_some()
                    && wish == state(applied, *switch)
                    && report.held.allows(*switch).is_some_and(|actual| Some(word(actual)) != wish)
            })
            .collect()
    }

    /// The writes that are due, in words.
    fn words(&self, report: &Report) -> Vec<String> {
        if matches!(report.outcome, Outcome::Suspended) {
            return self.before.plan.clone();
        }
        let Some(target) = report.target() else { return Vec::new() };
        let waits_for = report
            .assessment
            .as_ref()
            .and_then(|assessment| assessment.first_failing())
            .map_or_else(String::new, |failing| format!(", once this is put right: {}", failing.message));
        let off = target.revokes.iter().map(|switch| format!("turn {switch} off"));
        let on = target.grants.iter().map(|switch| format!("turn {switch} on"));
        let later = target.withheld.iter().map(|switch| format!("turn {switch} on{waits_for}"));
        off.chain(on).chain(later).collect()
    }

    fn standing(&self, report: &Report, drifted: &[Switch]) -> Standing {
        match &report.outcome {
            Outcome::Unresolved => match report.assessment.as_ref().and_then(Assessment::first_failing) {
                Some(failing) => Standing {
                    synced: Some(Verdict::unknown("CustomerNotResolved", "looked at once CustomerResolved is True")),
                    situation: Situation::InProgress,
                    reason: failing.reason,
                    message: failing.message.clone(),
                },
                None => in_progress(Verdict::unknown("NotRead", "nothing has been read yet")),
            },
            Outcome::Conflict { message } => stuck(Verdict::no("Conflict", message.clone())),
            Outcome::Stopped { reason, message } => {
                Standing { synced: None, situation: Situation::PersonMustAct, reason, message: message.clone() }
            }
            Outcome::Suspended => {
                Standing { synced: None, situation: Situation::Suspended, reason: "Suspended", message: String::new() }
            }
            Outcome::Observed { target } => self.observed(report, target.as_ref()),
            Outcome::Enforced { target, denial } => self.enforced(report, target.as_ref(), denial.as_ref(), drifted),
        }
    }

    fn observed(&self, report: &Report, target: Option<&Target>) -> Standing {
        let Some(target) = target else { return self.unread(report, None) };
        let synced = if target.is_met() {
            Verdict::yes("InSync", "Partner Center holds what is declared")
        } else {
            Verdict::no(
                "PendingWrite",
                format!("mode Observe writes nothing; Enforce would: {}", self.words(report).join("; ")),
            )
        };
        Standing {
            situation: Situation::Observed,
            reason: "Observed",
            message: format!("observed only; {}", synced.message),
            synced: Some(synced),
        }
    }

    fn enforced(
        &self,
        report: &Report,
        target: Option<&Target>,
        denial: Option<&Denial>,
        drifted: &[Switch],
    ) -> Standing {
        if let Attempt::Failed(failure) = &self.facts.attempt {
            return failed(failure);
        }
        let Some(target) = target else { return self.unread(report, denial) };
        if target.is_met() {
            let message = format!("Partner Center holds what is declared: {}", self.declared());
            return Standing {
                synced: Some(Verdict::yes("InSync", message.clone())),
                situation: Situation::Holds,
                reason: "InSync",
                message,
            };
        }
        let plan = self.words(report).join("; ");
        let synced = if drifted.is_empty() {
            let reason = if target.is_due() { "PendingWrite" } else { "PrerequisitesNotMet" };
            Verdict::no(reason, format!("due: {plan}"))
        } else {
            let what = drifted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            Verdict::no("Drifted", format!("{what} was turned by {}; due: {plan}", self.culprit(drifted)))
        };
        if target.is_due() {
            return in_progress(synced);
        }
        // Only withheld grants are left: the first thing to put right is what Ready tells.
        let failing = report.assessment.as_ref().and_then(Assessment::first_failing);
        match (failing, denial) {
            (Some(failing), _) => Standing {
                synced: Some(synced),
                situation: Situation::InProgress,
                reason: failing.reason,
                message: failing.message.clone(),
            },
            (None, Some(denial)) => Standing {
                synced: Some(synced),
                situation: Situation::PersonMustAct,
                reason: denial.reason,
                message: denial.message.clone(),
            },
            (None, None) => in_progress(synced),
        }
    }

    /// Nobody knows what Partner Center holds.
    fn unread(&self, report: &Report, denial: Option<&Denial>) -> Standing {
        let (synced, failure) = match &report.held {
            Held::Unknown { why } => {
                let verdict = Verdict::ignorance(why, "the customer's policy");
                (Verdict { truth: Truth::Unknown, ..verdict.clone() }, Some(verdict))
            }
            Held::Unread | Held::Remembered { .. } | Held::Read { .. } => {
                (Verdict::unknown("NotRead", "the customer's policy has not been read yet"), None)
            }
        };
        let failing = report.assessment.as_ref().and_then(|assessment| {
            let is_needed = self.desired.wishes.allow_anything();
            if is_needed { assessment.first_failing() } else { Some(&assessment.customer).filter(|it| !it.holds()) }
        });
        let (situation, cause) = match (denial, failing, failure) {
            (Some(denial), _, _) => (Situation::PersonMustAct, denied(denial)),
            (None, Some(failing), _) if failing.truth == Truth::False => (Situation::InProgress, failing.clone()),
            // What was tried and failed says more than what nobody has tried.
            (None, _, Some(failure)) => (Situation::InProgress, failure),
            (None, Some(failing), None) => (Situation::InProgress, failing.clone()),
            (None, None, None) => (Situation::InProgress, synced.clone()),
        };
        Standing { synced: Some(synced), situation, reason: cause.reason, message: cause.message }
    }

    /// The wishes that this object manages, in words.
    fn declared(&self) -> String {
        let managed: Vec<_> = Switch::ALL
            .into_iter()
            .filter_map(|switch| {
                let wish = wished(self.desired.wishes.of(switch))?;
                Some(format!("{switch} {wish:?}"))
            })
            .collect();
        if managed.is_empty() { "both switches Unmanaged".to_owned() } else { managed.join(", ") }
    }

    /// Who has turned a switch, as far as the activity log tells.
    fn culprit(&self, drifted: &[Switch]) -> String {
        match self.newest_foreign(drifted) {
            Some(entry) => {
                let actor = entry.actor.as_deref().unwrap_or("somebody whom the record does not name");
                format!("{actor} at {}", entry.time.0)
            }
            None => "somebody whom the activity log does not name yet".to_owned(),
        }
    }

    /// Since when the status shows that a switch is not as wished.
    fn drifted_since(&self, switch: Switch) -> Option<Timestamp> {
        let status = get(self.before.effective.as_ref()?, switch)?;
        (wished(self.desired.wishes.of(switch)) != Some(status.state)).then_some(status.since.0)
    }

    /// The newest record of somebody else, unless one of ours tells that it was put right afterwards.
    fn newest_foreign(&self, drifted: &[Switch]) -> Option<Activity> {
        let applied_since = self.before.last_applied.as_ref().and_then(|applied| {
            drifted.iter().filter_map(|switch| get(applied, *switch)).map(|status| status.since.0).max()
        });
        // A write of ours after this moment was about the other switch: this one is still as it was then.
        let drifted_since = drifted.iter().filter_map(|switch| self.drifted_since(*switch)).min();
        activity::merge(&self.before.recent_activity, &self.facts.activity)
            .into_iter()
            .filter(|entry| !entry.result.eq_ignore_ascii_case("failed"))
            .find(|entry| {
                entry.origin != ActivityOrigin::Operator || drifted_since.is_none_or(|since| entry.time.0 <= since)
            })
            .filter(|entry| entry.origin != ActivityOrigin::Operator)
            // A record from before the switches were right cannot tell of what has changed since. Its clock is not ours.
            .filter(|entry| {
                applied_since.is_none_or(|since| {
                    entry.time.0.saturating_add(jiff::SignedDuration::from_mins(5)).is_ok_and(|at| at >= since)
                })
            })
    }

    fn show_prerequisites(&self, report: &Report, standing: &Standing, conditions: &mut Conditions<'_>) {
        let Some(assessment) = &report.assessment else {
            for type_ in [
                ConditionType::CustomerResolved,
                ConditionType::PartnerAuthorized,
                ConditionType::AzureSubscriptionVerified,
                ConditionType::OwnerRoleVerified,
            ] {
                conditions.keep(type_);
            }
            return;
        };
        let is_pending = !matches!(standing.situation, Situation::Holds | Situation::Observed);
        let not_needed = || Verdict::unknown("NotNeeded", "not looked at: nothing is to be allowed");
        let is_needed = self.desired.wishes.allow_anything();
        let verdicts = [
            (ConditionType::CustomerResolved, assessment.customer.clone()),
            (
                ConditionType::AzureSubscriptionVerified,
                if is_needed { assessment.subscriptions.clone() } else { not_needed() },
            ),
            (ConditionType::OwnerRoleVerified, if is_needed { assessment.owners.clone() } else { not_needed() }),
        ];
        for (type_, verdict) in verdicts {
            let is_remembered = verdict.truth == Truth::Unknown
                && verdict.reason != "NotNeeded"
                && self.is_current()
                && conditions.before(type_).is_some()
                && (!is_pending
                    || verdict.reason == "NotRead"
                    || verdict.reason == "OwnerUnknown" && report.needs.is_empty());
            if is_remembered {
                conditions.keep(type_);
            } else {
                conditions.set(type_, verdict);
            }
        }
        self.show_partner(is_pending && matches!(report.outcome, Outcome::Enforced { .. }), conditions);
    }

    /// Facts about the partner as a whole change only objects that have something to do with them: ten thousand
    /// converged objects do not turn red for one expired sign-in.
    fn show_partner(&self, is_pending: bool, conditions: &mut Conditions<'_>) {
        let is_concerned = is_pending || self.facts.attempt != Attempt::None;
        if !is_concerned && conditions.before(ConditionType::PartnerAuthorized).is_some() {
            conditions.renew(ConditionType::PartnerAuthorized);
            return;
        }
        let verdict = match &self.facts.partner.authorization {
            PartnerAuthorization::Authorized => {
                Verdict::yes("WriteAccepted", "Partner Center has accepted a write of this sign-in")
            }
            PartnerAuthorization::Unverified => Verdict::unknown(
                "Unverified",
                "no write has shown yet whether the sign-in may change purchase permissions; the next one will",
            ),
            PartnerAuthorization::Denied(denial) => denied(denial),
        };
        conditions.set(ConditionType::PartnerAuthorized, verdict);
    }

    fn show_activity(&self, status: &CustomerPurchasePermissionStatus, conditions: &mut Conditions<'_>) {
        let was_pending =
            conditions.before(ConditionType::ActivityRecorded).is_some_and(|before| before.reason == "RecordPending");
        let is_new = self.before.recent_activity != status.recent_activity;
        // A restart forgets which writes wait for their record; the status remembers, until a record comes.
        let is_pending = self.facts.is_record_pending || (was_pending && !is_new);
        conditions.set(ConditionType::ActivityRecorded, activity::verdict(&status.recent_activity, is_pending));
    }

    /// An event for every record that is news, and one for a drift that no record tells of.
    fn events(&self, report: &Report, drifted: &[Switch]) -> Vec<Event> {
        let news: Vec<_> = unseen(&self.facts.activity, &self.before.recent_activity)
            .into_iter()
            // What happened before the object was made is history, not news.
            .filter(|seen| seen.record.at >= self.desired.identity.created)
            .collect();
        let culprit = news.iter().rposition(|seen| seen.origin != Origin::Own);
        let mut events: Vec<_> = news.iter().map(|seen| seen.event()).collect();
        if drifted.is_empty() {
            return events;
        }
        let what = drifted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let then = if report.target().is_some_and(Target::is_due) {
            format!("{what} is not as declared any more; the operator turns it back")
        } else {
            format!("{what} is not as declared any more, and cannot be turned back yet")
        };
        if let Some(index) = culprit {
            events[index].note = format!("{}. {then}", events[index].note);
            return events;
        }
        // Not by `Synced`: a correction that fails hides the drift behind its own reason.
        if drifted.iter().any(|switch| self.drifted_since(*switch).is_none()) {
            // Since when it had been right: the same until the status tells of the drift, another one later.
            let shown = self.before.effective.as_ref();
            let right_since =
                drifted.iter().filter_map(|switch| get(shown?, *switch)).map(|status| status.since.0).max();
            let right_since = right_since.unwrap_or_else(|| to_second(self.now).0);
            events.push(Event {
                severity: Severity::Warning,
                reason: "Drifted".to_owned(),
                note: format!("{then}. By {}", self.culprit(drifted)),
                key: format!("Drifted/{what}/{right_since}"),
            });
        }
        events
    }

    fn next(&self, report: &Report) -> Wait {
        let decay = match (&report.outcome, self.facts.partner.decays_at) {
            (Outcome::Enforced { denial: Some(_), .. }, Some(at)) => Wait::Until(at),
            _ => Wait::ForChange,
        };
        match (&report.outcome, report.tenant) {
            // Also where a person must act: there may be something to revoke meanwhile.
            (Outcome::Enforced { .. } | Outcome::Observed { .. } | Outcome::Stopped { .. }, Some(_)) => {
                self.next_sweep().or(decay)
            }
            _ => Wait::ForChange,
        }
    }
}

fn in_progress(synced: Verdict) -> Standing {
    Standing {
        situation: Situation::InProgress,
        reason: synced.reason,
        message: synced.message.clone(),
        synced: Some(synced),
    }
}

fn stuck(synced: Verdict) -> Standing {
    Standing {
        situation: Situation::PersonMustAct,
        reason: synced.reason,
        message: synced.message.clone(),
        synced: Some(synced),
    }
}

fn failed(failure: &Failure) -> Standing {
    let Failure { reason, message, needs_person } = failure;
    if *needs_person {
        return stuck(Verdict::no("WriteRefused", message.clone()));
    }
    Standing {
        synced: Some(Verdict::no("PendingWrite", message.clone())),
        situation: Situation::InProgress,
        reason,
        message: message.clone(),
    }
}

/// The state that a wish asks for, if it asks for one.
fn wished(wish: PurchaseSwitch) -> Option<SwitchState> {
    match wish {
        PurchaseSwitch::Allow => Some(SwitchState::Allow),
        PurchaseSwitch::Deny => Some(SwitchState::Deny),
        PurchaseSwitch::Unmanaged | PurchaseSwitch::Unknown => None,
    }
}

fn word(allows: bool) -> SwitchState {
    if allows { SwitchState::Allow } else { SwitchState::Deny }
}

fn get(switches: &Switches, switch: Switch) -> Option<&SwitchStatus> {
    match switch {
        Switch::Reservations => switches.azure_reservations.as_ref(),
        Switch::SavingsPlans => switches.azure_savings_plans.as_ref(),
    }
}

fn set(switches: &mut Switches, switch: Switch, status: Option<SwitchStatus>) {
    match switch {
        Switch::Reservations => switches.azure_reservations = status,
        Switch::SavingsPlans => switches.azure_savings_plans = status,
    }
}
