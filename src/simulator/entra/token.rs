//! Entra's token endpoints: who gets a token, for what, and how a refusal looks.
//!
//! Four grants are known: `refresh_token` (the Secure Application Model's App+User tokens), `client_credentials`
//! (app-only), and the two that end an interactive sign-in, `authorization_code` and the device code's. Tokens are issued
//! for the partner's tenant and for the tenant of every customer; how a user signs in is in [`super::interactive`].

use axum::http::StatusCode;
use jiff::SignedDuration;
use uuid::Uuid;

use super::client_proof;
use super::consent;
use super::interactive;
use super::issuance::{Wanted, app_claims, issue_to, token_body};
use super::registered::{known_client, known_tenant};
use super::scope::{self, has_scope};
use crate::simulator::audit::operation_date;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::oauth::{Form, Version, refuse, success};
use crate::simulator::state::State;
use crate::simulator::tokens::DEFAULT_RESOURCE;

/// How long a refresh token can be redeemed:
/// <https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens#token-lifetime>.
const REFRESH_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Answers a token request for `tenant`.
pub(crate) fn token(state: &mut State, request: &Request, tenant: &str, version: Version) -> Answer {
    issue(state, request, tenant, version).unwrap_or_else(|refusal| refusal)
}

fn issue(state: &mut State, request: &Request, tenant: &str, version: Version) -> Outcome {
    let form = Form::of(request);
    let tenant = known_tenant(state, request, tenant)?;
    if may_be_public(state, &form) {
        known_client(state, request, form.required(request, "client_id")?)?;
    } else {
        authenticate_client(state, request, &form)?;
    }
    match form.required(request, "grant_type")? {
        "refresh_token" => redeem(state, request, &form, tenant, version),
        "authorization_code" => interactive::redeem_code(state, request, &form, tenant, version),
        // Version 1 had its own name for it.
        interactive::DEVICE_CODE | "device_code" => {
            interactive::redeem_device_code(state, request, &form, tenant, version)
        }
        "client_credentials" => app_only(state, request, &form, tenant, version),
        other => Err(refuse(
            request,
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            70003,
            &format!("The app requested an unsupported grant type '{other}'."),
        )),
    }
}

/// Whether this request needs no proof of the application: it presents none, and what it presents instead belongs to a
/// sign-in of a public client.
fn may_be_public(state: &State, form: &Form) -> bool {
    let proves = form.get("client_secret").is_some() || form.get("client_assertion").is_some();
    let refreshes = form.get("refresh_token").and_then(|token| state.refresh_tokens.owners.get(token));
    !proves && (refreshes.is_some_and(|grant| grant.public) || interactive::may_be_public(state, form))
}

fn authenticate_client(state: &mut State, request: &Request, form: &Form) -> Result<(), Answer> {
    let basic = request.basic();
    let client = match &basic {
        Some((client, _)) => client.as_str(),
        None => form.required(request, "client_id")?,
    };
    known_client(state, request, client)?;
    if let Some(statement) = form.get("client_assertion") {
        return match form.required(request, "client_assertion_type")? {
            client_proof::ASSERTION_TYPE => client_proof::check(state, request, statement),
            other => Err(refuse(
                request,
                StatusCode::BAD_REQUEST,
                "invalid_request",
                900_148,
                &format!("The client_assertion_type '{other}' is not supported."),
            )),
        };
    }
    let application = &state.partner.application;
    let invalid_client =
        |code, text: &str| Err(refuse(request, StatusCode::UNAUTHORIZED, "invalid_client", code, text));
    match basic.as_ref().map(|(_, secret)| secret.as_str()).or_else(|| form.get("client_secret")) {
        Some(secret) if secret == application.client_secret && state.settings.client_secret_expired => {
            invalid_client(7_000_222, "The provided client secret keys for app are expired.")
        }
        Some(secret) if secret == application.client_secret => Ok(()),
        Some(_) => invalid_client(7_000_215, "Invalid client secret provided."),
        None => invalid_client(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        ),
    }
}

fn redeem(state: &mut State, request: &Request, form: &Form, tenant: Uuid, version: Version) -> Outcome {
    let presented = form.required(request, "refresh_token")?.to_owned();
    let invalid_grant = |code, text: &str| refuse(request, StatusCode::BAD_REQUEST, "invalid_grant", code, text);
    let Some(grant) = state.refresh_tokens.owners.get_mut(&presented) else {
        return Err(invalid_grant(9_002_313, "Invalid request. Request is malformed or invalid."));
    };
    let issued_at = *grant.issued_at.get_or_insert(request.at);
    let grant = grant.clone();
    if request.at.duration_since(issued_at) >= REFRESH_TOKEN_LIFETIME {
        return Err(invalid_grant(
            700_082,
            &format!(
                "The refresh token has expired due to inactivity. The token was issued on {} and was inactive for 90.00:00:00.",
                operation_date(issued_at)
            ),
        ));
    }
    if state.settings.revoke_refresh_tokens || grant.revoked {
        return Err(invalid_grant(
            50173,
            "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
        ));
    }
    if grant.spent {
        return Err(invalid_grant(70000, "The provided value for the input parameter 'refresh_token' is not valid."));
    }
    let Some(user) = state.user(&grant.upn).cloned() else {
        return Err(invalid_grant(50034, "The user account does not exist in the directory."));
    };
    let resource = requested_resource(request, form, version)?.unwrap_or_else(|| grant.resource.clone());
    let wanted = Wanted {
        refresh_token: true,
        id_token: form.get("scope").is_some_and(|scope| has_scope(scope, "openid")),
        nonce: None,
        public: grant.public,
    };
    let answer = issue_to(state, request, tenant, &user, &resource, version, &wanted)?;
    if state.settings.single_use_refresh_tokens
        && let Some(grant) = state.refresh_tokens.owners.get_mut(&presented)
    {
        grant.spent = true;
    }
    Ok(answer)
}

fn app_only(state: &State, request: &Request, form: &Form, tenant: Uuid, version: Version) -> Outcome {
    let field = if version == Version::V1 { "resource" } else { "scope" };
    let named = form.required(request, field)?;
    // Microsoft's Go library puts the scopes of OpenID Connect behind it.
    if version == Version::V2 && !named.split(' ').any(|scope| scope.ends_with("/.default")) {
        return Err(refuse(
            request,
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            1_002_012,
            &format!(
                "The provided value for scope {named} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier."
            ),
        ));
    }
    let resource = requested_resource(request, form, version)?.unwrap_or_else(|| DEFAULT_RESOURCE.to_owned());
    consent::check_application(state, request, tenant, &resource)?;
    let claims = app_claims(state, request, tenant, &resource, version);
    Ok(success(&token_body(state, &claims, version)))
}

fn requested_resource(request: &Request, form: &Form, version: Version) -> Result<Option<String>, Answer> {
    scope::known_resource(request, version, form.get("resource"), form.get("scope"))
}
