//! `Observe`, `Suspend`, and several objects for one tenant.

use super::support::*;
use crate::api::{DriftPolicy, Mode};
use crate::model::{Fact, PolicyState, Relationship};
use crate::plan::permission::{Contender, Desired, Ownership, Wishes, ownership};
use crate::plan::{CustomerRef, Wait};

fn observing(wishes: (crate::api::PurchaseSwitch, crate::api::PurchaseSwitch)) -> Case {
    Case::new(wishes.0, wishes.1).with(|case| case.desired.mode = Mode::Observe)
}

/// Stores what the plan says, one minute later.
fn shown(case: Case) -> Case {
    let status = case.plan().status;
    case.with(|case| case.before = status).later(minutes(1))
}

#[test]
fn observe_reads_and_reports_and_never_writes() {
    let fresh = observing((Allow, Deny));
    assert_eq!(fresh.does(), "read policy");
    for (state, synced) in [
        (policy(&[Reservations]), "True/InSync"),
        (policy(&[SavingsPlans]), "False/PendingWrite"),
        (PolicyState::Absent, "False/PendingWrite"),
    ] {
        let case = fresh.clone().holding(state);
        assert_eq!(case.does(), "");
        assert_eq!((case.shows("Ready").as_str(), case.shows("Synced").as_str()), ("True/Observed", synced));
        assert_eq!(
            (case.shows("Reconciling"), case.shows("Stalled")),
            ("False/Idle".into(), "False/NotStalled".into())
        );
        assert_eq!(case.plan().status.last_applied, None);
    }
    let words = fresh.clone().holding(policy(&[SavingsPlans])).plan().status.plan;
    assert_eq!(words, ["turn azureSavingsPlans off", "turn azureReservations on"]);
    let unreadable = fresh.with(|case| case.facts.policy = failed("Throttled"));
    assert_eq!((unreadable.does(), unreadable.shows("Ready")), (String::new(), "False/Throttled".into()));
}

#[test]
fn observe_drops_the_claim() {
    assert_eq!(observing((Allow, Deny)).claimed().holding(PolicyState::Absent).does(), "release");
    let desired = observing((Allow, Deny)).claimed().desired;
    assert_eq!(Contender::of(&desired, tenant(1), &CustomerRef::Found(tenant(1)), &[]), None);
}

/// A tool that replaces the object has taken the finalizer off, and the status still tells of what Enforce had applied.
#[test]
fn who_observes_and_has_let_go_shows_at_once_what_enforce_would_do_now() {
    for drift_policy in [DriftPolicy::Correct, DriftPolicy::CorrectDown, DriftPolicy::Report] {
        let enforced = shown(Case::new(Allow, Deny).claimed().holding(policy(&[Reservations])));
        assert!(enforced.before.last_applied.is_some());
        let case = observing((Allow, Deny)).holding(policy(&[Reservations, SavingsPlans])).with(|case| {
            case.before = enforced.before.clone();
            case.desired.drift_policy = drift_policy;
        });
        assert_eq!(
            (case.does(), case.plan().status.plan),
            (String::new(), vec!["turn azureSavingsPlans off".to_owned()])
        );
        assert_eq!(shown(case.clone()).plan().status.plan, case.plan().status.plan, "{drift_policy:?}");
    }
}

#[test]
fn what_observe_shows_outlives_a_restart() {
    for state in [policy(&[Reservations]), PolicyState::Absent] {
        let case = shown(observing((Allow, Deny)).holding(state.clone())).restarted();
        if state == PolicyState::Absent {
            // What Enforce would do is said from facts, not from their absence.
            assert_eq!(case.does(), "read customer, estate");
        } else {
            assert_eq!(case.does(), "");
        }
        let known = case.clone().with(|case| {
            let fresh = Case::new(Allow, Deny);
            case.facts.prerequisites = fresh.facts.prerequisites;
        });
        assert_eq!((known.does(), known.plan().status), (String::new(), case.before));
    }
}

#[test]
fn observe_does_not_turn_red_for_the_partners_faults() {
    let case = shown(observing((Allow, Deny)).holding(policy(&[Reservations])));
    let failing = case.with(|case| {
        case.facts.partner.write_refused = Some(role_refused(case.now));
        case.facts.prerequisites.estate = failed("Throttled");
    });
    assert_eq!(failing.plan().status, failing.before);
}

#[test]
fn suspend_reads_nothing_does_nothing_and_keeps_ready() {
    let ready = Case::new(Allow, Deny).settled(policy(&[Reservations]));
    let suspend = |desired: &mut Desired| desired.mode = Mode::Suspend;
    let case = ready.clone().edited(suspend).restarted().later(minutes(48 * 60));
    let plan = case.plan();
    assert_eq!((does(&plan).as_str(), plan.next), ("", Wait::ForChange));
    assert_eq!(shows(&plan.status.conditions, "Ready"), "True/Suspended");
    assert_eq!((case.shows("Reconciling"), case.shows("Stalled")), ("False/Idle".into(), "False/NotStalled".into()));
    assert_eq!(
        (&plan.status.effective, &plan.status.last_applied),
        (&ready.before.effective, &ready.before.last_applied)
    );
    assert_eq!(shown(case).plan().status, plan.status);
    let fresh = Case::new(Allow, Deny).with(|case| suspend(&mut case.desired));
    assert_eq!((fresh.does(), fresh.shows("Ready")), (String::new(), "False/Suspended".into()));
    // It keeps what it owns, and takes nothing new.
    assert!(
        Contender::of(&ready.edited(suspend).desired, tenant(1), &CustomerRef::Found(tenant(1)), &[])
            .unwrap()
            .has_claimed
    );
    assert_eq!(Contender::of(&fresh.desired, tenant(1), &CustomerRef::Found(tenant(1)), &[]), None);
}

#[test]
fn losers_write_nothing_and_name_the_owner() {
    let case = Case::new(Deny, Deny).holding(policy(&[Reservations]));
    let other = |has_claimed, wishes| contender("other", case.now - minutes(600), has_claimed, wishes);
    let same = case.desired.wishes;
    let different = Wishes { reservations: Allow, savings_plans: Deny };
    for (contender, named) in [
        (other(true, same), "elsewhere/other already manages"),
        (other(true, different), "elsewhere/other already manages"),
        (other(false, same), "elsewhere/other already manages"),
        (other(false, different), "by elsewhere/other"),
    ] {
        let loser = case.clone().with(|case| case.facts.contenders = vec![contender]);
        assert_eq!((loser.does(), loser.shows("Synced")), (String::new(), "False/Conflict".into()));
        assert_eq!((loser.shows("Ready"), loser.shows("Stalled")), ("False/Conflict".into(), "True/Conflict".into()));
        let status = loser.plan().status;
        assert!(status.conditions[0].message.contains(named), "{}", status.conditions[0].message);
        assert_eq!((status.effective, status.plan), (None, Vec::new()), "who owns nothing vouches for nothing");
    }
    // Who once owned it does not go on telling what it saw then, nor turns red for the partner's faults.
    let once = Case::new(Deny, Deny).settled(policy(&[])).with(|case| {
        case.facts.contenders = vec![contender("other", case.now - minutes(600), true, case.desired.wishes)];
        case.facts.partner.write_refused = Some(role_refused(case.now));
    });
    assert_eq!(once.plan().status.effective, None);
    assert_eq!(once.shows("PartnerAuthorized"), "Unknown/Unverified");
    // Its own claim beats an older object without one.
    let claimed = case.clone().claimed().with(|case| case.facts.contenders = vec![other(false, different)]);
    assert_eq!(claimed.does(), "delete");
}

#[test]
fn of_all_claims_there_is_one_owner_whoever_looks() {
    let all: Vec<_> = (0..4_u8)
        .map(|i| {
            let at = "2026-03-01T08:00:00Z".parse().unwrap();
            contender(&format!("c{i}"), at, i >= 2, Wishes { reservations: Allow, savings_plans: Deny })
        })
        .collect();
    let owners = |all: &[Contender]| {
        (0..all.len())
            .filter(|i| {
                let others: Vec<_> =
                    all.iter().enumerate().filter(|(j, _)| j != i).map(|(_, one)| one.clone()).collect();
                ownership(&all[*i], &others) == Ownership::Mine
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(owners(&all), [2]);
    assert_eq!(owners(&all[..2]), [0]);
}

#[test]
fn a_changed_tenant_grants_nothing_and_can_still_be_revoked() {
    let changed = |wishes: (_, _)| {
        Case::new(wishes.0, wishes.1)
            .claimed()
            .with(|case| case.facts.prerequisites.customer = CustomerRef::Found(tenant(2)))
    };
    let grant = changed((Allow, Deny)).holding(PolicyState::Absent);
    assert_eq!((grant.does(), grant.shows("Stalled")), (String::new(), "True/TenantChanged".into()));
    assert_eq!(grant.shows("Ready"), "False/TenantChanged");
    let revoke = changed((Allow, Deny)).holding(policy(&[SavingsPlans]));
    assert_eq!(revoke.does(), "delete");
    let crate::plan::permission::Action::Write { tenant: written, .. } = revoke.plan().actions[0] else { panic!() };
    assert_eq!(written, tenant(1), "the remembered tenant, not the new one");
    assert_eq!(changed((Deny, Deny)).does(), "read policy");
}

#[test]
fn a_reference_has_a_moment_to_appear() {
    let missing = Case::new(Allow, Deny).with(|case| {
        case.facts.prerequisites.customer = CustomerRef::Missing;
        case.now = case.desired.identity.created + jiff::SignedDuration::from_secs(1);
    });
    let plan = missing.plan();
    let end = missing.desired.identity.created + jiff::SignedDuration::from_secs(2);
    assert_eq!((plan.status, plan.next), (missing.before.clone(), Wait::Until(end)));
    let late = missing.clone().with(|case| case.now = end);
    assert_eq!((late.does(), late.shows("Ready")), (String::new(), "False/CustomerNotFound".into()));
    assert_eq!(late.shows("CustomerResolved"), "False/CustomerNotFound");
    // Not twice: who was looked at before is told at once.
    let again = shown(late).with(|case| case.now = end - jiff::SignedDuration::from_secs(1));
    assert_eq!((again.shows("Ready"), again.plan().next), ("False/CustomerNotFound".into(), Wait::ForChange));
}

#[test]
fn partner_wide_faults_change_nothing_on_converged_objects() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations]));
    let faulty = case.clone().with(|case| {
        case.facts.partner.write_refused = Some(role_refused(case.now));
        case.facts.is_feed_trusted = false;
        case.facts.prerequisites.profile = failed("Throttled");
        case.facts.prerequisites.estate = failed("Throttled");
        case.facts.prerequisites.subscriptions[0].owners.holders = failed("Throttled");
    });
    assert_eq!((faulty.does(), faulty.plan().status), (String::new(), case.before.clone()));
    // A new generation is told of by every condition, also by one that the spec has no say in.
    let edited = case.edited(|desired| desired.deletion_policy = crate::api::DeletionPolicy::Retain);
    let edited = edited.holding(policy(&[Reservations]));
    for condition in edited.plan().status.conditions {
        assert_eq!(condition.observed_generation, Some(2), "{}", condition.type_);
    }
}

#[test]
fn a_known_change_of_a_prerequisite_is_shown_and_revokes_nothing() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations]));
    let lost = case.with(|case| {
        let gone = profile(Relationship::Other("none".into()));
        case.facts.prerequisites.profile = Fact::Known { value: gone, at: case.now };
    });
    assert_eq!((lost.does(), lost.shows("CustomerResolved")), (String::new(), "False/NotReseller".into()));
    assert_eq!(lost.shows("Ready"), "True/InSync");
}

#[test]
fn a_stripped_annotation_is_written_again() {
    let stripped = Case::new(Deny, Deny).claimed().with(|case| case.desired.remembered = None);
    assert_eq!(stripped.holding(policy(&[])).does(), "claim");
}

#[test]
fn an_annotation_without_the_finalizer_is_no_claim() {
    let case = Case::new(Allow, Deny).with(|case| case.desired.remembered = Some(tenant(2)));
    assert_eq!(case.does(), "claim; create azureReservations");
    assert_eq!(case.desired.claim(), None);
}
