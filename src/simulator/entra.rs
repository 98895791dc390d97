//! Entra's token endpoints: who gets a token, for what, and how a refusal looks.
//!
//! Four grants are known: `refresh_token` (the Secure Application Model's App+User tokens), `client_credentials`
//! (app-only), and the two that end an interactive sign-in, `authorization_code` and the device code's. Tokens are issued
//! for the partner's tenant and for the tenant of every customer; how a user signs in is in [`super::interactive`].

use std::collections::{HashMap, VecDeque};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::audit::operation_date;
use super::client_proof;
use super::consent;
use super::discovery;
use super::exchange::{Answer, Outcome, Request};
use super::interactive;
use super::random::Random;
use super::scope::{self, has_scope};
use super::state::State;
use super::tokens::{self, Claims};
use super::world::{Partner, User};

/// Rotated refresh tokens kept at most. Beyond it the oldest are forgotten, as if they had expired.
const ROTATED_TOKENS_MAX: usize = 10_000;

/// How every issued refresh token begins, so that one is recognised wherever it turns up.
const REFRESH_TOKEN_MARK: &str = "0.SimRefresh-";

/// How long a refresh token can be redeemed:
/// <https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens#token-lifetime>.
const REFRESH_TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The resource of a redemption that names none.
pub(crate) const DEFAULT_RESOURCE: &str = "https://api.partnercenter.microsoft.com";

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
    /// Of a seed: when it was first redeemed.
    issued_at: Option<Timestamp>,
    spent: bool,
    /// The administrator has signed the user out everywhere since.
    revoked: bool,
    /// Came of a sign-in of a public client, which has nothing to prove itself with.
    public: bool,
}

impl RefreshTokens {
    /// The tokens that the partner's users start with.
    pub(crate) fn seeded(partner: &Partner) -> Self {
        let mut tokens = Self::default();
        for user in &partner.users {
            if let Some(token) = &user.refresh_token {
                tokens.owners.insert(token.clone(), Grant::new(&user.upn, DEFAULT_RESOURCE, None, false));
            }
        }
        tokens
    }

    /// A new token for this user.
    fn issue(&mut self, random: &Random, upn: &str, resource: &str, now: Timestamp, public: bool) -> String {
        let token = format!("{REFRESH_TOKEN_MARK}{}", random.word(2));
        self.owners.insert(token.clone(), Grant::new(upn, resource, Some(now), public));
        self.rotated.push_back(token.clone());
        if self.rotated.len() > ROTATED_TOKENS_MAX
            && let Some(oldest) = self.rotated.pop_front()
        {
            self.owners.remove(&oldest);
        }
        token
    }

    /// Makes this token one of the user's, as a seed is; a sentence when it is somebody else's.
    pub(crate) fn give(&mut self, upn: &str, token: String) -> Result<(), String> {
        if self.owners.get(&token).is_some_and(|grant| !grant.upn.eq_ignore_ascii_case(upn)) {
            return Err("the refresh token belongs to another user".to_owned());
        }
        self.owners.insert(token, Grant::new(upn, DEFAULT_RESOURCE, None, false));
        Ok(())
    }

    /// From now on the tokens that this user has are refused; a new sign-in gets new ones.
    pub(crate) fn revoke(&mut self, upn: &str) {
        for grant in self.owners.values_mut().filter(|grant| grant.upn.eq_ignore_ascii_case(upn)) {
            grant.revoked = true;
        }
    }
}

impl Grant {
    fn new(upn: &str, resource: &str, issued_at: Option<Timestamp>, public: bool) -> Self {
        let (upn, resource) = (upn.to_owned(), resource.to_owned());
        Self { upn, resource, issued_at, spent: false, revoked: false, public }
    }
}

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

/// The form fields of the body.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn of(request: &Request) -> Self {
        Self(url::form_urlencoded::parse(&request.body).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, request: &Request, name: &str) -> Result<&str, Answer> {
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

/// What is issued to a user beside the access token.
pub(crate) struct Wanted {
    pub(crate) refresh_token: bool,
    pub(crate) id_token: bool,
    pub(crate) nonce: Option<String>,
    /// Whether the sign-in was that of a public client.
    pub(crate) public: bool,
}

/// The success of a request for a token of this user, unless the tenant does not let it or the application in.
pub(crate) fn issue_to(
    state: &mut State,
    request: &Request,
    tenant: Uuid,
    user: &User,
    resource: &str,
    version: Version,
    wanted: &Wanted,
) -> Outcome {
    let scopes = consent::scopes(state, request, tenant, &user.upn, resource)?;
    let claims = Claims { scp: Some(scopes), ..user_claims(state, request, tenant, user, resource, version) };
    let mut body = token_body(state, &claims, version);
    let mut sent = None;
    if wanted.refresh_token {
        let refresh_token = state.refresh_tokens.issue(&request.random, &user.upn, resource, request.at, wanted.public);
        sent = Some(state.issued.add(&refresh_token, &user.upn, tenant, request.at, &claims.uti));
        body["refresh_token"] = json!(refresh_token);
    }
    if wanted.id_token {
        body["id_token"] = json!(id_token(&claims, wanted.nonce.as_deref()));
    }
    // MSAL asks for it, to know the account without reading tokens.
    if Form::of(request).get("client_info") == Some("1") {
        body["client_info"] = json!(client_info(state, user));
    }
    Ok(Answer { sent, ..success(&body) })
}

/// Who the user is at home, as MSAL reads it: base64 of JSON.
pub(crate) fn client_info(state: &State, user: &User) -> String {
    let about = json!({ "uid": user.object_id, "utid": state.partner.tenant_id });
    URL_SAFE_NO_PAD.encode(about.to_string())
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

fn user_claims(
    state: &State,
    request: &Request,
    tenant: Uuid,
    user: &User,
    resource: &str,
    version: Version,
) -> Claims {
    let methods: &[&str] = if user.mfa && state.settings.mfa_in_tokens { &["pwd", "mfa"] } else { &["pwd"] };
    Claims {
        oid: user.object_id,
        idtyp: "user".to_owned(),
        upn: Some(user.upn.clone()),
        name: Some(user.upn.split('@').next().unwrap_or_default().to_owned()),
        amr: methods.iter().map(|&method| method.to_owned()).collect(),
        ..app_claims(state, request, tenant, resource, version)
    }
}

fn app_claims(state: &State, request: &Request, tenant: Uuid, resource: &str, version: Version) -> Claims {
    let client = state.partner.application.client_id;
    let issued = request.at.as_second();
    Claims {
        aud: state.settings.audience_in_tokens.clone().unwrap_or_else(|| resource.to_owned()),
        iss: discovery::issuer(request, tenant, version),
        iat: issued,
        nbf: issued,
        exp: issued + i64::from(state.settings.access_token_seconds),
        tid: state.settings.tenant_in_tokens.unwrap_or(tenant),
        oid: service_principal(client, tenant),
        appid: client,
        idtyp: "app".to_owned(),
        upn: None,
        name: None,
        amr: Vec::new(),
        scp: None,
        uti: request.random.word(1),
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
            "scope": scope::granted(&claims.aud, scope),
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": access_token,
        }),
    }
}

fn id_token(claims: &Claims, nonce: Option<&str>) -> String {
    let mut about = json!({
        "aud": claims.appid, "iss": claims.iss, "iat": claims.iat, "nbf": claims.nbf, "exp": claims.exp,
        "sub": claims.oid, "tid": claims.tid, "oid": claims.oid, "upn": claims.upn, "preferred_username": claims.upn,
        "name": claims.name, "amr": claims.amr, "ver": claims.ver,
    });
    if let Some(nonce) = nonce {
        about["nonce"] = json!(nonce);
    }
    tokens::encode(&about)
}

/// Somebody signs in with a browser: a refresh token that is issued outside any request of an application.
pub(crate) fn sign_in(state: &mut State, user: &str) -> String {
    let now = state.clock.now();
    state.refresh_tokens.issue(&state.random, user, DEFAULT_RESOURCE, now, false)
}

fn success(body: &Value) -> Answer {
    Answer::ok(body).with_header("cache-control", "no-store").with_header("pragma", "no-cache")
}

/// A refusal in Entra's shape.
pub(crate) fn refuse(request: &Request, status: StatusCode, error: &str, code: u32, text: &str) -> Answer {
    let trace = request.random.uuid();
    let correlation =
        request.header("client-request-id").map_or_else(|| request.random.uuid().to_string(), str::to_owned);
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
    fn the_oldest_rotated_tokens_are_forgotten_and_seeds_are_not() {
        let random = Random::new(None);
        let mut tokens = RefreshTokens::seeded(&Partner::default());
        let first = tokens.issue(&random, "ada@contoso.com", DEFAULT_RESOURCE, Timestamp::UNIX_EPOCH, false);
        for _ in 0..ROTATED_TOKENS_MAX {
            tokens.issue(&random, "ada@contoso.com", DEFAULT_RESOURCE, Timestamp::UNIX_EPOCH, false);
        }
        assert!(!tokens.owners.contains_key(&first));
        assert!(tokens.owners.contains_key(super::super::world::DEFAULT_REFRESH_TOKEN));
    }
}
