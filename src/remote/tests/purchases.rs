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
    stage.remote.purchases(tenant(0), &BTreeSet::new()).await
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
    assert_eq!((nothing.entitlements.unwrap(), nothing.orders, nothing.azure.unwrap().held), (vec![], None, vec![]));
    let bought = buy(&stage, json!({ "kind": "reservation", "buyer": "customer", "quantity": 2, "term": "P3Y" })).await;
    let SeenPurchases { entitlements, orders, azure } = seen(&stage).await.unwrap();
    let (right, azure) = (entitlements.unwrap().remove(0), azure.unwrap());
    let held = &azure.held[0];
    assert_eq!((json!(held.id), json!(held.order)), (bought["id"].clone(), bought["azureOrderId"].clone()));
    assert_eq!((right.azure_order, json!(right.order)), (held.order, bought["orderId"].clone()));
    assert_eq!((right.quantity, held.quantity, right.expires_at), (Some(2), Some(2), held.expires_at));
    assert_eq!((held.kind, held.term.as_deref(), orders), (PurchaseKind::Reservation, Some("P3Y"), None));
    let holder = &azure.holders[&held.order][0];
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
    let again = stage.remote.purchases(tenant(0), &settled).await.unwrap();
    assert_eq!((again.azure.as_ref().unwrap().holders.len(), &again.azure.unwrap().held), (0, &azure.held));
    assert_eq!(counts(&stage, operations).await, [3, 3, 3, 1, 0]);
}

#[tokio::test]
async fn a_savings_plan_has_no_order_unless_the_partner_bought_it() {
    let stage = stage().await;
    buy(&stage, json!({ "kind": "savingsPlan", "buyer": "customer" })).await;
    let found = seen(&stage).await.unwrap();
    let plan = found.azure.unwrap().held.remove(0);
    assert_eq!((plan.kind, plan.commitment.as_deref()), (PurchaseKind::SavingsPlan, Some("0.5 USD Hourly")));
    assert!(found.orders.unwrap().iter().all(|order| !order.is_savings_plan));
    buy(&stage, json!({ "kind": "savingsPlan", "buyer": "partner" })).await;
    assert!(seen(&stage).await.unwrap().orders.unwrap().iter().any(|order| order.is_savings_plan));
}

#[tokio::test]
async fn all_pages_are_read_and_an_entry_that_cannot_be_right_hides_no_other() {
    let stage = stage().await;
    for _ in 0..3 {
        buy(&stage, json!({ "kind": "reservation", "buyer": "customer" })).await;
    }
    stage.control(Method::PATCH, "settings", json!({ "roleAssignmentPageSize": 1 })).await;
    assert_eq!(seen(&stage).await.unwrap().azure.unwrap().held.len(), 3);
    stage.control(Method::PATCH, "settings", json!({ "roleAssignmentPageSize": 100 })).await;
    fault(&stage, "list_reservations", json!({ "kind": "edit", "set": { "/value/1/id": "x" } })).await;
    let wrong = json!({ "kind": "edit", "set": { "/items/0/quantity": "many" } });
    fault(&stage, "list_entitlements", wrong).await;
    let found = seen(&stage).await.unwrap();
    assert_eq!((found.azure.unwrap().held.len(), found.entitlements.unwrap().len()), (2, 2));
}

#[tokio::test]
async fn a_refusal_that_stays_is_part_of_what_is_seen_and_one_that_passes_is_a_failure() {
    let stage = stage().await;
    buy(&stage, json!({ "kind": "reservation", "buyer": "customer" })).await;
    let heal = || stage.control(Method::DELETE, "faults", Value::Null);
    fault(&stage, "list_savings_plans", json!({ "kind": "status", "status": 403 })).await;
    let found = seen(&stage).await.unwrap();
    assert_eq!((found.azure.unwrap_err().reason, found.entitlements.unwrap().len()), ("Forbidden", 1));
    assert!(!found.orders.unwrap().is_empty(), "names and times come from the orders then");
    heal().await;
    fault(&stage, "list_entitlements", json!({ "kind": "status", "status": 403 })).await;
    let found = seen(&stage).await.unwrap();
    assert_eq!((found.entitlements.unwrap_err().reason, found.azure.unwrap().held.len()), ("Forbidden", 1));
    for operation in ["list_entitlements", "list_reservations", "list_reservation_role_assignments"] {
        heal().await;
        fault(&stage, operation, json!({ "kind": "status", "status": 503 })).await;
        let [before] = counts(&stage, ["list_entitlements"]).await;
        assert_eq!(seen(&stage).await.unwrap_err().reason(), "ServerError", "{operation}");
        let [after] = counts(&stage, ["list_entitlements"]).await;
        assert_eq!(after > before, operation == "list_entitlements", "Partner Center is not asked while Azure fails");
    }
    heal().await;
    fault(&stage, "list_reservation_role_assignments", json!({ "kind": "status", "status": 404 })).await;
    let azure = seen(&stage).await.unwrap().azure.unwrap();
    assert_eq!((azure.held.len(), azure.holders.len()), (1, 0), "who has a role on it is only a hint");
    heal().await;
    let shut = json!({ "delegatedAdmin": false });
    stage.control(Method::PATCH, &format!("customers/{}/access", tenant(0)), shut).await;
    let fresh = stage.clients(Limits { retry_delay_min: Duration::from_millis(1), ..Limits::default() });
    let found = fresh.purchases(tenant(0), &BTreeSet::new()).await.unwrap();
    assert_eq!((found.azure.unwrap_err().reason, found.entitlements.unwrap().len()), ("CustomerSignInRefused", 1));
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
