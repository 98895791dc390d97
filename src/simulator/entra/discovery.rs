//! The documents by which Microsoft's sign-in libraries find the endpoints:
//! <https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc>.
//!
//! Every address in them has the scheme, host and port by which it was asked for: the libraries refuse an issuer that is
//! elsewhere than the authority.

use axum::http::StatusCode;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::registered::known_tenant;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::oauth::{self, Version};
use crate::simulator::state::State;

/// The OpenID metadata of a tenant.
pub(crate) fn openid_configuration(state: &State, request: &Request, tenant: &str, version: Version) -> Outcome {
    let id = known_tenant(state, request, tenant)?;
    let authority = format!("{}/{tenant}", request.base_url());
    let (oauth2, keys) = match version {
        Version::V1 => (format!("{authority}/oauth2"), format!("{authority}/discovery/keys")),
        Version::V2 => (format!("{authority}/oauth2/v2.0"), format!("{authority}/discovery/v2.0/keys")),
    };
    let mut body = json!({
        "issuer": named_issuer(request, tenant, id, version),
        "authorization_endpoint": format!("{oauth2}/authorize"),
        "token_endpoint": format!("{oauth2}/token"),
        "device_authorization_endpoint": format!("{oauth2}/devicecode"),
        "jwks_uri": keys,
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": ["aud", "iss", "iat", "exp", "nonce", "oid", "upn", "name", "tid", "ver"],
        "http_logout_supported": false,
        "frontchannel_logout_supported": false,
        "request_uri_parameter_supported": false,
        "tenant_region_scope": "EU",
        "cloud_instance_name": host(request),
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
    });
    if version == Version::V1 {
        body["microsoft_multi_refresh_token"] = json!(true);
    }
    Ok(Answer::ok(&body))
}

/// Who issues the tokens of a tenant, as they say in `iss`.
pub(crate) fn issuer(request: &Request, tenant: Uuid, version: Version) -> String {
    match version {
        Version::V1 => format!("{}/{tenant}/", request.base_url()),
        Version::V2 => format!("{}/{tenant}/v2.0", request.base_url()),
    }
}

/// The issuer that the metadata names: for `common` and its like a pattern, since whose tenant it will be is not known yet.
fn named_issuer(request: &Request, tenant: &str, id: Uuid, version: Version) -> String {
    let is_shared = ["common", "organizations"].iter().any(|name| tenant.eq_ignore_ascii_case(name));
    let issuer = issuer(request, id, version);
    if is_shared { issuer.replace(&id.to_string(), "{tenantid}") } else { issuer }
}

/// Where the metadata of an authority is, and under which names the authority is known: only this one.
pub(crate) fn instance(request: &Request) -> Outcome {
    let Some(endpoint) = request.query("authorization_endpoint") else {
        return Err(oauth::refuse(
            request,
            StatusCode::BAD_REQUEST,
            "invalid_request",
            900_144,
            "The request body must contain the following parameter: 'authorization_endpoint'.",
        ));
    };
    let tenant = Url::parse(endpoint).ok().and_then(|url| url.path_segments()?.next().map(str::to_owned));
    let Some(tenant) = tenant.filter(|tenant| !tenant.is_empty()) else {
        return Err(oauth::refuse(
            request,
            StatusCode::BAD_REQUEST,
            "invalid_instance",
            50049,
            &format!("Unknown or invalid instance '{endpoint}'."),
        ));
    };
    let host = host(request);
    Ok(Answer::ok(&json!({
        "tenant_discovery_endpoint": format!("{}/{tenant}/v2.0/.well-known/openid-configuration", request.base_url()),
        "api-version": request.query("api-version").unwrap_or("1.1"),
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    })))
}

/// No keys: the simulator's tokens are shaped like Entra's and signed by nobody, so there is nothing to verify them by.
pub(crate) fn keys(state: &State, request: &Request, tenant: &str) -> Outcome {
    known_tenant(state, request, tenant)?;
    Ok(Answer::ok(&json!({ "keys": Value::Array(Vec::new()) })))
}

fn host(request: &Request) -> &str {
    request.header("host").unwrap_or("localhost")
}
