//! `costManagement`: when the charges are shown or hidden, when not, and what is said.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::cost::BegunChange;
use super::super::ownership::Contender;
use super::*;
use crate::model::{AzurePlanKind, ChargeProgress, PlanSubscription};
use crate::plan::Severity;
use crate::plan::conditions::find;
use crate::plan::permission::Failure;

const CHANGE: &str = "https://management.example/operationResults/1";

fn accounts(names: &[&str]) -> BTreeSet<BillingAccount> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn estate(kind: AzurePlanKind, status: &str) -> AzureEstate {
    AzureEstate { plans: vec![PlanSubscription { id: "1".into(), kind, status: status.into(), uses: Vec::new() }] }
}

/// A customer with an Azure plan whose charges shall be visible and are `view`; everything was read just now.
fn seen(view: ChargeView) -> Case {
    let mut case = fresh().reads(Some(Relationship::Reseller));
    case.wish.cost_management = CostManagement::Visible;
    let now = case.now;
    case.facts.estate = Fact::Known { value: estate(AzurePlanKind::AzurePlan, "active"), at: now };
    case.facts.cost.accounts = Fact::Known { value: accounts(&["a:b"]), at: now };
    case.facts.cost.view = Fact::Known { value: view, at: now };
    case
}

/// One that was as wished, is looked at an hour later and found `view`.
fn later_seen(view: ChargeView) -> Case {
    let mut case = seen(ChargeView::Visible).later(25);
    let now = case.now;
    let read = seen(view).facts;
    case.facts = Facts { started: case.facts.started, ..read };
    for at in [at_of(&mut case.facts.profile), at_of(&mut case.facts.estate)] {
        *at = now;
    }
    *at_of(&mut case.facts.cost.accounts) = now;
    *at_of(&mut case.facts.cost.view) = now;
    case
}

fn at_of<T>(fact: &mut Fact<T>) -> &mut Timestamp {
    match fact {
        Fact::Known { at, .. } => at,
        Fact::Unknown { .. } => panic!("it is known"),
    }
}

fn failed<T>() -> Fact<T> {
    Fact::Unknown { why: Ignorance::Failed { reason: "Forbidden", message: "no".into(), last_read: None } }
}

fn other(wish: CostManagement, age: i64) -> Contender<CostManagement> {
    Contender {
        name: ObjectName { namespace: "other".into(), name: "fabrikam".into() },
        uid: "other".into(),
        created: fresh().now - SignedDuration::from_secs(age),
        wish,
    }
}

/// What the condition says, and how many writes follow.
#[track_caller]
fn check(case: &Case, expected: &str, writes: usize) {
    let plan = case.plan();
    let condition = find(&plan.status.conditions, ConditionType::CostManagementSynced);
    let found = condition.map(|one| format!("{} {}", one.status, one.reason)).unwrap_or_default();
    assert_eq!((found.as_str(), plan.actions.len()), (expected, writes), "{:?} {:?}", plan.needs, plan.actions);
    let mut again = case.clone();
    again.before = plan.status.clone();
    assert_eq!(again.plan().status, plan.status, "a plan of its own status changes nothing");
}

fn with(case: Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut case = case;
    change(&mut case);
    case
}

#[test]
fn what_differs_is_written_and_what_does_not_is_not() {
    use ChargeView::{Hidden, Other, Visible};
    check(&seen(Visible), "True Visible", 0);
    check(&seen(Hidden), "False PendingWrite", 1);
    check(&seen(Other), "False PendingWrite", 1);
    let hidden = |view| with(seen(view), |case| case.wish.cost_management = CostManagement::Hidden);
    check(&hidden(Hidden), "True Hidden", 0);
    check(&hidden(Visible), "False PendingWrite", 1);
    let unmanaged = with(seen(Hidden), |case| case.wish.cost_management = CostManagement::Unmanaged);
    check(&unmanaged, "", 0);
    assert_eq!(unmanaged.plan().status.cost_management, None);
    check(&with(seen(Hidden), |case| case.wish.cost_management = CostManagement::Unknown), "False UnknownValue", 0);
    let Action::ShowCharges { tenant: of, account, view, .. } = seen(Hidden).plan().actions.remove(0) else { panic!() };
    assert_eq!((of, account, view), (tenant(), "a:b".parse().unwrap(), Visible));
}

/// What is told once Azure has accepted the one change that is planned.
#[track_caller]
fn told(case: &Case) -> Event {
    match case.plan().actions.as_slice() {
        [Action::ShowCharges { told, .. }] => told.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_change_is_told_once_also_by_a_process_that_repeats_it() {
    use ChargeView::{Hidden, Visible};
    let turned = || {
        with(later_seen(Visible), |case| {
            case.wish.cost_management = CostManagement::Hidden;
            case.identity.generation += 1;
        })
    };
    for (case, word) in [(seen(Hidden), "visible"), (turned(), "hidden"), (later_seen(Hidden), "visible")] {
        let event = told(&case);
        assert_eq!((event.severity, event.reason.as_str()), (Severity::Normal, "CostManagementChanged"));
        assert!(event.note.contains(&format!("charges {word},")), "{}", event.note);
        // The process ends before the status tells of it.
        let again = with(case.clone(), |case| case.now += SignedDuration::from_secs(5));
        assert_eq!(told(&again), event);
    }
    let keys = [told(&seen(Hidden)).key, told(&turned()).key, told(&later_seen(Hidden)).key];
    assert_eq!(BTreeSet::from(keys.clone()).len(), 3, "{keys:?}");
    // Somebody changes it time and again.
    let drifted = later_seen(Hidden);
    let failure = Failure { reason: "Throttled", message: "later".into(), needs_person: false };
    let failed = with(drifted.clone(), |case| case.facts.attempt = Attempt::Failed(failure)).plan().status;
    let back = with(later_seen(Visible), |case| case.before = failed).plan().status;
    let again = with(drifted.clone(), |case| case.before = back);
    assert_ne!(told(&again).key, told(&drifted).key);
}

#[test]
fn nothing_is_written_on_the_strength_of_what_is_not_known_or_not_so() {
    let hidden = || seen(ChargeView::Hidden);
    check(&with(hidden(), |case| case.facts.estate = failed()), "Unknown Forbidden", 0);
    check(&with(hidden(), |case| case.facts.cost.accounts = failed()), "Unknown Forbidden", 0);
    check(&with(hidden(), |case| case.facts.cost.view = failed()), "Unknown Forbidden", 0);
    check(&with(hidden(), |case| case.facts.profile = failed()), "Unknown Forbidden", 0);
    check(&hidden().reads(None), "False TenantUnknown", 0);
    check(&hidden().reads(Some(Relationship::Other("advisor".into()))), "False NotReseller", 0);
    check(&with(hidden(), |case| case.facts.is_deleting = true), "False PendingWrite", 0);
    let none = |names: &'static [&str]| {
        with(hidden(), |case| case.facts.cost.accounts = Fact::Known { value: accounts(names), at: case.now })
    };
    check(&none(&[]), "False BillingAccountMissing", 0);
    check(&none(&["a:b", "c:d"]), "False BillingAccountAmbiguous", 0);
    for (kind, status) in [(AzurePlanKind::AzureGlobal, "active"), (AzurePlanKind::AzurePlan, "suspended")] {
        let without =
            with(hidden(), |case| case.facts.estate = Fact::Known { value: estate(kind, status), at: case.now });
        check(&without, "False NoAzurePlan", 0);
    }
    let refused = |needs_person| {
        let failure = Failure { reason: "Forbidden", message: "no".into(), needs_person };
        with(hidden(), |case| case.facts.attempt = Attempt::Failed(failure))
    };
    check(&refused(true), "False Forbidden", 0);
    let stalled = find(&refused(true).plan().status.conditions, ConditionType::Stalled).unwrap().status.clone();
    assert_eq!(stalled, "True");
    check(&refused(false), "False Forbidden", 0);
}

#[test]
fn facts_are_asked_for_one_after_the_other_and_anew_before_a_write() {
    let mut case = fresh();
    case.wish.cost_management = CostManagement::Visible;
    let needs = |case: &Case| case.plan().needs;
    let account: BillingAccount = "a:b".parse().unwrap();
    let [customer, of_azure] = [Need::Customer(tenant()), Need::Estate(tenant())];
    assert_eq!(needs(&case), BTreeSet::from([customer.clone(), of_azure.clone(), Need::BillingAccounts]));
    case = seen(ChargeView::Hidden);
    case.facts.cost.view = Fact::NOT_READ;
    assert_eq!(needs(&case), BTreeSet::from([Need::Charges(tenant(), account.clone())]));
    // Half an hour old is recent enough to look at, and too old to write on.
    case = seen(ChargeView::Hidden).later(0);
    case.now += SignedDuration::from_mins(30);
    let all = BTreeSet::from([customer, of_azure, Need::BillingAccounts, Need::Charges(tenant(), account)]);
    assert!(needs(&case).is_subset(&all) && needs(&case).len() >= 3, "{:?}", needs(&case));
    assert_eq!(case.plan().actions, []);
}

#[test]
fn after_a_restart_what_was_in_order_is_believed_until_its_turn_and_then_read_again() {
    let restarted = |hours| {
        let mut case = seen(ChargeView::Visible).later(hours);
        let started = case.now;
        case.facts = nothing_read(started);
        case
    };
    assert!(!restarted(1).is_due() && restarted(1).plan().status == restarted(1).before);
    let mut due = restarted(1);
    due.now += SignedDuration::from_hours(25);
    assert!(due.plan().needs.contains(&Need::BillingAccounts) && due.plan().needs.contains(&Need::Customer(tenant())));
    assert_eq!(due.plan().status, due.before);
    // What was not in order is looked at right away.
    let mut waiting = seen(ChargeView::Hidden).later(1);
    waiting.facts = nothing_read(waiting.now);
    assert!(waiting.is_due());
}

#[test]
fn drift_is_turned_back_and_told_once() {
    let drifted = later_seen(ChargeView::Hidden);
    check(&drifted, "False Drifted", 1);
    let plan = drifted.plan();
    let told: Vec<_> = plan.events.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(told, ["CostManagementDrifted"]);
    let mut again = drifted.clone();
    again.before = plan.status;
    check(&again, "False Drifted", 1);
    assert_eq!(again.plan().events, []);
    // Nor after a change that has failed, which is what the condition tells of then.
    let failure = Failure { reason: "Throttled", message: "later".into(), needs_person: false };
    again.facts.attempt = Attempt::Failed(failure);
    let failed = again.plan();
    assert_eq!(failed.events, []);
    (again.before, again.facts.attempt) = (failed.status, Attempt::None);
    check(&again, "False PendingWrite", 1);
    assert_eq!(again.plan().events, []);
    assert_eq!(drifted.plan().events, drifted.plan().events, "a repetition has the same name");
    // A changed spec is a wish, and no drift.
    check(
        &with(later_seen(ChargeView::Visible), |case| {
            case.wish.cost_management = CostManagement::Hidden;
            case.identity.generation += 1;
        }),
        "False PendingWrite",
        1,
    );
    check(&later_seen(ChargeView::Visible), "True Visible", 0);
}

#[test]
fn a_change_that_takes_its_time_is_followed_also_by_the_next_process() {
    let begun = || {
        with(seen(ChargeView::Hidden), |case| {
            let wait = Duration::from_secs(7);
            case.facts.cost.view = Fact::NOT_READ;
            case.facts.attempt = Attempt::Accepted;
            case.facts.cost.begun = Some(BegunChange { operation: CHANGE.into(), since: case.now, wait });
        })
    };
    check(&begun(), "False Changing", 0);
    assert_eq!(begun().plan().next, Wait::Until(begun().now + SignedDuration::from_secs(7)));
    assert_eq!(begun().plan().status.cost_management.unwrap().change.as_deref(), Some(CHANGE));

    let next = |progress: Fact<ChargeProgress>| {
        with(begun().later(0), |case| {
            case.now += SignedDuration::from_secs(10);
            let started = case.now;
            case.facts = Facts { profile: case.facts.profile.clone(), ..nothing_read(started) };
            case.facts.cost.progress = progress;
        })
    };
    let now = next(Fact::NOT_READ).now;
    let asked = Need::ChargesChange(tenant(), CHANGE.into());
    assert!(next(Fact::NOT_READ).plan().needs.contains(&asked));
    let running = Fact::Known { value: ChargeProgress::Running { wait: Duration::from_secs(3) }, at: now };
    check(&next(running.clone()), "False Changing", 0);
    assert_eq!(next(running).plan().next, Wait::Until(now + SignedDuration::from_secs(3)));
    check(&next(failed()), "Unknown Forbidden", 0);

    // Over: what was seen before does not count, what is read then does.
    let over = Fact::Known { value: ChargeProgress::Over, at: now };
    let ended = |view: ChargeView, seconds: i64| {
        with(next(over.clone()), |case| {
            let read = seen(view).facts;
            case.facts.estate = Fact::Known { value: estate(AzurePlanKind::AzurePlan, "active"), at: now };
            case.facts.cost.accounts = read.cost.accounts;
            case.facts.cost.view = Fact::Known { value: view, at: now + SignedDuration::from_secs(seconds) };
        })
    };
    let account: BillingAccount = "a:b".parse().unwrap();
    assert!(ended(ChargeView::Hidden, -1).plan().needs.contains(&Need::Charges(tenant(), account)));
    assert_eq!(ended(ChargeView::Hidden, -1).plan().actions, []);
    check(&ended(ChargeView::Visible, 0), "True Visible", 0);
    assert_eq!(ended(ChargeView::Visible, 0).plan().status.cost_management.unwrap().change, None);
}

#[test]
fn of_those_that_mean_one_tenant_the_oldest_acts_or_nobody() {
    use CostManagement::{Hidden, Visible};
    let against = |wish, age| with(seen(ChargeView::Hidden), |case| case.facts.cost.others = vec![other(wish, age)]);
    check(&against(Visible, 5), "False Conflict", 0);
    check(&against(Visible, -5), "False PendingWrite", 1);
    for age in [5, -5] {
        check(&against(Hidden, age), "False Conflict", 0);
        assert_eq!(against(Hidden, age).plan().needs, BTreeSet::new(), "nothing is read for nothing");
    }
}
