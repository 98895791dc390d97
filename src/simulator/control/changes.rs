//! Changing the world from outside, as people, other systems and time do.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{body, done, refuse, unknown};
use crate::simulator::audit::{self, Record};
use crate::simulator::clock::later;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::policy::{PURCHASE, Permission, Policy, RESOURCES};
use crate::simulator::policy_change::{self, Author, Through};
use crate::simulator::sign_ins::Decision;
use crate::simulator::state::State;
use crate::simulator::world::{
    self, PartnerRole, PrincipalType, Relationship, RoleAssignment, RoleDefinition, SubscriptionStatus,
};

/// The application that audit records of the portal name.
const PORTAL: &str = "Partner Center Web";

pub(super) fn settings(state: &mut State, request: &Request) -> Outcome {
    let changes: serde_json::Value = body(request)?;
    state.settings = state.settings.patched(&changes).map_err(|text| refuse(&text))?;
    Ok(super::views::settings(state))
}

pub(super) fn clock(state: &mut State, request: &Request) -> Outcome {
    state.clock = state.clock.changed(&body(request)?).map_err(|text| refuse(&text))?;
    Ok(super::views::clock(state))
}

/// Someone turns a switch in the portal.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PortalPermission {
    customer: Uuid,
    resource: String,
    allow: bool,
    user: String,
    /// That of another program's request, instead of one that the portal makes up.
    correlation_id: Option<String>,
}

pub(super) fn portal_permission(state: &mut State, request: &Request) -> Outcome {
    let PortalPermission { customer: tenant, resource, allow, user, correlation_id } = body(request)?;
    if !RESOURCES.contains(&resource.as_str()) {
        return Err(refuse(&format!(
            "the portal has no switch for `{resource}`: expected {}; PUT /simulator/customers/{tenant}/policy sets others",
            RESOURCES.join(" or ")
        )));
    }
    let customer = state.customers.get(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    let before = customer.policy.as_ref().map(|policy| policy.permissions.clone()).unwrap_or_default();
    let mut permissions = before.clone();
    permissions.retain(|permission| permission.resource != resource);
    if allow {
        permissions.push(Permission { resource, action: PURCHASE.to_owned() });
    }
    let is_same = permissions.len() == before.len() && permissions.iter().all(|entry| before.contains(entry));
    if is_same {
        return Ok(Answer::ok(&json!({ "operation": null })));
    }
    // The portal makes up its own correlation id, which no other client knows.
    let correlation_id = correlation_id.unwrap_or_else(|| state.random.uuid().to_string());
    let author = Author { user: Some(user), application: PORTAL.to_owned(), correlation_id, through: Through::Portal };
    let operation = policy_change::write(state, tenant, permissions, author, request.at);
    Ok(Answer::ok(&json!({ "operation": operation })))
}

/// The policy's entries as they are to be, documented or not. No audit record tells of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    permissions: Vec<Permission>,
}

pub(super) fn policy(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let RawPolicy { permissions } = body(request)?;
    let customer = state.customers.get_mut(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    customer.remember(request.at);
    customer.policy = Policy::new(&state.random, permissions);
    Ok(done())
}

pub(super) fn add_customer(state: &mut State, request: &Request) -> Outcome {
    let about: world::Customer = body(request)?;
    state.add_customer(about, request.at).map_err(|text| refuse(&text))?;
    Ok(Answer::empty(StatusCode::CREATED))
}

pub(super) fn remove_customer(state: &mut State, tenant: Uuid) -> Outcome {
    if state.remove_customer(tenant) { Ok(done()) } else { Err(unknown("customer", tenant)) }
}

/// The partner buys a subscription for a customer.
pub(super) fn add_subscription(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let subscription: world::Subscription = body(request)?;
    match state.add_subscription(tenant, subscription) {
        Ok(true) => Ok(Answer::empty(StatusCode::CREATED)),
        Ok(false) => Err(unknown("customer", tenant)),
        Err(text) => Err(refuse(&text)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRelationship {
    relationship: Relationship,
}

pub(super) fn relationship(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let NewRelationship { relationship } = body(request)?;
    let customer = state.customers.get_mut(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    customer.about.relationship = relationship;
    Ok(done())
}

/// Someone gives a principal Owner on an Azure subscription, or takes it away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Owner {
    subscription: Uuid,
    principal_id: Uuid,
    #[serde(default)]
    principal_type: PrincipalType,
    holds: bool,
}

pub(super) fn owner(state: &mut State, request: &Request) -> Outcome {
    let Owner { subscription, principal_id, principal_type, holds } = body(request)?;
    let tenant = state.tenant_of_azure(subscription);
    let azure = tenant
        .and_then(|tenant| state.customers.get_mut(&tenant))
        .and_then(|customer| customer.about.azure_subscriptions_mut().find(|azure| azure.id == subscription))
        .ok_or_else(|| unknown("Azure subscription", subscription))?;
    azure
        .role_assignments
        .retain(|assignment| assignment.principal_id != principal_id || assignment.role != RoleDefinition::OWNER);
    if holds {
        azure.role_assignments.push(RoleAssignment::owner(principal_id, principal_type));
    }
    Ok(done())
}

/// A plan's status is one of Partner Center's; that of an Azure subscription is free text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    id: Uuid,
    status: String,
}

pub(super) fn subscription_status(state: &mut State, request: &Request) -> Outcome {
    let NewStatus { id, status } = body(request)?;
    let mut subscriptions = state.customers.values_mut().flat_map(|customer| &mut customer.about.subscriptions);
    if let Some(subscription) = subscriptions.find(|subscription| subscription.id == id) {
        let known: Result<SubscriptionStatus, _> = serde_json::from_value(json!(status));
        subscription.status = known.map_err(|error| refuse(&error.to_string()))?;
        return Ok(done());
    }
    let mut azure = state.customers.values_mut().flat_map(|customer| customer.about.azure_subscriptions_mut());
    let found = azure.find(|azure| azure.id == id).ok_or_else(|| unknown("subscription", id))?;
    found.status = status;
    Ok(done())
}

/// A record that no write of the simulator made.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ForeignRecord {
    customer: Uuid,
    operation: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    resource_type: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    application: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    correlation_id: Option<String>,
    /// Now when absent.
    #[serde(default)]
    at: Option<Timestamp>,
    /// Counted from now, not from `at`.
    #[serde(default)]
    delay_ms: u64,
}

pub(super) fn audit_record(state: &mut State, request: &Request) -> Outcome {
    let new: ForeignRecord = body(request)?;
    let at = new.at.unwrap_or_else(|| state.audit.moment(request.at));
    let name = state.customers.get(&new.customer).map(|customer| customer.about.name.clone());
    let id = new
        .id
        .unwrap_or_else(|| audit::record_id(state.partner.tenant_id, new.customer, &new.operation, at))
        .to_lowercase();
    state.audit.add(Record {
        id: id.clone(),
        customer: new.customer,
        customer_name: name.unwrap_or_default(),
        user: new.user,
        application: new.application.unwrap_or_else(|| PORTAL.to_owned()),
        resource_type: new.resource_type.unwrap_or_else(|| "self_serve_policy".to_owned()),
        operation: new.operation,
        status: new.status.unwrap_or_else(|| "succeeded".to_owned()),
        old_value: None,
        new_value: None,
        correlation_id: new.correlation_id.unwrap_or_else(|| state.random.uuid().to_string()),
        customized: Vec::new(),
        at,
        visible_at: later(request.at, new.delay_ms),
    });
    Ok(Answer::json(StatusCode::CREATED, &json!({ "id": id })))
}

/// The partner's administrator changes a user; or the user signs in somewhere, and gets this refresh token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PartnerUser {
    upn: String,
    #[serde(default)]
    roles: Option<Vec<PartnerRole>>,
    #[serde(default)]
    mfa: Option<bool>,
    #[serde(default)]
    refresh_token: Option<String>,
}

pub(super) fn partner_user(state: &mut State, request: &Request) -> Outcome {
    let PartnerUser { upn, roles, mfa, refresh_token } = body(request)?;
    let user = state.partner.users.iter_mut().find(|user| user.upn.eq_ignore_ascii_case(&upn));
    let user = user.ok_or_else(|| refuse(&format!("the partner has no user `{upn}`")))?;
    user.roles = roles.unwrap_or_else(|| user.roles.clone());
    user.mfa = mfa.unwrap_or(user.mfa);
    if let Some(token) = refresh_token {
        state.refresh_tokens.give(&user.upn, token).map_err(|text| refuse(&text))?;
    }
    Ok(done())
}

/// An administrator signs a user out everywhere: what was issued so far is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedOut {
    upn: String,
}

pub(super) fn sign_out(state: &mut State, request: &Request) -> Outcome {
    let SignedOut { upn } = body(request)?;
    known_user(state, &upn)?;
    state.refresh_tokens.revoke(&upn);
    Ok(done())
}

/// Somebody enters a device code and signs in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    user: String,
}

pub(super) fn approve_device_code(state: &mut State, request: &Request, user_code: &str) -> Outcome {
    let Approval { user } = body(request)?;
    known_user(state, &user)?;
    decide(state, request, user_code, Decision::Approved(user))
}

/// Somebody enters a device code and thinks better of it.
pub(super) fn decline_device_code(state: &mut State, request: &Request, user_code: &str) -> Outcome {
    decide(state, request, user_code, Decision::Declined)
}

fn decide(state: &mut State, request: &Request, user_code: &str, decision: Decision) -> Outcome {
    state.sign_ins.decide(user_code, decision, request.at).map_err(|text| refuse(&text))?;
    Ok(done())
}

fn known_user(state: &State, upn: &str) -> Result<(), Answer> {
    state.user(upn).map(|_| ()).ok_or_else(|| refuse(&format!("the partner has no user `{upn}`")))
}

/// A user of the partner signs in with a browser.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    user: String,
}

pub(super) fn sign_in(state: &mut State, request: &Request) -> Outcome {
    let SignIn { user } = body(request)?;
    known_user(state, &user)?;
    let refresh_token = crate::simulator::entra::sign_in(state, &user);
    Ok(Answer::json(StatusCode::CREATED, &json!({ "refreshToken": refresh_token })))
}
