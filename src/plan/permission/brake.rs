//! The brake: only so many switches are turned on for the first time within an hour, so that a wrong merge cannot permit a
//! thousand customers before anybody sees it.
//!
//! What restores the state that an object has reached before is no first grant, and neither is a revoke: both go on. Who
//! counts the hour is no matter of a plan; it hears whether there is room.

use super::Pass;
use super::assessment::Assessment;
use super::held::{Held, state};
use crate::api::{CustomerPurchasePermissionStatus, SwitchState};
use crate::model::Switch;
use crate::plan::conditions::{ConditionType, find};

/// Reason of an object that waits for room.
pub(in crate::plan) const GRANT_BUDGET_EXCEEDED: &str = "GrantBudgetExceeded";

/// What is left of the first grants of this hour, as far as one object is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantBudget {
    /// How many there may be within an hour.
    pub limit: u32,
    /// Whether this object may have one now.
    pub has_room: bool,
}

impl GrantBudget {
    /// What an object that waits says.
    pub(super) fn message(self) -> String {
        let Self { limit, .. } = self;
        if limit == 0 {
            return "the operator runs with --max-grants-per-hour 0, so no first grant goes out. To let some, start it with a higher number (CSP_MAX_GRANTS_PER_HOUR)".to_owned();
        }
        format!(
            "within an hour at most {limit} first grants go out (--max-grants-per-hour), and others came before this one; it follows by itself. If it is not meant, take it back now: nothing has been granted yet. If it is and cannot wait, start the operator with a higher number (CSP_MAX_GRANTS_PER_HOUR)"
        )
    }
}

/// Whether a status tells that a first grant waits for room.
pub fn is_waiting_for_room(status: &CustomerPurchasePermissionStatus) -> bool {
    let ready = find(&status.conditions, ConditionType::Ready);
    ready.is_some_and(|ready| ready.reason == GRANT_BUDGET_EXCEEDED)
}

impl Pass<'_> {
    /// Whether turning the switch on restores what this object has reached before.
    pub(super) fn is_correction(&self, switch: Switch) -> bool {
        let applied = self.before.last_applied.as_ref().and_then(|applied| state(applied, switch));
        self.desired.claim().is_some() && applied == Some(SwitchState::Allow)
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
