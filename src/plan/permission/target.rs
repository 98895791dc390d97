//! The one write that comes next, if any.
//!
//! Each switch has its own target: its wish where that may be applied, otherwise what it actually is. A grant that is
//! withheld therefore never holds up a revoke. And a revoke never carries a grant, not even a permitted one: when both
//! are due, the revoke is written first and alone, so that whatever refuses a grant cannot refuse it too.

use crate::api::PurchaseSwitch;
use crate::model::{PermissionSet, Switch};

use super::action::Write;
use super::desired::Wishes;

/// What follows for the two switches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// To be turned off now.
    pub(super) revokes: Vec<Switch>,
    /// To be turned on now; written after the revokes.
    pub(super) grants: Vec<Switch>,
    /// To be turned on once something else is in order.
    pub(super) withheld: Vec<Switch>,
    /// Not as wished, and left so: somebody has turned them, and `driftPolicy` leaves that in place.
    pub(super) left: Vec<Switch>,
}

impl Target {
    /// Compares wishes with `actual`.
    pub(super) fn new(
        wishes: Wishes,
        actual: impl Fn(Switch) -> bool,
        is_left: impl Fn(Switch) -> bool,
        may_grant: impl Fn(Switch) -> bool,
    ) -> Self {
        let mut target = Self { revokes: Vec::new(), grants: Vec::new(), withheld: Vec::new(), left: Vec::new() };
        for switch in Switch::ALL {
            match (wishes.of(switch), actual(switch)) {
                (PurchaseSwitch::Deny, true) | (PurchaseSwitch::Allow, false) if is_left(switch) => {
                    target.left.push(switch);
                }
                (PurchaseSwitch::Deny, true) => target.revokes.push(switch),
                (PurchaseSwitch::Allow, false) if may_grant(switch) => target.grants.push(switch),
                (PurchaseSwitch::Allow, false) => target.withheld.push(switch),
                (PurchaseSwitch::Allow, true)
                | (PurchaseSwitch::Deny, false)
                | (PurchaseSwitch::Unmanaged | PurchaseSwitch::Unknown, _) => {}
            }
        }
        target
    }

    /// Whether every wish holds.
    pub(super) fn is_met(&self) -> bool {
        !self.is_due() && self.withheld.is_empty() && self.left.is_empty()
    }

    /// Whether a write is due now.
    pub(super) fn is_due(&self) -> bool {
        !self.revokes.is_empty() || !self.grants.is_empty()
    }

    /// The set to be written next.
    pub(super) fn next(&self, actual: &PermissionSet) -> PermissionSet {
        let (switches, allow) = if self.revokes.is_empty() { (&self.grants, true) } else { (&self.revokes, false) };
        switches.iter().fold(actual.clone(), |set, switch| set.with(*switch, allow))
    }
}

/// The call that takes the policy from what was read to `next`.
pub(super) fn convergence(read: Option<&crate::model::Policy>, next: PermissionSet) -> Write {
    match read {
        None => Write::Create { permissions: next },
        Some(policy) if next.is_empty() => Write::Delete { id: policy.id.clone() },
        Some(policy) => Write::Update { read: policy.clone(), permissions: next },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PurchaseSwitch::{Allow, Deny, Unmanaged};
    use crate::model::OtherPermission;
    use Switch::{Reservations, SavingsPlans};

    fn set(allowed: &[Switch]) -> PermissionSet {
        PermissionSet::new(allowed.iter().copied(), Vec::new())
    }

    fn check(wishes: (PurchaseSwitch, PurchaseSwitch), actual: &[Switch], may_grant: bool, next: Option<&[Switch]>) {
        let actual = set(actual);
        let wishes = Wishes { reservations: wishes.0, savings_plans: wishes.1 };
        let target = Target::new(wishes, |switch| actual.allows(switch), |_| false, |_| may_grant);
        let found = target.is_due().then(|| target.next(&actual));
        assert_eq!(found, next.map(set), "{wishes:?} {actual:?} may_grant={may_grant}");
    }

    #[test]
    fn each_switch_has_its_own_target() {
        let both: &[Switch] = &[Reservations, SavingsPlans];
        check((Allow, Allow), &[], true, Some(both));
        check((Allow, Allow), &[], false, None);
        check((Allow, Deny), &[Reservations], false, None);
        check((Deny, Deny), both, false, Some(&[]));
        check((Unmanaged, Deny), both, true, Some(&[Reservations]));
        check((Unmanaged, Unmanaged), both, true, None);
    }

    #[test]
    fn a_revoke_neither_waits_for_nor_carries_the_others_grant() {
        check((Allow, Deny), &[SavingsPlans], false, Some(&[]));
        check((Allow, Deny), &[SavingsPlans], true, Some(&[]));
        check((Allow, Deny), &[], true, Some(&[Reservations]));
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let others = vec![OtherPermission { resource: "AzureMarketplace".into(), action: "Purchase".into() }];
        let actual = PermissionSet::new([Reservations], others.clone());
        let wishes = Wishes { reservations: Deny, savings_plans: Deny };
        let next = Target::new(wishes, |switch| actual.allows(switch), |_| false, |_| true).next(&actual);
        assert_eq!(next, PermissionSet::new([], others));
        assert!(!next.is_empty());
    }
}
