//! What counts as known of Partner Center: readings, the status, and what makes either worthless.

use jiff::SignedDuration;

use super::support::*;
use crate::api::{CustomerPurchasePermissionStatus, DeletionPolicy, Mode};
use crate::model::{Fact, Origin};
use crate::plan::schedule::next_turn;
use crate::plan::{CustomerRef, Wait};

fn seen(case: &mut Case, id: &str, origin: Origin) {
    case.facts.activity.push(record(id, case.now, origin, "ada@fabrikam.example"));
}

#[test]
fn a_converged_object_needs_nothing_after_a_restart_before_its_turn() {
    for (is_trusted, interval_minutes) in [(true, 24 * 60), (false, 60)] {
        let case = Case::new(Allow, Deny).with(|case| case.facts.is_feed_trusted = is_trusted);
        let case = case.settled(policy(&[Reservations])).restarted();
        let plan = case.plan();
        assert_eq!((does(&plan).as_str(), &plan.status, plan.events.as_slice()), ("", &case.before, &[][..]));
        let turn = next_turn("uid-permission", minutes(interval_minutes), case.now);
        assert_eq!(plan.next, Wait::Until(turn));
        let before_turn = case.clone().with(|case| case.now = turn - minutes(1));
        assert_eq!((before_turn.does().as_str(), &before_turn.plan().status), ("", &case.before));
        assert_eq!(case.with(|case| case.now = turn).does(), "read policy");
    }
}

#[test]
fn a_reading_counts_until_its_turn_or_somebody_elses_record() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations]));
    assert_eq!(case.clone().later(minutes(60)).does(), "");
    assert_eq!(case.clone().with(|case| seen(case, "r", Origin::Own)).does(), "");
    assert_eq!(case.clone().with(|case| seen(case, "r", Origin::Other)).does(), "read policy");
    assert_eq!(case.with(|case| seen(case, "r", Origin::Rival)).does(), "read policy");
}

/// A foreign record comes while the policy cannot be read.
fn touched_and_unread() -> Case {
    let case = Case::new(Deny, Deny).settled(policy(&[])).with(|case| seen(case, "r", Origin::Other));
    assert_eq!(case.does(), "read policy");
    case.with(|case| case.facts.policy = failed("Throttled"))
}

#[test]
fn one_failed_reading_does_not_make_a_record_forgotten() {
    let case = touched_and_unread();
    assert_eq!(case.shows("Ready"), "False/Throttled");
    let status = case.plan().status;
    assert_eq!(status.recent_activity.len(), 1);
    let next = case.with(|case| case.before = status).later(minutes(1));
    assert_eq!(next.shows("Ready"), "False/Throttled");
    assert_eq!(next.clone().with(|case| case.facts.policy = Fact::NOT_READ).does(), "read policy");
    assert_eq!(next.restarted().does(), "read policy");
}

#[test]
fn a_record_that_came_while_nobody_looked_is_not_forgotten() {
    let case = Case::new(Deny, Deny).settled(policy(&[]));
    let suspended = case.edited(|desired| desired.mode = Mode::Suspend).later(minutes(1));
    let suspended = suspended.with(|case| seen(case, "r", Origin::Other));
    assert_eq!(suspended.does(), "");
    let status = suspended.plan().status;
    assert_eq!(status.recent_activity.len(), 1);
    assert_eq!(status.effective, None, "what Partner Center holds is not known any more");
    let again = suspended.with(|case| case.before = status).edited(|desired| desired.mode = Mode::Enforce);
    assert_eq!(again.clone().later(minutes(1)).does(), "read policy");
    assert_eq!(again.later(minutes(1)).restarted().does(), "read policy");
}

#[test]
fn a_write_whose_outcome_was_lost_is_looked_up_before_the_status_is_believed() {
    // The status says that everything is denied. A grant was written; then the process died, and the spec was edited
    // back before the next one came.
    let case = Case::new(Deny, Deny).settled(policy(&[])).restarted();
    assert_eq!(case.does(), "");
    assert_eq!(case.clone().edited(|desired| desired.deletion_policy = DeletionPolicy::Retain).does(), "read policy");
    // Or it was a correction: then its record tells.
    assert_eq!(case.with(|case| seen(case, "r", Origin::Own)).does(), "read policy");
}

#[test]
fn a_status_that_does_not_say_all_is_not_believed() {
    use crate::api::SwitchState;
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations])).restarted();
    let check = |change: &dyn Fn(&mut crate::api::Switches)| {
        assert_eq!(case.clone().with(|case| change(case.before.effective.as_mut().unwrap())).does(), "read policy");
    };
    check(&|effective| effective.azure_savings_plans = None);
    check(&|effective| effective.azure_savings_plans.as_mut().unwrap().state = SwitchState::Unknown);
    assert_eq!(
        case.clone().with(|case| case.before = CustomerPurchasePermissionStatus::default()).does(),
        "read policy"
    );
}

#[test]
fn a_failed_sweep_changes_nothing_on_a_converged_object() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations])).later(minutes(24 * 60));
    assert_eq!(case.does(), "read policy");
    let failing = case.with(|case| {
        case.facts.policy = failed("Throttled");
        case.facts.prerequisites.profile = failed("Throttled");
        case.facts.prerequisites.estate = failed("Throttled");
        case.facts.partner.write_refused = Some(role_refused(case.now));
    });
    let plan = failing.plan();
    assert_eq!((does(&plan).as_str(), &plan.status), ("", &failing.before));
}

#[test]
fn asking_anew_reads_everything_once() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations]));
    let asked = case.with(|case| case.desired.identity.reconcile_request = Some("now".into()));
    assert_eq!(asked.does(), "read policy");
    let answered = asked.with(|case| {
        let fresh = Case::new(Allow, Deny).facts.prerequisites;
        case.facts.prerequisites = fresh;
        let now = case.now;
        let prerequisites = &mut case.facts.prerequisites;
        prerequisites.profile = Fact::Known { value: profile(crate::model::Relationship::Reseller), at: now };
        prerequisites.estate = Fact::Known { value: estate("active"), at: now };
        prerequisites.subscriptions[0].owners.holders = Fact::Known { value: holders(), at: now };
        case.facts.policy = Fact::Known { value: policy(&[Reservations]), at: now };
    });
    assert_eq!(answered.does(), "");
    let status = answered.plan().status;
    assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("now"));
    let next = answered.with(|case| case.before = status).later(minutes(1));
    assert_eq!((next.does(), next.plan().status), (String::new(), next.before.clone()));
}

#[test]
fn a_revoke_is_looked_for_before_anything_that_only_a_grant_needs() {
    let stale = |case: Case| case.claimed().later(minutes(11));
    // Whether something must be revoked is not known.
    assert_eq!(stale(Case::new(Allow, Deny)).does(), "read policy");
    // It is known from the status; only the etag is missing.
    let known = Case::new(Deny, Unmanaged).settled(policy(&[Reservations])).later(minutes(11));
    let known = known.with(|case| case.desired.wishes.savings_plans = Allow);
    assert_eq!(known.does(), "read policy");
    // Nothing has to be revoked.
    assert_eq!(stale(Case::new(Allow, Deny)).holding(policy(&[])).does(), "read customer, estate");
}

#[test]
fn asking_anew_reads_the_prerequisites_of_a_converged_object_too() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations]));
    let asked = case.with(|case| case.desired.identity.reconcile_request = Some("now".into()));
    assert_eq!(asked.clone().holding(policy(&[Reservations])).does(), "read customer, estate");
    // What cannot be read is not asked for again and again.
    let failing = asked.holding(policy(&[Reservations])).with(|case| {
        case.facts.prerequisites.profile = failed("Throttled");
        case.facts.prerequisites.estate = failed("Throttled");
    });
    assert_eq!(failing.does(), "");
    assert_eq!(failing.plan().status.last_handled_reconcile_at.as_deref(), Some("now"));
}

#[test]
fn a_customer_that_could_not_be_read_is_read_again_until_there_is_a_claim() {
    let failing = Case::new(Deny, Deny).with(|case| case.facts.prerequisites.profile = failed("Throttled"));
    assert_eq!((failing.does(), failing.shows("Ready")), (String::new(), "False/Throttled".into()));
    let status = failing.plan().status;
    let next = failing.with(|case| {
        case.before = status;
        case.facts.prerequisites.profile = Fact::NOT_READ;
    });
    assert_eq!(next.does(), "read customer");
    // Who observes has no claim, and needs none to be swept.
    let observing = Case::new(Allow, Deny).with(|case| case.desired.mode = Mode::Observe);
    let observing = observing.holding(policy(&[Reservations]));
    let status = observing.plan().status;
    let swept = observing.with(|case| case.before = status).restarted().later(minutes(24 * 60));
    assert_eq!(swept.does(), "read customer");
}

#[test]
fn a_failed_reading_after_an_edit_does_not_make_the_old_status_current() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations])).restarted();
    let edited = case.edited(|desired| desired.deletion_policy = DeletionPolicy::Retain);
    let failing = edited.clone().with(|case| case.facts.policy = failed("Throttled"));
    let status = failing.plan().status;
    assert_eq!((status.observed_generation, &status.effective), (2, &None));
    assert_eq!(edited.with(|case| case.before = status).does(), "read policy");
}

#[test]
fn an_unreadable_policy_is_told_by_its_own_cause() {
    let tells = |case: Case, reason: &str| {
        let case = case.claimed().restarted().with(|case| case.facts.policy = failed("Unavailable"));
        assert_eq!((case.does(), case.shows("Synced")), (case.does(), "Unknown/Unavailable".into()));
        assert_eq!(case.shows("Ready"), format!("False/{reason}"));
    };
    // Nothing is to be allowed: that its subscriptions have not been looked at is no cause.
    tells(Case::new(Deny, Deny), "Unavailable");
    tells(Case::new(Allow, Deny), "Unavailable");
    let gone = Case::new(Allow, Deny).claimed().with(|case| case.facts.policy = failed("Unavailable"));
    let gone = gone.with(|case| case.facts.prerequisites.profile = Fact::Known { value: None, at: case.now });
    assert_eq!(gone.shows("Ready"), "False/TenantUnknown");
}

#[test]
fn the_culprit_is_looked_for_since_the_drifted_switch_was_right() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations])).later(minutes(60));
    let case = case.with(|case| {
        seen(case, "r", Origin::Other);
        case.facts.activity[0].record.operation = crate::model::ActivityOperation::Delete;
    });
    // Hours later the other switch becomes right; that says nothing about this one.
    let case = case.edited(|desired| desired.wishes.savings_plans = Allow).later(minutes(60));
    let case = case
        .with(|case| case.facts.partner.write_refused = Some(role_refused(case.now)))
        .holding(policy(&[SavingsPlans]));
    let status = case.plan().status;
    let message = |status: &CustomerPurchasePermissionStatus| {
        status.conditions.iter().find(|one| one.type_ == "Synced").unwrap().message.clone()
    };
    assert!(message(&status).contains("turned by ada@fabrikam.example"), "{}", message(&status));
    assert_eq!(case.with(|case| case.before = status.clone()).plan().status, status);
}

#[test]
fn a_status_with_a_pending_write_is_no_substitute_for_a_failed_reading() {
    let case = Case::new(Allow, Deny)
        .with(|case| case.facts.partner.write_refused = Some(role_refused(case.now)))
        .settled(policy(&[]));
    let failing = case.with(|case| case.facts.policy = failed("Throttled"));
    assert_eq!((failing.does(), failing.shows("Synced")), (String::new(), "Unknown/Throttled".into()));
}

#[test]
fn a_policy_that_was_read_before_is_read_again_whoever_the_customer_is() {
    let case = Case::new(Deny, Deny).holding(policy(&[])).later(minutes(1)).with(|case| {
        case.facts.prerequisites.profile = Fact::Known { value: None, at: case.now };
        case.desired.identity.reconcile_request = Some("now".into());
    });
    assert_eq!(case.does(), "read policy");
}

#[test]
fn after_three_sweeps_without_a_reading_the_policy_counts_as_unknown() {
    let unreadable = |hours| {
        let case = Case::new(Allow, Deny).settled(policy(&[Reservations])).restarted();
        let case = case.later(SignedDuration::from_hours(hours));
        case.with(|case| case.facts.policy = failed("Throttled")).shows("Synced")
    };
    assert_eq!(unreadable(71), "True/InSync");
    assert_eq!(unreadable(72), "Unknown/Throttled");
}

/// The Customer of that name was deleted and made anew for another tenant, while its permission only watches.
#[test]
fn what_was_seen_of_one_customer_is_not_taken_for_another_s() {
    let watched = Case::new(Allow, Deny)
        .with(|case| case.desired.mode = Mode::Observe)
        .holding(policy(&[Reservations]))
        .with(|case| case.facts.activity = vec![record("r", case.now, Origin::Other, "ada@fabrikam.example")]);
    let mut other = watched.clone().later(minutes(1));
    other.before = watched.plan().status;
    assert_eq!(other.before.tenant_id.as_deref(), Some(tenant(1).to_string().as_str()));
    assert_eq!((other.before.recent_activity.len(), other.before.adopted.is_some()), (1, true));
    other.facts.prerequisites.customer = CustomerRef::Found(tenant(2));
    other.facts.policy = Fact::NOT_READ;
    other.facts.activity.clear();
    assert_eq!(other.does(), "read policy");
    let read = other.holding(policy(&[])).plan().status;
    assert_eq!(read.tenant_id.as_deref(), Some(tenant(2).to_string().as_str()));
    assert_eq!((read.recent_activity.len(), read.adopted, read.policy_id), (0, None, None));
}
