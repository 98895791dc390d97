//! Permissions that end: `validUntil`, and prerequisites that are lost.

use csp_operator::api::{AzureSubscription, CustomerPurchasePermission};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::json;

use crate::scene::{PERMISSION, RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, message, verdict};
use crate::stages::{Exclusive, QUICK, eventually, run, shared};

/// Reservations, until so many seconds from now.
fn for_seconds(seconds: i64, rest: &str) -> String {
    let end = Timestamp::now() + SignedDuration::from_secs(seconds);
    let end = Timestamp::from_second(end.as_second()).unwrap();
    format!("azureReservations: Allow, acceptBillingResponsibility: true, validUntil: \"{end}\"{rest}")
}

#[test]
fn what_is_valid_until_a_moment_is_revoked_then_whatever_the_drift_policy() {
    for policy in ["Correct", "CorrectDown", "Report"] {
        let scene = Scene::new(shared().1);
        scene.declare(&for_seconds(4, &format!(", driftPolicy: {policy}")));
        let found = scene.until_verdict("Ready", "True Expired");
        assert_eq!(scene.attempts(), ["create", "delete"], "{policy}");
        assert_eq!(found.status.unwrap().latched.len(), 1);
        // The same spec does not allow it again; another end does.
        looks_again(&scene);
        assert_eq!(scene.attempts(), ["create", "delete"], "{policy}");
    }
}

#[test]
fn what_has_ended_while_nobody_ran_is_revoked_by_the_next_process_whatever_the_drift_policy() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scenes = ["Correct", "CorrectDown", "Report"].map(|policy| {
        let scene = Scene::new(&exclusive.view);
        scene.converge(&for_seconds(6, &format!(", driftPolicy: {policy}")));
        scene
    });
    exclusive.stage.operator.kill().unwrap();
    let last: Timestamp = scenes[2].permission().spec.valid_until.unwrap().0;
    while Timestamp::now() <= last {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(scenes.iter().all(|scene| scene.permitted() == [RESERVATIONS]), "nobody was there");
    exclusive.kill_and_start(&QUICK);
    for scene in &scenes {
        scene.until_verdict("Ready", "True Expired");
        assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    }
    let later = Timestamp::from_second(Timestamp::now().as_second() + 3600).unwrap();
    scenes[0].change(&json!({ "validUntil": later.to_string() }));
    scenes[0].until_verdict("Ready", "True InSync");
    assert_eq!((scenes[0].attempts().len(), scenes[0].permitted()), (3, vec![RESERVATIONS.to_owned()]));
}

#[test]
fn a_clock_that_jumps_both_ways_ends_nothing_early_grants_nothing_and_brings_nothing_back() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[&QUICK[..], &["--activity-interval", "1s"]].concat());
    let [ends, stays, waits] = std::array::from_fn(|_| Scene::new(&exclusive.view));
    ends.converge(&for_seconds(3600, ""));
    stays.converge(&for_seconds(3 * 3600, ""));
    let log_length = exclusive.stage.operator.log().len();
    let is_told = |what: &str| exclusive.stage.operator.log()[log_length..].contains(what);
    // The clocks of the services; this machine's stays as it is.
    let set = |offset: &str, seconds: std::ops::Range<i64>| {
        run(exclusive.view.simulator.call(Method::PUT, "clock", Some(json!({ "offset": offset })))).unwrap();
        eventually(&format!("the operator knows of {offset}"), || {
            let served = exclusive.served("metrics");
            let line = served.lines().find_map(|line| line.strip_prefix("csp_operator_remote_clock_offset_seconds "));
            seconds.contains(&line.unwrap().parse().unwrap()).then_some(())
        });
    };

    // This machine's clock is behind: theirs say that the time of one has come.
    set("2h", -7300..-7100);
    eventually("it is certain", || is_told("more than five minutes apart").then_some(()));
    ends.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    ends.until_verdict("Ready", "True Expired");
    assert_eq!((ends.attempts(), ends.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    waits.declare("azureReservations: Allow, acceptBillingResponsibility: true");
    let found = waits.until_verdict("Ready", "False ClockSkewed");
    assert_eq!(verdict(&found, "PartnerAuthorized"), "False ClockSkewed");

    // It is ahead: by itself it would end the other one.
    set("-2h", 7100..7300);
    stays.change(&json!({ "validUntil": (Timestamp::now() - SignedDuration::from_mins(5)).to_string() }));
    stays.until("it is looked at", |found| {
        is_ready(found) && found.status.as_ref().map(|status| status.observed_generation) == found.metadata.generation
    });
    assert_eq!((verdict(&stays.permission(), "Ready"), stays.permitted().len()), ("True InSync".to_owned(), 1));
    looks_again(&ends);
    looks_again(&waits);
    assert_eq!(verdict(&ends.permission(), "Ready"), "True Expired", "its end is ahead, and has come");
    assert_eq!(verdict(&waits.permission(), "Ready"), "False ClockSkewed");

    // It is right again.
    set("0s", -60..60);
    assert!(is_told("agrees with those of Microsoft's services again"));
    for scene in [&ends, &stays] {
        looks_again(scene);
        scene.until_verdict("Ready", "True Expired");
        assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    }
    assert_eq!(waits.attempts(), Vec::<String>::new());
    looks_again(&waits);
    waits.until_verdict("Ready", "True InSync");
    assert_eq!((waits.attempts(), waits.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

/// Has the permission read anew, and waits until it was.
fn looks_again(scene: &Scene) {
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    let request = |found: &CustomerPurchasePermission| {
        found.metadata.annotations.clone().unwrap_or_default().get("csp-operator.dev/reconcile").cloned()
    };
    scene.until("it has looked again", |found| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at == request(found))
    });
}

#[test]
fn what_ends_while_it_is_suspended_is_revoked_as_soon_as_it_is_suspended_no_more() {
    let scene = Scene::new(shared().1);
    scene.converge(&for_seconds(4, ""));
    scene.change(&json!({ "mode": "Suspend" }));
    scene.until_verdict("Ready", "True Suspended");
    let end = scene.permission().spec.valid_until.unwrap().0;
    while Timestamp::now() <= end {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.stays("suspended", 1.0, |found| verdict(found, "Ready") == "True Suspended");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
    scene.change(&json!({ "mode": "Enforce" }));
    scene.until_verdict("Ready", "True Expired");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
}

#[test]
fn a_mode_that_goes_to_and_fro_changes_nothing_that_is_as_declared() {
    let scene = Scene::new(shared().1);
    let first = scene.converge("azureReservations: Allow, acceptBillingResponsibility: true");
    for mode in ["Observe", "Suspend", "Observe", "Enforce", "Suspend"] {
        scene.change(&json!({ "mode": mode }));
        scene.until(&format!("{mode} is shown"), |found| {
            let status = found.status.as_ref().unwrap();
            let owns = found.metadata.finalizers.as_ref().is_some_and(|all| !all.is_empty());
            // Who observes owns nothing; who is suspended keeps what it had.
            Some(status.observed_generation) == found.metadata.generation && (mode != "Observe" || !owns)
        });
    }
    // Off while nobody looks: what is declared comes back, once.
    scene.portal(RESERVATIONS, false);
    scene.change(&json!({ "mode": "Enforce" }));
    let last = scene.until("it is on again", |found| is_ready(found) && scene.permitted() == [RESERVATIONS]);
    assert_eq!(scene.attempts(), ["create", "create"]);
    assert_eq!(last.metadata.finalizers, first.metadata.finalizers);
    assert_eq!(last.metadata.annotations, first.metadata.annotations);
}

#[test]
fn a_lost_prerequisite_revokes_where_that_is_wished_and_comes_back_only_with_a_changed_spec() {
    let (scene, kept) = (Scene::new(shared().1), Scene::new(shared().1));
    let spec = "azureReservations: Allow, acceptBillingResponsibility: true";
    scene.converge(&format!("{spec}, onPrerequisiteLost: Revoke"));
    kept.converge(spec);
    let owns = |scene: &Scene, holds: bool| {
        let owner = json!({ "subscription": scene.subscription_id(), "principalId": scene.owner_id(), "holds": holds });
        run(scene.view.simulator.post("owners", owner)).unwrap();
    };
    owns(&scene, false);
    owns(&kept, false);
    for scene in [&scene, &kept] {
        scene.ask_anew::<AzureSubscription>("azure");
        scene.until_verdict("OwnerRoleVerified", "False OwnerMissing");
        // Else the second reading comes a minute later.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert_eq!(scene.attempts(), ["create"], "one reading is not enough");
        scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    }
    let found = scene.until_verdict("Stalled", "True PrerequisiteLost");
    assert!(message(&found, "Ready").contains("without Owner"), "{}", message(&found, "Ready"));
    assert_eq!(scene.attempts(), ["create", "delete"]);

    owns(&scene, true);
    scene.ask_anew::<AzureSubscription>("azure");
    scene.until_named("azure", "its Owner is back", |azure: &AzureSubscription| {
        verdict(azure, "OwnerRoleVerified") == "True OwnerHeld"
    });
    scene.stays("off", 1.0, |_| scene.permitted().is_empty());
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(
        (scene.attempts(), scene.permitted().len()),
        (vec!["create".into(), "delete".into(), "create".into()], 2)
    );
    assert!(scene.permitted().contains(&SAVINGS_PLANS.to_owned()));
    // Nothing of that has happened to the other one, however often it was looked at.
    kept.until("it has looked a second time", |found| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.is_some())
            && verdict(found, "OwnerRoleVerified") == "False OwnerMissing"
    });
    assert_eq!(verdict(&kept.permission(), "Ready"), "True InSync");
    assert_eq!((kept.attempts(), kept.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}
