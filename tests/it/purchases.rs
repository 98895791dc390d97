//! What customers buy, made visible: who bought it on what evidence, what Azure does not show, and what ends soon. None of
//! it writes anything outside, and every reading costs a known number of calls.

use csp_operator::api::{Customer, CustomerPurchasePermission, Purchase, PurchaseKind, PurchasedBy};
use csp_operator::plan::schedule::next_turn;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use reqwest::Method;
use serde_json::{Value, json};

use crate::plugin::kubectl_csp;
use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, Scene, is_ready, message, verdict};
use crate::stages::{Exclusive, QUICK, View, run, shared};

const CUSTOMER: &str = "contoso";

/// A customer that may buy, on the stage that is shared.
fn permitted(spec: &str) -> Scene {
    let scene = Scene::new(shared().1);
    scene.converge(spec);
    scene
}

/// Somebody buys something; gives the ids.
fn buy(scene: &Scene, what: Value) -> Value {
    run(scene.view.simulator.post(&format!("customers/{}/purchases", scene.tenant()), what)).unwrap()
}

/// Has everything about the Customer read anew, and waits until that is shown.
fn read_anew(scene: &Scene) -> Customer {
    scene.ask_anew::<Customer>(CUSTOMER);
    let request = |found: &Customer| {
        found.metadata.annotations.clone().unwrap_or_default().get("csp-operator.dev/reconcile").cloned()
    };
    scene.until_named(CUSTOMER, "it was read anew", |found: &Customer| {
        found.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at == request(found))
    })
}

fn purchases(customer: &Customer) -> Vec<Purchase> {
    customer.status.clone().unwrap_or_default().purchases
}

/// Waits until the first purchase that is shown is so.
fn until_first(scene: &Scene, what: &str, is_so: impl Fn(&Purchase) -> bool) -> Purchase {
    let first = |found: &Customer| purchases(found).into_iter().next();
    let found = scene.until_named(CUSTOMER, what, |found| first(found).is_some_and(|first| is_so(&first)));
    first(&found).unwrap()
}

/// How often the customer's orders, entitlements, reservations, savings plans and roles on orders were read.
fn readings(scene: &Scene) -> [usize; 5] {
    let requests = scene.requests();
    let count = |operation: &str| requests.iter().filter(|request| request["operation"] == operation).count();
    ["list_orders", "list_entitlements", "list_reservations", "list_savings_plans", "list_reservation_role_assignments"]
        .map(count)
}

/// How many events of this reason the Customer and its permission have.
fn told(scene: &Scene, reason: &str) -> [usize; 2] {
    [CUSTOMER, PERMISSION].map(|name| scene.event_reasons(name).iter().filter(|one| *one == reason).count())
}

fn access(scene: &Scene, purchases: bool) {
    let path = format!("customers/{}/access", scene.tenant());
    run(scene.view.simulator.call(Method::PATCH, &path, Some(json!({ "purchases": purchases })))).unwrap();
}

#[test]
fn a_purchase_is_told_once_and_its_buyer_when_the_record_comes_late() {
    let scene = permitted(ALLOW_RESERVATIONS);
    assert_eq!(readings(&scene), [0; 5]);
    // Only the partner's group has a role on what the partner buys, which tells nothing.
    let bought = buy(&scene, json!({ "kind": "reservation", "buyer": "partner", "quantity": 2, "auditDelayMs": 4000 }));
    let found = read_anew(&scene);
    assert_eq!(verdict(&found, "PurchasesRecorded"), "True Recorded");
    let first = purchases(&found).remove(0);
    assert_eq!((first.purchased_by, first.kind), (PurchasedBy::Unknown, PurchaseKind::Reservation));
    assert!(first.evidence.contains("no activity record"), "{}", first.evidence);
    assert_eq!((json!(first.id), json!(first.azure_order_id)), (bought["id"].clone(), bought["azureOrderId"].clone()));
    assert_eq!(
        (json!(first.order_id), first.quantity, first.term.as_deref()),
        (bought["orderId"].clone(), Some(2), Some("P1Y"))
    );
    assert_eq!((first.scope_type.as_deref(), first.region.as_deref()), (Some("Shared"), Some("westeurope")));
    assert_eq!((first.renews, first.utilization_percent), (Some(false), Some(100)));
    assert_eq!(told(&scene, "ReservationPurchased"), [1, 1]);

    let first = until_first(&scene, "the buyer is known", |first| first.purchased_by == PurchasedBy::Partner);
    assert!(first.evidence.contains("operator@contosopartner.onmicrosoft.com"), "{}", first.evidence);
    // The record brought what was missing, and cost nothing about the customer.
    assert_eq!(readings(&scene), [0, 1, 1, 1, 1]);
    assert_eq!(told(&scene, "ReservationPurchased"), [1, 1]);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn a_purchase_without_a_record_is_the_customers_by_its_role_and_a_lost_status_tells_it_no_second_time() {
    let scene = permitted(ALLOW_RESERVATIONS);
    buy(&scene, json!({ "kind": "reservation", "buyer": "customer" }));
    let first = purchases(&read_anew(&scene)).remove(0);
    assert_eq!(first.purchased_by, PurchasedBy::Customer);
    assert!(
        first.evidence.contains(&scene.owner_id()) && first.evidence.contains("no activity record"),
        "{}",
        first.evidence
    );
    assert_eq!(readings(&scene), [0, 1, 1, 1, 1]);
    // A crash between event and status leaves just this.
    let nothing = Patch::Merge(json!({ "status": { "purchases": null } }));
    run(scene.api::<Customer>().patch_status(CUSTOMER, &PatchParams::default(), &nothing)).unwrap();
    assert_eq!(purchases(&read_anew(&scene)), [first]);
    assert_eq!(told(&scene, "ReservationPurchased"), [1, 1]);
    // Asked once more if the operator had seen the loss before it read. Settled either way: nobody asks again who has a role on it.
    let asked = readings(&scene)[4];
    read_anew(&scene);
    assert_eq!(readings(&scene), [0, 3, 3, 3, asked]);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn an_order_in_the_activity_log_is_looked_at_without_being_asked() {
    let scene = permitted(ALLOW_RESERVATIONS);
    // Also when everything has been read a moment ago.
    assert_eq!(verdict(&read_anew(&scene), "PurchasesRecorded"), "Unknown NothingShown");
    buy(&scene, json!({ "kind": "reservation", "buyer": "customer", "audit": true }));
    let first = until_first(&scene, "it is found", |first| first.purchased_by == PurchasedBy::Customer);
    assert!(first.evidence.contains("activity log"), "{}", first.evidence);
    assert_eq!(readings(&scene), [0, 2, 2, 2, 1]);
    assert_eq!(told(&scene, "ReservationPurchased"), [1, 1]);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn an_empty_list_for_want_of_access_is_told_and_takes_nothing_away() {
    let scene = permitted(ALLOW_RESERVATIONS);
    access(&scene, false);
    let bought = buy(&scene, json!({ "kind": "reservation", "buyer": "customer", "quantity": 3 }));
    let found = read_anew(&scene);
    assert_eq!(verdict(&found, "PurchasesRecorded"), "Unknown AccessMissing");
    let order = bought["azureOrderId"].as_str().unwrap();
    let said = message(&found, "PurchasesRecorded");
    assert!(
        said.starts_with(&format!(
            "Partner Center lists 1 reservation that Azure does not show (reservation order {order})"
        )),
        "{said}"
    );
    assert_eq!(verdict(&found, "Ready"), "True Resolved", "that holds up nothing");
    let hidden = purchases(&found).remove(0);
    assert_eq!((hidden.state.as_str(), hidden.quantity, hidden.term.as_deref()), ("NotShown", Some(3), Some("P1Y")));
    assert_eq!(hidden.purchased_by, PurchasedBy::Unknown);
    assert!(hidden.purchased_at.is_some() && hidden.expires_at.is_some());
    // Only the order tells when it was bought.
    assert_eq!(readings(&scene), [1, 1, 1, 1, 0]);

    access(&scene, true);
    let found = read_anew(&scene);
    assert_eq!(verdict(&found, "PurchasesRecorded"), "True Recorded");
    let shown = purchases(&found);
    assert_eq!((shown.len(), shown[0].state.as_str(), shown[0].purchased_by), (1, "Succeeded", PurchasedBy::Customer));

    access(&scene, false);
    let found = read_anew(&scene);
    assert_eq!((verdict(&found, "PurchasesRecorded").as_str(), purchases(&found)), ("Unknown AccessMissing", shown));
    assert_eq!(told(&scene, "ReservationPurchased"), [1, 1], "one purchase, however it was seen");
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn a_list_that_azure_refuses_hides_no_other_and_is_named() {
    let scene = permitted(ALLOW_BOTH);
    buy(&scene, json!({ "kind": "reservation", "buyer": "customer" }));
    buy(&scene, json!({ "kind": "savingsPlan", "buyer": "customer" }));
    scene.fault("list_savings_plans", 1, &json!({ "kind": "status", "status": 403 }));
    scene.fault("list_reservation_role_assignments", 1, &json!({ "kind": "status", "status": 403 }));
    let found = read_anew(&scene);
    assert_eq!(verdict(&found, "PurchasesRecorded"), "Unknown AccessMissing");
    let text = message(&found, "PurchasesRecorded");
    assert!(
        text.starts_with("Azure's savings plans are missing: ") && text.contains("the role Savings plan Reader"),
        "{text}"
    );
    let first = purchases(&found);
    assert_eq!(
        (first.len(), first[0].kind, first[0].purchased_by),
        (1, PurchaseKind::Reservation, PurchasedBy::Unknown)
    );
    assert!(first[0].evidence.starts_with("who has a role on it cannot be read (Forbidden)"), "{}", first[0].evidence);
    assert_eq!((told(&scene, "ReservationPurchased"), told(&scene, "SavingsPlanPurchased")), ([1, 1], [0, 0]));

    let found = read_anew(&scene);
    assert_eq!((verdict(&found, "PurchasesRecorded").as_str(), purchases(&found).len()), ("True Recorded", 2));
    let known = purchases(&found);
    scene.fault("list_reservations", 1, &json!({ "kind": "status", "status": 403 }));
    let found = read_anew(&scene);
    assert_eq!((verdict(&found, "PurchasesRecorded").as_str(), purchases(&found)), ("Unknown AccessMissing", known));
    assert_eq!((told(&scene, "ReservationPurchased"), told(&scene, "SavingsPlanPurchased")), ([1, 1], [1, 1]));
    // Orders: for the savings plan's evidence, and for what Azure did not show.
    assert_eq!(readings(&scene), [2, 3, 3, 3, 2]);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn a_savings_plan_shows_only_in_azure_and_who_bought_it_stays_open() {
    let scene = permitted(ALLOW_BOTH);
    let bought = buy(
        &scene,
        json!({ "kind": "savingsPlan", "buyer": "customer", "term": "P3Y", "subscription": scene.subscription_id() }),
    );
    assert_eq!(bought["orderId"], Value::Null);
    let found = read_anew(&scene);
    let plan = purchases(&found).remove(0);
    assert_eq!(
        (plan.kind, plan.purchased_by, &plan.order_id),
        (PurchaseKind::SavingsPlan, PurchasedBy::Unknown, &None)
    );
    assert!(plan.evidence.contains("bought in the Azure portal"), "{}", plan.evidence);
    assert_eq!((plan.commitment.as_deref(), plan.term.as_deref()), (Some("0.5 USD Hourly"), Some("P3Y")));
    assert_eq!(plan.scopes, [format!("/subscriptions/{}", scene.subscription_id())]);
    assert_eq!(verdict(&found, "PurchasesRecorded"), "True Recorded");
    assert_eq!((told(&scene, "SavingsPlanPurchased"), told(&scene, "ReservationPurchased")), ([1, 1], [0, 0]));
    assert_eq!(readings(&scene), [1, 1, 1, 1, 0]);

    // Partner Center lists nothing of it: that the list of Azure is empty all at once is all there is to go by.
    access(&scene, false);
    let found = read_anew(&scene);
    assert_eq!(verdict(&found, "PurchasesRecorded"), "Unknown AccessMissing");
    assert!(message(&found, "PurchasesRecorded").contains("that was known before and has not ended"));
    assert_eq!(purchases(&found), [plan]);
    assert_eq!(told(&scene, "SavingsPlanPurchased"), [1, 1]);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn all_of_it_is_printed_with_what_cannot_be_seen() {
    let (reach, view) = shared();
    let scene = Scene::new(view);
    let in_namespace = |rest: &[&str]| {
        let arguments = [&["purchases", "-n", &scene.namespace], rest].concat();
        kubectl_csp(reach, &arguments)
    };
    scene.converge(ALLOW_BOTH);
    let none = in_namespace(&[]);
    let sentence = format!("No purchases known in namespace {}.", scene.namespace);
    assert!(none.success && none.stdout.is_empty() && none.stderr.trim() == sentence, "{none:?}");
    assert!(in_namespace(&[CUSTOMER]).stderr.contains("for the first time within the hour"));

    buy(&scene, json!({ "kind": "reservation", "buyer": "customer", "quantity": 2, "name": "Web servers" }));
    buy(&scene, json!({ "kind": "savingsPlan", "buyer": "customer" }));
    let found = read_anew(&scene);
    let printed = in_namespace(&[]).stdout;
    let lines: Vec<Vec<_>> = printed
        .lines()
        .map(|line| line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!((lines.len(), lines[0][0]), (3, "CUSTOMER"), "{printed}");
    let line = |name: &str| lines.iter().find(|line| line.contains(&name)).unwrap().clone();
    let company = found.status.as_ref().unwrap().company_name.clone().unwrap();
    let web = line("Web servers");
    assert_eq!(web[..6], [company.as_str(), "Reservation", "Web servers", "2", "P1Y", "Shared"]);
    assert_eq!(web[8..], ["no", "100%", "Customer", "Succeeded"]);
    assert_eq!(line("0.5 USD Hourly")[10], "Unknown");
    // Another namespace shows the same, which is printed once.
    let other = scene.elsewhere();
    other.apply(&other.customer());
    let all: Vec<Value> =
        serde_json::from_str(&kubectl_csp(reach, &["purchases", "-A", &scene.tenant(), "-o", "json"]).stdout).unwrap();
    let ids: Vec<_> = all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, purchases(&found).into_iter().map(|one| one.id).collect::<Vec<_>>());
    assert_eq!(all[0]["customer"]["tenantId"], scene.tenant());

    access(&scene, false);
    read_anew(&scene);
    let hidden = in_namespace(&[]);
    assert_eq!(hidden.stdout, printed, "what is known stays");
    assert!(hidden.stderr.contains(&format!("{}/contoso: AccessMissing:", scene.namespace)), "{}", hidden.stderr);
    let nobody = in_namespace(&["fabrikam"]);
    assert!(!nobody.success && nobody.stderr.contains("has no Customer \"fabrikam\""), "{}", nobody.stderr);
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn what_nobody_permitted_costs_no_call_and_what_was_there_before_is_no_news() {
    let denied = Scene::new(shared().1);
    buy(&denied, json!({ "kind": "reservation", "buyer": "partner", "audit": false }));
    // Times are told to the second.
    let second = Timestamp::now().as_second();
    crate::stages::eventually("the next second", || (Timestamp::now().as_second() > second).then_some(()));
    denied.converge("azureReservations: Deny");
    let found = read_anew(&denied);
    assert_eq!((readings(&denied), verdict(&found, "PurchasesRecorded").as_str()), ([0; 5], ""));
    // Bought before anybody looked: recorded without an event, once it may buy itself.
    denied
        .change(&serde_json::from_str(r#"{"azureReservations":"Allow","acceptBillingResponsibility":true}"#).unwrap());
    denied.until("reservations are on", |found| is_ready(found) && !denied.permitted().is_empty());
    let found = read_anew(&denied);
    let before: Timestamp = found.metadata.creation_timestamp.clone().unwrap().0;
    let first = purchases(&found).remove(0);
    assert!(first.purchased_at.unwrap().0 < before);
    assert_eq!(told(&denied, "ReservationPurchased"), [0, 0]);
    assert_eq!(verdict(&found, "PurchasesRecorded"), "True Recorded");
    assert_eq!(denied.attempts(), ["create"]);
}

#[test]
fn an_end_is_told_in_time_and_counted() {
    let mut exclusive = Exclusive::take();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    let bought = buy(&scene, json!({ "kind": "reservation", "buyer": "customer" }));
    let ends_in = |days: i64| {
        let end = Timestamp::now() + SignedDuration::from_hours(24 * days);
        let path = format!("purchases/{}", bought["id"].as_str().unwrap());
        run(scene.view.simulator.call(Method::PATCH, &path, Some(json!({ "expiresAt": end.to_string() })))).unwrap();
        purchases(&read_anew(&scene)).remove(0)
    };
    assert_eq!(ends_in(31).expiry_notice_days, None);
    assert_eq!(told(&scene, "ReservationExpiring"), [0, 0]);
    assert_eq!(ends_in(20).expiry_notice_days, Some(30));
    assert_eq!(told(&scene, "ReservationExpiring"), [1, 1]);
    read_anew(&scene);
    assert_eq!(told(&scene, "ReservationExpiring"), [1, 1], "once each");
    assert_eq!(ends_in(7).expiry_notice_days, Some(7));
    assert_eq!(told(&scene, "ReservationExpiring"), [2, 2]);
    assert_eq!(ends_in(1).expiry_notice_days, Some(1));
    let notes: Vec<_> = scene.events(PERMISSION).into_iter().filter_map(|event| event.note).collect();
    let about: Vec<_> = notes.iter().filter(|note| note.contains("ends on")).collect();
    assert!(about.len() == 3 && about.iter().all(|note| note.contains("only the partner can")), "{notes:?}");
    assert_eq!(readings(&scene), [0, 5, 5, 5, 1]);
    let served = exclusive.served("metrics");
    for line in [
        r#"csp_operator_purchases{kind="reservation",purchased_by="customer"} 1"#,
        r#"csp_operator_purchases_expiring{kind="reservation",within_days="30"} 1"#,
        r#"csp_operator_purchases_expiring{kind="reservation",within_days="7"} 1"#,
        r#"csp_operator_purchases_expiring{kind="reservation",within_days="1"} 1"#,
    ] {
        assert!(served.lines().any(|one| one == line), "{line}\n{served}");
    }
    // Orders are followed for a day after nobody may buy any more.
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    buy(&scene, json!({ "kind": "reservation", "buyer": "customer", "audit": true }));
    scene.until_named(CUSTOMER, "its record is seen", |found| purchases(found).len() == 2);
    scene.delete::<Customer>(CUSTOMER);
    scene.until_gone::<Customer>(CUSTOMER);
    crate::stages::eventually("the gauges are empty", || {
        let line = r#"csp_operator_purchases{kind="reservation",purchased_by="customer"} 0"#;
        exclusive.served("metrics").contains(line).then_some(())
    });
    assert_eq!(scene.attempts(), ["create", "delete"]);
}

/// A scene that was prepared before the turn of its Customer has come, when turns come every `interval` seconds; it comes
/// within ten.
fn before_its_turn(view: &View, interval: i64, prepare: impl Fn(&Scene)) -> Scene {
    loop {
        let scene = Scene::new(view);
        let turn = loop {
            scene.apply(&scene.customer());
            let uid = scene.get::<Customer>(CUSTOMER).unwrap().metadata.uid.unwrap();
            let now = Timestamp::now();
            let turn = next_turn(&format!("{uid}/purchases"), SignedDuration::from_secs(interval), now);
            if (5..10).contains(&turn.duration_since(now).as_secs()) {
                break turn;
            }
            scene.delete::<Customer>(CUSTOMER);
        };
        prepare(&scene);
        if turn.duration_since(Timestamp::now()) > SignedDuration::from_secs(1) {
            return scene;
        }
    }
}

/// Since when and until when it says that something may be bought.
fn window(customer: &Customer) -> Option<(Timestamp, Option<Timestamp>)> {
    let window = customer.status.clone()?.purchases_permitted?;
    Some((window.since.0, window.until.map(|until| until.0)))
}

#[test]
fn a_purchase_of_which_nothing_tells_is_found_in_its_turn_also_when_the_permission_is_gone() {
    let in_turn = [&QUICK[..], &["--purchase-interval", "1m"]].concat();
    let buys = |scene: &Scene| buy(scene, json!({ "kind": "reservation", "buyer": "customer", "audit": false }));
    let mut exclusive = Exclusive::take();
    exclusive.start(&in_turn);
    // On when the process was killed, and deleted before the next one ran; its Customer had not been told, and takes its time.
    let killed = before_its_turn(&exclusive.view, 10, |scene| {
        scene.converge(ALLOW_RESERVATIONS);
    });
    exclusive.stage.operator.kill().unwrap();
    let untold = Patch::Merge(json!({ "status": null }));
    run(killed.api::<Customer>().patch_status(CUSTOMER, &PatchParams::default(), &untold)).unwrap();
    killed.fault("get_customer", 1, &json!({ "kind": "delay", "delayMs": 1000, "applied": true }));
    killed.delete::<CustomerPurchasePermission>(PERMISSION);
    buys(&killed);
    exclusive.kill_and_start(&in_turn);
    killed.until_gone::<CustomerPurchasePermission>(PERMISSION);
    let shown = window(&killed.get::<Customer>(CUSTOMER).unwrap());
    assert!(shown.is_some(), "who tells of it when the next process is killed now?");

    // On for a moment, in the life of one process.
    let moment = before_its_turn(&exclusive.view, 10, |scene| {
        scene.converge(ALLOW_RESERVATIONS);
        buys(scene);
        scene.delete::<CustomerPurchasePermission>(PERMISSION);
        scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    });
    // Read once already, and bought from after that.
    let usual = before_its_turn(&exclusive.view, 60, |scene| {
        scene.converge(ALLOW_RESERVATIONS);
        assert_eq!(verdict(&read_anew(scene), "PurchasesRecorded"), "Unknown NothingShown");
        buys(scene);
    });

    for (scene, readings_each, writes) in
        [(&moment, 1, vec!["create", "delete"]), (&killed, 1, vec!["create", "delete"]), (&usual, 2, vec!["create"])]
    {
        let first = until_first(scene, "it is found", |_| true);
        assert_eq!(first.purchased_by, PurchasedBy::Customer);
        assert_eq!(readings(scene), [0, readings_each, readings_each, readings_each, 1]);
        assert_eq!(scene.attempts(), writes);
        assert_eq!(told(scene, "ReservationPurchased")[0], 1);
        let is_over = writes.len() == 2;
        scene.until_named(CUSTOMER, "it tells from when to when", |found: &Customer| {
            window(found)
                .is_some_and(|(since, until)| until.is_some() == is_over && until.is_none_or(|end| end >= since))
        });
    }
}
