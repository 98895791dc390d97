//! What others do in Partner Center, and what must never be done there.

use csp_operator::api::{ActivityOrigin, CustomerPurchasePermission, Drift};
use reqwest::Method;
use serde_json::json;

use crate::scene::{
    ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, PORTAL_USER, RESERVATIONS, SAVINGS_PLANS, Scene, message, permission,
    verdict,
};
use crate::stages::{eventually, run, shared};

const EVE: &str = "eve@contosopartner.onmicrosoft.com";
const MALLORY: &str = "mallory@contosopartner.onmicrosoft.com";

/// The note of the event with this reason that names the portal's user.
fn note(scene: &Scene, reason: &str) -> Option<String> {
    note_of(scene, reason, PORTAL_USER)
}

/// The note of the event with this reason that names this user.
fn note_of(scene: &Scene, reason: &str, user: &str) -> Option<String> {
    let events = scene.events(PERMISSION);
    let notes =
        events.into_iter().filter(|event| event.reason.as_deref() == Some(reason)).filter_map(|event| event.note);
    notes.into_iter().find(|note| note.contains(user))
}

#[test]
fn a_switch_turned_off_in_the_portal_is_turned_on_again_and_the_user_is_named() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    scene.portal(RESERVATIONS, false);
    scene.until("it is on again, and all three records are shown", |found| {
        scene.permitted() == [RESERVATIONS] && found.status.as_ref().unwrap().recent_activity.len() == 3
    });
    let found = scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.attempts(), ["create", "create"]);
    let note = note(&scene, "DeleteCustomerPurchasePermissions").unwrap();
    assert!(note.contains("azureReservations is not as declared any more; the operator turns it back"), "{note}");
    let origins: Vec<_> = found.status.unwrap().recent_activity.into_iter().map(|record| record.origin).collect();
    assert_eq!(origins, [ActivityOrigin::Operator, ActivityOrigin::Other, ActivityOrigin::Operator]);
    assert!(!scene.event_reasons(PERMISSION).contains(&"Drifted".to_owned()), "told twice");
}

#[test]
fn a_denied_switch_turned_on_in_the_portal_is_turned_off_again() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    scene.portal(SAVINGS_PLANS, true);
    scene.until("it is off again", |found| {
        scene.permitted() == [RESERVATIONS] && found.status.as_ref().unwrap().recent_activity.len() == 3
    });
    assert_eq!(scene.attempts(), ["create", "update"]);
    let note = note(&scene, "UpdateCustomerPurchasePermissions").unwrap();
    assert!(note.contains("azureSavingsPlans is not as declared any more"), "{note}");
}

#[test]
fn an_unmanaged_switch_is_left_as_people_turn_it() {
    let scene = Scene::new(shared().1);
    scene.converge(&format!("{ALLOW_RESERVATIONS}, azureSavingsPlans: Unmanaged"));
    scene.portal(SAVINGS_PLANS, true);
    scene.until("the record is shown", |found| found.status.as_ref().unwrap().recent_activity.len() == 2);
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.attempts(), ["create"]);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.permitted(), [SAVINGS_PLANS], "only what was managed is revoked");
    assert_eq!(scene.attempts(), ["create", "update"]);
}

#[test]
fn an_entry_that_nobody_knows_survives_every_write() {
    let scene = Scene::new(shared().1);
    let path = format!("customers/{}/policy", scene.tenant());
    let entry = json!({ "resource": "AzureQuantumCredits", "action": "Purchase" });
    let policy = json!({ "permissions": [entry] });
    run(scene.view.simulator.call(Method::PUT, &path, Some(policy))).unwrap();
    scene.converge(ALLOW_RESERVATIONS);
    assert_eq!(scene.permitted().len(), 2);
    scene.change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    scene.until("it is off", |_| scene.permitted() == ["AzureQuantumCredits"]);
    scene.change(&json!({ "azureReservations": "Allow", "acceptBillingResponsibility": true }));
    scene.until("it is on", |_| scene.permitted().len() == 2);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.permitted(), ["AzureQuantumCredits"]);
    assert_eq!(scene.writes(), ["update", "update", "update", "update"]);
    let state = run(scene.view.simulator.get(&format!("state/{}", scene.tenant()))).unwrap();
    assert_eq!(state["permissions"], json!([entry]), "word for word");
}

#[test]
fn a_subscription_of_another_customer_grants_nothing() {
    let scene = Scene::new(shared().1);
    let other = Scene::new(shared().1);
    // `azure` is in order in every way, but it is Fabrikam's.
    let fabrikam = |manifest: String| manifest.replace("contoso", "fabrikam");
    scene.apply(&(scene.customer() + &fabrikam(other.customer()) + &fabrikam(other.subscription())));
    scene.apply(&permission(PERMISSION, ALLOW_BOTH));
    let found = scene.until_verdict("Ready", "False SubscriptionOfOtherCustomer");
    assert_eq!(verdict(&found, "AzureSubscriptionVerified"), "False SubscriptionOfOtherCustomer");
    assert!(message(&found, "Ready").contains("\"fabrikam\""), "{}", message(&found, "Ready"));
    // Nor does one that claims to be Contoso's and is Fabrikam's in Azure.
    let claimed = other.subscription().replace("name: azure", "name: claimed");
    scene.apply(&claimed);
    scene.change(&json!({ "azureSubscriptionRefs": [{ "name": "claimed" }] }));
    scene.until_verdict("Ready", "False SubscriptionNotFound");
    // Nor one beside a good one.
    scene.apply(&scene.subscription().replace("name: azure", "name: good"));
    for bad in ["azure", "claimed"] {
        scene.change(&json!({ "azureSubscriptionRefs": [{ "name": "good" }, { "name": bad }] }));
        let reason = if bad == "azure" { "SubscriptionOfOtherCustomer" } else { "SubscriptionNotFound" };
        scene.until_verdict("Ready", &format!("False {reason}"));
    }
    for anybody in [&scene, &other] {
        assert_eq!(anybody.attempts(), Vec::<String>::new());
    }
    scene.change(&json!({ "azureSubscriptionRefs": [{ "name": "good" }] }));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!((scene.attempts(), other.attempts()), (vec!["create".to_owned()], vec![]));
}

#[test]
fn a_revoke_neither_waits_for_nor_carries_a_grant_that_is_withheld() {
    let scene = Scene::new(shared().1);
    let nobody = json!({ "subscription": scene.subscription_id(), "principalId": scene.owner_id(), "holds": false });
    run(scene.view.simulator.post("owners", nobody)).unwrap();
    scene.portal(SAVINGS_PLANS, true);
    scene.declare("azureReservations: Allow, azureSavingsPlans: Deny, acceptBillingResponsibility: true");
    scene.until("savings plans are off", |_| scene.permitted().is_empty());
    let found = scene.until_verdict("Ready", "False OwnerMissing");
    assert_eq!(verdict(&found, "Synced"), "False PrerequisitesNotMet");
    scene.stays("withheld", 2.0, |found| verdict(found, "Ready") == "False OwnerMissing");
    assert_eq!(scene.attempts(), ["delete"]);
}

#[test]
fn observing_tells_what_would_be_written_and_writes_nothing() {
    let scene = Scene::new(shared().1);
    scene.portal(SAVINGS_PLANS, true);
    scene.declare("azureReservations: Allow, mode: Observe");
    let found = scene.until_verdict("Ready", "True Observed");
    assert_eq!(verdict(&found, "Synced"), "False PendingWrite");
    let plan = found.status.unwrap().plan;
    assert!(plan.iter().any(|line| line.starts_with("turn azureSavingsPlans off")), "{plan:?}");
    assert!(plan.iter().any(|line| line.starts_with("turn azureReservations on")), "{plan:?}");
    assert!(found.metadata.finalizers.is_none());
    assert_eq!(scene.attempts(), Vec::<String>::new());
}

#[test]
fn a_suspended_permission_causes_no_call_at_all() {
    let scene = Scene::new(shared().1);
    scene.apply(&permission(PERMISSION, "mode: Suspend"));
    scene.until_verdict("Ready", "False Suspended");
    scene.apply(&(scene.customer() + &scene.subscription()));
    scene.until_named::<csp_operator::api::AzureSubscription>("azure", "it is ready", crate::scene::is_ready);
    let before = scene.requests().len();
    scene.portal(RESERVATIONS, true);
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until("it has looked", |found| found.status.as_ref().unwrap().last_handled_reconcile_at.is_some());
    scene.stays("suspended", 2.0, |found| verdict(found, "Ready") == "False Suspended");
    assert_eq!(scene.requests().len(), before);
    scene.change(&json!({ "mode": "Enforce" }));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["delete".to_owned()], vec![]));
}

/// Converged under this policy; then somebody turns reservations off and savings plans on.
fn turned_both_ways(policy: &str) -> Scene {
    let scene = Scene::new(shared().1);
    scene.converge(&format!("{ALLOW_RESERVATIONS}, driftPolicy: {policy}"));
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    scene.portal(SAVINGS_PLANS, true);
    scene.portal(RESERVATIONS, false);
    scene
}

#[test]
fn what_drift_policy_leaves_in_place_is_shown_with_its_author_and_not_fought() {
    let scene = turned_both_ways("Report");
    let found = scene.until("both have a name", |found| {
        let drift = found.status.clone().unwrap_or_default().drift;
        drift.len() == 2 && drift.iter().all(|one| one.actor.as_deref() == Some(PORTAL_USER))
    });
    let shown = ["Ready", "Reconciling", "Stalled"].map(|type_| verdict(&found, type_));
    assert_eq!(shown, ["False Drifted", "False Idle", "False NotStalled"]);
    assert!(found.status.unwrap().drift.iter().all(|one| one.correlation_id.is_some()));
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![SAVINGS_PLANS.to_owned()]));
    // An edited wish is no drift: first what is, then something else.
    scene.change(&json!({ "azureReservations": "Deny", "azureSavingsPlans": "Allow" }));
    scene.until("the edited spec holds", |found| {
        let status = found.status.clone().unwrap_or_default();
        verdict(found, "Ready") == "True InSync" && Some(status.observed_generation) == found.metadata.generation
    });
    assert_eq!(scene.attempts(), ["create"]);
    scene.change(&json!({ "azureSavingsPlans": "Deny", "acceptBillingResponsibility": false }));
    scene.until("it is off", |_| scene.permitted().is_empty());
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn correct_down_turns_off_what_others_turn_on_and_leaves_off_what_they_turn_off() {
    let scene = turned_both_ways("CorrectDown");
    scene.until("only what was turned off is left", |found| {
        scene.permitted().is_empty() && verdict(found, "Ready") == "False Drifted" && {
            let drift = found.status.clone().unwrap_or_default().drift;
            drift.len() == 1 && drift[0].switch == "azureReservations"
        }
    });
    assert_eq!(scene.attempts(), ["create", "delete"]);
}

#[test]
fn what_was_there_before_is_recorded_with_its_author_and_observe_leaves_it() {
    let scene = Scene::new(shared().1);
    scene.portal(SAVINGS_PLANS, true);
    scene.declare("mode: Observe");
    let found = scene.until("it tells by whom", |found| {
        found.status.clone().unwrap_or_default().adopted.is_some_and(|adopted| adopted.by.is_some())
    });
    let adopted = found.status.unwrap().adopted.unwrap();
    assert_eq!(adopted.by.as_deref(), Some(PORTAL_USER));
    assert_eq!(format!("{:?} {:?}", adopted.azure_reservations, adopted.azure_savings_plans), "Deny Allow");
    assert_eq!(scene.attempts(), Vec::<String>::new());
    // The same as it is, enforced: nothing to write.
    scene.change(&json!({ "mode": "Enforce", "azureSavingsPlans": "Allow", "acceptBillingResponsibility": true }));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!((scene.attempts(), scene.permitted()), (vec![], vec![SAVINGS_PLANS.to_owned()]));
    assert_eq!(scene.permission().status.unwrap().adopted.unwrap(), adopted, "for good");
}

/// The two switches as the status shows who has turned them, with the requests by which its log says that they did.
fn drift_by_request(found: &CustomerPurchasePermission) -> Vec<(String, String, String)> {
    let status = found.status.clone().unwrap_or_default();
    let operation = |drift: &Drift| {
        let mut records = status.recent_activity.iter().filter(|record| record.correlation_id.is_some());
        let record = records.find(|record| record.correlation_id == drift.correlation_id)?;
        Some(record.operation.split(' ').next()?.to_owned())
    };
    let drift = status.drift.iter();
    drift
        .map(|it| (it.switch.clone(), it.actor.clone().unwrap_or_default(), operation(it).unwrap_or_default()))
        .collect()
}

#[test]
fn who_turns_the_second_switch_is_not_blamed_for_the_first() {
    let scene = Scene::new(shared().1);
    scene.converge("azureReservations: Deny, azureSavingsPlans: Deny, driftPolicy: Report");
    let turn = |switch, user| run(scene.view.simulator.portal(&scene.tenant(), switch, true, user)).unwrap();
    let eves = ("azureReservations".to_owned(), EVE.to_owned(), "Create".to_owned());
    turn(RESERVATIONS, EVE);
    scene.until("the first has a name", |found| drift_by_request(found) == [eves.clone()]);
    turn(SAVINGS_PLANS, MALLORY);
    let mallorys = ("azureSavingsPlans".to_owned(), MALLORY.to_owned(), "Update".to_owned());
    let found = scene.until("each has its own", |found| drift_by_request(found) == [eves.clone(), mallorys.clone()]);
    let expected = format!(
        "azureReservations was turned by {EVE}, azureSavingsPlans by {MALLORY}; driftPolicy Report leaves them so"
    );
    assert_eq!([message(&found, "Ready"), message(&found, "Synced")], [expected.clone(), expected]);
    let note = eventually("mallory's event", || note_of(&scene, "UpdateCustomerPurchasePermissions", MALLORY));
    assert!(
        note.ends_with(". azureSavingsPlans is not as declared any more, and driftPolicy Report leaves it so"),
        "{note}"
    );
    assert_eq!(scene.attempts(), Vec::<String>::new());
}

#[test]
fn the_author_of_what_correct_down_leaves_is_told_alike_everywhere_also_after_a_fresh_look() {
    let scene = Scene::new(shared().1);
    scene.converge(&format!("{ALLOW_RESERVATIONS}, driftPolicy: CorrectDown"));
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    for (switch, allow) in [(RESERVATIONS, false), (SAVINGS_PLANS, true)] {
        run(scene.view.simulator.portal(&scene.tenant(), switch, allow, EVE)).unwrap();
    }
    let eves = ("azureReservations".to_owned(), EVE.to_owned(), "Delete".to_owned());
    let expected = format!("azureReservations was turned by {EVE}; driftPolicy CorrectDown leaves it so");
    let is_told = |found: &CustomerPurchasePermission| {
        drift_by_request(found) == [eves.clone()]
            && [message(found, "Ready"), message(found, "Synced")] == [expected.clone(), expected.clone()]
    };
    // All four records: the operator's write, hers, and what the operator made of it.
    scene.until("only what she turned off is left", |found| {
        scene.permitted().is_empty() && is_told(found) && found.status.as_ref().unwrap().recent_activity.len() == 4
    });
    let note = eventually("her event", || note_of(&scene, "DeleteCustomerPurchasePermissions", EVE));
    assert!(
        note.ends_with(". azureReservations is not as declared any more, and driftPolicy CorrectDown leaves it so"),
        "{note}"
    );
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    let found =
        scene.until("it has looked", |found| found.status.as_ref().unwrap().last_handled_reconcile_at.is_some());
    assert!(is_told(&found), "{:?}", found.status);
    assert_eq!(scene.attempts(), ["create", "delete"]);
}
