//! Tokens, as they are handed out: what they say, and the answer that carries them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::consent;
use super::discovery;
use super::scope;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::oauth::{Form, Version, success};
use crate::simulator::state::State;
use crate::simulator::tokens::{self, Claims, DEFAULT_RESOURCE};
use crate::simulator::world::User;

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

/// What a token of the application itself says.
pub(super) fn app_claims(state: &State, request: &Request, tenant: Uuid, resource: &str, version: Version) -> Claims {
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

/// The body of a success. Version 1 writes every number as a string.
pub(super) fn token_body(state: &State, claims: &Claims, version: Version) -> Value {
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
