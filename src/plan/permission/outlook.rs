//! What comes of one permission, switch by switch, once every write that follows has been made: the plan in words that
//! somebody can agree to before it is carried out.

use super::action::Write;
use super::desired::Desired;
use super::switches::{state, wished, word};
use crate::api::{CustomerPurchasePermissionStatus, Mode, PurchaseSwitch};
use crate::model::{PermissionSet, Policy, PolicyState, Switch};
use crate::plan::conditions::{ConditionType, find, is_true};

/// What comes of one switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchOutlook {
    /// Which.
    pub switch: Switch,
    /// What the spec wishes.
    pub wish: PurchaseSwitch,
    /// Whether it is on now; `None` where that is not known.
    pub is_on: Option<bool>,
    /// What comes of it.
    pub change: Change,
    /// Why it stays other than wished; a condition reason and its message.
    pub why: Option<Why>,
}

/// A condition reason, and what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// In `CamelCase`.
    pub reason: String,
    /// The sentence.
    pub message: String,
}

/// What comes of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is turned on.
    Grant,
    /// It is turned off.
    Revoke,
    /// It is turned back to what this object had last applied: somebody else has turned it.
    Correct,
    /// It is not as wished, and something stands in the way of a write.
    Blocked,
    /// It is not known what it is.
    Unknown,
    /// It is not as wished, or nothing is wished, and it is left so on purpose.
    Left,
    /// It is as wished.
    Kept,
}

impl Change {
    /// All, in the order in which they matter to whoever reads the plan.
    pub const ALL: [Self; 7] =
        [Self::Grant, Self::Revoke, Self::Correct, Self::Blocked, Self::Unknown, Self::Left, Self::Kept];

    /// Whether Partner Center is written to for it.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Grant | Self::Revoke | Self::Correct)
    }
}

/// Compares what was there before with what is there once nothing is left to write. `status` is the last one; `applied` the
/// one from before, if there is an object already.
pub fn outlook(
    desired: &Desired,
    (before, after): (Option<&PolicyState>, Option<&PolicyState>),
    applied: &CustomerPurchasePermissionStatus,
    status: &CustomerPurchasePermissionStatus,
    is_unread: bool,
) -> Vec<SwitchOutlook> {
    Switch::ALL
        .into_iter()
        .map(|switch| {
            let wish = desired.wishes.of(switch);
            let is_on = before.map(|policy| policy.allows(switch));
            let change = match (is_on, after.map(|policy| policy.allows(switch))) {
                (Some(was), Some(is)) if was != is => {
                    let last = applied.last_applied.as_ref().and_then(|applied| state(applied, switch));
                    match (last == Some(word(is)), is) {
                        (true, _) => Change::Correct,
                        (false, true) => Change::Grant,
                        (false, false) => Change::Revoke,
                    }
                }
                (was, _) => stays(desired, wish, was, status, is_unread),
            };
            let why = match change {
                Change::Left if wish == PurchaseSwitch::Unmanaged && !desired.is_deleting => {
                    Some(Why { reason: "Unmanaged".to_owned(), message: "the switch is left as it is".to_owned() })
                }
                Change::Blocked | Change::Left | Change::Unknown => why(status),
                Change::Grant | Change::Revoke | Change::Correct | Change::Kept => None,
            };
            SwitchOutlook { switch, wish, is_on, change, why }
        })
        .collect()
}

/// Of a switch that nothing is written for.
fn stays(
    desired: &Desired,
    wish: PurchaseSwitch,
    is_on: Option<bool>,
    status: &CustomerPurchasePermissionStatus,
    is_unread: bool,
) -> Change {
    if wish == PurchaseSwitch::Unmanaged || desired.mode == Mode::Suspend {
        return Change::Left;
    }
    match is_on {
        Some(is_on) if wished(wish) == Some(word(is_on)) => return Change::Kept,
        None if is_unread => return Change::Unknown,
        Some(_) | None => {}
    }
    let synced = find(&status.conditions, ConditionType::Synced);
    let is_on_purpose = desired.mode == Mode::Observe && is_on.is_some()
        || is_true(&status.conditions, ConditionType::Ready)
        || synced.is_some_and(|synced| synced.reason == "Drifted");
    if is_on_purpose { Change::Left } else { Change::Blocked }
}

/// What the summary says, or else the first prerequisite that does not hold.
fn why(status: &CustomerPurchasePermissionStatus) -> Option<Why> {
    let ready = find(&status.conditions, ConditionType::Ready)?;
    Some(Why { reason: ready.reason.clone(), message: ready.message.clone() })
}

impl Write {
    /// What Partner Center holds once it has accepted this.
    pub fn result(&self) -> PolicyState {
        let policy = |id: &str, permissions: &PermissionSet| {
            PolicyState::Present(Policy { id: id.to_owned(), etag: None, permissions: permissions.clone() })
        };
        match self {
            Self::Create { permissions } => policy("new", permissions),
            Self::Update { read, permissions } => policy(&read.id, permissions),
            Self::Delete { .. } => PolicyState::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use super::*;
    use crate::api::{CustomerPurchasePermission, SwitchStatus, Switches};

    fn desired(reservations: &str, mode: &str) -> Desired {
        let object: CustomerPurchasePermission = serde_json::from_value(serde_json::json!({
            "metadata": { "namespace": "n", "name": "p", "uid": "u" },
            "spec": { "customerRef": { "name": "c" }, "azureReservations": reservations, "azureSavingsPlans": "Unmanaged", "mode": mode },
        }))
        .unwrap();
        Desired::of(&object).unwrap()
    }

    fn status(ready: &str, reason: &str, synced: &str) -> CustomerPurchasePermissionStatus {
        let condition = |type_: &str, status: &str, reason: &str| Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: format!("because {reason}"),
            observed_generation: None,
            last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
        };
        let conditions = vec![condition("Ready", ready, reason), condition("Synced", "False", synced)];
        CustomerPurchasePermissionStatus { conditions, ..Default::default() }
    }

    fn policy(is_on: bool) -> PolicyState {
        let permissions = PermissionSet::new(is_on.then_some(Switch::Reservations), Vec::new());
        Write::Create { permissions }.result()
    }

    fn check(
        (wish, mode): (&str, &str),
        (before, after): (Option<bool>, Option<bool>),
        (ready, reason, synced): (&str, &str, &str),
        expected: (Change, Option<&str>),
    ) {
        let (before, after) = (before.map(policy), after.map(policy));
        let status = status(ready, reason, synced);
        let none = CustomerPurchasePermissionStatus::default();
        let found = outlook(&desired(wish, mode), (before.as_ref(), after.as_ref()), &none, &status, false).remove(0);
        let why = found.why.as_ref().map(|why| why.reason.as_str());
        assert_eq!((found.change, why), expected, "{wish} {mode} {before:?} {after:?} {reason}");
    }

    #[test]
    fn every_switch_comes_to_one_thing_and_says_why_where_it_stays_other_than_wished() {
        let (on, off) = (Some(true), Some(false));
        let synced = ("True", "InSync", "InSync");
        check(("Allow", "Enforce"), (off, on), synced, (Change::Grant, None));
        check(("Deny", "Enforce"), (on, off), synced, (Change::Revoke, None));
        check(("Allow", "Enforce"), (on, on), synced, (Change::Kept, None));
        let missing = ("False", "OwnerMissing", "PrerequisitesNotMet");
        check(("Allow", "Enforce"), (off, off), missing, (Change::Blocked, Some("OwnerMissing")));
        check(("Deny", "Enforce"), (on, on), ("False", "Conflict", "Conflict"), (Change::Blocked, Some("Conflict")));
        check(
            ("Deny", "Enforce"),
            (None, None),
            ("False", "Conflict", "Conflict"),
            (Change::Blocked, Some("Conflict")),
        );
        check(("Allow", "Enforce"), (off, off), ("False", "Drifted", "Drifted"), (Change::Left, Some("Drifted")));
        check(("Allow", "Enforce"), (off, off), ("True", "Expired", "InSync"), (Change::Left, Some("Expired")));
        check(("Allow", "Observe"), (off, off), ("True", "Observed", "PendingWrite"), (Change::Left, Some("Observed")));
        check(("Allow", "Suspend"), (None, None), ("Unknown", "Suspended", ""), (Change::Left, Some("Suspended")));
        check(("Unmanaged", "Enforce"), (on, on), synced, (Change::Left, Some("Unmanaged")));
    }

    #[test]
    fn what_could_not_be_read_is_unknown_and_what_was_applied_before_is_turned_back() {
        let status = status("False", "Unavailable", "Unavailable");
        let desired = desired("Allow", "Enforce");
        let found =
            outlook(&desired, (None, None), &CustomerPurchasePermissionStatus::default(), &status, true).remove(0);
        assert_eq!(found.change, Change::Unknown);
        let applied = SwitchStatus { state: crate::api::SwitchState::Allow, since: Time(jiff::Timestamp::UNIX_EPOCH) };
        let applied = Switches { azure_reservations: Some(applied), azure_savings_plans: None };
        let before = CustomerPurchasePermissionStatus { last_applied: Some(applied), ..Default::default() };
        let (off, on) = (policy(false), policy(true));
        let found = outlook(&desired, (Some(&off), Some(&on)), &before, &status, false).remove(0);
        assert_eq!(found.change, Change::Correct);
    }
}
