//! Buying, whoever does it and wherever: what a purchase leaves in Partner Center and in Azure.

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::audit::{self, Record};
use super::clock::later;
use super::commerce::{BoughtBy, Buyer, Order, Reservation, SavingsPlan, Term};
use super::state::State;

/// The offers under which Partner Center lists what was bought.
const RESERVATION_OFFER: &str = "DZH318Z0BQ36:004G:DZH318Z08C0S";
pub(crate) const SAVINGS_PLAN_OFFER: &str = "DZH318Z09V6F:0001:DZH318Z09V6G";

/// What is to be bought.
#[derive(Debug, Clone)]
pub(crate) struct Purchase {
    pub(crate) buyer: Buyer,
    pub(crate) name: Option<String>,
    pub(crate) quantity: u32,
    pub(crate) term: Term,
    pub(crate) subscription: Option<Uuid>,
    pub(crate) renew: bool,
    pub(crate) utilization: f64,
    pub(crate) sku: String,
    pub(crate) location: String,
    pub(crate) commitment: f64,
    /// How long until it can be read anywhere.
    pub(crate) delay_ms: u64,
    /// How late the audit record is; none is written without.
    pub(crate) audit_delay_ms: Option<u64>,
}

/// The ids of a purchase.
#[derive(Debug, Clone)]
pub(crate) struct Bought {
    pub(crate) id: Uuid,
    pub(crate) azure_order: Uuid,
    pub(crate) partner_order: Option<String>,
}

/// Buys a reservation: an order in Partner Center, wherever it was bought; `None` when there is no such customer.
pub(crate) fn reservation(state: &mut State, tenant: Uuid, wanted: &Purchase, now: Timestamp) -> Option<Bought> {
    reserve(state, tenant, wanted, "New", now)
}

fn reserve(
    state: &mut State,
    tenant: Uuid,
    wanted: &Purchase,
    line_type: &'static str,
    now: Timestamp,
) -> Option<Bought> {
    let name =
        wanted.name.clone().unwrap_or_else(|| format!("Reserved VM Instance, {}, {}", wanted.sku, wanted.location));
    let order =
        Order { offer_id: RESERVATION_OFFER.to_owned(), name: name.clone(), line_type, ..order(state, wanted, now) };
    let bought =
        Bought { id: state.random.uuid(), azure_order: state.random.uuid(), partner_order: Some(order.id.clone()) };
    let reservation = Reservation {
        id: bought.id,
        order: bought.azure_order,
        partner_order: order.id.clone(),
        name,
        sku: wanted.sku.clone(),
        location: wanted.location.clone(),
        quantity: wanted.quantity,
        term: wanted.term,
        subscription: wanted.subscription,
        buyer: wanted.buyer.clone(),
        renew: wanted.renew,
        utilization: wanted.utilization,
        purchased_at: now,
        visible_at: later(now, wanted.delay_ms),
        expires_at: wanted.term.end(now),
    };
    note(state, tenant, wanted, &order, now);
    let commerce = &mut state.customers.get_mut(&tenant)?.commerce;
    commerce.orders.push(order);
    commerce.reservations.push(reservation);
    Some(bought)
}

/// Buys a savings plan. One that the customer buys in the Azure portal has no order in Partner Center.
pub(crate) fn savings_plan(state: &mut State, tenant: Uuid, wanted: &Purchase, now: Timestamp) -> Option<Bought> {
    let name = wanted.name.clone().unwrap_or_else(|| "Compute_SavingsPlan".to_owned());
    let order = Order {
        offer_id: SAVINGS_PLAN_OFFER.to_owned(),
        name: name.clone(),
        commitment: Some(wanted.commitment),
        ..order(state, wanted, now)
    };
    let has_order = wanted.buyer.by == BoughtBy::Partner;
    let bought = Bought {
        id: state.random.uuid(),
        azure_order: state.random.uuid(),
        partner_order: has_order.then(|| order.id.clone()),
    };
    let plan = SavingsPlan {
        id: bought.id,
        order: bought.azure_order,
        partner_order: bought.partner_order.clone(),
        name,
        commitment: wanted.commitment,
        term: wanted.term,
        subscription: wanted.subscription,
        renew: wanted.renew,
        utilization: wanted.utilization,
        purchased_at: now,
        visible_at: later(now, wanted.delay_ms),
        expires_at: wanted.term.end(now),
    };
    if has_order {
        note(state, tenant, wanted, &order, now);
    }
    let commerce = &mut state.customers.get_mut(&tenant)?.commerce;
    if has_order {
        commerce.orders.push(order);
    }
    commerce.savings_plans.push(plan);
    Some(bought)
}

/// Buys the same again when a reservation ends, as Azure does with those that renew; the old one ends now.
pub(crate) fn renew(state: &mut State, tenant: Uuid, reservation: Uuid, now: Timestamp) -> Option<Bought> {
    let commerce = &mut state.customers.get_mut(&tenant)?.commerce;
    let old = commerce.reservations.iter_mut().find(|held| held.id == reservation)?;
    old.expires_at = old.expires_at.min(now);
    let wanted = Purchase {
        buyer: old.buyer.clone(),
        name: Some(old.name.clone()),
        quantity: old.quantity,
        term: old.term,
        subscription: old.subscription,
        renew: old.renew,
        utilization: old.utilization,
        sku: old.sku.clone(),
        location: old.location.clone(),
        commitment: 0.0,
        delay_ms: 0,
        audit_delay_ms: None,
    };
    reserve(state, tenant, &wanted, "renew", now)
}

/// Notes an order of Partner Center in the activity log.
pub(crate) fn note(state: &mut State, tenant: Uuid, wanted: &Purchase, order: &Order, now: Timestamp) {
    let Some(delay_ms) = wanted.audit_delay_ms else { return };
    let application = match wanted.buyer.by {
        BoughtBy::Partner => "Partner Center Web",
        BoughtBy::Customer => "FulfillmentService",
    };
    note_order(state, tenant, order, &wanted.buyer.upn, application, delay_ms, now);
}

/// The same, for an order of whatever kind.
pub(crate) fn note_order(
    state: &mut State,
    tenant: Uuid,
    order: &Order,
    user: &str,
    application: &str,
    delay_ms: u64,
    now: Timestamp,
) {
    let partner = state.partner.tenant_id;
    let Some(customer) = state.customers.get(&tenant) else { return };
    let at = state.audit.moment(now);
    let value = json!({
        "Id": order.id, "ReferenceCustomerId": tenant, "Status": "completed",
        "LineItems": [{ "LineItemNumber": 0, "OfferId": order.offer_id, "Quantity": order.quantity }],
        "Client": { "name": application },
    });
    let pairs = [
        ("OrderId", order.id.clone()),
        ("OfferId-0", order.offer_id.clone()),
        ("SubscriptionName-0", order.name.clone()),
        ("Quantity-0", order.quantity.to_string()),
    ];
    state.audit.add(Record {
        id: audit::record_id(partner, tenant, "create_order", at),
        customer: tenant,
        customer_name: customer.about.name.clone(),
        user: Some(user.to_owned()),
        application: application.to_owned(),
        resource_type: "order".to_owned(),
        operation: "create_order".to_owned(),
        status: "succeeded".to_owned(),
        old_value: None,
        new_value: Some(value.to_string()),
        customized: pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        correlation_id: state.random.uuid().to_string(),
        at,
        visible_at: later(at, delay_ms),
    });
}

fn order(state: &State, wanted: &Purchase, now: Timestamp) -> Order {
    Order {
        id: format!("{}V1", &state.random.word(1)[..20]),
        offer_id: String::new(),
        name: String::new(),
        quantity: wanted.quantity,
        term: Some(wanted.term),
        line_type: "New",
        subscription: wanted.subscription,
        commitment: None,
        created_at: now,
        visible_at: later(now, wanted.delay_ms),
    }
}
