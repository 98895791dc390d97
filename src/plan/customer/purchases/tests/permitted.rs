//! A permission that was on for a moment only, one that is gone, and clocks that jump.

use super::*;
use crate::api::PurchasesPermitted;
use crate::plan::to_second;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Case {
    fn window(&self) -> Option<(Timestamp, Option<Timestamp>)> {
        let PurchasesPermitted { since, until } = self.before.purchases_permitted.clone()?;
        Some((since.0, until.map(|until| until.0)))
    }

    /// Looks whenever it is planned to, until a reading is due; gives how long that took.
    fn until_due(&mut self) -> SignedDuration {
        let start = self.now;
        while !self.is_due() {
            let Wait::Until(next) = self.plan().next else { panic!("looked at again") };
            assert!(next > self.now);
            self.now = next;
        }
        self.now.duration_since(start)
    }

    /// Another process, which has read nothing.
    fn restart(&mut self) {
        self.facts.started = self.now;
        self.facts.purchases.seen = Fact::NOT_READ;
        self.facts.purchases.seen_on = None;
    }
}

/// One that nothing was read of yet, with a permission that has been on since the case began.
fn permitted() -> Case {
    let mut case = Case::new();
    case.facts.purchases.permitted = Permitted::Since(case.now);
    case.pass();
    assert_eq!(case.window(), Some((case.now, None)));
    case
}

#[test]
fn one_that_is_gone_before_anything_was_read_is_looked_for_within_the_sixth_of_an_interval() {
    // Deleted, turned off, or deleted while no process ran.
    for (permitted_then, is_restarted) in
        [(Permitted::Never, false), (Permitted::Until(at("2026-03-02T12:00:30Z")), false), (Permitted::Never, true)]
    {
        let mut case = permitted();
        let on = case.now;
        case.now += SignedDuration::from_mins(1);
        case.facts.purchases.permitted = permitted_then;
        if is_restarted {
            case.restart();
        }
        case.pass();
        let Some((since, Some(until))) = case.window() else { panic!("{:?}", case.window()) };
        assert!(since == on && until > on && until <= case.now);
        assert!(!case.is_due(), "in its turn");
        assert!(case.until_due() <= HOUR);
        let events = case.sees(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02")]);
        assert_eq!(case.before.purchases.len(), 1, "{events:?}");
        assert_eq!(case.window(), Some((on, Some(until))), "orders may come late");
        // A last look when the day is over, also when no process ran at its end.
        for restarts in [false, true] {
            let mut case = Case {
                identity: case.identity.clone(),
                facts: case.facts.clone(),
                before: case.before.clone(),
                ..case
            };
            case.now = until + HOUR * if restarts { 300 } else { 24 };
            if restarts {
                case.restart();
            }
            assert!(case.is_due());
            case.sees(Vec::new(), vec![savings_plan(2, "2026-03-02"), reservation(1, "2026-03-02")]);
            assert_eq!((case.window(), case.before.purchases.len()), (None, 2));
            case.pass();
        }
    }
}

#[test]
fn what_was_on_for_so_short_a_time_that_no_status_of_it_is_left_is_recorded_all_the_same() {
    let mut case = Case::new();
    case.facts.purchases.permitted = Permitted::Never;
    case.pass();
    assert_eq!((case.window(), case.is_due()), (None, false), "nobody permitted anything");
    let on = case.now;
    case.facts.purchases.seen_on = Some(on);
    case.now += SignedDuration::from_mins(1);
    case.pass();
    assert_eq!(case.window(), Some((on, Some(case.now))));
    assert!(case.until_due() <= HOUR);
    // On again, unseen, after that.
    let again = case.now;
    case.facts.purchases.seen_on = Some(again);
    case.now += SignedDuration::from_mins(1);
    case.pass();
    assert_eq!(case.window(), Some((on, Some(case.now))));
}

#[test]
fn it_goes_on_while_one_is_on_or_that_is_not_known_and_a_suspended_one_costs_nothing() {
    let mut case = permitted();
    let on = case.now;
    case.now += HOUR;
    for (permitted, until) in [
        (Permitted::Unknown, None),
        (Permitted::Suspended, None),
        (Permitted::Until(on + HOUR / 2), Some(on + HOUR / 2)),
        (Permitted::Never, Some(on + HOUR / 2)),
        (Permitted::Unknown, Some(on + HOUR / 2)),
        (Permitted::Since(on + HOUR), None),
    ] {
        case.facts.purchases.permitted = permitted;
        case.pass();
        assert_eq!(case.window(), Some((on, until)), "{permitted:?}");
        case.now += HOUR * 7;
        assert_eq!(case.is_due(), permitted != Permitted::Suspended, "{permitted:?}");
        case.now -= HOUR * 7;
    }
}

#[test]
fn a_reading_of_before_the_end_does_not_end_it_and_nor_does_one_by_a_wrong_clock() {
    let mut case = permitted();
    case.facts.purchases.permitted = Permitted::Never;
    case.pass();
    let until = case.now;
    case.now = until + HOUR * 23;
    case.sees(Vec::new(), Vec::new());
    case.now = until + HOUR * 24;
    case.facts.purchases.is_clock_off = true;
    assert!(case.is_due());
    case.sees(Vec::new(), Vec::new());
    assert_eq!((case.window(), case.is_due()), (Some((until, Some(until))), false));
    // Put right: it was no more than an hour.
    case.facts.purchases.is_clock_off = false;
    case.now = until + HOUR;
    case.facts.purchases.seen = Fact::Known { value: lists(Vec::new(), Vec::new()), at: case.now };
    case.pass();
    assert_eq!(case.window(), Some((until, Some(until))));
}

#[test]
fn a_last_look_that_did_not_bring_what_may_come_later_ends_nothing() {
    let unseen = |passes| Unseen { reason: "ServerError", message: "it failed.".into(), passes };
    for passes in [true, false] {
        let mut case = permitted();
        case.facts.purchases.permitted = Permitted::Never;
        case.pass();
        case.now += HOUR * 24;
        assert!(case.is_due());
        case.reads(SeenPurchases { savings_plans: Err(unseen(passes)), ..lists(Vec::new(), Vec::new()) });
        // A refusal that will stay is as much as will be known.
        assert_eq!(case.window().is_some(), passes);
        if passes {
            assert!(!case.is_due(), "not twice in one pass");
            assert!(case.until_due() <= HOUR);
            case.sees(Vec::new(), vec![savings_plan(2, "2026-03-02")]);
            assert_eq!((case.window(), case.before.purchases.len()), (None, 1));
        }
    }
}

#[test]
fn a_clock_that_is_known_to_be_wrong_moves_nothing() {
    for hours in [-300, 300] {
        for (permitted_then, until) in [
            (Permitted::Since(at("2026-03-02T13:00:00Z")), None),
            (Permitted::Since(at("2026-03-02T13:00:00Z")), Some(HOUR / 2)),
            (Permitted::Until(at("2026-03-02T13:00:00Z") + HOUR * hours), None),
            (Permitted::Never, None),
            (Permitted::Never, Some(HOUR / 2)),
            (Permitted::Unknown, Some(HOUR / 2)),
        ] {
            let mut case = permitted();
            let (on, until) = (case.now, until.map(|later| case.now + later));
            if let Some(until) = until {
                case.facts.purchases.permitted = Permitted::Until(until);
                case.now += HOUR;
                case.pass();
            }
            assert_eq!(case.window(), Some((on, until)));
            let right = on + HOUR * 2;
            case.now = right + HOUR * hours;
            case.facts.purchases.permitted = permitted_then;
            case.facts.purchases.is_clock_off = true;
            case.before.purchases_permitted = case.plan().status.purchases_permitted;
            let is_on = matches!(permitted_then, Permitted::Since(_));
            let expected = until.filter(|_| !is_on);
            assert_eq!(case.window(), Some((on, expected)), "{hours} {permitted_then:?}");
            // Put right, it goes on as if nothing had been.
            case.now = right;
            case.facts.purchases.is_clock_off = false;
            case.facts.purchases.permitted = if is_on { permitted_then } else { Permitted::Never };
            case.pass();
            assert_eq!(case.window(), Some((on, if is_on { None } else { expected.or(Some(right)) })));
        }
        // What was seen while it is wrong is told all the same.
        let mut case = permitted();
        let (on, until) = (case.now, case.now + HOUR);
        case.facts.purchases.permitted = Permitted::Until(until);
        case.now = until;
        case.pass();
        case.now = until + HOUR * hours;
        case.facts.purchases.is_clock_off = true;
        case.facts.purchases.seen_on = Some(case.now);
        let told = case.plan().status.purchases_permitted;
        assert!(tells(told.as_ref(), case.now) && told.unwrap().since.0 == on);
    }
}

#[test]
fn of_a_suspended_permission_it_is_said_that_nothing_is_looked_for() {
    let mut case = permitted();
    case.sees(Vec::new(), vec![reservation(1, "2026-03-02")]);
    case.facts.purchases.permitted = Permitted::Suspended;
    case.now = at("2027-03-03T12:00:00Z");
    case.facts.purchases.seen = Fact::NOT_READ;
    case.pass();
    assert_eq!((case.is_due(), case.condition().as_str()), (false, "Unknown Suspended"));
    assert_eq!(case.before.purchases[0].state, "Expired");
    // Gone while nobody looked, or resumed.
    let mut gone =
        Case { before: case.before.clone(), facts: case.facts.clone(), identity: case.identity.clone(), ..case };
    gone.before.purchases_permitted = None;
    gone.facts.purchases.permitted = Permitted::Never;
    gone.pass();
    assert_eq!(gone.condition(), "True Recorded");
    let mut resumed = gone;
    resumed.before = case.before;
    resumed.facts.purchases.permitted = Permitted::Since(case.now);
    assert!(resumed.is_due());
    resumed.sees(Vec::new(), vec![reservation(1, "2026-03-02")]);
    assert_eq!(resumed.condition(), "True Recorded");
}

#[test]
fn what_was_noted_by_a_clock_that_was_ahead_holds_nothing_up() {
    for (since, until) in [(1, None), (1, Some(2)), (-48, Some(300))] {
        let mut case = permitted();
        let ahead = |hours: i64| {
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(case.now + HOUR * i32::try_from(hours).unwrap())
        };
        case.before.purchases_permitted = Some(PurchasesPermitted { since: ahead(since), until: until.map(ahead) });
        case.facts.purchases.permitted =
            if until.is_some() { Permitted::Never } else { Permitted::Since(case.now + HOUR) };
        case.pass();
        let (noted, ended) = case.window().unwrap();
        assert!(noted <= case.now && ended.is_none_or(|ended| ended <= case.now), "{:?}", case.window());
        case.now += HOUR;
        assert!(case.is_due());
    }
}

#[test]
fn a_status_of_an_earlier_version_is_followed_as_before() {
    let mut case = permitted();
    case.sees(Vec::new(), Vec::new());
    let status = serde_json::to_value(&case.before).unwrap();
    assert!(status["purchasesPermitted"]["since"].is_string());
    let mut old = status;
    old.as_object_mut().unwrap().remove("purchasesPermitted");
    case.before = serde_json::from_value(old).unwrap();
    assert_eq!(case.window(), None);
    let off = case.now;
    case.facts.purchases.permitted = Permitted::Until(off);
    case.now = off + HOUR * 23;
    assert!(case.is_due());
    case.now = off + HOUR * 24;
    assert!(!case.is_due());
    case.pass();
    assert_eq!((case.condition().as_str(), case.window()), ("", None));
}

#[test]
fn whether_it_is_permitted_is_said_by_all_permissions_that_are_looked_at_and_about_the_customer() {
    use crate::api::Mode::{Enforce, Observe, Suspend};
    use crate::api::SwitchState::{Allow, Deny, Unknown};
    use crate::api::{CustomerPurchasePermissionStatus as Status, SwitchState, SwitchStatus, Switches};
    let tenant: TenantId = "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap();
    let hour = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
    let switch = |(state, hours): (SwitchState, i64)| SwitchStatus { state, since: to_second(hour(hours)) };
    let status = |reservations, plans| Status {
        tenant_id: Some(tenant.to_string()),
        effective: Some(Switches {
            azure_reservations: Some(switch(reservations)),
            azure_savings_plans: Some(switch(plans)),
        }),
        ..Status::default()
    };
    let (on, off) = (status((Allow, 5), (Allow, 3)), status((Deny, 7), (Deny, 4)));
    let unread = Status { effective: None, ..on.clone() };
    let of_another = Status { tenant_id: Some("of another".into()), ..on.clone() };
    let unclear = status((Unknown, 1), (Deny, 4));
    for (permissions, expected) in [
        (vec![], Permitted::Never),
        (vec![(Enforce, Some(&on))], Permitted::Since(hour(3))),
        (vec![(Observe, Some(&off)), (Enforce, Some(&on))], Permitted::Since(hour(3))),
        (vec![(Enforce, Some(&off))], Permitted::Until(hour(7))),
        (vec![(Enforce, None)], Permitted::Unknown),
        (vec![(Enforce, Some(&off)), (Enforce, Some(&unread))], Permitted::Unknown),
        (vec![(Enforce, Some(&unclear))], Permitted::Unknown),
        (vec![(Enforce, Some(&of_another))], Permitted::Never),
        (vec![(Suspend, Some(&on))], Permitted::Suspended),
        (vec![(Suspend, Some(&on)), (Enforce, Some(&off))], Permitted::Suspended),
        (vec![(Suspend, Some(&off)), (Enforce, Some(&on))], Permitted::Since(hour(3))),
    ] {
        assert_eq!(Permitted::by(permissions.clone(), tenant), expected, "{permissions:?}");
    }
}
