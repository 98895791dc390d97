//! Servers and networks that fail: bursts, silence, slow bodies, bodies that break off, connections that end.

use super::Call::*;
use super::Effect::{None as Nothing, Open};
use super::*;

/// Longer than any test runs.
const NEVER_MS: u64 = 600_000;

fn failing() -> Vec<Row> {
    let server = soon(Fault::ServerError, "ServerError");
    let timeout = soon(Fault::TimedOut, "Unreachable");
    let status = |status: u16| json!({ "kind": "status", "status": status });
    let mut rows = Vec::new();
    for number in [500, 501, 502, 503, 504] {
        rows.push((Policy, status(number), server, Nothing, 3));
        rows.push((Create, status(number), server, Open, 3));
    }
    let page = json!({ "kind": "status", "status": 502, "body": "<html>", "headers": { "Content-Type": "text/html" } });
    rows.push((Create, page, server, Open, 3));
    for call in [Customers, Customer, Subscriptions, Entitlements, Activity, Owners] {
        rows.push((call, status(500), server, Nothing, 3));
    }
    rows.extend([Update, Delete].map(|call| (call, status(500), server, Open, 3)));
    // A short burst is sat out.
    let burst = |number: u16| json!({ "kind": "status", "status": number, "times": 2 });
    rows.extend([Policy, Create, Update, Delete, SignIn].map(|call| (call, burst(503), End::Works, Nothing, 3)));
    rows.push((Policy, status(408), timeout, Nothing, 3));
    rows.push((Create, status(408), timeout, Open, 1));
    rows
}

fn breaking() -> Vec<Row> {
    let unreachable = soon(Fault::Unreachable, "Unreachable");
    let mut rows = Vec::new();
    for how in ["length", "chunked", "reset"] {
        let cut = json!({ "kind": "cut", "afterBytes": 10, "how": how });
        rows.push((Policy, cut.clone(), unreachable, Nothing, 3));
        rows.push((SignIn, cut.clone(), unreachable, Nothing, 3));
        let mut once = cut;
        once["times"] = 1.into();
        rows.extend([Policy, Create, Update, Delete].map(|call| {
            // The answer to a deletion has no body that could break off.
            let requests = if call == Delete { 1 } else { 2 };
            (call, once.clone(), End::Works, Nothing, requests)
        }));
    }
    for applied in [false, true] {
        let end = json!({ "kind": "disconnect", "applied": applied });
        rows.push((Policy, end.clone(), unreachable, Nothing, 3));
        rows.push((Create, end.clone(), unreachable, Open, 3));
        let mut once = end;
        once["times"] = 1.into();
        rows.extend([Policy, Create, Update, Delete].map(|call| (call, once.clone(), End::Works, Nothing, 2)));
    }
    rows
}

/// Each takes as long as the timeouts of three requests.
fn silent() -> Vec<Row> {
    let timeout = soon(Fault::TimedOut, "Unreachable");
    let delay = |applied: bool| json!({ "kind": "delay", "delayMs": NEVER_MS, "applied": applied });
    let drip = json!({ "kind": "drip", "bytes": 1, "everyMs": NEVER_MS });
    vec![
        (Policy, delay(false), timeout, Nothing, 3),
        (Create, delay(false), timeout, Open, 3),
        (Create, delay(true), timeout, Open, 3),
        (Delete, json!({ "kind": "late", "delayMs": NEVER_MS }), timeout, Open, 3),
        (Policy, drip.clone(), timeout, Nothing, 3),
        (Update, drip, timeout, Open, 3),
    ]
}

pub(super) fn rows() -> Vec<Row> {
    [failing(), breaking(), silent()].concat()
}

#[tokio::test]
async fn a_failing_server_is_asked_three_times_and_a_short_burst_is_sat_out() {
    check(failing()).await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_and_a_write_happens_once() {
    check(breaking()).await;
    let stage = Simulated::start_with(World::generated(1), limits()).await;
    for how in ["length", "chunked", "reset"] {
        let cut = json!({ "kind": "cut", "afterBytes": 10, "how": how });
        let fault = json!({ "operation": "create_self_serve_policy", "times": 1, "answer": cut });
        stage.control(Method::POST, "faults", fault).await;
        stage.control(Method::DELETE, "requests", Value::Null).await;
        let created =
            stage.remote.partner_center.create_policy(tenant(0), &reservations(), Uuid::new_v4()).await.unwrap();
        assert_eq!(stage.counted("create_self_serve_policy").await, (2, 1), "{how}");
        stage.remote.partner_center.delete_policy(tenant(0), &created.id, Uuid::new_v4()).await.unwrap();
    }
}

#[tokio::test]
async fn silence_and_slow_bodies_end_in_a_timeout() {
    let hasty = Duration::from_millis(200);
    let hasty = Limits { request_timeout: hasty, write_timeout: hasty, ..limits() };
    let stage = Simulated::start_with(World::generated(10), limits()).await;
    let remote = stage.clients(hasty);
    // On a busy machine even a good answer may be too late for them; they need no more than a token of their own.
    for _ in 0..100 {
        if remote.partner_center.policy(tenant(9)).await.is_ok() {
            break;
        }
    }
    for (index, row) in (0..).zip(silent()) {
        drop(check_row(&stage, &remote, index, row).await);
    }
}
