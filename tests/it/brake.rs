//! `--max-grants-per-hour`: what a wrong merge cannot do at once, and what goes on meanwhile.

use csp_operator::api::CustomerPurchasePermission;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{Patch, PatchParams};
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, is_ready, message, verdict};
use crate::stages::{Exclusive, eventually, eventually_or, run};
use crate::who_may::events_of_the_operator;

const THREE: [&str; 2] = ["--max-grants-per-hour", "3"];
const WAITS: &str = "False GrantBudgetExceeded";

/// A stage whose hour has had these first grants: seconds ago, and how many.
fn after(grants: &[(i64, u32)]) -> Exclusive {
    let exclusive = Exclusive::take();
    let one =
        |(ago, count): &(i64, u32)| json!({ "at": Timestamp::now() - SignedDuration::from_secs(*ago), "count": count });
    let text = Value::Array(grants.iter().map(one).collect()).to_string();
    let name = "csp-operator-state";
    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "firstGrants": text } });
    let maps: Api<ConfigMap> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
    run(maps.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(map))).unwrap();
    exclusive
}

fn scenes(exclusive: &Exclusive, count: usize) -> Vec<Scene> {
    (0..count).map(|_| Scene::new(&exclusive.view)).collect()
}

fn waiting(scenes: &[Scene]) -> Vec<&Scene> {
    scenes.iter().filter(|scene| verdict(&scene.permission(), "Ready") == WAITS).collect()
}

fn creates(scenes: &[Scene]) -> usize {
    let attempts: Vec<_> = scenes.iter().flat_map(Scene::attempts).collect();
    assert!(attempts.iter().all(|attempt| attempt == "create"), "{attempts:?}");
    attempts.len()
}

/// Waits until so many of them wait for room, and all others are ready.
fn until_waiting(scenes: &[Scene], count: usize) {
    let look = || {
        let ready = scenes.iter().filter(|scene| is_ready(&scene.permission())).count();
        (waiting(scenes).len() == count && ready + count == scenes.len()).then_some(())
    };
    let shown = || {
        let others =
            scenes.iter().filter(|scene| !["True InSync", WAITS].contains(&&*verdict(&scene.permission(), "Ready")));
        others.map(|scene| scene.explain::<CustomerPurchasePermission>(PERMISSION)).collect()
    };
    eventually_or(&format!("{count} of {} wait", scenes.len()), look, shown);
}

#[test]
fn of_a_merge_that_permits_too_many_only_as_many_are_granted_as_the_hour_allows_and_a_crash_changes_nothing() {
    let mut exclusive = after(&[]);
    exclusive.start(&THREE);
    let scenes = scenes(&exclusive, 6);
    for scene in &scenes {
        scene.declare(ALLOW_RESERVATIONS);
    }
    until_waiting(&scenes, 3);
    assert_eq!(creates(&scenes), 3);
    for scene in waiting(&scenes) {
        let found = scene.permission();
        let shown = ["Synced", "Reconciling", "Stalled"].map(|type_| verdict(&found, type_));
        assert_eq!(shown, [WAITS, "True GrantBudgetExceeded", "False NotStalled"]);
        assert!(message(&found, "Ready").contains("at most 3"), "{}", message(&found, "Ready"));
        assert_eq!(scene.event_reasons(PERMISSION), Vec::<String>::new(), "it is told once, on the operator");
    }
    eventually("the operator tells it", || {
        (events_of_the_operator(&exclusive, "GrantBudgetExceeded") == 1).then_some(())
    });
    for line in [
        "csp_operator_first_grants_within_hour 3",
        "csp_operator_first_grants_within_hour_max 3",
        "csp_operator_permissions_waiting_for_grant_budget 3",
    ] {
        // It is counted once a second.
        eventually(line, || exclusive.served("metrics").contains(&format!("\n{line}\n")).then_some(()));
    }

    exclusive.kill_and_start(&THREE);
    let all_have_looked =
        || exclusive.served("metrics").contains("csp_operator_permissions_waiting_for_grant_budget 3").then_some(());
    eventually("those who wait have looked again", all_have_looked);
    until_waiting(&scenes, 3);
    assert_eq!(creates(&scenes), 3, "a crash counts nothing anew");

    exclusive.kill_and_start(&["--max-grants-per-hour", "5"]);
    until_waiting(&scenes, 1);
    assert_eq!(creates(&scenes), 5);
    exclusive.kill_and_start(&[]);
    until_waiting(&scenes, 0);
    assert_eq!(creates(&scenes), 6);
}

#[test]
fn what_was_reserved_and_not_used_is_free_again_after_a_stop() {
    let mut exclusive = after(&[]);
    // It reserves ten at once.
    exclusive.start(&["--max-grants-per-hour", "50"]);
    let scenes = scenes(&exclusive, 3);
    scenes[0].converge(ALLOW_RESERVATIONS);
    assert_eq!(exclusive.stage.operator.stop().unwrap().unwrap().code(), Some(0));
    exclusive.start(&["--max-grants-per-hour", "2"]);
    scenes[1].converge(ALLOW_RESERVATIONS);
    scenes[2].declare(ALLOW_RESERVATIONS);
    scenes[2].until_verdict("Ready", WAITS);
    assert_eq!(creates(&scenes), 2, "what was used still counts");
}

#[test]
fn corrections_and_revokes_go_on_while_first_grants_wait() {
    let mut exclusive = after(&[]);
    exclusive.start(&THREE);
    let granted = scenes(&exclusive, 3);
    for scene in &granted {
        scene.converge(ALLOW_RESERVATIONS);
    }
    let waits = Scene::new(&exclusive.view);
    waits.declare(ALLOW_RESERVATIONS);
    waits.until_verdict("Ready", WAITS);

    granted[0].portal(RESERVATIONS, false);
    eventually("it is on again", || (granted[0].attempts() == ["create", "create"]).then_some(()));
    granted[1].change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    granted[1].until("it is off", |found| is_ready(found) && granted[1].permitted().is_empty());
    granted[2].delete::<CustomerPurchasePermission>(PERMISSION);
    granted[2].until_gone::<CustomerPurchasePermission>(PERMISSION);
    for scene in &granted[1..] {
        assert_eq!(scene.attempts(), ["create", "delete"]);
    }
    assert_eq!(verdict(&waits.permission(), "Ready"), WAITS, "what is revoked makes no room");
    assert_eq!(waits.attempts(), Vec::<String>::new());

    // An object that is made anew has not had anything on.
    granted[2].apply(&crate::scene::permission(PERMISSION, ALLOW_RESERVATIONS));
    granted[2].until_verdict("Ready", WAITS);
    // And one that waits can be taken back.
    waits.delete::<CustomerPurchasePermission>(PERMISSION);
    waits.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(waits.attempts(), Vec::<String>::new());
}

#[test]
fn what_a_bad_prune_has_revoked_comes_back_as_fast_as_the_hour_allows_or_at_once_when_more_is_allowed() {
    let mut exclusive = after(&[]);
    exclusive.start(&THREE);
    let scenes = scenes(&exclusive, 3);
    for scene in &scenes {
        scene.converge(ALLOW_RESERVATIONS);
    }
    for scene in &scenes {
        scene.delete::<CustomerPurchasePermission>(PERMISSION);
    }
    for scene in &scenes {
        scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
        scene.apply(&crate::scene::permission(PERMISSION, ALLOW_RESERVATIONS));
    }
    until_waiting(&scenes, 3);
    for scene in &scenes {
        assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    }
    exclusive.kill_and_start(&["--max-grants-per-hour", "6"]);
    until_waiting(&scenes, 0);
    for scene in &scenes {
        assert_eq!(
            (scene.attempts(), scene.permitted().len()),
            (["create", "delete", "create"].map(String::from).into(), 1)
        );
    }
}

#[test]
fn who_waits_goes_on_by_itself_oldest_first_when_the_hour_of_others_is_over() {
    // They count for an hour and a minute.
    let mut exclusive = after(&[(3660 - 8, 1), (600, 2)]);
    exclusive.start(&THREE);
    let scenes = scenes(&exclusive, 2);
    scenes[0].declare(ALLOW_RESERVATIONS);
    scenes[0].until_verdict("Ready", WAITS);
    // Ages are told in whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    scenes[1].declare(ALLOW_RESERVATIONS);
    scenes[1].until_verdict("Ready", WAITS);
    assert_eq!(creates(&scenes), 0);
    scenes[0].until_verdict("Ready", "True InSync");
    scenes[1].stays("waiting", 1.5, |found| verdict(found, "Ready") == WAITS);
    assert_eq!(creates(&scenes), 1);
}

#[test]
fn what_is_permitted_already_is_taken_over_without_a_first_grant_and_a_refused_create_counts_for_nothing() {
    let mut exclusive = after(&[]);
    let scenes = scenes(&exclusive, 5);
    for scene in &scenes {
        // So old that the activity log does not tell of it any more.
        let policy = json!({ "permissions": [{ "resource": RESERVATIONS, "action": "Purchase" }] });
        let path = format!("customers/{}/policy", scene.tenant());
        run(scene.view.simulator.call(Method::PUT, &path, Some(policy))).unwrap();
    }
    exclusive.start(&["--max-grants-per-hour", "2"]);
    for scene in &scenes {
        scene.declare(ALLOW_RESERVATIONS);
    }
    for scene in &scenes {
        scene.until_verdict("Ready", "True InSync");
        assert_eq!(scene.writes(), Vec::<String>::new());
        assert_eq!(scene.attempts(), ["create: no effect"], "a create was sent, and refused");
    }
    let counts_none =
        || exclusive.served("metrics").contains("csp_operator_first_grants_within_hour 0\n").then_some(());
    eventually("none counts as a first grant", counts_none);
}
