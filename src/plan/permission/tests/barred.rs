//! A namespace that may not act for the customer: nothing new, and nothing that is in a revoke's way.

use super::support::*;
use crate::api::{Mode, OnPrerequisiteLost};
use crate::model::PolicyState;
use crate::plan::CustomerRef;
use crate::plan::permission::{Contender, Record};

fn barred(case: &mut Case) {
    case.facts.prerequisites.customer = CustomerRef::NotAllowed { why: "not listed".into(), is_certain: true };
}

fn check_stalls(case: &Case) {
    assert_eq!(case.does(), "");
    for (type_, expected) in [
        ("Ready", "False/NamespaceNotAllowed"),
        ("Reconciling", "False/Idle"),
        ("Stalled", "True/NamespaceNotAllowed"),
        ("CustomerResolved", "False/NamespaceNotAllowed"),
    ] {
        assert_eq!(case.shows(type_), expected, "{type_}");
    }
}

/// Finalizer and annotation were written by hand.
fn forged(case: &mut Case) {
    case.desired.record = Record { tenant: None, has_acted: false, is_untold: false };
}

#[test]
fn nothing_is_read_claimed_or_granted_and_a_person_must_act() {
    for mode in [Mode::Enforce, Mode::Observe] {
        for wish in [Allow, Deny] {
            let case = Case::new(wish, Deny).with(barred).with(|case| case.desired.mode = mode);
            check_stalls(&case);
            check_stalls(&case.restarted().with(barred));
        }
    }
}

#[test]
fn what_is_not_known_yet_may_come_by_itself() {
    let unseen = CustomerRef::NotAllowed { why: "not seen".into(), is_certain: false };
    let case = Case::new(Allow, Deny).with(|case| case.facts.prerequisites.customer = unseen.clone());
    assert_eq!((case.does(), case.shows("Ready")), (String::new(), "False/NotRead".into()));
    assert_eq!(case.shows("CustomerResolved"), "Unknown/NotRead");
    assert_eq!((case.shows("Reconciling"), case.shows("Stalled")), ("True/NotRead".into(), "False/NotStalled".into()));
    let claimed = Case::new(Allow, Deny).settled(PolicyState::Absent).with(|case| {
        case.facts.prerequisites.customer = unseen;
    });
    assert_eq!(claimed.holding(PolicyState::Absent).does(), "");
}

#[test]
fn what_was_granted_stays_and_no_more_is_granted_there() {
    let granted = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(barred);
    let granted = granted.with(|case| case.desired.on_prerequisite_lost = OnPrerequisiteLost::Revoke);
    // Shown, and looked at again: that is no prerequisite that was lost.
    let shown = granted.plan().status;
    assert_eq!(shown.prerequisite_lost_since, None);
    let later = granted.with(|case| case.before = shown).later(minutes(60)).holding(policy(&[Reservations]));
    assert_eq!((later.does(), later.shows("Ready")), (String::new(), "True/InSync".into()));
    assert_eq!(later.shows("CustomerResolved"), "False/NamespaceNotAllowed");
    check_stalls(&later.clone().edited(|desired| desired.wishes.savings_plans = Allow));
    // Nor again, when somebody else has turned it off.
    let turned_off = later.holding(PolicyState::Absent);
    assert_eq!((turned_off.does(), turned_off.shows("Stalled")), (String::new(), "True/NamespaceNotAllowed".into()));
}

#[test]
fn what_was_granted_is_revoked_when_it_is_denied_turned_on_by_others_or_deleted() {
    let granted = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(barred);
    let denied = granted.clone().edited(|desired| desired.wishes.reservations = Deny);
    assert_eq!(denied.does(), "read policy");
    assert_eq!(denied.holding(policy(&[Reservations])).does(), "delete");
    let turned_on = granted.clone().holding(policy(&[Reservations, SavingsPlans]));
    assert_eq!(turned_on.does(), "update azureReservations");
    let deleted = granted.deleting();
    assert_eq!(deleted.does(), "read policy");
    assert_eq!(deleted.clone().holding(policy(&[Reservations])).does(), "delete");
    assert_eq!(deleted.holding(PolicyState::Absent).does(), "release");
}

#[test]
fn what_must_go_off_goes_off_although_nobody_knows_for_whom_the_namespace_may_act() {
    let unseen = |case: &mut Case| {
        case.facts.prerequisites.customer = CustomerRef::NotAllowed { why: "not seen".into(), is_certain: false };
    };
    let granted = Case::new(Allow, Deny).with(|case| case.desired.valid_until = Some(case.now + minutes(30)));
    let granted = granted.settled(policy(&[Reservations])).restarted().with(unseen);
    assert_eq!((granted.does(), granted.plan().status), (String::new(), granted.before.clone()), "nothing is lost");
    let denied = granted.clone().edited(|desired| desired.wishes.reservations = Deny);
    let ended = granted.clone().later(minutes(40)).with(|case| case.facts.started = case.now - minutes(1));
    for case in [denied, ended, granted.clone().deleting()] {
        assert_eq!(case.does(), "read policy");
        assert_eq!(case.holding(policy(&[Reservations])).does(), "delete");
    }
    let turned_on = granted.holding(policy(&[Reservations, SavingsPlans]));
    assert_eq!(turned_on.does(), "update azureReservations");
}

#[test]
fn a_claim_made_by_hand_is_worth_nothing_there() {
    let case = Case::new(Deny, Deny).claimed().with(forged).with(barred).holding(policy(&[Reservations]));
    check_stalls(&case);
    let deleted = case.deleting();
    assert_eq!((deleted.does(), deleted.shows("Stalled")), (String::new(), "True/ClaimUnproven".into()));
    let message = &deleted.plan().status.conditions[0].message;
    assert!(message.contains("not listed") && !message.contains("apply Customer"), "{message}");
}

#[test]
fn it_stands_in_nobodys_way() {
    let case = Case::new(Allow, Deny).with(barred);
    let contends = |case: &Case| Contender::of(&case.desired, tenant(1), &case.facts.prerequisites.customer, &[]);
    assert_eq!(contends(&case), None);
    assert_eq!(contends(&case.claimed().with(forged)), None);
    let mut granted = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(barred);
    granted.desired.record = Record::of(&granted.before);
    assert!(contends(&granted).is_some(), "what has been granted is still its own");
}
