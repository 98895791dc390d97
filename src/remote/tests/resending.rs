//! What is sent again, under which id, and what the fence stops.

use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::*;
use crate::remote::Advice;

fn ids(stage: &Stage) -> Vec<String> {
    stage.seen().iter().map(|seen| seen.header("ms-requestid").to_owned()).collect()
}

async fn create(stage: &Stage) -> Result<crate::model::Policy, crate::remote::Error> {
    stage.remote.partner_center.create_policy(customer(), &reservations(), Uuid::from_u128(7)).await
}

#[tokio::test]
async fn a_write_is_repeated_under_the_same_request_id() {
    let created = || reply(201, policy(&["AzureReservedInstances"]));
    let slow = created().after(Duration::from_millis(600));
    let stage = Stage::new([reply(503, ""), slow, created(), created()]).await;
    create(&stage).await.unwrap();
    create(&stage).await.unwrap();
    let ids = ids(&stage);
    assert_eq!(ids.len(), 4);
    assert_eq!((&ids[0], &ids[0]), (&ids[1], &ids[2]));
    assert_ne!(ids[0], ids[3], "the next write is another one");
    for seen in stage.seen() {
        assert_eq!(seen.header("ms-correlationid"), Uuid::from_u128(7).to_string());
        assert_eq!(seen.header("x-locale"), "en-US");
        assert_eq!(seen.header("ms-partnercenter-application"), "csp-operator");
        assert_eq!(seen.header("accept"), "application/json");
        assert_eq!(seen.header("content-type"), "application/json");
    }
    assert_eq!(stage.calls.count("create_policy", "server_error"), 1);
    assert_eq!(stage.calls.count("create_policy", "timeout"), 1);
    assert_eq!(stage.calls.count("create_policy", "ok"), 2);
}

#[tokio::test]
async fn a_write_may_have_arrived_if_any_of_its_sends_may() {
    let late = || reply(201, "").after(Duration::from_millis(600));
    for (replies, expected) in [
        (vec![reply(409, fault("600041"))], false),
        (vec![reply(429, "")], false),
        (vec![reply(401, ""), reply(401, "")], false),
        (vec![late(), reply(409, fault("600041"))], true),
        (vec![reply(502, ""), reply(429, "")], true),
        (vec![reply(500, ""), reply(401, ""), reply(401, "")], true),
        (vec![reply(201, "{}")], true),
        (vec![reply(302, "")], true),
    ] {
        let stage = Stage::new(replies.clone()).await;
        assert_eq!(create(&stage).await.unwrap_err().may_have_arrived(), expected, "{replies:?}");
    }
    // The lease is lost, or the sign-in fails, before anything leaves.
    let stage = Stage::with([], quick(), Arc::new(LostAfter(AtomicUsize::new(1)))).await;
    assert!(!create(&stage).await.unwrap_err().may_have_arrived());
    let stage = Stage::with([reply(503, "")], quick(), Arc::new(LostAfter(AtomicUsize::new(2)))).await;
    assert!(create(&stage).await.unwrap_err().may_have_arrived());
    let stage = Stage::new([]).await;
    stage.sign_ins_answer((0..3).map(|_| reply(503, "")));
    assert!(!create(&stage).await.unwrap_err().may_have_arrived());
}

#[tokio::test]
async fn attempts_are_limited() {
    let stage = Stage::new((0..9).map(|_| reply(500, ""))).await;
    assert_eq!(create(&stage).await.unwrap_err().advice(), Advice::RetrySoon);
    assert_eq!(stage.seen().len(), 3);
    assert_eq!(stage.remote.partner_center.customers().await.unwrap_err().reason(), "ServerError");
    assert_eq!(stage.seen().len(), 6);
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    for status in [400, 403, 404, 408, 409, 412, 429] {
        let stage = Stage::new([reply(status, "")]).await;
        create(&stage).await.unwrap_err();
        assert_eq!(stage.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_read_is_repeated_after_408_and_never_after_429() {
    let stage = Stage::new([reply(408, ""), reply(200, json!({ "items": [] }))]).await;
    stage.remote.partner_center.policy(customer()).await.unwrap();
    let ids = ids(&stage);
    assert_eq!(ids[0], ids[1]);

    let stage = Stage::new([reply(429, "").with("retry-after", "57")]).await;
    let error = stage.remote.partner_center.policy(customer()).await.unwrap_err();
    assert_eq!(error.advice(), Advice::RetryAfter(Duration::from_secs(57)));
    assert_eq!(stage.seen().len(), 1);

    let stage = Stage::new([reply(503, "").with("retry-after", "9")]).await;
    let error = stage.remote.partner_center.policy(customer()).await.unwrap_err();
    assert_eq!((error.reason(), error.advice()), ("ServerError", Advice::RetryAfter(Duration::from_secs(9))));
    assert_eq!(stage.seen().len(), 1);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let stage = Stage::new([]).await;
    let _ = stage.remote.partner_center.customers().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let endpoints = Endpoints::parse(&stage.address, &nobody, &nobody, &nobody, PlainHttp::ToLoopback).unwrap();
    let secrets = Arc::clone(&stage.secrets) as Arc<dyn CredentialSource>;
    let remote = Remote::new(&endpoints, quick(), secrets, Arc::new(Unfenced), stage.calls.clone()).unwrap();
    let error = remote.partner_center.policy(customer()).await.unwrap_err();
    assert_eq!((error.reason(), error.advice()), ("Unreachable", Advice::RetrySoon));
    assert!(!error.may_have_arrived(), "there was no connection to send it on");
    let advice = "If that lasts, check network policies and proxies, and";
    assert_eq!(
        error.message(),
        format!(
            "Cannot read the purchase permissions of customer {}: Partner Center at {nobody} cannot be reached. {advice} --partner-center-url or CSP_PARTNER_CENTER_URL, which says where it is.",
            customer()
        )
    );
    // It is the sign-in that fails, whatever it is for.
    let endpoints = Endpoints::parse(&nobody, &stage.address, &nobody, &nobody, PlainHttp::ToLoopback).unwrap();
    let secrets = Arc::clone(&stage.secrets) as Arc<dyn CredentialSource>;
    let remote = Remote::new(&endpoints, quick(), secrets, Arc::new(Unfenced), stage.calls.clone()).unwrap();
    let message = remote.partner_center.policy(customer()).await.unwrap_err().message();
    let why = format!("Microsoft Entra at {nobody} cannot be reached. {advice} --login-url or CSP_LOGIN_URL");
    assert!(message.contains(&why), "{message}");
    assert!(!format!("{error:?}").contains("entity_id"), "{error:?}");
    assert_eq!(stage.calls.count("read_policy", "unreachable"), 3);
    assert_eq!(stage.calls.count("sign_in", "unreachable"), 3);
}

#[tokio::test]
async fn an_endless_body_and_a_redirect_are_refused() {
    let limits = Limits { response_bytes_max: 1_000, ..quick() };
    let stage = Stage::with([reply(200, "x".repeat(1_001))], limits, Arc::new(Unfenced)).await;
    let error = stage.remote.partner_center.customers().await.unwrap_err();
    assert_eq!(error.category(), "unexpected_answer");
    assert!(error.message().contains("longer than 1000 bytes"), "{}", error.message());

    let stage = Stage::new([reply(307, "").with("location", "/elsewhere")]).await;
    assert_eq!(create(&stage).await.unwrap_err().category(), "unexpected_answer");
    assert_eq!(stage.seen().len(), 1);
}

/// A lease that is lost after it has been asked about so many times.
#[derive(Debug)]
struct LostAfter(AtomicUsize);

impl Fence for LostAfter {
    fn remaining(&self) -> Duration {
        let held = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if held { quick().write_timeout } else { quick().write_timeout.saturating_sub(Duration::from_millis(1)) }
    }
}

#[tokio::test]
async fn nothing_is_sent_without_the_lease() {
    // Sends that the lease allows: none; the sign-in; the sign-in and the first attempt.
    for allowed in 0..3 {
        let replies = [reply(503, ""), reply(201, policy(&["AzureReservedInstances"]))];
        let stage = Stage::with(replies, quick(), Arc::new(LostAfter(AtomicUsize::new(allowed)))).await;
        let error = create(&stage).await.unwrap_err();
        assert_eq!((error.category(), error.advice()), ("fenced", Advice::StopOperator));
        assert_eq!(error.denial(), None);
        assert_eq!(stage.seen().len() + stage.sign_ins().len(), allowed);
    }
}
