//! Answers of Partner Center that are behind: a write of ours is not in them yet, or a customer is not.

use csp_operator::api::CustomerPurchasePermission;
use serde_json::{Value, json};

use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, verdict};
use crate::stages::{run, shared};

/// A list of policies as it was before the first was created.
fn without_policy() -> Value {
    json!({ "kind": "edit", "set": { "/items": [], "/totalCount": 0 } })
}

/// How often the customer's policy was asked for.
fn readings(scene: &Scene) -> usize {
    scene.requests().iter().filter(|request| request["operation"] == "list_self_serve_policies").count()
}

/// Whether the request to read everything anew has been followed.
fn is_read_anew(found: &CustomerPurchasePermission) -> bool {
    let asked = found.metadata.annotations.as_ref().and_then(|all| all.get("csp-operator.dev/reconcile"));
    asked.is_some() && asked == found.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_ref())
}

#[test]
fn an_answer_from_before_our_write_is_no_drift_and_causes_no_second_write() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.fault("list_self_serve_policies", 1, &without_policy());
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until("it was read, and nothing seemed wrong", |found| {
        let synced = verdict(found, "Synced");
        assert!(["True InSync", "Unknown StaleAnswer"].contains(&synced.as_str()), "{synced}");
        is_read_anew(found) && is_ready(found)
    });
    assert_eq!(readings(&scene), 1);
    assert_eq!(scene.attempts(), ["create"]);
    assert!(!scene.event_reasons(PERMISSION).contains(&"Drifted".to_owned()));
}

#[test]
fn an_old_policy_with_its_old_etag_is_not_written_over_again() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let before = run(scene.view.simulator.get(&format!("state/{}", scene.tenant()))).unwrap();
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until("both are on", |found| is_ready(found) && scene.permitted() == [RESERVATIONS, SAVINGS_PLANS]);
    let readings_before = readings(&scene);
    let old = json!({ "/items/0/permissions": before["permissions"], "/items/0/attributes/etag": before["etag"] });
    scene.fault("list_self_serve_policies", 1, &json!({ "kind": "edit", "set": old }));
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until("it was read, and nothing seemed wrong", |found| is_read_anew(found) && is_ready(found));
    assert_eq!(readings(&scene), readings_before + 1);
    assert_eq!(scene.attempts(), ["create", "update"]);
}

#[test]
fn a_permission_deleted_right_after_its_grant_is_revoked_although_no_policy_is_seen_yet() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_BOTH);
    scene.fault("list_self_serve_policies", 2, &without_policy());
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.permitted(), Vec::<String>::new());
    assert_eq!(scene.attempts(), ["create", "delete"]);
}

#[test]
fn a_customer_that_is_not_found_for_a_moment_is_not_let_go() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let not_found = json!({ "kind": "status", "status": 404, "code": "60003", "description": "Tenant not found" });
    scene.fault("list_self_serve_policies", 1, &not_found);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.permitted(), Vec::<String>::new());
    assert_eq!(scene.attempts(), ["create", "delete"]);
}
