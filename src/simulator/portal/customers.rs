//! The list of customers.

use askama::Template;
use axum::http::StatusCode;
use uuid::Uuid;

use super::form::asked;
use super::paging::Paging;
use super::shell::{Place, Shell};
use super::{account, page};
use crate::simulator::exchange::{Answer, Request};
use crate::simulator::policy::RESOURCES;
use crate::simulator::state::{Customer, State};

/// Customers on one page.
const PAGE_SIZE: usize = 25;

#[derive(Debug, Template)]
#[template(path = "customers.html")]
struct Customers {
    shell: Shell,
    search: String,
    rows: Vec<Row>,
    paging: Paging,
}

#[derive(Debug)]
struct Row {
    tenant: Uuid,
    name: String,
    domain: String,
    relationship: String,
    switches: Vec<bool>,
}

impl Row {
    fn of(customer: &Customer) -> Self {
        let about = &customer.about;
        Self {
            tenant: about.tenant_id,
            name: about.name.clone(),
            domain: about.domain(),
            relationship: account::relationship(&about.relationship),
            switches: RESOURCES.iter().map(|resource| account::is_on(customer, resource)).collect(),
        }
    }
}

pub(super) fn list(state: &State, request: &Request) -> Answer {
    let search = asked(request, "search").unwrap_or_default();
    let wanted = search.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let mut found: Vec<&Customer> = state
        .customers
        .values()
        .filter(|customer| has(&customer.about.name) || has(&customer.about.domain()))
        .collect();
    found.sort_by_cached_key(|customer| (customer.about.name.to_lowercase(), customer.about.tenant_id));
    let paging = Paging::of(request, "customers", found.len(), PAGE_SIZE);
    let rows = found.into_iter().skip(paging.skip).take(paging.size).map(Row::of).collect();
    let shell = Shell::new(state, request, Place::Customers, "Customers");
    page(StatusCode::OK, &Customers { shell, search: search.to_owned(), rows, paging })
}
