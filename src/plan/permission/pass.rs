//! What all parts of the plan go by.

use jiff::{SignedDuration, Timestamp};

use super::assessment::{Assessment, GRANT_FACTS_AGE_MAX, assess};
use super::desired::Desired;
use super::facts::Facts;
use super::latch::Latches;
use super::ownership::Contender;
use crate::api::CustomerPurchasePermissionStatus;
use crate::model::TenantId;
use crate::plan::partner::PartnerAuthorization;
use crate::plan::schedule::{Intervals, next_turn};
use crate::plan::{CustomerRef, Need, Wait};

/// One plan in the making: what it is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) desired: &'a Desired,
    /// The tenant it means, if that is known.
    pub(super) tenant: Option<TenantId>,
    /// The one it claims, if nothing bears that out.
    pub(super) unproven: Option<TenantId>,
    /// What is left of the wishes.
    pub(super) latches: &'a Latches,
    pub(super) facts: &'a Facts,
    pub(super) before: &'a CustomerPurchasePermissionStatus,
    /// Whether the status must be written before anything is done: it tells of what this object does not answer for.
    pub(super) has_forgotten: bool,
    pub(super) intervals: Intervals,
    pub(super) now: Timestamp,
}

impl Pass<'_> {
    /// How it stands among those that mean the same tenant.
    pub(super) fn contender(&self, tenant: TenantId) -> Contender {
        Contender {
            name: self.desired.identity.name.clone(),
            uid: self.desired.identity.uid.clone(),
            created: self.desired.identity.created,
            has_claimed: self.desired.answers_for(tenant),
            has_acted: self.desired.has_acted_for(tenant),
            is_named: self.facts.prerequisites.customer == CustomerRef::Found(tenant),
            wishes: self.desired.wishes,
            valid_until: self.desired.valid_until,
        }
    }

    /// Whether the partner's sign-in may write.
    pub(super) fn partner(&self) -> PartnerAuthorization {
        self.facts.partner.authorization(self.now)
    }

    /// From when on a reading is recent enough to grant on.
    pub(super) fn earliest_for_a_grant(&self) -> Timestamp {
        if self.is_asked_anew() {
            return self.now;
        }
        self.now.saturating_sub(GRANT_FACTS_AGE_MAX).unwrap_or(Timestamp::MIN)
    }

    /// From when on a reading is recent enough to show.
    pub(super) fn earliest_for_display(&self) -> Timestamp {
        if self.is_asked_anew() { self.now } else { Timestamp::MIN }
    }

    /// The prerequisites as far as they happen to be known: nothing is granted on their strength.
    pub(super) fn assess_for_display(&self, since: Timestamp) -> Assessment {
        let mut assessment = assess(self.desired, &self.facts.prerequisites, since);
        let is_current = self.is_current();
        if is_current || !self.latches.wishes.allow_anything() {
            // The status remembers them, or nobody needs them; only whose customer it is has to be known once.
            let is_needed = !is_current;
            assessment.needs.retain(|need| is_needed && matches!(need, Need::Customer(_)));
        }
        assessment
    }

    /// Whether the status tells of this generation, and of the newest request to read everything anew.
    pub(super) fn is_current(&self) -> bool {
        self.desired
            .identity
            .is_current(self.before.observed_generation, self.before.last_handled_reconcile_at.as_deref())
    }

    /// Whether a person asks for everything to be read anew.
    pub(super) fn is_asked_anew(&self) -> bool {
        self.desired.identity.is_asked_anew(self.before.last_handled_reconcile_at.as_deref())
    }

    /// How often this object's policy is read although nothing points to a change.
    pub(super) fn sweep_interval(&self) -> SignedDuration {
        const UNTRUSTED: SignedDuration = SignedDuration::from_hours(1);
        if self.facts.is_feed_trusted { self.intervals.resync } else { self.intervals.resync.min(UNTRUSTED) }
    }

    /// When its policy is read next although nothing points to a change.
    pub(super) fn next_sweep(&self) -> Wait {
        Wait::Until(next_turn(&self.desired.identity.uid, self.sweep_interval(), self.now))
    }
}
