//! The time in which purchases are looked for: while a permission is on, and for a day after.
//!
//! It stands in the status of the Customer, since a permission may be on for a moment only and be gone before anything was
//! read; and it ends with a reading, since nobody may have looked in that day.

use jiff::{SignedDuration, Timestamp};

use super::{AHEAD_MAX, PurchaseFacts};
use crate::api::{CustomerPurchasePermissionStatus, Mode, PurchasesPermitted, SwitchState, SwitchStatus};
use crate::model::TenantId;
use crate::plan::to_second;

/// How long a customer is followed after its last permission was turned off: orders appear up to 15 minutes late.
pub(super) const FOLLOWED_AFTER_OFF: SignedDuration = SignedDuration::from_hours(24);

/// Whether any purchase permission of the customer is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permitted {
    /// It is, since then.
    Since(Timestamp),
    /// None is, since then.
    Until(Timestamp),
    /// There is none.
    Never,
    /// None is known to be on, and of one it is not known.
    Unknown,
    /// None but suspended ones may be on: no call is made for these.
    Suspended,
}

impl Permitted {
    /// By the mode and the status of every permission that names the Customer, which means `tenant`.
    pub fn by<'a>(
        permissions: impl IntoIterator<Item = (Mode, Option<&'a CustomerPurchasePermissionStatus>)>,
        tenant: TenantId,
    ) -> Self {
        let (mut on, mut off) = (None::<Timestamp>, None::<Timestamp>);
        let (mut is_suspended, mut is_unknown) = (false, false);
        for (mode, status) in permissions {
            if status.is_some_and(|status| !is_about(status, tenant)) {
                continue;
            }
            if mode == Mode::Suspend {
                is_suspended = true;
                continue;
            }
            let switches = status.map(switches).unwrap_or_default();
            is_unknown |= switches.is_empty() || switches.iter().any(|switch| switch.state == SwitchState::Unknown);
            for switch in switches {
                let since = switch.since.0;
                match switch.state {
                    SwitchState::Allow => on = Some(on.map_or(since, |on| on.min(since))),
                    SwitchState::Deny => off = Some(off.map_or(since, |off| off.max(since))),
                    SwitchState::Unknown => {}
                }
            }
        }
        match (on, off) {
            (Some(since), _) => Self::Since(since),
            _ if is_unknown => Self::Unknown,
            _ if is_suspended => Self::Suspended,
            (None, Some(since)) => Self::Until(since),
            (None, None) => Self::Never,
        }
    }
}

/// Since when a permission with this status is on; `None`: it is not, as far as is known.
pub fn on_since(status: &CustomerPurchasePermissionStatus) -> Option<Timestamp> {
    let is_on = |switch: &&SwitchStatus| switch.state == SwitchState::Allow;
    switches(status).into_iter().filter(is_on).map(|switch| switch.since.0).min()
}

/// Whether what a status tells may be of this tenant. The Customer that a permission refers to may have become another one's.
pub fn is_about(status: &CustomerPurchasePermissionStatus, tenant: TenantId) -> bool {
    status.tenant_id.as_ref().is_none_or(|told| *told == tenant.to_string())
}

fn switches(status: &CustomerPurchasePermissionStatus) -> Vec<&SwitchStatus> {
    let switches = status.effective.iter().flat_map(|one| [&one.azure_reservations, &one.azure_savings_plans]);
    switches.flatten().collect()
}

/// From when to when the customer may buy, by what is known `now`. A clock that is known to be wrong moves nothing of it and
/// ends nothing, so that a last look is neither made before its time nor left out.
pub(super) fn window(
    before: Option<&PurchasesPermitted>,
    facts: &PurchaseFacts,
    now: Timestamp,
) -> Option<PurchasesPermitted> {
    // What lies ahead is from before the clock was set back, unless it is the clock that is wrong now.
    let is_ahead = |at: Timestamp| !facts.is_clock_off && at.duration_since(now) > AHEAD_MAX;
    let possible = |at: Timestamp| if is_ahead(at) { now } else { at };
    let on_since = match facts.permitted {
        Permitted::Since(since) => Some(since),
        Permitted::Until(_) | Permitted::Never | Permitted::Unknown | Permitted::Suspended => None,
    };
    let seen_on = on_since.into_iter().chain(facts.seen_on).map(possible).min();
    let since = match (before, seen_on) {
        (Some(before), _) => possible(before.since.0),
        (None, Some(since)) => since,
        (None, None) => return None,
    };
    let earlier = before.and_then(|before| before.until.as_ref()).map(|until| possible(until.0));
    // What was on since must have ended after it began.
    let latest = to_second(facts.seen_on.map_or(since, |seen| possible(seen).max(since))).0;
    let until = match facts.permitted {
        Permitted::Since(_) => None,
        _ if earlier.is_some_and(|until| until >= latest) => earlier,
        _ if facts.is_clock_off => earlier.map(|until| until.max(latest)),
        Permitted::Until(at) => Some(possible(at).max(latest)),
        Permitted::Never => Some(now.max(latest)),
        Permitted::Unknown | Permitted::Suspended => earlier.map(|until| until.max(latest)),
    };
    Some(PurchasesPermitted { since: to_second(since), until: until.map(to_second) })
}

/// When the last look is due that ends it.
pub(super) fn end(window: &PurchasesPermitted) -> Option<Timestamp> {
    window.until.as_ref()?.0.checked_add(FOLLOWED_AFTER_OFF).ok()
}

/// Whether a status with this already tells that a permission was on at `since`.
pub fn tells(window: Option<&PurchasesPermitted>, since: Timestamp) -> bool {
    window.is_some_and(|window| window.until.as_ref().is_none_or(|until| until.0 >= to_second(since).0))
}
