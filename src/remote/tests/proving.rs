//! How the application proves itself and what tokens must say, against the simulator, which verifies as Entra does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::simulated::{Simulated, azure, owner, tenant};
use super::*;
use crate::remote::ClientCertificate;
use crate::simulator::World;

const ISSUER: &str = "https://cluster.example";
const SUBJECT: &str = "system:serviceaccount:csp-operator:csp-operator";

/// The application's certificate and its key, as a user's Secret would have them.
fn certificate_of(key: &str) -> Proof {
    let certificate = ClientCertificate::from_pem(keys::certificate(key).as_bytes(), &key.into()).unwrap();
    Proof::Certificate(Arc::new(certificate))
}

/// A simulator that knows the application's certificate and whose tokens it trusts, and clients with this proof.
async fn start(proof: Proof) -> Simulated {
    let world = json!({
        "partner": { "application": {
            "certificates": [keys::certificate(keys::APPLICATION)],
            "federatedCredentials": [{ "issuer": ISSUER, "subject": SUBJECT }],
        } },
        "customers": [{ "tenantId": tenant(0), "name": "Fabrikam" }],
    });
    let simulated = Simulated::start(World::from_yaml(&world.to_string()).unwrap()).await;
    simulated.secrets.credentials.lock().unwrap().proof = proof;
    simulated
}

async fn sign_in(simulated: &Simulated) -> Result<(), crate::remote::Error> {
    simulated.renew_credentials();
    simulated.remote.partner_center.customers().await.map(drop)
}

/// Asks several times; gives the message, and asserts that it did not knock again at a closed door.
async fn refusal(simulated: &Simulated, sign_ins: u64) -> crate::remote::Error {
    simulated.control(reqwest::Method::DELETE, "requests", Value::Null).await;
    let error = sign_in(simulated).await.unwrap_err();
    for _ in 0..5 {
        let again = simulated.remote.partner_center.customers().await.unwrap_err();
        assert_eq!(again.message(), error.message(), "always the same text");
    }
    assert_eq!(simulated.counted("token").await.0, sign_ins, "{}", error.message());
    assert_eq!(simulated.counted("list_customers").await.0, 0, "{}", error.message());
    error
}

#[tokio::test]
async fn a_certificate_signs_in() {
    let simulated = start(certificate_of(keys::APPLICATION)).await;
    for _ in 0..3 {
        sign_in(&simulated).await.unwrap();
    }
    assert_eq!(simulated.counted("token").await.0, 3);
}

#[tokio::test]
async fn a_sign_in_that_is_sent_again_makes_a_new_statement() {
    let simulated = start(certificate_of(keys::APPLICATION)).await;
    simulated.fault("token", json!({ "kind": "disconnect", "applied": true })).await;
    sign_in(&simulated).await.unwrap();
    assert_eq!(simulated.counted("token").await.0, 2);
}

#[tokio::test]
async fn a_certificate_that_entra_does_not_know_is_told_once_and_not_tried_again() {
    let simulated = start(certificate_of(keys::STRANGER)).await;
    let error = refusal(&simulated, 1).await;
    assert_eq!(error.denial().unwrap().reason, "CredentialsInvalid");
    let message = error.message();
    assert!(
        message.contains("what the application proves itself with") && message.contains("AADSTS700027"),
        "{message}"
    );
    assert!(!message.contains("kubectl csp login"), "a login would not mend it: {message}");
}

#[tokio::test]
async fn whether_a_certificate_has_expired_is_for_entras_clock_to_say() {
    let pem = keys::certificate_until(keys::APPLICATION, 2002);
    let expired = ClientCertificate::from_pem(pem.as_bytes(), &keys::APPLICATION.into()).unwrap();
    let simulated = start(Proof::Certificate(Arc::new(expired))).await;
    let register = json!({ "certificates": [pem] });
    simulated.control(reqwest::Method::PATCH, "partner", register).await;
    let message = refusal(&simulated, 1).await.message();
    assert!(message.contains("(AADSTS700027: the certificate expired at 2002-01-01T00:00:00Z)"), "{message}");
    // To Entra it is valid: this machine's clock is wrong, by so much that Entra does not take the statement's time.
    simulated.control(reqwest::Method::PUT, "clock", json!({ "now": "2001-12-31T00:00:00Z" })).await;
    let message = refusal(&simulated, 1).await.message();
    assert!(message.contains("(AADSTS700024: the certificate expired at"), "{message}");
}

/// A token as a cluster issues it, in a file of this test.
struct TokenFile(PathBuf);

impl TokenFile {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("csp-operator-test-{name}-{}", std::process::id())))
    }

    fn write(&self, subject: &str) {
        let expires = Timestamp::now().as_second() + 600;
        let claims = json!({ "iss": ISSUER, "sub": subject, "aud": ["api://AzureADTokenExchange"], "exp": expires });
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.{}", encode("{}"), encode(&claims.to_string()), encode("signature"));
        std::fs::write(&self.0, token + "\n").unwrap();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn a_federated_token_is_read_anew_for_every_sign_in() {
    let file = TokenFile::new("federated");
    let simulated = start(Proof::Federated(file.path().to_owned())).await;
    let missing = refusal(&simulated, 0).await.message();
    assert!(
        missing.contains(&format!("{} cannot be read (entity not found): put it there", file.path().display())),
        "{missing}"
    );
    std::fs::write(file.path(), "hush hush").unwrap();
    let malformed = refusal(&simulated, 0).await.message();
    assert!(malformed.contains("does not hold a token (a JWT)") && !malformed.contains("hush"), "{malformed}");
    let told = |index: usize| simulated.secrets.scene.lock().unwrap().judgements[index].clone();
    assert!(told(0).starts_with("Unusable(\"the federated token file ") && !told(0).contains("sign in again"));
    file.write(SUBJECT);
    sign_in(&simulated).await.unwrap();
    file.write("system:serviceaccount:default:default");
    let stranger = refusal(&simulated, 1).await.message();
    assert!(stranger.contains("AADSTS700213") && stranger.contains("federated credential"), "{stranger}");
    file.write(SUBJECT);
    sign_in(&simulated).await.unwrap();
}

#[tokio::test]
async fn a_client_secret_that_is_wrong_or_expired_is_not_tried_again() {
    let simulated = start(Proof::Secret("wrong".into())).await;
    assert!(refusal(&simulated, 1).await.message().contains("AADSTS7000215"));
    simulated.secrets.credentials.lock().unwrap().proof = Proof::Secret(crate::simulator::DEFAULT_CLIENT_SECRET.into());
    simulated.setting("clientSecretExpired", json!(true)).await;
    let message = refusal(&simulated, 1).await.message();
    assert!(message.contains("AADSTS7000222") && !message.contains("kubectl csp login"), "{message}");
}

#[tokio::test]
async fn a_refresh_token_that_is_refused_says_which_command_mends_it() {
    let simulated = start(certificate_of(keys::APPLICATION)).await;
    simulated.setting("revokeRefreshTokens", json!(true)).await;
    let error = refusal(&simulated, 1).await;
    assert!(error.message().contains("run: kubectl csp login (AADSTS50173)"), "{}", error.message());
    assert_eq!(error.denial().unwrap().reason, "CredentialsInvalid");
    simulated.setting("revokeRefreshTokens", json!(false)).await;
    sign_in(&simulated).await.unwrap();
    let judgements = simulated.secrets.scene.lock().unwrap().judgements.clone();
    assert_eq!(judgements.len(), 2, "once for each that was sent: {judgements:?}");
    assert!(judgements[0].starts_with("Refused(") && judgements[0].contains("run: kubectl csp login"));
    assert_eq!(judgements[1], "Accepted");
}

/// Tokens say this: what a person reads, and no request but the one for the token is made.
async fn check_claim(setting: &str, value: Value, reason: &str, is_denial: bool, words: &str) {
    let simulated = start(Proof::Secret(crate::simulator::DEFAULT_CLIENT_SECRET.into())).await;
    sign_in(&simulated).await.unwrap();
    simulated.setting(setting, value).await;
    let error = refusal(&simulated, 1).await;
    assert_eq!((error.reason(), error.denial().is_some()), (reason, is_denial), "{setting}");
    assert!(error.message().contains(words), "{setting}: {}", error.message());
    assert_eq!(error.advice(), crate::remote::Advice::AwaitChange, "{setting}");
}

#[tokio::test]
async fn a_token_for_another_service_is_not_used() {
    let audience = json!("https://graph.windows.net");
    check_claim("audienceInTokens", audience, "Unauthorized", true, "the access token is not for Partner Center").await;
}

#[tokio::test]
async fn a_token_of_another_tenant_is_not_used() {
    let words = "the access token is for another tenant than partnerTenantId";
    check_claim("tenantInTokens", json!(tenant(7)), "CredentialsInvalid", true, words).await;
}

#[tokio::test]
async fn a_token_without_mfa_is_not_used() {
    check_claim("mfaInTokens", json!(false), "MfaRequired", true, "run: kubectl csp login").await;
}

#[tokio::test]
async fn a_token_that_has_expired_already_is_not_used_and_the_clocks_are_named() {
    check_claim("accessTokenSeconds", json!(0), "TokenExpired", false, "check the clocks of the cluster's nodes").await;
}

#[tokio::test]
async fn an_application_alone_reads_what_it_may_and_everything_else_is_done_as_the_user() {
    let simulated = Simulated::start(World::generated(1)).await;
    let remote = simulated.remote.clone().with_app_only_reads(true);
    simulated.setting("revokeRefreshTokens", json!(true)).await;
    remote.partner_center.customers().await.unwrap();
    remote.partner_center.customer(tenant(0)).await.unwrap();
    remote.partner_center.azure_estate(tenant(0)).await.unwrap();
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    remote.partner_center.activity(today, today).await.unwrap();
    assert_eq!(simulated.counted("token").await.0, 1);
    assert!(simulated.secrets.scene.lock().unwrap().events.is_empty(), "nothing is stored of it");

    let error = remote.partner_center.policy(tenant(0)).await.unwrap_err();
    assert!(error.message().contains("run: kubectl csp login"), "{}", error.message());
    simulated.setting("revokeRefreshTokens", json!(false)).await;
    simulated.renew_credentials();
    remote.partner_center.policy(tenant(0)).await.unwrap();
    remote.partner_center.create_policy(tenant(0), &reservations(), uuid::Uuid::new_v4()).await.unwrap();
}

#[tokio::test]
async fn what_is_refused_to_the_application_alone_says_nothing_of_the_user() {
    let simulated = Simulated::start(World::generated(1)).await;
    for (is_application, denial) in [(false, Some("CredentialsInvalid")), (true, None)] {
        let remote = simulated.remote.clone().with_app_only_reads(is_application);
        for _ in 0..2 {
            // The second is the answer to a token that was renewed.
            simulated.fault("get_customer", json!({ "kind": "status", "status": 401 })).await;
        }
        let error = remote.partner_center.customer(tenant(0)).await.unwrap_err();
        assert_eq!(error.denial().map(|denial| denial.reason), denial, "{error:?}");
    }
}

#[tokio::test]
async fn without_being_told_nothing_is_read_as_an_application() {
    let simulated = Simulated::start(World::generated(1)).await;
    simulated.setting("revokeRefreshTokens", json!(true)).await;
    assert!(simulated.remote.partner_center.customers().await.is_err());
}

#[tokio::test]
async fn single_use_refresh_tokens_survive_sign_ins_in_customers_tenants() {
    let simulated = Simulated::start(World::generated(12)).await;
    simulated.setting("singleUseRefreshTokens", json!(true)).await;
    simulated.remote.partner_center.customers().await.unwrap();
    let nobody = BTreeSet::new();
    let owners = |index| simulated.remote.azure.owners(tenant(index), azure(index), &nobody);
    assert_eq!(owners(0).await.unwrap().assigned.keys().collect::<Vec<_>>(), [&owner(0)]);
    simulated.renew_credentials();
    simulated.remote.partner_center.customers().await.unwrap();
    // All at once they redeem the same token, and only one of them can.
    for found in futures::future::join_all((1..12).map(owners)).await {
        found.unwrap();
    }
    simulated.renew_credentials();
    simulated.remote.partner_center.customers().await.unwrap();
}
