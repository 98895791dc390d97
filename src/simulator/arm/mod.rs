//! Azure Resource Manager: roles on subscriptions, reservations and savings plans, and what customers see of their costs.
//!
//! Only the router comes in here, through [`answer`]. Each file serves one resource type; what they share is the token,
//! the api-version, the shape of a refusal and of a page.

mod billing;
mod filter;
mod purchases;
mod role_assignments;
mod route;

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use route::Route;

use super::exchange::{Answer, Outcome, Request};
use super::routes;
use super::state::State;
use super::tokens::{self, Audience, Claims};

/// Answers a request to Azure Resource Manager.
pub(crate) fn answer(state: &mut State, request: &Request, route: &routes::Route) -> Answer {
    let outcome = match route {
        routes::Route::Azure(route) => dispatch(state, request, route),
        _ => Err(refuse(StatusCode::NOT_FOUND, "InvalidResourceType", "The resource type could not be found.")),
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

fn dispatch(state: &mut State, request: &Request, route: &Route) -> Outcome {
    match route {
        Route::ListRoleAssignments { subscription } => role_assignments::list(state, request, subscription),
        Route::GetRoleAssignment { subscription, name } => role_assignments::get(state, request, subscription, name),
        Route::CreateRoleAssignment { subscription, name } => {
            role_assignments::create(state, request, subscription, name)
        }
        Route::DeleteRoleAssignment { subscription, name } => {
            role_assignments::delete(state, request, subscription, name)
        }
        Route::ListReservations => purchases::reservations(state, request),
        Route::ListReservationRoleAssignments { order } => purchases::order_role_assignments(state, request, order),
        Route::ListSavingsPlans => purchases::savings_plans(state, request),
        Route::ListBillingAccounts => billing::accounts(state, request),
        Route::GetBillingPolicy { account, customer } => billing::get_policy(state, request, account, customer),
        Route::UpdateBillingPolicy { account, customer } => billing::put_policy(state, request, account, customer),
        Route::GetBillingOutcome { account, customer, id } => billing::operation(state, request, account, customer, id),
    }
}

/// A refusal in Azure's shape.
pub(crate) fn refuse(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": { "code": code, "message": message } }))
}

fn authenticate(state: &State, request: &Request, subscription: &str) -> Result<Claims, Answer> {
    let unauthorized = |code: &str, message: &str| {
        // Azure tells strangers which tenant a subscription is of: so a client learns where to sign in.
        let tenant = Uuid::try_parse(subscription).ok().and_then(|id| state.tenant_of_azure(id));
        let tenant = tenant.unwrap_or(state.partner.tenant_id);
        refuse(StatusCode::UNAUTHORIZED, code, message).with_header(
            "WWW-Authenticate",
            format!(
                r#"Bearer authorization_uri="{}/{tenant}", error="invalid_token", error_description="{message}""#,
                request.base_url()
            ),
        )
    };
    let Some(token) = request.bearer() else {
        return Err(unauthorized(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ));
    };
    let Some(claims) = tokens::decode(token) else {
        return Err(unauthorized("InvalidAuthenticationToken", "The access token is invalid."));
    };
    if !claims.is_current(request.at) {
        return Err(unauthorized("ExpiredAuthenticationToken", "The access token expiry is in the past."));
    }
    if Audience::of(&claims.aud) != Some(Audience::ResourceManager) {
        return Err(unauthorized(
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for the wrong audience or resource.",
        ));
    }
    Ok(claims)
}

/// The token must be of this tenant.
fn check_tenant(request: &Request, claims: &Claims, tenant: Uuid) -> Result<(), Answer> {
    if claims.tid == tenant {
        return Ok(());
    }
    Err(refuse(
        StatusCode::UNAUTHORIZED,
        "InvalidAuthenticationTokenTenant",
        &format!(
            "The access token is from the wrong issuer '{}'. It must match the tenant '{tenant}' associated with this subscription.",
            claims.iss
        ),
    )
    .with_header(
        "WWW-Authenticate",
        format!(r#"Bearer authorization_uri="{}/{tenant}", error="invalid_token""#, request.base_url()),
    ))
}

/// The request must name a version of the API, and one that the resource type has.
fn check_version(request: &Request, kind: &str, known: &[&str]) -> Result<(), Answer> {
    let bad = |code: &str, message: &str| Err(refuse(StatusCode::BAD_REQUEST, code, message));
    let Some(version) = request.query("api-version").filter(|version| !version.is_empty()) else {
        return bad(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        );
    };
    if known.iter().any(|known| known.eq_ignore_ascii_case(version)) {
        return Ok(());
    }
    let supported = known.join(", ");
    let day = version.get(..10).unwrap_or(version);
    if day.parse::<jiff::civil::Date>().is_err() {
        return bad(
            "InvalidApiVersionParameter",
            &format!("The api-version '{version}' is invalid. The supported versions are '{supported}'."),
        );
    }
    bad(
        "NoRegisteredProviderFound",
        &format!(
            "No registered resource provider found for API version '{version}' for type '{kind}'. The supported api-versions are '{supported}'."
        ),
    )
}

fn unauthorized(claims: &Claims, action: &str, scope: &str) -> Answer {
    refuse(
        StatusCode::FORBIDDEN,
        "AuthorizationFailed",
        &format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid.",
            claims.upn.as_deref().unwrap_or_default(),
            claims.oid,
        ),
    )
}

/// One page, with an absolute link to the next.
fn page(state: &State, request: &Request, found: &[Value]) -> Outcome {
    page_with(state, request, found, [])
}

/// The same with further members beside the items.
fn page_with<const N: usize>(state: &State, request: &Request, found: &[Value], more: [(&str, Value); N]) -> Outcome {
    let size = state.settings.role_assignment_page_size.get();
    let start = match request.query("$skiptoken").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(start)) => start.min(found.len()),
        Some(Err(_)) => {
            return Err(refuse(StatusCode::BAD_REQUEST, "InvalidSkipToken", "The $skiptoken is not valid."));
        }
    };
    let end = found.len().min(start + size);
    let mut body = json!({ "value": found[start..end] });
    for (name, value) in more {
        body[name] = value;
    }
    if end < found.len() {
        body["nextLink"] = json!(request.link_with("$skiptoken", &end.to_string()));
    }
    Ok(Answer::ok(&body))
}
