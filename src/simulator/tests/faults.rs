//! Faults, latency and the request log.

use std::time::{Duration, Instant};

use super::*;

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
