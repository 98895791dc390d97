//! The catalogue, as far as it sells an Azure plan:
//! <https://learn.microsoft.com/en-us/partner-center/developer/create-azure-plan>.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::partner_center::caller::{Needs, authenticate};
use crate::simulator::partner_center::collection;
use crate::simulator::partner_center::customers::resold;
use crate::simulator::partner_center::refusal::fault;
use crate::simulator::state::State;

const PRODUCT: &str = "DZH318Z0BPS6";
const SKU: &str = "0001";
/// Product, SKU and availability of the Azure plan.
pub(super) const AZURE_PLAN: &str = "DZH318Z0BPS6:0001:DZH318Z0BML6";

pub(super) fn products(state: &State, request: &Request, customer: &str) -> Outcome {
    open(state, request, customer)?;
    Ok(Answer::ok(&collection::complete(&[product_json()])))
}

pub(super) fn product(state: &State, request: &Request, customer: &str, product: &str) -> Outcome {
    open(state, request, customer)?;
    check(product, PRODUCT)?;
    Ok(Answer::ok(&product_json()))
}

pub(super) fn skus(state: &State, request: &Request, customer: &str, product: &str) -> Outcome {
    open(state, request, customer)?;
    check(product, PRODUCT)?;
    let sku = json!({
        "id": SKU, "productId": PRODUCT, "title": "Azure plan", "minimumQuantity": 1, "maximumQuantity": 1,
        "isTrial": false, "supportedBillingCycles": ["one_time"], "purchasePrerequisites": ["CustomerAgreement"],
        "attributes": { "objectType": "Sku" },
    });
    Ok(Answer::ok(&collection::complete(&[sku])))
}

pub(super) fn availabilities(state: &State, request: &Request, customer: &str, product: &str, sku: &str) -> Outcome {
    open(state, request, customer)?;
    check(product, PRODUCT)?;
    check(sku, SKU)?;
    let availability = json!({
        "id": "DZH318Z0BML6", "productId": PRODUCT, "skuId": SKU, "catalogItemId": AZURE_PLAN, "country": "US",
        "isPurchasable": true, "isRenewable": false, "defaultCurrency": { "code": "USD", "symbol": "$" },
        "terms": [], "attributes": { "objectType": "Availability" },
    });
    Ok(Answer::ok(&collection::complete(&[availability])))
}

fn open(state: &State, request: &Request, customer: &str) -> Result<(), Answer> {
    authenticate(state, request, Needs::AnyToken)?;
    resold(state, request, customer).map(|_| ())
}

fn check(given: &str, known: &str) -> Result<(), Answer> {
    let absent = || fault(StatusCode::NOT_FOUND, "20000", &format!("{given} is not in the catalogue."));
    given.eq_ignore_ascii_case(known).then_some(()).ok_or_else(absent)
}

fn product_json() -> Value {
    json!({
        "id": PRODUCT, "title": "Azure plan", "description": "Azure plan",
        "productType": { "id": "Azure", "displayName": "Azure" },
        "isMicrosoftProduct": true, "publisherName": "Microsoft Corporation",
        "links": { "skus": { "uri": format!("/products/{PRODUCT}/skus?country=US"), "method": "GET", "headers": [] } },
        "attributes": { "objectType": "Product" },
    })
}
