//! What it takes to allow something, and what a revoke does not wait for.

use super::support::*;
use crate::api::{Mode, OwnerRole, PurchaseSwitch};
use crate::model::{Fact, PartnerKind, PolicyState, Relationship};
use crate::plan::partner::PartnerFacts;
use crate::plan::permission::{Attempt, Failure};
use crate::plan::{CustomerRef, Need};

/// What follows for a claimed object that wishes reservations, with an unsound prerequisite: no grant, and `CONDITION`
/// says why.
fn check_blocks(change: impl Fn(&mut Case), condition: &str, expected: &str) {
    let grant = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent);
    assert_eq!(grant.does(), "create azureReservations");
    let blocked = grant.with(|case| change(case));
    assert_eq!(blocked.does(), "", "{expected}");
    assert_eq!(blocked.shows(condition), expected);
    let reason = expected.split('/').nth(1).unwrap();
    assert_eq!(blocked.shows("Ready"), format!("False/{reason}"));
    assert_eq!(blocked.shows("Reconciling"), format!("True/{reason}"));
    assert_eq!(blocked.shows("Stalled"), "False/NotStalled");
    assert_eq!(blocked.shows("Synced"), "False/PrerequisitesNotMet");
    let words = blocked.plan().status.plan;
    assert!(words[0].starts_with("turn azureReservations on, once this is put right: "), "{words:?}");

    // The same that stops a grant does not stop a revoke.
    let revoke = Case::new(Allow, Deny).claimed().holding(policy(&[SavingsPlans])).with(|case| change(case));
    assert_eq!(revoke.does(), "delete", "{expected}");
}

#[test]
fn each_missing_prerequisite_alone_blocks_a_grant_and_no_revoke() {
    fn facts(case: &mut Case) -> &mut crate::plan::permission::PrerequisiteFacts {
        &mut case.facts.prerequisites
    }
    let customer = "CustomerResolved";
    check_blocks(|case| facts(case).customer = CustomerRef::Missing, customer, "False/CustomerNotFound");
    check_blocks(
        |case| facts(case).customer = CustomerRef::Malformed("no GUID".into()),
        customer,
        "False/TenantUnknown",
    );
    check_blocks(|case| facts(case).profile = known(case.now, None), customer, "False/TenantUnknown");
    check_blocks(
        |case| facts(case).profile = known(case.now, profile(Relationship::Other("none".into()))),
        customer,
        "False/NotReseller",
    );
    check_blocks(|case| facts(case).profile = failed("Throttled"), customer, "Unknown/Throttled");

    let verified = "AzureSubscriptionVerified";
    check_blocks(
        |case| facts(case).estate = known(case.now, estate("suspended")),
        verified,
        "False/SubscriptionNotActive",
    );
    check_blocks(
        |case| facts(case).estate = known(case.now, crate::model::AzureEstate::default()),
        verified,
        "False/NoAzureSubscription",
    );
    check_blocks(|case| wish(case).subscription = subscription(9), verified, "False/SubscriptionNotFound");
    check_blocks(
        |case| {
            let mut estate = estate("active");
            estate.plans[0].id = subscription(9).to_string();
            facts(case).estate = known(case.now, estate);
            wish(case).subscription = subscription(9);
        },
        verified,
        "False/IsAzurePlanId",
    );
    check_blocks(|case| wish(case).customer = "contoso".into(), verified, "False/SubscriptionOfOtherCustomer");
    check_blocks(|case| facts(case).subscriptions[0].wish = None, verified, "False/SubscriptionNotFound");
    check_blocks(
        |case| facts(case).subscriptions[0].wish = Some(Err("no GUID".into())),
        verified,
        "False/SubscriptionNotFound",
    );
    check_blocks(|case| facts(case).subscriptions.clear(), verified, "Unknown/NotNeeded");
    check_blocks(|case| facts(case).estate = failed("Throttled"), verified, "Unknown/Throttled");

    let owners = "OwnerRoleVerified";
    check_blocks(
        |case| facts(case).subscriptions[0].owners.holders = known(case.now, crate::model::OwnerHolders::default()),
        owners,
        "False/OwnerMissing",
    );
    check_blocks(
        |case| facts(case).subscriptions[0].owners.holders = failed("Forbidden"),
        owners,
        "Unknown/OwnerUnknown",
    );
    check_blocks(|case| wish(case).owner_role = OwnerRole::Unknown, owners, "Unknown/UnknownValue");
}

fn known<T>(at: jiff::Timestamp, value: T) -> Fact<T> {
    Fact::Known { value, at }
}

fn wish(case: &mut Case) -> &mut crate::plan::prerequisites::SubscriptionWish {
    case.facts.prerequisites.subscriptions[0].wish.as_mut().unwrap().as_mut().unwrap()
}

#[test]
fn one_unsound_subscription_of_several_blocks() {
    let two = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent).with(|case| {
        case.facts.prerequisites.subscriptions.push(subscription_facts("second", subscription(2), case.now));
    });
    assert_eq!(two.does(), "create azureReservations");
    assert_eq!(two.shows("AzureSubscriptionVerified"), "True/Active");
    let ownerless = two.with(|case| {
        case.facts.prerequisites.subscriptions[1].owners.holders =
            known(case.now, crate::model::OwnerHolders::default());
    });
    assert_eq!((ownerless.does().as_str(), ownerless.shows("OwnerRoleVerified").as_str()), ("", "False/OwnerMissing"));
}

#[test]
fn a_grant_wants_its_facts_read_within_ten_minutes() {
    let case = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent);
    assert_eq!(case.clone().later(minutes(10)).does(), "create azureReservations");
    // Owners are asked for again once the subscription is known to be active.
    assert_eq!(case.clone().later(minutes(11)).does(), "read customer, estate");
    let halfway = case.later(minutes(11)).with(|case| {
        case.facts.prerequisites.profile = known(case.now, profile(Relationship::Reseller));
        case.facts.prerequisites.estate = known(case.now, estate("active"));
    });
    assert_eq!(halfway.does(), "read owners");
    let [Need::Owners(asked, id, _)] = halfway.plan().needs.into_iter().collect::<Vec<_>>()[..] else { panic!() };
    assert_eq!((asked, id), (tenant(1), subscription(1)));
}

#[test]
fn a_wrong_clock_withholds_grants_and_lets_revokes_go() {
    let both = [Reservations, SavingsPlans];
    for (wishes, held, does) in [
        ((Allow, Deny), &[][..], ""),
        ((Allow, Allow), &both[..1], ""),
        ((Deny, Deny), &both[..1], "delete"),
        ((Deny, Unmanaged), &both, "update azureSavingsPlans"),
        // The revoke of one switch does not wait for the grant of the other.
        ((Allow, Deny), &both[1..], "delete"),
    ] {
        let case = Case::new(wishes.0, wishes.1).claimed().holding(policy(held));
        let accepted = case.with(|case| case.facts.partner.accepted_at = Some(case.now));
        let off = accepted.clone().with(|case| case.facts.partner.is_clock_off = true);
        assert_eq!(off.does(), does, "{wishes:?} {held:?}");
        assert_eq!(off.shows("PartnerAuthorized"), "False/ClockSkewed", "{wishes:?} {held:?}");
        if does.is_empty() {
            assert_ne!(accepted.does(), "", "a right clock would do");
        }
    }
    let deleted = Case::new(Allow, Deny).claimed().holding(policy(&both[..1])).deleting();
    assert_eq!(deleted.with(|case| case.facts.partner.is_clock_off = true).does(), "delete");
}

#[test]
fn a_write_is_the_test_of_an_unverified_sign_in() {
    let case = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent);
    assert_eq!(case.shows("PartnerAuthorized"), "Unknown/Unverified");
    assert_eq!(case.does(), "create azureReservations");
    let authorized = case.clone().with(|case| case.facts.partner.accepted_at = Some(case.now));
    assert_eq!(authorized.shows("PartnerAuthorized"), "True/WriteAccepted");
    assert_eq!(authorized.does(), "create azureReservations");

    let denied = case.with(|case| {
        case.facts.partner.write_refused = Some(role_refused(case.now - minutes(30)));
    });
    assert_eq!(denied.does(), "");
    assert_eq!(denied.shows("PartnerAuthorized"), "False/NotAdminAgent");
    assert_eq!(
        (denied.shows("Ready"), denied.shows("Stalled")),
        ("False/NotAdminAgent".into(), "True/NotAdminAgent".into())
    );
    assert_eq!(denied.plan().next, crate::plan::Wait::Until(denied.now + minutes(30)));
    let decayed = denied.clone().later(minutes(30)).holding(PolicyState::Absent);
    assert_eq!(
        (decayed.does().as_str(), decayed.shows("PartnerAuthorized").as_str()),
        ("read customer, estate", "Unknown/Unverified")
    );
    let revoke = denied.with(|case| case.desired.wishes.reservations = Deny).holding(policy(&[Reservations]));
    assert_eq!(revoke.does(), "delete");
}

#[test]
fn the_partner_is_asked_about_only_when_a_grant_is_about_to_be_decided() {
    let unknown = |case: &mut Case| case.facts.partner = PartnerFacts::UNKNOWN;
    let grant = Case::new(Allow, Deny).with(unknown);
    assert_eq!(grant.does(), "read partner, admin agents", "at first contact");
    assert_eq!(grant.clone().claimed().holding(PolicyState::Absent).does(), "read partner, admin agents");
    // Whatever else stands in the way is looked at first.
    let unsound = |change: fn(&mut Case)| grant.clone().claimed().holding(PolicyState::Absent).with(change);
    assert_eq!(unsound(|case| case.facts.prerequisites.profile = Fact::NOT_READ).does(), "read customer");
    assert_eq!(unsound(|case| case.facts.prerequisites.estate = known(case.now, estate("suspended"))).does(), "");
    // Nobody asks for a revoke, for what holds, after a restart for what the status remembers, or to observe.
    let revoke = |state| Case::new(Deny, Deny).claimed().holding(state).with(unknown);
    assert_eq!(revoke(policy(&[Reservations])).does(), "delete");
    let revoke_first = Case::new(Allow, Deny).claimed().holding(policy(&[SavingsPlans])).with(unknown);
    assert_eq!(revoke_first.does(), "delete");
    assert_eq!(revoke(policy(&[Reservations])).deleting().does(), "delete");
    let converged = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(unknown);
    assert_eq!((converged.does().as_str(), converged.clone().restarted().does().as_str()), ("", ""));
    let touched = converged.restarted().with(|case| case.before.effective = None);
    assert_eq!(touched.does(), "read policy");
    let observed = grant.claimed().holding(PolicyState::Absent).with(|case| case.desired.mode = Mode::Observe);
    assert_eq!(observed.does(), "release");
}

#[test]
fn owners_that_azure_does_not_show_may_be_explained_by_the_role_of_the_user() {
    let case = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent).with(|case| {
        case.facts.prerequisites.subscriptions[0].owners.holders = failed("Forbidden");
        case.facts.partner = PartnerFacts::UNKNOWN;
    });
    assert_eq!(case.does(), "read partner, admin agents");
    let with = |facts: fn(&Case) -> PartnerFacts| case.clone().with(|case| case.facts.partner = facts(case));
    let no_agent = with(|case| asked(false, case.now));
    assert_eq!(
        (no_agent.shows("Ready"), no_agent.shows("Stalled")),
        ("False/NotAdminAgent".into(), "True/NotAdminAgent".into())
    );
    let agent = with(|case| asked(true, case.now));
    assert_eq!((agent.does(), agent.shows("Ready")), (String::new(), "False/OwnerUnknown".into()));
}

#[test]
fn what_kind_of_partner_it_is_is_asked_where_everything_is_refused() {
    let case = Case::new(Allow, Deny).with(|case| {
        case.facts.prerequisites.profile = failed("ProgramNotActive");
        let mut refused = role_refused(case.now);
        refused.denial.reason = "ProgramNotActive";
        case.facts.partner = PartnerFacts { write_refused: Some(refused), ..PartnerFacts::UNKNOWN };
    });
    assert_eq!(case.does(), "read partner");
    let told = case.clone().with(|case| {
        case.facts.partner.kind = known(case.now, PartnerKind::IndirectReseller);
        case.facts.prerequisites.estate = failed("ProgramNotActive");
    });
    assert_eq!((told.does().as_str(), told.shows("Ready").as_str()), ("", "False/IndirectReseller"));
    let nothing_to_grant = case.with(|case| case.desired.wishes.reservations = Deny);
    assert_eq!(nothing_to_grant.does(), "");
}

#[test]
fn a_known_denial_of_the_partner_stops_a_grant_before_it_is_sent_and_no_revoke() {
    let case = |facts: fn(&Case) -> PartnerFacts| {
        Case::new(Allow, Deny).claimed().holding(PolicyState::Absent).with(|case| case.facts.partner = facts(case))
    };
    let member = case(|case| asked(true, case.now));
    assert_eq!(
        (member.does().as_str(), member.shows("PartnerAuthorized").as_str()),
        ("create azureReservations", "True/AdminAgent")
    );
    let reseller =
        |case: &Case| PartnerFacts { kind: known(case.now, PartnerKind::IndirectReseller), ..asked(true, case.now) };
    for (denied, reason, looks_again) in [
        (case(|case| asked(false, case.now)), "NotAdminAgent", minutes(10)),
        (case(reseller), "IndirectReseller", minutes(60)),
    ] {
        assert_eq!((denied.does(), denied.shows("PartnerAuthorized")), (String::new(), format!("False/{reason}")));
        assert_eq!(
            (denied.shows("Ready"), denied.shows("Stalled")),
            (format!("False/{reason}"), format!("True/{reason}"))
        );
        assert_eq!(denied.shows("Synced"), "False/PrerequisitesNotMet");
        assert_eq!(denied.plan().next, crate::plan::Wait::Until(denied.now + looks_again));
        assert_eq!(denied.holding(policy(&[SavingsPlans])).does(), "delete", "{reason}");
    }
    // Who holds what is wished does not turn red for it.
    let converged = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(|case| {
        case.facts.partner = asked(false, case.now);
    });
    assert_eq!(converged.plan().status, converged.before);
}

fn check_write(wishes: (PurchaseSwitch, PurchaseSwitch), state: PolicyState, expected: &str) {
    assert_eq!(Case::new(wishes.0, wishes.1).claimed().holding(state).does(), expected, "{wishes:?}");
}

#[test]
fn the_write_follows_from_what_was_read() {
    check_write((Allow, Allow), PolicyState::Absent, "create azureReservations+azureSavingsPlans");
    check_write((Allow, Allow), policy(&[SavingsPlans]), "update azureReservations+azureSavingsPlans");
    check_write((Allow, Deny), policy(&[Reservations]), "");
    check_write((Deny, Deny), policy(&[Reservations]), "delete");
    check_write((Deny, Deny), PolicyState::Absent, "");
    check_write((Deny, Unmanaged), policy(&[Reservations, SavingsPlans]), "update azureSavingsPlans");
    check_write((Unmanaged, Unmanaged), policy(&[Reservations]), "");
    check_write((Allow, Unmanaged), policy(&[SavingsPlans]), "update azureReservations+azureSavingsPlans");
    // Entries that this program does not know survive, and keep the policy alive.
    check_write((Deny, Deny), policy_with(&[Reservations], vec![marketplace()]), "update AzureMarketplace");
    check_write((Allow, Deny), policy_with(&[], vec![marketplace()]), "update azureReservations+AzureMarketplace");
    // A revoke goes first and alone.
    check_write((Allow, Deny), policy(&[SavingsPlans]), "delete");
    check_write((Allow, Deny), PolicyState::CustomerNotOurs, "");
}

#[test]
fn first_contact_claims_and_creates_without_reading() {
    let case = Case::new(Allow, Deny);
    assert_eq!(case.does(), "claim; create azureReservations");
    // Anything that hints at an earlier policy asks for a reading.
    let history =
        case.clone().with(|case| case.facts.activity = vec![record("r", case.now, crate::model::Origin::Other, "ada")]);
    assert_eq!(history.does(), "read policy");
    assert_eq!(case.clone().claimed().does(), "read policy");
    assert_eq!(Case::new(Deny, Deny).does(), "read policy");
    assert_eq!(case.with(|case| case.facts.prerequisites.profile = known(case.now, None)).does(), "");
}

#[test]
fn an_update_needs_the_reading_of_this_very_pass_and_a_create_does_not() {
    let read_before = |state| Case::new(Allow, Deny).claimed().holding(state).later(minutes(5));
    assert_eq!(read_before(PolicyState::Absent).does(), "create azureReservations");
    assert_eq!(read_before(policy_with(&[], vec![marketplace()])).does(), "read policy");
}

#[test]
fn nothing_is_tried_again_in_the_pass_whose_write_failed() {
    let case = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent);
    let refused = case.clone().with(|case| case.facts.attempt = refusal(true));
    assert_eq!(refused.does(), "");
    assert_eq!(
        (refused.shows("Synced"), refused.shows("Ready")),
        ("False/WriteRefused".into(), "False/WriteRefused".into())
    );
    assert_eq!(refused.shows("Stalled"), "True/WriteRefused");
    let hint = |case: &Case| {
        case.plan().status.conditions.iter().any(|condition| condition.message.contains("about the customer alone"))
    };
    let role = |accepted_at| {
        refused.clone().with(|case| {
            let message = "no role".into();
            case.facts.attempt = Attempt::Failed(Failure { reason: "NotAdminAgent", message, needs_person: true });
            case.facts.partner.accepted_at = accepted_at;
        })
    };
    assert!(hint(&role(Some(refused.now))) && !hint(&role(None)) && !hint(&refused));
    let failed = case.with(|case| case.facts.attempt = refusal(false));
    assert_eq!((failed.shows("Synced"), failed.shows("Ready")), ("False/PendingWrite".into(), "False/Refused".into()));
    assert_eq!(failed.shows("Reconciling"), "True/Refused");
}

#[test]
fn a_value_newer_than_the_program_stops_everything() {
    let check = |change: &dyn Fn(&mut Case)| {
        let case = Case::new(Allow, Deny).claimed().holding(policy(&[SavingsPlans])).with(|case| change(case));
        assert_eq!((case.does().as_str(), case.shows("Stalled").as_str()), ("", "True/UnknownValue"));
    };
    check(&|case| case.desired.mode = Mode::Unknown);
    check(&|case| case.desired.wishes.reservations = PurchaseSwitch::Unknown);
    check(&|case| case.desired.deletion_policy = crate::api::DeletionPolicy::Unknown);
}

#[test]
fn nothing_is_written_without_a_claim() {
    // Another object has had the policy read; of the customer, nothing is known.
    let case = Case::new(Deny, Deny).holding(policy(&[Reservations]));
    let case = case.with(|case| case.facts.prerequisites.profile = failed("Throttled"));
    assert_eq!(case.does(), "claim; delete");
    assert_eq!(case.holding(PolicyState::Absent).does(), "");
}

#[test]
fn one_unknown_subscription_of_several_blocks() {
    let two = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent).with(|case| {
        case.facts.prerequisites.subscriptions.push(subscription_facts("second", subscription(2), case.now));
        case.facts.prerequisites.subscriptions[1].owners.holders = failed("Forbidden");
    });
    assert_eq!((two.does().as_str(), two.shows("OwnerRoleVerified").as_str()), ("", "Unknown/OwnerUnknown"));
}

#[test]
fn a_revoke_that_can_be_written_is_not_held_up_by_readings() {
    let case = Case::new(Allow, Deny).claimed().later(minutes(11)).holding(policy(&[SavingsPlans]));
    assert_eq!(case.does(), "delete");
    assert_eq!(case.holding(PolicyState::Absent).does(), "read customer, estate");
}

#[test]
fn nobody_asks_further_about_a_customer_that_is_not_ours() {
    let case = Case::new(Allow, Deny).claimed().holding(PolicyState::Absent);
    let gone = case.with(|case| {
        case.facts.prerequisites.profile = known(case.now, None);
        case.facts.prerequisites.subscriptions[0].owners.holders = Fact::NOT_READ;
    });
    assert_eq!(gone.does(), "");
    assert_eq!(gone.with(|case| case.facts.prerequisites.estate = Fact::NOT_READ).does(), "");
    // And what is known of it is shown, however old: also in the pass that was asked to read everything anew.
    let asked = Case::new(Allow, Deny).settled(PolicyState::Absent).holding(PolicyState::Absent).with(|case| {
        case.facts.prerequisites.profile = known(case.now, None);
        case.desired.identity.reconcile_request = Some("now".into());
    });
    assert_eq!((asked.does().as_str(), asked.shows("AzureSubscriptionVerified").as_str()), ("", "True/Active"));
}

#[test]
fn an_accepted_write_is_shown_in_the_pass_that_made_it() {
    let case = Case::new(Allow, Deny).settled(policy(&[Reservations])).with(|case| {
        case.facts.partner.accepted_at = Some(case.now);
    });
    assert_eq!(case.shows("PartnerAuthorized"), "Unknown/Unverified");
    let accepted = case.with(|case| case.facts.attempt = crate::plan::permission::Attempt::Accepted);
    assert_eq!(accepted.shows("PartnerAuthorized"), "True/WriteAccepted");
}
