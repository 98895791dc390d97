//! Tokens: both endpoints, both grants, rotation and refusals.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::simulator::tokens::decode;

async fn v2(api: &Api, fields: &[(&str, &str)]) -> Answered {
    api.token(&format!("{PARTNER}/oauth2/v2.0/token"), fields).await
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

#[tokio::test]
async fn a_user_token_says_whose_it_is_and_what_for() {
    let api = Api::with_customers().await;
    let (_, body) = api.redeem(PARTNER, SEED, PARTNER_CENTER).await;
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], "3599", "version 1 writes numbers as strings");
    assert_eq!((&body["resource"], &body["scope"]), (&json!(PARTNER_CENTER), &json!("user_impersonation")));
    let claims = decode(text(&body["access_token"])).expect("a token");
    assert_eq!(claims.aud, PARTNER_CENTER);
    assert_eq!(claims.tid.to_string(), PARTNER);
    assert_eq!(body["expires_on"], claims.exp.to_string());
    assert_eq!(claims.upn.as_deref(), Some(crate::simulator::DEFAULT_USER));
    assert_eq!(claims.oid.to_string(), "eeee0000-4444-4d44-8d44-000000000004");
    assert_eq!(claims.appid.to_string(), CLIENT);
    assert_eq!(claims.amr, ["pwd", "mfa"]);
    assert_eq!(claims.scp.as_deref(), Some("user_impersonation"));
    assert_eq!((claims.exp - claims.iat, claims.nbf), (3599, claims.iat));
    let payload = text(&body["access_token"]).split('.').nth(1).expect("a payload");
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).expect("base64");
    let payload: Value = serde_json::from_slice(&payload).expect("JSON");
    for role in ["roles", "role", "wids", "groups"] {
        assert_eq!(payload.get(role), None, "no claim tells of a role");
    }
}

#[tokio::test]
async fn version_two_names_the_resource_in_its_scope() {
    let api = Api::with_customers().await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", SEED), ("client_info", "1")];
    let scope = "openid https://api.partnercenter.microsoft.com/.default offline_access profile";
    let (status, body) = v2(&api, &[&refresh[..], &[("scope", scope)]].concat()).await;
    assert_eq!((status, &body["expires_in"]), (200, &json!(3599)), "a number");
    assert_eq!(body["scope"], format!("{PARTNER_CENTER}/user_impersonation {PARTNER_CENTER}/.default"));
    assert_eq!(decode(text(&body["access_token"])).expect("a token").aud, PARTNER_CENTER);
    assert!(decode(text(&body["id_token"])).is_none() && body["id_token"].is_string(), "not an access token");
    assert_eq!(v2(&api, &refresh).await.0, 200, "without a scope the grant's own resource is meant");
}

#[tokio::test]
async fn a_scope_of_version_two_that_is_none_is_refused() {
    let api = Api::with_customers().await;
    let partner_center = format!("{PARTNER_CENTER}/.default");
    for scope in [
        "garbage",
        "openid garbage offline_access",
        &format!("{partner_center} garbage"),
        &format!("garbage {partner_center}"),
        "/.default",
        PARTNER_CENTER,
        "api.partnercenter.microsoft.com,openid",
    ] {
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", SEED), ("scope", scope)];
        let application = [("grant_type", "client_credentials"), ("scope", scope)];
        let asks_for_all = scope.split(' ').any(|scope| scope.ends_with("/.default"));
        for (fields, number) in
            [(&refresh[..], 70011), (&application[..], if asks_for_all { 70011 } else { 1_002_012 })]
        {
            let (status, body) = v2(&api, fields).await;
            assert_eq!((status, &body["error"]), (400, &json!("invalid_scope")), "{fields:?} {body}");
            assert_eq!(body["error_codes"], json!([number]), "{fields:?}");
        }
        let form = [("client_id", CLIENT), ("scope", scope)];
        let request = api.client.post(format!("{}/{PARTNER}/oauth2/v2.0/devicecode", api.base)).form(&form);
        assert_eq!(answered(request).await.1["error_codes"], json!([70011]), "a device code for {scope}");
    }
    // Graph's scopes are the only ones that need no resource, and no case.
    for scope in ["User.Read", "openid groupmember.read.all profile email"] {
        let (status, body) =
            v2(&api, &[("grant_type", "refresh_token"), ("refresh_token", SEED), ("scope", scope)]).await;
        assert_eq!(status, 200, "{scope}: {body}");
        assert_eq!(decode(text(&body["access_token"])).expect("a token").aud, "https://graph.microsoft.com", "{scope}");
    }
    let of_version_one = [("grant_type", "refresh_token"), ("refresh_token", SEED), ("scope", "garbage")];
    assert_eq!(api.token(&format!("{PARTNER}/oauth2/token"), &of_version_one).await.0, 200, "version 1 has no scopes");
}

#[tokio::test]
async fn app_only_tokens_have_no_user() {
    let api = Api::with_customers().await;
    let claims = decode(&api.app_token().await).expect("a token");
    assert_eq!((claims.upn, claims.scp, claims.amr.len()), (None, None, 0));
    // The second as Microsoft's Go library sends it.
    for others in ["", " openid offline_access profile"] {
        let scope = format!("{PARTNER_CENTER}/.default{others}");
        let (status, body) = v2(&api, &[("grant_type", "client_credentials"), ("scope", &scope)]).await;
        assert_eq!((status, body.get("refresh_token")), (200, None), "{scope}");
    }
    let scope = format!("{PARTNER_CENTER}/user_impersonation");
    let (status, body) = v2(&api, &[("grant_type", "client_credentials"), ("scope", &scope)]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_scope")));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_the_old_ones_go_on_working() {
    let api = Api::with_customers().await;
    let (_, first) = api.redeem(PARTNER, SEED, PARTNER_CENTER).await;
    let rotated = text(&first["refresh_token"]).to_owned();
    assert_ne!(rotated, SEED);
    let (status, second) = api.redeem(PARTNER, &rotated, PARTNER_CENTER).await;
    assert_eq!(status, 200);
    assert_ne!(second["refresh_token"], rotated);
    assert_eq!(api.redeem(PARTNER, SEED, PARTNER_CENTER).await.0, 200);
}

#[tokio::test]
async fn refresh_tokens_can_be_single_use_or_revoked() {
    let api = Api::with_customers().await;
    api.settings(json!({ "singleUseRefreshTokens": true })).await;
    let (status, body) = api.redeem(PARTNER, SEED, PARTNER_CENTER).await;
    assert_eq!(status, 200);
    assert_eq!(api.redeem(PARTNER, SEED, PARTNER_CENTER).await.1["error"], "invalid_grant");
    api.settings(json!({ "revokeRefreshTokens": true })).await;
    let rotated = text(&body["refresh_token"]);
    assert_eq!(api.redeem(PARTNER, rotated, PARTNER_CENTER).await.1["error_codes"], json!([50173]));
    api.settings(json!({ "revokeRefreshTokens": false })).await;
    assert_eq!(api.redeem(PARTNER, rotated, PARTNER_CENTER).await.0, 200, "being revoked spends nothing");
}

#[tokio::test]
async fn a_refresh_token_works_in_every_customer_tenant() {
    let api = Api::with_customers().await;
    let (status, body) = api.redeem(CUSTOMER, SEED, ARM).await;
    assert_eq!(status, 200);
    let claims = decode(text(&body["access_token"])).expect("a token");
    assert_eq!((claims.tid.to_string().as_str(), claims.aud.as_str()), (CUSTOMER, ARM));
}

#[tokio::test]
async fn refusals_have_entras_shape() {
    let api = Api::with_customers().await;
    let path = format!("{PARTNER}/oauth2/token");
    let refresh = ("grant_type", "refresh_token");
    let seed = ("refresh_token", SEED);
    let partner_center = ("resource", PARTNER_CENTER);
    for (path, fields, status, error, number) in [
        (path.as_str(), vec![refresh, ("refresh_token", "wrong"), partner_center], 400, "invalid_grant", 9_002_313),
        (&path, vec![refresh, partner_center], 400, "invalid_request", 900_144),
        (&path, vec![seed, partner_center], 400, "invalid_request", 900_144),
        (&path, vec![("grant_type", "password")], 400, "unsupported_grant_type", 70003),
        (&path, vec![refresh, seed, ("resource", "https://example.com")], 400, "invalid_resource", 500_011),
        (&format!("{STRANGER}/oauth2/token"), vec![refresh, seed, partner_center], 400, "invalid_request", 90002),
    ] {
        let (answered, body) = api.token(path, &fields).await;
        assert_eq!((answered, &body["error"]), (status, &json!(error)), "{fields:?}: {body}");
        assert_eq!(body["error_codes"], json!([number]));
        assert!(text(&body["error_description"]).starts_with(&format!("AADSTS{number}: ")));
        assert!(body["trace_id"].is_string() && body["correlation_id"].is_string());
    }
}

#[tokio::test]
async fn the_client_must_know_its_secret() {
    let api = Api::with_customers().await;
    let url = format!("{}/{PARTNER}/oauth2/token", api.base);
    let ask = |client: &str, secret: &str| {
        let form = [
            ("client_id", client),
            ("client_secret", secret),
            ("grant_type", "client_credentials"),
            ("resource", PARTNER_CENTER),
        ];
        answered(api.client.post(&url).form(&form))
    };
    for (client, secret, status, error, number) in [
        (CLIENT, "wrong", 401, "invalid_client", 7_000_215),
        (CLIENT, "", 401, "invalid_client", 7_000_218),
        (STRANGER, SECRET, 400, "unauthorized_client", 700_016),
    ] {
        let (answered, body) = ask(client, secret).await;
        assert_eq!((answered, &body["error"], &body["error_codes"]), (status, &json!(error), &json!([number])));
    }
    let form = [("grant_type", "client_credentials"), ("resource", PARTNER_CENTER)];
    assert_eq!(answered(api.client.post(&url).basic_auth(CLIENT, Some(SECRET)).form(&form)).await.0, 200);
}
