//! Subscriptions, and the Azure subscriptions under an Azure plan:
//! <https://learn.microsoft.com/en-us/partner-center/developer/subscription-resources>,
//! <https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-azure-entitlements-for-subscription>.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Needs, authenticate};
use super::collection;
use super::customers::resold;
use super::refusal::fault;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{AzureSubscription, Subscription, SubscriptionKind};

pub(super) fn list(state: &State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, customer)?;
    let items: Vec<Value> = customer.about.subscriptions.iter().map(to_json).collect();
    Ok(Answer::ok(&collection::complete(&items)))
}

pub(super) fn get(state: &State, request: &Request, customer: &str, subscription: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, customer)?;
    Ok(Answer::ok(&to_json(find(customer, subscription)?)))
}

pub(super) fn list_azure_entitlements(state: &State, request: &Request, customer: &str, plan: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let plan = find(resold(state, customer)?, plan)?;
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
    let plan = find(resold(state, customer)?, plan)?;
    let id = Uuid::try_parse(entitlement).ok();
    match entitlements(plan).iter().find(|azure| Some(azure.id) == id) {
        Some(azure) => Ok(Answer::ok(&entitlement_json(plan, azure))),
        None => {
            Err(fault(StatusCode::NOT_FOUND, "800111", "Azure subscription with the given entitlement ID isn't found."))
        }
    }
}

fn find<'a>(customer: &'a Customer, subscription: &str) -> Result<&'a Subscription, Answer> {
    let id = Uuid::try_parse(subscription).ok();
    customer.about.subscriptions.iter().find(|known| Some(known.id) == id).ok_or_else(|| {
        fault(StatusCode::NOT_FOUND, "20003", &format!("Subscription with ID {subscription} not found."))
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
