//! What the operator is for: declared, checked, written once, shown, and then left alone.

use std::time::{Duration, Instant};

use csp_operator::api::{ActivityOrigin, AzureSubscription, Customer, CustomerPurchasePermission, SwitchState};
use csp_operator::plan::schedule::latest_turn;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use local_cluster::audit::Counts;

use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, Kind, PERMISSION, RESERVATIONS, Scene, message, verdict};
use crate::stages::shared;

/// Writes about one object: to it, to its status, and events about it.
fn writes_about<K: Kind>(scene: &Scene, writes: &Counts, name: &str) -> u64 {
    let resource = format!("{}.csp-operator.dev", K::plural(&()));
    let patches = writes.only(|request| request.resource.starts_with(&resource)).total();
    patches + u64::try_from(scene.events(name).len()).unwrap()
}

#[test]
fn what_is_declared_becomes_true_with_one_write_and_few_words() {
    let scene = Scene::new(shared().1);
    scene.declare(ALLOW_BOTH);
    let kubectl = |arguments: &[&str]| shared().0.kubectl(&[&["--namespace", &scene.namespace], arguments].concat());
    kubectl(&["wait", "--for=condition=Ready", "--timeout=30s", "cust/contoso", "azsub/azure", "cpp/permission"])
        .unwrap();
    assert_eq!(scene.attempts(), ["create"]);
    assert_eq!(scene.permitted(), ["AzureReservedInstances", "AzureSavingsPlan"]);

    // Ready first, then its record: what is written until then is counted by what the status still lacks.
    let permission = scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    if scene.is_audited() {
        let writes = scene.kubernetes_writes();
        let (customer, subscription, own) = (
            writes_about::<Customer>(&scene, &writes, "contoso"),
            writes_about::<AzureSubscription>(&scene, &writes, "azure"),
            writes_about::<CustomerPurchasePermission>(&scene, &writes, PERMISSION),
        );
        assert!(customer <= 3 && subscription <= 3, "{customer} {subscription}\n{writes}");
        assert!(own <= 5, "three until Ready and two for the record, but {own}\n{writes}");
        assert!(writes.total() <= 3 + 3 + 5, "refused and repeated ones count as well\n{writes}");
    }

    for (type_, expected) in [
        ("Ready", "True InSync"),
        ("Reconciling", "False Idle"),
        ("Stalled", "False NotStalled"),
        ("CustomerResolved", "True Resolved"),
        ("PartnerAuthorized", "True WriteAccepted"),
        ("AzureSubscriptionVerified", "True Active"),
        ("OwnerRoleVerified", "True OwnerHeld"),
        ("Synced", "True InSync"),
    ] {
        assert_eq!(verdict(&permission, type_), expected, "{type_}");
    }
    for condition in permission.conditions() {
        assert!(!condition.reason.is_empty() && !condition.message.is_empty(), "{condition:?}");
        assert_eq!(condition.observed_generation, permission.metadata.generation, "{condition:?}");
    }
    let status = permission.status.as_ref().unwrap();
    let effective = status.effective.clone().unwrap();
    assert_eq!(effective.azure_reservations.unwrap().state, SwitchState::Allow);
    assert_eq!(effective.azure_savings_plans.unwrap().state, SwitchState::Allow);
    assert!(status.policy_id.as_ref().unwrap().ends_with(&scene.tenant()));
    let [record] = status.recent_activity.as_slice() else { panic!("{:?}", status.recent_activity) };
    assert_eq!(record.operation, "Create Customer Purchase Permissions");
    assert_eq!(record.origin, ActivityOrigin::Operator);
    assert!(message(&permission, "ActivityRecorded").contains(record.correlation_id.as_ref().unwrap()));
    assert_eq!(permission.annotations()["csp-operator.dev/customer-tenant-id"], scene.tenant());
    assert_eq!(permission.finalizers(), ["csp-operator.dev/revoke"]);
    assert_eq!(scene.event_reasons(PERMISSION), ["InSync", "CreateCustomerPurchasePermissions"]);
    let described = kubectl(&["describe", "cpp", "permission"]).unwrap();
    assert!(described.contains("Normal  CreateCustomerPurchasePermissions  "), "{described}");
}

#[test]
fn a_permission_that_holds_already_is_ready_without_a_write() {
    let scene = Scene::new(shared().1);
    scene.portal(RESERVATIONS, true);
    // Objects are as old as the second they were made in: the record must be from an earlier one.
    std::thread::sleep(Duration::from_millis(1100));
    let permission = scene.converge(ALLOW_RESERVATIONS);
    assert_eq!(scene.attempts(), Vec::<String>::new());
    // What happened before the object was made is shown, not announced.
    let permission = if permission.status.as_ref().unwrap().recent_activity.is_empty() {
        scene.until("the record is shown", |permission| !permission.status.as_ref().unwrap().recent_activity.is_empty())
    } else {
        permission
    };
    assert_eq!(permission.status.unwrap().recent_activity[0].origin, ActivityOrigin::Other);
    assert_eq!(scene.event_reasons(PERMISSION), Vec::<String>::new(), "nothing has happened");
}

#[test]
fn denying_what_is_off_needs_neither_prerequisites_nor_a_write() {
    let scene = Scene::new(shared().1);
    scene.apply(&scene.customer());
    scene.apply(
        "{kind: CustomerPurchasePermission, metadata: {name: permission}, spec: {customerRef: {name: contoso}}}",
    );
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.attempts(), Vec::<String>::new());
}

#[test]
fn a_changed_spec_is_one_write_more() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.change(&serde_json::json!({ "azureSavingsPlans": "Allow" }));
    scene.until("both are on", |_| scene.permitted().len() == 2);
    scene.change(&serde_json::json!({ "azureReservations": "Deny" }));
    scene.until("one is off", |_| scene.permitted() == ["AzureSavingsPlan"]);
    // What goes off goes off first, and alone.
    scene.change(&serde_json::json!({ "azureReservations": "Allow", "azureSavingsPlans": "Deny" }));
    scene.until("the other one is on", |_| scene.permitted() == [RESERVATIONS]);
    assert_eq!(scene.attempts(), ["create", "update", "update", "delete", "create"]);
    scene.change(&serde_json::json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    scene.until("the policy is gone", |permission| {
        permission.status.as_ref().is_some_and(|status| status.policy_id.is_none()) && scene.permitted().is_empty()
    });
    assert_eq!(scene.attempts(), ["create", "update", "update", "delete", "create", "delete"]);
    scene.until("all records are told", |_| {
        scene.event_reasons(PERMISSION).iter().filter(|reason| reason.contains("CustomerPurchasePermissions")).count()
            == 6
    });
}

/// How long nothing may happen, in seconds.
fn idle() -> Duration {
    let seconds = std::env::var("CSP_TEST_IDLE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

#[test]
fn nothing_is_written_while_nothing_changes() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    scene.until_named("contoso", "it tells that something may be bought", |found: &Customer| {
        found.status.as_ref().is_some_and(|status| status.purchases_permitted.is_some())
    });
    let versions = || {
        let version = |object: Option<String>| object.unwrap();
        [
            version(scene.get::<Customer>("contoso").and_then(|object| object.resource_version())),
            version(scene.get::<AzureSubscription>("azure").and_then(|object| object.resource_version())),
            version(scene.get::<CustomerPurchasePermission>(PERMISSION).and_then(|object| object.resource_version())),
        ]
    };
    let start = Timestamp::now();
    let writes = || scene.is_audited().then(|| scene.kubernetes_writes().to_string());
    let (before, written, requests) = (versions(), writes(), scene.requests().len());
    let end = Instant::now() + idle();
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(versions(), before, "{}", scene.explain::<CustomerPurchasePermission>(PERMISSION));
    }
    assert_eq!(writes(), written);
    // In the first hour after its first start the operator reads every policy once, at a moment that the UID decides; all
    // else once a day. One such moment may lie in this window.
    let uid = |object: Option<String>| object.unwrap();
    let turns = [
        (uid(scene.get::<CustomerPurchasePermission>(PERMISSION).and_then(|object| object.uid())), 1),
        (uid(scene.get::<Customer>("contoso").and_then(|object| object.uid())), 24),
        (uid(scene.get::<AzureSubscription>("azure").and_then(|object| object.uid())), 24),
    ];
    let is_due =
        |(uid, hours): &(String, i64)| latest_turn(uid, SignedDuration::from_hours(*hours), Timestamp::now()) >= start;
    let may_be_read = turns.iter().any(is_due);
    assert!(
        may_be_read || scene.requests().len() == requests,
        "the customer was read although nothing pointed to a change: {:?}",
        &scene.requests()[requests..]
    );
}
