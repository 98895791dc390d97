//! When somebody turns the same switches again and again: another installation of the operator, or a person who means it.
//! Nothing is turned on any more, and everything that must go off still goes off.

use csp_operator::api::{ActivityOrigin, CustomerPurchasePermission};
use reqwest::Method;
use serde_json::json;

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, PORTAL_USER, RESERVATIONS, SAVINGS_PLANS, Scene, message, verdict};
use crate::stages::{Exclusive, QUICK, eventually, run, shared};

/// A scene whose permission for reservations holds and has been seen in the activity log.
fn converged(spec: &str) -> Scene {
    let scene = Scene::new(shared().1);
    scene.converge(spec);
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    scene
}

/// Another installation turns a switch: its requests are known by their correlation ids, which have the same form as ours.
fn rival(scene: &Scene, resource: &str, allow: bool) {
    let body = json!({
        "customer": scene.tenant(), "resource": resource, "allow": allow, "user": "rival@contosopartner.onmicrosoft.com",
        "correlationId": "0badc0de-0000-8000-8000-00000000000f",
    });
    run(scene.view.simulator.post("portal/permission", body)).unwrap();
}

fn corrections(found: &CustomerPurchasePermission) -> usize {
    found.status.as_ref().map_or(0, |status| status.corrections.len())
}

#[test]
fn what_another_installation_turns_off_stays_off_for_a_day_and_what_it_turns_on_goes_off() {
    let scene = converged(ALLOW_RESERVATIONS);
    rival(&scene, RESERVATIONS, false);
    let found = scene.until_verdict("Stalled", "True RivalOperator");
    assert_eq!(verdict(&found, "Synced"), "False Drifted");
    assert!(message(&found, "Ready").contains("for a day"), "{}", message(&found, "Ready"));
    let status = found.status.unwrap();
    assert_eq!(status.recent_activity[0].origin, ActivityOrigin::RivalOperator);
    assert_eq!(status.drift[0].actor.as_deref(), Some("rival@contosopartner.onmicrosoft.com"));
    assert!(scene.events(PERMISSION).iter().any(|event| {
        event.note.as_deref().is_some_and(|note| note.contains("by another installation of the operator as rival@"))
    }));
    scene.stays("off", 2.0, |found| verdict(found, "Stalled") == "True RivalOperator");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![]));
    rival(&scene, SAVINGS_PLANS, true);
    eventually("what it has turned on is off", || scene.permitted().is_empty().then_some(()));
    scene.until_verdict("Stalled", "True RivalOperator");
    assert_eq!(scene.attempts(), ["create", "delete"]);
    // A person has stopped the other one.
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(
        (scene.attempts(), scene.permitted()),
        (vec!["create".into(), "delete".into(), "create".into()], vec![RESERVATIONS.to_owned()])
    );
}

#[test]
fn what_was_turned_off_five_times_in_an_hour_stays_off_and_what_is_turned_on_still_goes_off() {
    let scene = converged(ALLOW_RESERVATIONS);
    for count in 1..=5 {
        scene.portal(RESERVATIONS, false);
        scene.until("it is turned on again, and that is counted", |found| corrections(found) == count);
        scene.until_verdict("Ready", "True InSync");
        assert_eq!(scene.permitted(), [RESERVATIONS]);
    }
    assert_eq!(scene.attempts(), ["create"; 6]);
    scene.portal(RESERVATIONS, false);
    let found = scene.until_verdict("Stalled", "True Flapping");
    assert!(message(&found, "Ready").contains("driftPolicy"), "{}", message(&found, "Ready"));
    scene.stays("off", 2.0, |_| scene.permitted().is_empty());
    assert_eq!(scene.attempts(), ["create"; 6]);
    for _ in 0..2 {
        scene.portal(SAVINGS_PLANS, true);
        eventually("it is off again", || scene.permitted().is_empty().then_some(()));
        scene.until_verdict("Stalled", "True Flapping");
    }
    let mut expected = vec!["create"; 6];
    expected.extend(["delete"; 2]);
    assert_eq!(scene.attempts(), expected);
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Ready", "True InSync");
    expected.push("create");
    assert_eq!(scene.attempts(), expected);
}

#[test]
fn who_has_turned_a_switch_is_filled_in_when_the_record_arrives_late_and_the_drift_is_counted_once() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(&format!("{ALLOW_RESERVATIONS}, driftPolicy: Report"));
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    let none = json!({ "kind": "edit", "set": { "/items": [], "/totalCount": 0 } });
    let hide = json!({ "operation": "list_audit_records", "answer": none });
    run(scene.view.simulator.post("faults", hide)).unwrap();
    scene.portal(SAVINGS_PLANS, true);
    // Nobody has told of it; only a look at the policy shows it.
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    let found = scene.until_verdict("Ready", "False Drifted");
    assert!(message(&found, "Synced").contains("somebody whom the activity log does not name yet"));
    let drift = found.status.unwrap().drift.remove(0);
    assert_eq!((&drift.actor, &drift.correlation_id), (&None, &None), "nobody is made up");
    run(scene.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
    let named = scene.until("it has a name", |found| {
        found.status.as_ref().unwrap().drift.first().is_some_and(|drift| drift.actor.is_some())
    });
    assert!(message(&named, "Synced").contains(PORTAL_USER), "{}", message(&named, "Synced"));
    let later = named.status.unwrap().drift.remove(0);
    assert_eq!((later.actor.as_deref(), &later.since), (Some(PORTAL_USER), &drift.since));
    assert!(later.correlation_id.is_some());
    assert_eq!(scene.attempts(), ["create"]);
    let told: Vec<_> =
        scene.events(PERMISSION).into_iter().filter(|one| one.reason.as_deref() == Some("Drifted")).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    let metrics = exclusive.served("metrics");
    assert!(metrics.lines().any(|line| line == "csp_operator_drifts_total{by=\"unknown\"} 1"), "{metrics}");
}
