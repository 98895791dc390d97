//! Letting go of an object: revoke, hand over, hold or release.

use super::support::*;
use crate::api::{DeletionPolicy, Mode};
use crate::model::{Fact, Origin, PolicyState};
use crate::plan::permission::{Action, Record, Successor};
use crate::plan::{CustomerRef, Wait};

/// A claimed object that allows reservations, is being deleted, and whose policy was just read.
fn deleted() -> Case {
    Case::new(Allow, Deny).settled(policy(&[Reservations])).deleting().holding(policy(&[Reservations]))
}

#[test]
fn every_row_of_the_table() {
    for (mode, deletion_policy, expected) in [
        (Mode::Enforce, DeletionPolicy::Revoke, "delete"),
        (Mode::Enforce, DeletionPolicy::Retain, "release"),
        (Mode::Observe, DeletionPolicy::Revoke, "release"),
        (Mode::Observe, DeletionPolicy::Retain, "release"),
        (Mode::Suspend, DeletionPolicy::Revoke, ""),
        (Mode::Suspend, DeletionPolicy::Retain, "release"),
        (Mode::Unknown, DeletionPolicy::Revoke, ""),
        (Mode::Enforce, DeletionPolicy::Unknown, ""),
    ] {
        let case = deleted().with(|case| {
            case.desired.mode = mode;
            case.desired.deletion_policy = deletion_policy;
        });
        assert_eq!(case.does(), expected, "{mode:?} {deletion_policy:?}");
        if expected.is_empty() {
            assert!(case.shows("Stalled").starts_with("True/"));
            let status = case.plan().status;
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
            assert!(ready.message.contains("csp-operator.dev/abandon: \"true\""), "{}", ready.message);
        }
        let abandoned = case.with(|case| case.desired.is_abandoned = true);
        assert_eq!(abandoned.does(), "release", "{mode:?} {deletion_policy:?}");
    }
}

fn check_release(case: &Case, why: &str) {
    let plan = case.plan();
    let Some(Action::Release { why: found }) = plan.actions.last() else { panic!("{:?}", does(&plan)) };
    assert!(found.contains(why), "{found}");
    assert_eq!(plan.status, case.before, "the status of what goes is not written");
    let [event] = &plan.events[..] else { panic!("{:?}", plan.events) };
    assert_eq!((event.reason.as_str(), event.note.contains(why)), ("Released", true));
}

#[test]
fn nothing_is_released_before_our_switches_are_known_to_be_off() {
    let case = deleted().later(minutes(1));
    assert_eq!(case.does(), "read policy", "an older reading will not do");
    assert_eq!(case.clone().restarted().does(), "read policy", "the status will not do");
    check_release(&case.clone().holding(PolicyState::Absent), "holds none of its switches");
    check_release(&case.clone().holding(PolicyState::CustomerNotOurs), "no relationship");
    check_release(&case.clone().holding(policy_with(&[], vec![marketplace()])), "holds none of its switches");
    check_release(&case.clone().with(|case| case.desired.is_abandoned = true), "abandoned");
    // Who goes without a look says what goes on, from the last reading or else the status.
    let retained = |case: &Case| case.clone().with(|case| case.desired.deletion_policy = DeletionPolicy::Retain);
    check_release(
        &retained(&case),
        "as it is, where the customer was last seen to be allowed azureReservations, and so",
    );
    check_release(&retained(&case.clone().restarted()), "last seen to be allowed azureReservations, and so");
    let both = retained(&case).holding(policy(&[Reservations, SavingsPlans]));
    check_release(&both, "to be allowed azureReservations and azureSavingsPlans, and so may go on buying");
    assert!(!format!("{:?}", retained(&case).holding(PolicyState::Absent).plan().events).contains("last seen"));
    let unmanaged = case.with(|case| {
        case.desired.wishes.reservations = Unmanaged;
        case.desired.wishes.savings_plans = Unmanaged;
    });
    check_release(&unmanaged.holding(policy(&[Reservations])), "managed no switch");
}

#[test]
fn only_the_managed_switches_are_revoked() {
    let case = deleted().with(|case| case.desired.wishes.savings_plans = Unmanaged);
    assert_eq!(case.clone().holding(policy(&[Reservations, SavingsPlans])).does(), "update azureSavingsPlans");
    check_release(&case.holding(policy(&[SavingsPlans])), "holds none of its switches");
    let others = deleted().holding(policy_with(&[Reservations], vec![marketplace()]));
    assert_eq!(others.does(), "update AzureMarketplace");
}

#[test]
fn a_revoke_waits_for_nobody() {
    let case = deleted().with(|case| {
        case.facts.prerequisites.customer = CustomerRef::Missing;
        case.facts.prerequisites.profile = failed("Throttled");
        case.facts.prerequisites.estate = failed("Throttled");
        case.facts.partner.write_refused = Some(role_refused(case.now));
    });
    assert_eq!(case.does(), "delete");
}

#[test]
fn an_unreadable_policy_holds_the_object_and_says_so_in_every_pass() {
    let mut case = deleted().with(|case| case.facts.policy = failed("Unavailable"));
    for _ in 0..3 {
        assert_eq!(case.does(), "");
        assert_eq!(
            (case.shows("Ready"), case.shows("Stalled")),
            ("False/RevokePending".into(), "True/RevokePending".into())
        );
        case.before = case.plan().status;
        case = case.later(minutes(5));
    }
    assert!(matches!(case.plan().next, Wait::Until(_)));
    let refused = deleted().with(|case| case.facts.attempt = refusal(true));
    assert_eq!((refused.does(), refused.shows("Stalled")), (String::new(), "True/RevokePending".into()));
}

#[test]
fn a_forgotten_tenant_is_looked_up_in_the_customer_and_else_holds() {
    let stripped = deleted().with(|case| case.desired.remembered = None);
    assert_eq!(stripped.does(), "delete");
    let gone = stripped.with(|case| case.facts.prerequisites.customer = CustomerRef::Missing);
    assert_eq!(gone.does(), "delete", "the status tells");
    let gone = gone.with(|case| case.desired.record = Record::NONE);
    assert_eq!((gone.does(), gone.shows("Stalled")), (String::new(), "True/TenantForgotten".into()));
    check_release(&gone.with(|case| case.desired.is_abandoned = true), "abandoned");
}

#[test]
fn without_our_finalizer_there_is_nothing_to_do() {
    let case = deleted().with(|case| case.desired.has_finalizer = false);
    assert_eq!((case.does(), case.plan().events), (String::new(), Vec::new()));
}

#[test]
fn who_owns_nothing_goes_without_a_write() {
    let case = deleted();
    let wishes = case.desired.wishes;
    let older = contender("owner", case.now - minutes(600), true, wishes);
    check_release(&case.clone().with(|case| case.facts.contenders = vec![older]), "elsewhere/owner manages");
    let younger = contender("younger", case.now, true, wishes);
    assert_eq!(case.with(|case| case.facts.contenders = vec![younger]).does(), "delete");
}

#[test]
fn who_lost_its_annotation_still_answers_for_its_grant() {
    let case = deleted().with(|case| case.desired.remembered = None);
    let wishes = case.desired.wishes;
    let older = contender("older", case.now - minutes(600), false, wishes);
    assert_eq!(case.with(|case| case.facts.contenders = vec![older]).does(), "delete");
}

/// An object with the same wishes waits for the deleted one to go.
fn succeeded(change: impl FnOnce(&mut Successor)) -> Case {
    let mut successor = Successor {
        desired: Case::new(Allow, Deny).desired,
        prerequisites: Case::new(Allow, Deny).facts.prerequisites,
        may_be_looked_at: true,
    };
    successor.desired.identity.name.name = "successor".into();
    change(&mut successor);
    deleted().with(|case| case.facts.successor = Some(successor))
}

#[test]
fn a_successor_that_could_grant_it_now_takes_over() {
    let case = succeeded(|_| {});
    check_release(&case, "ns/successor takes over");
    assert_eq!(case.does(), "pass on to ns/successor; release", "claimed before it is let go");
    assert_eq!(succeeded(|it| it.desired.wishes.savings_plans = Allow).does(), "delete");
    assert_eq!(
        succeeded(|it| it.prerequisites.profile = Fact::Known { value: None, at: it.desired.identity.created }).does(),
        "delete"
    );
    assert_eq!(succeeded(|it| it.prerequisites.estate = failed("Throttled")).does(), "delete");
    assert_eq!(succeeded(|it| it.prerequisites.estate = Fact::NOT_READ).does(), "read estate");
    assert_eq!(succeeded(|it| it.prerequisites.customer = CustomerRef::Found(tenant(2))).does(), "delete");
    assert_eq!(
        succeeded(|_| {}).with(|case| case.facts.partner.write_refused = Some(role_refused(case.now))).does(),
        "delete"
    );
}

#[test]
fn a_revoke_does_not_wait_again_for_what_could_not_be_learned_of_a_successor() {
    let known = succeeded(|it| it.may_be_looked_at = false);
    assert_eq!(known.does(), "pass on to ns/successor; release");
    let forgotten = |it: &mut Successor| {
        it.may_be_looked_at = false;
        it.prerequisites.estate = Fact::NOT_READ;
    };
    assert_eq!(succeeded(forgotten).does(), "delete");
    let too_old = succeeded(|it| it.may_be_looked_at = false).later(minutes(10)).holding(policy(&[Reservations]));
    assert_eq!(too_old.does(), "delete");
}

#[test]
fn what_stalls_grants_lets_nobody_take_over() {
    let rival = |minutes_ago| {
        succeeded(|_| {}).with(|case| {
            let at = case.now - minutes(minutes_ago);
            case.facts.activity = vec![record("r", at, Origin::Rival, "them@contoso.example")];
            case.facts.activity[0].seen_at = case.now - minutes(2);
        })
    };
    let corrected = |minutes_ago| {
        succeeded(|_| {}).with(|case| {
            case.before.corrections = vec![crate::plan::to_second(case.now - minutes(minutes_ago)); 5];
        })
    };
    assert_eq!((rival(1).does(), corrected(50).does()), ("delete".into(), "delete".into()));
    for over in [rival(25 * 60), corrected(61)] {
        assert_eq!(over.does(), "pass on to ns/successor; release");
    }
}

#[test]
fn a_successor_that_will_not_act_takes_nothing_over() {
    assert_eq!(succeeded(|it| it.desired.mode = Mode::Suspend).does(), "delete");
    assert_eq!(succeeded(|it| it.desired.mode = Mode::Observe).does(), "delete");
    assert_eq!(succeeded(|it| it.desired.is_deleting = true).does(), "delete");
    assert_eq!(succeeded(|it| it.desired.deletion_policy = DeletionPolicy::Unknown).does(), "delete");
}

#[test]
fn what_a_deletion_turns_off_is_no_drift() {
    let case = Case::new(Allow, Allow).settled(policy(&[Reservations, SavingsPlans])).deleting();
    let case = case.holding(policy(&[SavingsPlans]));
    assert_eq!((case.does(), case.plan().events), ("delete".into(), Vec::new()));
    assert_eq!(case.shows("Synced"), "False/PendingWrite");
}

#[test]
fn who_is_held_while_suspended_still_shows_what_was_last_seen() {
    let suspended = Case::new(Allow, Deny)
        .settled(policy(&[Reservations]))
        .edited(|desired| desired.mode = Mode::Suspend)
        .restarted()
        .later(minutes(5));
    let shown = suspended.plan().status;
    assert!(shown.effective.is_some());
    // A deletion is another generation, as an edit is.
    let held = suspended.with(|case| case.before = shown.clone()).deleting();
    let status = held.plan().status;
    assert_eq!((held.does(), held.shows("Ready")), (String::new(), "False/Suspended".into()));
    assert_eq!((&status.effective, &status.policy_id), (&shown.effective, &shown.policy_id));
    let on = held.with(|case| case.before = status).edited(|desired| desired.mode = Mode::Enforce);
    assert_eq!(on.does(), "read policy", "what is shown is not gone by");
}
