//! The brake: only so many switches are turned on for the first time within an hour, so that a wrong merge cannot permit a
//! thousand customers before anybody sees it.
//!
//! What restores the state that an object has reached before is no first grant, and neither is a revoke: both go on. Who
//! counts the hour is no matter of a plan; it hears whether there is room.

use super::assessment::Assessment;
use super::held::Held;
use super::pass::Pass;
use super::switches::state;
use crate::api::{CustomerPurchasePermissionStatus, SwitchState};
use crate::model::Switch;
use crate::plan::conditions::{ConditionType, find};
use crate::plan::summary::GRANT_BUDGET_EXCEEDED;

/// Whether a status tells that a first grant waits for room.
pub fn is_waiting_for_room(status: &CustomerPurchasePermissionStatus) -> bool {
    let ready = find(&status.conditions, ConditionType::Ready);
    ready.is_some_and(|ready| ready.reason == GRANT_BUDGET_EXCEEDED)
}

impl Pass<'_> {
    /// Whether turning the switch on restores what this object has reached before.
    pub(super) fn is_correction(&self, switch: Switch) -> bool {
        let applied = self.before.last_applied.as_ref().and_then(|applied| state(applied, switch));
        self.desired.has_finalizer && self.desired.claim().is_some() && applied == Some(SwitchState::Allow)
    }

    /// What of these may go out by the brake.
    pub(super) fn room(&self, wanted: &[Switch], held: &Held) -> Room {
        let corrections = wanted.iter().filter(|switch| self.is_correction(**switch)).count();
        if self.facts.grant_budget.has_room || corrections == wanted.len() {
            return Room::Enough;
        }
        if corrections > 0 {
            return Room::ForCorrections;
        }
        let is_held_known = matches!(held, Held::Read { .. } | Held::Remembered { .. });
        let has_waited = self.desired.claim().is_some() && self.is_current() && is_waiting_for_room(self.before);
        if is_held_known && has_waited { Room::StillNone } else { Room::None }
    }
}

/// What the brake lets out of that which an object would turn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// All of it.
    Enough,
    /// What restores the state of before.
    ForCorrections,
    /// Nothing.
    None,
    /// Nothing, and the status tells of this generation that all else is in order: that need not be read again before
    /// there is room.
    StillNone,
}

impl Room {
    /// Whether nothing may go out.
    pub(super) fn is_missing(self) -> bool {
        matches!(self, Self::None | Self::StillNone)
    }

    /// Whether a first grant waits for room, and for no prerequisite.
    pub(super) fn is_all_that_lacks(self, assessment: &Assessment) -> bool {
        match self {
            Self::Enough => false,
            Self::ForCorrections | Self::None => assessment.holds(),
            Self::StillNone => !assessment.is_known_to_fail(),
        }
    }
}
