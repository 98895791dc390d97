//! Deletions that take more with them than one object, or that find the operator without what it needs.

use csp_operator::api::CustomerPurchasePermission;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use stage::Stage;

use crate::outside::credentials;
use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, message};
use crate::stages::{Exclusive, QUICK, eventually, run};

#[test]
fn without_credentials_a_deleted_permission_is_held_and_revoked_once_they_are_back() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    credentials(&exclusive, "simulated-client-secret", "wrong");
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    let found = scene.until_verdict("Stalled", "True RevokePending");
    let why = message(&found, "Stalled");
    assert!(why.contains("csp-operator.dev/abandon") && why.contains("Secret"), "{why}");
    scene.stays("held", 1.0, |_| scene.permitted() == [RESERVATIONS]);
    assert_eq!(scene.attempts(), ["create"]);
    credentials(&exclusive, "", "");
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn what_a_deleted_namespace_can_have_no_events_of_is_logged_and_counted() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_BOTH);
    let namespaces: Api<Namespace> = Api::all(scene.view.client.clone());
    run(namespaces.delete(&scene.namespace, &DeleteParams::default())).unwrap();
    eventually("the namespace is gone", || run(namespaces.get_opt(&scene.namespace)).unwrap().is_none().then_some(()));
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    let log = exclusive.stage.operator.log();
    let told = |what: &str| log.lines().any(|line| line.contains(what) && line.contains(&scene.namespace));
    assert!(told("decision=\"release\"") && told("cannot create an event"), "{log}");
    let metrics = exclusive.served("metrics");
    let lost = metrics.lines().find_map(|line| line.strip_prefix("csp_operator_events_lost_total "));
    assert!(lost.is_some_and(|count| count != "0"), "{metrics}");
}

/// Puts the CRDs back, also after a failure: the stage serves other tests too.
pub(crate) struct Restored<'a>(pub(crate) &'a Stage);

impl Restored<'_> {
    pub(crate) fn restore(&self) {
        self.0.cluster.apply_path(stage::root().join("crds")).unwrap();
        self.0.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).unwrap();
    }
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        self.restore();
    }
}

#[test]
fn a_deleted_crd_revokes_everything_first_and_the_operator_goes_on_when_it_is_back() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    let retained = Scene::new(&exclusive.view);
    scene.converge(ALLOW_BOTH);
    retained.converge(&format!("{ALLOW_RESERVATIONS}, deletionPolicy: Retain"));
    let crds = Restored(&exclusive.stage);
    exclusive.stage.kubectl(&["delete", "crd", "customerpurchasepermissions.csp-operator.dev"]).unwrap();
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    assert_eq!((retained.attempts(), retained.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
    crds.restore();
    scene.converge(ALLOW_BOTH);
    retained.converge(ALLOW_RESERVATIONS);
    assert_eq!(scene.attempts(), ["create", "delete", "create"]);
    assert_eq!(retained.attempts(), ["create"], "it finds what was left on");
}
