//! More than a status shows, what is out of sight, and a clock that is set back.

use super::*;

/// Bought one a day from the 2nd of March on, so that the first ones end first.
fn held(numbers: std::ops::Range<u32>) -> Vec<Benefit> {
    let day = |number: u32| at("2026-03-02T00:00:00Z") + SignedDuration::from_hours(24 * i64::from(number));
    numbers.map(|number| reservation(number, &day(number).to_string()[..10])).collect()
}

fn shows(case: &Case, number: u32) -> bool {
    case.before.purchases.iter().any(|one| one.azure_order_id == id('a', number).to_string())
}

fn message(case: &Case) -> String {
    find(&case.before.conditions, ConditionType::PurchasesRecorded).unwrap().message.clone()
}

#[test]
fn of_more_than_a_status_shows_every_one_is_told_and_counted_and_what_ends_first_stays() {
    let mut case = Case::new();
    case.now = at("2026-07-30T12:00:00Z");
    assert_eq!(case.sees(Vec::new(), held(0..125)).len(), 125);
    assert_eq!(case.before.purchases.len(), PURCHASES_MAX);
    assert_eq!(case.before.purchases[0].azure_order_id, id('a', 124).to_string(), "newest first");
    assert!(message(&case).contains("125 reservations") && message(&case).contains("100 of 125"), "{}", message(&case));
    assert_eq!(case.sees(Vec::new(), held(0..125)), [], "what is not shown is no news either");
    assert_eq!(reasons(&case.sees(Vec::new(), held(0..126))), ["ReservationPurchased"]);
    assert!(shows(&case, 125) && shows(&case, 0) && !shows(&case, 110));
    // One of them gives room to what was not shown, which is no news.
    let without = |missing: u32| held(0..126).into_iter().filter(move |one| one.order != id('a', missing)).collect();
    assert_eq!(case.sees(Vec::new(), without(110)), []);
    // The end of the very first is told.
    case.now = at("2027-03-01T12:00:00Z");
    let events = case.sees(Vec::new(), held(0..126));
    assert!(events.iter().all(|(reason, _)| reason == "ReservationExpiring"), "{events:?}");
    assert!(events.iter().any(|(_, note)| note.contains("\"RI-0\"")), "{events:?}");
}

#[test]
fn what_is_over_gives_way_to_what_is_running() {
    let mut case = Case::new();
    case.now = at("2026-07-30T12:00:00Z");
    let mut all = held(0..125);
    for one in &mut all[40..100] {
        one.state = Some("Cancelled".into());
    }
    case.sees(Vec::new(), all);
    assert_eq!(case.before.purchases.len(), PURCHASES_MAX);
    assert!((0..40).chain(100..125).all(|number| shows(&case, number)));
    assert!(message(&case).contains("65 reservations"), "{}", message(&case));
}

#[test]
fn one_that_is_out_of_sight_is_missed_though_others_are_shown() {
    let mut case = Case::new();
    case.sees(Vec::new(), held(0..2));
    assert_eq!(case.condition(), "True Recorded");
    case.sees(Vec::new(), held(1..2));
    assert_eq!(case.condition(), "Unknown AccessMissing");
    assert!(message(&case).contains(&id('a', 0).to_string()), "{}", message(&case));
    assert!(shows(&case, 0));
    // What has ended may go.
    case.now = at("2027-03-02T12:00:00Z");
    case.sees(Vec::new(), held(1..2));
    assert_eq!(case.condition(), "True Recorded");
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let mut case = Case::new();
    case.sees(Vec::new(), Vec::new());
    let read_at = case.now;
    case.now = read_at - SignedDuration::from_mins(1);
    assert!(!case.is_due(), "a reading is later than the pass that asked for it");
    case.now = read_at - SignedDuration::from_hours(24);
    assert!(case.is_due());
    case.sees(Vec::new(), Vec::new());
    assert!(!case.is_due());
    case.facts.started = case.now + HOURS_6;
    case.facts.purchases.seen = Fact::NOT_READ;
    assert!(case.is_due());
}
