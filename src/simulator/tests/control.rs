//! The control API: what happens outside of Microsoft's APIs.

use super::*;
use crate::simulator::Scenario;

async fn toggle(api: &Api, resource: &str, allow: bool) -> Value {
    let body = json!({ "customer": CUSTOMER, "resource": resource, "allow": allow, "user": "ada@contoso.com" });
    api.control(Method::POST, "portal/permission", &body).await["operation"].clone()
}

#[tokio::test]
async fn the_portal_creates_updates_and_deletes_as_the_state_asks() {
    let api = Api::with_customers().await;
    assert_eq!(toggle(&api, RESERVATIONS, true).await, "create_self_serve_policy");
    assert_eq!(toggle(&api, RESERVATIONS, true).await, Value::Null, "nothing to do");
    assert_eq!(toggle(&api, SAVINGS, true).await, "update_self_serve_policy");
    assert_eq!(toggle(&api, RESERVATIONS, false).await, "update_self_serve_policy");
    assert_eq!(toggle(&api, SAVINGS, false).await, "delete_self_serve_policy");
    assert_eq!(toggle(&api, SAVINGS, false).await, Value::Null);

    let state = api.control(Method::GET, &format!("state/{CUSTOMER}"), &Value::Null).await;
    assert_eq!((&state["policyWrites"], &state["portalWrites"]), (&json!(0), &json!(4)));
    let (_, body) = api.get("/v1/auditrecords").await;
    assert_eq!(body["items"].as_array().map(Vec::len), Some(4));
    let record = &body["items"][0];
    assert_eq!(
        (&record["userPrincipalName"], &record["applicationId"]),
        (&json!("ada@contoso.com"), &json!("Partner Center Web"))
    );
    assert!(record["originalCorrelationId"].is_string());
}

#[tokio::test]
async fn a_switch_can_be_turned_under_another_programs_correlation_id() {
    let api = Api::with_customers().await;
    let id = "0badc0de-0000-8000-8000-00000000000f";
    let body = json!({
        "customer": CUSTOMER, "resource": SAVINGS, "allow": true, "user": "ada@contoso.com", "correlationId": id,
    });
    api.control(Method::POST, "portal/permission", &body).await;
    let (_, body) = api.get("/v1/auditrecords").await;
    assert_eq!(body["items"][0]["originalCorrelationId"], id);
}

#[tokio::test]
async fn the_portal_has_two_switches_and_no_other() {
    let api = Api::with_customers().await;
    for resource in ["azureReservations", "azuresavingsplan", ""] {
        let body = json!({ "customer": CUSTOMER, "resource": resource, "allow": true, "user": "ada@contoso.com" });
        let request = api.request(Method::POST, "/simulator/portal/permission").json(&body);
        let expected = format!(
            "the portal has no switch for `{resource}`: expected AzureReservedInstances or AzureSavingsPlan; \
             PUT /simulator/customers/{CUSTOMER}/policy sets others"
        );
        assert_eq!(answered(request).await, (400, json!({ "error": expected })));
    }
    assert!(api.audit_operations().await.is_empty());
}

#[tokio::test]
async fn a_change_in_the_portal_makes_the_etag_stale() {
    let api = Api::with_customers().await;
    let (_, read) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    toggle(&api, SAVINGS, true).await;
    assert_eq!(code(&api.update(&read).await), (409, "2055"));
}

#[tokio::test]
async fn a_raw_policy_leaves_no_record() {
    let api = Api::with_customers().await;
    let raw = json!({ "permissions": [{ "resource": "AzureFutureThing", "action": "Lease" }] });
    let path = format!("customers/{CUSTOMER}/policy");
    api.control(Method::PUT, &path, &raw).await;
    assert_eq!(api.permissions(CUSTOMER).await, raw["permissions"]);
    assert!(api.audit_operations().await.is_empty());
    api.control(Method::PUT, &path, &json!({ "permissions": [] })).await;
    assert_eq!(api.get(&format!("/v1/SelfServePolicy?entity_id={CUSTOMER}")).await.1["totalCount"], 0);
}

#[tokio::test]
async fn customers_come_and_go() {
    let api = Api::start(World::default()).await;
    let customer = json!({
        "tenantId": CUSTOMER, "name": "Fabrikam", "permissions": [SAVINGS],
        "subscriptions": [{ "id": PLAN, "kind": "AzurePlan", "azureSubscriptions": [{ "id": AZURE }] }],
    });
    api.control(Method::POST, "customers", &customer).await;
    let (status, body) = answered(api.request(Method::POST, "/simulator/customers").json(&customer)).await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().expect("text").contains("used more than once"), "{body}");
    assert_eq!(
        api.get(&format!("/v1/customers/{CUSTOMER}")).await.1["companyProfile"]["domain"],
        "fabrikam.onmicrosoft.com"
    );
    assert_eq!(api.permissions(CUSTOMER).await[0]["resource"], SAVINGS);

    api.control(Method::DELETE, &format!("customers/{CUSTOMER}"), &Value::Null).await;
    assert_eq!(code(&api.get(&format!("/v1/customers/{CUSTOMER}")).await), (403, "20002"));
    assert_eq!(code(&api.delete(CUSTOMER).await), (403, "20002"));
    assert_eq!(api.redeem(CUSTOMER, SEED, ARM).await.0, 400, "its tenant is no longer known");
    api.control(Method::POST, "customers", &customer).await;
}

#[tokio::test]
async fn a_customer_gets_a_subscription_later() {
    let api = Api::start(World::default()).await;
    api.control(Method::POST, "customers", &json!({ "tenantId": CUSTOMER, "name": "Fabrikam" })).await;
    let path = format!("customers/{CUSTOMER}/subscriptions");
    let plan = json!({ "id": PLAN, "kind": "AzurePlan", "azureSubscriptions": [{ "id": AZURE }] });
    api.control(Method::POST, &path, &plan).await;

    let listed = api.get(&format!("/v1/customers/{CUSTOMER}/subscriptions")).await.1;
    assert_eq!(listed["items"][0]["id"], PLAN);
    let below = api.get(&format!("/v1/customers/{CUSTOMER}/subscriptions/{PLAN}/azureEntitlements")).await.1;
    assert_eq!(below["items"][0]["id"], AZURE);
    let owner = json!({ "subscription": AZURE, "principalId": OWNER, "holds": true });
    api.control(Method::POST, "owners", &owner).await;

    for (path, body, status, expected) in [
        (path.clone(), plan.clone(), 400, "used more than once"),
        (path, json!({ "id": STRANGER, "kind": "AzureGlobal" }), 400, "exactly one entry"),
        (format!("customers/{STRANGER}/subscriptions"), plan, 404, STRANGER),
    ] {
        let (answered, answer) = answered(api.request(Method::POST, &format!("/simulator/{path}")).json(&body)).await;
        let text = answer["error"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{path}: {text}");
        assert!(text.contains(expected), "{path}: {text}");
    }
}

#[tokio::test]
async fn owners_and_statuses_change() {
    let api = Api::with_customers().await;
    let (_, body) = api.redeem(CUSTOMER, SEED, ARM).await;
    let token = body["access_token"].as_str().expect("a token");
    let is_owner = || async {
        let filter = format!("atScope()+and+assignedTo('{OWNER}')");
        let path = format!("subscriptions/{AZURE}/providers/Microsoft.Authorization/roleAssignments");
        let url = format!("{}/{path}?api-version=2022-04-01&$filter={filter}", api.base);
        let (_, body) = answered(api.client.get(url).bearer_auth(token)).await;
        body["value"].as_array().expect("a list").len() == 1
    };
    assert!(is_owner().await);
    for holds in [false, true] {
        let body = json!({ "subscription": AZURE, "principalId": OWNER, "holds": holds });
        api.control(Method::POST, "owners", &body).await;
        assert_eq!(is_owner().await, holds);
    }

    let plan = format!("/v1/customers/{CUSTOMER}/subscriptions/{PLAN}");
    api.control(Method::POST, "subscriptions/status", &json!({ "id": PLAN, "status": "suspended" })).await;
    assert_eq!(api.get(&plan).await.1["status"], "suspended");
    api.control(Method::POST, "subscriptions/status", &json!({ "id": AZURE, "status": "inactive" })).await;
    assert_eq!(api.get(&format!("{plan}/azureEntitlements/{AZURE}")).await.1["status"], "inactive");
}

#[tokio::test]
async fn foreign_records_are_as_they_are_told() {
    let api = Api::with_customers().await;
    let record = json!({
        "customer": CUSTOMER, "operation": "grow_wings", "user": "ada@contoso.com", "status": "failed",
        "correlationId": OWNER, "id": "Odd-Id",
    });
    api.control(Method::POST, "audit", &record).await;
    let (_, found) = api.get("/v1/auditrecords/odd-id").await;
    assert_eq!((&found["operationType"], &found["operationStatus"]), (&json!("grow_wings"), &json!("failed")));
    assert_eq!(found["originalCorrelationId"], OWNER);
    let late = json!({ "customer": CUSTOMER, "operation": "x", "id": "late", "delayMs": 60_000 });
    api.control(Method::POST, "audit", &late).await;
    assert_eq!(api.get("/v1/auditrecords/late").await, (200, Value::Null));
}

#[tokio::test]
async fn wrong_calls_are_refused_with_a_sentence() {
    let api = Api::with_customers().await;
    for (method, path, body, status, expected) in [
        (Method::POST, "owners", json!({}), 400, "missing field `subscription`"),
        (
            Method::POST,
            "owners",
            json!({ "subscription": STRANGER, "principalId": OWNER, "holds": true }),
            404,
            STRANGER,
        ),
        (Method::PATCH, "settings", json!({ "colour": "red" }), 400, "unknown field `colour`"),
        (Method::POST, "faults", json!({ "answer": { "kind": "garbage" }, "times": 0 }), 400, "at least 1"),
        (Method::POST, "subscriptions/status", json!({ "id": STRANGER, "status": "odd" }), 404, STRANGER),
        (
            Method::POST,
            "customers/c0000000-0000-4000-8000-000000000000/purchases",
            json!({ "kind": "reservation", "buyer": "customer", "user": "nobody" }),
            400,
            "no such user",
        ),
        (Method::GET, "state/nonsense", Value::Null, 400, "not a GUID"),
        (Method::GET, "tea", Value::Null, 404, "not a call of the control API"),
    ] {
        let (answered, answer) = answered(api.request(method, &format!("/simulator/{path}")).json(&body)).await;
        let text = answer["error"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{path}: {text}");
        assert!(text.contains(expected), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_scenario_makes_its_calls_at_once_and_those_with_a_delay_later() {
    let api = Api::with_customers().await;
    let portal = |resource: &str| json!({ "customer": CUSTOMER, "resource": resource, "allow": true, "user": USER });
    let scenario = json!([
        { "method": "POST", "path": "portal/permission", "body": portal(RESERVATIONS) },
        { "method": "POST", "path": "portal/permission", "body": portal(SAVINGS), "after": "300ms" },
    ]);
    api.control(Method::POST, "scenario", &scenario).await;
    assert_eq!(api.permissions(CUSTOMER).await.as_array().map(Vec::len), Some(1));
    while api.permissions(CUSTOMER).await.as_array().map(Vec::len) != Some(2) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_scenario_that_is_wrong_is_refused_with_its_place() {
    let api = Api::with_customers().await;
    for (scenario, sentence) in [
        (json!({ "method": "POST" }), "the scenario is not understood"),
        (
            json!([{ "method": "POST", "path": "tea" }]),
            "POST tea: POST /simulator/tea is not a call of the control API",
        ),
        (json!([{ "method": "POST", "path": "scenario", "body": [] }]), "is not a call of the control API"),
        (json!([{ "method": "PATCH", "path": "settings", "body": { "mood": 1 } }]), "unknown field `mood`"),
    ] {
        let (status, refused) = answered(api.request(Method::POST, "/simulator/scenario").json(&scenario)).await;
        let said = refused["error"].as_str().unwrap_or_default();
        assert!(status == 400 && said.contains(sentence), "{scenario}: {status} {said}");
    }
}

#[tokio::test]
async fn a_scenario_ends_with_the_first_call_that_is_refused() {
    let simulator = Simulator::new(World::generated(1));
    let scenario = "
- {after: 1ms, method: PATCH, path: settings, body: {latencyMs: 1}}
- {method: DELETE, path: customers/c0000000-0000-4000-8000-000000000009}
- {method: PATCH, path: settings, body: {latencyMs: 2}}";
    let later = simulator.begin(Scenario::from_yaml(scenario).expect("understood")).expect("nothing yet");
    let said = later.await.expect_err("refused").to_string();
    assert!(said.starts_with("line 3, DELETE customers/c0000000-0000-4000-8000-000000000009: there is no"), "{said}");
    assert_eq!(simulator.lock().settings.latency_ms, 1);
}
