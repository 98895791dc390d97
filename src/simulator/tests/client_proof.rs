//! An application that proves itself without a secret, and what became of issued tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::*;
use crate::simulator::DEFAULT_USER;

const KEY: &str = include_str!("../../../tests/keys/application.pem");
const OTHER_KEY: &str = include_str!("../../../tests/keys/stranger.pem");
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "https://cluster.example/issuer";
const SUBJECT: &str = "system:serviceaccount:csp-operator:csp-operator";
const AUDIENCE: &str = "api://AzureADTokenExchange";

fn certificate(year: i32) -> rcgen::Certificate {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    params.self_signed(&KeyPair::from_pem(KEY).expect("a key")).expect("signed")
}

fn world(year: i32) -> World {
    let pem = certificate(year).pem();
    let world = json!({ "partner": { "application": {
        "certificates": [pem],
        "federatedCredentials": [{ "issuer": ISSUER, "subject": SUBJECT }]
    } } });
    World::from_yaml(&world.to_string()).expect("a world")
}

/// A statement of the application's; a test changes what it is about.
struct Statement {
    key: &'static str,
    encoding: &'static dyn RsaEncoding,
    header: Value,
    claims: Value,
}

impl Statement {
    fn right(api: &Api) -> Self {
        let now = jiff::Timestamp::now().as_second();
        let thumbprint = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, certificate(2099).der()));
        Self {
            key: KEY,
            encoding: &RSA_PSS_SHA256,
            header: json!({ "alg": "PS256", "x5t#S256": thumbprint }),
            claims: json!({
                "aud": format!("{}/{PARTNER}/oauth2/v2.0/token", api.base), "iss": CLIENT, "sub": CLIENT,
                "jti": uuid::Uuid::new_v4(), "nbf": now, "exp": now + 600,
            }),
        }
    }

    fn signed(&self) -> String {
        let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key") else {
            panic!("not PKCS 8")
        };
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).expect("an RSA key");
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(&self.header), encode(&self.claims));
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(self.encoding, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("signed");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn present(api: &Api, statement: &str) -> Answered {
    let form = [
        ("client_id", CLIENT),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", statement),
        ("grant_type", "refresh_token"),
        ("refresh_token", SEED),
        ("resource", PARTNER_CENTER),
    ];
    answered(api.client.post(format!("{}/{PARTNER}/oauth2/token", api.base)).form(&form)).await
}

#[track_caller]
fn assert_refused((status, body): &Answered, code: u32) {
    assert_eq!((*status, &body["error"], &body["error_codes"]), (401, &json!("invalid_client"), &json!([code])));
}

#[tokio::test]
async fn a_statement_is_good_when_it_is_signed_by_the_registered_certificate() {
    let api = Api::start(world(2099)).await;
    assert_eq!(present(&api, &Statement::right(&api).signed()).await.0, 200);
    let mut older = Statement::right(&api);
    older.encoding = &RSA_PKCS1_SHA256;
    let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate(2099).der());
    older.header = json!({ "alg": "RS256", "x5t": URL_SAFE_NO_PAD.encode(sha1) });
    assert_eq!(present(&api, &older.signed()).await.0, 200);
    let mut to_entra = Statement::right(&api);
    to_entra.claims["aud"] = json!(format!("https://login.microsoftonline.com/{PARTNER}/oauth2/token"));
    assert_eq!(present(&api, &to_entra.signed()).await.0, 200);
}

#[tokio::test]
async fn a_statement_is_refused_for_every_defect() {
    let api = Api::start(world(2099)).await;
    let refused = async |code, change: &dyn Fn(&mut Statement)| {
        let mut statement = Statement::right(&api);
        change(&mut statement);
        assert_refused(&present(&api, &statement.signed()).await, code);
    };
    let now = jiff::Timestamp::now().as_second();
    refused(700_027, &|statement| statement.key = OTHER_KEY).await;
    refused(700_027, &|statement| statement.header["x5t#S256"] = json!("another")).await;
    refused(700_027, &|statement| statement.header["alg"] = json!("none")).await;
    refused(700_027, &|statement| statement.header["alg"] = json!("RS256")).await;
    refused(700_023, &|statement| statement.claims["aud"] = json!("https://elsewhere.example/token")).await;
    let other_tenant = format!("{}/{CUSTOMER}/oauth2/token", api.base);
    refused(700_023, &|statement| statement.claims["aud"] = json!(other_tenant)).await;
    refused(700_021, &|statement| statement.claims["sub"] = json!(STRANGER)).await;
    refused(700_024, &|statement| statement.claims["exp"] = json!(now - 301)).await;
    refused(700_024, &|statement| statement.claims["nbf"] = json!(now + 400)).await;
    refused(50_027, &|statement| statement.claims["jti"] = json!("")).await;
    assert_refused(&present(&api, "nonsense").await, 50_027);
    assert_refused(&present(&api, "a.b.c").await, 50_027);
}

#[tokio::test]
async fn a_statement_serves_once() {
    let api = Api::start(world(2099)).await;
    let statement = Statement::right(&api).signed();
    assert_eq!(present(&api, &statement).await.0, 200);
    assert_refused(&present(&api, &statement).await, 50_013);
}

#[tokio::test]
async fn an_expired_certificate_proves_nothing() {
    let api = Api::start(world(2002)).await;
    let mut statement = Statement::right(&api);
    let thumbprint = ring::digest::digest(&ring::digest::SHA256, certificate(2002).der());
    statement.header["x5t#S256"] = json!(URL_SAFE_NO_PAD.encode(thumbprint));
    assert_refused(&present(&api, &statement.signed()).await, 700_027);
}

#[tokio::test]
async fn a_federated_token_must_say_exactly_what_is_registered() {
    let api = Api::start(world(2099)).await;
    let now = jiff::Timestamp::now().as_second();
    let token = |issuer: &str, subject: &str, audience: Value, expires: i64| {
        let claims = json!({ "iss": issuer, "sub": subject, "aud": audience, "exp": expires });
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(r#"{"alg":"RS256"}"#), encode(&claims.to_string()), encode("signature"))
    };
    for audience in [json!(AUDIENCE), json!(["another", AUDIENCE])] {
        assert_eq!(present(&api, &token(ISSUER, SUBJECT, audience, now + 600)).await.0, 200);
    }
    let audience = json!(AUDIENCE);
    for (presented, code) in [
        (token("https://cluster.example", SUBJECT, audience.clone(), now + 600), 700_211),
        (token(ISSUER, "system:serviceaccount:default:default", audience.clone(), now + 600), 700_213),
        (token(ISSUER, SUBJECT, json!("https://kubernetes.default.svc"), now + 600), 700_212),
        (token(ISSUER, SUBJECT, audience, now - 301), 700_024),
    ] {
        assert_refused(&present(&api, &presented).await, code);
    }
}

#[tokio::test]
async fn an_expired_client_secret_is_told_from_a_wrong_one() {
    let api = Api::with_customers().await;
    api.settings(json!({ "clientSecretExpired": true })).await;
    assert_refused(&api.redeem(PARTNER, SEED, PARTNER_CENTER).await, 7_000_222);
}

async fn issued(api: &Api) -> Value {
    answered(api.client.get(format!("{}/simulator/refresh-tokens", api.base))).await.1
}

#[tokio::test]
async fn it_is_told_what_became_of_the_newest_refresh_token() {
    let api = Api::with_customers().await;
    let (_, body) = api.redeem(PARTNER, SEED, PARTNER_CENTER).await;
    let told = issued(&api).await;
    assert_eq!((&told["issued"], &told["last"]["refreshToken"]), (&json!(2), &body["refresh_token"]), "{told}");
    assert_eq!((&told["last"]["sent"], &told["last"]["accessTokenUsed"]), (&json!(true), &json!(false)), "{told}");
    let token = body["access_token"].as_str().expect("a token");
    let customers = format!("{}/v1/customers", api.base);
    assert_eq!(answered(api.client.get(&customers).bearer_auth(token)).await.0, 200);
    assert_eq!(issued(&api).await["last"]["accessTokenUsed"], true);

    for answer in [json!({ "kind": "disconnect", "applied": true }), json!({ "kind": "garbage" })] {
        let fault = json!({ "operation": "token", "times": 1, "answer": answer });
        let posted = api.client.post(format!("{}/simulator/faults", api.base)).json(&fault).send().await;
        assert!(posted.expect("sent").status().is_success());
        let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("client_secret", SECRET)];
        let url = format!("{}/{PARTNER}/oauth2/token", api.base);
        let form = [&form[..], &[("refresh_token", SEED), ("resource", PARTNER_CENTER)]].concat();
        let _ = api.client.post(&url).form(&form).send().await;
        let told = issued(&api).await;
        assert_eq!((&told["last"]["sent"], &told["last"]["tenant"]), (&json!(false), &json!(PARTNER)), "{told}");
    }
}

#[tokio::test]
async fn a_user_can_sign_in_anew_whatever_became_of_earlier_tokens() {
    let api = Api::with_customers().await;
    api.settings(json!({ "singleUseRefreshTokens": true })).await;
    let sign_in =
        api.client.post(format!("{}/simulator/refresh-tokens", api.base)).json(&json!({ "user": DEFAULT_USER }));
    let (status, body) = answered(sign_in).await;
    assert_eq!(status, 201);
    let token = body["refreshToken"].as_str().expect("a token");
    assert_eq!(api.redeem(PARTNER, token, PARTNER_CENTER).await.0, 200);
}
