//! Partner Center, Entra and Azure when they fail, lie or dawdle, and a sign-in that is not what it should be: a condition
//! says so, nothing wrong is written, and all is well once it has passed.

use std::time::Duration;

use csp_operator::api::CustomerPurchasePermission;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::scene::{
    ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, message, permission, verdict,
};
use crate::stages::{Exclusive, QUICK, View, eventually, run, shared};

/// One request is sent three times at most: so many faults fail one pass.
const ONE_PASS: u32 = 3;

/// How an answer can be wrong: what it is, how often, and the reason that a person reads.
fn faults() -> Vec<(Value, u32, &'static str)> {
    vec![
        (json!({ "kind": "status", "status": 500 }), ONE_PASS, "ServerError"),
        (json!({ "kind": "status", "status": 503, "retryAfter": "2" }), 1, "ServerError"),
        (json!({ "kind": "status", "status": 429, "retryAfter": "1" }), 1, "Throttled"),
        (json!({ "kind": "status", "status": 200, "body": "<html>Sign in</html>" }), 1, "UnexpectedAnswer"),
        (json!({ "kind": "garbage" }), 1, "UnexpectedAnswer"),
        (json!({ "kind": "disconnect", "applied": false }), ONE_PASS, "Unreachable"),
        (json!({ "kind": "delay", "delayMs": 60_000, "applied": false }), ONE_PASS, "Unreachable"),
    ]
}

/// The operation fails in every way, each for a customer of its own; every permission tells the reason and converges.
fn check(operation: &str, expected_reason: Option<&str>, writes: &[&str]) {
    let scenes: Vec<_> = faults()
        .into_iter()
        .map(|(answer, times, reason)| {
            let scene = Scene::new(shared().1);
            if operation == "list_self_serve_policies" {
                // Only where there are traces of a policy is it read before the first write.
                scene.portal(SAVINGS_PLANS, true);
            }
            scene.fault(operation, times, &answer);
            scene.declare(ALLOW_RESERVATIONS);
            (scene, answer, expected_reason.unwrap_or(reason))
        })
        .collect();
    for (scene, answer, reason) in scenes {
        scene.until_verdict("Ready", "True InSync");
        let explain = || format!("{operation} {answer}\n{}", scene.explain::<CustomerPurchasePermission>(PERMISSION));
        assert_eq!(scene.writes(), writes, "{}", explain());
        assert_eq!(scene.permitted(), [RESERVATIONS], "{}", explain());
        // They ask the same: one of them has met the fault.
        let told = [PERMISSION, "azure", "contoso"].map(|name| scene.event_reasons(name)).concat();
        assert!(told.iter().any(|told| told == reason), "{told:?} instead of {reason}: {}", explain());
    }
}

#[test]
fn subscriptions_that_cannot_be_read_hold_a_grant_up_until_they_can() {
    check("list_subscriptions", None, &["create"]);
}

#[test]
fn entitlements_that_cannot_be_read_hold_a_grant_up_until_they_can() {
    check("list_azure_entitlements", None, &["create"]);
}

#[test]
fn role_assignments_that_cannot_be_read_hold_a_grant_up_until_they_can() {
    check("list_role_assignments", Some("OwnerUnknown"), &["create"]);
}

#[test]
fn a_policy_that_cannot_be_read_is_not_written_over() {
    // Turning one off never carries turning the other on.
    check("list_self_serve_policies", None, &["delete", "create"]);
}

#[test]
fn a_write_that_fails_is_repeated_until_it_has_worked_once() {
    check("create_self_serve_policy", None, &["create"]);
}

#[test]
fn a_write_that_took_effect_although_its_answer_was_lost_is_not_made_twice() {
    for answer in [
        json!({ "kind": "disconnect", "applied": true }),
        json!({ "kind": "garbage" }),
        json!({ "kind": "status", "status": 500, "applied": true }),
        json!({ "kind": "status", "status": 429, "applied": true, "retryAfter": "1" }),
        json!({ "kind": "delay", "delayMs": 60_000, "applied": true }),
        json!({ "kind": "late", "delayMs": 2000 }),
    ] {
        let scene = Scene::new(shared().1);
        for operation in ["create", "update", "delete"] {
            scene.fault(&format!("{operation}_self_serve_policy"), 1, &answer);
        }
        scene.converge(ALLOW_RESERVATIONS);
        scene.change(&json!({ "azureSavingsPlans": "Allow" }));
        scene.until("both are on", |found| is_ready(found) && scene.permitted().len() == 2);
        scene.delete::<CustomerPurchasePermission>(PERMISSION);
        scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
        assert_eq!(scene.writes(), ["create", "update", "delete"], "{answer}");
        assert_eq!(scene.permitted(), Vec::<String>::new());
    }
}

#[test]
fn customers_that_cannot_be_read_hold_grants_up_until_they_can() {
    let mut exclusive = Exclusive::take();
    for answer in [json!({ "kind": "status", "status": 500 }), json!({ "kind": "garbage" })] {
        // One list tells of all customers: only a new process knows nothing yet.
        exclusive.kill_and_start(&QUICK);
        for operation in ["get_customer", "list_customers"] {
            let fault = json!({ "operation": operation, "answer": answer });
            run(exclusive.view.simulator.post("faults", fault)).unwrap();
        }
        let scenes: Vec<_> = (0..6).map(|_| Scene::new(&exclusive.view)).collect();
        for scene in &scenes {
            scene.declare(ALLOW_RESERVATIONS);
        }
        for scene in &scenes {
            let found = scene.until("it says why", |found| {
                ["Unknown ServerError", "Unknown UnexpectedAnswer"]
                    .contains(&verdict(found, "CustomerResolved").as_str())
            });
            assert_eq!(verdict(&found, "Reconciling").split(' ').next(), Some("True"));
            assert!(found.metadata.finalizers.is_none());
            assert_eq!(scene.attempts(), Vec::<String>::new());
        }
        heal(&exclusive.view);
        for scene in &scenes {
            scene.until_verdict("Ready", "True InSync");
            assert_eq!(scene.writes(), ["create"]);
        }
    }
    assert!(exclusive.stage.operator.is_running().unwrap());
}

fn heal(view: &View) {
    run(view.simulator.call(Method::DELETE, "faults", None)).unwrap();
}

#[test]
fn without_an_activity_log_the_rest_goes_on_and_the_log_is_caught_up_with() {
    let mut exclusive = Exclusive::take();
    let fault = json!({ "operation": "list_audit_records", "answer": { "kind": "garbage" } });
    run(exclusive.view.simulator.post("faults", fault)).unwrap();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    scene.until_verdict("ActivityRecorded", "False RecordPending");
    scene.portal(RESERVATIONS, false);
    scene.stays("not yet found out", 2.0, |_| scene.permitted().is_empty());
    heal(&exclusive.view);
    scene.until("it is on again", |found| is_ready(found) && scene.permitted() == [RESERVATIONS]);
    assert_eq!(scene.writes(), ["create", "create"]);
}

/// These operations are answered like this, for everybody, when a new process begins.
fn check_all(operations: &[&str], answer: &Value, reason: &str) {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let converged = Scene::new(&exclusive.view);
    converged.converge(ALLOW_RESERVATIONS);
    converged.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    // A new process has no token yet.
    exclusive.stage.operator.stop().unwrap();
    for operation in operations {
        run(exclusive.view.simulator.post("faults", json!({ "operation": operation, "answer": answer }))).unwrap();
    }
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until("it says why", |found| !message(found, "Ready").is_empty() && !is_ready(found));
    assert!(verdict(&found, "Ready").ends_with(reason), "{} {}", verdict(&found, "Ready"), message(&found, "Ready"));
    assert!(is_ready(&converged.permission()), "what holds stays green for one sign-in");
    assert_eq!(scene.attempts(), Vec::<String>::new());
    heal(&exclusive.view);
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Ready", "True InSync");
    assert_eq!((scene.writes(), converged.writes()), (vec!["create".to_owned()], vec!["create".to_owned()]));
    assert!(exclusive.stage.operator.is_running().unwrap());
}

#[test]
fn while_entra_is_down_nothing_is_concluded_and_afterwards_all_goes_on() {
    check_all(&["token"], &json!({ "kind": "status", "status": 503 }), "ServerError");
}

#[test]
fn while_every_token_is_refused_what_is_due_says_so_and_afterwards_goes_on() {
    let all = [
        "list_customers",
        "get_customer",
        "list_subscriptions",
        "list_azure_entitlements",
        "list_self_serve_policies",
        "list_audit_records",
    ];
    check_all(&all, &json!({ "kind": "status", "status": 401 }), "CredentialsInvalid");
}

fn secrets(view: &View) -> Api<Secret> {
    Api::namespaced(view.client.clone(), NAMESPACE)
}

/// Applies the credentials with this change; without one, as they should be.
pub(crate) fn credentials(exclusive: &Exclusive, from: &str, to: &str) {
    let right = stage::credentials("simulated-refresh-token");
    assert!(from.is_empty() || right.contains(from), "{from}");
    let secrets = secrets(&exclusive.view);
    let manifest: Value = serde_yaml::from_str(&if from.is_empty() { right } else { right.replace(from, to) }).unwrap();
    let _ = run(secrets.delete("csp-operator-credentials", &DeleteParams::default()));
    let params = PatchParams::apply("pipeline").force();
    run(secrets.patch("csp-operator-credentials", &params, &Patch::Apply(manifest))).unwrap();
}

/// The operator begins with this; whoever waits for a grant says so, and it is granted once the Secret is right.
fn check_secret(break_it: impl Fn(&Exclusive), sentence: &str) {
    let mut exclusive = Exclusive::take();
    // A token of before would do for an hour.
    let _ = run(secrets(&exclusive.view).delete("csp-operator-tokens", &DeleteParams::default()));
    break_it(&exclusive);
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until("it says why", |found| verdict(found, "Ready") == "False CredentialsInvalid");
    assert!(message(&found, "Ready").contains(sentence), "{}", message(&found, "Ready"));
    assert!(!message(&found, "Ready").contains("simulated-"), "a secret is told: {}", message(&found, "Ready"));
    assert_eq!(verdict(&found, "Stalled"), "True CredentialsInvalid");
    assert_eq!(scene.attempts(), Vec::<String>::new());
    assert!(exclusive.stage.operator.is_running().unwrap());
    credentials(&exclusive, "", "");
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.writes(), ["create"]);
    assert!(exclusive.stage.operator.is_running().unwrap());
    assert!(!exclusive.stage.operator.log().contains("simulated-"), "a secret is logged");
}

#[test]
fn a_missing_secret_is_named_and_used_once_it_is_there() {
    let missing = |exclusive: &Exclusive| {
        run(secrets(&exclusive.view).delete("csp-operator-credentials", &DeleteParams::default())).unwrap();
    };
    check_secret(missing, "csp-operator/csp-operator-credentials");
}

#[test]
fn a_secret_without_a_key_is_told_which_and_used_once_it_has_it() {
    check_secret(|exclusive| credentials(exclusive, "clientId:", "clientID:"), "clientId");
}

#[test]
fn a_wrong_client_secret_is_told_and_the_right_one_used_without_a_restart() {
    let wrong =
        |exclusive: &Exclusive| credentials(exclusive, "clientSecret: simulated-client-secret", "clientSecret: old");
    check_secret(wrong, "update the credentials Secret");
}

#[test]
fn a_refresh_token_that_was_revoked_is_told() {
    let wrong =
        |exclusive: &Exclusive| credentials(exclusive, "refreshToken: simulated-refresh-token", "refreshToken: old");
    check_secret(wrong, "sign in again");
}

#[test]
fn a_secret_that_goes_bad_later_changes_nothing_that_holds() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    credentials(&exclusive, "simulated-client-secret", "wrong");
    scene.stays("ready", 5.0, is_ready);
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until_verdict("Stalled", "True CredentialsInvalid");
    credentials(&exclusive, "", "");
    scene.until("both are on", |found| is_ready(found) && scene.permitted().len() == 2);
    assert_eq!(scene.writes(), ["create", "update"]);
}

#[test]
fn who_is_no_admin_agent_is_told_so_and_what_holds_stays_green() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let [converged, first, scene] = std::array::from_fn(|_| Scene::new(&exclusive.view));
    converged.converge(ALLOW_RESERVATIONS);
    let roles = |roles: &[&str]| {
        let body = json!({ "upn": "operator@contosopartner.onmicrosoft.com", "roles": roles });
        run(exclusive.view.simulator.post("partner/user", body)).unwrap();
    };
    roles(&[]);
    let apply = |scene: &Scene| {
        scene.apply(&(scene.customer() + &scene.subscription().replace("owners:", "ownerRole: Skip, owners:")));
        scene.apply(&permission(PERMISSION, ALLOW_RESERVATIONS));
    };
    // So soon after a write that was accepted, one refusal may be about the customer; two are about the sign-in.
    apply(&first);
    first.until_verdict("Synced", "False WriteRefused");
    apply(&scene);
    let found = scene.until("it says why", |found| verdict(found, "PartnerAuthorized") == "False NotAdminAgent");
    assert_eq!(verdict(&found, "Ready").split(' ').next(), Some("False"));
    assert!(message(&found, "Ready").contains("make it an Admin agent"), "{}", message(&found, "Ready"));
    assert!(is_ready(&converged.permission()));
    assert_eq!(scene.writes(), Vec::<String>::new());
    // Nobody hammers a closed door.
    let attempts = scene.attempts().len();
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(scene.attempts().len(), attempts);
    roles(&["AdminAgent"]);
    // The person signs in again: what was refused may work now.
    let token = eventually("the operator keeps its own token", || {
        let secret = run(secrets(&exclusive.view).get_opt("csp-operator-tokens")).unwrap()?;
        String::from_utf8(secret.data?.get("refreshToken")?.0.clone()).ok()
    });
    credentials(&exclusive, "refreshToken: simulated-refresh-token", &format!("refreshToken: {token}"));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.writes(), ["create"]);
}
