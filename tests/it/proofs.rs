//! How the application proves itself, where it is not by a client secret: what happens when a certificate or a federated
//! token is replaced, expires or is gone while the operator runs.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use csp_operator::api::CustomerPurchasePermission;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use reqwest::Method;
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::outside::credentials;
use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, RESERVATIONS, SAVINGS_PLANS, Scene, is_ready, message, verdict};
use crate::stages::{Exclusive, QUICK, eventually_or, run};

const APPLICATION_KEY: &str = include_str!("../keys/application.pem");
const STRANGERS_KEY: &str = include_str!("../keys/stranger.pem");

/// A stage whose credentials have no client secret; undone when the test ends.
struct WithoutSecret(Exclusive);

impl WithoutSecret {
    fn take() -> Self {
        let without = Self(Exclusive::take());
        let _ = run(without.secrets().delete("csp-operator-tokens", &DeleteParams::default()));
        without.merge(json!({ "data": { "clientSecret": null } }));
        without
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.0.view.client.clone(), NAMESPACE)
    }

    /// A person changes the Secret with the credentials.
    fn merge(&self, change: Value) {
        let patch = Patch::Merge(change);
        run(self.secrets().patch("csp-operator-credentials", &PatchParams::default(), &patch)).unwrap();
    }

    /// The certificate with this key becomes that of the Secret.
    fn supply(&self, certificate: &str, key: &str) {
        self.merge(json!({ "stringData": { "tls.crt": certificate, "tls.key": key } }));
    }

    /// Entra knows the application by this, and by nothing else.
    fn register(&self, change: Value) {
        run(self.0.view.simulator.call(Method::PATCH, "partner", Some(change))).unwrap();
    }

    /// Waits until `/readyz` says this of the credentials.
    fn until_told(&self, expected: &str) {
        let line = || self.0.served("readyz").lines().find(|line| line.starts_with("credentials: ")).map(str::to_owned);
        let is_told = || line().filter(|line| line.starts_with(expected)).map(drop);
        eventually_or(&format!("it tells: {expected}"), is_told, || format!("{:?}", line()));
    }
}

impl Drop for WithoutSecret {
    fn drop(&mut self) {
        let nothing = json!({ "certificates": [], "federatedCredentials": [] });
        let _ = run(self.0.view.simulator.call(Method::PATCH, "partner", Some(nothing)));
        let _ = run(self.secrets().delete("csp-operator-tokens", &DeleteParams::default()));
        credentials(&self.0, "", "");
    }
}

/// A certificate for this key that ends so many seconds from now.
fn certificate(key: &str, seconds: i64) -> String {
    let ends = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(ends.as_second().unsigned_abs());
    params.self_signed(&KeyPair::from_pem(key).unwrap()).unwrap().pem()
}

#[test]
fn a_certificate_is_replaced_without_a_restart_and_one_that_expires_holds_up_no_revoke() {
    let mut stage = WithoutSecret::take();
    // Entra's clock is behind this machine's, by less than what makes the operator doubt its own.
    let behind = json!({ "offset": "-4m" });
    run(stage.0.view.simulator.call(Method::PUT, "clock", Some(behind))).unwrap();
    let first = certificate(APPLICATION_KEY, 86_400 * 30);
    stage.register(json!({ "certificates": [first] }));
    stage.supply(&first, APPLICATION_KEY);
    stage.0.start(&QUICK);
    let process = stage.0.stage.operator.pid();
    let scene = Scene::new(&stage.0.view);
    scene.converge(ALLOW_RESERVATIONS);
    stage.until_told("credentials: ok");

    // To Entra it is valid for three minutes yet, to this machine it has ended a minute ago.
    let second = certificate(STRANGERS_KEY, -60);
    stage.register(json!({ "certificates": [second] }));
    stage.supply(&second, STRANGERS_KEY);
    stage.until_told(
        "credentials: ok, but the certificate in the key tls.crt of the Secret csp-operator/csp-operator-credentials expired at ",
    );
    scene.change(&json!({ "azureSavingsPlans": "Allow" }));
    scene.until("both are on", |found| is_ready(found) && scene.permitted().len() == 2);

    // From now on Entra refuses it, too.
    stage.register(json!({ "certificates": [] }));
    scene.change(&json!({ "azureReservations": "Deny" }));
    scene.until("the switch is off", |found| is_ready(found) && scene.permitted() == [SAVINGS_PLANS]);
    scene.delete::<CustomerPurchasePermission>("permission");
    scene.until_gone::<CustomerPurchasePermission>("permission");
    assert_eq!(scene.permitted(), Vec::<String>::new());
    assert_eq!(stage.0.stage.operator.pid(), process);
}

/// A token as a cluster issues it, in a file of this test.
struct TokenFile(PathBuf);

impl TokenFile {
    const ISSUER: &str = "https://cluster.example";

    fn write(&self) {
        let expires = Timestamp::now().as_second() + 3600;
        let (issuer, subject) = (Self::ISSUER, stage::OPERATOR_USER);
        let claims = json!({ "iss": issuer, "sub": subject, "aud": ["api://AzureADTokenExchange"], "exp": expires });
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.{}", encode("{}"), encode(&claims.to_string()), encode("signature"));
        std::fs::write(&self.0, token + "\n").unwrap();
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_federated_token_that_is_gone_is_named_and_used_once_it_is_back() {
    let mut stage = WithoutSecret::take();
    let issuer = TokenFile::ISSUER;
    stage.register(json!({ "federatedCredentials": [{ "issuer": issuer, "subject": stage::OPERATOR_USER }] }));
    let file = TokenFile(std::env::temp_dir().join(format!("csp-operator-it-federated-{}", std::process::id())));
    let path = file.0.display().to_string();
    file.write();
    stage.0.start(&[&QUICK[..], &["--federated-token-file", &path]].concat());
    let process = stage.0.stage.operator.pid();
    let scene = Scene::new(&stage.0.view);
    scene.converge(ALLOW_RESERVATIONS);
    stage.until_told("credentials: ok");

    std::fs::remove_file(&file.0).unwrap();
    // A user has signed in anew: the access token of the old sign-in is not used any more.
    let user = json!({ "user": "operator@contosopartner.onmicrosoft.com" });
    let signed_in = run(stage.0.view.simulator.post("refresh-tokens", user)).unwrap();
    stage.merge(json!({ "stringData": { "refreshToken": signed_in["refreshToken"] } }));
    let why = format!("he federated token file {path} cannot be read (entity not found): put it there");
    stage.until_told(&format!("credentials: ok, but t{why}"));
    scene.declare(ALLOW_BOTH);
    let found = scene.until_verdict("Stalled", "True CredentialsInvalid");
    for type_ in ["PartnerAuthorized", "Ready"] {
        assert_eq!(verdict(&found, type_), "False CredentialsInvalid");
        let told = message(&found, type_);
        assert!(told.contains(&why) && !told.contains("sign in again"), "{type_}: {told}");
    }
    assert!(
        !stage
            .0
            .stage
            .operator
            .log()
            .contains(&format!("Microsoft Entra refuses the partner's sign-in error=\"t{why}"))
    );
    assert_eq!(scene.permitted(), [RESERVATIONS]);

    file.write();
    scene.until("both are on", |found| is_ready(found) && scene.permitted().len() == 2);
    stage.until_told("credentials: ok");
    assert_eq!(stage.0.stage.operator.pid(), process);
}
