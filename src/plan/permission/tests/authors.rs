//! Who is named for a drift: in the status, and in the conditions and events, which tell the same.

use jiff::Timestamp;

use super::support::*;
use crate::api::{Drift, DriftPolicy, PurchaseSwitch};
use crate::model::ActivityOperation::{self, Create, Delete, Update};
use crate::model::{Origin, Switch};
use crate::plan::permission::SeenRecord;

const EVE: &str = "eve@fabrikam.example";
const MALLORY: &str = "mallory@fabrikam.example";
const NOBODY: &str = "somebody whom the activity log does not name yet";

/// Converged under this policy, reservations as wished and savings plans denied.
fn converged(policy_: DriftPolicy, reservations: PurchaseSwitch) -> Case {
    let right: &[Switch] = if reservations == Allow { &[Reservations] } else { &[] };
    Case::new(reservations, Deny).with(|case| case.desired.drift_policy = policy_).settled(policy(right))
}

/// A record whose correlation id is `request-ID`.
fn by(actor: &str, id: &str, operation: ActivityOperation, at: Timestamp) -> SeenRecord {
    let mut seen = record(id, at, Origin::Other, actor);
    seen.record.operation = operation;
    seen.record.correlation_id = Some(format!("request-{id}"));
    seen
}

/// A minute later, with these records more, and this policy read.
fn next(case: &Case, records: Vec<SeenRecord>, allowed: &[Switch]) -> Case {
    let mut case = case.clone().later(minutes(1));
    case.facts.activity.extend(records);
    case.holding(policy(allowed))
}

/// The same with the status that its plan has shown.
fn shown(case: &Case) -> Case {
    let mut case = case.clone();
    case.before = case.plan().status;
    case
}

fn message(case: &Case, type_: &str) -> String {
    let conditions = case.plan().status.conditions;
    conditions.into_iter().find(|one| one.type_ == type_).unwrap().message
}

/// The switches of the drift with what the correlation ids end in and the actors.
fn drift(case: &Case) -> Vec<String> {
    let word = |one: &Drift| {
        let request = one.correlation_id.as_deref().map_or("?", |id| id.trim_start_matches("request-"));
        format!("{} {request} {}", one.switch, one.actor.as_deref().unwrap_or("?"))
    };
    case.plan().status.drift.iter().map(word).collect()
}

fn note(case: &Case, key: &str) -> String {
    let events = case.plan().events;
    events.into_iter().find(|event| event.key == key).unwrap_or_else(|| panic!("no event {key}")).note
}

/// What must hold of whatever is shown: the same from the same, and again from what was shown.
fn is_settled(case: &Case) {
    let again = shown(case);
    assert_eq!((again.plan().status, again.plan().events), (again.before.clone(), Vec::new()));
}

#[test]
fn who_turns_another_switch_later_is_not_blamed_for_the_first() {
    let start = converged(DriftPolicy::Report, Deny);
    let first = next(&start, vec![by(EVE, "1", Create, start.now)], &[Reservations]);
    assert_eq!(drift(&first), [format!("azureReservations 1 {EVE}")]);
    let expected = format!("azureReservations was turned by {EVE}; driftPolicy Report leaves it so");
    assert_eq!((message(&first, "Synced"), message(&first, "Ready")), (expected.clone(), expected));
    is_settled(&first);
    let second = next(&shown(&first), vec![by(MALLORY, "2", Update, first.now)], &[Reservations, SavingsPlans]);
    assert_eq!(drift(&second), [format!("azureReservations 1 {EVE}"), format!("azureSavingsPlans 2 {MALLORY}")]);
    let expected = format!(
        "azureReservations was turned by {EVE}, azureSavingsPlans by {MALLORY}; driftPolicy Report leaves them so"
    );
    assert_eq!((message(&second, "Synced"), message(&second, "Ready")), (expected.clone(), expected));
    let told = note(&second, "2");
    assert!(
        told.ends_with(". azureSavingsPlans is not as declared any more, and driftPolicy Report leaves it so"),
        "{told}"
    );
    is_settled(&second);
    // Nobody else's later record changes that.
    let third = next(&shown(&second), vec![by("bob", "3", Update, second.now)], &[Reservations, SavingsPlans]);
    assert_eq!(drift(&third), drift(&second));
    assert!(!note(&third, "3").contains("not as declared"), "bob has changed nothing that lasts");
}

#[test]
fn one_person_is_named_once_and_two_switches_are_in_the_plural() {
    let start = converged(DriftPolicy::Report, Deny);
    let both = next(
        &start,
        vec![by(EVE, "1", Create, start.now), by(EVE, "2", Update, start.now + minutes(1))],
        &[Reservations, SavingsPlans],
    );
    // Which of her two requests it was, nothing tells.
    assert_eq!(drift(&both), [format!("azureReservations ? {EVE}"), format!("azureSavingsPlans ? {EVE}")]);
    let expected =
        format!("azureReservations and azureSavingsPlans were turned by {EVE}; driftPolicy Report leaves them so");
    assert_eq!(message(&both, "Synced"), expected);
    let told = note(&both, "2");
    let expected =
        ". azureReservations and azureSavingsPlans are not as declared any more, and driftPolicy Report leaves them so";
    assert!(told.ends_with(expected), "{told}");
    is_settled(&both);
    // With one request, it was that.
    let one = next(&start, vec![by(EVE, "1", Create, start.now)], &[Reservations, SavingsPlans]);
    assert_eq!(drift(&one), [format!("azureReservations 1 {EVE}"), format!("azureSavingsPlans 1 {EVE}")]);
}

#[test]
fn what_two_people_turn_between_two_readings_is_told_apart_where_the_operations_do() {
    let within = |allow, records: [(&str, ActivityOperation); 2], actual: &[Switch]| {
        let start = converged(DriftPolicy::Report, allow);
        let [one, two] = records;
        let records = vec![by(one.0, "1", one.1, start.now), by(two.0, "2", two.1, start.now + minutes(1))];
        next(&start, records, actual)
    };
    let told_apart = within(Allow, [(EVE, Update), (MALLORY, Update)], &[SavingsPlans]);
    assert_eq!(drift(&told_apart), [format!("azureReservations 2 {MALLORY}"), format!("azureSavingsPlans 1 {EVE}")]);
    assert!(note(&told_apart, "1").contains(". azureSavingsPlans is not"), "{}", note(&told_apart, "1"));
    assert!(note(&told_apart, "2").contains(". azureReservations is not"), "{}", note(&told_apart, "2"));
    let told_apart = within(Allow, [(EVE, Delete), (MALLORY, Create)], &[SavingsPlans]);
    assert_eq!(drift(&told_apart), [format!("azureReservations 1 {EVE}"), format!("azureSavingsPlans 2 {MALLORY}")]);
    let not = within(Deny, [(EVE, Create), (MALLORY, Update)], &[Reservations, SavingsPlans]);
    let either = format!("{MALLORY} or {EVE}");
    assert_eq!(drift(&not), [format!("azureReservations ? {either}"), format!("azureSavingsPlans ? {either}")]);
    assert!(note(&not, "2").ends_with(&format!("were turned by {either}")), "{}", note(&not, "2"));
    for case in [told_apart, not] {
        is_settled(&case);
    }
}

#[test]
fn a_late_record_names_what_was_seen_before_it_only_if_it_is_older() {
    let start = converged(DriftPolicy::Report, Deny);
    let first = shown(&next(&start, Vec::new(), &[Reservations]));
    assert_eq!(drift(&first), ["azureReservations ? ?"]);
    let (eves, mallorys) = (by(EVE, "1", Create, start.now), by(MALLORY, "2", Update, first.now + minutes(1)));
    let both = [Reservations, SavingsPlans];
    let named = [format!("azureReservations 1 {EVE}"), format!("azureSavingsPlans 2 {MALLORY}")];
    // Together, or hers at last.
    assert_eq!(drift(&next(&first, vec![eves.clone(), mallorys.clone()], &both)), named);
    let second = next(&first, vec![mallorys], &both);
    assert_eq!(drift(&second), ["azureReservations ? ?".to_owned(), named[1].clone()]);
    let expected = format!("azureReservations was turned by {NOBODY}, azureSavingsPlans by {MALLORY}; ");
    assert!(message(&second, "Synced").starts_with(&expected), "{}", message(&second, "Synced"));
    let third = next(&shown(&second), vec![eves], &both);
    assert_eq!(drift(&third), named);
    assert!(note(&third, "1").contains(". azureReservations is not as declared"), "{}", note(&third, "1"));
}

#[test]
fn a_record_that_a_reading_has_followed_names_nobody_later() {
    let start = converged(DriftPolicy::Report, Deny);
    let on_and_off = vec![by(MALLORY, "1", Create, start.now), by(MALLORY, "2", Delete, start.now + minutes(1))];
    let right = shown(&next(&start, on_and_off, &[]));
    assert_eq!(drift(&right), Vec::<String>::new());
    let drifted = next(&right, Vec::new(), &[SavingsPlans]);
    assert_eq!(drift(&drifted), ["azureSavingsPlans ? ?"]);
    assert!(message(&drifted, "Synced").starts_with(&format!("azureSavingsPlans was turned by {NOBODY}; ")));
    let named = next(&shown(&drifted), vec![by(EVE, "3", Create, right.now + minutes(1))], &[SavingsPlans]);
    assert_eq!(drift(&named), [format!("azureSavingsPlans 3 {EVE}")]);
}

/// Reservations off and savings plans on, both by eve, where only the latter is turned back.
fn both_ways(records: &[SeenRecord]) -> Case {
    let start = converged(DriftPolicy::CorrectDown, Allow);
    next(&start, records.to_vec(), &[SavingsPlans])
}

fn eves() -> Vec<SeenRecord> {
    let at = converged(DriftPolicy::CorrectDown, Allow).now;
    vec![by(EVE, "off", Delete, at), by(EVE, "on", Create, at + minutes(1))]
}

#[test]
fn what_is_left_keeps_its_author_after_the_other_switch_was_turned_back() {
    let found = both_ways(&eves());
    assert_eq!(drift(&found), [format!("azureReservations off {EVE}"), format!("azureSavingsPlans on {EVE}")]);
    let expected = format!(
        "azureReservations and azureSavingsPlans were turned by {EVE}; due: turn azureSavingsPlans off; driftPolicy CorrectDown leaves azureReservations so"
    );
    assert_eq!(message(&found, "Synced"), expected);
    assert_eq!(found.does(), "delete");
    let told = note(&found, "off");
    assert!(
        told.ends_with(". azureReservations is not as declared any more, and driftPolicy CorrectDown leaves it so"),
        "{told}"
    );
    let told = note(&found, "on");
    assert!(told.ends_with(". azureSavingsPlans is not as declared any more; the operator turns it back"), "{told}");

    // The operator's own record is of the same second.
    let own = record("own", found.now, Origin::Own, "operator@partner.example");
    let expected = format!("azureReservations was turned by {EVE}; driftPolicy CorrectDown leaves it so");
    let left = next(&shown(&found), vec![own], &[]);
    let asked = shown(&left).with(|case| case.desired.identity.reconcile_request = Some("again".into()));
    let asked = next(&asked, Vec::new(), &[]);
    let restarted = shown(&asked).restarted().with(|case| case.facts.activity.clear());
    for case in [left, asked, restarted] {
        assert_eq!(drift(&case), [format!("azureReservations off {EVE}")]);
        assert_eq!((message(&case, "Synced"), message(&case, "Ready")), (expected.clone(), expected.clone()));
    }
}

#[test]
fn a_record_that_comes_after_the_other_switch_was_turned_back_still_names_who_it_was() {
    let found = both_ways(&[]);
    let expected = "azureReservations and azureSavingsPlans are not as declared any more; the operator turns azureSavingsPlans \
         back, driftPolicy CorrectDown leaves azureReservations so. azureReservations and azureSavingsPlans were turned by";
    let told = found.plan().events.remove(0).note;
    assert_eq!(told, format!("{expected} {NOBODY}"));
    let own = record("own", found.now, Origin::Own, "operator@partner.example");
    let left = next(&shown(&found), vec![own], &[]);
    assert_eq!(drift(&left), ["azureReservations ? ?"]);
    assert_eq!(
        message(&left, "Ready"),
        format!("azureReservations was turned by {NOBODY}; driftPolicy CorrectDown leaves it so")
    );
    let named = next(&shown(&left), eves(), &[]);
    assert_eq!(drift(&named), [format!("azureReservations off {EVE}")]);
    assert!(message(&named, "Ready").starts_with(&format!("azureReservations was turned by {EVE}; ")));
}

#[test]
fn a_record_names_nobody_for_what_its_operation_cannot_do() {
    let start = converged(DriftPolicy::Report, Allow);
    let first = next(&start, vec![by(EVE, "off", Delete, start.now)], &[SavingsPlans]);
    assert_eq!(drift(&first), [format!("azureReservations off {EVE}"), "azureSavingsPlans ? ?".to_owned()]);
    let events: Vec<_> = first.plan().events.into_iter().map(|event| event.reason).collect();
    assert_eq!(events, ["DeleteCustomerPurchasePermissions", "Drifted"]);
    let second = next(&shown(&first), vec![by(MALLORY, "on", Create, first.now)], &[SavingsPlans]);
    assert_eq!(drift(&second), [format!("azureReservations off {EVE}"), format!("azureSavingsPlans on {MALLORY}")]);
}

#[test]
fn what_cannot_be_turned_back_yet_is_told_beside_what_can() {
    let start = converged(DriftPolicy::Correct, Allow).with(|case| {
        case.facts.partner.write_refused = Some(role_refused(case.now));
    });
    let told = next(&start, Vec::new(), &[SavingsPlans]).plan().events.remove(0).note;
    let expected = "; the operator turns azureSavingsPlans back, azureReservations cannot be turned back yet. ";
    assert!(told.contains(expected), "{told}");
}
