//! Who may change purchase permissions: the kind of partner, the role of the signed-in user, and what either means for
//! objects that have nothing to do with it.

use std::time::Duration;

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::outside::credentials;
use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene, is_ready, message, permission, verdict};
use crate::stages::{Exclusive, QUICK, eventually, run};

const USER: &str = "operator@contosopartner.onmicrosoft.com";
const USER_ID: &str = "eeee0000-4444-4d44-8d44-000000000004";
/// More often than anything is tried in a test.
const ALWAYS: u32 = 10_000;

/// A stage whose partner is like this, with its operator running.
fn with_partner(change: Value) -> Exclusive {
    let mut exclusive = Exclusive::take();
    partner(&exclusive, change);
    exclusive.start(&QUICK);
    exclusive
}

fn partner(exclusive: &Exclusive, change: Value) {
    run(exclusive.view.simulator.call(Method::PATCH, "partner", Some(change))).unwrap();
}

/// Gives the signed-in user exactly these roles.
fn roles(exclusive: &Exclusive, roles: &[&str]) {
    run(exclusive.view.simulator.post("partner/user", json!({ "upn": USER, "roles": roles }))).unwrap();
}

fn heal(exclusive: &Exclusive) {
    run(exclusive.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
}

fn other_partner() -> Value {
    json!({ "tenantId": "aaaa1111-2222-4b22-9b22-000000000002", "name": "Litware", "mpnId": "7654321",
            "location": "US", "state": "Active" })
}

/// How often the operation was asked for, whoever it was about.
fn asked(exclusive: &Exclusive, operation: &str) -> u64 {
    let counts = run(exclusive.view.simulator.counts()).unwrap();
    counts.iter().find(|(name, _)| name == operation).map_or(0, |(_, count)| *count)
}

/// While Partner Center takes no write, what is known before any is shown; then it is granted.
fn check_granted(exclusive: &Exclusive, before_any_write: &str) -> Scene {
    let scene = Scene::new(&exclusive.view);
    scene.fault("create_self_serve_policy", ALWAYS, &json!({ "kind": "status", "status": 500 }));
    scene.declare(ALLOW_RESERVATIONS);
    scene.until_verdict("PartnerAuthorized", before_any_write);
    heal(exclusive);
    scene.until_verdict("Ready", "True InSync");
    scene.until_verdict("PartnerAuthorized", "True WriteAccepted");
    assert_eq!(scene.writes(), ["create"]);
    scene
}

#[test]
fn a_direct_bill_partner_with_an_admin_agent_is_known_to_be_allowed_before_it_writes() {
    let exclusive = with_partner(json!({ "type": "DirectBill" }));
    run(exclusive.view.simulator.forget_requests()).unwrap();
    check_granted(&exclusive, "True AdminAgent");
    // Whoever comes later asks no more.
    Scene::new(&exclusive.view).converge(ALLOW_RESERVATIONS);
    assert_eq!((asked(&exclusive, "list_relationships"), asked(&exclusive, "list_my_groups")), (2, 1));
}

#[test]
fn an_indirect_provider_with_an_admin_agent_is_known_to_be_allowed_before_it_writes() {
    let exclusive = with_partner(json!({ "type": "IndirectProvider", "relatedPartners": [other_partner()] }));
    run(exclusive.view.simulator.forget_requests()).unwrap();
    check_granted(&exclusive, "True AdminAgent");
    assert_eq!(asked(&exclusive, "list_relationships"), 1);
}

#[test]
fn an_indirect_reseller_is_told_that_it_grants_nothing() {
    let mut exclusive = with_partner(json!({ "type": "IndirectReseller", "relatedPartners": [other_partner()] }));
    let scene = Scene::new(&exclusive.view);
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until_verdict("PartnerAuthorized", "False IndirectReseller");
    assert_eq!(verdict(&found, "Ready"), "False IndirectReseller");
    assert!(message(&found, "Ready").contains("ask the indirect provider"), "{}", message(&found, "Ready"));
    assert_eq!(scene.attempts(), Vec::<String>::new());
    partner(&exclusive, json!({ "type": "DirectBill", "relatedPartners": [] }));
    exclusive.kill_and_start(&QUICK);
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.writes(), ["create"]);
}

/// A user of this role reads everything; a grant waits without a write, until the user is an Admin agent.
fn check_read_only(role: &str, promote: impl Fn(&Exclusive)) {
    let mut exclusive = Exclusive::take();
    roles(&exclusive, &[role]);
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until_verdict("PartnerAuthorized", "False NotAdminAgent");
    assert_eq!(
        (verdict(&found, "Ready"), verdict(&found, "Stalled")),
        ("False NotAdminAgent".into(), "True NotAdminAgent".into())
    );
    for (readable, shown) in [
        ("CustomerResolved", "True Resolved"),
        ("AzureSubscriptionVerified", "True Active"),
        // Azure shows its role assignments to Admin agents only.
        ("OwnerRoleVerified", "Unknown OwnerUnknown"),
        ("Synced", "False PrerequisitesNotMet"),
    ] {
        scene.until_verdict(readable, shown);
    }
    promote(&exclusive);
    // A person who has just given the role need not wait for the next look.
    scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.attempts(), ["create"], "{role}: nothing was tried before");
}

#[test]
fn a_sales_agent_reads_and_never_writes_until_it_is_made_an_admin_agent() {
    check_read_only("SalesAgent", |exclusive| roles(exclusive, &["SalesAgent", "AdminAgent"]));
}

#[test]
fn a_helpdesk_agent_reads_and_never_writes_until_a_group_of_its_own_is_nested_in_admin_agents() {
    check_read_only("HelpdeskAgent", |exclusive| {
        let group = |id: &str, members: &str, member_of: &[&str]| {
            json!({ "id": format!("9{id}000000-0000-4000-8000-000000000009"), "name": "Cloud team",
                    "members": [members], "memberOf": member_of })
        };
        let outer = "91000000-0000-4000-8000-000000000009";
        let inner = group("0", USER_ID, &[]);
        let outer = json!({ "id": outer, "name": "All teams", "members": [inner["id"]], "memberOf": ["AdminAgent"] });
        partner(exclusive, json!({ "groups": [inner, outer] }));
    });
}

#[test]
fn without_consent_for_graph_the_write_is_the_test_and_one_refusal_is_enough_for_everybody() {
    let mut exclusive = with_partner(json!({ "graph": [] }));
    check_granted(&exclusive, "Unknown Unverified");

    roles(&exclusive, &["SalesAgent"]);
    exclusive.kill_and_start(&QUICK);
    // So slow that all are due before the first is refused.
    run(exclusive.view.simulator.set(json!({ "latencyMs": 300 }))).unwrap();
    let scenes: Vec<_> = (0..5).map(|_| Scene::new(&exclusive.view)).collect();
    for scene in &scenes {
        // Azure would not show the owners to this user.
        scene.apply(&(scene.customer() + &scene.subscription().replace("owners:", "ownerRole: Skip, owners:")));
        scene.apply(&permission(PERMISSION, ALLOW_RESERVATIONS));
    }
    for scene in &scenes {
        let found = scene.until_verdict("PartnerAuthorized", "False NotAdminAgent");
        assert_eq!(verdict(&found, "Stalled").split(' ').next(), Some("True"));
    }
    let attempts = || scenes.iter().flat_map(Scene::attempts).collect::<Vec<_>>();
    assert_eq!(attempts(), ["create: no effect"]);
    std::thread::sleep(Duration::from_secs(3));
    for scene in &scenes {
        scene.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(attempts(), ["create: no effect"], "once an hour");
}

#[test]
fn one_customers_refusal_among_accepted_writes_is_that_customers_and_a_second_ones_is_everybodys() {
    let exclusive = with_partner(json!({ "graph": [] }));
    let refused = json!({ "kind": "status", "status": 403, "code": "2032", "description": "Access denied" });
    Scene::new(&exclusive.view).converge(ALLOW_RESERVATIONS);

    let odd = Scene::new(&exclusive.view);
    odd.fault("create_self_serve_policy", ALWAYS, &refused);
    odd.declare(ALLOW_RESERVATIONS);
    let found = odd.until_verdict("Synced", "False WriteRefused");
    assert_eq!(verdict(&found, "PartnerAuthorized"), "True WriteAccepted");
    assert!(message(&found, "Stalled").contains("about the customer alone"), "{}", message(&found, "Stalled"));
    Scene::new(&exclusive.view).converge(ALLOW_RESERVATIONS);

    // That one was accepted: the next refusal is again the first.
    let second = Scene::new(&exclusive.view);
    for scene in [&odd, &second] {
        scene.fault("create_self_serve_policy", ALWAYS, &refused);
    }
    odd.ask_anew::<CustomerPurchasePermission>(PERMISSION);
    eventually("it was tried again", || (odd.attempts().len() > 1).then_some(()));
    second.declare(ALLOW_RESERVATIONS);
    second.until_verdict("PartnerAuthorized", "False NotAdminAgent");
    let third = Scene::new(&exclusive.view);
    third.declare(ALLOW_RESERVATIONS);
    third.until_verdict("PartnerAuthorized", "False NotAdminAgent");
    assert_eq!(third.attempts(), Vec::<String>::new());
}

#[test]
fn a_programme_that_is_said_to_be_inactive_stands_in_the_way_no_longer_than_it_is_said() {
    let exclusive = with_partner(json!({}));
    let scene = Scene::new(&exclusive.view);
    let refused = json!({ "kind": "status", "status": 403, "code": "900149", "description": "Not active." });
    scene.fault("get_customer", ALWAYS, &refused);
    scene.declare(ALLOW_RESERVATIONS);
    scene.until_verdict("PartnerAuthorized", "False ProgramNotActive");
    assert_eq!(scene.attempts(), Vec::<String>::new());
    heal(&exclusive);
    // Anybody's customer will do: what is refused is refused to the partner.
    let other = Scene::new(&exclusive.view);
    other.apply(&other.customer());
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn group_names_that_graph_hides_prove_nothing_and_the_message_says_what_to_consent_to() {
    let exclusive = with_partner(json!({ "graph": ["User.Read"] }));
    let scene = Scene::new(&exclusive.view);
    scene.fault("create_self_serve_policy", ALWAYS, &json!({ "kind": "status", "status": 500 }));
    scene.declare(ALLOW_RESERVATIONS);
    let found = scene.until_verdict("PartnerAuthorized", "Unknown Unverified");
    let told = message(&found, "PartnerAuthorized");
    assert!(told.contains("GroupMember.Read.All"), "{told}");
    heal(&exclusive);
    scene.until_verdict("Ready", "True InSync");
}

#[test]
fn a_graph_that_fails_blocks_nothing() {
    let exclusive = with_partner(json!({}));
    for operation in ["list_my_groups", "list_relationships"] {
        let fault = json!({ "operation": operation, "answer": { "kind": "status", "status": 503 } });
        run(exclusive.view.simulator.post("faults", fault)).unwrap();
    }
    Scene::new(&exclusive.view).converge(ALLOW_RESERVATIONS);
}

/// What the operator's metrics say.
fn metrics(exclusive: &Exclusive) -> String {
    exclusive.served("metrics")
}

/// Events about the operator's present Lease, by reason.
pub(crate) fn events_of_the_operator(exclusive: &Exclusive, reason: &str) -> usize {
    let leases: Api<Lease> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
    let lease = run(leases.get("csp-operator")).unwrap();
    let events: Api<Event> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
    let events = run(events.list(&ListParams::default())).unwrap();
    let is_it = |event: &&Event| {
        let regarding = event.regarding.as_ref().and_then(|about| about.uid.clone());
        regarding == lease.uid() && event.reason.as_deref() == Some(reason)
    };
    events.iter().filter(is_it).count()
}

#[test]
fn a_refused_sign_in_moves_no_object_that_holds_what_is_declared_and_is_told_once() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scenes: Vec<_> = (0..8).map(|_| Scene::new(&exclusive.view)).collect();
    for scene in &scenes {
        scene.declare(ALLOW_RESERVATIONS);
    }
    for scene in &scenes {
        scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
        scene.until_named::<Customer>("contoso", "it is ready", is_ready);
        scene.until_named::<AzureSubscription>("azure", "it is ready", is_ready);
    }
    let versions = || -> Vec<_> {
        scenes
            .iter()
            .flat_map(|scene| {
                [
                    scene.permission().resource_version(),
                    scene.get::<Customer>("contoso").unwrap().resource_version(),
                    scene.get::<AzureSubscription>("azure").unwrap().resource_version(),
                ]
            })
            .collect()
    };
    let before = versions();
    let is_denied = || metrics(&exclusive).contains("partner_denied{reason=\"CredentialsInvalid\"} 1");
    assert!(!is_denied());

    credentials(&exclusive, "simulated-client-secret", "wrong");
    eventually("the metric tells of it", || is_denied().then_some(()));
    let told = eventually("an event tells of it", || {
        Some(events_of_the_operator(&exclusive, "CredentialsInvalid")).filter(|count| *count > 0)
    });
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(told, events_of_the_operator(&exclusive, "CredentialsInvalid"), "once, and not with every poll");
    assert_eq!(versions(), before);
    // Nor does a new process, which cannot even begin to follow the activity log, touch them.
    exclusive.kill_and_start(&QUICK);
    let is_denied = || metrics(&exclusive).contains("partner_denied{reason=\"CredentialsInvalid\"} 1");
    eventually("the metric tells of it again", || is_denied().then_some(()));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(versions(), before);

    credentials(&exclusive, "", "");
    eventually("the metric tells that it is over", || (!is_denied()).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(versions(), before);
}

#[test]
fn the_credentials_of_another_partner_are_used_for_nothing_and_release_nothing() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    let states: Api<ConfigMap> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
    eventually("the partner is remembered", || {
        run(states.get_opt("csp-operator-state")).unwrap()?.data?.remove("partnerTenantId")
    });
    let other = "aaaa1111-2222-4b22-9b22-000000000002";
    credentials(&exclusive, "aaaa0000-2222-4b22-9b22-000000000002", other);
    let denied = "partner_denied{reason=\"OtherPartner\"} 1";
    eventually("the metric tells of it", || metrics(&exclusive).contains(denied).then_some(()));
    run(exclusive.view.simulator.forget_requests()).unwrap();
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    let found = scene.until_verdict("Ready", "False RevokePending");
    assert!(message(&found, "Ready").contains("delete the ConfigMap"), "{}", message(&found, "Ready"));
    assert_eq!(run(exclusive.view.simulator.counts()).unwrap(), [], "nothing is asked, not even for a token");
    credentials(&exclusive, "", "");
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.permitted(), Vec::<String>::new());
}
