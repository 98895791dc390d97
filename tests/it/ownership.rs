//! Several permissions for one customer: one acts, or nobody.

use std::time::Duration;

use csp_operator::api::{AzureSubscription, CustomerPurchasePermission};
use serde_json::{Value, json};

use crate::scene::{
    ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, is_ready, message, permission, verdict,
};
use crate::stages::{Exclusive, QUICK, eventually, shared};

fn is_in_conflict(found: &CustomerPurchasePermission) -> bool {
    verdict(found, "Stalled") == "True Conflict" && verdict(found, "Ready") == "False Conflict"
}

/// Applies the Customer and its subscription only after both permissions, so that neither has claimed the tenant first.
fn both(scene: &Scene, first: &str, second: &str) {
    scene.apply(&permission(PERMISSION, first));
    // Ages are told apart by the second.
    std::thread::sleep(Duration::from_millis(1100));
    scene.apply(&permission("other", second));
    scene.apply(&(scene.subscription() + &scene.customer()));
}

fn other(scene: &Scene, what: &str, is_so: impl Fn(&CustomerPurchasePermission) -> bool) -> CustomerPurchasePermission {
    scene.until_named("other", what, is_so)
}

#[test]
fn of_two_that_want_the_same_the_older_acts_and_the_other_names_it() {
    let scene = Scene::new(shared().1);
    both(&scene, ALLOW_RESERVATIONS, ALLOW_RESERVATIONS);
    scene.until_verdict("Ready", "True InSync");
    let loser = other(&scene, "it is in conflict", is_in_conflict);
    assert!(message(&loser, "Stalled").contains(&format!("{}/{PERMISSION} already manages", scene.namespace)));
    assert!(loser.metadata.finalizers.is_none(), "who owns nothing holds nothing");
    assert_eq!(scene.attempts(), ["create"]);
    // Whoever owns nothing revokes nothing.
    scene.delete::<CustomerPurchasePermission>("other");
    scene.until_gone::<CustomerPurchasePermission>("other");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

#[test]
fn a_claim_is_worth_more_than_another_wish_in_another_namespace() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let elsewhere = scene.elsewhere();
    elsewhere.declare(ALLOW_BOTH);
    let loser = elsewhere.until("it is in conflict", is_in_conflict);
    assert!(message(&loser, "Stalled").contains(&format!("{}/{PERMISSION} already manages", scene.namespace)));
    scene.stays("ready", 1.0, is_ready);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

#[test]
fn of_two_that_want_different_things_nobody_acts_until_a_person_decides() {
    let scene = Scene::new(shared().1);
    both(&scene, ALLOW_RESERVATIONS, ALLOW_BOTH);
    let found = scene.until("it is in conflict", is_in_conflict);
    assert!(
        message(&found, "Stalled").contains(&format!("{}/other", scene.namespace)),
        "{}",
        message(&found, "Stalled")
    );
    let found = other(&scene, "it is in conflict", is_in_conflict);
    assert!(message(&found, "Stalled").contains(&format!("{}/{PERMISSION}", scene.namespace)));
    scene.stays("in conflict", 2.0, is_in_conflict);
    assert_eq!(scene.attempts(), Vec::<String>::new());
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until_verdict("Ready", "True InSync");
    other(&scene, "it names the owner", |found| message(found, "Stalled").contains("already manages"));
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn who_only_observes_stands_in_nobodys_way_whoever_came_first() {
    let scene = Scene::new(shared().1);
    scene.declare("azureReservations: Deny, mode: Observe");
    scene.until_verdict("Ready", "True Observed");
    let elsewhere = scene.elsewhere();
    elsewhere.converge(ALLOW_RESERVATIONS);
    let observer = scene.until("it tells of what is on", |found| verdict(found, "Synced") == "False PendingWrite");
    assert!(observer.metadata.finalizers.is_none());
    assert_eq!(verdict(&observer, "Ready"), "True Observed");
    elsewhere.stays("ready", 1.0, is_ready);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

#[test]
fn who_is_suspended_keeps_what_it_has_and_stands_in_nobodys_way_if_it_never_acted() {
    let scene = Scene::new(shared().1);
    scene.apply(&(scene.customer() + &scene.subscription() + &permission("idle", "mode: Suspend")));
    scene.until_named("idle", "suspended", |found: &CustomerPurchasePermission| {
        verdict(found, "Ready") == "False Suspended"
    });
    // Older, and with other wishes: but it has never acted.
    scene.apply(&permission(PERMISSION, ALLOW_RESERVATIONS));
    scene.until_verdict("Ready", "True InSync");
    scene.change(&json!({ "mode": "Suspend" }));
    scene.until_verdict("Ready", "True Suspended");
    let elsewhere = scene.elsewhere();
    elsewhere.declare(ALLOW_BOTH);
    let loser = elsewhere.until("it is in conflict", is_in_conflict);
    assert!(message(&loser, "Stalled").contains(&format!("{}/{PERMISSION} already manages", scene.namespace)));
    // The first comes back, and nothing has happened.
    scene.change(&json!({ "mode": "Enforce" }));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

#[test]
fn who_takes_over_from_a_deleted_owner_finds_everything_as_it_was() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let elsewhere = scene.elsewhere();
    elsewhere.declare(ALLOW_RESERVATIONS);
    elsewhere.until("it is in conflict", is_in_conflict);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    elsewhere.until_verdict("Ready", "True InSync");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
    elsewhere.delete::<CustomerPurchasePermission>(PERMISSION);
    elsewhere.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn a_successor_that_could_not_grant_inherits_nothing() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let elsewhere = scene.elsewhere();
    // Somebody else's id: this one could not have been granted.
    let wrong = elsewhere.subscription().replace(&elsewhere.subscription_id(), "a9999999-9999-4999-8999-999999999999");
    elsewhere.apply(&(elsewhere.customer() + &wrong + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    elsewhere.until("it is in conflict", is_in_conflict);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    elsewhere.until_verdict("Ready", "False SubscriptionNotFound");
    assert_eq!(scene.attempts().len(), 2);
}

#[test]
fn a_pause_that_keeps_the_successor_from_being_looked_at_holds_up_no_revoke() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    let elsewhere = scene.elsewhere();
    elsewhere.declare(ALLOW_RESERVATIONS);
    elsewhere.until("it is in conflict", is_in_conflict);
    // A new process has not read who owns the successor's subscription.
    exclusive.kill_and_start(&QUICK);
    scene.fault("list_role_assignments", 100, &json!({ "kind": "status", "status": 429, "retryAfter": "115" }));
    let begun = scene.requests().len();
    elsewhere.ask_anew::<AzureSubscription>("azure");
    let is_refused = |request: &Value| request["operation"] == "list_role_assignments" && request["status"] == 429;
    eventually("Azure has asked for a pause", || scene.requests()[begun..].iter().any(is_refused).then_some(()));
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}
