//! Objects that come in any order, and prerequisites that come true later.

use std::time::{Duration, Instant};

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use reqwest::Method;
use serde_json::json;

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene, message, permission, verdict};
use crate::stages::{run, shared};

/// Well below the shortest interval at which anything is looked at again by itself: who is faster was told.
const TOLD: Duration = Duration::from_secs(10);

fn ready_at_once(scene: &Scene) {
    let start = Instant::now();
    scene.until_verdict("Ready", "True InSync");
    assert!(start.elapsed() < TOLD, "found out after {:?}", start.elapsed());
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn a_missing_customer_is_named_until_it_is_applied() {
    let scene = Scene::new(shared().1);
    scene.apply(&(scene.subscription() + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    let found = scene.until_verdict("Ready", "False CustomerNotFound");
    assert_eq!(verdict(&found, "CustomerResolved"), "False CustomerNotFound");
    assert_eq!(verdict(&found, "Reconciling"), "True CustomerNotFound");
    assert_eq!(verdict(&found, "Stalled"), "False NotStalled");
    assert!(message(&found, "Ready").contains("there is no Customer \"contoso\" in this namespace"));
    let azure = |object: &AzureSubscription| verdict(object, "Ready") == "False CustomerNotFound";
    scene.until_named("azure", "the subscription names it too", azure);
    assert_eq!(scene.requests().len(), 0, "nobody can be asked about");
    scene.apply(&scene.customer());
    ready_at_once(&scene);
}

#[test]
fn a_missing_subscription_is_named_until_it_is_applied() {
    let scene = Scene::new(shared().1);
    scene.apply(&(scene.customer() + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    let found = scene.until_verdict("Ready", "False SubscriptionNotFound");
    assert_eq!(verdict(&found, "AzureSubscriptionVerified"), "False SubscriptionNotFound");
    assert!(message(&found, "Ready").contains("there is no AzureSubscription \"azure\" in this namespace"));
    assert_eq!(scene.attempts(), Vec::<String>::new());
    scene.apply(&scene.subscription());
    ready_at_once(&scene);
}

#[test]
fn everything_is_ready_whatever_comes_first() {
    let scene = Scene::new(shared().1);
    scene.apply(&(permission(PERMISSION, ALLOW_RESERVATIONS) + &scene.subscription() + &scene.customer()));
    ready_at_once(&scene);
    assert!(!scene.event_reasons(PERMISSION).iter().any(|reason| reason.ends_with("NotFound")), "no false alarm");
}

#[test]
fn a_permission_follows_its_subscription_when_its_plan_becomes_active() {
    let scene = Scene::new(shared().1);
    let plan = |status: &str| {
        let body = json!({ "id": scene.plan_id(), "status": status });
        run(scene.view.simulator.post("subscriptions/status", body)).unwrap();
    };
    plan("suspended");
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until_verdict("Ready", "False SubscriptionNotActive");
    assert!(message(&found, "Ready").contains(&scene.plan_id()), "{}", message(&found, "Ready"));
    assert_eq!(verdict(&found, "OwnerRoleVerified"), "Unknown SubscriptionNotVerified");
    assert_eq!(scene.attempts(), Vec::<String>::new());
    plan("active");
    scene.ask_anew::<AzureSubscription>("azure");
    ready_at_once(&scene);
}

#[test]
fn an_azure_global_subscription_serves_as_well_once_it_is_active() {
    let scene = Scene::new(shared().1);
    let control = |method, path: &str, body| run(scene.view.simulator.call(method, path, body)).unwrap();
    control(Method::DELETE, &format!("customers/{}", scene.tenant()), None);
    let azure = json!({
        "id": scene.subscription_id(), "roleAssignments": [{ "principalId": scene.owner_id(), "role": "Owner" }],
    });
    let legacy =
        json!({ "id": scene.plan_id(), "kind": "AzureGlobal", "status": "suspended", "azureSubscriptions": [azure] });
    let user = json!({ "upn": "ada@legacy.onmicrosoft.com", "objectId": scene.owner_id() });
    let body = json!({ "tenantId": scene.tenant(), "name": "Legacy", "users": [user], "subscriptions": [legacy] });
    control(Method::POST, "customers", Some(body));
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until_verdict("Ready", "False SubscriptionNotActive");
    assert!(message(&found, "Ready").contains("Azure Global"), "{}", message(&found, "Ready"));
    assert_eq!(scene.attempts(), Vec::<String>::new());
    control(Method::POST, "subscriptions/status", Some(json!({ "id": scene.plan_id(), "status": "active" })));
    scene.ask_anew::<AzureSubscription>("azure");
    ready_at_once(&scene);
    let azure: AzureSubscription = scene.get("azure").unwrap();
    assert_eq!(serde_json::to_value(azure.status.unwrap()).unwrap()["kind"], "AzureGlobal");
}

#[test]
fn a_permission_follows_its_subscription_when_its_key_user_becomes_owner() {
    let scene = Scene::new(shared().1);
    let owner = |holds: bool| {
        let body = json!({ "subscription": scene.subscription_id(), "principalId": scene.owner_id(), "holds": holds });
        run(scene.view.simulator.post("owners", body)).unwrap();
    };
    owner(false);
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until_verdict("Ready", "False OwnerMissing");
    assert!(message(&found, "Ready").contains(&scene.owner_id()), "{}", message(&found, "Ready"));
    assert_eq!(verdict(&found, "AzureSubscriptionVerified"), "True Active");
    let azure: AzureSubscription = scene.get("azure").unwrap();
    assert_eq!(serde_json::to_value(&azure.status.unwrap().owners).unwrap()[0]["result"], "Missing");
    assert_eq!(scene.attempts(), Vec::<String>::new());
    owner(true);
    scene.ask_anew::<AzureSubscription>("azure");
    ready_at_once(&scene);
}

#[test]
fn a_permission_follows_its_customer_when_the_relationship_is_accepted() {
    let scene = Scene::new(shared().1);
    let relationship = |word: &str| {
        let path = format!("customers/{}/relationship", scene.tenant());
        run(scene.view.simulator.call(reqwest::Method::PUT, &path, Some(json!({ "relationship": word })))).unwrap();
    };
    relationship("advisor");
    scene.declare(ALLOW_RESERVATIONS);
    // The list of all customers may be from right before, when it was a reseller's: then the policy's refusal says so first.
    scene.until_verdict("Ready", "False NotReseller");
    scene.ask_anew::<Customer>("contoso");
    scene.until("it says what there is", |found| message(found, "Ready").contains("\"advisor\""));
    assert_eq!(scene.attempts(), Vec::<String>::new());
    relationship("reseller");
    scene.ask_anew::<Customer>("contoso");
    ready_at_once(&scene);
}

#[test]
fn a_tenant_that_is_no_customer_is_never_written_to() {
    let scene = Scene::new(shared().1);
    scene.declare("mode: Suspend");
    scene.apply("{kind: Customer, metadata: {name: stranger}, spec: {tenantId: 99999999-9999-4999-8999-999999999999}}");
    scene.apply(&permission("strange", ALLOW_RESERVATIONS).replace("contoso", "stranger"));
    let found = scene.until_named::<CustomerPurchasePermission>("strange", "it says so", |found| {
        verdict(found, "Ready") == "False TenantUnknown"
    });
    assert!(message(&found, "Ready").contains("99999999-9999-4999-8999-999999999999"));
    assert!(found.metadata.finalizers.is_none(), "there is nothing to be revoked there");
    let asked = run(scene.view.simulator.get("requests?customer=99999999-9999-4999-8999-999999999999")).unwrap();
    let asked: Vec<_> = asked["requests"].as_array().unwrap().iter().map(|request| &request["operation"]).collect();
    assert!(!asked.is_empty() && asked.iter().all(|operation| **operation == "get_customer"), "{asked:?}");
}

#[test]
fn the_id_of_the_azure_plan_is_not_taken_for_that_of_a_subscription() {
    let scene = Scene::new(shared().1);
    let subscription = scene.subscription().replace(&scene.subscription_id(), &scene.plan_id());
    scene.apply(&(scene.customer() + &subscription + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    let found = scene.until_verdict("Ready", "False IsAzurePlanId");
    assert!(message(&found, "Ready").contains(&scene.subscription_id()), "the right one is named");
    assert_eq!(scene.attempts(), Vec::<String>::new());
}
