//! Who owns an Azure subscription, and being made an owner.

use csp_operator::api::{AzureSubscription, OwnerPath, OwnerState};
use reqwest::Method;
use serde_json::json;

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene, is_ready, message, permission, verdict};
use crate::stages::{Exclusive, eventually, run, shared};

const ALLOWED: &[&str] = &["--allow-owner-assignment"];
const ADA: &str = "d1000000-0000-4000-8000-000000000001";
const BOB: &str = "d1000000-0000-4000-8000-000000000002";
const ADA_NAME: &str = "ada@fabrikam.com";

/// Manifests of a Customer and its subscription `azure` with this in its spec.
fn subscription(scene: &Scene, spec: &str) -> String {
    let id = scene.subscription_id();
    format!(
        "{}---\nkind: AzureSubscription\nmetadata: {{name: azure}}\n\
         spec: {{customerRef: {{name: contoso}}, subscriptionId: {id}, {spec}}}\n",
        scene.customer()
    )
}

fn assign_to_ada() -> String {
    format!("ownerRole: Assign, owners: [{{userPrincipalName: {ADA_NAME}}}]")
}

fn add_user(scene: &Scene, upn: &str, id: &str, kind: &str) {
    let user = json!({ "upn": upn, "objectId": id, "userType": kind });
    run(scene.view.simulator.post(&format!("customers/{}/users", scene.tenant()), user)).unwrap();
}

/// Creations of role assignments: all, and those that made one.
fn creations(scene: &Scene) -> (usize, usize) {
    let requests = scene.requests();
    let creations: Vec<_> =
        requests.iter().filter(|request| request["operation"] == "create_role_assignment").collect();
    (creations.len(), creations.iter().filter(|request| request["effective"] == true).count())
}

fn until(scene: &Scene, expected: &str) -> AzureSubscription {
    scene.until_named("azure", &format!("OwnerRoleVerified is {expected}"), |azure: &AzureSubscription| {
        verdict(azure, "OwnerRoleVerified") == expected
    })
}

fn owns(scene: &Scene, principal: &str, holds: bool) {
    let owner = json!({ "subscription": scene.subscription_id(), "principalId": principal, "holds": holds });
    run(scene.view.simulator.post("owners", owner)).unwrap();
}

fn set(scene: &Scene, setting: &str, value: u64) {
    run(scene.view.simulator.set(json!({ setting: value }))).unwrap();
}

/// For the simulator only.
fn eleven_minutes_later(scene: &Scene) {
    run(scene.view.simulator.call(Method::PUT, "clock", Some(json!({ "advance": "11m" })))).unwrap();
}

#[test]
fn owners_are_named_by_what_they_sign_in_with_and_each_is_told_of() {
    let scene = Scene::new(shared().1);
    let (owner, nobody) = (scene.owner_id(), "nobody@fabrikam.com");
    add_user(&scene, "guest@fabrikam.com", ADA, "Guest");
    owns(&scene, ADA, true);
    let names = format!("owners: [{{userPrincipalName: Guest@fabrikam.com}}, {{objectId: {owner}}}]");
    scene.apply(&subscription(&scene, &names));
    let azure = until(&scene, "True OwnerHeld");
    assert!(message(&azure, "OwnerRoleVerified").contains("guest@fabrikam.com is a guest"));
    let status = azure.status.unwrap();
    let told: Vec<_> = status
        .owners
        .iter()
        .map(|one| (one.name.as_str(), one.object_id.as_deref(), one.result, one.through, one.warnings.len()))
        .collect();
    assert_eq!(
        told,
        [
            (owner.as_str(), Some(owner.as_str()), OwnerState::Holds, Some(OwnerPath::Direct), 0),
            ("guest@fabrikam.com", Some(ADA), OwnerState::Holds, Some(OwnerPath::Direct), 1),
        ]
    );
    scene.apply(&subscription(&scene, &format!("owners: [{{userPrincipalName: {nobody}}}]")));
    let azure = until(&scene, "False OwnerNotFound");
    assert!(message(&azure, "OwnerRoleVerified").contains(nobody));
}

#[test]
fn owner_is_not_assigned_by_an_operator_that_may_not() {
    let scene = Scene::new(shared().1);
    add_user(&scene, ADA_NAME, ADA, "Member");
    scene.apply(&subscription(&scene, &assign_to_ada()));
    let azure = until(&scene, "False OwnerAssignmentNotAllowed");
    assert_eq!(verdict(&azure, "Stalled"), "True OwnerAssignmentNotAllowed");
    assert!(message(&azure, "Ready").contains("--allow-owner-assignment"));
    assert_eq!(creations(&scene).0, 0);
}

#[test]
fn owner_is_assigned_once_told_of_and_not_fought_over() {
    let mut exclusive = Exclusive::take();
    exclusive.start(ALLOWED);
    let scene = Scene::new(&exclusive.view);
    add_user(&scene, ADA_NAME, ADA, "Member");
    set(&scene, "roleAssignmentDelayMs", 600_000);
    scene.apply(&subscription(&scene, &assign_to_ada()));
    until(&scene, "False OwnerAssignmentPending");
    eleven_minutes_later(&scene);
    scene.ask_anew::<AzureSubscription>("azure");
    let azure = until(&scene, "True OwnerHeld");
    assert!(is_ready(&azure));
    assert_eq!(creations(&scene), (1, 1));
    assert_eq!(scene.event_reasons("azure").iter().filter(|reason| *reason == "OwnerAssigned").count(), 1);

    // Somebody takes it away, and means it.
    owns(&scene, ADA, false);
    scene.ask_anew::<AzureSubscription>("azure");
    let azure = until(&scene, "False OwnerMissing");
    assert!(message(&azure, "OwnerRoleVerified").contains("somebody has taken it away"));
    exclusive.kill_and_start(ALLOWED);
    scene.ask_anew::<AzureSubscription>("azure");
    let request =
        |azure: &AzureSubscription| azure.metadata.annotations.clone().unwrap_or_default().into_values().next();
    scene.until_named("azure", "the new process has looked", |azure: &AzureSubscription| {
        azure.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at == request(azure))
    });
    assert_eq!(creations(&scene), (1, 1));
    // A changed spec asks anew. Deleting takes nothing away.
    let owner = scene.owner_id();
    let both = format!("ownerRole: Assign, owners: [{{userPrincipalName: {ADA_NAME}}}, {{objectId: {owner}}}]");
    set(&scene, "roleAssignmentDelayMs", 0);
    scene.apply(&subscription(&scene, &both));
    until(&scene, "True OwnerHeld");
    assert_eq!(creations(&scene), (2, 2), "who holds it already is assigned nothing");
    scene.delete::<AzureSubscription>("azure");
    scene.until_gone::<AzureSubscription>("azure");
    assert!(scene.requests().iter().all(|request| request["operation"] != "delete_role_assignment"));
}

#[test]
fn what_was_assigned_is_remembered_although_the_object_changes_before_the_next_assignment() {
    let mut exclusive = Exclusive::take();
    exclusive.start(ALLOWED);
    let scene = Scene::new(&exclusive.view);
    add_user(&scene, ADA_NAME, ADA, "Member");
    add_user(&scene, "bob@fabrikam.com", BOB, "Member");
    set(&scene, "roleAssignmentDelayMs", 600_000);
    scene.fault("create_role_assignment", 1, &json!({ "kind": "delay", "delayMs": 800, "applied": true }));
    let owners = format!("ownerRole: Assign, owners: [{{objectId: {ADA}}}, {{objectId: {BOB}}}]");
    scene.apply(&subscription(&scene, &owners));
    eventually("one of them is assigned Owner while somebody changes the object again and again", || {
        scene.ask_anew::<AzureSubscription>("azure");
        (creations(&scene).0 > 0).then_some(())
    });
    until(&scene, "False OwnerAssignmentPending");
    assert_eq!(creations(&scene), (2, 2), "one for each");
}

#[test]
fn killed_between_the_assignment_and_its_status_there_is_one_assignment_in_the_end() {
    let mut exclusive = Exclusive::take();
    let scene = Scene::new(&exclusive.view);
    add_user(&scene, ADA_NAME, ADA, "Member");
    // It takes effect, the answer never comes, and the list is behind for the next process, too.
    set(&scene, "roleAssignmentDelayMs", 600_000);
    let held = json!({ "kind": "delay", "delayMs": 20_000, "applied": true });
    scene.fault("create_role_assignment", 1000, &held);
    exclusive.start(ALLOWED);
    scene.apply(&subscription(&scene, &assign_to_ada()));
    eventually("the assignment has arrived", || (creations(&scene).1 == 1).then_some(()));
    exclusive.stage.operator.kill().unwrap();
    run(scene.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
    let before = creations(&scene).0;
    let found: AzureSubscription = scene.get("azure").unwrap();
    let noted = found.status.map(|status| status.owner_assignments).unwrap_or_default();
    assert_eq!(noted, [], "it was killed before it could note anything");
    exclusive.kill_and_start(ALLOWED);
    until(&scene, "False OwnerAssignmentPending");
    eleven_minutes_later(&scene);
    scene.ask_anew::<AzureSubscription>("azure");
    until(&scene, "True OwnerHeld");
    let (sent, made) = creations(&scene);
    assert!(sent > before, "it was sent again, since nothing told of it");
    assert_eq!(made, 1, "and made once");
}

#[test]
fn a_user_that_azure_does_not_know_yet_becomes_an_owner_as_soon_as_it_does() {
    let mut exclusive = Exclusive::take();
    exclusive.start(ALLOWED);
    let scene = Scene::new(&exclusive.view);
    set(&scene, "principalReplicationMs", 600_000);
    add_user(&scene, ADA_NAME, ADA, "Member");
    scene.apply(&subscription(&scene, &assign_to_ada()));
    until(&scene, "False PrincipalNotFound");
    set(&scene, "principalReplicationMs", 0);
    until(&scene, "True OwnerHeld");
    assert_eq!(creations(&scene).1, 1);
}

#[test]
fn where_the_partner_vouches_for_owner_nobody_looks() {
    let scene = Scene::new(shared().1);
    let nobody = json!({ "subscription": scene.subscription_id(), "principalId": scene.owner_id(), "holds": false });
    run(scene.view.simulator.post("owners", nobody)).unwrap();
    scene.apply(&(subscription(&scene, "ownerRole: Skip") + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    let found = scene.until_verdict("Ready", "True InSync");
    assert_eq!(verdict(&found, "OwnerRoleVerified"), "True Skipped");
    until(&scene, "True Skipped");
    assert_eq!(scene.attempts(), ["create"]);
    let requests = scene.requests();
    assert!(requests.iter().all(|request| request["operation"] != "list_role_assignments"), "{requests:?}");
}
