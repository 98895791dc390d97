//! Whether a tenant lets the partner's application and users in.

use axum::http::StatusCode;
use uuid::Uuid;

use crate::simulator::exchange::{Answer, Request};
use crate::simulator::oauth::refuse;
use crate::simulator::state::State;
use crate::simulator::tokens::Audience;
use crate::simulator::world::graph_scopes;

/// The scopes that a user's token for an API has in a tenant, or Entra's refusal of that sign-in.
pub(crate) fn scopes(
    state: &State,
    request: &Request,
    tenant: Uuid,
    upn: &str,
    resource: &str,
) -> Result<String, Answer> {
    let refused = |code, text: &str| Err(refuse(request, StatusCode::BAD_REQUEST, "invalid_grant", code, text));
    let customer = state.customers.get(&tenant);
    if customer.is_some_and(|customer| customer.about.access.no_delegated_admin) {
        return refused(
            50020,
            &format!(
                "User account '{upn}' from identity provider 'https://sts.windows.net/{}/' does not exist in tenant '{tenant}' and cannot access the application.",
                state.partner.tenant_id
            ),
        );
    }
    consented(state, tenant, resource).map_or_else(
        || {
            refused(
                65001,
                &format!(
                    "The user or administrator has not consented to use the application with ID '{}'. Send an interactive authorization request for this user and resource.",
                    state.partner.application.client_id
                ),
            )
        },
        Ok,
    )
}

/// Whether the application may get a token of its own for an API in a tenant.
pub(crate) fn check_application(state: &State, request: &Request, tenant: Uuid, resource: &str) -> Result<(), Answer> {
    if consented(state, tenant, resource).is_some() {
        return Ok(());
    }
    let text = format!(
        "Application with identifier '{}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
        state.partner.application.client_id
    );
    Err(refuse(request, StatusCode::BAD_REQUEST, "unauthorized_client", 700_016, &text))
}

/// The scopes that are consented to; none when there is no consent.
fn consented(state: &State, tenant: Uuid, resource: &str) -> Option<String> {
    let access = state.customers.get(&tenant).map(|customer| &customer.about.access);
    match Audience::of(resource) {
        Some(Audience::Graph) => {
            let named = access.map_or(&state.partner.graph, |access| &access.graph);
            let scopes = graph_scopes(named.as_deref());
            (!scopes.is_empty()).then(|| scopes.join(" "))
        }
        Some(Audience::ResourceManager) if access.is_some_and(|access| access.no_azure_consent) => None,
        _ => Some("user_impersonation".to_owned()),
    }
}
