//! Switches that somebody else has turned: what `driftPolicy` makes of it, when grants stop, and what was there before.

use super::support::*;
use crate::api::{DriftPolicy, Mode, SwitchState};
use crate::model::Origin;

/// Converged with both wishes as given, under this policy; then somebody else has made it `actual`.
fn turned(
    policy_: DriftPolicy,
    wishes: (crate::api::PurchaseSwitch, crate::api::PurchaseSwitch),
    actual: &[crate::model::Switch],
) -> Case {
    let right: Vec<_> = [(wishes.0, Reservations), (wishes.1, SavingsPlans)]
        .into_iter()
        .filter(|(wish, _)| *wish == Allow)
        .map(|(_, switch)| switch)
        .collect();
    let case = Case::new(wishes.0, wishes.1).with(|case| case.desired.drift_policy = policy_).settled(policy(&right));
    let state = policy(actual);
    case.holding(state)
}

#[test]
fn drift_policy_says_what_is_turned_back() {
    use DriftPolicy::{Correct, CorrectDown, Report};
    for (policy_, down, up) in
        [(Correct, "delete", "create azureReservations"), (CorrectDown, "delete", ""), (Report, "", "")]
    {
        let on = turned(policy_, (Deny, Deny), &[SavingsPlans]);
        let off = turned(policy_, (Allow, Deny), &[]);
        assert_eq!((on.does().as_str(), off.does().as_str()), (down, up), "{policy_:?}");
    }
    // One of each: only what may be corrected is.
    let both = turned(CorrectDown, (Allow, Deny), &[SavingsPlans]);
    assert_eq!(both.does(), "delete");
}

#[test]
fn drift_that_is_left_is_shown_and_is_neither_progress_nor_a_stall() {
    let case = turned(DriftPolicy::Report, (Allow, Deny), &[]);
    let shows = ["Ready", "Reconciling", "Stalled", "Synced"].map(|type_| case.shows(type_));
    assert_eq!(shows, ["False/Drifted", "False/Idle", "False/NotStalled", "False/Drifted"]);
    let drift = &case.plan().status.drift[0];
    assert_eq!(
        (drift.switch.as_str(), drift.expected, drift.actual),
        ("azureReservations", SwitchState::Allow, SwitchState::Deny)
    );
    assert_eq!((&drift.actor, &drift.correlation_id), (&None, &None), "an unknown actor is not made up");
    // The record arrives later: the drift is the same, and now has a name.
    let mut later = case.clone();
    later.before = case.plan().status;
    let later = later.later(minutes(1)).with(|case| {
        let mut seen = record("r", case.now - minutes(1), Origin::Other, "ada@fabrikam.example");
        seen.record.operation = crate::model::ActivityOperation::Delete;
        case.facts.activity = vec![seen];
        let at = case.now;
        case.facts.policy = crate::model::Fact::Known { value: policy(&[]), at };
    });
    let named = &later.plan().status.drift[0];
    assert_eq!((named.actor.as_deref(), &named.since), (Some("ada@fabrikam.example"), &drift.since));
    assert_eq!(later.does(), "");
}

#[test]
fn an_edited_wish_is_no_drift_under_any_policy() {
    for policy_ in [DriftPolicy::Correct, DriftPolicy::CorrectDown, DriftPolicy::Report] {
        let case =
            Case::new(Allow, Deny).with(|case| case.desired.drift_policy = policy_).settled(policy(&[Reservations]));
        let revoked =
            case.clone().edited(|desired| desired.wishes.reservations = Deny).holding(policy(&[Reservations]));
        assert_eq!(revoked.does(), "delete", "{policy_:?}");
        let granted = case.edited(|desired| desired.wishes.savings_plans = Allow).holding(policy(&[Reservations]));
        assert_eq!(granted.does(), "update azureReservations+azureSavingsPlans", "{policy_:?}");
    }
}

#[test]
fn after_five_corrections_upward_in_an_hour_grants_stop_and_revokes_go_on() {
    let off = turned(DriftPolicy::Correct, (Allow, Deny), &[]);
    let corrected = |count: i64, minutes_ago: i64| {
        off.clone().with(|case| {
            let at = |index: i64| {
                k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(case.now - minutes(minutes_ago - index))
            };
            case.before.corrections = (0..count).map(at).collect();
        })
    };
    assert_eq!(corrected(4, 50).does(), "create azureReservations");
    let flapping = corrected(5, 50);
    assert_eq!((flapping.does(), flapping.shows("Stalled")), (String::new(), "True/Flapping".into()));
    assert_eq!(corrected(5, 61).does(), "create azureReservations", "the first of them is an hour ago");
    let down = corrected(5, 50).holding(policy(&[SavingsPlans]));
    assert_eq!(down.does(), "delete", "what must go off goes off");
    let asked = flapping.with(|case| case.desired.identity.reconcile_request = Some("again".into()));
    assert_eq!(asked.does(), "read customer, estate", "a person wants it tried again, by facts of now");
    assert_eq!(asked.plan().status.corrections, []);
}

#[test]
fn where_another_installation_writes_nothing_is_granted_for_a_day_and_revokes_go_on() {
    let rival = |minutes_ago| {
        turned(DriftPolicy::Correct, (Allow, Deny), &[]).with(|case| {
            case.facts.activity =
                vec![record("r", case.now - minutes(minutes_ago), Origin::Rival, "them@contoso.example")];
            for seen in &mut case.facts.activity {
                seen.seen_at = case.now - minutes(2);
            }
        })
    };
    assert_eq!((rival(1).does(), rival(1).shows("Stalled")), (String::new(), "True/RivalOperator".into()));
    assert_eq!(rival(25 * 60).does(), "create azureReservations");
    assert_eq!(rival(1).holding(policy(&[SavingsPlans])).does(), "delete");
}

#[test]
fn a_person_who_has_stopped_the_other_installation_says_so_once_whatever_else_is_in_the_way() {
    let stalled = turned(DriftPolicy::Correct, (Allow, Deny), &[]).with(|case| {
        case.facts.activity = vec![record("r", case.now - minutes(1), Origin::Rival, "them@contoso.example")];
    });
    let mut asked = stalled.with(|case| {
        case.desired.identity.reconcile_request = Some("again".into());
        case.facts.prerequisites = Case::new(Allow, Deny).facts.prerequisites;
        case.facts.prerequisites.profile = failed("Throttled");
    });
    assert_eq!(asked.shows("Ready"), "False/Throttled");
    asked.before = asked.plan().status;
    let now = asked.now + minutes(2);
    let later = Case { facts: Case::new(Allow, Deny).facts, ..asked.clone() };
    let later = later.with(|case| {
        case.facts.activity = asked.facts.activity.clone();
        case.facts.policy = asked.facts.policy.clone();
    });
    let read = |case: Case| case.with(|case| case.now = now).holding(policy(&[]));
    assert_eq!(read(later.clone()).does(), "create azureReservations", "its facts are seconds old");
    let again = later.with(|case| {
        case.facts.activity.push(record("s", now - minutes(1), Origin::Rival, "them@contoso.example"));
        case.facts.activity[1].seen_at = now - minutes(1);
    });
    assert_eq!(read(again).shows("Stalled"), "True/RivalOperator", "it was not stopped");
}

#[test]
fn a_policy_that_was_there_before_is_recorded_with_its_author_and_then_handled_by_the_mode() {
    let found = Case::new(Deny, Deny).claimed().holding(policy(&[SavingsPlans]));
    let adopted = found.plan().status.adopted.unwrap();
    assert_eq!(
        (adopted.azure_reservations, adopted.azure_savings_plans, &adopted.by),
        (SwitchState::Deny, SwitchState::Allow, &None)
    );
    assert_eq!(found.does(), "delete", "Enforce enforces");
    let observed =
        Case::new(Deny, Deny).with(|case| case.desired.mode = Mode::Observe).holding(policy(&[SavingsPlans]));
    assert!(observed.plan().status.adopted.is_some() && observed.does().is_empty());
    // By whom may be known at once, or later.
    let ada = |case: &mut Case| {
        case.facts.activity = vec![record("r", case.now - minutes(60), Origin::Other, "ada@fabrikam.example")];
        case.facts.activity[0].seen_at = case.now - minutes(1);
    };
    assert_eq!(found.clone().with(ada).plan().status.adopted.unwrap().by.as_deref(), Some("ada@fabrikam.example"));
    let mut later = observed.clone();
    later.before = observed.plan().status;
    assert_eq!(later.with(ada).plan().status.adopted.unwrap().by.as_deref(), Some("ada@fabrikam.example"));
    // What this object has made, or an object before it, is not found.
    let ours = found.clone().with(|case| {
        case.facts.activity = vec![record("r", case.now - minutes(60), Origin::Own, "operator@contoso.example")];
        case.facts.activity[0].seen_at = case.now - minutes(1);
    });
    assert_eq!(ours.plan().status.adopted, None);
    assert_eq!(
        Case::new(Allow, Deny).settled(policy(&[])).holding(policy(&[Reservations])).plan().status.adopted,
        None
    );
}
