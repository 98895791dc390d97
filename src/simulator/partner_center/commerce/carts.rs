//! Carts, by which a partner buys an Azure plan for a customer:
//! <https://learn.microsoft.com/en-us/partner-center/developer/create-a-cart>.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::catalogue::AZURE_PLAN;
use super::orders;
use crate::simulator::audit::operation_date;
use crate::simulator::clock::later;
use crate::simulator::commerce::{Cart, CartLine, KEPT_MAX, Order};
use crate::simulator::exchange::{Answer, Outcome, Request, member, text_member};
use crate::simulator::partner_center::caller::{Needs, authenticate};
use crate::simulator::partner_center::customers::resold;
use crate::simulator::partner_center::refusal::{fault, invalid_property, unbindable};
use crate::simulator::purchase;
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{PartnerType, Subscription, SubscriptionKind, SubscriptionStatus};

/// How long a cart lives.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

pub(super) fn create(state: &mut State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    let cart = Cart { id: state.random.uuid(), lines: lines(request)?, created_at: request.at, is_checked_out: false };
    if customer.commerce.carts.len() >= KEPT_MAX {
        return Err(fault(StatusCode::BAD_REQUEST, "800002", "The customer has too many carts."));
    }
    let answer = Answer::json(StatusCode::CREATED, &to_json(&cart)).effective();
    let tenant = customer.about.tenant_id;
    if let Some(customer) = state.customers.get_mut(&tenant) {
        customer.commerce.carts.push(cart);
    }
    Ok(answer)
}

pub(super) fn get(state: &State, request: &Request, customer: &str, id: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    Ok(Answer::ok(&to_json(find(customer, id, request.at)?)))
}

pub(super) fn update(state: &mut State, request: &Request, customer: &str, id: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    let cart = Cart { lines: lines(request)?, ..find(customer, id, request.at)?.clone() };
    let answer = Answer::ok(&to_json(&cart)).effective();
    let tenant = customer.about.tenant_id;
    replace(state, tenant, cart);
    Ok(answer)
}

/// The cart becomes orders, one for each line.
pub(super) fn check_out(state: &mut State, request: &Request, customer: &str, id: &str) -> Outcome {
    let caller = authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    let cart = find(customer, id, request.at)?.clone();
    check_prerequisites(state, customer, &cart)?;
    let tenant = customer.about.tenant_id;
    let visible_at = later(request.at, state.settings.order_delay_ms);
    let mut made = Vec::new();
    for line in &cart.lines {
        let plan = Subscription {
            id: state.random.uuid(),
            kind: SubscriptionKind::AzurePlan,
            status: SubscriptionStatus::Active,
            azure_subscriptions: Vec::new(),
            visible_at: Some(visible_at),
            reseller: line.reseller.clone(),
        };
        let order = Order {
            id: format!("order-{}", plan.id),
            offer_id: line.catalog_item.clone(),
            name: "Azure plan".to_owned(),
            quantity: line.quantity,
            term: None,
            line_type: "New",
            subscription: Some(plan.id),
            commitment: None,
            created_at: request.at,
            visible_at,
        };
        made.push(orders::to_json(tenant, &order));
        let delay_ms = state.settings.audit_delay_ms;
        purchase::note_order(
            state,
            tenant,
            &order,
            caller.user.as_deref().unwrap_or_default(),
            &caller.application,
            delay_ms,
            request.at,
        );
        if let Some(customer) = state.customers.get_mut(&tenant) {
            customer.about.subscriptions.push(plan);
            customer.commerce.orders.push(order);
        }
    }
    replace(state, tenant, Cart { is_checked_out: true, ..cart });
    let body = json!({ "orders": made, "attributes": { "objectType": "CartCheckoutResult" } });
    Ok(Answer::json(StatusCode::CREATED, &body).effective())
}

/// What must be so before an Azure plan can be bought. Only the first has a documented code.
fn check_prerequisites(state: &State, customer: &Customer, cart: &Cart) -> Result<(), Answer> {
    if !customer.about.agreement_accepted {
        return Err(fault(
            StatusCode::FORBIDDEN,
            "13605",
            "The customer has not accepted the Microsoft Customer Agreement.",
        ));
    }
    let held = |kind| {
        let subscriptions = customer.about.subscriptions.iter();
        subscriptions.filter(move |held| held.kind == kind && held.status == SubscriptionStatus::Active)
    };
    if held(SubscriptionKind::AzureGlobal).next().is_some() {
        return Err(fault(
            StatusCode::BAD_REQUEST,
            "800002",
            "The customer has a Microsoft Azure (MS-AZR-0145P) subscription, which must be moved to the Azure plan.",
        ));
    }
    let is_provider = state.partner.kind == PartnerType::IndirectProvider;
    for (index, line) in cart.lines.iter().enumerate() {
        if is_provider && line.reseller.is_none() {
            return Err(invalid_property("participants must name the transaction_reseller."));
        }
        let is_for_same = |other: &Option<String>| !is_provider || *other == line.reseller;
        let repeats = cart.lines.iter().take(index).any(|earlier| is_for_same(&earlier.reseller));
        if repeats || held(SubscriptionKind::AzurePlan).any(|plan| is_for_same(&plan.reseller)) {
            return Err(fault(StatusCode::CONFLICT, "800060", "The customer has an Azure plan already."));
        }
    }
    Ok(())
}

fn find<'a>(customer: &'a Customer, id: &str, now: Timestamp) -> Result<&'a Cart, Answer> {
    let id = Uuid::try_parse(id).ok();
    let mut carts = customer.commerce.carts.iter();
    let found = carts.find(|cart| Some(cart.id) == id && !cart.is_checked_out && now < expiry(cart));
    found.ok_or_else(|| fault(StatusCode::NOT_FOUND, "20000", "The cart was not found or has expired."))
}

fn expiry(cart: &Cart) -> Timestamp {
    cart.created_at.checked_add(LIFE).unwrap_or(Timestamp::MAX)
}

fn replace(state: &mut State, tenant: Uuid, cart: Cart) {
    let carts = state.customers.get_mut(&tenant).map(|customer| &mut customer.commerce.carts);
    if let Some(held) = carts.and_then(|carts| carts.iter_mut().find(|held| held.id == cart.id)) {
        *held = cart;
    }
}

/// The lines of a body; only the Azure plan is for sale.
fn lines(request: &Request) -> Result<Vec<CartLine>, Answer> {
    let body = request.json().ok_or_else(unbindable)?;
    let items = member(&body, "lineItems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if items.is_empty() {
        return Err(invalid_property("lineItems is missing or empty."));
    }
    items.iter().map(line).collect()
}

fn line(item: &Value) -> Result<CartLine, Answer> {
    let catalog_item =
        text_member(item, "catalogItemId").ok_or_else(|| invalid_property("catalogItemId is missing."))?;
    if !catalog_item.eq_ignore_ascii_case(AZURE_PLAN) {
        return Err(invalid_property(&format!("catalogItemId {catalog_item} is not for sale.")));
    }
    if member(item, "quantity").and_then(Value::as_u64) != Some(1) {
        return Err(invalid_property("quantity of an Azure plan is 1."));
    }
    let cycle = text_member(item, "billingCycle").unwrap_or_default();
    if !cycle.replace('_', "").eq_ignore_ascii_case("onetime") {
        return Err(invalid_property("billingCycle of an Azure plan is one_time."));
    }
    let participants = member(item, "participants").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let reseller = participants
        .iter()
        .find(|participant| text_member(participant, "key") == Some("transaction_reseller"))
        .and_then(|participant| text_member(participant, "value"));
    Ok(CartLine {
        catalog_item: AZURE_PLAN.to_owned(),
        quantity: 1,
        billing_cycle: "one_time".to_owned(),
        reseller: reseller.map(str::to_owned),
    })
}

fn to_json(cart: &Cart) -> Value {
    let lines: Vec<Value> = cart
        .lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let mut item = json!({
                "id": index, "catalogItemId": line.catalog_item, "quantity": line.quantity, "currencyCode": "USD",
                "billingCycle": line.billing_cycle, "orderGroup": "0",
            });
            if let Some(reseller) = &line.reseller {
                item["participants"] = json!([{ "key": "transaction_reseller", "value": reseller }]);
            }
            item
        })
        .collect();
    json!({
        "id": cart.id,
        "creationTimestamp": operation_date(cart.created_at),
        "expirationTimestamp": operation_date(expiry(cart)),
        "status": "Active",
        "lineItems": lines,
        "attributes": { "objectType": "Cart" },
    })
}
