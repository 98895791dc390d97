//! The activity log in the status, its condition and its events; and drift.

use jiff::{SignedDuration, Timestamp};

use super::support::*;
use crate::model::Origin;
use crate::plan::permission::SeenRecord;
use crate::plan::permission::activity::merge;
use crate::plan::{Event, Severity};

/// A converged object that allows reservations, five minutes after its last pass.
fn converged() -> Case {
    Case::new(Allow, Deny).settled(policy(&[Reservations])).later(minutes(5))
}

fn with_records(case: Case, records: Vec<SeenRecord>) -> Case {
    case.with(|case| case.facts.activity.extend(records))
}

fn stored(case: Case) -> Case {
    let status = case.plan().status;
    case.with(|case| case.before = status)
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.reason.as_str()).collect()
}

#[test]
fn the_condition_tells_of_the_newest_record() {
    let case = converged();
    assert_eq!(case.shows("ActivityRecorded"), "False/NoRecord");
    for (operation, reason) in [
        (crate::model::ActivityOperation::Create, "True/CreateCustomerPurchasePermissions"),
        (crate::model::ActivityOperation::Update, "True/UpdateCustomerPurchasePermissions"),
        (crate::model::ActivityOperation::Delete, "True/DeleteCustomerPurchasePermissions"),
        (crate::model::ActivityOperation::Other("undelete".into()), "True/OtherCustomerPurchasePermissionsActivity"),
    ] {
        let mut one = record("new", case.now, Origin::Own, "operator@partner.example");
        one.record.operation = operation;
        let told = with_records(case.clone(), vec![record("old", case.now - minutes(60), Origin::Other, "ada"), one]);
        assert_eq!(told.shows("ActivityRecorded"), reason);
        let told = told.holding(policy(&[Reservations]));
        let plan = told.plan();
        let condition = plan.status.conditions.iter().find(|one| one.type_ == "ActivityRecorded").unwrap();
        assert!(condition.message.contains("by this operator as operator@partner.example"), "{}", condition.message);
        assert!(condition.message.contains("0f7c3a52-9d2e-4d0b-8a53-2b1f0e9b7a10"), "{}", condition.message);
        assert!(condition.message.contains("at 2026-03-01T22:14:47Z"), "{}", condition.message);
    }
}

#[test]
fn a_pending_record_is_remembered_by_the_status_until_one_comes() {
    let pending = stored(converged().with(|case| case.facts.is_record_pending = true));
    assert_eq!(pending.shows("ActivityRecorded"), "False/RecordPending");
    let restarted = pending.restarted();
    assert_eq!(restarted.shows("ActivityRecorded"), "False/RecordPending");
    let now = restarted.now;
    let told =
        with_records(restarted, vec![record("r", now, Origin::Own, "operator")]).holding(policy(&[Reservations]));
    assert_eq!(told.shows("ActivityRecorded"), "True/CreateCustomerPurchasePermissions");
    assert_eq!(stored(told).shows("ActivityRecorded"), "True/CreateCustomerPurchasePermissions");
    assert_eq!(stored(converged()).shows("Ready"), "True/InSync", "never gates Ready");
}

#[test]
fn every_record_is_one_event_and_history_is_none() {
    let case = converged();
    let at = |offset| case.desired.identity.created + minutes(offset);
    let records = vec![
        record("b", at(2), Origin::Own, "operator"),
        record("a", at(1), Origin::Other, "ada"),
        record("history", at(-1), Origin::Other, "eve"),
    ];
    let case = with_records(case, records).holding(policy(&[Reservations]));
    let plan = case.plan();
    let told: Vec<_> = plan.events.iter().map(|event| (event.key.as_str(), event.severity)).collect();
    assert_eq!(told, [("a", Severity::Warning), ("b", Severity::Normal)]);
    let log: Vec<_> = plan.status.recent_activity.iter().map(|entry| entry.record_id.as_str()).collect();
    assert_eq!(log, ["b", "a", "history"]);
    assert_eq!(stored(case).plan().events, []);
}

#[test]
fn the_log_is_newest_first_and_ends_at_twenty() {
    let start: Timestamp = "2026-03-01T08:00:00.25Z".parse().unwrap();
    let all: Vec<_> = (0..25).map(|i| record(&format!("r{i:02}"), start + minutes(i), Origin::Other, "ada")).collect();
    let ids = |log: &[crate::api::Activity]| log.iter().map(|entry| entry.record_id.clone()).collect::<Vec<_>>();
    let newest: Vec<_> = (5..25).rev().map(|i| format!("r{i:02}")).collect();
    assert_eq!(ids(&merge(&[], &all)), newest);
    // In pieces, in any order, or again: the same.
    let first = merge(&[], &all[10..]);
    assert_eq!(first.len(), 15);
    assert_eq!(ids(&merge(&first, &all[..20])), newest);
    assert_eq!(merge(&merge(&[], &all), &all), merge(&[], &all));
}

#[test]
fn what_has_fallen_out_of_the_log_is_not_news_again() {
    // All in one second, so that only the id tells which fell out.
    let case = converged();
    let at = case.now - minutes(1);
    let of_one_second = |i: i32| at + SignedDuration::from_millis(i64::from(900 - i));
    let records = (0..21).map(|i| record(&format!("r{i:02}"), of_one_second(i), Origin::Other, "ada")).collect();
    let case = stored(with_records(case, records).holding(policy(&[Reservations])));
    assert_eq!(case.before.recent_activity.len(), 20);
    assert_eq!(case.plan().events, []);
    assert_eq!(case.restarted().does(), "");
}

/// Reservations were turned off while they should be on.
fn drifted(mut records: Vec<SeenRecord>) -> Case {
    for seen in records.iter_mut().filter(|seen| seen.origin == Origin::Other) {
        seen.record.operation = crate::model::ActivityOperation::Delete;
    }
    with_records(converged(), records).with(|case| case.now += minutes(1)).holding(policy(&[]))
}

#[test]
fn drift_is_one_event_that_names_the_actor() {
    let at = converged().now;
    let told = drifted(vec![record("r", at, Origin::Other, "ada@fabrikam.example")]);
    assert_eq!(told.shows("Synced"), "False/Drifted");
    let plan = told.plan();
    assert_eq!(reasons(&plan.events), ["DeleteCustomerPurchasePermissions"]);
    let note = &plan.events[0].note;
    assert!(note.contains("by ada@fabrikam.example") && note.contains("the operator turns it back"), "{note}");
    assert_eq!(told.does(), "create azureReservations");
    assert_eq!(stored(told).plan().events, []);

    let untold = drifted(Vec::new());
    let plan = untold.plan();
    assert_eq!(reasons(&plan.events), ["Drifted"]);
    assert!(plan.events[0].note.contains("somebody whom the activity log does not name yet"));
    assert_eq!(stored(untold.clone()).plan().events, []);
    // A crash before the status is written repeats it under the same name.
    assert_eq!(untold.clone().later(minutes(1)).holding(policy(&[])).plan().events[0].key, plan.events[0].key);
}

#[test]
fn an_own_record_is_no_culprit_and_hides_the_one_before_it() {
    let at = converged().now;
    let told = |records| {
        let status = drifted(records).plan().status;
        status.conditions.into_iter().find(|one| one.type_ == "Synced").unwrap().message
    };
    let ada = || record("ada", at, Origin::Other, "ada@fabrikam.example");
    let own = |offset| record("own", at + minutes(offset), Origin::Own, "operator@partner.example");
    assert!(told(vec![own(-1), ada()]).contains("turned by ada@fabrikam.example"));
    let mut failed = record("failed", at + minutes(1), Origin::Other, "bob@fabrikam.example");
    failed.record.status = "failed".into();
    assert!(told(vec![ada(), failed]).contains("turned by ada@fabrikam.example"), "what failed has turned nothing");
    // Hers was corrected already; who has turned it since is not known yet.
    assert!(told(vec![ada(), own(1)]).contains("turned by somebody whom the activity log does not name yet"));
}

#[test]
fn the_culprit_stays_named_when_its_record_is_not_recent_any_more() {
    let at = converged().now;
    let case = drifted(vec![record("r", at, Origin::Other, "ada@fabrikam.example")]);
    let case = case.with(|case| case.facts.partner.write_refused = Some(role_refused(case.now)));
    assert_eq!((case.does(), case.shows("Synced")), (String::new(), "False/Drifted".into()));
    let later = stored(case).with(|case| case.facts.activity.clear());
    assert_eq!(later.plan().status, later.before);
}

#[test]
fn what_was_never_applied_or_is_wished_anew_is_no_drift() {
    let fresh = Case::new(Allow, Deny).claimed().holding(policy(&[SavingsPlans]));
    assert_eq!((fresh.shows("Synced"), fresh.plan().status.drift), ("False/PendingWrite".into(), Vec::new()));
    assert_eq!(fresh.plan().events, []);
    let edited = converged().edited(|desired| desired.wishes.savings_plans = Allow).holding(policy(&[Reservations]));
    assert_eq!((edited.shows("Synced"), edited.plan().events), ("False/PendingWrite".into(), Vec::new()));
}

#[test]
fn effective_and_last_applied_keep_their_times() {
    let case = converged().holding(policy(&[Reservations]));
    let status = case.plan().status;
    assert_eq!((&status.effective, &status.last_applied), (&case.before.effective, &case.before.last_applied));
    let drifted = drifted(Vec::new()).plan().status;
    assert_ne!(drifted.effective, case.before.effective);
    assert_eq!(drifted.last_applied, case.before.last_applied);
    let unmanaged = case.edited(|desired| desired.wishes.savings_plans = Unmanaged);
    let applied = unmanaged.holding(policy(&[Reservations])).plan().status.last_applied.unwrap();
    assert_eq!((applied.azure_reservations.is_some(), applied.azure_savings_plans), (true, None));
}

#[test]
fn a_correction_that_keeps_failing_tells_of_the_drift_once() {
    let case = drifted(Vec::new());
    assert_eq!(reasons(&case.plan().events), ["Drifted"]);
    let refused = stored(case.with(|case| case.facts.attempt = refusal(true)));
    assert_eq!(shows(&refused.before.conditions, "Synced"), "False/WriteRefused");
    let next = refused.with(|case| case.facts.attempt = crate::plan::permission::Attempt::None);
    assert_eq!((next.does(), next.plan().events), ("create azureReservations".into(), Vec::new()));
}

#[test]
fn within_one_second_the_ticks_of_the_ids_decide() {
    let at = Timestamp::from_second(converged().now.as_second()).unwrap();
    let drift = record("p_c_deleteselfservepolicy_639308442570000000", at, Origin::Other, "ada");
    let correction = record("p_c_createselfservepolicy_639308442578293621", at, Origin::Own, "operator");
    let ids = |seen: &[SeenRecord]| merge(&[], seen).into_iter().map(|entry| entry.record_id).collect::<Vec<_>>();
    let expected = [correction.record.id.clone(), drift.record.id.clone()];
    assert_eq!(ids(&[drift.clone(), correction.clone()]), expected);
    let stored = merge(&[], std::slice::from_ref(&drift));
    let both: Vec<_> = merge(&stored, &[drift, correction]).into_iter().map(|entry| entry.record_id).collect();
    assert_eq!(both, expected);
}
