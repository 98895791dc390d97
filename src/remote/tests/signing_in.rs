//! Tokens: when they are redeemed, what is stored, and what is never shown.

use std::error::Error as _;
use std::io::Write;

use super::*;
use crate::remote::Advice;

fn customers_page() -> Reply {
    reply(200, json!({ "items": [] }))
}

fn assignments() -> Reply {
    reply(200, json!({ "value": [] }))
}

fn subscription() -> crate::model::SubscriptionId {
    "50b50b50-3333-4c33-8c33-00000000000a".parse().unwrap()
}

#[tokio::test]
async fn one_redemption_serves_all_who_wait_for_it() {
    let stage = Stage::new((0..20).map(|_| customers_page())).await;
    stage.sign_ins_answer([grant(1).after(Duration::from_millis(50))]);
    let calls = (0..20).map(|_| stage.remote.partner_center.customers());
    assert!(futures::future::join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(stage.sign_ins().len(), 1);
    assert_eq!(stage.calls.count("sign_in", "ok"), 1);
    assert_eq!(stage.calls.count("list_customers", "ok"), 20);
}

#[tokio::test]
async fn the_new_refresh_token_is_stored_before_the_access_token_is_used() {
    let stage = Stage::new([customers_page()]).await;
    stage.remote.partner_center.customers().await.unwrap();
    assert_eq!(
        stage.events(),
        [
            format!("POST /{PARTNER}/oauth2/token"),
            "stored secret-refresh-1".to_owned(),
            "GET /v1/customers secret-access-1".to_owned(),
        ]
    );
    let form = &stage.sign_ins()[0].body;
    assert_eq!(
        form,
        "grant_type=refresh_token&client_id=app&client_secret=secret-client&refresh_token=secret-refresh-first\
         &resource=https%3A%2F%2Fapi.partnercenter.microsoft.com&scope=openid"
    );
}

#[tokio::test]
async fn a_refresh_token_is_stored_although_whoever_asked_for_it_was_dropped_meanwhile() {
    let patience = Duration::from_secs(20);
    let patient = Limits { request_timeout: patience, write_timeout: patience, ..quick() };
    let stage = Stage::with([], patient, Arc::new(Unfenced)).await;
    stage.sign_ins_answer([grant(7).after(Duration::from_millis(500))]);
    let remote = stage.remote.clone();
    let pass = tokio::spawn(async move { remote.partner_center.customer(customer()).await });
    while stage.sign_ins().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    pass.abort();
    assert!(pass.await.unwrap_err().is_cancelled());
    let stored = async {
        while !stage.events().iter().any(|event| event == "stored secret-refresh-7") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(patience, stored).await.unwrap();
}

#[tokio::test]
async fn an_access_token_is_not_used_when_its_refresh_token_could_not_be_stored() {
    let stage = Stage::new([customers_page()]).await;
    *stage.secrets.broken.lock().unwrap() = true;
    let error = stage.remote.partner_center.customers().await.unwrap_err();
    assert_eq!((error.reason(), error.advice()), ("CredentialsUnavailable", Advice::RetrySoon));
    assert_eq!(error.denial(), None);
    assert!(stage.seen().is_empty());
}

#[tokio::test]
async fn the_refresh_token_of_a_customers_tenant_is_stored_too_since_it_is_the_users() {
    let stage = Stage::new([assignments()]).await;
    stage.remote.azure.owners(customer(), subscription(), &std::collections::BTreeSet::new()).await.unwrap();
    let events = stage.events();
    assert_eq!(events[0], format!("POST /{CUSTOMER}/oauth2/token"));
    assert_eq!(events[1], "stored secret-refresh-1");
    assert!(stage.sign_ins()[0].body.contains("resource=https%3A%2F%2Fmanagement.azure.com%2F&"));
}

#[tokio::test]
async fn a_short_lived_token_is_not_kept() {
    let stage = Stage::new([customers_page(), customers_page()]).await;
    stage.sign_ins_answer([reply(200, json!({ "access_token": "secret-a", "expires_in": 0 }))]);
    stage.remote.partner_center.customers().await.unwrap();
    stage.remote.partner_center.customers().await.unwrap();
    assert_eq!(stage.sign_ins().len(), 2);
}

#[tokio::test]
async fn changed_credentials_drop_the_token_and_a_rotation_does_not() {
    let stage = Stage::new((0..3).map(|_| customers_page())).await;
    stage.remote.partner_center.customers().await.unwrap();
    stage.remote.partner_center.customers().await.unwrap();
    assert_eq!(stage.sign_ins().len(), 1);
    "2".clone_into(&mut stage.secrets.credentials.lock().unwrap().generation);
    stage.remote.partner_center.customers().await.unwrap();
    assert_eq!(stage.sign_ins().len(), 2);
    assert_eq!(stage.seen()[2].header("authorization"), "Bearer secret-access-2");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let stage = Stage::new([reply(401, ""), customers_page(), reply(401, ""), reply(401, fault("800001"))]).await;
    stage.remote.partner_center.customers().await.unwrap();
    let seen = stage.seen();
    assert_eq!(seen[1].header("authorization"), "Bearer secret-access-2");
    assert_ne!(seen[0].header("ms-requestid"), seen[1].header("ms-requestid"), "else the refusal could be replayed");
    let error = stage.remote.partner_center.customers().await.unwrap_err();
    assert_eq!((error.reason(), error.advice()), ("Unauthorized", Advice::AwaitChange));
    assert_eq!((stage.seen().len(), stage.sign_ins().len()), (4, 3));
}

#[tokio::test]
async fn a_token_refused_for_good_is_not_renewed() {
    for code in ["900420", "900421"] {
        let stage = Stage::new([reply(401, fault(code)), customers_page()]).await;
        assert!(stage.remote.partner_center.customers().await.unwrap_err().denial().is_some());
        assert_eq!((stage.seen().len(), stage.sign_ins().len()), (1, 1), "{code}");
    }
}

#[tokio::test]
async fn a_refused_sign_in_is_remembered_until_the_credentials_change() {
    let stage = Stage::new([customers_page()]).await;
    let refusal = json!({ "error": "invalid_grant", "error_description": "AADSTS50076: x Trace ID: 1" });
    stage.sign_ins_answer([reply(400, &refusal)]);
    for _ in 0..3 {
        let error = stage.remote.partner_center.customers().await.unwrap_err();
        assert_eq!(error.denial().unwrap().reason, "MfaRequired");
        assert!(error.message().ends_with("(AADSTS50076)."), "{}", error.message());
    }
    assert_eq!((stage.sign_ins().len(), stage.seen().len()), (1, 0));
    "2".clone_into(&mut stage.secrets.credentials.lock().unwrap().generation);
    stage.remote.partner_center.customers().await.unwrap();
}

#[tokio::test]
async fn a_failed_sign_in_answers_all_who_wait_for_it_and_is_then_tried_again() {
    let stage = Stage::new([customers_page()]).await;
    stage.sign_ins_answer((0..3).map(|_| reply(503, "").after(Duration::from_millis(20))));
    let calls = (0..10).map(|_| stage.remote.partner_center.customers());
    for result in futures::future::join_all(calls).await {
        let error = result.unwrap_err();
        assert_eq!((error.reason(), error.advice(), error.denial()), ("ServerError", Advice::RetrySoon, None));
    }
    assert_eq!(stage.sign_ins().len(), 3, "one redemption with its retries");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    stage.remote.partner_center.customers().await.unwrap();
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // With only one subscriber in the process, tracing would ask the wrong thread whether anybody listens.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    let stage = Stage::new([customers_page(), reply(401, ""), reply(401, ""), reply(200, "secret")]).await;
    stage.remote.partner_center.customers().await.unwrap();
    let mut shown = Vec::new();
    let mut errors = vec![
        stage.remote.partner_center.customers().await.unwrap_err(),
        stage.remote.partner_center.customers().await.unwrap_err(),
    ];
    "2".clone_into(&mut stage.secrets.credentials.lock().unwrap().generation);
    stage.sign_ins_answer([
        reply(400, json!({ "error": "invalid_grant", "error_description": "AADSTS1: secret-refresh-first" })),
        reply(200, json!({ "access_token": "secret\n", "expires_in": 1 })),
    ]);
    errors.push(stage.remote.partner_center.customers().await.unwrap_err());
    "3".clone_into(&mut stage.secrets.credentials.lock().unwrap().generation);
    errors.push(stage.remote.partner_center.customers().await.unwrap_err());
    drop(guard);
    for error in &errors {
        shown.push(format!("{error} {error:?} {} {:?}", error.message(), error.denial()));
        let mut source = error.source();
        while let Some(cause) = source {
            shown.push(format!("{cause} {cause:?}"));
            source = cause.source();
        }
    }
    shown.push(format!("{:?}", stage.remote));
    shown.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    let shown = shown.join("\n");
    assert!(shown.contains("asked to list the customers"), "the log was captured: {shown}");
    assert!(!shown.contains("secret-") && !shown.contains("secret\\n"), "{shown}");
}
