//! Reservations and savings plans of a tenant, and who has a role on a reservation order.
//! <https://learn.microsoft.com/en-us/rest/api/reserved-vm-instances/reservation/list-all>
//!
//! They are the tenant's, not a subscription's: an empty list may mean that the caller may not see them.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{authenticate, check_version, page, page_with};
use super::refusal::refuse;
use crate::simulator::audit::operation_date;
use crate::simulator::commerce::{BoughtBy, Buyer, Reservation, SavingsPlan};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{PrincipalType, RoleDefinition};

const RESERVATION_VERSIONS: [&str; 5] = ["2020-06-01", "2020-10-01-preview", "2021-07-01", "2022-03-01", "2022-11-01"];
const SAVINGS_PLAN_VERSIONS: [&str; 3] = ["2022-11-01", "2024-11-01-preview", "2025-12-01-preview"];
const ASSIGNMENT_VERSIONS: [&str; 4] = ["2015-07-01", "2018-01-01-preview", "2020-04-01-preview", "2022-04-01"];

pub(super) fn reservations(state: &State, request: &Request) -> Outcome {
    let customer = tenant(state, request)?;
    check_version(request, "reservations", &RESERVATION_VERSIONS)?;
    let all = customer.map(|customer| customer.commerce.reservations.as_slice()).unwrap_or_default();
    let found: Vec<Value> = all
        .iter()
        .filter(|held| held.visible_at <= request.at)
        .map(|held| reservation_json(held, request.at))
        .filter(|item| is_selected(request, item))
        .collect();
    let more = [("summary", summary(all, request.at))];
    page_with(state, request, &found, more)
}

/// How many reservations are in which state. Here they are in two of them.
fn summary(all: &[Reservation], now: Timestamp) -> Value {
    let (expired, held): (Vec<_>, Vec<_>) =
        all.iter().filter(|held| held.visible_at <= now).partition(|held| held.expires_at <= now);
    json!({
        "succeededCount": held.len(), "failedCount": 0, "expiringCount": 0, "expiredCount": expired.len(),
        "pendingCount": 0, "cancelledCount": 0, "processingCount": 0, "warningCount": 0, "noBenefitCount": 0,
    })
}

pub(super) fn savings_plans(state: &State, request: &Request) -> Outcome {
    let customer = tenant(state, request)?;
    check_version(request, "savingsPlans", &SAVINGS_PLAN_VERSIONS)?;
    let all = customer.map(|customer| customer.commerce.savings_plans.as_slice()).unwrap_or_default();
    let account = state.partner.billing_account.as_str();
    let found: Vec<Value> = all
        .iter()
        .filter(|held| held.visible_at <= request.at)
        .map(|held| savings_plan_json(held, account, request.at))
        .filter(|item| is_selected(request, item))
        .collect();
    page(state, request, &found)
}

/// The buyer becomes Owner of the reservation order.
pub(super) fn order_role_assignments(state: &State, request: &Request, order: &str) -> Outcome {
    let customer = tenant(state, request)?;
    check_version(request, "roleAssignments", &ASSIGNMENT_VERSIONS)?;
    let id = Uuid::try_parse(order).ok();
    let all = customer.map(|customer| customer.commerce.reservations.as_slice()).unwrap_or_default();
    let held = all.iter().find(|held| Some(held.order) == id && held.visible_at <= request.at);
    let held = held.ok_or_else(|| {
        refuse(
            StatusCode::NOT_FOUND,
            "ReservationOrderNotFound",
            &format!("The reservation order '{order}' was not found."),
        )
    })?;
    let (principal, kind) = principal(state, &held.buyer);
    let scope = format!("/providers/Microsoft.Capacity/reservationOrders/{}", held.order);
    // One assignment of each order, so its id serves as the name.
    let name = held.order;
    let item = json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"),
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId":
                format!("/providers/Microsoft.Authorization/roleDefinitions/{}", RoleDefinition::OWNER.0),
            "principalId": principal, "principalType": kind, "scope": scope,
            "condition": null, "conditionVersion": null,
            "createdOn": operation_date(held.purchased_at), "updatedOn": operation_date(held.purchased_at),
            "createdBy": held.buyer.principal, "updatedBy": held.buyer.principal,
            "delegatedManagedIdentityResourceId": null, "description": null,
        },
    });
    page(state, request, &[item])
}

/// A partner's user is in the customer's tenant only through the partner's group.
fn principal(state: &State, buyer: &Buyer) -> (Uuid, PrincipalType) {
    match buyer.by {
        BoughtBy::Customer => (buyer.principal, PrincipalType::User),
        BoughtBy::Partner => (state.partner.admin_agents_group_id, PrincipalType::ForeignGroup),
    }
}

/// The customer whose tenant the token is of; none when nothing there may be seen.
fn tenant<'a>(state: &'a State, request: &Request) -> Result<Option<&'a Customer>, Answer> {
    let claims = authenticate(state, request, "")?;
    Ok(state.customers.get(&claims.tid).filter(|customer| !customer.about.access.no_purchases))
}

/// `selectedState`, the one selection that is honoured; `$filter` and `$orderby` are accepted and have no effect.
fn is_selected(request: &Request, item: &Value) -> bool {
    let state = item["properties"]["provisioningState"].as_str().unwrap_or_default();
    request.query("selectedState").is_none_or(|wanted| wanted.eq_ignore_ascii_case(state))
}

fn provisioning(expires_at: Timestamp, now: Timestamp) -> &'static str {
    if expires_at <= now { "Expired" } else { "Succeeded" }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn utilization(percent: f64) -> Value {
    let aggregate =
        |grain: u32| json!({ "grain": grain, "grainUnit": "days", "value": percent, "valueUnit": "percentage" });
    json!({ "trend": "SAME", "aggregates": [aggregate(1), aggregate(7), aggregate(30)] })
}

fn reservation_json(held: &Reservation, now: Timestamp) -> Value {
    let state = provisioning(held.expires_at, now);
    let scope_type = if held.subscription.is_some() { "Single" } else { "Shared" };
    let scopes: Vec<String> = held.subscription.iter().map(|id| format!("/subscriptions/{id}")).collect();
    json!({
        "id": format!(
            "/providers/Microsoft.Capacity/reservationOrders/{}/reservations/{}", held.order, held.id
        ),
        "name": format!("{}/{}", held.order, held.id),
        "type": "Microsoft.Capacity/reservationOrders/reservations",
        "location": held.location,
        "etag": 1,
        "kind": "Microsoft.Compute",
        "sku": { "name": held.sku, "description": held.name },
        "properties": {
            "displayName": held.name,
            "appliedScopeType": scope_type,
            "appliedScopes": scopes,
            "quantity": held.quantity,
            "term": held.term.name(),
            "reservedResourceType": "VirtualMachines",
            "provisioningState": state,
            "displayProvisioningState": state,
            "userFriendlyRenewState": if held.renew { "On" } else { "Off" },
            "userFriendlyAppliedScopeType": scope_type,
            "purchaseDate": day(held.purchased_at),
            "purchaseDateTime": operation_date(held.purchased_at),
            "effectiveDateTime": operation_date(held.purchased_at),
            "benefitStartTime": operation_date(held.purchased_at),
            "expiryDate": day(held.expires_at),
            "expiryDateTime": operation_date(held.expires_at),
            "billingScopeId": held.subscription.map(|id| format!("/subscriptions/{id}")),
            "renew": held.renew,
            "archived": false,
            "utilization": utilization(held.utilization),
        },
    })
}

fn savings_plan_json(held: &SavingsPlan, account: &str, now: Timestamp) -> Value {
    let state = provisioning(held.expires_at, now);
    let scope = held.subscription.map(|id| format!("/subscriptions/{id}"));
    let scope_type = if scope.is_some() { "Single" } else { "Shared" };
    let account = format!("/providers/Microsoft.Billing/billingAccounts/{account}");
    json!({
        "id": format!(
            "/providers/Microsoft.BillingBenefits/savingsPlanOrders/{}/savingsPlans/{}", held.order, held.id
        ),
        "name": held.id,
        "type": "Microsoft.BillingBenefits/savingsPlanOrders/savingsPlans",
        "sku": { "name": "Compute_Savings_Plan" },
        "properties": {
            "displayName": held.name,
            "provisioningState": state,
            "displayProvisioningState": state,
            "userFriendlyAppliedScopeType": scope_type,
            "appliedScopeType": scope_type,
            "appliedScopeProperties": { "subscriptionId": scope },
            "billingScopeId": scope,
            "billingPlan": "P1M",
            "billingAccountId": account,
            "billingProfileId": format!("{account}/billingProfiles/SIMULATED"),
            "commitment": { "grain": "Hourly", "currencyCode": "USD", "amount": held.commitment },
            "term": held.term.name(),
            "renew": held.renew,
            "purchaseDateTime": operation_date(held.purchased_at),
            "benefitStartTime": operation_date(held.purchased_at),
            "effectiveDateTime": operation_date(held.purchased_at),
            "expiryDateTime": operation_date(held.expires_at),
            "utilization": utilization(held.utilization),
        },
    })
}
