//! Orders: <https://learn.microsoft.com/en-us/partner-center/developer/order-resources>.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::simulator::audit::operation_date;
use crate::simulator::commerce::Order;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::partner_center::caller::{Needs, authenticate};
use crate::simulator::partner_center::collection;
use crate::simulator::partner_center::customers::resold;
use crate::simulator::partner_center::refusal::{fault, invalid_property};
use crate::simulator::partner_center::subscriptions;
use crate::simulator::state::{Customer, State};

/// The words of `billingType`, with one that only Microsoft's .NET SDK has; every order of the simulator is paid once.
const BILLING_TYPES: [&str; 7] = ["unknown", "monthly", "annual", "none", "onetime", "triennial", "biennial"];

pub(super) fn list(state: &State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    let asked = request.query("billingType").unwrap_or("onetime").replace('_', "").to_lowercase();
    if !BILLING_TYPES.contains(&asked.as_str()) {
        return Err(invalid_property(&format!("billingType {asked} is not known.")));
    }
    let orders = if asked == "onetime" { visible(customer, request.at) } else { Vec::new() };
    let items: Vec<Value> = orders.iter().map(|order| to_json(customer.about.tenant_id, order)).collect();
    Ok(Answer::ok(&collection::complete(&items)))
}

pub(super) fn get(state: &State, request: &Request, customer: &str, id: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    let orders = visible(customer, request.at);
    let found = orders.iter().find(|order| order.id.eq_ignore_ascii_case(id));
    let found = found.ok_or_else(|| fault(StatusCode::NOT_FOUND, "20000", &format!("Order {id} not found.")))?;
    Ok(Answer::ok(&to_json(customer.about.tenant_id, found)))
}

/// The orders of what the customer started with, and those made since.
fn visible(customer: &Customer, now: Timestamp) -> Vec<Order> {
    let initial = customer.about.subscriptions.iter().filter_map(subscriptions::initial_order);
    initial.chain(customer.commerce.orders.iter().filter(|order| order.visible_at <= now).cloned()).collect()
}

pub(super) fn to_json(customer: Uuid, order: &Order) -> Value {
    let (product, rest) = order.offer_id.split_once(':').unwrap_or((&order.offer_id, ""));
    let sku = rest.split(':').next().unwrap_or_default();
    let link = |uri: String| json!({ "uri": uri, "method": "GET", "headers": [] });
    let mut item = json!({
        "lineItemNumber": 0,
        "offerId": order.offer_id,
        "transactionType": order.line_type,
        "friendlyName": order.name,
        "quantity": order.quantity,
        "links": {
            "product": link(format!("/products/{product}?country=US")),
            "sku": link(format!("/products/{product}/skus/{sku}?country=US")),
        },
    });
    if let Some(term) = order.term {
        item["termDuration"] = json!(term.name());
    }
    if let Some(subscription) = order.subscription {
        item["provisioningContext"] = json!({ "subscriptionId": subscription, "scope": "shared" });
    }
    if let Some(amount) = order.commitment {
        item["purchaseCommitment"] = json!({ "amount": amount, "currency": "USD", "grain": "Hourly" });
    }
    json!({
        "id": order.id,
        "alternateId": order.id.trim_end_matches("V1"),
        "referenceCustomerId": customer,
        "billingCycle": "one_time",
        "currencyCode": "USD",
        "currencySymbol": "$",
        "creationDate": operation_date(order.created_at),
        "status": "completed",
        "transactionType": "UserPurchase",
        "lineItems": [item],
        "links": { "self": link(format!("/customers/{customer}/orders/{}", order.id)) },
        "client": {},
        "attributes": { "objectType": "Order" },
    })
}
