//! What the operator does while it may not read Namespaces, or its watch of them is behind: nothing new, and every revoke.

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::namespaces::allow;
use crate::plans;
use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, is_ready, message, verdict};
use crate::stages::{Exclusive, QUICK, View, run};

/// What the operator's role says of Namespaces; put back afterwards, also after a failure: the stage serves other tests too.
struct Rights(View);

impl Rights {
    /// From now on, only these verbs.
    fn only(view: &View, verbs: &[&str]) -> Self {
        set(view, verbs);
        Self(view.clone())
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        set(&self.0, &["get", "list", "watch"]);
    }
}

fn set(view: &View, verbs: &[&str]) {
    let api: Api<ClusterRole> = Api::all(view.client.clone());
    let mut rules = run(api.get("csp-operator")).unwrap().rules.unwrap();
    let is_meant = |rule: &&mut PolicyRule| rule.resources.as_deref() == Some(&["namespaces".to_owned()]);
    rules.iter_mut().find(is_meant).unwrap().verbs = verbs.iter().map(ToString::to_string).collect();
    let patch = Patch::Merge(json!({ "rules": rules }));
    run(api.patch("csp-operator", &PatchParams::default(), &patch)).unwrap();
}

/// The refusals were meant.
fn end(exclusive: &mut Exclusive, rights: Rights, scenes: Vec<Scene>) {
    drop(rights);
    exclusive.stage.operator.kill().unwrap();
    for mut scene in scenes {
        scene.audit_from_now();
    }
}

fn deny(scene: &Scene) {
    scene.change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    scene.until("it is revoked", |found| is_ready(found) && scene.permitted().is_empty());
    assert_eq!(scene.attempts(), ["create", "delete"]);
}

fn requests(scene: &Scene, operation: &str) -> usize {
    scene.requests().iter().filter(|request| request["operation"] == operation).count()
}

#[test]
fn a_namespace_is_read_again_right_before_anything_is_granted_assigned_or_shown() {
    let mut exclusive = Exclusive::take();
    let may = ["--allow-owner-assignment", "--allow-plan-purchase"];
    exclusive.start(&[&may[..], &QUICK, &["--lease-duration", "30s"]].concat());
    let scene = Scene::new(&exclusive.view);
    let granted = Scene::new(&exclusive.view);
    granted.converge(ALLOW_RESERVATIONS);
    let buyer = plans::fresh(&exclusive.view);

    // As in the role of an older version.
    let rights = Rights::only(&exclusive.view, &["list", "watch"]);
    let customer = scene.customer().replace("tenantId:", "costManagement: Visible, tenantId:");
    let nobody = "dddddddd-0000-4000-8000-00000000000a";
    let unowned = scene.subscription().replace("name: azure", "name: unowned").replace(&scene.owner_id(), nobody);
    let unowned = unowned.replace("owners:", "ownerRole: Assign, owners:");
    scene.declare(ALLOW_RESERVATIONS);
    scene.apply(&(customer + &unowned));
    let found = scene.until_verdict("Ready", "False NamespaceUnreadable");
    assert_eq!(verdict(&found, "Reconciling"), "True NamespaceUnreadable");
    let said = message(&found, "Ready");
    assert!(said.contains(&scene.namespace) && said.contains("manifests/rbac"), "{said}");
    scene.until_named::<Customer>("contoso", "its charges stay as they are", |found| {
        verdict(found, "CostManagementSynced") == "False NamespaceUnreadable"
    });
    scene.until_named::<AzureSubscription>("unowned", "nobody is made an owner", |found| {
        verdict(found, "OwnerRoleVerified") == "False NamespaceUnreadable"
    });
    plans::declare(&buyer, "azurePlan: Purchase");
    plans::has_been_so_for_long(&buyer);
    plans::until(&buyer, "False NamespaceUnreadable");
    deny(&granted);

    // The API server cuts the watch off, and with none of the rights that it needs it cannot be taken up again.
    set(&exclusive.view, &["update"]);
    exclusive.stage.cluster.restart_apiserver().unwrap();
    for scene in [&scene, &buyer] {
        allow(scene, &Value::Null);
    }
    set(&exclusive.view, &["get"]);
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Ready", "False NamespaceNotAllowed");
    for scene in [&scene, &buyer] {
        scene.ask_anew::<Customer>("contoso");
        scene.until_named::<Customer>("contoso", "it says so too", |found| {
            verdict(found, "CustomerResolved") == "False NamespaceNotAllowed"
        });
    }
    scene.ask_anew::<AzureSubscription>("unowned");
    scene.until_named::<AzureSubscription>("unowned", "so does the subscription", |found| {
        verdict(found, "Ready") == "False NamespaceNotAllowed"
    });
    assert_eq!(plans::attempts(&buyer), ["create_cart"], "with a cart, nothing is bought");
    assert_eq!((scene.attempts(), scene.permitted()), (vec![], vec![]));
    assert_eq!((requests(&scene, "update_billing_policy"), requests(&scene, "create_role_assignment")), (0, 0));
    end(&mut exclusive, rights, vec![scene, granted, buyer]);
}

#[test]
fn without_a_list_of_namespaces_revokes_go_on_and_grants_say_what_they_wait_for() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scenes: Vec<_> = (0..4).map(|_| Scene::new(&exclusive.view)).collect();
    let [denied, deleted, kept, waits] = scenes.as_slice() else { unreachable!() };
    for scene in [denied, deleted, kept] {
        scene.converge(ALLOW_RESERVATIONS);
    }
    exclusive.stage.operator.kill().unwrap();
    let rights = Rights::only(&exclusive.view, &["get"]);
    denied.change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    deleted.delete::<CustomerPurchasePermission>(PERMISSION);
    waits.declare(ALLOW_RESERVATIONS);
    exclusive.kill_and_start(&QUICK);
    deleted.until_gone::<CustomerPurchasePermission>(PERMISSION);
    denied.until("it is revoked", |found| is_ready(found) && denied.permitted().is_empty());
    assert_eq!(waits.permission().status.map(|status| status.observed_generation), Some(-1), "they have not waited");
    let found = waits.until_verdict("Ready", "False NotRead");
    let said = message(&found, "Ready");
    assert!(said.contains("cannot list resource") && said.contains("manifests/rbac"), "{said}");
    assert_eq!(verdict(&kept.permission(), "Ready"), "True InSync");
    assert_eq!(verdict(&kept.permission(), "CustomerResolved"), "True Resolved");
    assert!(exclusive.served("readyz").contains("listed"), "{}", exclusive.served("readyz"));
    for (scene, expected) in [(denied, &["create", "delete"][..]), (deleted, &["create", "delete"]), (waits, &[])] {
        assert_eq!(scene.attempts(), expected);
    }
    assert_eq!((kept.attempts(), kept.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
    end(&mut exclusive, rights, scenes);
}
