//! Customers: <https://learn.microsoft.com/en-us/partner-center/developer/customer-resources>.

use std::ops::Bound;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Needs, authenticate};
use super::collection::{self, Filter};
use super::refusal::{fault, invalid_property, no_relationship};
use crate::simulator::clock::later;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::settings::PageSize;
use crate::simulator::state::{Customer, State};
use crate::simulator::world::Relationship;

/// What a following page of customers needs: Microsoft's clients send neither size nor filter again.
#[derive(Debug, Serialize, Deserialize)]
struct Continuation {
    after: Uuid,
    /// How many came before, for pages that shift.
    passed: usize,
    size: PageSize,
    search: Option<Search>,
}

/// A search by the beginning of a text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Search {
    by_domain: bool,
    prefix: String,
}

impl Search {
    fn finds(&self, customer: &Customer) -> bool {
        let text = if self.by_domain { customer.about.domain() } else { customer.about.name.clone() };
        text.to_lowercase().starts_with(&self.prefix)
    }
}

pub(super) fn list(state: &State, request: &Request) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let shifts = state.settings.shifting_pages;
    let (after, passed, size, search) = if let Some(Continuation { after, passed, size, search }) =
        collection::continuation::<Continuation>(request)?
    {
        (if shifts { Bound::Unbounded } else { Bound::Excluded(after) }, passed, size, search)
    } else {
        let size = state.settings.default_customer_page_size.requested(request.query("size"));
        (Bound::Unbounded, 0, size.map_err(|text| invalid_property(&text))?, search_of(request)?)
    };
    let mut found = state
        .customers
        .range((after, Bound::Unbounded))
        .filter(|(_, customer)| is_readable(state, request, customer))
        .filter(|(_, customer)| search.as_ref().is_none_or(|search| search.finds(customer)))
        .skip(if shifts { passed } else { 0 });
    let page: Vec<(&Uuid, &Customer)> = found.by_ref().take(size.get()).collect();
    let items: Vec<Value> = page.iter().map(|(_, customer)| to_json(customer)).collect();
    let token = page.last().filter(|_| found.next().is_some()).map(|(last, _)| Continuation {
        after: **last,
        passed: passed + page.len(),
        size,
        search: search.clone(),
    });
    let next = token.as_ref().map(|token| ("/customers?seekOperation=Next".to_owned(), token));
    Ok(Answer::ok(&collection::page(&items, &format!("/customers?size={}", size.get()), next)))
}

fn search_of(request: &Request) -> Result<Option<Search>, Answer> {
    let Some(Filter { field, value, operator }) = Filter::of(request)? else {
        return Ok(None);
    };
    let by_domain = match field.as_str() {
        "companyname" => false,
        "domain" => true,
        _ => return Err(invalid_property("Customers are filtered by CompanyName or Domain.")),
    };
    if operator == "starts_with" {
        Ok(Some(Search { by_domain, prefix: value }))
    } else {
        Err(invalid_property("Customers are filtered with the operator starts_with."))
    }
}

pub(super) fn get(state: &State, request: &Request, customer: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let mut body = to_json(related(state, request, customer)?);
    // Only this answer has it; the list does not.
    body["allowDelegatedAccess"] = json!(true);
    Ok(Answer::ok(&body))
}

/// A customer in any relationship to the partner.
pub(super) fn related<'a>(state: &'a State, request: &Request, customer: &str) -> Result<&'a Customer, Answer> {
    let id = customer_id(customer)?;
    let found = state.customers.get(&id).ok_or_else(|| no_relationship(state.partner.tenant_id, id))?;
    if is_readable(state, request, found) {
        Ok(found)
    } else {
        Err(fault(StatusCode::NOT_FOUND, "60003", "Tenant not found."))
    }
}

/// A customer that was just added may be unknown for a while.
fn is_readable(state: &State, request: &Request, customer: &Customer) -> bool {
    let delay_ms = state.settings.new_customer_delay_ms;
    customer.added_at.is_none_or(|at| later(at, delay_ms) <= request.at)
}

/// A customer that the partner resells to; only there is commerce.
pub(super) fn resold<'a>(state: &'a State, request: &Request, customer: &str) -> Result<&'a Customer, Answer> {
    let found = related(state, request, customer)?;
    if found.about.relationship == Relationship::Reseller {
        Ok(found)
    } else {
        Err(no_relationship(state.partner.tenant_id, found.about.tenant_id))
    }
}

fn customer_id(text: &str) -> Result<Uuid, Answer> {
    Uuid::try_parse(text)
        .map_err(|_| fault(StatusCode::BAD_REQUEST, "900118", &format!("The customer ID {text} is not valid.")))
}

fn to_json(customer: &Customer) -> Value {
    let about = &customer.about;
    let id = about.tenant_id;
    json!({
        "id": id,
        "commerceId": id,
        "companyProfile": {
            "tenantId": id,
            "domain": about.domain(),
            "companyName": about.name,
            "attributes": { "objectType": "CustomerCompanyProfile" },
        },
        "relationshipToPartner": about.relationship,
        "customDomains": [about.domain()],
        "associatedPartnerId": null,
        "links": { "self": { "uri": format!("/customers/{id}"), "method": "GET", "headers": [] } },
        "attributes": { "objectType": "Customer" },
    })
}
