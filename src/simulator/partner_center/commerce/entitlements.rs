//! Entitlements, the best sign of a reservation in Partner Center:
//! <https://learn.microsoft.com/en-us/partner-center/developer/entitlement-resources>.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::simulator::audit::operation_date;
use crate::simulator::commerce::Reservation;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::partner_center::caller::{Needs, authenticate};
use crate::simulator::partner_center::collection;
use crate::simulator::partner_center::customers::resold;
use crate::simulator::partner_center::refusal::{fault, invalid_property};
use crate::simulator::state::{Customer, State};

/// The kinds that can be asked for; only reservations are simulated.
const KINDS: [&str; 3] = ["software", "reservedinstance", "virtualmachinereservedinstance"];

pub(super) fn list(state: &State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::User)?;
    let customer = resold(state, request, customer)?;
    let asked = request.query("entitlementType").unwrap_or("reservedinstance").to_lowercase();
    if !KINDS.contains(&asked.as_str()) {
        return Err(invalid_property(&format!("entitlementType {asked} is not known.")));
    }
    let shows_expiry = request.query("showExpiry").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let items: Vec<Value> = visible(customer, request.at)
        .filter(|_| asked != "software")
        .map(|reservation| to_json(customer.about.tenant_id, reservation, shows_expiry))
        .collect();
    Ok(Answer::ok(&collection::complete(&items)))
}

/// What the link of an entitlement leads to: the reservations of a reservation order.
pub(super) fn artifact(state: &State, request: &Request, customer: &str, order: &str) -> Outcome {
    authenticate(state, request, Needs::User)?;
    let customer = resold(state, request, customer)?;
    let order = Uuid::try_parse(order).ok();
    let found: Vec<Value> = visible(customer, request.at)
        .filter(|reservation| Some(reservation.order) == order)
        .map(|reservation| {
            json!({
                "reservationId": reservation.id,
                "scopeType": if reservation.subscription.is_some() { "single" } else { "shared" },
                // A list, or Microsoft's .NET SDK cannot read the artifact.
                "appliedScopes": reservation.subscription.as_slice(),
                "displayName": reservation.name,
                "quantity": reservation.quantity,
                "effectiveDateTime": operation_date(reservation.purchased_at),
                "expiryDateTime": operation_date(reservation.expires_at),
                "provisioningState": if reservation.expires_at <= request.at { "Expired" } else { "Succeeded" },
            })
        })
        .collect();
    if found.is_empty() {
        return Err(fault(StatusCode::NOT_FOUND, "1000", "Not found"));
    }
    Ok(Answer::ok(&json!({ "type": "reservedinstance", "reservations": found })))
}

fn visible(customer: &Customer, now: Timestamp) -> impl Iterator<Item = &Reservation> {
    customer.commerce.reservations.iter().filter(move |reservation| reservation.visible_at <= now)
}

fn to_json(customer: Uuid, reservation: &Reservation, shows_expiry: bool) -> Value {
    let order = reservation.order;
    let mut body = json!({
        "entitlementType": "reservedinstance",
        "productId": "DZH318Z0BQ36",
        "skuId": "004G",
        "quantity": reservation.quantity,
        "quantityDetails": [{ "quantity": reservation.quantity, "status": "Completed" }],
        "fulfillmentState": "completed",
        "referenceOrder": {
            "id": reservation.partner_order, "lineItemId": 0,
            "alternateId": reservation.partner_order.trim_end_matches("V1"),
        },
        "entitledArtifacts": [{
            "artifactType": "reservedinstance",
            "resourceId": order,
            "link": {
                "uri": format!("/customers/{customer}/artifacts/reservedinstance/groups/0/resources/{order}"),
                "method": "GET", "headers": [],
            },
        }],
        "includedEntitlements": [],
        "dynamicAttributes": { "reservationType": "virtualmachines" },
        "attributes": { "objectType": "Entitlement" },
    });
    if shows_expiry {
        body["expiryDate"] = json!(operation_date(reservation.expires_at));
    }
    body
}
