//! `kubectl csp export`: what a partner has already is taken over without a write.

use csp_operator::api::{AzureSubscription, CustomerPurchasePermission};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::plugin::{kubectl_csp, printed};
use crate::scene::{RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, verdict};
use crate::stages::{Exclusive, run, shared};

/// What somebody has made of the customer's policy, without a trace in the activity log.
fn hold(scene: &Scene, resources: &[&str]) {
    let entries: Vec<_> = resources.iter().map(|name| json!({ "resource": name, "action": "Purchase" })).collect();
    let path = format!("customers/{}/policy", scene.tenant());
    let policy = json!({ "permissions": entries });
    run(scene.view.simulator.call(Method::PUT, &path, Some(policy))).unwrap();
}

/// Exports the customer of the scene, applies that to its namespace, and waits until it is observed.
fn take_over(scene: &Scene) -> String {
    let manifests = printed(shared().0, &["export", &scene.tenant(), "--namespace", &scene.namespace]);
    shared().0.apply(&manifests).unwrap();
    let name = manifests.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap().to_owned();
    until(scene, &name, "it is observed", |found| verdict(found, "Ready") == "True Observed" && is_ready(found));
    name
}

fn until(
    scene: &Scene,
    name: &str,
    what: &str,
    is_so: impl Fn(&CustomerPurchasePermission) -> bool,
) -> CustomerPurchasePermission {
    scene.until_named(name, what, is_so)
}

fn enforce(scene: &Scene, name: &str, spec: &Value) -> CustomerPurchasePermission {
    scene.patch::<CustomerPurchasePermission>(name, &json!({ "spec": spec }));
    until(scene, name, "it is enforced", |found| verdict(found, "Ready") == "True InSync" && is_ready(found))
}

#[test]
fn what_is_there_is_taken_over_and_enforced_without_a_write() {
    let scene = Scene::new(shared().1);
    hold(&scene, &[RESERVATIONS, "AzureQuantumCredits"]);
    let name = take_over(&scene);
    let found = scene.get::<CustomerPurchasePermission>(&name).unwrap();
    assert_eq!(verdict(&found, "Synced"), "True InSync");
    let adopted = found.status.unwrap().adopted.unwrap();
    assert_eq!(format!("{:?} {:?}", adopted.azure_reservations, adopted.azure_savings_plans), "Allow Deny");
    let subscription = format!("{name}-a0000000");
    scene.until_named::<AzureSubscription>(&subscription, "it is ready", is_ready);

    // The bill is accepted by a person, and never by the export.
    let refused = shared().0.kubectl(&[
        "patch",
        "cpp",
        &name,
        "-n",
        &scene.namespace,
        "--type=merge",
        "-p",
        r#"{"spec":{"mode":"Enforce"}}"#,
    ]);
    assert!(refused.unwrap_err().to_string().contains("the partner pays for whatever the customer then buys"));
    let found = enforce(&scene, &name, &json!({ "mode": "Enforce", "acceptBillingResponsibility": true }));
    assert_eq!((scene.attempts(), found.status.unwrap().adopted), (vec![], Some(adopted)));
    assert_eq!(scene.permitted(), [RESERVATIONS, "AzureQuantumCredits"]);

    // From then on it is the operator's, and what it does not know is kept.
    scene.patch::<CustomerPurchasePermission>(&name, &json!({ "spec": { "azureSavingsPlans": "Allow" } }));
    until(&scene, &name, "both are on", |found| is_ready(found) && scene.permitted().len() == 3);
    scene.patch::<CustomerPurchasePermission>(&name, &json!({ "spec": { "azureReservations": "Deny" } }));
    until(&scene, &name, "one is off", |found| is_ready(found) && scene.permitted().len() == 2);
    let mut permitted = scene.permitted();
    permitted.sort();
    assert_eq!(permitted, ["AzureQuantumCredits", SAVINGS_PLANS]);
    assert_eq!(scene.attempts(), ["update", "update"]);
}

#[test]
fn a_customer_that_may_buy_nothing_is_enforced_unchanged_without_a_write() {
    let scene = Scene::new(shared().1);
    let name = take_over(&scene);
    let found = enforce(&scene, &name, &json!({ "mode": "Enforce" }));
    assert_eq!((scene.attempts(), found.status.unwrap().adopted), (vec![], None));
    // Here nobody is there to be named, so that it can only be left as it is.
    let bare = Scene::new(shared().1);
    hold(&bare, &[SAVINGS_PLANS]);
    let suspended = json!({ "id": bare.plan_id(), "status": "suspended" });
    run(bare.view.simulator.post("subscriptions/status", suspended)).unwrap();
    let name = take_over(&bare);
    enforce(&bare, &name, &json!({ "mode": "Enforce" }));
    assert_eq!((bare.attempts(), bare.permitted()), (vec![], vec![SAVINGS_PLANS.to_owned()]));
}

#[test]
fn all_customers_become_a_file_each_and_the_sign_in_is_left_as_it_is() {
    let exclusive = Exclusive::take();
    let versions = || {
        let secrets: Api<Secret> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
        ["csp-operator-credentials", "csp-operator-tokens"]
            .map(|name| run(secrets.get_opt(name)).unwrap().and_then(|secret| secret.metadata.resource_version))
    };
    let before = versions();
    let directory = exclusive.stage.cluster.directory().join("exported");
    let directory = directory.to_str().unwrap();
    let unread = Scene::new(&exclusive.view);
    unread.fault("list_self_serve_policies", u32::MAX, &json!({ "kind": "garbage" }));
    let all = ["export", "--output-dir", directory, "-n", "default", "--calls-per-minute", "60000"];
    let said = kubectl_csp(&exclusive.stage.reach(), &all);
    assert!(!said.success && said.stdout.is_empty(), "{}", said.stdout);
    let ending = said.stderr.lines().last().unwrap();
    assert_eq!(ending, "error: 1 of 500 customers could not be exported, for the reasons above; 499 were");
    let told = format!(
        "is left out: cannot read the purchase permissions of customer {}: the answer cannot be right",
        unread.tenant()
    );
    assert!(said.stderr.contains(&told), "{}", said.stderr);
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path().display().to_string()).collect();
    files.sort();
    // Whoever can be applied is listed, although one cannot.
    let list = std::fs::read_to_string(files.remove(0)).unwrap();
    assert_eq!((files.len(), list.split(',').count(), list.contains(&unread.tenant())), (499, 499, false));
    assert!(said.stderr.contains("for these 499: kubectl annotate namespace default "), "{}", said.stderr);
    assert_eq!(versions(), before);
    let files = files[..2].join(",");
    let applied = exclusive.stage.kubectl(&["apply", "--server-side", "--dry-run=server", "-f", &files]).unwrap();
    assert_eq!(applied.lines().count(), 3 * 2);

    let _ = std::fs::remove_dir_all(directory);
    let nowhere = kubectl_csp(&exclusive.stage.reach(), &["export", "--operator-namespace", "nowhere"]);
    let sentence = "error: the Secret nowhere/csp-operator-credentials does not exist: run: kubectl csp login";
    assert!(!nowhere.success && nowhere.stderr.starts_with(sentence), "{}", nowhere.stderr);
}
