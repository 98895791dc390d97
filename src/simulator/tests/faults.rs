//! Faults, latency and the request log.

use std::time::{Duration, Instant};

use super::*;
use crate::simulator::Scenario;

async fn create_fault(api: &Api, answer: Value) {
    api.fault(json!({ "operation": "create_self_serve_policy", "times": 1, "answer": answer })).await;
}

async fn log(api: &Api) -> Vec<Value> {
    let body = api.control(Method::GET, "requests", &Value::Null).await;
    body["requests"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_status_fault_answers_once_and_changes_nothing() {
    let api = Api::with_customers().await;
    create_fault(&api, json!({ "kind": "status", "status": 429, "retryAfter": "57" })).await;
    let request = api.request(Method::POST, "/v1/SelfServePolicy").json(&policy(CUSTOMER, &[RESERVATIONS]));
    let response = request.send().await.expect("sent");
    assert_eq!(response.headers()["retry-after"], "57");
    let (status, body) = read(response).await;
    assert_eq!((status, &body["statusCode"], body.get("code")), (429, &json!(429), None), "the shape of throttling");
    assert_eq!(api.permissions(CUSTOMER).await, json!([]));
    assert_eq!(api.create(CUSTOMER, &[RESERVATIONS]).await.0, 201, "only once");
}

#[tokio::test]
async fn a_status_fault_can_hide_that_the_write_was_applied() {
    let api = Api::with_customers().await;
    create_fault(&api, json!({ "kind": "status", "status": 500, "applied": true })).await;
    assert_eq!(code(&api.create(CUSTOMER, &[RESERVATIONS]).await), (500, "800003"));
    assert_eq!(api.permissions(CUSTOMER).await[0]["resource"], RESERVATIONS);
    let entries = log(&api).await;
    let last = entries.last().expect("an entry");
    assert_eq!((&last["status"], &last["effective"], &last["fault"]), (&json!(500), &json!(true), &json!(true)));
}

#[tokio::test]
async fn a_status_fault_can_have_any_body() {
    let api = Api::with_customers().await;
    let request = || api.request(Method::GET, "/v1/customers").send();
    let list = |answer: Value| json!({ "operation": "list_customers", "times": 1, "answer": answer });
    api.fault(list(json!({ "kind": "status", "status": 502, "body": "<html>bad gateway</html>" }))).await;
    assert_eq!(request().await.expect("sent").text().await.expect("text"), "<html>bad gateway</html>");
    api.fault(list(json!({ "kind": "status", "status": 403, "empty": true }))).await;
    assert_eq!(request().await.expect("sent").text().await.expect("text"), "");
    api.fault(list(json!({ "kind": "status", "status": 403, "code": "2032", "description": "Access denied" }))).await;
    let (_, body) = read(request().await.expect("sent")).await;
    assert_eq!((&body["code"], &body["description"]), (&json!("2032"), &json!("Access denied")));
}

#[tokio::test]
async fn each_api_has_its_own_shape_of_fault() {
    let api = Api::with_customers().await;
    api.fault(json!({ "operation": "token", "times": 1, "answer": { "kind": "status", "status": 503 } })).await;
    let (status, body) = api.redeem(PARTNER, SEED, PARTNER_CENTER).await;
    assert_eq!((status, &body["error"]), (503, &json!("temporarily_unavailable")));
    let fault = json!({ "kind": "status", "status": 429, "code": "TooManyRequests" });
    api.fault(json!({ "operation": "list_role_assignments", "times": 1, "answer": fault })).await;
    let path = format!("/subscriptions/{AZURE}/providers/Microsoft.Authorization/roleAssignments");
    assert_eq!(api.get(&path).await.1["error"]["code"], "TooManyRequests");
}

#[tokio::test]
async fn garbage_is_not_json() {
    let api = Api::with_customers().await;
    create_fault(&api, json!({ "kind": "garbage" })).await;
    assert_eq!(api.create(CUSTOMER, &[RESERVATIONS]).await, (201, Value::Null));
    assert_eq!(api.permissions(CUSTOMER).await[0]["resource"], RESERVATIONS);
}

#[tokio::test]
async fn a_connection_can_end_before_or_after_the_effect() {
    let api = Api::with_customers().await;
    for (applied, expected) in [(false, json!([])), (true, json!([{ "resource": RESERVATIONS, "action": "Purchase" }]))]
    {
        create_fault(&api, json!({ "kind": "disconnect", "applied": applied })).await;
        let request = api.request(Method::POST, "/v1/SelfServePolicy").json(&policy(CUSTOMER, &[RESERVATIONS]));
        assert!(request.send().await.is_err());
        assert_eq!(api.permissions(CUSTOMER).await, expected);
        let entries = log(&api).await;
        let last = entries.last().expect("an entry");
        assert_eq!((&last["status"], &last["effective"]), (&Value::Null, &json!(applied)));
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_does_or_does_not_have_the_effect() {
    let api = Api::with_customers().await;
    for (applied, expected) in [(false, 0), (true, 1)] {
        create_fault(&api, json!({ "kind": "delay", "delayMs": 600, "applied": applied })).await;
        let request = api.request(Method::POST, "/v1/SelfServePolicy").json(&policy(CUSTOMER, &[RESERVATIONS]));
        let error = request.timeout(Duration::from_millis(250)).send().await.expect_err("too slow");
        assert!(error.is_timeout());
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(api.permissions(CUSTOMER).await.as_array().map(Vec::len), Some(expected));
    }
}

#[tokio::test]
async fn a_write_can_arrive_after_its_caller_has_given_up() {
    let api = Api::with_customers().await;
    create_fault(&api, json!({ "kind": "late", "delayMs": 600 })).await;
    let request = api.request(Method::POST, "/v1/SelfServePolicy").json(&policy(CUSTOMER, &[RESERVATIONS]));
    request.timeout(Duration::from_millis(250)).send().await.expect_err("too slow");
    assert_eq!(api.permissions(CUSTOMER).await, json!([]), "not yet");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(api.permissions(CUSTOMER).await[0]["resource"], RESERVATIONS);
}

#[tokio::test]
async fn faults_wait_for_their_customer_and_can_be_removed() {
    let api = Api::with_customers().await;
    api.fault(json!({ "customer": CUSTOMER, "answer": { "kind": "status", "status": 503 } })).await;
    assert_eq!(api.create(OTHER_CUSTOMER, &[RESERVATIONS]).await.0, 201);
    assert_eq!(api.create(CUSTOMER, &[RESERVATIONS]).await.0, 503);
    assert_eq!(api.get(&format!("/v1/SelfServePolicy?entity_id={CUSTOMER}")).await.0, 503);
    assert_eq!(api.delete(CUSTOMER).await.0, 503);
    api.control(Method::DELETE, "faults", &Value::Null).await;
    assert_eq!(api.create(CUSTOMER, &[RESERVATIONS]).await.0, 201);
}

#[tokio::test]
async fn latency_spares_the_control_api() {
    let api = Api::with_customers().await;
    api.settings(json!({ "latencyMs": 600_000 })).await;
    api.permissions(CUSTOMER).await;
    let request = api.request(Method::GET, "/v1/customers").timeout(Duration::from_millis(100));
    assert!(request.send().await.expect_err("too slow").is_timeout());
    api.settings(json!({ "latencyMs": 20 })).await;
    let started = Instant::now();
    api.get("/v1/customers").await;
    assert!(started.elapsed() >= Duration::from_millis(20));
}

#[tokio::test]
async fn the_log_tells_requests_apart_and_counts_effects() {
    let api = Api::with_customers().await;
    api.control(Method::DELETE, "requests", &Value::Null).await;
    let create = |customer: &str| {
        let request = api.request(Method::POST, "/v1/SelfServePolicy").header("MS-RequestId", STRANGER);
        answered(request.header("MS-CorrelationId", OWNER).json(&policy(customer, &[RESERVATIONS])))
    };
    create(CUSTOMER).await;
    create(CUSTOMER).await;
    api.get(&format!("/v1/customers/{OTHER_CUSTOMER}")).await;
    let counts = api.control(Method::GET, "requests/counts", &Value::Null).await;
    let expected = json!({
        "create_self_serve_policy": { "total": 2, "effective": 1 },
        "get_customer": { "total": 1, "effective": 0 },
    });
    assert_eq!(counts, expected, "a replay has no effect");

    let entries = log(&api).await;
    assert_eq!(entries[0]["requestId"], STRANGER);
    assert_eq!(entries[0]["correlationId"], OWNER);
    assert_eq!((&entries[0]["customer"], &entries[0]["status"]), (&json!(CUSTOMER), &json!(201)));
    let only = async |query: String| {
        let body = api.control(Method::GET, &format!("requests?{query}"), &Value::Null).await;
        body["requests"].as_array().expect("a list").len()
    };
    assert_eq!(only("operation=get_customer".to_owned()).await, 1);
    assert_eq!(only(format!("customer={CUSTOMER}")).await, 2);
    assert_eq!(only(format!("since={}", entries[1]["seq"])).await, 1);
}

/// Faults that could not be carried out, each with what is said of it.
fn impossible() -> Vec<(Value, &'static str)> {
    let status = |field: &str, value: Value| json!({ "kind": "status", "status": 503, field: value });
    let header = |name: &str, value: &str| json!({ name: value });
    let edit = |field: &str, value: Value| json!({ "kind": "edit", field: value });
    let then = |method: &str, path: &str| json!({ "kind": "then", "calls": [{ "method": method, "path": path }] });
    let forms = "retryAfter is text, a whole number of seconds, or {\"dateInSeconds\": a whole number}";
    let years = "retryAfter.dateInSeconds is at most 3155760000, a hundred years, before or after now";
    let framing = ": it follows from how the body is sent, which `cut` and `drip` alter";
    vec![
        (status("retryAfter", json!({ "dateInSeconds": 1_000_000_000_000_000_000_i64 })), years),
        (status("retryAfter", json!({ "dateInSeconds": i64::MIN })), years),
        (status("retryAfter", json!({ "dateInSeconds": 1e18 })), forms),
        (status("retryAfter", json!([])), forms),
        (status("retryAfter", json!("5\n")), "retryAfter: a header's value has no line break"),
        (status("code", json!([])), "code is text or a whole number"),
        (status("reason", json!("No\r\nrights")), "reason has no line break"),
        (json!({ "kind": "status", "status": 204, "body": "x" }), "body: HTTP has none in an answer 204"),
        (status("headers", header("Content-Length", "5")), framing),
        (status("headers", header("transfer-encoding", "chunked")), framing),
        (edit("headers", header("CONTENT-LENGTH", "5")), framing),
        (edit("headers", header("not a name", "x")), "headers: `not a name` is no header's name"),
        (edit("headers", header("", "x")), "headers: `` is no header's name"),
        (status("headers", header("X-Two", "a\nb")), "headers.X-Two: a header's value has no line break"),
        (edit("set", json!({ "items": 1 })), "set: `items` is no JSON pointer"),
        (edit("set", json!({ "/a~2": 1 })), "set: `/a~2` is no JSON pointer"),
        (edit("remove", json!(["/a", "b/c"])), "remove: `b/c` is no JSON pointer"),
        (edit("remove", json!([""])), "remove: the whole body cannot be left out"),
        (json!({ "kind": "drip", "bytes": 0, "everyMs": 1 }), "bytes is at least 1"),
        (then("POST", "tea"), "calls: POST /simulator/tea is not a call of the control API"),
        (then("POST", "scenario"), "calls: POST /simulator/scenario is not a call of the control API"),
        (then("DELETE", "customers/nobody"), "calls: `nobody` is not a GUID"),
    ]
}

#[tokio::test]
async fn a_fault_that_cannot_be_carried_out_is_refused_with_what_is_wrong() {
    let api = Api::with_customers().await;
    for (answer, sentence) in impossible() {
        let request = api.request(Method::POST, "/simulator/faults").json(&json!({ "answer": answer }));
        let (status, refused) = answered(request).await;
        let said = refused["error"].as_str().unwrap_or_default();
        assert!(status == 400 && said.contains(sentence), "{answer}: {status} {said}");
    }
    assert_eq!(api.control(Method::GET, "faults", &Value::Null).await, json!({ "faults": [] }), "none waits");
}

#[test]
fn a_scenario_with_such_a_fault_is_refused_at_the_start() {
    for (answer, sentence) in impossible() {
        let scenario = json!([{ "after": "1h", "method": "POST", "path": "faults", "body": { "answer": answer } }]);
        let scenario = Scenario::from_yaml(&scenario.to_string()).expect("a scenario");
        let said = scenario.rehearse(World::generated(1)).expect_err("refused").to_string();
        assert!(said.starts_with("line 1, POST faults: ") && said.contains(sentence), "{answer}: {said}");
    }
}
