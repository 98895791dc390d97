//! What must not be had by writing annotations and finalizers by hand, and what equal names and lost answers must not
//! lead to.

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use serde_json::json;

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, message, permission};
use crate::stages::{eventually, run, shared};

fn owner(scene: &Scene, holds: bool) {
    let body = json!({ "subscription": scene.subscription_id(), "principalId": scene.owner_id(), "holds": holds });
    run(scene.view.simulator.post("owners", body)).unwrap();
}

/// `manifest` with these in its metadata.
fn with_metadata(manifest: &str, more: &str) -> String {
    let bare = "metadata: {name: permission}";
    assert!(manifest.contains(bare), "{manifest}");
    manifest.replace(bare, &format!("metadata: {{name: permission, {more}}}"))
}

#[test]
fn a_copy_with_another_objects_annotation_does_not_grant_over_the_owner() {
    let scene = Scene::new(shared().1);
    scene.converge("azureReservations: Deny");
    let elsewhere = scene.elsewhere();
    let annotation = "annotations: {\"csp-operator.dev/customer-tenant-id\": \"cccccccc-0000-4000-8000-00000000abcd\"}";
    let copy = with_metadata(&permission(PERMISSION, ALLOW_RESERVATIONS), annotation);
    elsewhere.apply(&(elsewhere.customer() + &elsewhere.subscription() + &copy));
    elsewhere.until_verdict("Ready", "False Conflict");
    assert_eq!(scene.attempts(), Vec::<String>::new());
}

#[test]
fn an_older_claim_made_by_hand_does_not_lose_the_owners_revoke() {
    let other = Scene::new(shared().1);
    other.apply(&(other.customer() + &permission(PERMISSION, "mode: Suspend")));
    other.until_verdict("Ready", "False Suspended");
    // There is something that it would turn off, if it did anything for its own customer.
    other.portal(SAVINGS_PLANS, true);
    // Ages are told in whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let claim = json!({ "metadata": {
        "finalizers": ["csp-operator.dev/revoke"],
        "annotations": { "csp-operator.dev/customer-tenant-id": scene.tenant() },
    } });
    other.patch::<CustomerPurchasePermission>(PERMISSION, &claim);
    other.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    other.until("it is looked at with its claim", |found| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
    });
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    eventually("the owner is gone", || scene.get::<CustomerPurchasePermission>(PERMISSION).is_none().then_some(()));
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    assert_eq!((other.attempts(), other.permitted()), (vec![], vec![SAVINGS_PLANS.to_owned()]));
}

/// Finalizer and annotation of an object that acts for this tenant.
fn claimed(manifest: &str, tenant: &str) -> String {
    let claim = format!(
        "finalizers: [csp-operator.dev/revoke], annotations: {{\"csp-operator.dev/customer-tenant-id\": \"{tenant}\"}}"
    );
    with_metadata(manifest, &claim)
}

#[test]
fn a_claim_made_by_hand_neither_revokes_nor_tells_anything_of_somebody_elses_customer() {
    let victim = Scene::new(shared().1);
    victim.portal(SAVINGS_PLANS, true);
    let scene = Scene::new(shared().1);
    scene.apply(&scene.customer());
    // One whose Customer names another tenant, and one whose Customer does not exist.
    for customer in ["contoso", "nobody"] {
        let manifest = permission(PERMISSION, "azureSavingsPlans: Deny").replace("contoso", customer);
        scene.apply(&claimed(&manifest, &victim.tenant()));
        let found = scene.until_verdict("Stalled", "True ClaimUnproven");
        assert!(message(&found, "Ready").contains(&victim.tenant()), "{}", message(&found, "Ready"));
        let status = found.status.unwrap();
        assert_eq!((status.effective, status.recent_activity, status.tenant_id), (None, vec![], None));
        // What is written there later is not its own either.
        victim.portal(RESERVATIONS, true);
        scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
        scene.delete::<CustomerPurchasePermission>(PERMISSION);
        let held = scene.until("it is held", |found| message(found, "Stalled").contains("being deleted"));
        assert!(message(&held, "Stalled").contains("csp-operator.dev/abandon"), "{}", message(&held, "Stalled"));
        assert!(held.status.unwrap().recent_activity.is_empty());
        let abandon = json!({ "metadata": { "annotations": { "csp-operator.dev/abandon": "true" } } });
        scene.patch::<CustomerPurchasePermission>(PERMISSION, &abandon);
        scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    }
    assert_eq!((victim.attempts(), scene.attempts()), (vec![], vec![]));
    assert_eq!(victim.permitted().len(), 2);
}

#[test]
fn what_a_backup_has_brought_back_without_its_status_is_believed_as_soon_as_its_customer_is_back_too() {
    let scene = Scene::new(shared().1);
    scene.portal(SAVINGS_PLANS, true);
    scene.apply(&claimed(&permission(PERMISSION, "azureSavingsPlans: Deny"), &scene.tenant()));
    scene.until_verdict("Stalled", "True ClaimUnproven");
    assert_eq!(scene.attempts(), Vec::<String>::new());
    scene.apply(&(scene.customer() + &scene.subscription()));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["delete".to_owned()], vec![]));
    // From then on the status tells.
    scene.portal(RESERVATIONS, true);
    scene.delete::<Customer>("contoso");
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["delete".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn a_create_that_finds_a_policy_is_not_sent_again_and_again() {
    let scene = Scene::new(shared().1);
    owner(&scene, false);
    scene.declare(ALLOW_RESERVATIONS);
    scene.until_verdict("Ready", "False OwnerMissing");
    // Straight into Partner Center: no record will ever tell of it.
    let entry = json!({ "permissions": [{ "resource": SAVINGS_PLANS, "action": "Purchase" }] });
    let path = format!("customers/{}/policy", scene.tenant());
    run(scene.view.simulator.call(reqwest::Method::PUT, &path, Some(entry))).unwrap();
    owner(&scene, true);
    scene.ask_anew::<AzureSubscription>("azure");
    scene.until_verdict("Ready", "True InSync");
    let attempts = scene.attempts();
    assert!(attempts.len() <= 3, "{attempts:?}");
    assert_eq!(scene.permitted(), ["AzureReservedInstances"]);
}

#[test]
fn a_late_grant_of_ours_that_is_no_longer_wished_is_revoked() {
    let scene = Scene::new(shared().1);
    scene.fault("create_self_serve_policy", 3, &json!({ "kind": "late", "delayMs": 9000 }));
    scene.declare(ALLOW_RESERVATIONS);
    eventually("the first create is on its way", || (!scene.attempts().is_empty()).then_some(()));
    scene.change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    eventually("the create has arrived after all", || scene.attempts().contains(&"create".to_owned()).then_some(()));
    // Not merely empty because nothing has arrived yet.
    eventually("it is revoked", || {
        (scene.attempts().contains(&"delete".to_owned()) && scene.permitted().is_empty()).then_some(())
    });
}

#[test]
fn objects_of_different_kinds_may_have_one_name() {
    let scene = Scene::new(shared().1);
    let same_name = |manifest: String| manifest.replace("name: azure", &format!("name: {PERMISSION}"));
    scene.apply(&(scene.customer() + &same_name(scene.subscription())));
    scene.until_named::<AzureSubscription>(PERMISSION, "ready", is_ready);
    owner(&scene, false);
    let request = "annotations: {\"csp-operator.dev/reconcile\": \"1\"}";
    scene.apply(&with_metadata(&same_name(permission(PERMISSION, ALLOW_RESERVATIONS)), request));
    scene.until_verdict("Ready", "False OwnerMissing");
    scene.until_named::<AzureSubscription>(PERMISSION, "told what the permission learnt", |found| !is_ready(found));
    owner(&scene, true);
    scene.until_verdict("Ready", "True InSync");
}

#[test]
fn two_subscriptions_that_name_other_owners_do_not_wake_each_other_for_ever() {
    let scene = Scene::new(shared().1);
    let with = |name: &str, id: &str| {
        scene.subscription().replace("name: azure", &format!("name: {name}")).replace(&scene.owner_id(), id)
    };
    let one = with("one", "dddddddd-0000-4000-8000-000000000001");
    let two = with("two", "dddddddd-0000-4000-8000-000000000002");
    scene.apply(&(scene.customer() + &one + &two));
    for name in ["one", "two"] {
        scene.until_named::<AzureSubscription>(name, "judged", |found| {
            found.status.as_ref().is_some_and(|status| status.observed_generation == 1)
        });
    }
    std::thread::sleep(std::time::Duration::from_secs(3));
    let asked = scene.requests().iter().filter(|one| one["operation"] == "list_role_assignments").count();
    assert!(asked < 12, "{asked} requests");
}
