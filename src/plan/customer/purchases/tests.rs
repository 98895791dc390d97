mod limits;
mod partly;
mod permitted;

use super::*;
use crate::api::Customer;
use crate::model::{
    AzureEstate, Benefit, CustomerProfile, Entitlement, Ignorance, Order, OrderHolder, PrincipalKind, PurchaseKind,
    Relationship, Unseen,
};
use crate::plan::customer::azure_plan::{PlanFacts, PlanWish};
use crate::plan::customer::cost::CostFacts;
use crate::plan::customer::{CustomerWish, Facts, plan};
use crate::plan::permission::Attempt;
use crate::plan::test_statuses::keep;
use crate::plan::{CustomerRef, ObjectName, Severity};

const HOURS_6: SignedDuration = SignedDuration::from_hours(6);
const INTERVALS: Intervals = Intervals {
    resync: SignedDuration::from_hours(24),
    prerequisites: SignedDuration::from_hours(24),
    purchases: HOURS_6,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(kind: char, number: u32) -> Uuid {
    format!("{}-0000-4000-8000-{number:012x}", String::from(kind).repeat(8)).parse().unwrap()
}

fn tenant() -> TenantId {
    "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap()
}

/// A reservation of a year, from this day on.
fn reservation(number: u32, bought: &str) -> Benefit {
    let bought = at(&format!("{bought}T09:15:00Z"));
    Benefit {
        kind: PurchaseKind::Reservation,
        id: id('b', number),
        order: id('a', number),
        display_name: Some(format!("RI-{number}")),
        product: Some("VirtualMachines Standard_D2s_v5".into()),
        scope_type: Some("Shared".into()),
        scopes: Vec::new(),
        term: Some("P1Y".into()),
        quantity: Some(2),
        commitment: None,
        region: Some("westeurope".into()),
        purchased_at: Some(bought),
        expires_at: Some(bought + SignedDuration::from_hours(365 * 24)),
        renews: Some(false),
        utilization_percent: Some(85),
        state: Some("Succeeded".into()),
    }
}

fn savings_plan(number: u32, bought: &str) -> Benefit {
    Benefit {
        kind: PurchaseKind::SavingsPlan,
        quantity: None,
        commitment: Some("0.5 USD Hourly".into()),
        ..reservation(number, bought)
    }
}

/// What Partner Center lists of such a reservation.
fn right(number: u32, bought: &str) -> Entitlement {
    Entitlement {
        azure_order: id('a', number),
        order: Some(format!("order{number}V1")),
        product: Some("virtualmachines".into()),
        quantity: Some(2),
        expires_at: reservation(number, bought).expires_at,
    }
}

fn order(number: u32, bought: &str) -> Order {
    Order {
        id: format!("order{number}V1"),
        created_at: Some(at(&format!("{bought}T09:15:00Z"))),
        name: Some("Reserved VM Instance".into()),
        term: Some("P1Y".into()),
        scope_type: Some("shared".into()),
        subscription: Some("s".into()),
        is_savings_plan: false,
    }
}

/// A reservation of which nobody knows who bought it, as it is shown.
pub(crate) fn test_purchase(bought: &str, ends: &str) -> Purchase {
    let benefit =
        Benefit { expires_at: Some(at(ends)), purchased_at: Some(at(bought)), ..reservation(1, "2026-03-02") };
    known::merged(&[], Some(&lists(Vec::new(), vec![benefit])), at(bought)).remove(0)
}

/// Lists that could all be read, with nothing asked about roles and orders.
fn lists(rights: Vec<Entitlement>, held: Vec<Benefit>) -> SeenPurchases {
    let (reservations, plans) = held.into_iter().partition(|one: &Benefit| one.kind == PurchaseKind::Reservation);
    SeenPurchases {
        entitlements: Ok(rights),
        orders: None,
        reservations: Ok(reservations),
        savings_plans: Ok(plans),
        holders: [].into(),
    }
}

struct Case {
    identity: Identity,
    facts: Facts,
    before: CustomerStatus,
    now: Timestamp,
}

impl Case {
    /// A Customer that is Ready, of the 1st of March, whose permission has been on since then; it is the 2nd.
    fn new() -> Self {
        let created = at("2026-03-01T08:00:00Z");
        let profile = CustomerProfile {
            company_name: Some("Fabrikam".into()),
            domain: Some("fabrikam.example".into()),
            custom_domains: vec!["fabrikam.com".into()],
            relationship: Relationship::Reseller,
        };
        let mut case = Self {
            identity: Identity {
                name: ObjectName { namespace: "ns".into(), name: "fabrikam".into() },
                uid: "uid".into(),
                generation: 1,
                created,
                reconcile_request: None,
            },
            facts: Facts {
                profile: Fact::Known { value: Some(profile), at: created },
                estate: Fact::Known { value: AzureEstate::default(), at: created },
                plan: PlanFacts::UNKNOWN,
                cost: CostFacts::UNKNOWN,
                is_deleting: false,
                attempt: Attempt::None,
                started: created,
                purchases: PurchaseFacts {
                    permitted: Permitted::Never,
                    seen_on: None,
                    is_clock_off: false,
                    seen: Fact::NOT_READ,
                    orders: Vec::new(),
                    partner_domains: BTreeSet::from(["contoso.example".to_owned()]),
                },
            },
            before: CustomerStatus::default(),
            now: created,
        };
        case.pass();
        case.facts.purchases.permitted = Permitted::Since(created);
        case.now = at("2026-03-02T12:00:00Z");
        case
    }

    fn plan(&self) -> CustomerPlan {
        let mut facts = self.facts.clone();
        // Whatever else is due, this is about purchases.
        if let Fact::Known { at, .. } = &mut facts.profile {
            *at = self.now;
        }
        let wish = CustomerWish {
            cost_management: crate::api::CostManagement::Unmanaged,
            plan: PlanWish { policy: crate::api::AzurePlanPolicy::Verify, reseller: None },
        };
        let plan =
            plan(&self.identity, &CustomerRef::Found(tenant()), &wish, &facts, &self.before, INTERVALS, self.now);
        if plan.needs.is_empty() {
            keep::<Customer>(self.identity.generation, facts.is_deleting, &plan.status);
        }
        plan
    }

    /// Takes the status over, and gives the reasons and notes of the events.
    fn pass(&mut self) -> Vec<(String, String)> {
        let plan = self.plan();
        let on_permissions: Vec<_> = plan.actions.iter().map(told).collect();
        assert_eq!(on_permissions, plan.events, "permissions are told what the Customer is");
        self.before = plan.status;
        let again = self.plan();
        assert_eq!((&again.status, again.events), (&self.before, Vec::new()), "a second look changes nothing");
        plan.events.into_iter().map(|event| (event.reason, event.note)).collect()
    }

    fn sees(&mut self, rights: Vec<Entitlement>, held: Vec<Benefit>) -> Vec<(String, String)> {
        self.reads(lists(rights, held))
    }

    fn reads(&mut self, seen: SeenPurchases) -> Vec<(String, String)> {
        self.facts.purchases.seen = Fact::Known { value: seen, at: self.now };
        self.pass()
    }

    fn condition(&self) -> String {
        let found = find(&self.before.conditions, ConditionType::PurchasesRecorded);
        found.map(|one| format!("{} {}", one.status, one.reason)).unwrap_or_default()
    }

    fn is_due(&self) -> bool {
        self.plan().needs.iter().any(|need| matches!(need, Need::Purchases(..)))
    }

    /// A record of this order, by this user, seen now.
    fn record(&mut self, order: &str, actor: &str) {
        let at = self.now;
        let (order, actor) = (order.to_owned(), Some(actor.to_owned()));
        let record = OrderRecord { id: order.clone(), customer: tenant(), at, order, actor };
        self.facts.purchases.orders.push(SeenOrder { record, seen_at: at });
    }

    fn buyer(&self) -> (PurchasedBy, &str) {
        let first = &self.before.purchases[0];
        (first.purchased_by, &first.evidence)
    }
}

fn told(action: &Action) -> crate::plan::Event {
    match action {
        Action::TellPermissions(event) => event.clone(),
        other => panic!("nobody asks for {other:?}"),
    }
}

fn reasons(events: &[(String, String)]) -> Vec<&str> {
    events.iter().map(|(reason, _)| reason.as_str()).collect()
}

#[test]
fn what_nobody_permitted_costs_no_call_and_what_somebody_did_one_reading_per_interval() {
    let mut case = Case::new();
    for (permitted, is_due) in [
        (Permitted::Never, false),
        (Permitted::Until(case.identity.created), false),
        (Permitted::Since(case.identity.created), true),
        // Not yet its turn.
        (Permitted::Since(case.now), false),
    ] {
        case.facts.purchases.permitted = permitted;
        assert_eq!(case.is_due(), is_due, "{permitted:?}");
        if !is_due {
            let Wait::Until(next) = case.plan().next else { panic!("looked at again") };
            assert!(next <= case.now + SignedDuration::from_hours(24));
        }
    }
    let Wait::Until(next) = case.plan().next else { panic!("looked at again") };
    assert!(next <= case.now + SignedDuration::from_hours(1), "the first one within a sixth of the interval");

    case.facts.purchases.permitted = Permitted::Since(case.identity.created);
    case.sees(Vec::new(), Vec::new());
    let Wait::Until(next) = case.plan().next else { panic!("looked at again") };
    assert!(next > case.now && next <= case.now + HOURS_6);
    assert!(!case.is_due());
    case.now += HOURS_6;
    assert!(case.is_due());
    case.facts.purchases.seen = Fact::NOT_READ;
    case.facts.started = case.now;
    assert!(!case.is_due(), "nor does a restart change whose turn it is");
    case.identity.reconcile_request = Some("now".into());
    assert!(case.is_due(), "but a person does");
}

#[test]
fn a_customer_is_followed_for_a_day_after_it_was_turned_off_and_for_as_long_as_it_holds_something() {
    let mut case = Case::new();
    case.sees(Vec::new(), Vec::new());
    assert_eq!(case.condition(), "Unknown NothingShown");
    let off = case.now;
    case.facts.purchases.permitted = Permitted::Until(off);
    case.now = off + SignedDuration::from_hours(23);
    assert!(case.is_due());
    case.now = off + SignedDuration::from_hours(24);
    assert!(case.is_due(), "a last look, for nobody may have looked in that day");
    case.sees(Vec::new(), Vec::new());
    assert!(!case.is_due());
    assert_eq!((case.condition().as_str(), &case.before.purchases_permitted), ("", &None));

    let mut case = Case::new();
    case.sees(Vec::new(), vec![reservation(1, "2026-03-02")]);
    case.facts.purchases.permitted = Permitted::Until(case.now);
    case.now = at("2026-12-01T12:00:00Z");
    assert!(case.is_due());
    case.sees(Vec::new(), vec![reservation(1, "2026-03-02")]);
    assert_eq!(case.before.purchases_permitted, None);
    case.now += HOURS_6;
    assert!(case.is_due(), "it still holds one");
    case.now = at("2027-03-03T12:00:00Z");
    case.pass();
    assert!(!case.is_due());
    assert_eq!(case.before.purchases.len(), 1, "what is known stays");
    assert_eq!(case.before.purchases[0].state, "Expired", "and is not shown as running for ever");
    let message = &find(&case.before.conditions, ConditionType::PurchasesRecorded).unwrap().message;
    assert!(message.contains("Nothing of what is known is running"), "{message}");
}

#[test]
fn what_was_there_before_the_object_is_recorded_in_silence_and_a_new_order_told_once() {
    let mut case = Case::new();
    let old = || (right(1, "2025-12-01"), reservation(1, "2025-12-01"));
    let events = case.sees(vec![old().0], vec![old().1]);
    assert_eq!((events, case.before.purchases.len()), (vec![], 1));
    assert_eq!(case.condition(), "True Recorded");

    let split = Benefit { id: id('b', 77), ..reservation(2, "2026-03-02") };
    let both = vec![old().1, reservation(2, "2026-03-02"), split];
    let events = case.sees(vec![old().0, right(2, "2026-03-02")], both.clone());
    assert_eq!(reasons(&events), ["ReservationPurchased"], "one for an order, however many came of it");
    let note = &events[0].1;
    for part in
        ["reservation \"RI-2\", quantity 2, P1Y, order order2V1", "not known who bought it", "partner is billed"]
    {
        assert!(note.contains(part), "{part}: {note}");
    }
    let newest: Vec<_> = case.before.purchases.iter().map(|one| one.azure_order_id.as_str()).collect();
    assert_eq!(newest.len(), 3);
    assert_eq!(newest[2], id('a', 1).to_string(), "newest first");
    assert_eq!(case.sees(vec![old().0, right(2, "2026-03-02")], both), []);
    // Also when the status has been lost: names of events are made from the order.
    let key = case.plan().events;
    assert_eq!(key, []);
    case.before = CustomerStatus::default();
    assert_eq!(case.plan().events.iter().map(|event| event.key.clone()).collect::<Vec<_>>(), [id('a', 2).to_string()]);
}

#[test]
fn an_empty_list_of_azure_is_not_taken_for_none() {
    let mut case = Case::new();
    let orders = Some(Ok(vec![order(1, "2026-03-02")]));
    let events = case.reads(SeenPurchases { orders, ..lists(vec![right(1, "2026-03-02")], Vec::new()) });
    assert_eq!((reasons(&events), case.condition().as_str()), (vec!["ReservationPurchased"], "Unknown AccessMissing"));
    let shown = &case.before.purchases[0];
    assert_eq!((shown.state.as_str(), shown.id.as_str()), ("NotShown", shown.azure_order_id.as_str()));
    assert_eq!(shown.purchased_at.as_ref().unwrap().0, at("2026-03-02T09:15:00Z"));
    let message = &find(&case.before.conditions, ConditionType::PurchasesRecorded).unwrap().message;
    assert!(message.contains(&shown.azure_order_id), "{message}");

    // Access comes: the same purchase, with its details, and no second event.
    let events =
        case.sees(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02"), savings_plan(2, "2026-03-02")]);
    assert_eq!(reasons(&events), ["SavingsPlanPurchased"]);
    assert_eq!((case.before.purchases.len(), case.condition().as_str()), (2, "True Recorded"));
    let known = case.before.purchases.clone();
    assert!(known.iter().all(|one| one.state == "Succeeded"));

    // And goes: all of it is kept, with and without a refusal.
    let refused = Unseen { reason: "Forbidden", message: "no.".into(), passes: false };
    for azure in [Ok(Vec::new()), Err(refused)] {
        let read = lists(vec![right(1, "2026-03-02")], Vec::new());
        let seen = SeenPurchases { reservations: azure.clone(), savings_plans: azure, ..read };
        assert_eq!(case.reads(seen), []);
        assert_eq!((&case.before.purchases, case.condition().as_str()), (&known, "Unknown AccessMissing"));
    }
    // Even when Partner Center lists nothing either.
    case.sees(Vec::new(), Vec::new());
    assert_eq!((&case.before.purchases, case.condition().as_str()), (&known, "Unknown AccessMissing"));
    let not_ours = Unseen { reason: "CustomerNotOurs", message: "not ours.".into(), passes: false };
    case.reads(SeenPurchases { entitlements: Err(not_ours), ..lists(Vec::new(), Vec::new()) });
    assert_eq!((&case.before.purchases, case.condition().as_str()), (&known, "Unknown CustomerNotOurs"));
}

#[test]
fn a_failure_is_no_news_until_three_intervals_have_passed() {
    let mut case = Case::new();
    case.sees(Vec::new(), vec![reservation(1, "2026-03-02")]);
    let read_at = case.now;
    let why = Ignorance::Failed { reason: "Throttled", message: "wait".into(), last_read: Some(read_at) };
    case.facts.purchases.seen = Fact::Unknown { why };
    case.now = read_at + SignedDuration::from_hours(17);
    assert!(!case.is_due(), "not twice in one pass");
    case.pass();
    assert_eq!(case.condition(), "True Recorded");
    case.now = read_at + SignedDuration::from_hours(18);
    case.pass();
    assert_eq!(case.condition(), "Unknown Throttled");
    assert_eq!(case.before.purchases.len(), 1);
}

#[test]
fn an_activity_record_tells_the_buyer_however_late_it_comes() {
    let mut case = Case::new();
    case.sees(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02")]);
    assert_eq!(case.buyer().0, PurchasedBy::Unknown);
    for (actor, by) in [
        ("ada@contoso.example", PurchasedBy::Partner),
        ("Bob@Fabrikam.example", PurchasedBy::Customer),
        ("bob@Fabrikam.com", PurchasedBy::Customer),
        ("eve@elsewhere.example", PurchasedBy::Unknown),
        ("ada_contoso.example#EXT#@fabrikam.example", PurchasedBy::Unknown),
        ("FulfillmentService", PurchasedBy::Unknown),
    ] {
        let mut case =
            Case { identity: case.identity.clone(), facts: case.facts.clone(), before: case.before.clone(), ..case };
        case.now += SignedDuration::from_hours(1);
        case.record("order1V1", actor);
        assert!(!case.is_due(), "it tells of what is known already");
        assert_eq!(case.pass(), []);
        let (found, evidence) = case.buyer();
        assert_eq!(found, by, "{actor}");
        assert!(evidence.contains(actor) && evidence.contains("activity log"), "{evidence}");
        // The record is forgotten some time, and what it told is not.
        case.facts.purchases.orders.clear();
        case.facts.purchases.seen = Fact::NOT_READ;
        case.pass();
        assert_eq!(case.buyer().0, by);
    }
}

#[test]
fn roles_suggest_the_customer_and_never_the_partner() {
    let holder = |kind| OrderHolder { kind, principal: "d000".into() };
    let (user, partner) = (PrincipalKind::User, PrincipalKind::ForeignGroup);
    for (holders, by) in [
        (vec![user], PurchasedBy::Customer),
        (vec![partner], PurchasedBy::Unknown),
        (vec![user, partner], PurchasedBy::Unknown),
        (vec![], PurchasedBy::Unknown),
    ] {
        let mut case = Case::new();
        let holders = holders.into_iter().map(holder).collect();
        let read = lists(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02")]);
        case.reads(SeenPurchases { holders: [(id('a', 1), Ok(holders))].into(), ..read });
        assert_eq!(case.buyer().0, by);
        let Need::Purchases(_, settled) = need(tenant(), &case.before, case.now) else { panic!() };
        assert_eq!(settled.contains(&id('a', 1)), by == PurchasedBy::Customer, "asked again while it is open");
        let Need::Purchases(_, settled) = need(tenant(), &case.before, case.now + HOURS_6 * 40) else { panic!() };
        assert!(settled.contains(&id('a', 1)), "but not for ever");
        // What was found stays found, though it is not asked again.
        case.sees(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02")]);
        assert_eq!(case.buyer().0, by);
        // A record tells more than a role.
        case.record("order1V1", "ada@contoso.example");
        case.pass();
        assert_eq!(case.buyer().0, PurchasedBy::Partner);
    }
}

#[test]
fn who_bought_a_savings_plan_is_said_to_be_unknown_and_why() {
    let mut case = Case::new();
    for (orders, part) in [
        (Some(Ok(vec![order(9, "2026-03-02")])), "no order for a savings plan"),
        (Some(Ok(vec![Order { is_savings_plan: true, ..order(9, "2026-03-02") }])), "nothing that can be read tells"),
        (None, "nothing that can be read tells"),
    ] {
        case.reads(SeenPurchases { orders, ..lists(Vec::new(), vec![savings_plan(1, "2026-03-02")]) });
        let (by, evidence) = case.buyer();
        assert!(by == PurchasedBy::Unknown && evidence.contains(part), "{evidence}");
    }
    let mut new = Case::new();
    new.reads(lists(Vec::new(), vec![savings_plan(1, "2026-03-02")]));
    assert!(new.buyer().1.contains("nothing that can be read tells"));
}

#[test]
fn what_told_of_a_savings_plan_stands_when_azure_does_not_show_it_any_more() {
    let mut case = Case::new();
    let orders = Some(Ok(vec![order(9, "2026-03-02")]));
    case.reads(SeenPurchases { orders, ..lists(Vec::new(), vec![savings_plan(1, "2026-03-02")]) });
    let told = case.buyer().1.to_owned();
    case.reads(lists(Vec::new(), Vec::new()));
    assert_eq!(case.buyer().1, told);
}

#[test]
fn what_told_of_a_reservation_stands_when_azure_does_not_show_it_any_more() {
    let mut case = Case::new();
    let holders = vec![OrderHolder { kind: PrincipalKind::ForeignGroup, principal: "d000".into() }];
    let read = lists(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02")]);
    case.reads(SeenPurchases { holders: [(id('a', 1), Ok(holders))].into(), ..read });
    let told = case.buyer().1.to_owned();
    assert!(told.starts_with("no user of the customer's tenant is Owner"), "{told}");
    for rights in [vec![right(1, "2026-03-02")], Vec::new()] {
        case.sees(rights, Vec::new());
        assert_eq!(case.buyer(), (PurchasedBy::Unknown, told.as_str()));
    }
}

#[test]
fn an_order_in_the_activity_log_calls_for_a_look_now_and_once_it_can_be_read_for_certain() {
    let mut case = Case::new();
    case.sees(Vec::new(), Vec::new());
    let seen_at = case.now + SignedDuration::from_mins(1);
    case.now = seen_at;
    case.record("order1V1", "bob@fabrikam.example");
    assert!(case.is_due());
    assert_eq!(case.plan().next, Wait::Until(seen_at + RETRIED_AFTER), "whatever comes of it");
    case.sees(Vec::new(), Vec::new());
    assert!(!case.is_due(), "it is not there yet");
    assert_eq!(case.plan().next, Wait::Until(seen_at + ORDER_SHOWS_AFTER));
    case.now = seen_at + ORDER_SHOWS_AFTER;
    assert!(case.is_due());
    let events = case.sees(vec![right(1, "2026-03-02")], vec![reservation(1, "2026-03-02")]);
    assert_eq!(reasons(&events), ["ReservationPurchased"]);
    assert_eq!(case.buyer().0, PurchasedBy::Customer);
    assert!(!case.is_due());
}

#[test]
fn an_end_is_told_thirty_seven_and_one_day_before_once_each_and_that_only_the_partner_can_renew() {
    let mut case = Case::new();
    let end = at("2026-12-01T09:15:00Z");
    let mut told = Vec::new();
    for hours in (-24..=31 * 24).rev() {
        case.now = end - SignedDuration::from_hours(hours);
        for (reason, note) in case.sees(Vec::new(), vec![reservation(1, "2025-12-01")]) {
            assert_eq!(reason, "ReservationExpiring");
            assert!(note.contains("only the partner can"), "{note}");
            told.push(hours / 24);
        }
    }
    assert_eq!(told, [30, 7, 1]);
    assert_eq!(case.before.purchases[0].state, "Expired");

    let check = |change: fn(&mut Benefit), days: i64, expected: &[&str]| {
        let mut case = Case::new();
        case.now = end - SignedDuration::from_hours(24 * days) + SignedDuration::from_hours(1);
        let mut benefit = reservation(1, "2025-12-01");
        change(&mut benefit);
        let events = case.sees(Vec::new(), vec![benefit]);
        assert_eq!(reasons(&events), expected, "{events:?}");
        case.plan().next
    };
    let nothing: fn(&mut Benefit) = |_| {};
    check(nothing, 5, &["ReservationExpiring"]);
    assert_eq!(check(nothing, 40, &[]).or(Wait::ForChange), check(nothing, 40, &[]));
    check(|one| one.state = Some("Cancelled".into()), 5, &[]);
    check(|one| one.expires_at = None, 5, &[]);
}

#[test]
fn one_that_renews_is_told_without_a_warning_and_a_later_end_starts_afresh() {
    let mut case = Case::new();
    let renewing = Benefit { renews: Some(true), ..reservation(1, "2025-03-20") };
    case.facts.purchases.seen = Fact::NOT_READ;
    let azure = |held: Benefit| lists(Vec::new(), vec![held]);
    case.facts.purchases.seen = Fact::Known { value: azure(renewing.clone()), at: case.now };
    let events = case.plan().events;
    assert_eq!(events.len(), 1);
    assert!(events[0].severity == Severity::Normal && events[0].note.contains("buys the same again"), "{events:?}");
    case.pass();
    assert_eq!(case.before.purchases[0].expiry_notice_days, Some(30));
    let later = Benefit { expires_at: Some(at("2027-03-20T09:15:00Z")), ..renewing };
    assert_eq!(case.reads(azure(later)), []);
    assert_eq!(case.before.purchases[0].expiry_notice_days, None);
}
