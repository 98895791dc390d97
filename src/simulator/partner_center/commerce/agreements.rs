//! What comes before a purchase: the customer's agreement, and registering a subscription for reservations.
//! <https://learn.microsoft.com/en-us/partner-center/developer/purchase-azure-reservations>

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::simulator::clock::later;
use crate::simulator::exchange::{Answer, Outcome, Request, text_member};
use crate::simulator::partner_center::caller::{Needs, authenticate};
use crate::simulator::partner_center::collection;
use crate::simulator::partner_center::customers::resold;
use crate::simulator::partner_center::refusal::{fault, invalid_property, unbindable};
use crate::simulator::state::{Customer, State};
use crate::simulator::world::Subscription;

const KIND: &str = "MicrosoftCustomerAgreement";

pub(super) fn list(state: &State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let customer = resold(state, request, customer)?;
    let accepted = customer.about.agreement_accepted;
    let items: Vec<Value> = accepted.then(|| agreement_json(customer)).into_iter().collect();
    Ok(Answer::ok(&collection::complete(&items)))
}

/// The partner confirms that the customer has accepted.
pub(super) fn accept(state: &mut State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::User)?;
    let tenant = resold(state, request, customer)?.about.tenant_id;
    let body = request.json().ok_or_else(unbindable)?;
    if !text_member(&body, "type").is_some_and(|kind| kind.eq_ignore_ascii_case(KIND)) {
        return Err(invalid_property(&format!("type is {KIND}.")));
    }
    let customer = state.customers.get_mut(&tenant).ok_or_else(unbindable)?;
    customer.about.agreement_accepted = true;
    Ok(Answer::json(StatusCode::CREATED, &agreement_json(customer)).effective())
}

fn agreement_json(customer: &Customer) -> Value {
    json!({
        "type": KIND,
        "templateId": "117a77b0-9360-443b-8795-c6dedc750cf9",
        "agreementLink": "",
        "dateAgreed": "2025-02-01T00:00:00Z",
        "primaryContact": { "firstName": "Ada", "lastName": "Contoso", "email": format!("ada@{}", customer.about.domain()) },
        "attributes": { "objectType": "Agreement" },
    })
}

/// 202, and where to look for the outcome.
pub(super) fn register(state: &mut State, request: &Request, customer: &str, subscription: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let (tenant, id) = known(state, request, customer, subscription)?;
    if let Some(customer) = state.customers.get_mut(&tenant) {
        customer.commerce.registrations.entry(id).or_insert(request.at);
    }
    let status = format!("/customers/{tenant}/subscriptions/{id}/registrationstatus");
    Ok(Answer::empty(StatusCode::ACCEPTED).with_header("location", status).effective())
}

pub(super) fn registration_status(state: &State, request: &Request, customer: &str, subscription: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let (tenant, id) = known(state, request, customer, subscription)?;
    let asked = state.customers.get(&tenant).and_then(|customer| customer.commerce.registrations.get(&id));
    let status = match asked {
        None => "notregistered",
        Some(at) if later(*at, state.settings.order_delay_ms) <= request.at => "registered",
        Some(_) => "registering",
    };
    Ok(Answer::ok(&json!({
        "subscriptionId": id, "status": status, "attributes": { "objectType": "SubscriptionRegistrationStatus" },
    })))
}

/// The customer and its subscription, a plan or an Azure subscription.
fn known(state: &State, request: &Request, customer: &str, subscription: &str) -> Result<(Uuid, Uuid), Answer> {
    let customer = resold(state, request, customer)?;
    let id = Uuid::try_parse(subscription).ok();
    let known = customer.about.subscriptions.iter().flat_map(Subscription::ids).find(|held| Some(*held) == id);
    let absent = || fault(StatusCode::NOT_FOUND, "20003", &format!("Subscription with ID {subscription} not found."));
    Ok((customer.about.tenant_id, known.ok_or_else(absent)?))
}
