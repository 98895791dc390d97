//! What is registered: the tenants, and the application.

use axum::http::StatusCode;
use uuid::Uuid;

use crate::simulator::exchange::{Answer, Request};
use crate::simulator::oauth::refuse;
use crate::simulator::state::State;

/// The tenant by id or domain. `common` and `organizations` are the home of whoever signs in: here always the partner.
pub(crate) fn known_tenant(state: &State, request: &Request, tenant: &str) -> Result<Uuid, Answer> {
    let is_partner =
        [state.partner.domain.as_str(), "common", "organizations"].iter().any(|name| tenant.eq_ignore_ascii_case(name));
    let id = if is_partner { Some(state.partner.tenant_id) } else { Uuid::try_parse(tenant).ok() };
    id.filter(|id| *id == state.partner.tenant_id || state.customers.contains_key(id)).ok_or_else(|| {
        refuse(
            request,
            StatusCode::BAD_REQUEST,
            "invalid_request",
            90002,
            &format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."),
        )
    })
}

/// Refuses every application but the partner's.
pub(crate) fn known_client(state: &State, request: &Request, client: &str) -> Result<(), Answer> {
    if Uuid::try_parse(client) == Ok(state.partner.application.client_id) {
        return Ok(());
    }
    Err(refuse(
        request,
        StatusCode::BAD_REQUEST,
        "unauthorized_client",
        700_016,
        &format!("Application with identifier '{client}' was not found in the directory."),
    ))
}
