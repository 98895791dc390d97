//! What customers have bought, through the clients against the simulator.

use std::collections::BTreeSet;

use reqwest::Method;

use super::simulated::{Simulated, owner, tenant};
use super::*;
use crate::model::{PrincipalKind, PurchaseKind, SeenPurchases};
use crate::remote::Error;
use crate::simulator::World;

async fn stage() -> Simulated {
    Simulated::start(World::generated(3)).await
}

async fn buy(stage: &Simulated, what: Value) -> Value {
    stage.control(Method::POST, &format!("customers/{}/purchases", tenant(0)), what).await
}

async fn seen(stage: &Simulated) -> Result<SeenPurchases, Error> {
    Ok(stage.remote.purchases(tenant(0), &BTreeSet::new()).await?.seen)
}

/// How often each of these has been asked for.
async fn counts<const N: usize>(stage: &Simulated, operations: [&str; N]) -> [u64; N] {
    let counts = stage.control(Method::GET, "requests/counts", Value::Null).await;
    operations.map(|operation| counts[operation]["total"].as_u64().unwrap_or_default())
}

async fn fault(stage: &Simulated, operation: &str, answer: Value) {
    let fault = json!({ "operation": operation, "customer": tenant(0).to_string(), "answer": answer });
    stage.control(Method::POST, "faults", fault).await;
}

#[tokio::test]
async fn both_sides_tell_of_a_reservation_and_what_is_settled_is_not_asked_again() {
    let stage = stage().await;
    let nothing = seen(&stage).await.unwrap();
    assert_eq!((nothing.held().count(), nothing.missing().len()), (0, 0));
    assert_eq!((nothing.entitlements.unwrap(), nothing.orders), (vec![], None));
    let bought = buy(&stage, json!({ "kind": "reservation", "buyer": "customer", "quantity": 2, "term": "P3Y" })).await;
    let SeenPurchases { entitlements, orders, reservations, savings_plans: _, holders } = seen(&stage).await.unwrap();
    let (right, reservations) = (entitlements.unwrap().remove(0), reservations.unwrap());
    let held = &reservations[0];
    assert_eq!((json!(held.id), json!(held.order)), (bought["id"].clone(), bought["azureOrderId"].clone()));
    assert_eq!((right.azure_order, json!(right.order)), (held.order, bought["orderId"].clone()));
    assert_eq!((right.quantity, held.quantity, right.expires_at), (Some(2), Some(2), held.expires_at));
    assert_eq!((held.kind, held.term.as_deref(), orders), (PurchaseKind::Reservation, Some("P3Y"), None));
    let holder = &holders[&held.order].as_ref().unwrap()[0];
    assert_eq!((holder.kind, holder.principal.clone()), (PrincipalKind::User, owner(0).to_string()));
    let operations = [
        "list_entitlements",
        "list_reservations",
        "list_savings_plans",
        "list_reservation_role_assignments",
        "list_orders",
    ];
    assert_eq!(counts(&stage, operations).await, [2, 2, 2, 1, 0]);

    let settled = BTreeSet::from([held.order]);
    let again = stage.remote.purchases(tenant(0), &settled).await.unwrap().seen;
    assert_eq!((again.holders.len(), again.reservations.unwrap()), (0, reservations));
    assert_eq!(counts(&stage, operations).await, [3, 3, 3, 1, 0]);
}

#[tokio::test]
async fn a_savings_plan_has_no_order_unless_the_partner_bought_it() {
    let stage = stage().await;
    buy(&stage, json!({ "kind": "savingsPlan", "buyer": "customer" })).await;
    let found = seen(&stage).await.unwrap();
    let plan = found.savings_plans.unwrap().remove(0);
    assert_eq!((plan.kind, plan.commitment.as_deref()), (PurchaseKind::SavingsPlan, Some("0.5 USD Hourly")));
    assert!(found.orders.unwrap().unwrap().iter().all(|order| !order.is_savings_plan));
    buy(&stage, json!({ "kind": "savingsPlan", "buyer": "partner" })).await;
    assert!(seen(&stage).await.unwrap().orders.unwrap().unwrap().iter().any(|order| order.is_savings_plan));
}

#[tokio::test]
async fn all_pages_are_read_and_an_entry_that_cannot_be_right_hides_no_other() {
    let stage = stage().await;
    for _ in 0..3 {
        buy(&stage, json!({ "kind": "reservation", "buyer": "customer" })).await;
    }
    stage.control(Method::PATCH, "settings", json!({ "roleAssignmentPageSize": 1 })).await;
    assert_eq!(seen(&stage).await.unwrap().reservations.unwrap().len(), 3);
    stage.control(Method::PATCH, "settings", json!({ "roleAssignmentPageSize": 100 })).await;
    fault(&stage, "list_reservations", json!({ "kind": "edit", "set": { "/value/1/id": "x" } })).await;
    let wrong = json!({ "kind": "edit", "set": { "/items/0/quantity": "many" } });
    fault(&stage, "list_entitlements", wrong).await;
    let found = seen(&stage).await.unwrap();
    assert_eq!((found.reservations.unwrap().len(), found.entitlements.unwrap().len()), (2, 2));
}

/// The lists that are missing after these have been refused so.
async fn missing(stage: &Simulated, operations: &[&str], status: u16) -> Result<Vec<(&'static str, bool)>, Error> {
    stage.control(Method::DELETE, "faults", Value::Null).await;
    for operation in operations {
        fault(stage, operation, json!({ "kind": "status", "status": status })).await;
    }
    let seen = seen(stage).await?;
    Ok(seen.missing().into_iter().map(|(list, unseen)| (list, unseen.passes)).collect())
}

#[tokio::test]
async fn a_list_that_cannot_be_read_hides_no_other_and_all_are_asked_for() {
    let stage = stage().await;
    buy(&stage, json!({ "kind": "reservation", "buyer": "customer" })).await;
    buy(&stage, json!({ "kind": "savingsPlan", "buyer": "customer" })).await;
    let lists = ["list_reservations", "list_savings_plans", "list_entitlements"];
    let words = ["Azure's reservations", "Azure's savings plans", "Partner Center's reservations"];
    for (status, passes) in [(403, false), (503, true)] {
        for (operation, words) in lists.into_iter().zip(words) {
            let before = counts(&stage, lists).await;
            assert_eq!(missing(&stage, &[operation], status).await.unwrap(), [(words, passes)]);
            let after = counts(&stage, lists).await;
            assert!(
                before.iter().zip(after).all(|(before, after)| after > *before),
                "{operation}: {before:?} {after:?}"
            );
            let seen = seen(&stage).await.unwrap();
            let shown = [seen.reservations.iter().flatten().count(), seen.savings_plans.iter().flatten().count()];
            assert_eq!(shown, lists[..2].iter().map(|list| usize::from(*list != operation)).collect::<Vec<_>>()[..]);
            // Names and times of what Azure does not show, and whether savings plans have orders.
            assert_eq!(seen.orders.is_some_and(|orders| orders.is_ok()), operation != "list_savings_plans");
        }
    }
    // With nothing to show there is nothing to keep.
    assert_eq!(missing(&stage, &lists, 503).await.unwrap_err().reason(), "ServerError");
    assert_eq!(missing(&stage, &lists, 403).await.unwrap(), words.map(|words| (words, false)));
    // What is only asked about what was bought hides nothing of it.
    for status in [403, 404, 503] {
        let asked = ["list_reservation_role_assignments", "list_orders"];
        assert_eq!(missing(&stage, &asked, status).await.unwrap(), []);
        let seen = seen(&stage).await.unwrap();
        assert_eq!((seen.held().count(), seen.holders.len()), (2, 1));
        let why = seen.holders.values().next().unwrap().as_ref().unwrap_err();
        assert_eq!((why.passes, seen.orders.unwrap().unwrap_err().passes), (status == 503, status == 503));
    }
}

/// A stage with less patience, on which these never answer.
async fn silent(operations: &[&str]) -> Simulated {
    let limits = Limits {
        request_timeout: Duration::from_secs(1),
        retry_delay_min: Duration::from_millis(1),
        ..Limits::default()
    };
    let stage = Simulated::start_with(World::generated(3), limits).await;
    for _ in 0..3 {
        buy(&stage, json!({ "kind": "reservation", "buyer": "customer" })).await;
    }
    buy(&stage, json!({ "kind": "savingsPlan", "buyer": "customer" })).await;
    for operation in operations {
        fault(&stage, operation, json!({ "kind": "delay", "delayMs": 600_000, "applied": true })).await;
    }
    stage
}

#[tokio::test]
async fn a_list_that_is_silent_takes_the_time_of_one_request_and_hides_no_other() {
    let stage = silent(&["list_savings_plans", "list_entitlements"]).await;
    let seen = seen(&stage).await.unwrap();
    let missing: Vec<_> =
        seen.missing().into_iter().map(|(list, unseen)| (list, unseen.reason, unseen.passes)).collect();
    let of = |list| (list, "Unreachable", true);
    assert_eq!(missing, [of("Azure's savings plans"), of("Partner Center's reservations")]);
    assert_eq!((seen.reservations.unwrap().len(), seen.holders.len()), (3, 3));
    // Side by side, and what gets no answer is not repeated as often as else.
    let asked = counts(&stage, ["list_savings_plans", "list_entitlements"]).await;
    assert!(asked.iter().all(|times| *times <= 2), "{asked:?}");
}

#[tokio::test]
async fn after_the_first_order_that_is_not_answered_about_no_other_is_asked_about() {
    let stage = silent(&["list_reservation_role_assignments"]).await;
    let seen = seen(&stage).await.unwrap();
    assert_eq!((seen.held().count(), seen.missing().len(), seen.holders.len()), (4, 0, 1));
    assert!(seen.holders.values().next().unwrap().as_ref().unwrap_err().passes);
    assert!(seen.orders.unwrap().is_ok(), "which is asked for meanwhile");
    assert!(counts(&stage, ["list_reservation_role_assignments"]).await[0] <= 2);
}

#[tokio::test]
async fn for_a_reading_that_azure_has_asked_to_put_off_nothing_is_sent() {
    let stage = stage().await;
    for (operation, sent) in [("list_reservations", [1, 1, 1]), ("", [1, 1, 1])] {
        if !operation.is_empty() {
            fault(&stage, operation, json!({ "kind": "status", "status": 429, "retryAfter": 60 })).await;
        }
        let result = seen(&stage).await;
        assert_eq!(result.is_ok(), !operation.is_empty(), "{result:?}");
        let lists = ["list_reservations", "list_savings_plans", "list_entitlements"];
        assert_eq!(counts(&stage, lists).await, sent);
    }
}

#[tokio::test]
async fn without_access_to_the_tenant_partner_center_still_tells_of_reservations() {
    let stage = stage().await;
    buy(&stage, json!({ "kind": "reservation", "buyer": "customer" })).await;
    let shut = json!({ "delegatedAdmin": false });
    stage.control(Method::PATCH, &format!("customers/{}/access", tenant(0)), shut).await;
    let found = seen(&stage).await.unwrap();
    let [reservations, plans] = [&found.reservations, &found.savings_plans].map(|list| list.as_ref().unwrap_err());
    assert_eq!((reservations.reason, plans.reason), ("CustomerSignInRefused", "CustomerSignInRefused"));
    assert_eq!(
        (found.entitlements.unwrap().len(), found.orders.unwrap().unwrap().len()),
        (1, 2),
        "that of the Azure plan is among them"
    );
}

#[tokio::test]
async fn new_orders_are_read_from_the_activity_log_of_all_customers() {
    let stage = stage().await;
    let bought = buy(&stage, json!({ "kind": "reservation", "buyer": "partner" })).await;
    buy(&stage, json!({ "kind": "reservation", "buyer": "customer" })).await;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let records = stage.remote.partner_center.order_records(today.yesterday().unwrap(), today).await.unwrap();
    let found = &records[0];
    assert!(records.iter().all(|record| record.id == found.id), "{records:?}");
    assert_eq!((json!(found.order), found.customer), (bought["orderId"].clone(), tenant(0)));
    assert_eq!(found.actor.as_deref(), Some("operator@contosopartner.onmicrosoft.com"));
    // Changes of permissions are not among them.
    let policies = stage.remote.partner_center.activity(today.yesterday().unwrap(), today).await.unwrap();
    assert!(policies.is_empty());
}
