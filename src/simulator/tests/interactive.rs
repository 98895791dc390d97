//! Interactive sign-in: the authorization endpoint with PKCE, device codes, and what both refuse.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::*;
use crate::simulator::tokens::decode;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "http://localhost:40123/";
const SCOPE: &str = "https://api.partnercenter.microsoft.com/user_impersonation offline_access openid";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A partner with two users, one of whom has no MFA, and addresses for both kinds of client.
const TWO_USERS: &str = "
partner:
  application:
    redirectUris: [http://localhost, https://portal.example/done]
    publicRedirectUris: [http://127.0.0.1]
    allowPublicClientFlows: true
  users:
  - { upn: ada@contoso.com, objectId: eeee0000-4444-4d44-8d44-00000000000a, refreshToken: simulated-refresh-token }
  - { upn: bob@contoso.com, objectId: eeee0000-4444-4d44-8d44-00000000000b, mfa: false }
";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// What a well-behaved program sends a browser off with; `changes` replace, or with an empty value remove.
fn asked(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut params: Vec<(String, String)> = [
        ("client_id", CLIENT),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("state", "s-1"),
        ("code_challenge", &challenge()),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (name, value) in changes {
        params.retain(|(known, _)| known != name);
        params.push(((*name).to_owned(), (*value).to_owned()));
    }
    params.retain(|(_, value)| !value.is_empty());
    params
}

/// Status, `Location` and body of an answer to a browser that follows nothing by itself.
async fn browse(api: &Api, path: &str, params: &[(String, String)]) -> (u16, Option<Url>, String) {
    let client = Client::builder().redirect(Policy::none()).build().expect("a client");
    let url = Url::parse_with_params(&format!("{}/{path}", api.base), params).expect("a URL");
    let answer = client.get(url).send().await.expect("an answer");
    let location = answer.headers().get("location").map(|to| to.to_str().expect("text").parse().expect("a URL"));
    (answer.status().as_u16(), location, answer.text().await.expect("a body"))
}

/// The parameters of the redirect that a sign-in ends with.
async fn redirected(api: &Api, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let (status, location, body) = browse(api, &format!("{PARTNER}/oauth2/v2.0/authorize"), &asked(changes)).await;
    assert_eq!(status, 302, "{body}");
    let location = location.expect("a redirect");
    assert!(location.as_str().starts_with(REDIRECT), "{location}");
    location.query_pairs().into_owned().collect()
}

fn param<'a>(params: &'a [(String, String)], name: &str) -> &'a str {
    params.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

async fn code(api: &Api, changes: &[(&str, &str)]) -> String {
    let params = redirected(api, changes).await;
    assert_eq!(param(&params, "state"), "s-1", "{params:?}");
    let code = param(&params, "code").to_owned();
    assert!(!code.is_empty(), "{params:?}");
    code
}

async fn redeem_code(api: &Api, code: &str, changes: &[(&str, &str)]) -> Answered {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    api.token(&format!("{PARTNER}/oauth2/v2.0/token"), &form).await
}

fn number(answered: &Answered) -> (u16, &str, u64) {
    let (status, body) = answered;
    (*status, body["error"].as_str().unwrap_or_default(), body["error_codes"][0].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn a_code_is_redeemed_for_tokens_of_the_user_with_mfa() {
    let api = Api::with_customers().await;
    let params = redirected(&api, &[("client_info", "1"), ("nonce", "n-1"), ("prompt", "select_account")]).await;
    let (status, body) = redeem_code(&api, param(&params, "code"), &[("client_info", "1")]).await;
    assert_eq!(status, 200, "{body}");
    let claims = decode(body["access_token"].as_str().unwrap()).expect("a token");
    assert_eq!((claims.amr, claims.tid.to_string()), (vec!["pwd".to_owned(), "mfa".to_owned()], PARTNER.to_owned()));
    assert_eq!(claims.aud, PARTNER_CENTER);
    let decoded = |text: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap() };
    // What MSAL reads of both.
    let about = json!({ "uid": "eeee0000-4444-4d44-8d44-000000000004", "utid": PARTNER });
    assert_eq!(decoded(body["client_info"].as_str().unwrap()), about);
    assert_eq!(decoded(param(&params, "client_info")), about);
    let id_token = decoded(body["id_token"].as_str().unwrap().split('.').nth(1).unwrap());
    assert_eq!((&id_token["nonce"], &id_token["aud"]), (&json!("n-1"), &json!(CLIENT)));
    assert_eq!(id_token["preferred_username"], crate::simulator::DEFAULT_USER);
    let refresh_token = body["refresh_token"].as_str().unwrap();
    assert_eq!(api.redeem(PARTNER, refresh_token, PARTNER_CENTER).await.0, 200);
}

#[tokio::test]
async fn nobody_gets_a_refresh_token_or_an_id_token_without_asking() {
    let api = Api::with_customers().await;
    let scope = "https://api.partnercenter.microsoft.com/user_impersonation";
    let code = code(&api, &[("scope", scope)]).await;
    let (status, body) = redeem_code(&api, &code, &[]).await;
    assert_eq!((status, body.get("refresh_token"), body.get("id_token")), (200, None, None));
}

#[tokio::test]
async fn a_code_is_good_once_and_only_for_whoever_asked() {
    let api = Api::with_customers().await;
    let wrong = "x".repeat(43);
    for (changes, status, error, aadsts) in [
        (vec![("code", "made-up")], 400, "invalid_grant", 9_002_313),
        (vec![("code_verifier", wrong.as_str())], 400, "invalid_grant", 501_481),
        (vec![("code_verifier", "")], 400, "invalid_grant", 501_481),
        (vec![("redirect_uri", "http://localhost:40124/")], 400, "invalid_client", 500_112),
    ] {
        let code = code(&api, &[]).await;
        let answered = redeem_code(&api, &code, &changes).await;
        assert_eq!(number(&answered), (status, error, aadsts), "{changes:?} {}", answered.1);
    }
    let code = code(&api, &[]).await;
    let elsewhere = format!("{CUSTOMER}/oauth2/v2.0/token");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(number(&api.token(&elsewhere, &form).await), (400, "invalid_grant", 700_005));
    assert_eq!(redeem_code(&api, &code, &[]).await.0, 200, "a refusal spends nothing");
    assert_eq!(number(&redeem_code(&api, &code, &[]).await), (400, "invalid_grant", 54005));
}

#[tokio::test]
async fn the_outcome_goes_only_where_the_application_is_registered() {
    let api = Api::with_customers().await;
    for (changes, text) in [
        (vec![("redirect_uri", "https://evil.example/")], "AADSTS50011"),
        (vec![("redirect_uri", "http://127.0.0.1:40123/")], "AADSTS50011"),
        (vec![("client_id", STRANGER)], "AADSTS700016"),
        (vec![("client_id", "")], "AADSTS900144"),
        (vec![("response_mode", "pigeon")], "AADSTS90023"),
    ] {
        let (status, location, body) =
            browse(&api, &format!("{PARTNER}/oauth2/v2.0/authorize"), &asked(&changes)).await;
        assert_eq!((status, location), (400, None), "{changes:?}");
        assert!(body.contains(text), "{changes:?} {body}");
    }
    let (status, _, body) = browse(&api, &format!("{STRANGER}/oauth2/v2.0/authorize"), &asked(&[])).await;
    assert!(status == 400 && body.contains("AADSTS90002"), "{body}");
}

#[tokio::test]
async fn a_refused_sign_in_is_told_in_the_redirect() {
    let api = Api::with_customers().await;
    for (changes, error, aadsts) in [
        (vec![("response_type", "token")], "unsupported_response_type", "AADSTS70005"),
        (vec![("scope", "")], "invalid_request", "AADSTS900144"),
        (vec![("scope", "https://example.com/.default")], "invalid_resource", "AADSTS500011"),
        (vec![("scope", "openid garbage")], "invalid_scope", "AADSTS70011"),
        (vec![("prompt", "nicely")], "invalid_request", "AADSTS90023"),
        (vec![("code_challenge", "short")], "invalid_request", "AADSTS501491"),
        (vec![("code_challenge_method", "S512")], "invalid_request", "AADSTS50149"),
        (vec![("login_hint", "nobody@contoso.com")], "access_denied", "AADSTS50034"),
    ] {
        let params = redirected(&api, &changes).await;
        assert_eq!((param(&params, "error"), param(&params, "state")), (error, "s-1"), "{changes:?} {params:?}");
        assert!(param(&params, "error_description").starts_with(aadsts), "{params:?}");
    }
    for (number, error) in [
        (65_001, "consent_required"),
        (65_004, "access_denied"),
        (50_076, "interaction_required"),
        (50_105, "access_denied"),
        (53_003, "access_denied"),
        (650_057, "invalid_resource"),
        (12_345, "access_denied"),
    ] {
        api.settings(json!({ "signInRefusal": number })).await;
        let params = redirected(&api, &[]).await;
        assert_eq!(param(&params, "error"), error, "{params:?}");
        assert!(param(&params, "error_description").starts_with(&format!("AADSTS{number}: ")), "{params:?}");
    }
}

#[tokio::test]
async fn a_user_is_named_or_picked() {
    let api = Api::start(World::from_yaml(TWO_USERS).expect("a world")).await;
    let (status, _, page) = browse(&api, "organizations/oauth2/v2.0/authorize", &asked(&[])).await;
    assert!(status == 200 && page.contains("login_hint=bob%40contoso.com"), "{page}");
    let params = redirected(&api, &[("prompt", "none")]).await;
    assert_eq!(param(&params, "error"), "login_required");
    let code = code(&api, &[("login_hint", "BOB@contoso.com")]).await;
    let (_, body) = redeem_code(&api, &code, &[]).await;
    let claims = decode(body["access_token"].as_str().unwrap()).expect("a token");
    assert_eq!((claims.upn.as_deref(), claims.amr), (Some("bob@contoso.com"), vec!["pwd".to_owned()]), "without MFA");
}

#[tokio::test]
async fn the_outcome_can_come_as_a_form_or_a_fragment() {
    let api = Api::with_customers().await;
    let path = format!("{PARTNER}/oauth2/v2.0/authorize");
    let (status, location, page) = browse(&api, &path, &asked(&[("response_mode", "form_post")])).await;
    assert_eq!((status, location), (200, None));
    assert!(page.contains("action=\"http://localhost:40123/\"") && page.contains("name=\"code\""), "{page}");
    let (_, location, _) = browse(&api, &path, &asked(&[("response_mode", "fragment")])).await;
    assert!(location.unwrap().fragment().unwrap().starts_with("code="));
}

#[tokio::test]
async fn version_one_names_the_resource_apart_and_always_gives_everything() {
    let api = Api::with_customers().await;
    let path = format!("{PARTNER}/oauth2/authorize");
    let (_, location, _) = browse(&api, &path, &asked(&[("scope", ""), ("resource", PARTNER_CENTER)])).await;
    let params: Vec<(String, String)> = location.unwrap().query_pairs().into_owned().collect();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", param(&params, "code")),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let (status, body) = api.token(&format!("{PARTNER}/oauth2/token"), &form).await;
    assert_eq!((status, &body["resource"], &body["expires_in"]), (200, &json!(PARTNER_CENTER), &json!("3599")));
    assert!(body["refresh_token"].is_string() && body["id_token"].is_string());
}

/// A token request without the client secret.
async fn unproven(api: &Api, fields: &[(&str, &str)]) -> Answered {
    let form = [&[("client_id", CLIENT)], fields].concat();
    answered(api.client.post(format!("{}/{PARTNER}/oauth2/v2.0/token", api.base)).form(&form)).await
}

#[tokio::test]
async fn a_public_client_proves_nothing_and_must_not_try() {
    let api = Api::start(World::from_yaml(TWO_USERS).expect("a world")).await;
    let redirect = "http://127.0.0.1:40123/";
    let public = async {
        let params = asked(&[("redirect_uri", redirect), ("login_hint", "ada@contoso.com")]);
        let (_, location, _) = browse(&api, &format!("{PARTNER}/oauth2/v2.0/authorize"), &params).await;
        let params: Vec<(String, String)> = location.unwrap().query_pairs().into_owned().collect();
        param(&params, "code").to_owned()
    };
    let for_public = public.await;
    let answered = redeem_code(&api, &for_public, &[("redirect_uri", redirect)]).await;
    assert_eq!(number(&answered), (401, "invalid_client", 700_025));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", for_public.as_str()),
        ("redirect_uri", redirect),
        ("code_verifier", VERIFIER),
    ];
    let (status, body) = unproven(&api, &form).await;
    assert_eq!(status, 200, "{body}");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", body["refresh_token"].as_str().unwrap())];
    assert_eq!(unproven(&api, &refresh).await.0, 200, "nor when it is renewed");
    let confidential = [("grant_type", "refresh_token"), ("refresh_token", SEED)];
    assert_eq!(number(&unproven(&api, &confidential).await), (401, "invalid_client", 7_000_218));
    let code = code(&api, &[("login_hint", "ada@contoso.com")]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(number(&unproven(&api, &form).await), (401, "invalid_client", 7_000_218));
}

/// Begins a sign-in with a device code.
async fn device(api: &Api) -> Value {
    let form = [("client_id", CLIENT), ("scope", SCOPE)];
    let (status, body) =
        answered(api.client.post(format!("{}/{PARTNER}/oauth2/v2.0/devicecode", api.base)).form(&form)).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn poll(api: &Api, device: &Value) -> Answered {
    let form = [("grant_type", DEVICE_GRANT), ("device_code", device["device_code"].as_str().unwrap())];
    api.token(&format!("{PARTNER}/oauth2/v2.0/token"), &form).await
}

#[tokio::test]
async fn a_device_code_waits_until_somebody_signs_in() {
    let api = Api::with_customers().await;
    let device = device(&api).await;
    assert_eq!((&device["expires_in"], &device["interval"]), (&json!(900), &json!(5)));
    let user_code = device["user_code"].as_str().unwrap();
    assert!(device["message"].as_str().unwrap().contains(user_code));
    assert_eq!(number(&poll(&api, &device).await), (400, "authorization_pending", 70016));
    let approve = format!("device-codes/{}/approve", user_code.to_lowercase());
    api.control(Method::POST, &approve, &json!({ "user": crate::simulator::DEFAULT_USER })).await;
    let listed = api.control(Method::GET, "device-codes", &Value::Null).await;
    assert_eq!(
        (&listed["deviceCodes"][0]["decision"], &listed["deviceCodes"][0]["redeemed"]),
        (&json!("approved"), &json!(false))
    );
    let (status, body) = poll(&api, &device).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(decode(body["access_token"].as_str().unwrap()).expect("a token").amr, ["pwd", "mfa"]);
    assert!(body["refresh_token"].is_string() && body["id_token"].is_string());
    assert_eq!(number(&poll(&api, &device).await), (400, "bad_verification_code", 70018));
}

#[tokio::test]
async fn a_device_code_ends_in_a_refusal_a_decline_or_nothing() {
    let api = Api::with_customers().await;
    let declined = device(&api).await;
    let path = format!("device-codes/{}/decline", declined["user_code"].as_str().unwrap());
    api.control(Method::POST, &path, &Value::Null).await;
    assert_eq!(number(&poll(&api, &declined).await), (400, "authorization_declined", 70017));
    let (status, _) = answered(api.request(Method::POST, &format!("/simulator/{path}"))).await;
    assert_eq!(status, 400, "only once");
    api.settings(json!({ "deviceCodeApproval": "approve", "signInRefusal": 50_076 })).await;
    assert_eq!(number(&poll(&api, &device(&api).await).await), (400, "interaction_required", 50_076));
    api.settings(json!({ "deviceCodeApproval": "decline", "signInRefusal": 0 })).await;
    assert_eq!(number(&poll(&api, &device(&api).await).await), (400, "authorization_declined", 70017));
    api.settings(json!({ "deviceCodeApproval": "approve", "deviceCodeSeconds": 0 })).await;
    assert_eq!(number(&poll(&api, &device(&api).await).await), (400, "expired_token", 70020));
    api.settings(json!({ "deviceCodeSeconds": 900 })).await;
    assert_eq!(poll(&api, &device(&api).await).await.0, 200);
    assert_eq!(number(&poll(&api, &json!({ "device_code": "x" })).await), (400, "bad_verification_code", 70018));
}

#[tokio::test]
async fn a_device_code_needs_the_secret_unless_the_application_is_public() {
    for (world, status) in [(World::generated(0), 401), (World::from_yaml(TWO_USERS).expect("a world"), 200)] {
        let api = Api::start(world).await;
        api.settings(json!({ "deviceCodeApproval": "approve" })).await;
        let device = device(&api).await;
        let form = [("grant_type", DEVICE_GRANT), ("device_code", device["device_code"].as_str().unwrap())];
        assert_eq!(unproven(&api, &form).await.0, status);
    }
}

#[tokio::test]
async fn a_person_can_enter_the_code_on_a_page() {
    let api = Api::with_customers().await;
    let device = device(&api).await;
    let page = device["verification_uri"].as_str().unwrap();
    let html = api.client.get(page).send().await.unwrap().text().await.unwrap();
    assert!(html.contains(crate::simulator::DEFAULT_USER), "{html}");
    let user_code = device["user_code"].as_str().unwrap();
    let form = [("code", user_code), ("user", crate::simulator::DEFAULT_USER), ("decision", "approve")];
    assert_eq!(api.client.post(page).form(&form).send().await.unwrap().status().as_u16(), 200);
    assert_eq!(api.client.post(page).form(&form).send().await.unwrap().status().as_u16(), 400, "only once");
    assert_eq!(poll(&api, &device).await.0, 200);
}

#[tokio::test]
async fn who_is_signed_out_everywhere_needs_a_new_sign_in() {
    let api = Api::with_customers().await;
    let old = api.redeem(PARTNER, SEED, PARTNER_CENTER).await.1["refresh_token"].as_str().unwrap().to_owned();
    let user = json!({ "upn": crate::simulator::DEFAULT_USER });
    api.control(Method::POST, "partner/user/sign-out", &user).await;
    for token in [SEED, &old] {
        assert_eq!(number(&api.redeem(PARTNER, token, PARTNER_CENTER).await), (400, "invalid_grant", 50173));
    }
    let code = code(&api, &[]).await;
    let (_, body) = redeem_code(&api, &code, &[]).await;
    assert_eq!(api.redeem(PARTNER, body["refresh_token"].as_str().unwrap(), PARTNER_CENTER).await.0, 200);
    let signed_in = json!({ "upn": crate::simulator::DEFAULT_USER, "refreshToken": SEED });
    api.control(Method::POST, "partner/user", &signed_in).await;
    assert_eq!(api.redeem(PARTNER, SEED, PARTNER_CENTER).await.0, 200, "whatever the outcome of a sign-in is to be");
}
