//! What has latched, in the status and in events.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::latch::{is_about_manifests, lost, revokes_when_lost, second_look};
use super::super::pass::Pass;
use super::{Outcome, Report};
use crate::api::{CustomerPurchasePermissionStatus, Latch, LatchReason};
use crate::plan::{Event, Severity, Wait, to_second};

impl Pass<'_> {
    /// Since when readings say that a prerequisite does not hold. What cannot be read now, and what is a matter of
    /// manifests, changes nothing about that.
    pub(super) fn lost_since(&self, report: &Report) -> Option<Time> {
        let (Outcome::Enforced { .. }, Some(assessment)) = (&report.outcome, &report.assessment) else { return None };
        if !revokes_when_lost(self.desired) || !self.latches.wishes.allow_anything() {
            return None;
        }
        // A clock that was ahead when it was first seen would put the second look off until it is as late as that again.
        let not_ahead = |since: Time| if self.now < since.0 { to_second(self.now) } else { since };
        let known = self.before.prerequisite_lost_since.clone().map(not_ahead);
        if is_about_manifests(self.desired, &self.facts.prerequisites) {
            return known;
        }
        match (lost(assessment), assessment.first_failing()) {
            (Some(_), _) => known.or_else(|| Some(to_second(self.now))),
            (None, Some(_)) => known,
            (None, None) => None,
        }
    }

    /// When to look for the second time, if the first time was now.
    pub(super) fn next_look(&self, status: &CustomerPurchasePermissionStatus) -> Wait {
        match &status.prerequisite_lost_since {
            Some(first) if self.before.prerequisite_lost_since.is_none() => Wait::Until(second_look(first.0)),
            Some(_) | None => Wait::ForChange,
        }
    }

    /// Events of what has just latched.
    pub(super) fn latch_events(&self) -> Vec<Event> {
        let is_new = |latch: &&Latch| {
            !self.before.latched.iter().any(|known| {
                (known.reason, known.generation, &known.valid_until)
                    == (latch.reason, latch.generation, &latch.valid_until)
            })
        };
        let tell = |latch: &Latch| {
            // Not by the time of this pass: after a crash, or a status that could not be written, another one tells.
            let (severity, reason, note, of) = match latch.reason {
                LatchReason::PrerequisiteLost => (
                    Severity::Warning,
                    "PrerequisiteLost",
                    format!("everything is turned off: {}", latch.message.as_deref().unwrap_or_default()),
                    &self.before.prerequisite_lost_since,
                ),
                LatchReason::Expired | LatchReason::Unknown => (
                    Severity::Normal,
                    "Expired",
                    "validUntil has come: everything is turned off".to_owned(),
                    &latch.valid_until,
                ),
            };
            let of = of.as_ref().map_or(latch.since.0, |of| of.0);
            Event { severity, reason: reason.to_owned(), note, key: format!("{reason}/{}/{of}", latch.generation) }
        };
        self.latches.latched.iter().filter(is_new).map(tell).collect()
    }
}
