//! `azurePlan`: what is said of the customer's Azure plan, when one is bought, and when not.

use super::super::ownership::Contender;
use super::*;
use crate::model::{AzurePlanKind, CartId, Denial, PartnerKind, PlanSubscription, PurchaseStage};
use crate::plan::PartnerQuestion;
use crate::plan::conditions::find;
use crate::plan::partner::{PartnerFacts, Refused};
use crate::plan::permission::Failure;

pub(super) fn estate(plans: &[(AzurePlanKind, &str)]) -> AzureEstate {
    let plan = |(kind, status): &(AzurePlanKind, &str)| PlanSubscription {
        id: "1".into(),
        kind: *kind,
        status: (*status).into(),
        uses: Vec::new(),
    };
    AzureEstate { plans: plans.iter().map(plan).collect() }
}

fn known<T>(case: &Case, value: T) -> Fact<T> {
    Fact::Known { value, at: case.now }
}

fn failed<T>() -> Fact<T> {
    Fact::Unknown { why: Ignorance::Failed { reason: "Forbidden", message: "no".into(), last_read: None } }
}

fn cart() -> CartId {
    "cart-1".parse().unwrap()
}

fn record(case: &Case, stage: PurchaseStage, minutes: i64) -> PlanPurchase {
    PlanPurchase {
        cart: cart(),
        reseller: None,
        at: case.now - SignedDuration::from_mins(minutes),
        stage,
        refusal: None,
    }
}

/// A customer with just this of Azure, where everything was read just now.
fn with_plans(plans: &[(AzurePlanKind, &str)]) -> Case {
    let mut case = fresh().reads(Some(Relationship::Reseller));
    case.facts.estate = known(&case, estate(plans));
    case
}

/// One without a plan, known for longer than orders take to appear, to which nothing stands in the way.
fn ready_to_buy() -> Case {
    let mut case = with_plans(&[]);
    case.wish.plan.policy = AzurePlanPolicy::Purchase;
    case.before.azure_plan = Some(crate::api::AzurePlanStatus {
        none_since: Some(crate::plan::to_second(case.now - SignedDuration::from_mins(16))),
        cart: None,
    });
    let partner = PartnerFacts {
        kind: known(&case, PartnerKind::DirectBill),
        is_admin_agent: known(&case, true),
        ..PartnerFacts::UNKNOWN
    };
    case.facts.plan = PlanFacts {
        may_purchase: true,
        agreement: known(&case, true),
        partner,
        record: known(&case, None),
        ..PlanFacts::UNKNOWN
    };
    case
}

fn with(mut case: Case, change: impl FnOnce(&mut Case)) -> Case {
    change(&mut case);
    case
}

fn shown(case: &Case) -> String {
    let plan = case.plan();
    let condition = find(&plan.status.conditions, ConditionType::AzurePlanVerified);
    condition.map(|one| format!("{} {}", one.status, one.reason)).unwrap_or_default()
}

/// What the condition says, and how many actions follow.
#[track_caller]
fn check(case: &Case, expected: &str, actions: usize) {
    let plan = case.plan();
    assert_eq!((shown(case).as_str(), plan.actions.len()), (expected, actions), "{:?} {:?}", plan.needs, plan.actions);
    let again = with(case.clone(), |again| again.before = plan.status.clone());
    assert_eq!(again.plan().status, plan.status, "a plan of its own status changes nothing");
}

/// It is not bought, and that is what is said.
#[track_caller]
fn check_not(change: impl FnOnce(&mut Case), expected: &str) {
    check(&with(ready_to_buy(), change), expected, 0);
}

#[test]
fn what_there_is_is_shown_and_holds_nothing_up() {
    use AzurePlanKind::{AzureGlobal, AzurePlan};
    check(&with_plans(&[(AzurePlan, "active")]), "True AzurePlan", 0);
    check(&with_plans(&[(AzureGlobal, "active"), (AzurePlan, "deleted")]), "True AzureGlobal", 0);
    check(&with_plans(&[(AzurePlan, "suspended")]), "False SubscriptionNotActive", 0);
    check(&with_plans(&[]), "False NoAzureSubscription", 0);
    for case in [with_plans(&[]), with_plans(&[(AzurePlan, "suspended")])] {
        assert!(is_true(&case.plan().status.conditions, ConditionType::Ready));
        assert_eq!(case.plan().status.azure_plan, None);
    }
    // Where it is read for its subscriptions, a new object has it read at once, and says it with its first status.
    let unread = |is_read_anyway| {
        with(fresh().reads(Some(Relationship::Reseller)), |case| {
            case.facts.plan.is_estate_read_anyway = is_read_anyway;
            case.identity.created = case.now - SignedDuration::from_secs(2);
        })
    };
    assert!(unread(true).plan().needs.contains(&Need::Estate(tenant())));
    // An old one waits for whoever reads it; else it is read for this, once.
    let told = with(unread(true), |case| case.before = unread(true).plan().status);
    assert!(!told.plan().needs.contains(&Need::Estate(tenant())));
    assert_eq!(shown(&told), "");
    assert!(unread(false).plan().needs.contains(&Need::Estate(tenant())));
    // What a new one fails to read it says, for nobody else may meet that failure.
    let failure = with(unread(true), |case| case.facts.estate = failed()).plan();
    let reasons: Vec<_> = failure.events.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!((reasons, is_true(&failure.status.conditions, ConditionType::Ready)), (vec!["Forbidden"], true));
    let again = with(unread(true), |case| {
        case.before = failure.status;
        case.facts.estate = failed();
    });
    assert_eq!(again.plan().events, []);
    // They may come a moment later.
    let new = with(unread(false), |case| case.identity.created = case.now);
    assert_eq!((new.plan().needs, shown(&new)), (BTreeSet::new(), String::new()));
    assert_eq!(new.plan().next, Wait::Until(new.now + SignedDuration::from_secs(2)));
    let alone = with(new.later(0), |case| case.now += SignedDuration::from_secs(2));
    assert!(alone.plan().needs.contains(&Need::Estate(tenant())), "nobody else reads it");
    // What was seen is believed after a restart.
    let later = with(with_plans(&[]).later(1), |case| case.facts = nothing_read(case.now));
    assert_eq!((later.plan().status, later.is_due()), (later.before.clone(), false));
}

#[test]
fn a_plan_is_prepared_then_bought_and_told_of_once() {
    let Action::PreparePlan { tenant: of, reseller: None, replaced: None } = ready_to_buy().plan().actions.remove(0)
    else {
        panic!("{:?}", ready_to_buy().plan().actions)
    };
    assert_eq!(of, tenant());
    let at = |stage| with(ready_to_buy(), |case| case.facts.plan.record = known(case, Some(record(case, stage, 0))));
    let prepared = at(PurchaseStage::Prepared);
    let expected = record(&prepared, PurchaseStage::Prepared, 0);
    assert_eq!(prepared.plan().actions, [Action::BuyPlan { tenant: tenant(), record: expected }]);
    let bought = with(at(PurchaseStage::Bought), |case| case.facts.attempt = Attempt::Accepted);
    check(&bought, "False PlanOrdered", 0);
    let told: Vec<_> = bought.plan().events.iter().map(|event| (event.reason.clone(), event.key.clone())).collect();
    assert_eq!(told, [("AzurePlanPurchased".into(), "plan/cart-1".into())]);
    // It shows, to this process or to another one that remembers nothing but the record.
    for remembers in [true, false] {
        let shows = with(at(PurchaseStage::Bought), |case| {
            case.facts.estate = known(case, estate(&[(AzurePlanKind::AzurePlan, "active")]));
            if remembers {
                case.before = bought.plan().status;
            }
        });
        check(&shows, "True AzurePlan", 0);
        assert_eq!(shows.plan().events.len(), usize::from(!remembers));
    }
    // Whose plan was there before is told of nothing, and its record is not even looked at.
    let had_one = with(with_plans(&[(AzurePlanKind::AzurePlan, "active")]), |case| {
        case.wish.plan.policy = AzurePlanPolicy::Purchase;
        case.facts.plan.record = known(case, None);
    });
    check(&had_one, "True AzurePlan", 0);
    assert_eq!(had_one.plan().events, []);
}

#[test]
fn nothing_is_bought_by_who_may_not_or_where_something_stands_in_the_way() {
    use AzurePlanKind::{AzureGlobal, AzurePlan};
    check_not(|case| case.facts.plan.may_purchase = false, "False PlanPurchaseNotAllowed");
    let message = with(ready_to_buy(), |case| case.facts.plan.may_purchase = false).plan().status.conditions;
    assert!(find(&message, ConditionType::Stalled).unwrap().message.contains("--allow-plan-purchase"));
    check_not(|case| case.facts.is_deleting = true, "False PurchasingPlan");
    let held =
        |kind, status: &'static str| move |case: &mut Case| case.facts.estate = known(case, estate(&[(kind, status)]));
    for status in ["active", "suspended", "expired"] {
        check_not(held(AzureGlobal, status), "False LegacySubscription");
    }
    check(&with(ready_to_buy(), held(AzureGlobal, "deleted")), "False PurchasingPlan", 1);
    for status in ["suspended", "deleted", "pending", ""] {
        check_not(held(AzurePlan, status), "False SubscriptionNotActive");
    }
    let relation = |relation: Option<Relationship>| ready_to_buy().reads(relation);
    check(&relation(None), "False TenantUnknown", 0);
    check(&relation(Some(Relationship::Other("none".into()))), "False NotReseller", 0);
    check_not(|case| case.facts.plan.agreement = known(case, false), "False CustomerAgreementMissing");
    // Which is looked at again like anything that does not hold.
    let missing = with(ready_to_buy(), |case| case.facts.plan.agreement = known(case, false)).later(0);
    let later = with(missing, |case| {
        case.now += SignedDuration::from_mins(1);
        case.facts.plan.record = known(case, None);
    });
    assert!(later.plan().needs.contains(&Need::Agreement(tenant())));
    let failure = Failure { reason: "InvalidRequest", message: "no".into(), needs_person: true };
    check_not(|case| case.facts.attempt = Attempt::Failed(failure), "False InvalidRequest");
    check_not(|case| case.wish.plan.policy = AzurePlanPolicy::Unknown, "False UnknownValue");
    // Nor where the namespace may not act for the customer, or nobody has seen yet whether it may.
    for (is_certain, expected) in [(true, "False NamespaceNotAllowed"), (false, "Unknown NotRead")] {
        check_not(|case| case.reference = CustomerRef::NotAllowed { why: "no".into(), is_certain }, expected);
        let case =
            with(ready_to_buy(), |case| case.reference = CustomerRef::NotAllowed { why: "no".into(), is_certain });
        assert_eq!(case.plan().needs, BTreeSet::new());
    }
}

#[test]
fn who_the_partner_is_decides_whom_it_is_bought_for() {
    let kind = |kind, reseller: Option<&'static str>| {
        with(ready_to_buy(), |case| {
            case.facts.plan.partner.kind = known(case, kind);
            case.wish.plan.reseller = reseller.map(str::to_owned);
        })
    };
    check(&kind(PartnerKind::DirectBill, None), "False PurchasingPlan", 1);
    check(&kind(PartnerKind::DirectBill, Some("1")), "False NotIndirectProvider", 0);
    check(&kind(PartnerKind::IndirectProvider, None), "False IndirectResellerMissing", 0);
    check(&kind(PartnerKind::IndirectProvider, Some("1")), "False PurchasingPlan", 1);
    check(&kind(PartnerKind::IndirectReseller, None), "False IndirectReseller", 0);
    check_not(
        |case| {
            let denial = Denial { reason: "MfaRequired", message: "no".into() };
            case.facts.plan.partner.sign_in_refused = Some(Refused { denial, at: case.now });
        },
        "False MfaRequired",
    );
    check_not(|case| case.facts.plan.partner.is_clock_off = true, "False ClockSkewed");
}

#[test]
fn what_is_not_known_buys_nothing() {
    check_not(|case| case.facts.profile = failed(), "Unknown Forbidden");
    check_not(|case| case.facts.estate = failed(), "Unknown Forbidden");
    check_not(|case| case.facts.plan.agreement = failed(), "Unknown Forbidden");
    check_not(|case| case.facts.plan.record = failed(), "Unknown Forbidden");
    check_not(|case| case.facts.plan.partner.kind = failed(), "Unknown Forbidden");
    let needs = |change: fn(&mut Case)| with(ready_to_buy(), change).plan().needs;
    let has = |needs: BTreeSet<Need>, need: Need| needs.contains(&need);
    assert!(has(needs(|case| case.facts.estate = Fact::NOT_READ), Need::Estate(tenant())));
    assert!(has(needs(|case| case.facts.plan.record = Fact::NOT_READ), Need::PlanPurchase(tenant())));
    assert!(has(needs(|case| case.facts.plan.agreement = Fact::NOT_READ), Need::Agreement(tenant())));
    assert!(has(needs(|case| case.facts.plan.partner.kind = Fact::NOT_READ), Need::Partner(PartnerQuestion::Kind)));
    // What was read before this pass is not what is remembered now, and half an hour is too old to buy on.
    let old = with(ready_to_buy(), |case| case.now += SignedDuration::from_mins(30));
    assert!(has(old.plan().needs, Need::PlanPurchase(tenant())) && old.plan().actions.is_empty());
    let old = with(old, |case| case.facts.plan.record = known(case, None));
    assert!(has(old.plan().needs, Need::Agreement(tenant())) && old.plan().actions.is_empty());
    let old = with(old, |case| case.facts.plan.agreement = known(case, true));
    assert_eq!(old.plan().needs, BTreeSet::from([Need::Estate(tenant()), Need::Customer(tenant())]));
    assert_eq!(old.plan().actions, []);
}

#[test]
fn that_there_is_none_is_seen_twice_a_quarter_of_an_hour_apart() {
    let first = with(ready_to_buy(), |case| case.before.azure_plan = None);
    check(&first, "False ConfirmingNoPlan", 0);
    let since = first.plan().status.azure_plan.unwrap().none_since.unwrap().0;
    assert_eq!(first.plan().next.or(Wait::ForChange), first.plan().next);
    // Time alone is not enough: it is read again.
    let later = with(first.clone(), |case| {
        case.before = first.plan().status;
        case.now = since + SignedDuration::from_mins(15);
        case.facts.plan.record = known(case, None);
        case.facts.plan.agreement = known(case, true);
    });
    assert!(later.plan().needs.contains(&Need::Estate(tenant())) && later.plan().actions.is_empty());
    let again = with(later, |case| {
        case.facts.estate = known(case, estate(&[]));
        case.facts.profile = case.clone().reads(Some(Relationship::Reseller)).facts.profile;
    });
    check(&again, "False PurchasingPlan", 1);
    // Anything that shows meanwhile begins it anew.
    let seen = with(again, |case| case.facts.estate = known(case, estate(&[(AzurePlanKind::AzurePlan, "pending")])));
    assert_eq!(seen.plan().status.azure_plan, None);
}

#[test]
fn the_wait_begins_when_nothing_stands_in_the_way_any_more() {
    use AzurePlanKind::AzureGlobal;
    let blocks: [fn(&mut Case); 7] = [
        |case| case.facts.plan.may_purchase = false,
        |case| case.facts.plan.agreement = known(case, false),
        |case| case.facts.estate = known(case, estate(&[(AzureGlobal, "active")])),
        |case| case.facts.plan.partner.kind = known(case, PartnerKind::IndirectReseller),
        |case| case.facts.plan.partner.is_clock_off = true,
        |case| *case = case.clone().reads(Some(Relationship::Other("none".into()))),
        |case| case.reference = CustomerRef::NotAllowed { why: "no".into(), is_certain: true },
    ];
    for (number, block) in blocks.into_iter().enumerate() {
        let blocked = with(ready_to_buy(), block).plan();
        assert_eq!(blocked.status.azure_plan, None, "{number}");
        let free = with(ready_to_buy(), |case| {
            case.before = blocked.status.clone();
            // What was read while something stood in the way does not count either.
            case.facts.estate = Fact::Known { value: estate(&[]), at: case.now - SignedDuration::from_mins(9) };
        });
        check(&free, "False ConfirmingNoPlan", 0);
        let since = free.plan().status.azure_plan.unwrap().none_since.unwrap().0;
        assert_eq!(since, free.now, "{number}");
    }
    // What is not known for a moment begins nothing anew.
    let unknown = with(ready_to_buy(), |case| case.facts.plan.agreement = failed());
    assert_eq!(unknown.plan().status.azure_plan, unknown.before.azure_plan);
}

/// In minutes.
const WEEK: i64 = 7 * 24 * 60;

#[test]
fn what_may_have_been_bought_is_waited_for_and_only_the_same_cart_tried_again() {
    let at = |stage, minutes| {
        with(ready_to_buy(), |case| {
            let since = crate::plan::to_second(case.now - SignedDuration::from_hours(48));
            case.before.azure_plan.as_mut().unwrap().none_since = Some(since);
            case.facts.plan.record = known(case, Some(record(case, stage, minutes)));
        })
    };
    let does = |case: &Case| match case.plan().actions.as_slice() {
        [] => "",
        [Action::PreparePlan { replaced: Some(_), .. }] => "another cart",
        [Action::BuyPlan { .. }] => "the same cart",
        other => panic!("{other:?}"),
    };
    for (stage, minutes, expected, action) in [
        (PurchaseStage::Prepared, 0, "False PurchasingPlan", "the same cart"),
        (PurchaseStage::Prepared, WEEK, "False PurchasingPlan", "another cart"),
        (PurchaseStage::Sent, 14, "False ConfirmingNoPlan", ""),
        (PurchaseStage::Sent, 15, "False PurchasingPlan", "the same cart"),
        (PurchaseStage::Sent, WEEK, "False PurchasingPlan", "the same cart"),
        (PurchaseStage::Refused, 59, "False PurchaseRefused", ""),
        (PurchaseStage::Refused, 60, "False PurchasingPlan", "the same cart"),
        (PurchaseStage::Refused, WEEK, "False PurchasingPlan", "another cart"),
        (PurchaseStage::Expired, 14, "False ConfirmingNoPlan", ""),
        (PurchaseStage::Expired, 15, "False PurchasingPlan", "another cart"),
        (PurchaseStage::Unclear, WEEK, "False PurchaseUnclear", ""),
        (PurchaseStage::Bought, 0, "False PlanOrdered", ""),
        (PurchaseStage::Bought, WEEK, "False PlanOrderedNotShown", ""),
    ] {
        let case = at(stage, minutes);
        assert_eq!((shown(&case).as_str(), does(&case)), (expected, action), "{stage:?} {minutes}");
    }
    // A cart for another reseller is left, unless something may have been bought with it.
    let for_another = |stage| {
        with(at(stage, 120), |case| {
            case.facts.plan.record =
                known(case, Some(PlanPurchase { reseller: Some("7".into()), ..record(case, stage, 120) }));
        })
    };
    for (stage, expected, action) in [
        (PurchaseStage::Prepared, "False PurchasingPlan", "another cart"),
        (PurchaseStage::Refused, "False PurchasingPlan", "another cart"),
        (PurchaseStage::Sent, "False PurchaseUnclear", ""),
        (PurchaseStage::Bought, "False PlanOrdered", ""),
    ] {
        let case = for_another(stage);
        assert_eq!((shown(&case).as_str(), does(&case)), (expected, action), "{stage:?}");
    }
}

#[test]
fn of_those_that_mean_one_tenant_the_oldest_buys_or_nobody() {
    let other = |reseller: Option<&str>, age| Contender {
        name: ObjectName { namespace: "other".into(), name: "fabrikam".into() },
        uid: "other".into(),
        created: fresh().now - SignedDuration::from_secs(age),
        wish: PlanWish { policy: AzurePlanPolicy::Purchase, reseller: reseller.map(str::to_owned) },
    };
    check_not(|case| case.facts.plan.others = vec![other(None, 5)], "False Conflict");
    check_not(|case| case.facts.plan.others = vec![other(Some("1"), -5)], "False Conflict");
    let oldest = with(ready_to_buy(), |case| case.facts.plan.others = vec![other(None, -5)]);
    check(&oldest, "False PurchasingPlan", 1);
}

#[test]
fn one_parts_failure_is_not_the_others() {
    let case = with(ready_to_buy(), |case| {
        case.wish.cost_management = CostManagement::Visible;
        case.facts.attempt = Attempt::Failed(Failure { reason: "Forbidden", message: "no".into(), needs_person: true });
    });
    // The charges wait for the plan.
    assert_eq!(shown(&case), "False Forbidden");
    let charges = |case: &Case| {
        let conditions = case.plan().status.conditions;
        find(&conditions, ConditionType::CostManagementSynced).unwrap().reason.clone()
    };
    assert_eq!(charges(&case), "NoAzurePlan");
    assert_eq!(case.plan().actions, []);
    let has_plan = with(case, |case| case.facts.estate = known(case, estate(&[(AzurePlanKind::AzurePlan, "active")])));
    assert_eq!(shown(&has_plan), "True AzurePlan");
}

#[test]
fn a_refusal_is_shown_until_the_cart_is_tried_again() {
    for attempt in
        [Attempt::None, Attempt::Failed(Failure { reason: "Other", message: "x".into(), needs_person: false })]
    {
        for cost_management in [CostManagement::Unmanaged, CostManagement::Visible] {
            let case = with(ready_to_buy(), |case| {
                case.wish.cost_management = cost_management;
                let refusal = Some("the credit limit is reached".to_owned());
                let refused = PlanPurchase { refusal, ..record(case, PurchaseStage::Refused, 10) };
                case.facts.plan.record = known(case, Some(refused));
                case.facts.attempt = attempt.clone();
            });
            check(&case, "False PurchaseRefused", 0);
            let conditions = case.plan().status.conditions;
            let message = &find(&conditions, ConditionType::AzurePlanVerified).unwrap().message;
            let again = (case.now + SignedDuration::from_mins(50)).to_string();
            assert!(message.contains("the credit limit is reached") && message.contains(&again), "{message}");
        }
    }
}

#[test]
fn what_only_a_person_can_put_right_is_looked_at_as_seldom_as_what_holds() {
    let next = |change: fn(&mut Case)| with(ready_to_buy(), change).plan().next;
    let turn = Wait::Until(next_turn("uid", INTERVALS.prerequisites, fresh().now));
    let seldom: [fn(&mut Case); 3] = [
        |case| case.facts.plan.may_purchase = false,
        |case| case.facts.estate = known(case, estate(&[(AzurePlanKind::AzureGlobal, "active")])),
        |case| case.facts.plan.partner.kind = known(case, PartnerKind::IndirectReseller),
    ];
    for change in seldom {
        assert_eq!(next(change), turn);
    }
    assert_ne!(next(|case| case.facts.plan.agreement = known(case, false)), turn);
}

#[test]
fn a_plan_that_may_be_anothers_is_not_told_as_bought() {
    for (stage, expected) in [(PurchaseStage::Bought, "bought an"), (PurchaseStage::Sent, "an Azure plan has appeared")]
    {
        let case = with(ready_to_buy(), |case| {
            case.facts.plan.record = known(case, Some(record(case, stage, 30)));
            case.facts.estate = known(case, estate(&[(AzurePlanKind::AzurePlan, "active")]));
        });
        let events = case.plan().events;
        assert!(events.len() == 1 && events[0].note.starts_with(expected), "{events:?}");
    }
}

#[test]
fn a_plan_is_not_shown_before_it_is_known_whether_it_was_bought() {
    let shows = |record: Fact<Option<PlanPurchase>>| {
        with(ready_to_buy(), |case| {
            case.facts.plan.record = record;
            case.facts.estate = known(case, estate(&[(AzurePlanKind::AzurePlan, "active")]));
        })
    };
    let unreadable = shows(failed());
    check(&unreadable, "Unknown Forbidden", 0);
    assert_eq!(unreadable.plan().events, []);
    let record = known(&unreadable, Some(record(&unreadable, PurchaseStage::Bought, 30)));
    let readable = with(unreadable.clone(), |case| {
        case.before = unreadable.plan().status;
        case.facts.plan.record = record;
    });
    assert_eq!((shown(&readable).as_str(), readable.plan().events.len()), ("True AzurePlan", 1));
}
