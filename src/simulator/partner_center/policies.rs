//! Self-serve policies: <https://learn.microsoft.com/en-us/partner-center/developer/self-serve-policy-resources>.
//!
//! A write is refused for its form only. Whether the customer has an Azure plan or an Owner is not asked: nothing in
//! Microsoft's documents says that Partner Center does.

use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::caller::{Caller, Needs, authenticate};
use super::collection;
use super::customers::resold;
use super::refusal::{fault, invalid_property};
use crate::simulator::exchange::{Answer, Outcome, Request, member, text_member};
use crate::simulator::policy::{PURCHASE, Permission, Policy, RESOURCES};
use crate::simulator::policy_change::{self, Author, Through};
use crate::simulator::settings::StaleEtag;
use crate::simulator::state::{Customer, State};

pub(super) fn list(state: &State, request: &Request) -> Outcome {
    authenticate(state, request, Needs::User)?;
    let Some(entity) = request.query("entity_id") else {
        return Err(fault(StatusCode::BAD_REQUEST, "800002", "Invalid request input: entity_id is missing."));
    };
    let customer = resold(state, request, entity)?;
    let tenant = customer.about.tenant_id;
    let items: Vec<Value> = seen(state, request, customer)
        .into_iter()
        .map(|policy| policy.to_json(state.partner.tenant_id, tenant))
        .collect();
    Ok(Answer::ok(&collection::complete(&items)))
}

pub(super) fn get(state: &State, request: &Request, id: &str) -> Outcome {
    authenticate(state, request, Needs::User)?;
    let tenant = tenant_of(state, request, id)?;
    let customer = state.customers.get(&tenant).ok_or_else(not_found)?;
    let policy = seen(state, request, customer).ok_or_else(not_found)?;
    Ok(Answer::ok(&policy.to_json(state.partner.tenant_id, tenant)))
}

pub(super) fn create(state: &mut State, request: &Request) -> Outcome {
    let caller = authenticate(state, request, Needs::AdminAgent)?;
    let body = body_of(request)?;
    let tenant = entity_tenant(state, request, &body)?;
    check_grantor(state, &body)?;
    let existing = stored(state, tenant).ok();
    let permissions = permissions_of(&body, existing)?;
    if existing.is_some() {
        return Err(fault(StatusCode::CONFLICT, "600041", "A self-serve policy already exists for this customer."));
    }
    Ok(applied(state, request, caller, tenant, permissions, StatusCode::CREATED))
}

pub(super) fn update(state: &mut State, request: &Request, id: Option<&str>) -> Outcome {
    let caller = authenticate(state, request, Needs::AdminAgent)?;
    let body = body_of(request)?;
    let Some(body_id) = text_member(&body, "id") else {
        return Err(invalid_property("id is missing."));
    };
    let id = id.unwrap_or(body_id);
    if !id.eq_ignore_ascii_case(body_id) {
        return Err(incorrect_id());
    }
    let tenant = tenant_of(state, request, id)?;
    let policy = stored(state, tenant)?;
    if entity_tenant(state, request, &body)? != tenant {
        return Err(incorrect_id());
    }
    check_grantor(state, &body)?;
    let permissions = permissions_of(&body, Some(policy))?;
    match member(&body, "attributes").and_then(|attributes| text_member(attributes, "etag")) {
        None => return Err(invalid_property("attributes.etag is missing.")),
        Some(etag) if etag != policy.etag => return Err(stale(state.settings.stale_etag_status)),
        Some(_) => {}
    }
    Ok(applied(state, request, caller, tenant, permissions, StatusCode::OK))
}

pub(super) fn delete(state: &mut State, request: &Request, id: &str) -> Outcome {
    let caller = authenticate(state, request, Needs::AdminAgent)?;
    let tenant = tenant_of(state, request, id)?;
    stored(state, tenant)?;
    Ok(applied(state, request, caller, tenant, Vec::new(), StatusCode::NO_CONTENT))
}

/// Writes the permissions and answers with the policy as it then is.
fn applied(
    state: &mut State,
    request: &Request,
    caller: Caller,
    tenant: Uuid,
    permissions: Vec<Permission>,
    status: StatusCode,
) -> Answer {
    // Audit records carry the correlation id of the call that they are about.
    let correlation_id =
        request.header("MS-CorrelationId").map_or_else(|| request.random.uuid().to_string(), str::to_owned);
    let author = Author { user: caller.user, application: caller.application, correlation_id, through: Through::Api };
    policy_change::write(state, tenant, permissions, author, request.at);
    let answer = match stored(state, tenant) {
        Ok(policy) => Answer::json(status, &policy.to_json(state.partner.tenant_id, tenant)),
        Err(_) => Answer::empty(status),
    };
    answer.effective()
}

/// The customer whose policy this id can be: ids are `{partner}_{customer}`.
fn tenant_of(state: &State, request: &Request, id: &str) -> Result<Uuid, Answer> {
    let (partner, customer) = id.split_once('_').ok_or_else(incorrect_id)?;
    let partner = Uuid::try_parse(partner).map_err(|_| incorrect_id())?;
    let tenant = Uuid::try_parse(customer).map_err(|_| incorrect_id())?;
    if partner != state.partner.tenant_id {
        return Err(not_found());
    }
    resold(state, request, customer)?;
    Ok(tenant)
}

fn stored(state: &State, tenant: Uuid) -> Result<&Policy, Answer> {
    state.customers.get(&tenant).and_then(|customer| customer.policy.as_ref()).ok_or_else(not_found)
}

/// The policy as a read sees it, which may lag behind the writes.
fn seen<'a>(state: &State, request: &Request, customer: &'a Customer) -> Option<&'a Policy> {
    customer.policy_seen(request.at, state.settings.stale_reads_ms)
}

fn not_found() -> Answer {
    fault(StatusCode::NOT_FOUND, "600039", "The self-serve policy was not found.")
}

fn incorrect_id() -> Answer {
    fault(StatusCode::NOT_FOUND, "600040", "The self-serve policy identifier is incorrect.")
}

/// Microsoft does not say how a stale etag is refused; these are the candidates of its general tables.
fn stale(status: StaleEtag) -> Answer {
    let status = match status {
        StaleEtag::BadRequest => StatusCode::BAD_REQUEST,
        StaleEtag::Conflict => StatusCode::CONFLICT,
        StaleEtag::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
    };
    fault(status, "2055", "Etag is no longer valid")
}

fn body_of(request: &Request) -> Result<Value, Answer> {
    request.json().filter(Value::is_object).ok_or_else(super::refusal::unbindable)
}

/// The customer that the body is about, resold by the partner.
fn entity_tenant(state: &State, request: &Request, body: &Value) -> Result<Uuid, Answer> {
    let entity = member(body, "selfServeEntity").ok_or_else(|| invalid_property("selfServeEntity is missing."))?;
    check_word(entity, "selfServeEntity", "selfServeEntityType", "customer")?;
    let tenant =
        text_member(entity, "tenantID").ok_or_else(|| invalid_property("selfServeEntity.tenantID is missing."))?;
    Ok(resold(state, request, tenant)?.about.tenant_id)
}

/// The grantor is the signed-in partner.
fn check_grantor(state: &State, body: &Value) -> Result<(), Answer> {
    let grantor = member(body, "grantor").ok_or_else(|| invalid_property("grantor is missing."))?;
    check_word(grantor, "grantor", "grantorType", "billToPartner")?;
    let tenant = text_member(grantor, "tenantID").ok_or_else(|| invalid_property("grantor.tenantID is missing."))?;
    if Uuid::try_parse(tenant) == Ok(state.partner.tenant_id) {
        Ok(())
    } else {
        Err(fault(
            StatusCode::FORBIDDEN,
            "600006",
            "The requested action is not allowed: another tenant is the grantor.",
        ))
    }
}

fn check_word(object: &Value, path: &str, name: &str, expected: &str) -> Result<(), Answer> {
    match text_member(object, name) {
        Some(found) if found.eq_ignore_ascii_case(expected) => Ok(()),
        found => Err(invalid_property(&format!("{path}.{name} is {expected}, not {}.", found.unwrap_or("missing")))),
    }
}

/// The permissions of the body, in the documented spelling.
///
/// An entry that the stored policy already has is accepted even when it is not documented, so that a client can keep
/// permissions newer than itself.
fn permissions_of(body: &Value, stored: Option<&Policy>) -> Result<Vec<Permission>, Answer> {
    let entries = member(body, "permissions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return Err(invalid_property("permissions is missing or empty."));
    }
    let known = stored.map(|policy| policy.permissions.as_slice()).unwrap_or_default();
    let mut permissions: Vec<Permission> = Vec::new();
    for entry in entries {
        let permission = permission_of(entry, known)?;
        if !permissions.contains(&permission) {
            permissions.push(permission);
        }
    }
    Ok(permissions)
}

fn permission_of(entry: &Value, known: &[Permission]) -> Result<Permission, Answer> {
    let text = |name: &str| {
        text_member(entry, name).ok_or_else(|| invalid_property(&format!("permissions.{name} is missing.")))
    };
    let (resource, action) = (text("resource")?, text("action")?);
    let kept = known.iter().find(|permission| {
        permission.resource.eq_ignore_ascii_case(resource) && permission.action.eq_ignore_ascii_case(action)
    });
    if let Some(kept) = kept {
        return Ok(kept.clone());
    }
    let resource = RESOURCES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(resource))
        .ok_or_else(|| invalid_property(&format!("permissions.resource {resource} is not known.")))?;
    if action.eq_ignore_ascii_case(PURCHASE) {
        Ok(Permission { resource: resource.to_owned(), action: PURCHASE.to_owned() })
    } else {
        Err(invalid_property(&format!("permissions.action {action} is not known.")))
    }
}
