//! The budget in front of the real client: what the simulator's log shows of it.

use std::num::NonZeroU16;

use jiff::Timestamp;
use reqwest::Method;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::simulated::{Simulated, tenant};
use super::*;
use crate::model::Urgency;
use crate::remote::{Advice, Allowance, Errand, Limits};
use crate::simulator::World;

/// As many calls within this time.
fn limits(calls: u16, window: Duration) -> Limits {
    let partner_center_calls = Allowance::within(NonZeroU16::new(calls).unwrap(), window);
    Limits { partner_center_calls, retry_delay_min: Duration::from_millis(1), ..Limits::default() }
}

/// The requests that Partner Center has had, oldest first: what for, and when.
async fn requests(simulated: &Simulated) -> Vec<(String, Timestamp)> {
    let log = simulated.control(Method::GET, "requests", Value::Null).await;
    let requests = log["requests"].as_array().unwrap().iter();
    requests
        .map(|request| {
            let at = request["at"].as_str().unwrap().parse().unwrap();
            (request["operation"].as_str().unwrap().to_owned(), at)
        })
        .filter(|(operation, _)| operation != "token")
        .collect()
}

fn on(simulated: &Simulated, urgency: Urgency) -> Remote {
    simulated.remote.on(&Errand::new(urgency))
}

#[tokio::test]
async fn partner_center_never_has_more_requests_in_a_window_than_the_budget_allows() {
    let simulated = Simulated::start_with(World::generated(80), limits(20, Duration::from_secs(3))).await;
    // Refused and repeated ones count like all others.
    let fault = json!({ "operation": "get_customer", "times": 6, "answer": { "kind": "status", "status": 503 } });
    simulated.control(Method::POST, "faults", fault).await;
    let mut calls = JoinSet::new();
    for index in 0..24 {
        let remote = on(&simulated, Urgency::Sweep);
        calls.spawn(async move { remote.partner_center.customer(tenant(index)).await.map(drop) });
    }
    calls.join_all().await;
    let sent = requests(&simulated).await;
    assert!(sent.len() >= 24 + 4, "{}", sent.len());
    // Half of the window: how long a request was under way differs, on a busy machine by much.
    for (index, (_, at)) in sent.iter().enumerate() {
        let end = *at + Duration::from_millis(1_500);
        let within = sent[index..].iter().take_while(|(_, later)| *later < end).count();
        assert!(within <= 20, "{within} requests from {at} on");
    }
}

#[tokio::test]
async fn a_revoke_overtakes_two_hundred_sweeps_that_wait() {
    let simulated = Simulated::start_with(World::generated(201), limits(40, Duration::from_secs(20))).await;
    let revoke = on(&simulated, Urgency::Revoke).partner_center;
    let policy = revoke.create_policy(tenant(200), &reservations(), Uuid::new_v4()).await.unwrap();
    let mut sweeps = JoinSet::new();
    for index in 0..200 {
        let remote = on(&simulated, Urgency::Sweep);
        sweeps.spawn(async move { remote.partner_center.customer(tenant(index)).await.map(drop) });
    }
    // The bucket is empty once this many have come through.
    while requests(&simulated).await.len() < 8 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let before = requests(&simulated).await.len();
    revoke.delete_policy(tenant(200), &policy.id, Uuid::new_v4()).await.unwrap();
    sweeps.shutdown().await;
    let sent = requests(&simulated).await;
    let position = sent.iter().position(|(operation, _)| operation == "delete_self_serve_policy").unwrap();
    // Those that were on their way already.
    assert!(position <= before + 3, "{before} were sent before, and the revoke was number {position}");
    assert!(sent.len() < 100, "the sweeps still waited: {}", sent.len());
}

#[tokio::test]
async fn a_customer_that_is_throttled_holds_up_no_other_and_is_left_alone_for_as_long_as_it_asks() {
    let simulated = Simulated::start_with(World::generated(4), Limits::default()).await;
    let throttle = |customer| {
        json!({ "operation": "get_customer", "customer": tenant(customer), "times": 1,
                "answer": { "kind": "status", "status": 429, "retryAfter": 57 } })
    };
    simulated.control(Method::POST, "faults", throttle(0)).await;
    let remote = on(&simulated, Urgency::Change).partner_center;
    let refused = remote.customer(tenant(0)).await.unwrap_err();
    assert_eq!(refused.advice(), Advice::RetryAfter(Duration::from_secs(57)));
    assert_eq!(refused.is_paused_for(), None, "it was sent");

    let paused = remote.customer(tenant(0)).await.unwrap_err();
    assert!(paused.is_paused_for().is_some_and(|wait| wait > Duration::from_secs(40)), "{paused:?}");
    assert_eq!((paused.category(), paused.reason()), ("paused", "Throttled"));
    assert!(!paused.may_have_arrived());
    remote.customer(tenant(1)).await.unwrap();
    remote.policy(tenant(0)).await.unwrap();
    assert_eq!(simulated.counted("get_customer").await.0, 2, "what is paused is not sent");

    // When it is not one customer's limit, all wait.
    simulated.control(Method::POST, "faults", throttle(2)).await;
    remote.customer(tenant(2)).await.unwrap_err();
    let paused = remote.policy(tenant(3)).await.unwrap_err();
    assert!(paused.is_paused_for().is_some(), "{paused:?}");
    assert_eq!(simulated.counted("list_self_serve_policies").await.0, 1);
}

#[tokio::test]
async fn a_customer_that_always_fails_takes_no_turn_of_another() {
    let simulated = Simulated::start_with(World::generated(3), limits(20, Duration::from_secs(4))).await;
    let fault = json!({ "customer": tenant(0), "answer": { "kind": "status", "status": 500 } });
    simulated.control(Method::POST, "faults", fault).await;
    let mut broken = JoinSet::new();
    for _ in 0..4 {
        let remote = on(&simulated, Urgency::Sweep);
        broken.spawn(async move {
            loop {
                let _ = remote.partner_center.customer(tenant(0)).await;
            }
        });
    }
    while requests(&simulated).await.len() < 8 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let remote = on(&simulated, Urgency::Sweep).partner_center;
    for _ in 0..5 {
        let before = requests(&simulated).await.len();
        remote.customer(tenant(1)).await.unwrap();
        let after = requests(&simulated).await.len();
        // One of each that waited, and those that came through while nobody looked.
        assert!(after - before <= 4 + 1 + 4, "{before} {after}");
    }
    broken.shutdown().await;
}
