//! Permissions that end: `validUntil`, and prerequisites that are lost.

use csp_operator::api::{AzureSubscription, CustomerPurchasePermission};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::scene::{PERMISSION, RESERVATIONS, SAVINGS_PLANS, Scene, message, verdict};
use crate::stages::{Exclusive, QUICK, run, shared};

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
        scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
        let request = |found: &CustomerPurchasePermission| {
            found.metadata.annotations.clone().unwrap_or_default().get("csp-operator.dev/reconcile").cloned()
        };
        scene.until("it has looked again", |found| {
            found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at == request(found))
        });
        assert_eq!(scene.attempts(), ["create", "delete"], "{policy}");
    }
}

#[test]
fn what_has_ended_while_nobody_ran_is_revoked_by_the_next_process() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(&for_seconds(6, ""));
    exclusive.stage.operator.kill().unwrap();
    let end: Timestamp = scene.permission().spec.valid_until.unwrap().0;
    while Timestamp::now() <= end {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    exclusive.kill_and_start(&QUICK);
    scene.until_verdict("Ready", "True Expired");
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned(), "delete".to_owned()], vec![]));
    let later = Timestamp::from_second(Timestamp::now().as_second() + 3600).unwrap();
    scene.change(&json!({ "validUntil": later.to_string() }));
    scene.until_verdict("Ready", "True InSync");
    assert_eq!((scene.attempts().len(), scene.permitted()), (3, vec![RESERVATIONS.to_owned()]));
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
        assert_eq!(scene.attempts(), ["create"], "one reading is not enough");
        // Else the second reading comes a minute later.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    }
    let found = scene.until_verdict("Stalled", "True PrerequisiteLost");
    assert!(message(&found, "Ready").contains("without Owner"), "{}", message(&found, "Ready"));
    assert_eq!(scene.attempts(), ["create", "delete"]);
    kept.until_verdict("OwnerRoleVerified", "False OwnerMissing");
    kept.until_verdict("Ready", "True InSync");
    assert_eq!(kept.permitted(), [RESERVATIONS]);

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
}
