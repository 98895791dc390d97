//! How an application proves itself without a secret: a signed statement of its own (a certificate), or a token of
//! somebody whom it trusts (a federated credential).
//!
//! A statement of the application's is verified as Entra does: by the certificate that is registered, for this endpoint,
//! within its time, and once. Of a federated token only the claims are compared with what is registered: the issuer's
//! keys would have to be fetched from it, and the simulator calls nobody.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::{digest, signature};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::simulator::exchange::{Answer, Request};
use crate::simulator::oauth::refuse;
use crate::simulator::state::State;
use crate::simulator::used_statements::SKEW_SECONDS;

/// The only kind of statement there is.
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The login address of the real Entra, for clients that write it as the audience whatever they talk to.
const ENTRA: &str = "login.microsoftonline.com";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    alg: String,
    #[serde(rename = "x5t#S256")]
    sha256: Option<String>,
    /// SHA-1, by which older clients name their certificate.
    x5t: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: String,
    sub: String,
    /// A text or a list of them.
    aud: Value,
    jti: Option<String>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

impl Claims {
    fn is_for(&self, accepts: impl Fn(&str) -> bool) -> bool {
        match &self.aud {
            Value::String(audience) => accepts(audience),
            Value::Array(audiences) => audiences.iter().filter_map(Value::as_str).any(accepts),
            _ => false,
        }
    }

    fn is_within_its_time(&self, now: Timestamp) -> bool {
        let now = now.as_second();
        self.nbf.is_none_or(|from| from <= now + SKEW_SECONDS)
            && self.exp.is_some_and(|until| now < until + SKEW_SECONDS)
    }
}

/// Why a statement proves nothing: the number of the error, and its text.
type Defect = (u32, String);

/// Checks the statement of the application that a token request presents.
pub(crate) fn check(state: &mut State, request: &Request, statement: &str) -> Result<(), Answer> {
    verify(state, request, statement)
        .map_err(|(code, text)| refuse(request, StatusCode::UNAUTHORIZED, "invalid_client", code, &text))
}

fn verify(state: &mut State, request: &Request, statement: &str) -> Result<(), Defect> {
    let malformed = || (50_027, "JWT token is invalid or malformed.".to_owned());
    let (signed, signature) = statement.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| malformed())?;
    let claims: Claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| malformed())?;
    if Uuid::try_parse(&claims.iss) == Ok(state.partner.application.client_id) {
        verify_signature(state, request, &header, signed.as_bytes(), &decoded(signature)?)?;
        verify_claims(state, request, &claims)
    } else {
        verify_federated(state, request, &claims)
    }
}

fn verify_signature(
    state: &State,
    request: &Request,
    header: &Header,
    signed: &[u8],
    signature: &[u8],
) -> Result<(), Defect> {
    let refused =
        |reason: &str| (700_027, format!("Client assertion failed signature validation. [Reason - {reason}]"));
    let algorithm = match header.alg.as_str() {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        _ => return Err(refused("The algorithm is not supported.")),
    };
    let certificate = state
        .partner
        .application
        .certificates
        .iter()
        .filter_map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok())
        .find(|der| is_named(header, der))
        .ok_or_else(|| refused("The key was not found."))?;
    let (_, certificate) = X509Certificate::from_der(&certificate).map_err(|_| refused("The key was not found."))?;
    if certificate.validity().not_after.timestamp() <= request.at.as_second() {
        return Err(refused("The key used is expired."));
    }
    let key = &certificate.public_key().subject_public_key.data;
    signature::UnparsedPublicKey::new(algorithm, key)
        .verify(signed, signature)
        .map_err(|_| refused("The signature is not valid."))
}

/// Whether the header names this certificate.
fn is_named(header: &Header, der: &[u8]) -> bool {
    let is = |named: &Option<String>, algorithm| {
        named.as_ref().is_some_and(|named| *named == URL_SAFE_NO_PAD.encode(digest::digest(algorithm, der)))
    };
    is(&header.sha256, &digest::SHA256) || is(&header.x5t, &digest::SHA1_FOR_LEGACY_USE_ONLY)
}

fn verify_claims(state: &mut State, request: &Request, claims: &Claims) -> Result<(), Defect> {
    let host = request.header("host").unwrap_or_default();
    let is_here = |audience: &str| {
        let Ok(audience) = url::Url::parse(audience) else { return false };
        let named = audience.port().map_or_else(
            || audience.host_str().unwrap_or_default().to_owned(),
            |port| format!("{}:{port}", audience.host_str().unwrap_or_default()),
        );
        (named.eq_ignore_ascii_case(host) || named == ENTRA) && is_same_endpoint(audience.path(), &request.path)
    };
    if !claims.is_for(is_here) {
        return Err((700_023, "Client assertion audience claim does not match Realm issuer.".to_owned()));
    }
    if claims.sub != claims.iss {
        let text = "Client assertion application identifier doesn't match 'client_id' parameter.";
        return Err((700_021, text.to_owned()));
    }
    if !claims.is_within_its_time(request.at) {
        return Err((700_024, "Client assertion is not within its valid time range.".to_owned()));
    }
    let Some(id) = claims.jti.as_deref().filter(|id| !id.is_empty()) else {
        return Err((50_027, "JWT token is invalid or malformed: it has no jti.".to_owned()));
    };
    let expires = claims.exp.unwrap_or_default();
    if !state.used_statements.first_use(id, expires, request.at.as_second()) {
        return Err((50_013, "Assertion failed validation: it has been used before.".to_owned()));
    }
    Ok(())
}

/// Both generations of a tenant's token endpoint take a statement for either.
fn is_same_endpoint(audience: &str, path: &str) -> bool {
    let tenant = |path: &str| path.trim_start_matches('/').split('/').next().unwrap_or_default().to_lowercase();
    tenant(audience) == tenant(path)
}

fn verify_federated(state: &State, request: &Request, claims: &Claims) -> Result<(), Defect> {
    let registered = &state.partner.application.federated_credentials;
    let unknown = |code, what: &str, value: &str| {
        (code, format!("No matching federated identity record found for presented assertion {what} '{value}'."))
    };
    let mut fitting: Vec<_> = registered.iter().filter(|credential| credential.issuer == claims.iss).collect();
    if fitting.is_empty() {
        return Err(unknown(700_211, "issuer", &claims.iss));
    }
    fitting.retain(|credential| credential.subject == claims.sub);
    if fitting.is_empty() {
        return Err(unknown(700_213, "subject", &claims.sub));
    }
    if !fitting.iter().any(|credential| claims.is_for(|audience| audience == credential.audience)) {
        return Err(unknown(700_212, "audience", &claims.aud.to_string()));
    }
    if !claims.is_within_its_time(request.at) {
        return Err((700_024, "Client assertion is not within its valid time range.".to_owned()));
    }
    Ok(())
}
