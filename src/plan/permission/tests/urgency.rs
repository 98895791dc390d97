//! What goes first when there is not enough for all.

use super::support::*;
use crate::api::{DeletionPolicy, Mode};
use crate::model::Urgency::{self, Change, Drift, Revoke, Sweep};
use crate::plan::permission::urgency;

fn check(what: &str, case: &Case, expected: Urgency) {
    assert_eq!(urgency(&case.desired, &case.before, case.now), expected, "{what}");
}

#[test]
fn what_revokes_goes_first_then_what_changed_then_what_is_not_as_declared() {
    let new = Case::new(Allow, Deny);
    check("a new permission", &new, Change);
    let granted = Case::new(Allow, Deny).settled(policy(&[Reservations]));
    check("one in order", &granted, Sweep);
    check("a changed wish", &granted.clone().edited(|desired| desired.wishes.savings_plans = Allow), Change);
    check("a wish taken back", &granted.clone().edited(|desired| desired.wishes.reservations = Deny), Revoke);
    check("one whose time is over", &granted.clone().with(|case| case.desired.valid_until = Some(case.now)), Revoke);
    check("a deleted one", &granted.clone().deleting(), Revoke);
    let request = |case: &mut Case| case.desired.identity.reconcile_request = Some("now".into());
    check("one that is asked anew", &granted.clone().with(request), Drift);
    let drifted = Case::new(Allow, Deny).settled(policy(&[Reservations, SavingsPlans]));
    check("more than is wished, as the status tells", &drifted, Revoke);

    let not_ready = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(|case| case.before.conditions.clear());
    check("one that is not ready", &not_ready, Drift);
    check(
        "one that is left as it is",
        &granted.clone().deleting().edited(|desired| desired.deletion_policy = DeletionPolicy::Retain),
        Change,
    );
    check("one that only looks", &drifted.edited(|desired| desired.mode = Mode::Observe), Change);
    check("one that holds nothing", &Case::new(Allow, Deny).deleting(), Change);
}
