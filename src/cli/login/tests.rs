//! The person's sign-in against the simulator: both ways, and every sentence that a refusal ends in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::flow::Issued;
use super::*;
use crate::remote::tests::keys;
use crate::remote::{ClientCertificate, Endpoints, ExtraRoots, PlainHttp, Proof};
use crate::simulator::{DEFAULT_CLIENT_SECRET, DEFAULT_USER, Simulator, Tls, World, serve, serve_tls};

const TENANT: &str = "aaaa0000-2222-4b22-9b22-000000000002";
const CLIENT: &str = "11112222-3333-4444-8555-666677778888";

/// A running simulator, as the person's machine sees it.
struct Entra {
    base: String,
    interactive: Interactive,
    browser: reqwest::Client,
}

impl Entra {
    async fn start(world: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, Simulator::new(World::from_yaml(world).unwrap())));
        Self::at(base, ExtraRoots::default(), reqwest::Client::new())
    }

    fn at(base: String, extra_roots: ExtraRoots, browser: reqwest::Client) -> Self {
        let endpoints =
            Endpoints::parse(&base, &base, Endpoints::AZURE, Endpoints::GRAPH, PlainHttp::ToLoopback).unwrap();
        let interactive = Interactive::new(endpoints.trusting(extra_roots), Limits::default()).unwrap();
        Self { base, interactive, browser }
    }

    async fn set(&self, settings: Value) {
        let request = self.browser.patch(format!("{}/simulator/settings", self.base)).json(&settings);
        assert!(request.send().await.unwrap().status().is_success(), "{settings}");
    }

    async fn fault(&self, fault: Value) {
        let request = self.browser.post(format!("{}/simulator/faults", self.base)).json(&fault);
        assert!(request.send().await.unwrap().status().is_success(), "{fault}");
    }

    /// The person does what they are told, in a browser that follows every redirect.
    async fn sign_in(&self, application: &Application, way: Way) -> (Result<Issued, SignInError>, String) {
        let told = Arc::new(Mutex::new(String::new()));
        let (browser, heard) = (self.browser.clone(), Arc::clone(&told));
        let tell = move |text: &str| {
            heard.lock().unwrap().push_str(text);
            if let Some(address) = text.split_whitespace().find(|word| word.contains("/authorize?")) {
                tokio::spawn(browser.get(address).send());
            }
        };
        let timeout = Duration::from_secs(20);
        let issued = flow::sign_in(&self.interactive, application, way, timeout, &tell).await;
        let told = told.lock().unwrap().clone();
        (issued, told)
    }
}

fn application(tenant: &str, client_secret: Option<&str>) -> Application {
    Application {
        authority: tenant.to_owned(),
        tenant: tenant.parse().ok(),
        client_id: CLIENT.to_owned(),
        proof: client_secret.map(|secret| Proof::Secret(secret.into())),
        new_client_secret: None,
    }
}

fn confidential() -> Application {
    application(TENANT, Some(DEFAULT_CLIENT_SECRET))
}

const BROWSER: Way = Way::Browser { open: false, user: None };

/// The application of a public client.
const PUBLIC: &str = "partner: { application: { redirectUris: [], publicRedirectUris: [http://localhost], allowPublicClientFlows: true } }";

#[tokio::test]
async fn a_browser_on_this_machine_ends_in_tokens_of_the_user() {
    let entra = Entra::start("").await;
    for authority in [TENANT, "contosopartner.onmicrosoft.com"] {
        let (issued, told) = entra.sign_in(&application(authority, Some(DEFAULT_CLIENT_SECRET)), BROWSER).await;
        let issued = issued.unwrap();
        let expected = application(authority, None).tenant;
        let signed_in = entra.interactive.examine(&issued.access_token, expected).unwrap();
        assert_eq!((signed_in.user.as_deref(), signed_in.tenant), (Some(DEFAULT_USER), TENANT.parse().ok()));
        assert!(told.contains("code_challenge_method=S256") && told.contains("prompt=select_account"), "{told}");
        for secret in [DEFAULT_CLIENT_SECRET, issued.access_token.expose_secret(), issued.refresh_token.expose_secret()]
        {
            assert!(!told.contains(secret) && !format!("{issued:?}").contains(secret));
        }
    }
}

#[tokio::test]
async fn a_code_that_is_entered_elsewhere_ends_in_tokens_of_the_user() {
    let entra = Entra::start("").await;
    entra.set(json!({ "deviceCodeApproval": "approve" })).await;
    let (issued, told) = entra.sign_in(&confidential(), Way::DeviceCode).await;
    assert!(entra.interactive.examine(&issued.unwrap().access_token, TENANT.parse().ok()).is_ok());
    assert!(told.contains("/common/oauth2/deviceauth in a browser on any machine and enter the code "), "{told}");
}

#[tokio::test]
async fn a_public_client_needs_no_secret() {
    let entra = Entra::start(PUBLIC).await;
    entra.set(json!({ "deviceCodeApproval": "approve" })).await;
    for way in [BROWSER, Way::DeviceCode] {
        assert!(entra.sign_in(&application(TENANT, None), way).await.0.is_ok());
    }
}

#[tokio::test]
async fn a_certificate_signs_a_statement_for_every_request() {
    let own = keys::certificate(keys::APPLICATION);
    let world = json!({ "partner": { "application": { "certificates": [own] } } }).to_string();
    let entra = Entra::start(&world).await;
    entra.set(json!({ "deviceCodeIntervalSeconds": 0, "deviceCodeApproval": "approve" })).await;
    let with = |certificate: &str, key: &str| Application {
        proof: Some(Proof::Certificate(Arc::new(
            ClientCertificate::from_pem(certificate.as_bytes(), &key.into()).unwrap(),
        ))),
        ..confidential()
    };
    let application = with(&own, keys::APPLICATION);
    assert!(entra.sign_in(&application, BROWSER).await.0.is_ok());
    // Somebody enters the code once it has been asked for more than once: no statement may come twice.
    entra.set(json!({ "deviceCodeApproval": "ask" })).await;
    let read = async |path: &str| -> Value {
        let answer = entra.browser.get(format!("{}/simulator/{path}", entra.base)).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    let before = read("requests/counts").await["token"]["total"].as_u64().unwrap();
    let approve = async {
        // Not for ever: a sign-in that has failed asks no more, and says why below.
        for _ in 0..1_000 {
            if read("requests/counts").await["token"]["total"].as_u64().unwrap() >= before + 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let codes = read("device-codes").await["deviceCodes"].clone();
        let code = codes.as_array().unwrap().last().unwrap()["userCode"].as_str().unwrap().to_owned();
        let url = format!("{}/simulator/device-codes/{code}/approve", entra.base);
        entra.browser.post(url).json(&json!({ "user": DEFAULT_USER })).send().await.unwrap();
    };
    let ((issued, _), ()) = tokio::join!(entra.sign_in(&application, Way::DeviceCode), approve);
    assert!(issued.is_ok(), "{:?}", issued.err());
    let stranger = with(&keys::certificate(keys::STRANGER), keys::STRANGER);
    check(&entra, &stranger, BROWSER, "does not know the certificate: register it").await;
}

#[tokio::test]
async fn over_tls_the_sign_in_and_partner_center_trust_whom_the_ca_file_names() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = Tls::generate(&[]).unwrap();
    let pem = tls.authority_pem().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let simulator = Simulator::new(World::generated(0));
    tokio::spawn(async move { serve_tls(listener, simulator, &tls).await });
    let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let browser = reqwest::Client::builder().tls_certs_merge([authority]).build().unwrap();
    let entra = Entra::at(base.clone(), ExtraRoots::from_pem(pem.as_bytes()).unwrap(), browser.clone());
    let issued = entra.sign_in(&confidential(), BROWSER).await.0.unwrap();
    assert_eq!(entra.interactive.organization(&issued.access_token).await.unwrap().name, "Contoso Partner");
    let distrustful = Entra::at(base, ExtraRoots::default(), browser);
    check(&distrustful, &confidential(), Way::DeviceCode, "Microsoft Entra cannot be reached").await;
}

#[tokio::test]
async fn a_pending_code_is_asked_for_as_often_as_told() {
    let entra = Entra::start("").await;
    entra.set(json!({ "deviceCodeIntervalSeconds": 0 })).await;
    let pending = json!({
        "operation": "token", "times": 3,
        "answer": { "kind": "status", "status": 400, "body": r#"{"error":"authorization_pending"}"# },
    });
    entra.fault(pending).await;
    entra.set(json!({ "deviceCodeApproval": "approve" })).await;
    assert!(entra.sign_in(&confidential(), Way::DeviceCode).await.0.is_ok());
    let counts = entra.browser.get(format!("{}/simulator/requests/counts", entra.base)).send().await.unwrap();
    let counts: Value = serde_json::from_str(&counts.text().await.unwrap()).unwrap();
    assert_eq!(counts["token"]["total"], 4);
}

#[tokio::test]
async fn a_code_outlives_answers_that_do_not_come() {
    let entra = Entra::start("").await;
    entra.set(json!({ "deviceCodeIntervalSeconds": 0, "deviceCodeApproval": "approve" })).await;
    for answer in [
        json!({ "kind": "status", "status": 503, "body": "<html>" }),
        json!({ "kind": "status", "status": 429 }),
        json!({ "kind": "disconnect", "applied": false }),
    ] {
        entra.fault(json!({ "operation": "token", "times": 2, "answer": answer })).await;
    }
    let (issued, _) = entra.sign_in(&confidential(), Way::DeviceCode).await;
    assert!(issued.is_ok(), "{:?}", issued.err());
    entra.set(json!({ "deviceCodeIntervalSeconds": 1, "deviceCodeSeconds": 1 })).await;
    entra.fault(json!({ "operation": "token", "answer": { "kind": "status", "status": 503 } })).await;
    check(
        &entra,
        &confidential(),
        Way::DeviceCode,
        "has a problem of its own, or limits the rate of requests (status 503",
    )
    .await;
    check(&entra, &confidential(), BROWSER, "(status 503 Service Unavailable): run this again later").await;
}

/// Signing in fails, with a sentence that contains `expected` and nothing secret.
async fn check(entra: &Entra, application: &Application, way: Way, expected: &str) {
    let (issued, _) = entra.sign_in(application, way.clone()).await;
    let said = crate::operator::Chain(&issued.expect_err(expected)).to_string();
    assert!(said.contains(expected), "{way:?} {expected}\nsaid: {said}");
    assert!(!said.contains(DEFAULT_CLIENT_SECRET) && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn every_refusal_is_one_sentence_that_says_what_to_do() {
    let entra = Entra::start("").await;
    entra.set(json!({ "deviceCodeApproval": "approve", "deviceCodeIntervalSeconds": 0 })).await;
    for (number, expected) in [
        (65_001, "an administrator of the tenant opens http://127.0.0.1:"),
        (90_094, "adminconsent?client_id=11112222-3333-4444-8555-666677778888 once; then run this again (AADSTS90094)"),
        (65_004, "the consent was declined"),
        (50_072, "with MFA"),
        (50_074, "with MFA"),
        (50_076, "the user has to sign in with MFA: complete it in the browser"),
        (50_079, "https://aka.ms/mfasetup"),
        (50_158, "with MFA"),
        (50_020, "the user does not belong to the tenant"),
        (50_034, "there is no such user"),
        (50_057, "the user's account is disabled"),
        (50_105, "the user is not assigned to application 11112222-"),
        (53_000, "Conditional Access of the tenant forbids this sign-in"),
        (53_003, "Conditional Access of the tenant forbids this sign-in"),
        (500_011, "az ad sp create --id fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"),
        (650_052, "Partner Center is not known in the tenant"),
        (650_057, "add Microsoft Partner Center > user_impersonation"),
        (12_345, "Microsoft Entra refused the sign-in: access_denied: AADSTS12345: The sign-in was refused."),
    ] {
        entra.set(json!({ "signInRefusal": number })).await;
        for way in [BROWSER, Way::DeviceCode] {
            check(&entra, &confidential(), way, expected).await;
        }
    }
    check(&entra, &confidential(), Way::DeviceCode, "was refused").await;
    entra.set(json!({ "signInRefusal": 53_003 })).await;
    check(&entra, &confidential(), Way::DeviceCode, "try without --device-code").await;
}

#[tokio::test]
async fn a_wrong_application_is_told_by_what_is_wrong_with_it() {
    let entra = Entra::start("").await;
    entra.set(json!({ "deviceCodeApproval": "approve", "deviceCodeIntervalSeconds": 0 })).await;
    for way in [BROWSER, Way::DeviceCode] {
        let wrong = application(TENANT, Some("wrong"));
        check(&entra, &wrong, way.clone(), "is wrong: give its value, not its id, with --client-secret-file").await;
        check(&entra, &application(TENANT, None), way, "the application has to prove itself").await;
    }
    let nowhere = application("f0000000-0000-4000-8000-000000000000", Some(DEFAULT_CLIENT_SECRET));
    check(&entra, &nowhere, Way::DeviceCode, "there is no tenant f0000000-0000-4000-8000-000000000000: check --tenant")
        .await;
    let mut unknown = confidential();
    unknown.client_id = "f0000000-0000-4000-8000-000000000000".to_owned();
    check(&entra, &unknown, Way::DeviceCode, "there is no application f0000000-").await;
    let public = Entra::start(PUBLIC).await;
    check(&public, &confidential(), BROWSER, "say --public-client, or register it on the platform Web").await;
}

#[tokio::test]
async fn a_device_code_that_leads_nowhere_says_so() {
    let entra = Entra::start("").await;
    entra.set(json!({ "deviceCodeApproval": "decline" })).await;
    check(&entra, &confidential(), Way::DeviceCode, "was declined where the code was entered").await;
    entra.set(json!({ "deviceCodeApproval": "approve", "deviceCodeSeconds": 0 })).await;
    check(&entra, &confidential(), Way::DeviceCode, "the code has expired before anybody signed in").await;
}

#[tokio::test]
async fn an_answer_that_is_not_entras_is_told_without_its_text() {
    let entra = Entra::start("").await;
    for (body, expected) in [
        ("<html>hush</html>", "the answer to the sign-in is not Microsoft Entra's: check --login-url or CSP_LOGIN_URL"),
        (r#"{"access_token":"hush","token_type":"Bearer"}"#, "issued no refresh token"),
    ] {
        let answer = json!({ "kind": "status", "status": 200, "body": body });
        entra.fault(json!({ "operation": "token", "times": 1, "answer": answer })).await;
        let (issued, _) = entra.sign_in(&confidential(), BROWSER).await;
        let error = issued.unwrap_err();
        let said = crate::operator::Chain(&error).to_string();
        assert!(said.contains(expected) && !format!("{said} {error:?}").contains("hush"), "{said}");
    }
    let answer = json!({ "kind": "disconnect", "applied": false });
    entra.fault(json!({ "operation": "token", "times": 1, "answer": answer })).await;
    let expected = format!(
        "Microsoft Entra cannot be reached: check the connection, and --login-url or CSP_LOGIN_URL, which says where it is: the connection to {} failed",
        entra.base
    );
    check(&entra, &confidential(), BROWSER, &expected).await;
}

#[tokio::test]
async fn whoever_never_comes_back_is_told_what_the_browser_may_have_shown() {
    // An address that is not registered is told on a page only.
    let entra = Entra::start("partner: { application: { redirectUris: [https://portal.example/] } }").await;
    let timeout = Duration::from_millis(100);
    let issued = flow::sign_in(&entra.interactive, &confidential(), BROWSER, timeout, &|_| ()).await;
    let said = issued.unwrap_err().to_string();
    assert!(said.starts_with("nobody has signed in within 100ms: run this again. If the browser showed AADSTS50011: "));
    assert!(said.contains("add it under Authentication, on the platform Web"), "{said}");
}

#[tokio::test]
async fn whoever_enters_no_code_in_time_is_told_whose_time_it_was() {
    let entra = Entra::start("").await;
    entra.set(json!({ "deviceCodeIntervalSeconds": 0, "deviceCodeSeconds": 1 })).await;
    check(&entra, &confidential(), Way::DeviceCode, "the code has expired before anybody signed in").await;
    entra.set(json!({ "deviceCodeSeconds": 900 })).await;
    let timeout = Duration::from_millis(100);
    let issued = flow::sign_in(&entra.interactive, &confidential(), Way::DeviceCode, timeout, &|_| ()).await;
    let said = issued.unwrap_err().to_string();
    assert!(said.starts_with("nobody has signed in within 100ms: run this again. With a longer --timeout"), "{said}");
}

#[tokio::test]
async fn a_user_without_mfa_or_of_another_tenant_is_refused() {
    let entra = Entra::start("").await;
    entra.set(json!({ "mfaInTokens": false })).await;
    let issued = entra.sign_in(&confidential(), BROWSER).await.0.unwrap();
    let error = entra.interactive.examine(&issued.access_token, TENANT.parse().ok()).unwrap_err();
    let said = LoginError::Defect(error).to_string();
    assert!(said.contains("MFA: Partner Center accepts nobody without it"), "{said}");
    let other = "bbbb0000-2222-4b22-9b22-000000000002".parse().ok();
    let error = entra.interactive.examine(&issued.access_token, other).unwrap_err();
    assert!(LoginError::Defect(error).to_string().contains("check --tenant; nothing was written"));
}

#[tokio::test]
async fn a_token_that_partner_center_does_not_accept_is_told_with_what_a_person_can_do() {
    let entra = Entra::start("").await;
    let issued = entra.sign_in(&confidential(), BROWSER).await.0.unwrap();
    let said = async |token: &SecretString| {
        LoginError::Unverified(entra.interactive.organization(token).await.unwrap_err()).to_string()
    };
    let check = |said: &str, expected: &str| {
        assert!(said.contains(expected) && said.ends_with("with --no-verify it is not asked."), "{expected}\n{said}");
        // It is not in the Secret, and nobody but this person tries again.
        assert!(!said.contains("credentials Secret") && !said.contains("is tried again"), "{said}");
    };
    check(
        &said(&"garbled".into()).await,
        "the access token that was just issued is not accepted: check --partner-center",
    );
    for (status, expected) in [
        (401, "the access token that was just issued is not accepted"),
        (403, "access is refused: check the roles"),
        (404, "the answer is not Partner Center's: check --partner-center-url"),
        (503, "Partner Center has a problem of its own: run this again later"),
        // The last: it asks for a pause.
        (429, "run this again in some minutes"),
    ] {
        let answer = json!({ "kind": "status", "status": status });
        let request = entra.browser.delete(format!("{}/simulator/faults", entra.base)).send().await;
        assert!(request.unwrap().status().is_success());
        entra.fault(json!({ "operation": "get_organization_profile", "answer": answer })).await;
        check(&said(&issued.access_token).await, expected);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let nobody = Entra::at(address.clone(), ExtraRoots::default(), entra.browser.clone());
    let error = nobody.interactive.organization(&issued.access_token).await.unwrap_err();
    check(
        &LoginError::Unverified(error).to_string(),
        &format!(
            "Cannot read the partner's profile: Partner Center at {address} cannot be reached: check the connection, and --partner-center-url or CSP_PARTNER_CENTER_URL, which says where it is."
        ),
    );
}
