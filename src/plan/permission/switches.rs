//! The two switches, in the words of specs and statuses.

use crate::api::{PurchaseSwitch, SwitchState, SwitchStatus, Switches};
use crate::model::Switch;

/// The state that a wish asks for, if it asks for one.
pub(super) fn wished(wish: PurchaseSwitch) -> Option<SwitchState> {
    match wish {
        PurchaseSwitch::Allow => Some(SwitchState::Allow),
        PurchaseSwitch::Deny => Some(SwitchState::Deny),
        PurchaseSwitch::Unmanaged | PurchaseSwitch::Unknown => None,
    }
}

/// How a status says whether a switch is on.
pub(super) fn word(allows: bool) -> SwitchState {
    if allows { SwitchState::Allow } else { SwitchState::Deny }
}

/// One switch of a status.
pub(super) fn get(switches: &Switches, switch: Switch) -> Option<&SwitchStatus> {
    match switch {
        Switch::Reservations => switches.azure_reservations.as_ref(),
        Switch::SavingsPlans => switches.azure_savings_plans.as_ref(),
    }
}

/// Puts one switch into a status.
pub(super) fn set(switches: &mut Switches, switch: Switch, status: Option<SwitchStatus>) {
    match switch {
        Switch::Reservations => switches.azure_reservations = status,
        Switch::SavingsPlans => switches.azure_savings_plans = status,
    }
}

/// The state of one switch, as a status has it.
pub(super) fn state(switches: &Switches, switch: Switch) -> Option<SwitchState> {
    get(switches, switch).map(|status| status.state)
}
