//! Stopping, starting again, and several replicas.

use std::time::{Duration, Instant};

use csp_operator::api::CustomerPurchasePermission;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use local_cluster::audit;
use serde_json::json;
use stage::{NAMESPACE, OPERATOR_USER};

use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, Scene, is_ready, permission};
use crate::stages::{Exclusive, eventually, run, until_it_acts};

/// Objects that a restart finds converged.
const OBJECTS: usize = 30;

fn holder(exclusive: &Exclusive) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
    let spec = run(leases.get_opt("csp-operator")).unwrap()?.spec?;
    spec.holder_identity.filter(|holder| !holder.is_empty())
}

/// What the operator wrote to the API server since `start`, but for its lease and the refresh token that Entra renews
/// with every sign-in.
fn writes(exclusive: &Exclusive, start: u64) -> audit::Counts {
    let counts = audit::read(exclusive.stage.cluster.audit_log(), start).unwrap().counts;
    counts
        .of(OPERATOR_USER)
        .writes()
        .only(|request| !request.resource.starts_with("leases") && request.resource != "secrets")
}

#[test]
fn a_restart_with_everything_converged_costs_nearly_nothing_and_writes_nothing() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let scenes: Vec<_> = (0..OBJECTS).map(|_| Scene::new(&exclusive.view)).collect();
    for scene in &scenes {
        scene.declare(ALLOW_RESERVATIONS);
    }
    for scene in &scenes {
        scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    }
    // The watermark is written a moment after the last record.
    std::thread::sleep(Duration::from_secs(3));

    let start = Instant::now();
    let status = exclusive.stage.operator.stop().unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "SIGTERM");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(holder(&exclusive), None, "the lease is released");

    run(exclusive.view.simulator.forget_requests()).unwrap();
    let audited = audit::read(exclusive.stage.cluster.audit_log(), 0).unwrap().end;
    exclusive.start(&[]);
    std::thread::sleep(Duration::from_secs(6));

    let counts = run(exclusive.view.simulator.counts()).unwrap();
    let polls = |operation: &str| operation == "list_audit_records";
    let others: u64 = counts.iter().filter(|(operation, _)| !polls(operation)).map(|(_, count)| count).sum();
    assert!(others <= 10, "calls in proportion to the objects: {counts:?}");
    assert_eq!(run(exclusive.view.simulator.writes()).unwrap(), []);
    let writes = writes(&exclusive, audited);
    assert_eq!(writes.total(), 0, "{writes}");

    // And it is not deaf.
    scenes[0].change(&json!({ "azureSavingsPlans": "Allow" }));
    scenes[0].until("both are on", |found| is_ready(found) && scenes[0].permitted().len() == 2);
    let forbidden =
        audit::read(exclusive.stage.cluster.audit_log(), audited).unwrap().counts.of(OPERATOR_USER).forbidden();
    assert_eq!(forbidden.total(), 0, "{forbidden}");
}

#[test]
fn told_to_stop_in_the_middle_of_a_write_it_finishes_the_write() {
    let mut exclusive = Exclusive::take();
    let scene = Scene::new(&exclusive.view);
    scene.fault("create_self_serve_policy", 1, &json!({ "kind": "delay", "delayMs": 700, "applied": true }));
    exclusive.start(&[]);
    scene.declare(ALLOW_RESERVATIONS);
    eventually("the write has arrived", || (!scene.permitted().is_empty()).then_some(()));
    let status = exclusive.stage.operator.stop().unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(is_ready(&scene.permission()), "what came of it was noted");
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn what_changes_while_nobody_acts_is_seen_afterwards() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let (drifted, deleted, fresh) =
        (Scene::new(&exclusive.view), Scene::new(&exclusive.view), Scene::new(&exclusive.view));
    for scene in [&drifted, &deleted] {
        scene.converge(ALLOW_RESERVATIONS);
        scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    }
    exclusive.stage.operator.stop().unwrap();
    drifted.portal("AzureReservedInstances", false);
    deleted.delete::<CustomerPurchasePermission>("permission");
    fresh.declare(ALLOW_BOTH);
    exclusive.start(&[]);
    drifted.until("it is on again", |found| is_ready(found) && drifted.permitted().len() == 1);
    deleted.until_gone::<CustomerPurchasePermission>("permission");
    fresh.until_verdict("Ready", "True InSync");
    assert_eq!(drifted.writes(), ["create", "create"]);
    assert_eq!(deleted.writes(), ["create", "delete"]);
    assert_eq!(fresh.writes(), ["create"]);
    let reasons = drifted.event_reasons("permission");
    assert!(reasons.contains(&"DeleteCustomerPurchasePermissions".to_owned()), "{reasons:?}");
}

#[test]
fn a_second_replica_waits_and_takes_over_from_one_that_was_killed() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let first = holder(&exclusive);
    let mut second = exclusive.stage.operator.replica("second");
    second.start(&[]).unwrap();
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    assert!(second.is_running().unwrap());
    assert!(!second.log().contains("this replica acts"), "two act at once:\n{}", second.log());
    assert_eq!(holder(&exclusive), first);

    exclusive.stage.operator.kill().unwrap();
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until("the second has done it", |found| is_ready(found) && scene.permitted().len() == 2);
    assert!(second.log().contains("this replica acts"));
    assert_ne!(holder(&exclusive), first);
    assert_eq!(scene.writes(), ["create", "update"]);
    assert_eq!(second.stop().unwrap().unwrap().code(), Some(0));
}

#[test]
fn a_leader_that_was_paused_ends_instead_of_acting_when_it_wakes() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    let mut second = exclusive.stage.operator.replica("replacement");
    second.start(&[]).unwrap();

    exclusive.stage.operator.pause().unwrap();
    until_it_acts(&second, 0);
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    exclusive.stage.operator.resume().unwrap();
    let status = exclusive.stage.operator.wait(Duration::from_secs(15)).unwrap().expect("it goes on without a lease");
    assert_ne!(status.code(), Some(0));
    let log = exclusive.stage.operator.log();
    assert!(log.lines().last().unwrap().starts_with("csp-operator: lost the lease "), "{log}");
    scene.until("the second has done it", |found| is_ready(found) && scene.permitted().len() == 2);
    assert_eq!(scene.attempts(), ["create", "update"]);
    second.stop().unwrap();
}

#[test]
fn while_the_api_server_is_away_for_a_while_the_operator_lives_on() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&["--lease-duration", "30s"]);
    let (mut before, mut during) = (Scene::new(&exclusive.view), Scene::new(&exclusive.view));
    before.converge(ALLOW_RESERVATIONS);
    during.apply(&(during.customer() + &permission("permission", ALLOW_RESERVATIONS)));
    during.until_verdict("Ready", "False SubscriptionNotFound");

    exclusive.stage.cluster.stop_apiserver().unwrap();
    before.portal("AzureReservedInstances", false);
    std::thread::sleep(Duration::from_secs(10));
    assert!(exclusive.stage.operator.is_running().unwrap(), "{}", exclusive.stage.operator.log());
    exclusive.stage.cluster.start_apiserver().unwrap();

    during.apply(&during.subscription());
    during.until_verdict("Ready", "True InSync");
    before.until("it is on again", |found| is_ready(found) && before.permitted().len() == 1);
    assert!(exclusive.stage.operator.is_running().unwrap());
    before.audit_from_now();
    during.audit_from_now();
    assert_eq!((before.writes(), during.writes()), (vec!["create".to_owned(); 2], vec!["create".to_owned()]));
}

#[test]
fn when_the_api_server_is_away_for_longer_than_the_lease_the_operator_ends_and_says_why() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let mut scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    exclusive.stage.cluster.stop_apiserver().unwrap();
    let status = exclusive.stage.operator.wait(Duration::from_secs(15)).unwrap().expect("it goes on without a lease");
    assert_ne!(status.code(), Some(0));
    exclusive.stage.cluster.start_apiserver().unwrap();
    // Kubernetes would start it again.
    exclusive.start(&[]);
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until("both are on", |found| is_ready(found) && scene.permitted().len() == 2);
    scene.audit_from_now();
    assert_eq!(scene.writes(), ["create", "update"]);
}
