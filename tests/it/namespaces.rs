//! For which customers a namespace may act: what cluster admins write on it, and what follows.

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission, SwitchState};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, is_ready, message, permission, verdict};
use crate::stages::{Exclusive, QUICK, eventually, run, shared};

const REFUSED: &str = "False NamespaceNotAllowed";

/// Writes the annotation, as a cluster admin does; `null` takes it away.
pub(crate) fn allow(scene: &Scene, customers: &Value) {
    let patch = json!({ "metadata": { "annotations": { "csp-operator.dev/allowed-customers": customers } } });
    let namespaces: Api<Namespace> = Api::all(scene.view.client.clone());
    run(namespaces.patch(&scene.namespace, &PatchParams::default(), &Patch::Merge(patch))).unwrap();
}

/// Runs a command as a person does, in a shell that finds kubectl.
fn shell(exclusive: &Exclusive, command: &str) {
    let kubectl = exclusive.stage.cluster.kubectl();
    let programs = std::path::Path::new(kubectl.get_program()).parent().unwrap();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", command]).env("PATH", programs).env("KUBECONFIG", exclusive.stage.cluster.kubeconfig());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until the operator has seen that the namespace may not act for its customer.
fn until_refused(scene: &Scene) -> CustomerPurchasePermission {
    let found = scene.until_verdict("CustomerResolved", REFUSED);
    scene.until_named::<Customer>("contoso", "it says so too", |found| {
        verdict(found, "Stalled") == "True NamespaceNotAllowed"
    });
    found
}

#[test]
fn a_namespace_that_may_not_act_for_a_customer_reads_and_writes_nothing_until_a_cluster_admin_allows_it() {
    let scene = Scene::new(shared().1);
    allow(&scene, &json!("10000000-0000-4000-8000-000000000001, contoso"));
    scene.declare(ALLOW_RESERVATIONS);
    let found = until_refused(&scene);
    assert_eq!(
        ["Ready", "Stalled", "Reconciling"].map(|type_| verdict(&found, type_)),
        [REFUSED, "True NamespaceNotAllowed", "False Idle"]
    );
    let said = message(&found, "Ready");
    assert!(
        said.contains("\"contoso\"") && said.contains(&format!("annotate namespace {}", scene.namespace)),
        "{said}"
    );
    assert!(found.metadata.finalizers.is_none());
    scene.until_named::<AzureSubscription>("azure", "it says so", |found| verdict(found, "Ready") == REFUSED);
    assert_eq!(scene.requests(), Vec::<Value>::new(), "Microsoft is not even asked");
    // The very command of the message.
    let value = said.split("allowed-customers=").nth(1).unwrap().trim_end_matches('.');
    let annotations =
        run(Api::<Namespace>::all(scene.view.client.clone()).get(&scene.namespace)).unwrap().metadata.annotations;
    let before = annotations.unwrap()["csp-operator.dev/allowed-customers"].clone();
    let tenant = value.rsplit(',').next().unwrap();
    assert!(value.starts_with("\"$(kubectl get namespace"), "{value}");
    allow(&scene, &json!(format!("{before},{tenant}")));
    scene.until_verdict("Ready", "True InSync");
    scene.until_named::<Customer>("contoso", "ready", is_ready);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn without_its_annotation_a_namespace_grants_nothing_more_keeps_what_it_has_and_still_revokes_it() {
    let scenes = [Scene::new(shared().1), Scene::new(shared().1)];
    for scene in &scenes {
        scene.converge(ALLOW_RESERVATIONS);
        allow(scene, &Value::Null);
        until_refused(scene);
        assert_eq!(verdict(&scene.permission(), "Ready"), "True InSync", "as onPrerequisiteLost: Keep");
    }
    let [denied, deleted] = &scenes;
    denied.change(&json!({ "azureSavingsPlans": "Allow", "onPrerequisiteLost": "Revoke" }));
    denied.until_verdict("Stalled", "True NamespaceNotAllowed");
    // It is no prerequisite that was lost, however often one looks.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    denied.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    let found = denied.until("it has looked again", |found| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
    });
    assert_eq!(found.status.unwrap().prerequisite_lost_since, None);
    assert_eq!((denied.attempts(), denied.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
    let until_shown = |count| {
        denied.until("the portal's record is shown", |found| {
            found.status.as_ref().unwrap().recent_activity.len() == count
        });
    };
    until_shown(1);
    denied.portal(RESERVATIONS, false);
    until_shown(2);
    denied.until("it is seen to be off", |found| {
        let effective = found.status.as_ref().unwrap().effective.clone().unwrap_or_default();
        effective.azure_reservations.is_some_and(|switch| switch.state == SwitchState::Deny)
    });
    assert_eq!(denied.permitted(), Vec::<String>::new(), "what others turn off stays off");
    denied.portal(RESERVATIONS, true);
    until_shown(3);
    denied.change(
        &json!({ "azureReservations": "Deny", "azureSavingsPlans": "Deny", "acceptBillingResponsibility": false }),
    );
    denied.until("it is revoked", |found| is_ready(found) && denied.permitted().is_empty());
    assert_eq!(denied.attempts(), ["create", "delete"]);
    deleted.delete::<CustomerPurchasePermission>(PERMISSION);
    deleted.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((deleted.attempts(), deleted.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn what_a_namespace_may_not_act_for_stands_in_nobodys_way_and_cannot_be_claimed_by_hand() {
    let stranger = Scene::new(shared().1);
    allow(&stranger, &Value::Null);
    stranger.declare("azureReservations: Deny");
    until_refused(&stranger);
    let owner = stranger.elsewhere();
    owner.converge(ALLOW_RESERVATIONS);
    let claim = json!({ "metadata": {
        "finalizers": ["csp-operator.dev/revoke"],
        "annotations": { "csp-operator.dev/customer-tenant-id": stranger.tenant() },
    } });
    stranger.patch::<CustomerPurchasePermission>(PERMISSION, &claim);
    stranger.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    stranger.until("it has looked", |found| found.status.as_ref().unwrap().last_handled_reconcile_at.is_some());
    stranger.stays("refused", 1.0, |found| verdict(found, "Ready") == REFUSED);
    let status = stranger.permission().status.unwrap();
    assert!(status.recent_activity.is_empty() && status.effective.is_none(), "{status:?}");
    assert_eq!((owner.attempts(), owner.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
    // As soon as it may, it is a second object for the same customer like any other.
    allow(&stranger, &json!("*"));
    stranger.until_verdict("Ready", "False Conflict");
    assert_eq!(owner.attempts(), ["create"]);
}

#[test]
fn with_allow_all_namespaces_no_annotation_is_needed() {
    let mut exclusive = Exclusive::take();
    let scene = Scene::new(&exclusive.view);
    allow(&scene, &Value::Null);
    exclusive.start(&["--allow-all-namespaces"]);
    scene.converge(ALLOW_RESERVATIONS);
    exclusive.kill_and_start(&QUICK);
    until_refused(&scene);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

#[test]
fn the_api_server_refuses_a_customer_that_the_namespace_may_not_act_for() {
    let exclusive = Exclusive::take();
    let scenes = [Scene::new(&exclusive.view), Scene::new(&exclusive.view), Scene::new(&exclusive.view)];
    let [none, listed, all] = &scenes;
    none.apply(&none.customer().replace("contoso", "older"));
    allow(none, &Value::Null);
    allow(listed, &json!(format!("10000000-0000-4000-8000-00000000000A , {}", listed.tenant().to_uppercase())));
    let admission = stage::root().join("manifests/admission").display().to_string();
    exclusive.stage.kubectl(&["apply", "-k", &admission]).unwrap();
    let refusal = eventually("the policy is in force", || {
        let refused = none.try_apply(&none.customer()).err();
        if refused.is_none() {
            none.delete::<Customer>("contoso");
        }
        refused
    });
    let expected = format!(
        "namespace \"{}\" may not act for tenant {}: its annotation csp-operator.dev/allowed-customers does not list it",
        none.namespace,
        none.tenant()
    );
    assert!(refusal.contains(&expected), "{refusal}");
    // Its command works for the first customer of a namespace and for every other, and is the one of docs/security.md.
    let command = |namespace: &str, tenant: &str| {
        let path = "jsonpath='{.metadata.annotations.csp-operator\\.dev/allowed-customers}'";
        let present = format!("\"$(kubectl get namespace {namespace} -o {path}),{tenant}\"");
        format!("kubectl annotate namespace {namespace} --overwrite csp-operator.dev/allowed-customers={present}")
    };
    let page = std::fs::read_to_string(stage::root().join("docs/security.md")).unwrap().replace("\\\n    ", "");
    assert!(page.contains(&command("csp-customers", "10000000-0000-4000-8000-000000000001")));
    assert!(refusal.contains(&format!("run: {}", command(&none.namespace, &none.tenant()))), "{refusal}");
    for tenant in ["10000000-0000-4000-8000-000000000001", &none.tenant()] {
        shell(&exclusive, &command(&none.namespace, tenant));
    }
    let namespaces = Api::<Namespace>::all(none.view.client.clone());
    let annotations = run(namespaces.get(&none.namespace)).unwrap().metadata.annotations.unwrap();
    let both = format!(",10000000-0000-4000-8000-000000000001,{}", none.tenant());
    assert_eq!(annotations["csp-operator.dev/allowed-customers"], both);
    eventually("the customer is let in", || none.try_apply(&none.customer()).ok());
    none.delete::<Customer>("contoso");
    none.until_gone::<Customer>("contoso");
    allow(none, &json!(""));
    assert!(none.try_apply(&none.customer()).is_err(), "an empty one allows nobody");
    allow(none, &json!("**, contoso"));
    assert!(none.try_apply(&none.customer()).is_err(), "nor does what is no tenant id");
    listed.apply(&listed.customer());
    assert!(listed.try_apply(&none.customer().replace("contoso", "fabrikam")).is_err(), "another one's");
    all.apply(&(all.customer() + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    // What exists may be changed and goes.
    none.patch::<Customer>("older", &json!({ "metadata": { "labels": { "team": "a" } } }));
    none.ask_anew::<Customer>("older");
    none.delete::<Customer>("older");
    none.until_gone::<Customer>("older");
    exclusive.stage.kubectl(&["delete", "-k", &admission]).unwrap();
}
