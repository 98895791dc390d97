//! More to do than Partner Center may be asked for.

use serde_json::json;

use crate::scene::{ALLOW_RESERVATIONS, Scene};
use crate::stages::{Exclusive, eventually, run};

/// New permissions: many more than the budget lets through at once, and more than there are places for passes.
const GRANTS: usize = 30;
/// Requests in a minute. Twenty of them may be made at once.
const CALLS_PER_MINUTE: &str = "100";

/// What Partner Center has been asked, oldest first.
fn asked(exclusive: &Exclusive) -> Vec<String> {
    let log = run(exclusive.view.simulator.get("requests")).unwrap();
    let requests = log["requests"].as_array().unwrap().iter();
    let operations = requests.map(|request| request["operation"].as_str().unwrap().to_owned());
    operations.filter(|operation| !["token", "list_role_assignments"].contains(&operation.as_str())).collect()
}

#[test]
fn a_revoke_is_written_before_the_new_grants_that_wait_for_the_budget() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    let revoked = Scene::new(&exclusive.view);
    revoked.converge(ALLOW_RESERVATIONS);
    exclusive.stage.operator.stop().unwrap();
    let grants: Vec<_> = (0..GRANTS).map(|_| Scene::new(&exclusive.view)).collect();
    for scene in &grants {
        scene.declare(ALLOW_RESERVATIONS);
    }

    run(exclusive.view.simulator.forget_requests()).unwrap();
    // The activity log goes first, too, and would here be half of all calls.
    exclusive.start(&["--partner-center-calls-per-minute", CALLS_PER_MINUTE, "--activity-interval", "60s"]);
    eventually("the budget is spent", || (asked(&exclusive).len() >= 22).then_some(()));
    revoked.change(&json!({ "azureReservations": "Deny" }));
    let before = asked(&exclusive).len();
    eventually("it is revoked", || revoked.permitted().is_empty().then_some(()));
    let asked = asked(&exclusive);
    let position = asked.iter().position(|operation| operation == "delete_self_serve_policy").unwrap();
    // Two calls of its own, and what came through until the watch had told.
    assert!(position <= before + 10, "{before} before, and the revoke was number {position}: {asked:?}");
    let granted = grants.iter().filter(|scene| !scene.permitted().is_empty()).count();
    assert!(granted < GRANTS, "all were granted before");
}
