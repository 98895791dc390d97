//! Subscriptions, and the Azure subscriptions under an Azure plan:
//! <https://learn.microsoft.com/en-us/partner-center/developer/subscription-resources>,
//! <https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-azure-entitlements-for-subscription>.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Needs, authenticate};
use super::collection;
use super::customers::resold;
use super::refusal::fault;
use crate::simulator::audit::operation_date;
use crate::simulator::commerce::{Order, SavingsPlan};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::purchase::SAVINGS_PLAN_OFFER;
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{AzureSubscription, Subscription, SubscriptionKind};

/// When everything of the world was made: 2025-02-01.
const CREATED: Timestamp = Timestamp::constant(1_738_404_000, 0);

pub(super) fn list(state: &State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    Ok(Answer::ok(&collection::complete(&visible(customer, request.at))))
}

pub(super) fn get(state: &State, request: &Request, customer: &str, subscription: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    let id = Uuid::try_parse(subscription).ok().map(|id| json!(id));
    let found = visible(customer, request.at).into_iter().find(|item| item.get("id") == id.as_ref());
    found.map(|item| Answer::ok(&item)).ok_or_else(|| absent(subscription))
}

pub(super) fn list_azure_entitlements(state: &State, request: &Request, customer: &str, plan: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let plan = find(resold(state, request, customer)?, plan, request.at)?;
    let items: Vec<Value> = entitlements(plan).iter().map(|azure| entitlement_json(plan, azure)).collect();
    Ok(Answer::ok(&collection::complete(&items)))
}

pub(super) fn get_azure_entitlement(
    state: &State,
    request: &Request,
    customer: &str,
    plan: &str,
    entitlement: &str,
) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let plan = find(resold(state, request, customer)?, plan, request.at)?;
    let id = Uuid::try_parse(entitlement).ok();
    match entitlements(plan).iter().find(|azure| Some(azure.id) == id) {
        Some(azure) => Ok(Answer::ok(&entitlement_json(plan, azure))),
        None => {
            Err(fault(StatusCode::NOT_FOUND, "800111", "Azure subscription with the given entitlement ID isn't found."))
        }
    }
}

fn find<'a>(customer: &'a Customer, subscription: &str, now: Timestamp) -> Result<&'a Subscription, Answer> {
    let id = Uuid::try_parse(subscription).ok();
    let mut known = customer.about.subscriptions.iter().filter(|held| is_visible(held, now));
    known.find(|known| Some(known.id) == id).ok_or_else(|| absent(subscription))
}

fn absent(subscription: &str) -> Answer {
    fault(StatusCode::NOT_FOUND, "20003", &format!("Subscription with ID {subscription} not found."))
}

fn is_visible(subscription: &Subscription, now: Timestamp) -> bool {
    subscription.visible_at.is_none_or(|at| at <= now)
}

/// What the list shows: subscriptions, and savings plans among them.
fn visible(customer: &Customer, now: Timestamp) -> Vec<Value> {
    let subscriptions = customer.about.subscriptions.iter().filter(|held| is_visible(held, now)).map(to_json);
    let plans = customer.commerce.savings_plans.iter().filter(|held| held.visible_at <= now);
    subscriptions.chain(plans.map(|plan| savings_plan_json(plan, now))).collect()
}

/// A savings plan as a subscription: without `orderId` when it was bought in the Azure portal.
fn savings_plan_json(plan: &SavingsPlan, now: Timestamp) -> Value {
    let mut body = json!({
        "id": plan.id,
        "offerId": SAVINGS_PLAN_OFFER,
        "offerName": "Azure savings plan for compute",
        "friendlyName": plan.name,
        "productType": {
            "id": "Azure", "displayName": "Azure",
            "subType": { "id": "SavingsPlan", "displayName": "SavingsPlan" },
        },
        "quantity": 1,
        "unitType": "Benefit",
        "billingType": "benefit",
        "billingCycle": "one_time",
        "termDuration": plan.term.name(),
        "creationDate": operation_date(plan.purchased_at),
        "effectiveStartDate": operation_date(plan.purchased_at),
        "commitmentEndDate": operation_date(plan.expires_at),
        "status": if plan.expires_at <= now { "expired" } else { "active" },
        "autoRenewEnabled": plan.renew,
        "isTrial": false,
        "isMicrosoftProduct": true,
        "publisherName": "Microsoft Corporation",
        "contractType": "subscription",
        "partnerId": "",
        "productOrderId": plan.order,
        "lineItems": [{
            "lineItemNumber": 0,
            "purchaseCommitment": { "amount": plan.commitment, "currency": "USD", "grain": "Hourly" },
        }],
        "attributes": { "objectType": "Subscription" },
    });
    if let Some(order) = &plan.partner_order {
        body["orderId"] = json!(order);
    }
    body
}

/// The order that a subscription of the world came from; licences come from another shop.
pub(super) fn initial_order(subscription: &Subscription) -> Option<Order> {
    let is_initial = subscription.visible_at.is_none() && subscription.kind == SubscriptionKind::AzurePlan;
    is_initial.then(|| Order {
        id: format!("order-{}", subscription.id),
        offer_id: "DZH318Z0BPS6:0001:DZH318Z0BML6".to_owned(),
        name: "Azure plan".to_owned(),
        quantity: 1,
        term: None,
        line_type: "New",
        subscription: Some(subscription.id),
        commitment: None,
        created_at: CREATED,
        visible_at: CREATED,
    })
}

/// Only an Azure plan has Azure subscriptions under it; a legacy subscription is one.
fn entitlements(plan: &Subscription) -> &[AzureSubscription] {
    if plan.kind == SubscriptionKind::AzurePlan { &plan.azure_subscriptions } else { &[] }
}

fn entitlement_json(plan: &Subscription, azure: &AzureSubscription) -> Value {
    json!({ "id": azure.id, "friendlyName": azure.name, "status": azure.status, "subscriptionId": plan.id })
}

fn to_json(subscription: &Subscription) -> Value {
    let mut body = json!({
        "id": subscription.id,
        "quantity": 1,
        "status": subscription.status,
        "creationDate": "2025-02-01T10:00:00Z",
        "effectiveStartDate": "2025-02-01T00:00:00Z",
        "commitmentEndDate": "9999-12-14T00:00:00Z",
        "autoRenewEnabled": false,
        "isTrial": false,
        "isMicrosoftProduct": true,
        "publisherName": "Microsoft Corporation",
        "contractType": "subscription",
        "partnerId": "",
        "orderId": format!("order-{}", subscription.id),
        "attributes": { "objectType": "Subscription" },
    });
    let kind = match subscription.kind {
        SubscriptionKind::AzurePlan => json!({
            "offerId": "DZH318Z0BPS6:0001:DZH318Z0BML6", "offerName": "Azure plan", "friendlyName": "Azure plan",
            "productType": { "id": "Azure", "displayName": "Azure" },
            "unitType": "Usage-based", "billingType": "usage", "billingCycle": "one_time",
        }),
        SubscriptionKind::AzureGlobal => json!({
            "offerId": "MS-AZR-0145P", "offerName": "Microsoft Azure", "friendlyName": "Microsoft Azure",
            "entitlementId": subscription.azure_subscriptions.first().map(|azure| azure.id),
            "unitType": "Usage-based", "billingType": "usage", "billingCycle": "monthly",
        }),
        SubscriptionKind::License => json!({
            "offerId": "CFQ7TTC0LH18:0001:CFQ7TTC0K971", "offerName": "Microsoft 365 Business Basic",
            "friendlyName": "Microsoft 365 Business Basic",
            "productType": { "id": "OnlineServicesNCE", "displayName": "OnlineServicesNCE" },
            "unitType": "Licenses", "billingType": "license", "billingCycle": "monthly",
        }),
    };
    if let (Value::Object(body), Value::Object(kind)) = (&mut body, kind) {
        body.extend(kind);
    }
    body
}
