//! Entra's token endpoints: who gets a token, for what, and how a refusal looks.
//!
//! Two grants are known, `refresh_token` (the Secure Application Model's App+User tokens) and `client_credentials`
//! (app-only). Tokens are issued for the partner's tenant and for the tenant of every customer.

use std::collections::{HashMap, VecDeque};

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::exchange::{Answer, Outcome, Request};
use super::state::State;
use super::tokens::{self, Audience, Claims};
use super::world::{Partner, User};

/// Rotated refresh tokens kept at most. Beyond it the oldest are forgotten, as if they had expired.
const ROTATED_TOKENS_MAX: usize = 10_000;

/// The resource of a redemption that names none.
const DEFAULT_RESOURCE: &str = "https://api.partnercenter.microsoft.com";

/// The two generations of the endpoint, which differ in how the resource is named and in the types of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// Every refresh token that can be redeemed, and whose it is.
#[derive(Debug, Default)]
pub(crate) struct RefreshTokens {
    owners: HashMap<String, Grant>,
    /// Tokens from rotation in the order they were issued; seeds are not among them and never age.
    rotated: VecDeque<String>,
}

#[derive(Debug, Clone)]
struct Grant {
    upn: String,
    resource: String,
    spent: bool,
}

impl RefreshTokens {
    /// The tokens that the partner's users start with.
    pub(crate) fn seeded(partner: &Partner) -> Self {
        let mut tokens = Self::default();
        for user in &partner.users {
            if let Some(token) = &user.refresh_token {
                tokens.owners.insert(token.clone(), Grant::new(&user.upn, DEFAULT_RESOURCE));
            }
        }
        tokens
    }

    /// A new token for the same user.
    fn rotate(&mut self, upn: &str, resource: &str) -> String {
        let token = format!("0.{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.owners.insert(token.clone(), Grant::new(upn, resource));
        self.rotated.push_back(token.clone());
        if self.rotated.len() > ROTATED_TOKENS_MAX
            && let Some(oldest) = self.rotated.pop_front()
        {
            self.owners.remove(&oldest);
        }
        token
    }
}

impl Grant {
    fn new(upn: &str, resource: &str) -> Self {
        Self { upn: upn.to_owned(), resource: resource.to_owned(), spent: false }
    }
}

/// Answers a token request for `tenant`.
pub(crate) fn token(state: &mut State, request: &Request, tenant: &str, version: Version) -> Answer {
    issue(state, request, tenant, version).unwrap_or_else(|refusal| refusal)
}

fn issue(state: &mut State, request: &Request, tenant: &str, version: Version) -> Outcome {
    let form = Form::of(request);
    let tenant = known_tenant(state, request, tenant)?;
    authenticate_client(state, request, &form)?;
    match form.required(request, "grant_type")? {
        "refresh_token" => redeem(state, request, &form, tenant, version),
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

/// The form fields of the body.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(request: &Request) -> Self {
        Self(url::form_urlencoded::parse(&request.body).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn required(&self, request: &Request, name: &str) -> Result<&str, Answer> {
        self.get(name).ok_or_else(|| {
            refuse(
                request,
                StatusCode::BAD_REQUEST,
                "invalid_request",
                900_144,
                &format!("The request body must contain the following parameter: '{name}'."),
            )
        })
    }
}

fn known_tenant(state: &State, request: &Request, tenant: &str) -> Result<Uuid, Answer> {
    let is_partner_domain = tenant.eq_ignore_ascii_case(&state.partner.domain);
    let id = if is_partner_domain { Some(state.partner.tenant_id) } else { Uuid::try_parse(tenant).ok() };
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

fn authenticate_client(state: &State, request: &Request, form: &Form) -> Result<(), Answer> {
    let basic = request.basic();
    let client = match &basic {
        Some((client, _)) => client.as_str(),
        None => form.required(request, "client_id")?,
    };
    let application = &state.partner.application;
    if Uuid::try_parse(client) != Ok(application.client_id) {
        return Err(refuse(
            request,
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700_016,
            &format!("Application with identifier '{client}' was not found in the directory."),
        ));
    }
    let invalid_client =
        |code, text: &str| Err(refuse(request, StatusCode::UNAUTHORIZED, "invalid_client", code, text));
    match basic.as_ref().map(|(_, secret)| secret.as_str()).or_else(|| form.get("client_secret")) {
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
    let Some(grant) = state.refresh_tokens.owners.get(&presented).cloned() else {
        return Err(invalid_grant(9_002_313, "Invalid request. Request is malformed or invalid."));
    };
    if state.settings.revoke_refresh_tokens {
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
    if state.settings.single_use_refresh_tokens
        && let Some(grant) = state.refresh_tokens.owners.get_mut(&presented)
    {
        grant.spent = true;
    }
    let refresh_token = state.refresh_tokens.rotate(&grant.upn, &resource);
    let claims = user_claims(state, request.at, tenant, &user, &resource, version);
    let wants_id_token = form.get("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == "openid"));
    let mut body = token_body(state, &claims, version);
    body["refresh_token"] = json!(refresh_token);
    if wants_id_token {
        body["id_token"] = json!(id_token(&claims));
    }
    Ok(success(&body))
}

fn app_only(state: &State, request: &Request, form: &Form, tenant: Uuid, version: Version) -> Outcome {
    let field = if version == Version::V1 { "resource" } else { "scope" };
    let named = form.required(request, field)?;
    if version == Version::V2 && !named.ends_with("/.default") {
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
    let claims = app_claims(state, request.at, tenant, &resource, version);
    Ok(success(&token_body(state, &claims, version)))
}

/// The resource that a request names, in the form its version uses.
///
/// A v2 scope holds the resource among the scopes of OpenID Connect, in any order and sometimes not at all.
fn requested_resource(request: &Request, form: &Form, version: Version) -> Result<Option<String>, Answer> {
    let resource = match version {
        Version::V1 => form.get("resource").map(str::to_owned),
        Version::V2 => form.get("scope").unwrap_or_default().split(' ').find_map(resource_of_scope),
    };
    match resource {
        Some(resource) if Audience::of(&resource).is_none() => Err(refuse(
            request,
            StatusCode::BAD_REQUEST,
            "invalid_resource",
            500_011,
            &format!("The resource principal named {resource} was not found in the tenant."),
        )),
        resource => Ok(resource),
    }
}

/// `https://host/name` is the scope `name` of the resource `https://host`; a second slash belongs to the resource.
fn resource_of_scope(scope: &str) -> Option<String> {
    let (resource, _name) = scope.rsplit_once('/')?;
    Some(resource.to_owned()).filter(|resource| !resource.is_empty())
}

fn user_claims(state: &State, now: Timestamp, tenant: Uuid, user: &User, resource: &str, version: Version) -> Claims {
    let methods: &[&str] = if user.mfa && state.settings.mfa_in_tokens { &["pwd", "mfa"] } else { &["pwd"] };
    Claims {
        oid: user.object_id,
        idtyp: "user".to_owned(),
        upn: Some(user.upn.clone()),
        name: Some(user.upn.split('@').next().unwrap_or_default().to_owned()),
        amr: methods.iter().map(|&method| method.to_owned()).collect(),
        scp: Some("user_impersonation".to_owned()),
        ..app_claims(state, now, tenant, resource, version)
    }
}

fn app_claims(state: &State, now: Timestamp, tenant: Uuid, resource: &str, version: Version) -> Claims {
    let client = state.partner.application.client_id;
    let issued = now.as_second();
    Claims {
        aud: resource.to_owned(),
        iss: format!("https://sts.windows.net/{tenant}/"),
        iat: issued,
        nbf: issued,
        exp: issued + i64::from(state.settings.access_token_seconds),
        tid: tenant,
        oid: service_principal(client, tenant),
        appid: client,
        idtyp: "app".to_owned(),
        upn: None,
        name: None,
        amr: Vec::new(),
        scp: None,
        ver: match version {
            Version::V1 => "1.0".to_owned(),
            Version::V2 => "2.0".to_owned(),
        },
    }
}

/// The object id of the application in a tenant: another one in each, always the same.
fn service_principal(client: Uuid, tenant: Uuid) -> Uuid {
    let digest = Sha256::new().chain_update(client).chain_update(tenant).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

/// Version 1 writes every number as a string.
fn token_body(state: &State, claims: &Claims, version: Version) -> Value {
    let seconds = state.settings.access_token_seconds;
    let scope = claims.scp.as_deref().unwrap_or_default();
    let access_token = tokens::encode(claims);
    match version {
        Version::V1 => json!({
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": seconds.to_string(),
            "ext_expires_in": seconds.to_string(),
            "expires_on": claims.exp.to_string(),
            "not_before": claims.nbf.to_string(),
            "resource": claims.aud,
            "access_token": access_token,
        }),
        Version::V2 => json!({
            "token_type": "Bearer",
            "scope": format!("{}/{}", claims.aud, if scope.is_empty() { ".default" } else { scope }),
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": access_token,
        }),
    }
}

fn id_token(claims: &Claims) -> String {
    tokens::encode(&json!({
        "aud": claims.appid, "iss": claims.iss, "iat": claims.iat, "nbf": claims.nbf, "exp": claims.exp,
        "tid": claims.tid, "oid": claims.oid, "upn": claims.upn, "name": claims.name, "amr": claims.amr, "ver": claims.ver,
    }))
}

fn success(body: &Value) -> Answer {
    Answer::ok(body).with_header("cache-control", "no-store").with_header("pragma", "no-cache")
}

/// A refusal in Entra's shape.
pub(crate) fn refuse(request: &Request, status: StatusCode, error: &str, code: u32, text: &str) -> Answer {
    let trace = Uuid::new_v4();
    let correlation = request.header("client-request-id").map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let timestamp = request.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    Answer::json(
        status,
        &json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_found_among_other_scopes() {
        let found = |scope: &str| scope.split(' ').find_map(resource_of_scope);
        let partner_center = Some("https://api.partnercenter.microsoft.com".to_owned());
        assert_eq!(found("openid https://api.partnercenter.microsoft.com/.default offline_access"), partner_center);
        assert_eq!(found("https://api.partnercenter.microsoft.com/user_impersonation"), partner_center);
        assert_eq!(found("https://management.azure.com//.default"), Some("https://management.azure.com/".to_owned()));
        assert_eq!(found("openid offline_access"), None);
    }

    #[test]
    fn the_oldest_rotated_tokens_are_forgotten_and_seeds_are_not() {
        let mut tokens = RefreshTokens::seeded(&Partner::default());
        let first = tokens.rotate("ada@contoso.com", DEFAULT_RESOURCE);
        for _ in 0..ROTATED_TOKENS_MAX {
            tokens.rotate("ada@contoso.com", DEFAULT_RESOURCE);
        }
        assert!(!tokens.owners.contains_key(&first));
        assert!(tokens.owners.contains_key(super::super::world::DEFAULT_REFRESH_TOKEN));
    }
}
