//! What customers see of their charges: `costManagement`.

use csp_operator::api::Customer;
use reqwest::Method;
use serde_json::json;

use crate::scene::{Scene, is_ready, message, verdict};
use crate::stages::{Exclusive, eventually, run, shared};

/// A Customer of this name with this in its spec.
fn customer(scene: &Scene, name: &str, spec: &str) -> String {
    let tenant = scene.tenant();
    format!("---\nkind: Customer\nmetadata: {{name: {name}}}\nspec: {{tenantId: {tenant}, {spec}}}\n")
}

/// How many requests were made to change what the customer sees, and how many of them changed it.
fn changes(scene: &Scene) -> (usize, usize) {
    let requests = scene.requests();
    let changes: Vec<_> = requests.iter().filter(|request| request["operation"] == "update_billing_policy").collect();
    (changes.len(), changes.iter().filter(|request| request["effective"] == true).count())
}

fn view(scene: &Scene) -> String {
    let state = run(scene.view.simulator.get(&format!("state/{}", scene.tenant()))).unwrap();
    state["viewCharges"].as_str().unwrap_or_default().to_owned()
}

fn until(scene: &Scene, name: &str, expected: &str) -> Customer {
    scene.until_named(name, &format!("CostManagementSynced is {expected}"), |found: &Customer| {
        verdict(found, "CostManagementSynced") == expected
            && found.status.as_ref().is_some_and(|status| Some(status.observed_generation) == found.metadata.generation)
    })
}

/// Somebody else changes it in the portal.
fn portal(scene: &Scene, view: &str) {
    let path = format!("customers/{}/charges", scene.tenant());
    run(scene.view.simulator.call(Method::PUT, &path, Some(json!({ "viewCharges": view })))).unwrap();
}

#[test]
fn charges_are_shown_and_hidden_as_declared_each_with_one_write() {
    let scene = Scene::new(shared().1);
    scene.apply(&customer(&scene, "contoso", "costManagement: Hidden"));
    assert!(is_ready(&until(&scene, "contoso", "True Hidden")));
    assert_eq!(changes(&scene), (0, 0), "it was so already");
    scene.apply(&customer(&scene, "contoso", "costManagement: Visible"));
    let found = until(&scene, "contoso", "True Visible");
    assert!(message(&found, "CostManagementSynced").contains("pay-as-you-go retail rates"));
    assert!(message(&found, "CostManagementSynced").contains("reservations and savings plans do not show"));
    assert_eq!((changes(&scene), view(&scene).as_str()), ((1, 1), "Allowed"));
    scene.apply(&customer(&scene, "contoso", "costManagement: Hidden"));
    until(&scene, "contoso", "True Hidden");
    assert_eq!((changes(&scene), view(&scene).as_str()), ((2, 2), "NotAllowed"));
    let told: Vec<_> = scene.events("contoso").into_iter().map(|event| (event.type_, event.reason)).collect();
    let changed = (Some("Normal".to_owned()), Some("CostManagementChanged".to_owned()));
    assert_eq!(told, [changed.clone(), changed], "two changes, and nobody else has changed it");
    // Left as it is, and nothing is said of it any more.
    scene.apply(&customer(&scene, "contoso", "costManagement: Unmanaged"));
    until(&scene, "contoso", "");
    portal(&scene, "Allowed");
    scene.ask_anew::<Customer>("contoso");
    scene.until_named("contoso", "it has looked again", |found: &Customer| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
    });
    scene.delete::<Customer>("contoso");
    scene.until_gone::<Customer>("contoso");
    assert_eq!((changes(&scene), view(&scene).as_str()), ((2, 2), "Allowed"), "deleting takes nothing back");
}

#[test]
fn what_somebody_else_has_shown_is_hidden_again_and_told_once() {
    let scene = Scene::new(shared().1);
    scene.apply(&customer(&scene, "contoso", "costManagement: Hidden"));
    until(&scene, "contoso", "True Hidden");
    // Conditions tell when they turned by the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    portal(&scene, "Allowed");
    scene.fault("update_billing_policy", 4, &json!({ "kind": "status", "status": 500 }));
    scene.ask_anew::<Customer>("contoso");
    eventually("it is hidden again", || (view(&scene) == "NotAllowed").then_some(()));
    until(&scene, "contoso", "True Hidden");
    assert_eq!(changes(&scene), (5, 1));
    let told = scene.event_reasons("contoso").into_iter().filter(|reason| reason == "CostManagementDrifted").count();
    assert_eq!(told, 1, "also when it takes more than one attempt to hide them");
}

#[test]
fn a_customer_without_an_azure_plan_is_told_of_and_left_alone() {
    let scene = Scene::new(shared().1);
    let gone = json!({ "id": scene.plan_id(), "status": "suspended" });
    run(scene.view.simulator.post("subscriptions/status", gone)).unwrap();
    scene.apply(&customer(&scene, "contoso", "costManagement: Visible"));
    let found = until(&scene, "contoso", "False NoAzurePlan");
    assert_eq!(verdict(&found, "Ready"), "False NoAzurePlan");
    assert_eq!(changes(&scene), (0, 0));
}

#[test]
fn of_customers_that_mean_one_tenant_the_oldest_acts_or_nobody() {
    let scene = Scene::new(shared().1);
    scene.apply(&customer(&scene, "contoso", "costManagement: Unmanaged"));
    // Ages are told apart by the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let elsewhere = scene.elsewhere();
    elsewhere.apply(&customer(&elsewhere, "younger", "costManagement: Hidden"));
    until(&elsewhere, "younger", "True Hidden");
    scene.apply(&customer(&scene, "contoso", "costManagement: Visible"));
    for (scene, name) in [(&scene, "contoso"), (&elsewhere, "younger")] {
        let found = until(scene, name, "False Conflict");
        assert_eq!(verdict(&found, "Stalled"), "True Conflict");
        assert!(message(&found, "Ready").contains('/'), "the other is named");
    }
    assert_eq!(changes(&scene), (0, 0));
    elsewhere.apply(&customer(&elsewhere, "younger", "costManagement: Visible"));
    until(&scene, "contoso", "True Visible");
    let loser = until(&elsewhere, "younger", "False Conflict");
    assert!(message(&loser, "Ready").contains(&format!("{}/contoso", scene.namespace)));
    assert_eq!(changes(&scene), (1, 1));
    // The owner goes, and the other one takes over: there is nothing left to do.
    scene.delete::<Customer>("contoso");
    until(&elsewhere, "younger", "True Visible");
    assert_eq!(changes(&scene), (1, 1));
}

#[test]
fn a_change_that_takes_its_time_is_followed_across_a_restart_without_a_second_write() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let scene = Scene::new(&exclusive.view);
    run(scene.view.simulator.set(json!({ "billingPolicyDelayMs": 600_000 }))).unwrap();
    scene.apply(&customer(&scene, "contoso", "costManagement: Visible"));
    let found = until(&scene, "contoso", "False Changing");
    assert!(found.status.unwrap().cost_management.unwrap().change.is_some());
    exclusive.kill_and_start(&[]);
    let asked = || scene.requests().iter().filter(|request| request["operation"] == "get_billing_outcome").count();
    let before = asked();
    eventually("the next process asks how it is getting on", || (asked() > before).then_some(()));
    run(scene.view.simulator.call(Method::PUT, "clock", Some(json!({ "advance": "11m" })))).unwrap();
    let found = until(&scene, "contoso", "True Visible");
    assert_eq!(found.status.unwrap().cost_management.unwrap().change, None);
    run(scene.view.simulator.set(json!({ "billingPolicyDelayMs": null }))).unwrap();
    assert_eq!((changes(&scene), view(&scene).as_str()), ((1, 1), "Allowed"));
}
