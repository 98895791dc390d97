//! Partner Center's activity log: what the operator makes of it, and `kubectl csp activity`.

use csp_operator::api::{Activity, ActivityOrigin, Customer, CustomerPurchasePermission};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::plugin::{kubectl_csp, printed};
use crate::scene::{
    ALLOW_RESERVATIONS, PERMISSION, PORTAL_USER, RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, verdict,
};
use crate::stages::{Exclusive, eventually, run, shared};

/// The user whom the operator is signed in as.
const OPERATOR: &str = "operator@contosopartner.onmicrosoft.com";

/// Adds a record that no write made.
fn record(scene: &Scene, id: &str, operation: &str, at: Timestamp, delay_ms: u32) {
    let (customer, id) = (scene.tenant(), format!("{}-{id}", scene.namespace));
    let record = json!({
        "customer": customer, "operation": operation, "user": PORTAL_USER, "at": at, "id": id, "delayMs": delay_ms,
    });
    run(scene.view.simulator.post("audit", record)).unwrap();
}

/// Ids of the records that the status shows, without what makes them unique.
fn shown(scene: &Scene, found: &CustomerPurchasePermission) -> Vec<String> {
    let log = found.status.as_ref().map(|status| status.recent_activity.as_slice()).unwrap_or_default();
    log.iter().map(|one| one.record_id.trim_start_matches(&format!("{}-", scene.namespace)).to_owned()).collect()
}

/// The reasons of the events that tell of records, oldest first.
fn told(scene: &Scene) -> Vec<String> {
    let mut reasons = scene.event_reasons(PERMISSION);
    reasons.retain(|reason| reason.contains("CustomerPurchasePermissions"));
    reasons
}

fn until_records(scene: &Scene, count: usize) -> CustomerPurchasePermission {
    scene.until(&format!("{count} records are shown"), |found| shown(scene, found).len() == count)
}

#[test]
fn what_the_operator_and_people_did_is_printed_as_the_portals_page_shows_it() {
    let (reach, view) = shared();
    let scene = Scene::new(view);
    record(&scene, "before", "create_self_serve_policy", Timestamp::now() - SignedDuration::from_hours(2), 0);
    scene.converge(&format!("{ALLOW_RESERVATIONS}, azureSavingsPlans: Unmanaged"));
    until_records(&scene, 2);
    scene.portal(SAVINGS_PLANS, true);
    until_records(&scene, 3);
    scene.change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    until_records(&scene, 4);
    scene.portal(SAVINGS_PLANS, false);
    until_records(&scene, 5);
    scene.change(&json!({ "azureReservations": "Allow", "acceptBillingResponsibility": true }));
    until_records(&scene, 6);
    scene.change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    let found = until_records(&scene, 7);
    assert_eq!(scene.attempts(), ["create", "update", "create", "delete"]);
    scene.until_named::<Customer>("contoso", "it is ready", is_ready);
    let company = scene.get::<Customer>("contoso").unwrap().status.unwrap().company_name.unwrap();

    let printed_log = printed(reach, &["activity", "contoso", "--namespace", &scene.namespace]);
    let lines: Vec<Vec<_>> = printed_log
        .lines()
        .map(|line| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(lines[0], ["DATE", "ACTION", "USER", "CUSTOMER", "RESULT", "CORRELATION ID"]);
    let own = format!("{OPERATOR} (this operator)");
    let expected = [
        ("Delete", own.as_str()),
        ("Create", &own),
        ("Delete", PORTAL_USER),
        ("Update", &own),
        ("Update", PORTAL_USER),
        ("Create", &own),
        ("Create", PORTAL_USER),
    ];
    let log = found.status.unwrap().recent_activity;
    assert_eq!(lines.len(), 1 + expected.len());
    for ((line, (word, user)), one) in lines[1..].iter().zip(expected).zip(&log) {
        let (at, action) = (one.time.0.to_string(), format!("{word} Customer Purchase Permissions"));
        let correlation = one.correlation_id.clone().unwrap();
        assert_eq!(*line, [at.as_str(), &action, user, &company, "succeeded", &correlation]);
    }

    // Each has its event, which tells the same. What was before the object is history.
    let notes: Vec<_> = scene.events(PERMISSION).into_iter().filter_map(|event| event.note).collect();
    let tells = |note: &String, one: &Activity| {
        let who = if one.origin == ActivityOrigin::Operator {
            format!("this operator as {OPERATOR}")
        } else {
            PORTAL_USER.into()
        };
        let correlation = one.correlation_id.as_deref().unwrap();
        note.starts_with(&format!(
            "{} at {} by {who}: {}, correlation id {correlation}",
            one.operation, one.time.0, one.result
        ))
    };
    let told: Vec<_> = log.iter().map(|one| notes.iter().filter(|note| tells(note, one)).count()).collect();
    assert_eq!(told, [1, 1, 1, 1, 1, 1, 0], "{notes:#?}");

    // Another namespace shows the same records, which are printed once.
    let other = scene.elsewhere();
    other.declare("mode: Observe");
    until_records(&other, 7);
    let all: Vec<Value> =
        serde_json::from_str(&printed(reach, &["activity", "-A", &scene.tenant(), "-o", "json"])).unwrap();
    let ids: Vec<_> = all.iter().map(|entry| entry["recordId"].as_str().unwrap()).collect();
    assert_eq!(ids, log.iter().map(|one| one.record_id.as_str()).collect::<Vec<_>>());
    let recent = printed(reach, &["activity", "contoso", "-n", &scene.namespace, "--since", "1h", "-o", "yaml"]);
    assert_eq!(serde_yaml::from_str::<Vec<Value>>(&recent).unwrap().len(), 6);

    let nobody = kubectl_csp(reach, &["activity", "fabrikam", "-n", &scene.namespace]);
    let sentence =
        format!("error: namespace {} has no Customer \"fabrikam\" and none with that tenant id", scene.namespace);
    assert!(!nobody.success && nobody.stderr.starts_with(&sentence), "{}", nobody.stderr);
}

#[test]
fn late_repeated_unordered_and_unknown_records_are_each_shown_and_told_once() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let own = shown(&scene, &until_records(&scene, 1)).remove(0);
    let now = Timestamp::now() + SignedDuration::from_secs(1);
    record(&scene, "late", "update_self_serve_policy", now, 3_000);
    record(&scene, "unknown", "approve_self_serve_policy", now + SignedDuration::from_secs(1), 0);
    let found = until_records(&scene, 2);
    assert_eq!(shown(&scene, &found), ["unknown".to_owned(), own.clone()]);
    assert_eq!(verdict(&found, "ActivityRecorded"), "True OtherCustomerPurchasePermissionsActivity");
    let found = until_records(&scene, 3);
    assert_eq!(shown(&scene, &found), ["unknown".to_owned(), "late".to_owned(), own]);
    assert_eq!(found.status.unwrap().recent_activity[0].operation, "approve_self_serve_policy", "as it is called");
    // Once more, as a page or a poll that overlaps has it.
    record(&scene, "late", "update_self_serve_policy", now, 0);
    record(&scene, "end", "delete_self_serve_policy", now + SignedDuration::from_secs(2), 0);
    until_records(&scene, 4);
    scene.until_verdict("ActivityRecorded", "True DeleteCustomerPurchasePermissions");
    let mut told = told(&scene);
    told.sort();
    let portal = |word: &str| format!("{word}CustomerPurchasePermissions");
    assert_eq!(told, [portal("Create"), portal("Delete"), format!("{}Activity", portal("Other")), portal("Update")]);
    assert_eq!((scene.attempts(), scene.permitted()), (vec!["create".to_owned()], vec![RESERVATIONS.to_owned()]));
}

fn state(exclusive: &Exclusive) -> Api<ConfigMap> {
    Api::namespaced(exclusive.view.client.clone(), NAMESPACE)
}

/// What is remembered of the feed, once there is a watermark.
fn until_remembered(exclusive: &Exclusive, proven: &str) {
    eventually(&format!("the feed is remembered, proven: {proven}"), || {
        let data = run(state(exclusive).get_opt("csp-operator-state")).unwrap()?.data?;
        (data.contains_key("activityWatermark") && data.get("activityFeedProven")? == proven).then_some(())
    });
}

#[test]
fn a_first_start_reads_the_ninety_days_that_are_kept_and_history_is_no_event() {
    let mut exclusive = Exclusive::take();
    let _ = run(state(&exclusive).delete("csp-operator-state", &DeleteParams::default()));
    let scene = Scene::new(&exclusive.view);
    let days = [1, 29, 30, 31, 60, 88];
    for day in days {
        let at = Timestamp::now() - SignedDuration::from_hours(24 * day);
        record(&scene, &day.to_string(), "update_self_serve_policy", at, 0);
    }
    let policy = json!({ "permissions": [{ "resource": SAVINGS_PLANS, "action": "Purchase" }] });
    let path = format!("customers/{}/policy", scene.tenant());
    run(exclusive.view.simulator.call(Method::PUT, &path, Some(policy))).unwrap();
    exclusive.start(&[]);
    scene.declare("mode: Observe");
    let found = until_records(&scene, days.len());
    assert_eq!(shown(&scene, &found), days.map(|day| day.to_string()));
    let found = scene.until("it says who had it made", |found| found.status.as_ref().unwrap().adopted.is_some());
    assert_eq!(found.status.unwrap().adopted.unwrap().by.as_deref(), Some(PORTAL_USER));
    assert_eq!((told(&scene), scene.attempts()), (vec![], vec![]));
}

#[test]
fn the_feed_is_not_trusted_until_it_has_shown_a_write_of_ours() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&[]);
    eventually("the state exists", || run(state(&exclusive).get_opt("csp-operator-state")).unwrap());
    exclusive.stage.operator.stop().unwrap();
    let hour_ago = (Timestamp::now() - SignedDuration::from_hours(1)).to_string();
    let unproven = json!({ "data": { "activityWatermark": hour_ago, "activityFeedProven": "false" } });
    run(state(&exclusive).patch("csp-operator-state", &PatchParams::default(), &Patch::Merge(unproven))).unwrap();
    let nothing = json!({ "kind": "status", "status": 200, "body": r#"{"items":[]}"# });
    let silence = json!({ "operation": "list_audit_records", "answer": nothing });
    run(exclusive.view.simulator.post("faults", silence)).unwrap();
    exclusive.start(&[]);
    let trusted = |value: &str| {
        let line = format!("csp_operator_activity_feed_trusted {value}");
        eventually(&line, || exclusive.served("metrics").lines().any(|one| one == line).then_some(()));
    };
    trusted("0");
    let scene = Scene::new(&exclusive.view);
    let found = scene.converge(ALLOW_RESERVATIONS);
    assert_eq!(verdict(&found, "ActivityRecorded"), "False RecordPending");
    trusted("0");
    run(exclusive.view.simulator.call(Method::DELETE, "faults", None)).unwrap();
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    trusted("1");
    until_remembered(&exclusive, "true");
}
