//! The documents by which sign-in libraries find the endpoints.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

/// What every document must hold: addresses below the one that was asked, with the tenant first.
fn check(api: &Api, document: &Value, tenant: &str, names: &[&str]) {
    for name in names {
        let address = document[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {document}"));
        assert!(address.starts_with(&format!("{}/{tenant}/", api.base)), "{name}: {address}");
    }
}

#[tokio::test]
async fn openid_metadata_names_endpoints_that_are_served() {
    let api = Api::with_customers().await;
    for tenant in [PARTNER, CUSTOMER, "common", "contosopartner.onmicrosoft.com"] {
        for version in ["", "/v2.0"] {
            // The Go library ends the address with a question mark.
            let (status, document) = api.get(&format!("/{tenant}{version}/.well-known/openid-configuration?")).await;
            assert_eq!(status, 200, "{document}");
            let endpoints = ["authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "jwks_uri"];
            check(&api, &document, tenant, &endpoints);
            for endpoint in ["token_endpoint", "device_authorization_endpoint"] {
                let answer = api.client.post(document[endpoint].as_str().expect("text")).send().await.expect("sent");
                // It misses its parameters, but it is there.
                assert_eq!(answer.status(), 400, "{endpoint}");
            }
            let (status, keys) = answered(api.client.get(document["jwks_uri"].as_str().expect("text"))).await;
            assert_eq!((status, keys), (200, json!({ "keys": [] })));
        }
    }
}

#[tokio::test]
async fn the_issuer_is_where_the_authority_is_and_tokens_say_the_same() {
    let api = Api::with_customers().await;
    for (version, suffix, resource) in [
        ("", "/", ("resource", PARTNER_CENTER)),
        ("/v2.0", "/v2.0", ("scope", "https://management.azure.com//.default")),
    ] {
        let (_, document) = api.get(&format!("/{CUSTOMER}{version}/.well-known/openid-configuration")).await;
        assert_eq!(document["issuer"], format!("{}/{CUSTOMER}{suffix}", api.base));
        let form = [("grant_type", "refresh_token"), ("refresh_token", SEED), resource];
        let (status, grant) = api.token(&format!("{CUSTOMER}/oauth2{version}/token"), &form).await;
        assert_eq!(status, 200, "{grant}");
        let payload = grant["access_token"].as_str().and_then(|token| token.split('.').nth(1)).expect("a token");
        let claims = URL_SAFE_NO_PAD.decode(payload).expect("base64");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!(claims["iss"], document["issuer"]);
    }
    let (_, shared) = api.get("/common/v2.0/.well-known/openid-configuration").await;
    assert_eq!(shared["issuer"], format!("{}/{{tenantid}}/v2.0", api.base));
}

#[tokio::test]
async fn an_unknown_tenant_has_no_metadata_and_no_keys() {
    let api = Api::with_customers().await;
    for path in ["v2.0/.well-known/openid-configuration", ".well-known/openid-configuration", "discovery/v2.0/keys"] {
        let (status, refused) = api.get(&format!("/{STRANGER}/{path}")).await;
        assert_eq!((status, &refused["error_codes"]), (400, &json!([90002])), "{path}");
    }
}

#[tokio::test]
async fn instance_discovery_knows_one_instance_and_where_its_metadata_are() {
    let api = Api::with_customers().await;
    let find = async |endpoint: &str| {
        api.get(&format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={endpoint}")).await
    };
    let (status, found) = find(&format!("{}/{PARTNER}/oauth2/v2.0/authorize", api.base)).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(answered(api.client.get(found["tenant_discovery_endpoint"].as_str().expect("an address"))).await.0, 200);
    check(&api, &found, PARTNER, &["tenant_discovery_endpoint"]);
    let host = api.base.trim_start_matches("http://");
    assert_eq!(found["metadata"], json!([{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }]),);
    for (endpoint, code) in [("nonsense", 50049), ("https://localhost/", 50049), ("", 50049)] {
        let (status, refused) = find(endpoint).await;
        assert_eq!((status, &refused["error_codes"]), (400, &json!([code])), "{endpoint}");
    }
    assert_eq!(api.get("/common/discovery/instance").await.1["error_codes"], json!([900_144]));
}
