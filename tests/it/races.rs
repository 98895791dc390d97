//! A policy that somebody changes between our reading of it and our write.

use csp_operator::api::{AzureSubscription, CustomerPurchasePermission};
use reqwest::Method;
use serde_json::{Value, json};

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, verdict};
use crate::secrets;
use crate::stages::{run, shared};

/// Right after the next reading of the policy somebody does this to it.
fn after_the_next_reading(scene: &Scene, call: &Value) {
    scene.fault("list_self_serve_policies", 1, &json!({ "kind": "then", "calls": [call] }));
}

/// It becomes this, and no record tells of it.
fn becomes(scene: &Scene, resources: &[&str]) -> Value {
    let entry = |resource: &&str| json!({ "resource": resource, "action": "Purchase" });
    let entries: Value = resources.iter().map(entry).collect();
    json!({ "method": "PUT", "path": format!("customers/{}/policy", scene.tenant()), "body": { "permissions": entries } })
}

/// A scene whose permission for reservations holds and has been seen in the activity log.
fn converged() -> Scene {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    scene
}

#[test]
fn a_policy_that_is_gone_when_it_is_replaced_is_created_anew() {
    let scene = Scene::new(shared().1);
    // Not ours, nor found there by a write of ours, or its absence would be taken for an answer that is behind.
    scene.portal(RESERVATIONS, true);
    scene.converge("mode: Observe");
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    let allow = json!({ "mode": "Enforce", "azureReservations": "Allow", "acceptBillingResponsibility": true });
    scene.change(&allow);
    scene.until("it is enforced", |found| is_ready(found) && verdict(found, "Ready") == "True InSync");
    after_the_next_reading(&scene, &becomes(&scene, &[]));
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until("both are on", |found| scene.permitted().len() == 2 && verdict(found, "Ready") == "True InSync");
    assert_eq!(scene.attempts(), ["update: no effect", "create"]);
}

#[test]
fn a_policy_that_has_changed_when_it_is_replaced_is_read_again_and_nothing_new_in_it_is_lost() {
    let scene = converged();
    after_the_next_reading(&scene, &becomes(&scene, &[RESERVATIONS, "AzureQuantumCredits"]));
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until("all are on", |found| scene.permitted().len() == 3 && verdict(found, "Ready") == "True InSync");
    assert_eq!(scene.attempts(), ["create", "update: no effect", "update"]);
}

#[test]
fn a_policy_that_is_gone_when_it_is_deleted_is_deleted() {
    let scene = converged();
    after_the_next_reading(&scene, &becomes(&scene, &[]));
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.attempts(), ["create", "delete: no effect"]);
}

#[test]
fn a_policy_that_is_there_when_it_is_created_is_read_and_replaced() {
    let scene = Scene::new(shared().1);
    let owner = |holds: bool| {
        let body = json!({ "subscription": scene.subscription_id(), "principalId": scene.owner_id(), "holds": holds });
        run(scene.view.simulator.post("owners", body)).unwrap();
    };
    owner(false);
    scene.declare(&format!("{ALLOW_RESERVATIONS}, azureSavingsPlans: Unmanaged"));
    scene.until_verdict("Ready", "False OwnerMissing");
    let there = becomes(&scene, &[SAVINGS_PLANS]);
    let path = there["path"].as_str().unwrap();
    run(scene.view.simulator.call(Method::PUT, path, Some(there["body"].clone()))).unwrap();
    owner(true);
    scene.ask_anew::<AzureSubscription>("azure");
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.attempts(), ["create: no effect", "update"]);
    assert_eq!(scene.permitted().len(), 2);
}

#[test]
fn no_object_remembers_an_etag() {
    let scene = converged();
    let state = run(scene.view.simulator.get(&format!("state/{}", scene.tenant()))).unwrap();
    let etag = state["etag"].as_str().unwrap().trim_matches('"').to_owned();
    let written = secrets::written(&scene.view, &scene.namespace);
    assert!(written.iter().any(|(name, text)| name.ends_with("/permission") && text.contains(&scene.tenant())));
    for (name, text) in written {
        assert!(!text.contains(&etag), "{name}");
    }
}
