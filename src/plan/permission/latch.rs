//! Wishes that the spec expresses and something has ended: the time of a grant, or a prerequisite that was lost.
//!
//! Both latch. After `validUntil` has come, a clock that goes back allows nothing again: only another `validUntil` does.
//! After a prerequisite was lost, only a changed spec does. What has latched stands in the status.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::assessment::{Assessment, GRANT_FACTS_AGE_MAX, PrerequisiteFacts, assess, is_reference_error};
use super::desired::{Desired, Wishes};
use super::facts::Facts;
use super::switches::get;
use crate::api::{
    CustomerPurchasePermissionStatus, Latch, LatchReason, Mode, OnPrerequisiteLost, PurchaseSwitch, SwitchState,
};
use crate::model::Switch;
use crate::plan::conditions::{Truth, Verdict};
use crate::plan::{CustomerRef, Need, to_second};

/// How long after the first reading that says a prerequisite is lost it is read once more.
const SECOND_LOOK_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// What is left of the wishes, and why.
#[derive(Debug, Clone)]
pub(super) struct Latches {
    /// What counts now.
    pub(super) wishes: Wishes,
    /// For the status.
    pub(super) latched: Vec<Latch>,
    /// What must be read to be certain that a prerequisite is lost.
    pub(super) needs: BTreeSet<Need>,
    /// When something here changes by itself.
    pub(super) next: Option<Timestamp>,
}

impl Latches {
    /// What follows now. `clock_ahead`: how far this machine's clock is ahead of those of the services, where that is known
    /// to be too much.
    pub(super) fn new(
        desired: &Desired,
        facts: &Facts,
        before: &CustomerPurchasePermissionStatus,
        now: Timestamp,
    ) -> Self {
        let mut latches = Self { wishes: desired.wishes, latched: Vec::new(), needs: BTreeSet::new(), next: None };
        if !matches!(desired.mode, Mode::Enforce | Mode::Observe) {
            latches.latched.clone_from(&before.latched);
            return latches;
        }
        latches.expire(desired, facts, before, now);
        latches.lose(desired, facts, before, now);
        if !latches.latched.is_empty() {
            latches.wishes = desired.wishes.without_grants();
        }
        latches
    }

    fn expire(&mut self, desired: &Desired, facts: &Facts, before: &CustomerPurchasePermissionStatus, now: Timestamp) {
        let Some(end) = desired.valid_until else { return };
        if !desired.wishes.allow_anything() {
            return;
        }
        let known = before
            .latched
            .iter()
            .find(|latch| latch.reason == LatchReason::Expired && latch.valid_until.as_ref() == Some(&Time(end)));
        if let Some(known) = known {
            self.latched.push(known.clone());
            return;
        }
        let time = facts.clock_ahead.and_then(|ahead| now.checked_sub(ahead).ok()).unwrap_or(now);
        if time < end {
            let wait = end.duration_since(time);
            self.next = now.checked_add(wait).ok();
            return;
        }
        self.latched.push(Latch {
            reason: LatchReason::Expired,
            since: to_second(now),
            generation: desired.identity.generation,
            valid_until: Some(Time(end)),
            message: None,
        });
    }

    fn lose(&mut self, desired: &Desired, facts: &Facts, before: &CustomerPurchasePermissionStatus, now: Timestamp) {
        let generation = desired.identity.generation;
        let known = before
            .latched
            .iter()
            .find(|latch| latch.reason == LatchReason::PrerequisiteLost && latch.generation == generation);
        if let Some(known) = known {
            self.latched.push(known.clone());
            return;
        }
        let Some(shown) = before.prerequisite_lost_since.as_ref().map(|since| since.0) else { return };
        let first_seen = shown.min(now);
        // Only what was on before: what was found on although a prerequisite was missing is a matter of its own.
        let is_granted = |switch| {
            let applied = before.last_applied.as_ref().and_then(|applied| get(applied, switch));
            // A clock that has gone back since makes nothing newer than the reading.
            let is_older = |since| since <= first_seen || since > now;
            desired.wishes.of(switch) == PurchaseSwitch::Allow
                && applied.is_some_and(|applied| applied.state == SwitchState::Allow && is_older(applied.since.0))
        };
        let is_granted = Switch::ALL.into_iter().any(is_granted);
        if !is_granted || !revokes_when_lost(desired) || is_about_manifests(desired, &facts.prerequisites) {
            return;
        }
        let is_asked_anew = desired.identity.is_asked_anew(before.last_handled_reconcile_at.as_deref());
        let second_look = if is_asked_anew && shown != now { now } else { second_look(first_seen) };
        if now < second_look {
            self.next = Some(self.next.map_or(second_look, |next| next.min(second_look)));
            return;
        }
        // Only readings after the first one, and recent ones.
        let recent = now.saturating_sub(GRANT_FACTS_AGE_MAX).unwrap_or(Timestamp::MIN);
        let assessment = assess(desired, &facts.prerequisites, second_look.max(recent));
        match lost(&assessment) {
            Some(verdict) => self.latched.push(Latch {
                reason: LatchReason::PrerequisiteLost,
                since: to_second(now),
                generation,
                valid_until: None,
                message: Some(verdict.message.clone()),
            }),
            None => self.needs = assessment.needs,
        }
    }
}

/// Whether a prerequisite that is lost turns everything off.
pub(super) fn revokes_when_lost(desired: &Desired) -> bool {
    desired.mode == Mode::Enforce && desired.on_prerequisite_lost == OnPrerequisiteLost::Revoke
}

/// Whether the manifests do not fit together: a reference to nothing says nothing of Partner Center or Azure.
pub(super) fn is_about_manifests(desired: &Desired, facts: &PrerequisiteFacts) -> bool {
    !matches!(facts.customer, CustomerRef::Found(tenant) if desired.claim() == Some(tenant))
        || facts.subscriptions.iter().any(|one| is_reference_error(desired, one))
}

/// When a prerequisite that was first seen to be lost at `first` is looked at once more.
pub(super) fn second_look(first: Timestamp) -> Timestamp {
    first.saturating_add(SECOND_LOOK_AFTER).unwrap_or(Timestamp::MAX)
}

/// The first prerequisite that is known not to hold.
pub(super) fn lost(assessment: &Assessment) -> Option<&Verdict> {
    [&assessment.customer, &assessment.subscriptions, &assessment.owners]
        .into_iter()
        .find(|verdict| verdict.truth == Truth::False)
}
