//! What somebody else has turned: which switches, what `driftPolicy` makes of it, and when turning it back stops.

use jiff::{SignedDuration, Timestamp};

use super::activity;
use super::held::Held;
use super::pass::Pass;
use super::switches::{state, wished, word};
use crate::api::{Activity, ActivityOrigin, DriftPolicy, Mode};
use crate::model::{Denial, PolicyState, Switch};

/// So many corrections upward within [`FLAPPING_WITHIN`] are enough: somebody means it.
pub(super) const CORRECTIONS_MAX: usize = 5;
const FLAPPING_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// For this long after another installation has written, nothing is granted.
const RIVAL_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Why grants stop until a person acts, although nothing else stands in their way.
#[derive(Debug, Clone)]
pub(super) struct Stall {
    /// For the conditions.
    pub(super) why: Denial,
    /// When it ends by itself.
    pub(super) until: Timestamp,
}

impl Pass<'_> {
    /// Whether the switch was as wished when we last looked, is not any more, and its wish is unchanged.
    pub(super) fn has_drifted(&self, switch: Switch, held: &Held) -> bool {
        let wish = wished(self.latches.wishes.of(switch));
        let applied = self.before.last_applied.as_ref().and_then(|applied| state(applied, switch));
        // What is being deleted wishes nothing any more, and whoever is no customer has no switches. Who observes, and has let go of
        // what it turned on, would begin anew with Enforce: nothing is left to be found otherwise than it was.
        let has_let_go = self.desired.mode == Mode::Observe && !self.desired.has_finalizer;
        !self.desired.is_deleting
            && !has_let_go
            && !matches!(held, Held::Read { state: PolicyState::CustomerNotOurs, .. })
            && wish.is_some()
            && wish == applied
            && held.allows(switch).is_some_and(|actual| Some(word(actual)) != wish)
    }

    /// Whether `driftPolicy` leaves a switch as somebody else has turned it.
    pub(super) fn is_left(&self, switch: Switch, held: &Held) -> bool {
        let is_off = held.allows(switch) == Some(false);
        let leaves = match self.desired.drift_policy {
            DriftPolicy::Correct | DriftPolicy::Unknown => false,
            DriftPolicy::CorrectDown => is_off,
            DriftPolicy::Report => true,
        };
        leaves && self.has_drifted(switch, held)
    }

    /// Whether grants stop: somebody keeps turning off what is turned on again, or another installation of the operator
    /// acts for the same partner. A person who asks for everything to be read anew starts afresh.
    pub(super) fn stall(&self, held: &Held) -> Option<Stall> {
        if self.is_asked_anew() {
            return None;
        }
        self.flapping(held).or_else(|| self.rival())
    }

    fn flapping(&self, held: &Held) -> Option<Stall> {
        let is_correction =
            Switch::ALL.into_iter().any(|switch| held.allows(switch) == Some(false) && self.has_drifted(switch, held));
        let first = self.first_of_too_many_corrections().filter(|_| is_correction)?;
        Some(Stall {
            why: Denial {
                reason: "Flapping",
                message: format!(
                    "somebody has turned off {CORRECTIONS_MAX} times within an hour what this object turned on again, so it stays off for now. Find out who does that (status.recentActivity), set driftPolicy to Report, or have it tried again by the annotation csp-operator.dev/reconcile"
                ),
            },
            until: first.saturating_add(FLAPPING_WITHIN).unwrap_or(Timestamp::MAX),
        })
    }

    /// Whether whoever takes over from this object would begin with what has stalled its grants, or would have.
    pub(super) fn leaves_a_stall(&self) -> bool {
        self.first_of_too_many_corrections().is_some() || self.rival().is_some()
    }

    /// When the first of the corrections was made, if there have been too many lately.
    fn first_of_too_many_corrections(&self) -> Option<Timestamp> {
        let begin = self.now.saturating_sub(FLAPPING_WITHIN).unwrap_or(Timestamp::MIN);
        let recent: Vec<_> = self.before.corrections.iter().map(|at| at.0).filter(|at| *at > begin).collect();
        recent.first().copied().filter(|_| recent.len() >= CORRECTIONS_MAX)
    }

    fn rival(&self) -> Option<Stall> {
        let log = activity::merge(&self.before.recent_activity, &self.facts.activity);
        // A person has stopped the other one since, whatever else has kept the grant from being tried then.
        let is_settled = |entry: &Activity| self.before.read_anew_at.as_ref().is_some_and(|at| entry.time.0 <= at.0);
        let is_rivals = |entry: &&Activity| {
            entry.origin == ActivityOrigin::RivalOperator
                && !entry.result.eq_ignore_ascii_case("failed")
                && !is_settled(entry)
        };
        let rival = log.iter().find(is_rivals)?;
        let until = rival.time.0.saturating_add(RIVAL_FOR).unwrap_or(Timestamp::MAX);
        (self.now < until).then(|| Stall {
            why: Denial {
                reason: "RivalOperator",
                message: format!(
                    "another installation of this operator wrote for this customer at {}, and two that act for one partner undo each other's work: nothing is turned on for a day after that. Stop one of the two; then have it tried again by the annotation csp-operator.dev/reconcile",
                    rival.time.0
                ),
            },
            until,
        })
    }
}
