//! A customer's Account page, with the two switches.

use askama::Template;
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::form::{Form, address};
use super::people::{self, Person};
use super::shell::{Entry, Place, Shell};
use super::{customer, page, see_other};
use crate::simulator::control;
use crate::simulator::control_call::{ControlCall, Verb};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::policy::{PURCHASE, Permission, RESOURCES};
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{PartnerType, Relationship};

/// What the pages of one customer have in common.
#[derive(Debug)]
pub(super) struct About {
    pub(super) tenant: Uuid,
    pub(super) name: String,
    pub(super) item: Item,
}

/// An entry of the customer's menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Subscriptions,
    Account,
    Purchases,
}

impl About {
    pub(super) fn of(customer: &Customer, item: Item) -> Self {
        Self { tenant: customer.about.tenant_id, name: customer.about.name.clone(), item }
    }

    /// The customer's menu.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let entries = [
            ("/subscriptions", "Subscriptions", Item::Subscriptions),
            ("", "Account", Item::Account),
            ("/purchases", "Purchases", Item::Purchases),
        ];
        let entry = |(below, title, item)| Entry {
            address: format!("/portal/customers/{}{below}", self.tenant),
            title,
            is_current: item == self.item,
        };
        entries.into_iter().map(entry).collect()
    }
}

#[derive(Debug, Template)]
#[template(path = "account.html")]
struct Account {
    shell: Shell,
    about: About,
    domain: String,
    relationship: String,
    agreement_accepted: bool,
    switches: Vec<Switch>,
    /// Entries of the policy that the portal does not know.
    others: Vec<String>,
}

#[derive(Debug)]
struct Switch {
    resource: &'static str,
    title: &'static str,
    is_on: bool,
}

/// What the portal calls the switch of a resource.
pub(super) fn title(resource: &str) -> &'static str {
    if resource == RESOURCES[0] { "Azure reservations" } else { "Azure savings plans" }
}

/// Whether the customer may purchase that.
pub(super) fn is_on(customer: &Customer, resource: &str) -> bool {
    permissions(customer).iter().any(|entry| entry.resource == resource && entry.action == PURCHASE)
}

fn permissions(customer: &Customer) -> &[Permission] {
    customer.policy.as_ref().map(|policy| policy.permissions.as_slice()).unwrap_or_default()
}

/// As people say it: `Reseller`, `Microsoft support`.
pub(super) fn relationship(relationship: &Relationship) -> String {
    let word = json!(relationship).as_str().unwrap_or_default().replace('_', " ");
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

pub(super) fn show(state: &State, request: &Request, id: &str) -> Outcome {
    let customer = customer(state, request, id)?;
    let shell = Shell::new(state, request, Place::Customers, &format!("{}, Account", customer.about.name));
    Ok(page(StatusCode::OK, &account(customer, shell)))
}

fn account(customer: &Customer, shell: Shell) -> Account {
    let is_switch = |entry: &&Permission| RESOURCES.contains(&entry.resource.as_str()) && entry.action == PURCHASE;
    let others = permissions(customer).iter().filter(|entry| !is_switch(entry));
    Account {
        shell,
        about: About::of(customer, Item::Account),
        domain: customer.about.domain(),
        relationship: relationship(&customer.about.relationship),
        agreement_accepted: customer.about.agreement_accepted,
        switches: RESOURCES
            .iter()
            .map(|resource| Switch { resource, title: title(resource), is_on: is_on(customer, resource) })
            .collect(),
        others: others.map(|entry| format!("{} {}", entry.action, entry.resource)).collect(),
    }
}

/// Somebody turns a switch.
pub(super) fn turn(state: &mut State, request: &Request, id: &str) -> Outcome {
    let person = people::signed_in(state, request);
    let customer = customer(state, request, id)?;
    let tenant = customer.about.tenant_id;
    let path = format!("/portal/customers/{tenant}");
    if let Err(said) = may_turn(state, customer, &person) {
        return Err(refused(state, request, tenant, StatusCode::FORBIDDEN, &said));
    }
    let form = Form::of(request);
    let Some((resource, allow)) = form.get("turn").and_then(wanted) else {
        let said = "The form does not say which switch is to be turned, and where to.";
        return Err(refused(state, request, tenant, StatusCode::BAD_REQUEST, said));
    };
    let body = json!({ "customer": tenant, "resource": resource, "allow": allow, "user": person.upn });
    let call = ControlCall::new(Verb::Post, "portal/permission".to_owned(), body);
    match control::make(&call, state, request.at) {
        Ok(answer) if answer["operation"].is_null() => Ok(see_other(&address(&path, &[("done", "as-before")]))),
        Ok(_) => {
            let what = if resource == RESOURCES[0] { "reservations" } else { "savings-plans" };
            let done = format!("{what}-{}", if allow { "on" } else { "off" });
            Ok(see_other(&address(&path, &[("done", &done)])))
        }
        Err(said) => Err(refused(state, request, tenant, StatusCode::BAD_REQUEST, &said)),
    }
}

/// The switch that a button names, and the position it is to have.
fn wanted(value: &str) -> Option<(&str, bool)> {
    let (resource, position) = value.split_once(':')?;
    match position {
        "on" => Some((resource, true)),
        "off" => Some((resource, false)),
        _ => None,
    }
}

/// Who may turn switches, and of whom.
fn may_turn(state: &State, customer: &Customer, person: &Person) -> Result<(), String> {
    if !person.is_admin_agent() {
        return Err(format!(
            "You don’t have permission to do this. Only Admin agents turn customer permissions on or off, and {} is {}.",
            person.upn,
            person.title()
        ));
    }
    if state.partner.kind == PartnerType::IndirectReseller {
        return Err("Only direct bill partners and indirect providers turn customer permissions on or off. \
                    This partner is an indirect reseller: ask the indirect provider."
            .to_owned());
    }
    if customer.about.relationship != Relationship::Reseller {
        return Err(format!("The partner has no reseller relationship with {}.", customer.about.name));
    }
    Ok(())
}

fn refused(state: &State, request: &Request, tenant: Uuid, status: StatusCode, said: &str) -> Answer {
    let id = tenant.to_string();
    let customer = match customer(state, request, &id) {
        Ok(customer) => customer,
        Err(not_found) => return not_found,
    };
    let title = format!("{}, Account", customer.about.name);
    let path = format!("/portal/customers/{tenant}");
    let shell = Shell::new(state, request, Place::Customers, &title).refused(said, &path);
    page(status, &account(customer, shell))
}
