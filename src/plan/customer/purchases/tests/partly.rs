//! Some lists could be read, and others not.

use super::*;

fn unseen(passes: bool) -> Unseen {
    let (reason, message) = if passes { ("ServerError", "it failed.") } else { ("Forbidden", "it refused.") };
    Unseen { reason, message: message.into(), passes }
}

fn message(case: &Case) -> String {
    find(&case.before.conditions, ConditionType::PurchasesRecorded).unwrap().message.clone()
}

/// One of each kind, both listed by Azure, and the reservation by Partner Center too.
fn both() -> SeenPurchases {
    let read = lists(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02"), savings_plan(2, "2026-03-02")]);
    SeenPurchases { orders: Some(Ok(vec![order(1, "2026-03-02")])), ..read }
}

#[test]
fn a_list_that_cannot_be_read_hides_no_other_drops_nothing_and_is_named() {
    type Lose = fn(&mut SeenPurchases, Unseen);
    let table: [(Lose, &str, &str, &[&str], usize); 3] = [
        (
            |seen, why| seen.savings_plans = Err(why),
            "AccessMissing",
            "Azure's savings plans",
            &["ReservationPurchased"],
            1,
        ),
        // Partner Center tells of the reservation.
        (
            |seen, why| seen.reservations = Err(why),
            "AccessMissing",
            "Azure's reservations",
            &["SavingsPlanPurchased", "ReservationPurchased"],
            2,
        ),
        (
            |seen, why| seen.entitlements = Err(why),
            "Forbidden",
            "Partner Center's reservations",
            &["ReservationPurchased", "SavingsPlanPurchased"],
            2,
        ),
    ];
    for (lose, reason, list, told, shown) in table {
        for passes in [false, true] {
            let mut seen = both();
            lose(&mut seen, unseen(passes));
            let mut case = Case::new();
            let mut events = case.reads(seen.clone());
            events.sort();
            let mut expected = told.to_vec();
            expected.sort_unstable();
            assert_eq!((reasons(&events), case.before.purchases.len()), (expected, shown), "{list}");
            let reason = if passes { "ServerError" } else { reason };
            assert_eq!(case.condition(), format!("Unknown {reason}"), "{list}");
            assert!(
                message(&case).contains(&format!("{list} are missing: {}", unseen(passes).message)),
                "{}",
                message(&case)
            );
            assert_eq!(message(&case).contains("asked for again soon"), passes);
            // The whole of it comes, and nothing is told twice; then the list goes, and nothing with it.
            let later = case.reads(both());
            assert_eq!((case.before.purchases.len(), case.condition().as_str()), (2, "True Recorded"));
            assert_eq!(events.len() + later.len(), 2, "{later:?}");
            let known = case.before.purchases.clone();
            assert_eq!(case.reads(seen), []);
            assert_eq!((&case.before.purchases, case.condition()), (&known, format!("Unknown {reason}")), "{list}");
        }
    }
}

#[test]
fn what_may_pass_is_asked_for_again_within_a_sixth_of_the_interval_and_a_refusal_in_its_turn() {
    for (passes, within) in [(true, HOURS_6 / 6), (false, HOURS_6)] {
        let mut case = Case::new();
        case.reads(SeenPurchases { savings_plans: Err(unseen(passes)), ..both() });
        assert!(!case.is_due(), "not twice in one pass");
        let Wait::Until(next) = case.plan().next else { panic!("looked at again") };
        assert!(next <= case.now + within, "{next}");
        case.now += HOURS_6 / 6;
        // Its own turn may come by chance in that hour, but not for this object.
        assert_eq!(case.is_due(), passes);
    }
}

#[test]
fn roles_and_orders_that_cannot_be_read_are_said_and_what_was_found_by_them_stays() {
    let holder = OrderHolder { kind: PrincipalKind::ForeignGroup, principal: "d000".into() };
    let with =
        |holders, orders| SeenPurchases { holders: [(id('a', 1), holders)].into(), orders: Some(orders), ..both() };
    let evidence = |case: &Case, number: u32| {
        let found = case.before.purchases.iter().find(|one| one.azure_order_id == id('a', number).to_string());
        found.unwrap().evidence.clone()
    };
    let mut case = Case::new();
    case.reads(with(Err(unseen(false)), Err(unseen(false))));
    assert_eq!(case.condition(), "True Recorded", "all that was bought is there");
    assert!(evidence(&case, 1).contains("cannot be read (Forbidden); no activity record"), "{}", evidence(&case, 1));
    assert!(evidence(&case, 2).contains("orders, which might tell who bought it, cannot be read (Forbidden)"));
    case.reads(with(Ok(vec![holder]), Ok(Vec::new())));
    let found = [evidence(&case, 1), evidence(&case, 2)];
    assert!(found[0].contains("no user of the customer's tenant") && found[1].contains("no order for a savings plan"));
    // For now none of it can be read.
    case.reads(with(Err(unseen(true)), Err(unseen(true))));
    assert_eq!([evidence(&case, 1), evidence(&case, 2)], found);
    case.reads(SeenPurchases {
        reservations: Err(unseen(false)),
        savings_plans: Err(unseen(false)),
        ..lists(Vec::new(), Vec::new())
    });
    assert_eq!([evidence(&case, 1), evidence(&case, 2)], found);
}
