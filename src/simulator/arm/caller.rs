//! What every operation has in common: who asks, by which version of the API, and pages of answers.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::refusal::refuse;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;
use crate::simulator::tokens::{self, Audience, Claims};

/// The token must be one for Azure; without a good one, the refusal tells whose the subscription is.
pub(super) fn authenticate(state: &State, request: &Request, subscription: &str) -> Result<Claims, Answer> {
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
pub(super) fn check_tenant(request: &Request, claims: &Claims, tenant: Uuid) -> Result<(), Answer> {
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
pub(super) fn check_version(request: &Request, kind: &str, known: &[&str]) -> Result<(), Answer> {
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

pub(super) fn unauthorized(claims: &Claims, action: &str, scope: &str) -> Answer {
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
pub(super) fn page(state: &State, request: &Request, found: &[Value]) -> Outcome {
    page_with(state, request, found, [])
}

/// The same with further members beside the items.
pub(super) fn page_with<const N: usize>(
    state: &State,
    request: &Request,
    found: &[Value],
    more: [(&str, Value); N],
) -> Outcome {
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
