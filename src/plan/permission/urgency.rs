//! How urgent a permission is.

use jiff::Timestamp;

use super::desired::Desired;
use super::switches::state;
use crate::api::{CustomerPurchasePermissionStatus, DeletionPolicy, Mode, PurchaseSwitch, SwitchState};
use crate::model::{Switch, Urgency};

/// How urgent it is to look at `desired`, as far as it and its status tell. What only Partner Center tells is not in it:
/// a write that revokes is urgent whatever this says.
pub fn urgency(desired: &Desired, before: &CustomerPurchasePermissionStatus, now: Timestamp) -> Urgency {
    if may_revoke(desired, before, now) {
        return Urgency::Revoke;
    }
    crate::plan::urgency::urgency(
        &desired.identity,
        before.observed_generation,
        before.last_handled_reconcile_at.as_deref(),
        &before.conditions,
    )
}

fn may_revoke(desired: &Desired, before: &CustomerPurchasePermissionStatus, now: Timestamp) -> bool {
    if desired.mode != Mode::Enforce || desired.is_abandoned {
        return false;
    }
    if desired.is_deleting {
        return desired.has_finalizer && desired.deletion_policy == DeletionPolicy::Revoke;
    }
    let is_allowed =
        |switch| before.effective.as_ref().and_then(|effective| state(effective, switch)) == Some(SwitchState::Allow);
    let has_ended = !before.latched.is_empty() || desired.valid_until.is_some_and(|end| end <= now);
    let wishes = if has_ended { desired.wishes.without_grants() } else { desired.wishes };
    Switch::ALL.into_iter().any(|switch| wishes.of(switch) == PurchaseSwitch::Deny && is_allowed(switch))
}
