//! `validUntil`, lost prerequisites, and that both latch.

use super::support::*;
use crate::api::{LatchReason, Mode, OnPrerequisiteLost};
use crate::model::{Fact, OwnerHolders};
use crate::plan::permission::Desired;
use crate::plan::{CustomerRef, Wait, to_second};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

/// Converged with reservations on, to end an hour after it began.
fn ending() -> (Case, Timestamp) {
    let case = Case::new(Allow, Deny);
    let end = case.now + minutes(60);
    (case.with(|case| case.desired.valid_until = Some(end)).settled(policy(&[Reservations])), end)
}

/// What a case does and how it stands, after its pass has read the policy anew.
fn now_reading(case: &Case, state: &[crate::model::Switch]) -> (String, String) {
    let case = case.clone().holding(policy(state));
    (case.does(), case.shows("Ready"))
}

#[test]
fn what_is_valid_until_a_moment_is_revoked_at_that_moment() {
    let (case, end) = ending();
    assert_eq!((case.does(), case.shows("Ready")), (String::new(), "True/InSync".into()));
    assert_eq!(case.plan().next, Wait::Until(end), "it is looked at again at that very moment");
    let before = case.clone().later(minutes(58));
    assert_eq!(before.does(), "");
    let at_end = case.clone().with(|case| case.now = end);
    assert_eq!(at_end.does(), "read policy");
    let read = at_end.holding(policy(&[Reservations]));
    assert_eq!(read.does(), "delete");
    assert_eq!(read.plan().events.iter().map(|event| event.reason.as_str()).collect::<Vec<_>>(), ["Expired"]);
}

#[test]
fn after_a_restart_what_has_ended_meanwhile_is_revoked_first_of_all() {
    let (case, end) = ending();
    let restarted = case.with(|case| case.now = end + minutes(300)).restarted();
    assert_eq!(restarted.does(), "read policy");
    assert_eq!(restarted.holding(policy(&[Reservations])).does(), "delete");
}

/// As `case` after a pass at `now` that found `state`.
fn passed(case: Case, now: Timestamp, state: &[crate::model::Switch]) -> Case {
    let mut case = case.with(|case| case.now = now).holding(policy(state));
    case.before = case.plan().status;
    case
}

#[test]
fn a_clock_that_goes_back_allows_nothing_again_and_another_end_does() {
    let (case, end) = ending();
    let ended = passed(passed(case, end, &[Reservations]), end + minutes(1), &[]);
    assert_eq!(ended.shows("Ready"), "True/Expired");
    let back = ended.clone().with(|case| case.now = end - minutes(30));
    assert_eq!(now_reading(&back, &[]), (String::new(), "True/Expired".into()));
    let other = |case: &Case, end| case.clone().edited(|desired| desired.valid_until = end);
    let is_granted = |case: Case| {
        let case = case.holding(policy(&[]));
        case.does()
    };
    let renew = |case: Case| {
        case.with(|case| {
            *case =
                Case { before: case.before.clone(), now: case.now, desired: case.desired.clone(), ..fresh(case.now) }
        })
    };
    assert_eq!(is_granted(renew(other(&ended, Some(end + minutes(60))))), "create azureReservations");
    assert_eq!(is_granted(renew(other(&ended, None))), "create azureReservations");
    let same_end = ended.edited(|desired| desired.wishes.savings_plans = Allow);
    assert_eq!(is_granted(renew(same_end)), "", "a changed wish with the same end");
}

/// Facts that were all read at `now`.
fn fresh(now: Timestamp) -> Case {
    let mut case = Case::new(Allow, Deny).claimed();
    let shift = now.duration_since(case.now);
    case.now = now;
    let prerequisites = &mut case.facts.prerequisites;
    if let Fact::Known { at, .. } = &mut prerequisites.profile {
        *at += shift;
    }
    if let Fact::Known { at, .. } = &mut prerequisites.estate {
        *at += shift;
    }
    for one in &mut prerequisites.subscriptions {
        if let Fact::Known { at, .. } = &mut one.owners.holders {
            *at += shift;
        }
    }
    case
}

#[test]
fn a_clock_that_is_known_to_be_wrong_ends_nothing_before_its_time() {
    let (case, end) = ending();
    let ahead = case.clone().with(|case| {
        case.now = end + minutes(600);
        case.facts.clock_ahead = Some(minutes(1000));
    });
    assert_eq!(now_reading(&ahead, &[Reservations]), (String::new(), "True/InSync".into()));
    let behind = case.with(|case| {
        case.now = end - minutes(30);
        case.facts.clock_ahead = Some(-minutes(31));
    });
    assert_eq!(now_reading(&behind, &[Reservations]).0, "delete");
}

#[test]
fn observe_tells_of_the_end_and_suspend_waits_with_it() {
    let (case, end) = ending();
    let over = |mode| case.clone().edited(|desired| desired.mode = mode).with(|case| case.now = end);
    let observed = over(Mode::Observe).holding(policy(&[Reservations]));
    assert_eq!(observed.plan().status.plan, ["turn azureReservations off"]);
    assert_eq!(observed.plan().events, [], "nothing is turned off");
    assert_eq!(over(Mode::Suspend).does(), "");
}

/// Converged with reservations on and `Revoke`; then, by the first reading, nobody holds Owner any more.
fn lost_once() -> Case {
    let case = Case::new(Allow, Deny)
        .with(|case| case.desired.on_prerequisite_lost = OnPrerequisiteLost::Revoke)
        .settled(policy(&[Reservations]));
    let now = case.now + minutes(1);
    let case = case.with(|case| case.now = now);
    passed(without_owners(case), now, &[Reservations])
}

/// Everything is read now, and nobody holds Owner.
fn without_owners(mut case: Case) -> Case {
    case.facts.prerequisites = fresh(case.now).facts.prerequisites;
    case.facts.prerequisites.subscriptions[0].owners.holders =
        Fact::Known { value: OwnerHolders::default(), at: case.now };
    case
}

#[test]
fn a_prerequisite_is_lost_only_after_two_readings_in_a_row() {
    let once = lost_once();
    assert_eq!(once.shows("OwnerRoleVerified"), "False/OwnerMissing");
    assert_eq!((once.does(), once.plan().status.latched), (String::new(), Vec::new()));
    let soon = without_owners(once.clone().later(minutes(0)));
    assert_eq!(now_reading(&soon, &[Reservations]).0, "", "the same reading again is not a second one");
    let later = once.clone().later(minutes(2));
    assert_eq!(now_reading(&later, &[Reservations]).0, "read customer, estate", "everything is read a second time");
    let twice = without_owners(later.clone());
    assert_eq!(now_reading(&twice, &[Reservations]).0, "delete");
    // Right again, or not to be read: not lost.
    let right = later.clone().with(|case| case.facts.prerequisites = fresh(case.now).facts.prerequisites);
    assert_eq!(now_reading(&right, &[Reservations]), (String::new(), "True/InSync".into()));
    let unreadable = later.with(|case| {
        case.facts.prerequisites = fresh(case.now).facts.prerequisites;
        case.facts.prerequisites.subscriptions[0].owners.holders = failed("Throttled");
    });
    assert_eq!(now_reading(&unreadable, &[Reservations]).0, "");
}

#[test]
fn what_a_lost_prerequisite_has_revoked_only_a_changed_spec_grants_again() {
    let twice = without_owners(lost_once().later(minutes(2)));
    let now = twice.now;
    let revoked = passed(passed(twice, now, &[Reservations]), now + minutes(1), &[]);
    assert_eq!(
        (revoked.shows("Ready"), revoked.shows("Stalled")),
        ("False/PrerequisiteLost".into(), "True/PrerequisiteLost".into())
    );
    assert_eq!(revoked.before.latched[0].reason, LatchReason::PrerequisiteLost);
    let again = |case: &Case| {
        Case { before: case.before.clone(), desired: case.desired.clone(), ..fresh(case.now) }.holding(policy(&[]))
    };
    assert_eq!(again(&revoked).does(), "", "it holds again, and stays off");
    let edited = revoked.edited(|desired| desired.wishes.savings_plans = Allow);
    assert_eq!(again(&edited).does(), "create azureReservations+azureSavingsPlans");
}

#[test]
fn keep_leaves_on_what_is_on() {
    let kept = lost_once().with(|case| case.desired.on_prerequisite_lost = OnPrerequisiteLost::Keep);
    let later = without_owners(kept.later(minutes(10)));
    assert_eq!(now_reading(&later, &[Reservations]), (String::new(), "True/InSync".into()));
}

#[test]
fn a_manifest_that_is_gone_loses_nothing() {
    let gone = lost_once().later(minutes(2)).with(|case| case.facts.prerequisites.subscriptions[0].wish = None);
    assert_eq!(now_reading(&gone, &[Reservations]).0, "");
}

#[test]
fn a_manifest_that_was_missing_is_no_first_reading() {
    let converged = Case::new(Allow, Deny)
        .with(|case| case.desired.on_prerequisite_lost = OnPrerequisiteLost::Revoke)
        .settled(policy(&[Reservations]));
    for is_customer in [false, true] {
        let missing = converged.clone().later(minutes(1)).with(|case| {
            if is_customer {
                case.facts.prerequisites.customer = CustomerRef::Missing;
            } else {
                case.facts.prerequisites.subscriptions[0].wish = None;
            }
        });
        let now = missing.now;
        let missing = passed(missing, now, &[Reservations]);
        let shown = if is_customer { "CustomerResolved" } else { "AzureSubscriptionVerified" };
        assert!(missing.shows(shown).starts_with("False/"));
        // It is back ten minutes later, and now nobody holds Owner: that is the first reading.
        let back = without_owners(missing.later(minutes(10))).holding(policy(&[Reservations]));
        assert_eq!((back.does(), back.shows("OwnerRoleVerified")), (String::new(), "False/OwnerMissing".into()));
        assert_eq!(back.plan().next, Wait::Until(to_second(back.now).0 + minutes(1)), "and there will be a second");
        let now = back.now;
        let once = passed(back, now, &[Reservations]);
        assert_eq!(
            now_reading(&without_owners(once.clone().later(SignedDuration::from_secs(50))), &[Reservations]).0,
            ""
        );
        assert_eq!(now_reading(&without_owners(once.later(minutes(2))), &[Reservations]).0, "delete");
    }
}

#[test]
fn where_nothing_is_allowed_nothing_is_lost() {
    let (case, end) = ending();
    let case = case.with(|case| case.desired.on_prerequisite_lost = OnPrerequisiteLost::Revoke);
    let ended = passed(passed(case, end, &[Reservations]), end + minutes(1), &[]).later(minutes(5));
    // Who owns the subscription was read before, and is not read again for this.
    let mut asked = without_owners(ended).later(minutes(1)).holding(policy(&[]));
    asked.facts.prerequisites.profile = fresh(asked.now).facts.prerequisites.profile;
    asked.desired.identity.reconcile_request = Some("now".into());
    let status = asked.plan().status;
    let again = asked.with(|case| case.before = status.clone());
    assert_eq!((again.plan().status, status.prerequisite_lost_since.clone()), (status, None));
}

#[test]
fn a_reading_in_between_that_says_otherwise_begins_the_count_anew() {
    let once = lost_once();
    let right = once.later(minutes(2)).with(|case| case.facts.prerequisites = fresh(case.now).facts.prerequisites);
    let now = right.now;
    let right = passed(right, now, &[Reservations]);
    assert_eq!(right.before.prerequisite_lost_since, None);
    let again = without_owners(right.later(minutes(2)));
    assert_eq!(now_reading(&again, &[Reservations]).0, "", "the first of two");
}

/// A clock that jumps: how far it is ahead of the services', and how long it has gone on since the last look.
fn jumps() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let offset = prop_oneof![3 => Just(0_i64), 1 => -5_i64..=5, 2 => -3000_i64..3000];
    proptest::collection::vec((offset, 1_i64..200), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The clock is known to be wrong once it is more than five minutes off.
    #[test]
    fn whichever_way_the_clock_jumps_nothing_ends_early_and_nothing_that_has_ended_begins_again(jumps in jumps()) {
        let (mut case, end) = ending();
        let (mut time, mut allowed, mut has_ended) = (case.now, vec![Reservations], false);
        for (offset, passed) in jumps {
            time += minutes(passed);
            let known = (offset.abs() > 5).then(|| minutes(offset));
            let now = time + minutes(offset);
            let mut pass = Case { before: case.before.clone(), ..fresh(now) }.holding(policy(&allowed));
            pass.desired = case.desired.clone();
            pass.facts.clock_ahead = known;
            pass.facts.partner.is_clock_off = known.is_some();
            pass.facts.started = pass.facts.started.min(time - minutes(5000));
            let done = pass.does();
            prop_assert!(["", "delete"].contains(&done.as_str()), "{done}");
            if done == "delete" {
                prop_assert!(time + minutes(5) >= end, "revoked early at {time}, which ends at {end}");
                allowed.clear();
                has_ended = true;
            }
            prop_assert!(has_ended || time < end + minutes(5), "not revoked at {time}, which ended at {end}");
            pass.before = pass.plan().status;
            case.before = pass.holding(policy(&allowed)).plan().status;
            prop_assert_eq!(case.before.latched.is_empty(), !has_ended);
        }
    }
}

#[test]
fn a_person_who_has_everything_read_anew_need_not_wait_for_the_second_reading() {
    let asked = lost_once()
        .later(SignedDuration::from_secs(2))
        .with(|case| case.desired.identity.reconcile_request = Some("now".into()))
        .holding(policy(&[Reservations]));
    assert_eq!(asked.does(), "read customer, estate");
    assert_eq!(now_reading(&without_owners(asked), &[Reservations]).0, "delete");
}

#[test]
fn a_moment_within_a_second_is_remembered_as_it_was_declared() {
    let object = serde_json::json!({
        "apiVersion": "csp-operator.dev/v1alpha1", "kind": "CustomerPurchasePermission",
        "metadata": { "namespace": "ns", "name": "p", "uid": "u", "generation": 1, "creationTimestamp": "2026-03-01T08:00:00Z" },
        "spec": { "customerRef": { "name": "fabrikam" }, "validUntil": "2026-03-01T10:00:00.7+02:00" },
    });
    let desired = Desired::of(&serde_json::from_value(object).unwrap()).unwrap();
    let (case, _) = ending();
    let mut ended = case.with(|case| case.desired.valid_until = desired.valid_until).holding(policy(&[Reservations]));
    let status = ended.plan().status;
    ended.before = serde_json::from_value(serde_json::to_value(&status).unwrap()).unwrap();
    assert_eq!((ended.plan().status.latched, ended.plan().events), (status.latched, vec![]));
}

#[test]
fn a_clock_that_was_ahead_at_the_first_reading_does_not_put_the_second_one_off() {
    // The clock is put right a day after it had been a day ahead, at the grant too.
    let back = lost_once().with(|case| case.now -= minutes(24 * 60));
    let back = without_owners(back);
    let asked = back.clone().with(|case| case.desired.identity.reconcile_request = Some("now".into()));
    assert_eq!(now_reading(&asked, &[Reservations]).0, "delete", "a person need not wait");
    assert_eq!(now_reading(&back, &[Reservations]).0, "", "it counts as now");
    let now = back.now;
    assert_eq!(back.plan().next, Wait::Until(now + minutes(1)));
    let seen = passed(back, now, &[Reservations]);
    assert_eq!(seen.before.prerequisite_lost_since, Some(to_second(now)));
    assert_eq!(now_reading(&without_owners(seen.later(minutes(2))), &[Reservations]).0, "delete");
}

#[test]
fn what_has_ended_is_told_once_although_the_status_of_the_first_pass_is_lost() {
    let (case, end) = ending();
    let expired = case.with(|case| case.now = end);
    let lost = without_owners(lost_once().later(minutes(2)));
    for (first, reason) in [(expired, "Expired"), (lost, "PrerequisiteLost")] {
        let again = first.clone().later(minutes(1));
        let [first, again] = [first, again].map(|case| case.holding(policy(&[Reservations])).plan().events);
        assert_eq!((first.len(), first[0].reason.as_str()), (1, reason));
        assert_eq!(first[0].key, again[0].key);
    }
}
