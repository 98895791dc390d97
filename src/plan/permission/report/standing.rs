//! Where an object stands: `Synced`, and what `Ready`, `Reconciling` and `Stalled` make of it.

use super::super::assessment::Assessment;
use super::super::facts::{Attempt, Failure};
use super::super::held::Held;
use super::super::pass::Pass;
use super::super::switches::wished;
use super::super::target::Target;
use super::author::{Turned, names, told};
use super::{Outcome, Report};
use crate::api::LatchReason;
use crate::model::{Denial, Switch};
use crate::plan::conditions::{Truth, Verdict};
use crate::plan::namespace::NAMESPACE_NOT_ALLOWED;
use crate::plan::partner::{PartnerAuthorization, denied};
use crate::plan::summary::{GRANT_BUDGET_EXCEEDED, Situation};

/// `Synced`, and what `Ready`, `Reconciling` and `Stalled` make of it.
pub(super) struct Standing {
    pub(super) synced: Option<Verdict>,
    pub(super) situation: Situation,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Pass<'_> {
    pub(super) fn standing(&self, report: &Report, turned: &[Turned]) -> Standing {
        match &report.outcome {
            Outcome::Unresolved => match report.assessment.as_ref().and_then(Assessment::first_failing) {
                Some(failing) => Standing {
                    synced: Some(Verdict::unknown("CustomerNotResolved", "looked at once CustomerResolved is True")),
                    situation: waits_for(failing),
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
            Outcome::Enforced { target, denial, stall, brake: _ } => {
                let why = stall.as_ref().map(|stall| &stall.why).or(denial.as_ref());
                self.enforced(report, target.as_ref(), why, turned)
            }
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
        turned: &[Turned],
    ) -> Standing {
        if let Attempt::Failed(failure) = &self.facts.attempt {
            return self.failed(failure);
        }
        let Some(target) = target else { return self.unread(report, denial) };
        if target.is_met() {
            if let Some(standing) = self.latched() {
                return standing;
            }
            let message = format!("Partner Center holds what is declared: {}", self.declared());
            return Standing {
                synced: Some(Verdict::yes("InSync", message.clone())),
                situation: Situation::Holds,
                reason: "InSync",
                message,
            };
        }
        let plan = self.words(report).join("; ");
        let brake = report.brake().filter(|_| !target.is_due());
        let synced = if let Some(brake) = brake.filter(|_| turned.is_empty()) {
            Verdict::no(GRANT_BUDGET_EXCEEDED, brake.message())
        } else if turned.is_empty() {
            let reason = if target.is_due() { "PendingWrite" } else { "PrerequisitesNotMet" };
            Verdict::no(reason, format!("due: {plan}"))
        } else {
            let left: Vec<_> = turned.iter().filter(|one| target.left.contains(&one.switch)).cloned().collect();
            let left = (!left.is_empty()).then(|| {
                let what = match (plan.is_empty(), left.len()) {
                    (false, _) => names(&left),
                    (true, 1) => "it".to_owned(),
                    (true, _) => "them".to_owned(),
                };
                format!("driftPolicy {:?} leaves {what} so", self.desired.drift_policy)
            });
            let due = (!plan.is_empty()).then(|| format!("due: {plan}"));
            let then = [due, left].into_iter().flatten().collect::<Vec<_>>().join("; ");
            Verdict::no("Drifted", format!("{}; {then}", told(turned)))
        };
        if target.is_due() {
            return in_progress(synced);
        }
        if target.withheld.is_empty() {
            return Standing {
                situation: Situation::Drifted,
                reason: "Drifted",
                message: synced.message.clone(),
                synced: Some(synced),
            };
        }
        if let Some(brake) = brake {
            return Standing {
                synced: Some(synced),
                situation: Situation::InProgress,
                reason: GRANT_BUDGET_EXCEEDED,
                message: brake.message(),
            };
        }
        // Only withheld grants are left: the first thing to put right is what Ready tells.
        let failing = report.assessment.as_ref().and_then(Assessment::first_failing);
        match (failing, denial) {
            // What could not be read may well be for the very reason that is known.
            (Some(failing), Some(denial)) if failing.truth == Truth::Unknown => Standing {
                synced: Some(synced),
                situation: Situation::PersonMustAct,
                reason: denial.reason,
                message: denial.message.clone(),
            },
            (Some(failing), _) => Standing {
                synced: Some(synced),
                situation: waits_for(failing),
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

    /// Where everything is off that the spec would allow.
    fn latched(&self) -> Option<Standing> {
        let latch = self.latches.latched.first()?;
        let (situation, reason, message) = match latch.reason {
            LatchReason::PrerequisiteLost => (
                Situation::PersonMustAct,
                "PrerequisiteLost",
                format!(
                    "turned off because a prerequisite was lost: {}. Put it right; then change the spec, for nothing else turns it on again",
                    latch.message.as_deref().unwrap_or("see the other conditions").trim_end_matches('.')
                ),
            ),
            LatchReason::Expired | LatchReason::Unknown => {
                let end = latch.valid_until.as_ref().map(|end| end.0.to_string()).unwrap_or_default();
                (
                    Situation::Holds,
                    "Expired",
                    format!("validUntil {end} has come: everything is off; another validUntil allows it again"),
                )
            }
        };
        Some(Standing { synced: Some(Verdict::yes("InSync", message.clone())), situation, reason, message })
    }

    /// The writes that are due, in words.
    pub(super) fn words(&self, report: &Report) -> Vec<String> {
        if matches!(report.outcome, Outcome::Suspended) {
            return self.before.plan.clone();
        }
        let Some(target) = report.target() else { return Vec::new() };
        let failing = report.assessment.as_ref().and_then(|assessment| assessment.first_failing());
        let waits_for = match (report.brake(), failing) {
            (Some(_), _) => ", as soon as --max-grants-per-hour leaves room for it".to_owned(),
            (None, Some(failing)) => format!(", once this is put right: {}", failing.message),
            (None, None) => String::new(),
        };
        let off = target.revokes.iter().map(|switch| format!("turn {switch} off"));
        let on = target.grants.iter().map(|switch| format!("turn {switch} on"));
        let later = target.withheld.iter().map(|switch| format!("turn {switch} on{waits_for}"));
        off.chain(on).chain(later).collect()
    }

    /// The wishes that this object manages, in words.
    fn declared(&self) -> String {
        let managed: Vec<_> = Switch::ALL
            .into_iter()
            .filter_map(|switch| {
                let wish = wished(self.latches.wishes.of(switch))?;
                Some(format!("{switch} {wish:?}"))
            })
            .collect();
        if managed.is_empty() { "both switches Unmanaged".to_owned() } else { managed.join(", ") }
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
            let is_needed = self.latches.wishes.allow_anything();
            if is_needed { assessment.first_failing() } else { Some(&assessment.customer).filter(|it| !it.holds()) }
        });
        let (situation, cause) = match (denial, failing, failure) {
            (Some(denial), _, _) => (Situation::PersonMustAct, denied(denial)),
            (None, Some(failing), _) if failing.truth == Truth::False => (waits_for(failing), failing.clone()),
            // What was tried and failed says more than what nobody has tried.
            (None, _, Some(failure)) => (Situation::InProgress, failure),
            (None, Some(failing), None) => (Situation::InProgress, failing.clone()),
            (None, None, None) => (Situation::InProgress, synced.clone()),
        };
        Standing { synced: Some(synced), situation, reason: cause.reason, message: cause.message }
    }

    fn failed(&self, Failure { reason, message, needs_person }: &Failure) -> Standing {
        if *needs_person {
            let is_the_customers = *reason == "NotAdminAgent" && self.partner() == PartnerAuthorization::WriteAccepted;
            let hint = if is_the_customers { OTHERS_ARE_ACCEPTED } else { "" };
            return stuck(Verdict::no("WriteRefused", format!("{message}{hint}")));
        }
        Standing {
            synced: Some(Verdict::no("PendingWrite", message.clone())),
            situation: Situation::InProgress,
            reason,
            message: message.clone(),
        }
    }
}

/// Added to a refusal for a wrong role while nothing suggests that the role is wrong.
const OTHERS_ARE_ACCEPTED: &str = " Partner Center has accepted a write of this sign-in, so this may be about the customer alone: look in Partner Center whether it is still a reseller customer of yours with an active Azure plan.";

/// Whether a prerequisite may come by itself, or a person must act.
fn waits_for(failing: &Verdict) -> Situation {
    if failing.reason == NAMESPACE_NOT_ALLOWED { Situation::PersonMustAct } else { Situation::InProgress }
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
