//! Buying, expiring and renewing, as people and time do it.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{body, done, refuse, unknown};
use crate::simulator::commerce::{BoughtBy, Buyer, KEPT_MAX, Term};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::purchase::{self, Bought, Purchase};
use crate::simulator::state::{Customer, State};

/// What is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Reservation,
    SavingsPlan,
}

/// Somebody buys something for a customer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPurchase {
    kind: Kind,
    buyer: BoughtBy,
    /// By default the first user of the customer or of the partner.
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default = "one")]
    quantity: u32,
    #[serde(default)]
    term: Term,
    #[serde(default)]
    subscription: Option<Uuid>,
    #[serde(default)]
    renew: bool,
    #[serde(default = "hundred")]
    utilization: f64,
    #[serde(default = "default_sku")]
    sku: String,
    #[serde(default = "default_location")]
    location: String,
    #[serde(default = "default_commitment")]
    commitment: f64,
    /// The setting `orderDelayMs` when absent.
    #[serde(default)]
    delay_ms: Option<u64>,
    /// Whether an audit record is written; by default only of what the partner buys.
    #[serde(default)]
    audit: Option<bool>,
    /// The setting `auditDelayMs` when absent.
    #[serde(default)]
    audit_delay_ms: Option<u64>,
}

fn one() -> u32 {
    1
}

fn hundred() -> f64 {
    100.0
}

fn default_sku() -> String {
    "Standard_D2s_v5".to_owned()
}

fn default_location() -> String {
    "westeurope".to_owned()
}

fn default_commitment() -> f64 {
    0.5
}

pub(super) fn buy(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let new: NewPurchase = body(request)?;
    let customer = state.customers.get(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    if customer.commerce.reservations.len().max(customer.commerce.savings_plans.len()) >= KEPT_MAX {
        return Err(refuse(&format!("the customer has {KEPT_MAX} purchases already")));
    }
    let audits = new.audit.unwrap_or(new.buyer == BoughtBy::Partner);
    let wanted = Purchase {
        buyer: buyer(state, customer, new.buyer, new.user.as_deref())?,
        name: new.name,
        quantity: new.quantity,
        term: new.term,
        subscription: new.subscription,
        renew: new.renew,
        utilization: new.utilization,
        sku: new.sku,
        location: new.location,
        commitment: new.commitment,
        delay_ms: new.delay_ms.unwrap_or(state.settings.order_delay_ms),
        audit_delay_ms: audits.then(|| new.audit_delay_ms.unwrap_or(state.settings.audit_delay_ms)),
    };
    let bought = match new.kind {
        Kind::Reservation => purchase::reservation(state, tenant, &wanted, request.at),
        Kind::SavingsPlan => purchase::savings_plan(state, tenant, &wanted, request.at),
    };
    bought.map(|bought| answer(&bought)).ok_or_else(|| unknown("customer", tenant))
}

fn buyer(state: &State, customer: &Customer, by: BoughtBy, upn: Option<&str>) -> Result<Buyer, Answer> {
    let is_named = |known: &str| upn.is_none_or(|upn| upn.eq_ignore_ascii_case(known));
    let found = match by {
        BoughtBy::Customer => {
            let user = customer.about.users.iter().find(|user| is_named(&user.upn));
            user.map(|user| (user.object_id, user.upn.clone()))
        }
        BoughtBy::Partner => {
            let user = state.partner.users.iter().find(|user| is_named(&user.upn));
            user.map(|user| (user.object_id, user.upn.clone()))
        }
    };
    let (principal, upn) = found.ok_or_else(|| refuse("there is no such user to buy it"))?;
    Ok(Buyer { by, principal, upn })
}

fn answer(bought: &Bought) -> Answer {
    let about = json!({ "id": bought.id, "azureOrderId": bought.azure_order, "orderId": bought.partner_order });
    Answer::json(StatusCode::CREATED, &about)
}

/// A change of something bought; what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    utilization: Option<f64>,
    renew: Option<bool>,
    expires_at: Option<Timestamp>,
}

pub(super) fn change(state: &mut State, request: &Request, id: Uuid) -> Outcome {
    let Change { utilization, renew, expires_at } = body(request)?;
    for customer in state.customers.values_mut() {
        let commerce = &mut customer.commerce;
        if let Some(held) = commerce.reservations.iter_mut().find(|held| held.id == id) {
            held.utilization = utilization.unwrap_or(held.utilization);
            held.renew = renew.unwrap_or(held.renew);
            held.expires_at = expires_at.unwrap_or(held.expires_at);
            return Ok(done());
        }
        if let Some(held) = commerce.savings_plans.iter_mut().find(|held| held.id == id) {
            held.utilization = utilization.unwrap_or(held.utilization);
            held.renew = renew.unwrap_or(held.renew);
            held.expires_at = expires_at.unwrap_or(held.expires_at);
            return Ok(done());
        }
    }
    Err(unknown("purchase", id))
}

/// A reservation ends, and the same is bought again.
pub(super) fn renew(state: &mut State, request: &Request, id: Uuid) -> Outcome {
    let has = |customer: &&Customer| customer.commerce.reservations.iter().any(|held| held.id == id);
    let tenant = state.customers.values().find(has).map(|customer| customer.about.tenant_id);
    let renewed = tenant.and_then(|tenant| purchase::renew(state, tenant, id, request.at));
    renewed.map(|bought| answer(&bought)).ok_or_else(|| unknown("reservation", id))
}

/// What the customer sees of its costs, in whatever word.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCharges {
    view_charges: String,
}

pub(super) fn charges(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let NewCharges { view_charges } = body(request)?;
    let customer = state.customers.get_mut(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    customer.commerce.charges.set(view_charges);
    Ok(done())
}

/// Body of `PUT /simulator/customers/{tenant}/agreement`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewAgreement {
    accepted: bool,
}

pub(super) fn agreement(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let NewAgreement { accepted } = body(request)?;
    let customer = state.customers.get_mut(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    customer.about.agreement_accepted = accepted;
    Ok(done())
}
