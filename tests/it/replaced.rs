//! What becomes of a permission that a pipeline replaces or deletes in its own ways: Argo CD's `Replace=true` is
//! `kubectl replace`, with `Force=true` also `--force`, and it prunes by propagation in the foreground.

use csp_operator::api::{Customer, CustomerPurchasePermission, FINALIZER, TENANT_ANNOTATION};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::json;

use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, is_ready, permission};
use crate::stages::{eventually, run, shared};

/// The permission's manifest, as a file for kubectl.
fn manifest(scene: &Scene, spec: &str) -> String {
    permission(PERMISSION, spec)
        .replace("---\n", "apiVersion: csp-operator.dev/v1alpha1\n")
        .replace("{name: permission}", &format!("{{name: permission, namespace: {}}}", scene.namespace))
}

fn replace(scene: &Scene, arguments: &[&str], spec: &str) {
    let arguments = [&["replace", "--filename=-"], arguments].concat();
    // kubectl reads the object before: a status written in between is a conflict, and whoever replaces tries again.
    eventually("it is replaced", || {
        let replaced =
            shared().0.kubectl_with_input(&arguments, &manifest(scene, spec)).map_err(|error| error.to_string());
        match replaced {
            Err(conflict) if conflict.contains("the object has been modified") => None,
            replaced => Some(replaced.unwrap()),
        }
    });
}

fn is_claimed(permission: &CustomerPurchasePermission) -> bool {
    permission.finalizers().iter().any(|it| it == FINALIZER) && permission.annotations().contains_key(TENANT_ANNOTATION)
}

fn until_claimed(scene: &Scene) -> CustomerPurchasePermission {
    scene.until("it is claimed again", |permission| is_claimed(permission) && is_ready(permission))
}

#[test]
fn what_is_replaced_is_claimed_again_and_nothing_is_written_for_it() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    // The last that its status has to tell.
    let first = scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    replace(&scene, &[], ALLOW_RESERVATIONS);
    let second = until_claimed(&scene);
    assert_eq!((first.uid(), first.metadata.generation), (second.uid(), second.metadata.generation));
    assert_eq!(first.status, second.status, "the status is a resource of its own, which is not replaced");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));

    // Still answered for, also by one that is replaced with another spec.
    replace(&scene, &[], ALLOW_BOTH);
    until_claimed(&scene);
    assert_eq!(scene.attempts(), ["create", "update"]);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts().last().unwrap().as_str(), scene.permitted()), ("delete", vec![]));
}

#[test]
fn what_is_replaced_is_claimed_again_although_its_customer_is_gone() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.delete::<Customer>("contoso");
    scene.until_gone::<Customer>("contoso");
    replace(&scene, &[], ALLOW_RESERVATIONS);
    scene.until("it is claimed again", is_claimed);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn what_is_replaced_while_it_is_suspended_is_claimed_again() {
    let scene = Scene::new(shared().1);
    let spec = format!("{ALLOW_RESERVATIONS}, mode: Suspend");
    scene.converge(ALLOW_RESERVATIONS);
    scene.change(&json!({ "mode": "Suspend" }));
    scene.until_verdict("Ready", "True Suspended");
    replace(&scene, &[], &spec);
    scene.until("it is claimed again", is_claimed);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Stalled", "True Suspended");
    scene.change(&json!({ "mode": "Enforce" }));
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn what_is_replaced_by_force_is_revoked_and_granted_anew_unless_it_is_retained() {
    for (policy, writes) in [("Revoke", &["create", "delete", "create"][..]), ("Retain", &["create"])] {
        let scene = Scene::new(shared().1);
        let spec = format!("{ALLOW_RESERVATIONS}, deletionPolicy: {policy}");
        let first = scene.converge(&spec);
        replace(&scene, &["--force"], &spec);
        let second = until_claimed(&scene);
        assert_ne!(first.uid(), second.uid());
        assert_eq!(
            (scene.attempts(), scene.permitted()),
            (writes.iter().map(|it| (*it).to_owned()).collect(), vec![RESERVATIONS.to_owned()])
        );
    }
}

#[test]
fn however_a_deletion_is_to_be_propagated_it_revokes_once() {
    for policy in [PropagationPolicy::Foreground, PropagationPolicy::Background, PropagationPolicy::Orphan] {
        let scene = Scene::new(shared().1);
        scene.converge(ALLOW_RESERVATIONS);
        let parameters = DeleteParams { propagation_policy: Some(policy), ..DeleteParams::default() };
        run(scene.api::<CustomerPurchasePermission>().delete(PERMISSION, &parameters)).unwrap();
        scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
        assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    }
}
