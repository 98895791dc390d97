//! The brake: what waits when there is no room for another first grant, and what does not.

use super::support::*;
use crate::api::Mode;
use crate::model::{Fact, PolicyState};
use crate::plan::partner::PartnerFacts;
use crate::plan::permission::{Action, GrantBudget};
use crate::plan::{CustomerRef, Wait, summary};

fn braked(case: &mut Case) {
    case.facts.grant_budget = GrantBudget { limit: 50, has_room: false };
}

/// The conditions of an object that waits for room.
fn check_waits(case: &Case) {
    for (type_, expected) in [
        ("Ready", "False/GrantBudgetExceeded"),
        ("Synced", "False/GrantBudgetExceeded"),
        ("Reconciling", "True/GrantBudgetExceeded"),
        ("Stalled", "False/NotStalled"),
        ("CustomerResolved", "True/Resolved"),
        ("AzureSubscriptionVerified", "True/Active"),
        ("OwnerRoleVerified", "True/OwnerHeld"),
    ] {
        assert_eq!(case.shows(type_), expected, "{type_}");
    }
}

fn is_first_grant(case: &Case) -> bool {
    let plan = case.plan();
    let is_first = |action: &Action| matches!(action, Action::Write { is_first_grant: true, .. });
    plan.actions.iter().any(is_first)
}

#[test]
fn a_first_grant_waits_for_room_and_says_so() {
    let case = Case::new(Allow, Allow).claimed().holding(PolicyState::Absent);
    assert!(is_first_grant(&case));
    let case = case.with(braked);
    assert_eq!(case.does(), "");
    check_waits(&case);
    let status = case.plan().status;
    assert!(status.plan[0].contains("--max-grants-per-hour"), "{:?}", status.plan);
    let message = &status.conditions[0].message;
    assert!(message.contains("at most 50") && message.contains("CSP_MAX_GRANTS_PER_HOUR"), "{message}");
    assert_eq!(summary::transition(&[], &status.conditions), None, "told once, on the operator");
    // With room again it goes out by facts of the last ten minutes.
    let mut again = case.later(minutes(30)).with(|case| case.facts.grant_budget.has_room = true);
    again.before = status;
    again.desired.identity.created -= minutes(60);
    assert_eq!(again.does(), "read customer, estate");
}

#[test]
fn what_nobody_has_read_is_read_once_before_anybody_waits() {
    let fresh = Case::new(Allow, Deny).with(braked);
    assert_eq!(fresh.does(), "read policy", "it may be on already");
    let on = fresh.clone().holding(policy(&[Reservations]));
    assert_eq!((on.does(), on.shows("Ready")), ("claim".to_owned(), "True/InSync".to_owned()));
    let off = fresh.clone().holding(PolicyState::Absent);
    assert_eq!(off.does(), "claim");
    check_waits(&off.claimed());
    assert_eq!(fresh.restarted().with(braked).does(), "read customer, estate");
}

#[test]
fn who_waits_reads_nothing_again_until_there_is_room_not_even_after_a_restart() {
    let waiting = Case::new(Allow, Deny).with(braked).settled(PolicyState::Absent).later(minutes(300));
    assert_eq!(waiting.does(), "");
    check_waits(&waiting);
    assert_eq!(waiting.plan().status, waiting.before);
    let restarted = waiting.restarted().with(braked).later(minutes(1));
    assert_eq!(restarted.does(), "");
    check_waits(&restarted);
    let edited = restarted.edited(|desired| desired.wishes.savings_plans = Allow);
    assert!(edited.does().starts_with("read"), "a changed spec is looked at: {}", edited.does());
}

#[test]
fn a_correction_and_a_revoke_need_no_room() {
    let granted = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(braked);
    let turned_off = granted.clone().holding(PolicyState::Absent);
    assert_eq!(turned_off.does(), "create azureReservations");
    assert!(!is_first_grant(&turned_off));
    let turned_on = granted.clone().holding(policy(&[Reservations, SavingsPlans]));
    assert_eq!(turned_on.does(), "update azureReservations");
    assert_eq!(granted.clone().holding(policy(&[Reservations])).deleting().does(), "delete");
    let edited = granted.edited(|desired| desired.wishes.reservations = Deny).holding(policy(&[Reservations]));
    assert_eq!(edited.does(), "delete");
}

#[test]
fn of_two_switches_the_one_that_was_on_before_is_turned_on_and_the_other_waits() {
    let granted = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(braked);
    let edited = granted.edited(|desired| desired.wishes.savings_plans = Allow);
    let both_off = edited.clone().holding(PolicyState::Absent);
    assert_eq!(both_off.does(), "create azureReservations");
    assert!(!is_first_grant(&both_off));
    let one_off = edited.holding(policy(&[Reservations]));
    assert_eq!((one_off.does(), one_off.shows("Ready")), (String::new(), "False/GrantBudgetExceeded".into()));
    let with_room = both_off.with(|case| case.facts.grant_budget.has_room = true);
    assert_eq!(with_room.does(), "create azureReservations+azureSavingsPlans");
    assert!(is_first_grant(&with_room), "counted once");
}

#[test]
fn what_was_applied_to_another_customer_is_no_reason_to_pass_the_brake() {
    let mut case = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(braked);
    // Released by Observe; then its Customer was made anew, for another tenant.
    case.desired.has_finalizer = false;
    case.desired.remembered = None;
    case.before.tenant_id = Some(tenant(2).to_string());
    let mut case = case.edited(|desired| desired.mode = Mode::Enforce).holding(PolicyState::Absent);
    assert_eq!(case.does(), "claim");
    case.before = case.plan().status;
    let case = case.claimed();
    assert_eq!((case.does(), case.shows("Ready")), (String::new(), "False/GrantBudgetExceeded".into()));
}

#[test]
fn whatever_else_stands_in_the_way_is_told_first() {
    let case = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent).with(braked);
    let unowned = case.clone().with(|case| {
        case.facts.prerequisites.subscriptions[0].owners.holders =
            Fact::Known { value: crate::model::OwnerHolders::default(), at: case.now };
    });
    assert_eq!(unowned.shows("Ready"), "False/OwnerMissing");
    let denied = case.clone().with(|case| {
        case.facts.partner = PartnerFacts { write_refused: Some(role_refused(case.now)), ..unasked() };
    });
    assert_eq!(denied.shows("Ready"), "False/NotAdminAgent");
    let changed = case.with(|case| case.facts.prerequisites.customer = CustomerRef::Found(tenant(2)));
    assert_eq!(changed.shows("Ready"), "False/TenantChanged");
}

#[test]
fn without_any_first_grants_the_message_says_so() {
    let none = GrantBudget { limit: 0, has_room: false };
    let case = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent);
    let case = case.with(|case| case.facts.grant_budget = none);
    check_waits(&case);
    assert!(case.plan().status.conditions[0].message.contains("--max-grants-per-hour 0"));
}

#[test]
fn what_was_applied_before_observe_let_go_of_it_is_no_reason_to_pass_the_brake() {
    let granted = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(|case| {
        case.before.corrections = vec![crate::plan::to_second(case.now)];
    });
    assert!(granted.before.last_applied.is_some());
    let mut observed = granted.edited(|desired| desired.mode = Mode::Observe).holding(policy(&[Reservations]));
    assert_eq!(observed.does(), "release");
    // Also where a crash came between the release and the status that tells of it.
    for is_told in [true, false] {
        if is_told {
            observed.before = observed.plan().status;
        }
        let mut let_go = observed.clone();
        let_go.desired.has_finalizer = false;
        let_go.desired.remembered = None;
        let status = let_go.plan().status;
        assert_eq!((&status.last_applied, status.corrections.len()), (&None, 0), "{is_told}");
        let_go.before = status;
        let enforced = let_go.with(braked).edited(|desired| desired.mode = Mode::Enforce);
        let enforced = enforced.holding(PolicyState::Absent);
        assert_eq!(enforced.does(), "claim");
        let mut claimed = enforced.clone().claimed();
        claimed.before = enforced.plan().status;
        assert_eq!((claimed.does(), claimed.shows("Ready")), (String::new(), "False/GrantBudgetExceeded".into()));
        assert!(claimed.plan().events.is_empty(), "nobody has turned off what it granted");
        let with_room = claimed.with(|case| case.facts.grant_budget.has_room = true);
        assert!(is_first_grant(&with_room));
    }
}

#[test]
fn nor_is_it_where_nobody_has_looked_between_its_release_and_enforce() {
    let granted = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(|case| {
        case.before.corrections = vec![crate::plan::to_second(case.now)];
    });
    // Killed after the release; the spec has said Enforce again before the next process began.
    let mut forgotten = granted.with(braked).edited(|desired| desired.mode = Mode::Enforce);
    forgotten.desired.has_finalizer = false;
    forgotten.desired.remembered = None;
    let off = forgotten.clone().holding(PolicyState::Absent);
    let plan = off.plan();
    assert_eq!(off.does(), "", "not claimed before the status has forgotten it, for the next crash");
    assert!(plan.events.is_empty(), "nobody has turned off what it granted: {:?}", plan.events);
    let applied = plan.status.last_applied.as_ref().and_then(|applied| applied.azure_reservations.as_ref());
    assert_eq!((applied, plan.status.corrections.len(), plan.next), (None, 0, Wait::Until(off.now)));
    let mut known = off.clone();
    known.before = plan.status;
    assert_eq!(known.does(), "claim");
    let mut claimed = known.clone().claimed();
    claimed.before = known.plan().status;
    assert_eq!((claimed.does(), claimed.shows("Ready")), (String::new(), "False/GrantBudgetExceeded".into()));
    assert!(is_first_grant(&claimed.with(|case| case.facts.grant_budget.has_room = true)));
    // What is still on stays as it was, and is told to have been so all the time.
    let on = forgotten.holding(policy(&[Reservations]));
    assert_eq!((on.does(), on.plan().status.last_applied), ("claim".to_owned(), on.before.last_applied.clone()));
}
