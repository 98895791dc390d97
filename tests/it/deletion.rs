//! What a deleted permission leaves behind.

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use reqwest::Method;
use serde_json::json;

use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, message, permission, verdict};
use crate::stages::{eventually, run, shared};

/// Converges, lets `meanwhile` happen, deletes, and waits until the object is gone.
fn check(spec: &str, meanwhile: impl FnOnce(&Scene), writes: &[&str], permitted: &[&str]) {
    let scene = Scene::new(shared().1);
    scene.converge(spec);
    meanwhile(&scene);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.attempts(), writes);
    assert_eq!(scene.permitted(), permitted);
}

fn delete_customer(scene: &Scene) {
    scene.delete::<Customer>("contoso");
    scene.until_gone::<Customer>("contoso");
}

/// Partner Center fails to answer this operation for a while, or for ever.
fn down(scene: &Scene, operation: &str, times: u32) {
    scene.fault(operation, times, &json!({ "kind": "status", "status": 503 }));
}

#[test]
fn what_was_granted_is_revoked_with_one_write() {
    check(ALLOW_RESERVATIONS, |_| {}, &["create", "delete"], &[]);
    check(ALLOW_BOTH, |_| {}, &["create", "delete"], &[]);
}

#[test]
fn retain_leaves_partner_center_as_it_is() {
    check(&format!("{ALLOW_RESERVATIONS}, deletionPolicy: Retain"), |_| {}, &["create"], &[RESERVATIONS]);
}

#[test]
fn who_observes_at_the_end_leaves_partner_center_as_it_is() {
    let observe = |scene: &Scene| {
        scene.change(&json!({ "mode": "Observe" }));
        scene.until_verdict("Ready", "True Observed");
    };
    check(ALLOW_RESERVATIONS, observe, &["create"], &[RESERVATIONS]);
    check("azureReservations: Allow, mode: Observe", |scene| scene.portal(RESERVATIONS, true), &[], &[RESERVATIONS]);
}

#[test]
fn the_tenant_is_remembered_when_the_customer_is_deleted_first() {
    check(ALLOW_RESERVATIONS, delete_customer, &["create", "delete"], &[]);
}

#[test]
fn what_was_granted_is_revoked_although_its_subscription_was_deleted_first() {
    let delete_subscription = |scene: &Scene| {
        scene.delete::<AzureSubscription>("azure");
        scene.until_gone::<AzureSubscription>("azure");
        scene.until_verdict("AzureSubscriptionVerified", "False SubscriptionNotFound");
        scene.until_verdict("Ready", "True InSync");
    };
    check(ALLOW_BOTH, delete_subscription, &["create", "delete"], &[]);
}

#[test]
fn where_nothing_was_ever_on_nothing_is_written() {
    check("azureReservations: Deny", |_| {}, &[], &[]);
}

#[test]
fn a_finalizer_that_somebody_takes_off_is_put_back_and_without_it_the_grant_outlives_the_object() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let without = json!({ "metadata": { "finalizers": null } });
    scene.patch::<CustomerPurchasePermission>(PERMISSION, &without);
    scene.until("it is put back", |found| found.metadata.finalizers.is_some());
    scene.change(&json!({ "mode": "Suspend" }));
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Stalled", "True Suspended");
    scene.patch::<CustomerPurchasePermission>(PERMISSION, &without);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.permitted(), [RESERVATIONS], "nobody was left to revoke it");
    // The next object finds it, and answers for it from then on.
    scene.converge(ALLOW_RESERVATIONS);
    assert_eq!(scene.attempts(), ["create"]);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn a_customer_made_anew_with_another_tenant_gets_nothing_and_the_first_is_revoked() {
    let scene = Scene::new(shared().1);
    let other = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    delete_customer(&scene);
    scene.apply(&other.customer());
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    let found = scene.until_verdict("Stalled", "True TenantChanged");
    assert!(message(&found, "Ready").contains(&scene.tenant()), "{}", message(&found, "Ready"));
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    let status = scene.get::<Customer>("contoso").and_then(|found| found.status).unwrap_or_default();
    assert_eq!(status.purchases_permitted, None, "nothing was on for the other tenant");
    assert_eq!((scene.attempts(), other.attempts()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    assert_eq!(scene.permitted(), Vec::<String>::new());
}

#[test]
fn a_suspended_permission_is_held_until_somebody_decides() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.change(&json!({ "mode": "Suspend" }));
    scene.until_verdict("Ready", "True Suspended");
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    let found = scene.until_verdict("Stalled", "True Suspended");
    assert!(message(&found, "Stalled").contains("set mode Enforce to revoke"), "{}", message(&found, "Stalled"));
    scene.stays("held", 2.0, |found| verdict(found, "Stalled") == "True Suspended");
    assert_eq!(scene.attempts(), ["create"]);
    scene.change(&json!({ "mode": "Enforce" }));
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.attempts(), ["create", "delete"]);
}

#[test]
fn while_partner_center_is_down_a_permission_is_held_and_says_what_can_be_done() {
    for operation in ["list_self_serve_policies", "delete_self_serve_policy"] {
        let scene = Scene::new(shared().1);
        scene.converge(ALLOW_RESERVATIONS);
        down(&scene, operation, 6);
        scene.delete::<CustomerPurchasePermission>(PERMISSION);
        let found = scene.until_verdict("Stalled", "True RevokePending");
        let message = message(&found, "Stalled");
        assert!(message.contains("csp-operator.dev/abandon") && message.contains("tried again"), "{message}");
        assert_eq!(scene.permitted(), [RESERVATIONS]);
        scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
        assert_eq!(scene.writes(), ["create", "delete"]);
        assert_eq!(scene.permitted(), Vec::<String>::new());
    }
}

#[test]
fn an_abandoned_permission_is_released_at_once_and_the_event_says_so() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    down(&scene, "list_self_serve_policies", 1_000_000);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Stalled", "True RevokePending");
    let abandon = json!({ "metadata": { "annotations": { "csp-operator.dev/abandon": "true" } } });
    scene.patch::<CustomerPurchasePermission>(PERMISSION, &abandon);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
    let released = eventually("the event is there", || {
        scene.events(PERMISSION).into_iter().find(|event| event.reason.as_deref() == Some("Released"))
    });
    let note = released.note.unwrap();
    assert!(note.contains("abandoned") && note.contains("last seen to be allowed azureReservations"), "{note}");
}

#[test]
fn a_customer_that_is_no_longer_ours_does_not_hold_anything() {
    let gone = |scene: &Scene| {
        run(scene.view.simulator.call(Method::DELETE, &format!("customers/{}", scene.tenant()), None)).unwrap();
    };
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    gone(&scene);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.attempts(), ["create"]);

    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let path = format!("customers/{}/relationship", scene.tenant());
    run(scene.view.simulator.call(Method::PUT, &path, Some(json!({ "relationship": "none" })))).unwrap();
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn a_permission_of_which_nothing_tells_whose_it_is_is_held_until_its_customer_is_back() {
    let scene = Scene::new(shared().1);
    scene.portal(RESERVATIONS, true);
    // As of a backup without status and annotations, whose Customer is not back yet.
    let bare = permission(PERMISSION, ALLOW_RESERVATIONS)
        .replace("{name: permission}", "{name: permission, finalizers: [csp-operator.dev/revoke]}");
    scene.apply(&bare);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    let found = scene.until_verdict("Stalled", "True TenantForgotten");
    let message = message(&found, "Stalled");
    assert!(message.contains("apply the Customer again") && message.contains("csp-operator.dev/abandon"), "{message}");
    assert_eq!((scene.attempts(), scene.permitted()), (vec![], vec![RESERVATIONS.to_owned()]));
    scene.apply(&scene.customer());
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["delete".to_owned()], vec![]));
}

#[test]
fn a_permission_that_never_got_anywhere_can_be_deleted() {
    let scene = Scene::new(shared().1);
    scene.apply(&permission(PERMISSION, ALLOW_RESERVATIONS));
    scene.until_verdict("Ready", "False CustomerNotFound");
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
}

#[test]
fn a_deleted_namespace_ends_with_everything_revoked_and_gone() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_BOTH);
    let namespaces: Api<Namespace> = Api::all(scene.view.client.clone());
    run(namespaces.delete(&scene.namespace, &DeleteParams::default())).unwrap();
    eventually("the namespace is gone", || run(namespaces.get_opt(&scene.namespace)).unwrap().is_none().then_some(()));
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn a_permission_deleted_and_applied_again_is_granted_again() {
    let scene = Scene::new(shared().1);
    let first = scene.converge(ALLOW_RESERVATIONS);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    let second = scene.converge(ALLOW_RESERVATIONS);
    assert_ne!(first.metadata.uid, second.metadata.uid);
    assert_eq!(
        (scene.writes(), scene.permitted()),
        (vec!["create".to_owned(), "delete".to_owned(), "create".to_owned()], vec![RESERVATIONS.to_owned()],)
    );
}
