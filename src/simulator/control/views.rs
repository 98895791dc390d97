//! Looking at the simulator: what it holds and what it was asked.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{guid, refuse, unknown};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::operation::Operation;
use crate::simulator::policy::policy_id;
use crate::simulator::request_log::{ENTRIES_MAX, Entry};
use crate::simulator::state::{Customer, State};

pub(super) fn all_customers(state: &State) -> Answer {
    let customers: Vec<Value> = state.customers.values().map(|customer| customer_json(state, customer)).collect();
    Answer::ok(&json!({ "customers": customers, "auditRecords": state.audit.len() }))
}

pub(super) fn one_customer(state: &State, tenant: Uuid) -> Outcome {
    let customer = state.customers.get(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    Ok(Answer::ok(&customer_json(state, customer)))
}

fn customer_json(state: &State, customer: &Customer) -> Value {
    let tenant = customer.about.tenant_id;
    let policy = customer.policy.as_ref();
    json!({
        "tenantId": tenant,
        "name": customer.about.name,
        "relationship": customer.about.relationship,
        "policyId": policy.map(|_| policy_id(state.partner.tenant_id, tenant)),
        "etag": policy.map(|policy| &policy.etag),
        "permissions": policy.map(|policy| policy.permissions.as_slice()).unwrap_or_default(),
        "policyWrites": customer.policy_writes,
        "portalWrites": customer.portal_writes,
        "viewCharges": customer.commerce.charges.view(state.clock.now()),
        "orders": customer.commerce.orders.iter().map(|order| &order.offer_id).collect::<Vec<_>>(),
        "resellers": customer.about.subscriptions.iter().filter_map(|held| held.reseller.as_ref()).collect::<Vec<_>>(),
    })
}

pub(super) fn requests(state: &State, request: &Request) -> Outcome {
    let operation: Option<Operation> = request
        .query("operation")
        .map(|name| serde_json::from_value(json!(name)).map_err(|error| refuse(&error.to_string())))
        .transpose()?;
    let customer = request.query("customer").map(guid).transpose()?;
    let since = match request.query("since").map(str::parse) {
        None => 0,
        Some(Ok(since)) => since,
        Some(Err(_)) => return Err(refuse("since is the seq of a request")),
    };
    let found: Vec<&Entry> = state
        .log
        .since(since)
        .filter(|entry| operation.is_none_or(|wanted| entry.operation == wanted))
        .filter(|entry| customer.is_none_or(|wanted| entry.customer == Some(wanted)))
        .collect();
    Ok(Answer::ok(&json!({ "requests": found, "forgotten": state.log.forgotten(), "rememberedAtMost": ENTRIES_MAX })))
}

pub(super) fn counts(state: &State) -> Answer {
    Answer::ok(&json!(state.log.counts()))
}

pub(super) fn settings(state: &State) -> Answer {
    Answer::ok(&json!(state.settings))
}

pub(super) fn refresh_tokens(state: &State) -> Answer {
    Answer::ok(&state.issued.told())
}

pub(super) fn clock(state: &State) -> Answer {
    Answer::ok(&json!(state.clock.shown()))
}

pub(super) fn faults(state: &State) -> Answer {
    Answer::ok(&json!({ "faults": state.faults.waiting() }))
}

pub(super) fn device_codes(state: &State) -> Answer {
    Answer::ok(&json!({ "deviceCodes": state.sign_ins.device_codes() }))
}
