//! The operator killed at the worst moments: the end is the same, and nothing is done twice.

use std::time::Duration;

use csp_operator::api::{Customer, CustomerPurchasePermission};
use reqwest::Method;
use serde_json::json;

use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, is_ready};
use crate::stages::{Exclusive, eventually, run};

/// From now on the answers to this operation are held back, long after it has taken effect.
fn hold_answers(scene: &Scene, operation: &str) {
    scene.fault(operation, 1000, &json!({ "kind": "delay", "delayMs": 20_000, "applied": true }));
}

fn answer_again(scene: &Scene) {
    run(scene.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
}

/// Declares, and kills the operator between its write and whatever it would have noted of it.
fn granted_but_not_noted(exclusive: &mut Exclusive) -> Scene {
    let scene = Scene::new(&exclusive.view);
    hold_answers(&scene, "create_self_serve_policy");
    exclusive.start(&[]);
    scene.declare(ALLOW_RESERVATIONS);
    eventually("the write has arrived", || (scene.permitted() == [RESERVATIONS]).then_some(()));
    exclusive.stage.operator.kill().unwrap();
    let found = scene.permission();
    assert!(!is_ready(&found) && found.metadata.finalizers.is_some(), "it had noted what it should, and no more");
    answer_again(&scene);
    scene
}

#[test]
fn killed_between_the_write_and_its_status_it_ends_the_same_without_a_second_write() {
    let mut exclusive = Exclusive::take();
    let scene = granted_but_not_noted(&mut exclusive);
    exclusive.kill_and_start(&[]);
    scene.until_verdict("Ready", "True InSync");
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    assert_eq!((scene.writes(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

#[test]
fn killed_after_the_write_with_the_customer_deleted_meanwhile_the_grant_is_still_revoked() {
    let mut exclusive = Exclusive::take();
    let scene = granted_but_not_noted(&mut exclusive);
    scene.delete::<Customer>("contoso");
    exclusive.kill_and_start(&[]);
    scene.until("the new process has looked", |found| found.status.as_ref().is_some_and(|s| s.observed_generation > 0));
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.writes(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn killed_after_the_revoke_the_object_goes_without_a_second_one() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    hold_answers(&scene, "delete_self_serve_policy");
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    eventually("the revoke has arrived", || scene.permitted().is_empty().then_some(()));
    exclusive.stage.operator.kill().unwrap();
    assert!(scene.get::<CustomerPurchasePermission>(PERMISSION).is_some());
    answer_again(&scene);
    exclusive.kill_and_start(&[]);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.writes(), ["create", "delete"]);
}

#[test]
fn killed_while_a_write_is_still_on_its_way_it_ends_the_same() {
    let mut exclusive = Exclusive::take();
    let scene = Scene::new(&exclusive.view);
    // It takes effect when nobody waits for it any more, and not before the next process has begun.
    scene.fault("create_self_serve_policy", 1, &json!({ "kind": "late", "delayMs": 3000 }));
    exclusive.start(&[]);
    scene.declare(ALLOW_BOTH);
    eventually("it has been sent", || {
        let waiting = run(scene.view.simulator.get("faults")).unwrap();
        (!waiting.to_string().contains(&scene.tenant())).then_some(())
    });
    exclusive.stage.operator.kill().unwrap();
    exclusive.start(&[]);
    scene.until_verdict("Ready", "True InSync");
    // Long enough for the late one to have arrived.
    scene.stays("ready", 4.0, |_| scene.permitted().len() == 2 || scene.writes().is_empty());
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.writes(), ["create"]);
}

#[test]
fn killed_at_random_moments_everything_ends_as_if_nothing_had_happened() {
    let mut exclusive = Exclusive::take();
    let scenes: Vec<_> = (0..8).map(|_| Scene::new(&exclusive.view)).collect();
    for scene in &scenes {
        scene.declare(ALLOW_BOTH);
    }
    let latency = json!({ "latencyMs": 40 });
    run(exclusive.view.simulator.set(latency)).unwrap();
    for round in 0..8_u64 {
        exclusive.kill_and_start(&[]);
        std::thread::sleep(Duration::from_millis(60 + 70 * round + fastrand::u64(0..70)));
    }
    run(exclusive.view.simulator.set(json!({ "latencyMs": 0 }))).unwrap();
    exclusive.kill_and_start(&[]);
    for scene in &scenes {
        scene.until_verdict("Ready", "True InSync");
        scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
        assert_eq!(scene.writes(), ["create"], "{}", scene.explain::<CustomerPurchasePermission>(PERMISSION));
        let mut reasons = scene.event_reasons(PERMISSION);
        reasons.sort();
        let told: Vec<_> = reasons.iter().filter(|reason| reason.contains("CustomerPurchasePermissions")).collect();
        assert_eq!(told.len(), 1, "each record once: {reasons:?}");
    }
}
