//! Audit records: what writes leave behind, windows, dates, filters and pages.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::customers::all_pages;
use super::*;

/// A date so many days ago, as a query sends it.
fn days_ago(days: i32) -> String {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    today.saturating_sub(days.days()).to_string()
}

/// A record of the first customer so many days ago.
async fn add_record(api: &Api, days: i32) {
    let at = format!("{}T12:00:00Z", days_ago(days));
    let record = json!({ "customer": CUSTOMER, "operation": "create_self_serve_policy", "at": at });
    api.control(Method::POST, "audit", &record).await;
}

async fn count(api: &Api, query: &str) -> usize {
    all_pages(api, &format!("/v1/auditrecords?{query}")).await.0.len()
}

#[tokio::test]
async fn every_write_leaves_a_record_of_its_kind() {
    let api = Api::with_customers().await;
    let (_, created) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    api.update(&created).await;
    api.delete(CUSTOMER).await;
    assert_eq!(
        api.audit_operations().await,
        ["delete_self_serve_policy", "update_self_serve_policy", "create_self_serve_policy"],
        "newest first"
    );
}

#[tokio::test]
async fn a_record_says_who_when_and_by_which_call() {
    let api = Api::with_customers().await;
    let request = api.request(Method::POST, "/v1/SelfServePolicy").header("MS-CorrelationId", OWNER);
    let (_, created) = answered(request.json(&policy(CUSTOMER, &[RESERVATIONS]))).await;
    let (_, body) = api.get("/v1/auditrecords").await;
    let record = &body["items"][0];
    assert_eq!(record["partnerId"], PARTNER);
    assert_eq!(record["customerId"], CUSTOMER);
    assert_eq!(record["customerName"], "Contoso Customer 0");
    assert_eq!(record["participants"], json!([PARTNER, CUSTOMER]));
    assert_eq!(record["userPrincipalName"], crate::simulator::DEFAULT_USER);
    assert_eq!(record["applicationId"], CLIENT);
    assert_eq!(record["resourceType"], "self_serve_policy");
    assert_eq!(record["operationStatus"], "succeeded");
    assert_eq!(record["originalCorrelationId"], OWNER);
    assert_eq!(record["attributes"]["objectType"], "AuditRecord");
    assert_eq!(record.get("resourceOldValue"), None);
    let quoted = record["resourceNewValue"].as_str().expect("JSON in a string");
    let quoted: Value = serde_json::from_str(quoted).expect("JSON");
    assert_eq!(quoted["Attributes"]["Etag"], created["attributes"]["etag"]);
    assert_eq!(quoted["Permissions"][0]["Resource"], RESERVATIONS);

    let id = record["id"].as_str().expect("an id");
    let at: Timestamp = record["operationDate"].as_str().expect("a date").parse().expect("a date");
    let ticks = at.as_nanosecond() / 100 + 621_355_968_000_000_000;
    assert_eq!(id, format!("{PARTNER}_{CUSTOMER}_createselfservepolicy_{ticks}"));
    assert_eq!(record["operationDate"].as_str().map(str::len), Some("2026-03-01T08:00:00.0000000Z".len()));
    assert_eq!(&api.get(&format!("/v1/auditrecords/{id}")).await.1, record);
    assert_eq!(api.get("/v1/auditrecords/absent").await, (200, Value::Null));
}

#[tokio::test]
async fn records_can_be_late() {
    let api = Api::with_customers().await;
    api.settings(json!({ "auditDelayMs": 60_000 })).await;
    api.create(CUSTOMER, &[RESERVATIONS]).await;
    assert!(api.audit_operations().await.is_empty());
    api.settings(json!({ "auditDelayMs": 0 })).await;
    api.delete(CUSTOMER).await;
    assert_eq!(api.audit_operations().await, ["delete_self_serve_policy"], "the create stays late");
}

#[tokio::test]
async fn windows_are_thirty_days_within_the_last_ninety() {
    let api = Api::with_customers().await;
    for days in [0, 10, 29, 31, 45, 80, 89, 100] {
        add_record(&api, days).await;
    }
    assert_eq!(count(&api, "").await, 3, "by default the last 30 days");
    assert_eq!(count(&api, &format!("startDate={}", days_ago(10))).await, 2);
    assert_eq!(count(&api, &format!("startDate={}&endDate={}", days_ago(10), days_ago(10))).await, 1, "whole days");
    assert_eq!(count(&api, &format!("startDate={}", days_ago(85))).await, 1, "clipped after 30 days");
    assert_eq!(count(&api, &format!("startDate={}", days_ago(90))).await, 2);
    assert_eq!(api.get(&format!("/v1/auditrecords?startDate={}", days_ago(91))).await.0, 400);
    let backwards = format!("/v1/auditrecords?startDate={}&endDate={}", days_ago(1), days_ago(2));
    assert_eq!(api.get(&backwards).await.0, 400);

    api.settings(json!({ "auditWindow": "refuse" })).await;
    assert_eq!(api.get(&format!("/v1/auditrecords?startDate={}", days_ago(31))).await.0, 400);
    assert_eq!(api.get(&format!("/v1/auditrecords?startDate={}", days_ago(30))).await.0, 200);
}

#[tokio::test]
async fn dates_may_have_the_form_of_the_dotnet_sdk_but_no_other() {
    let api = Api::with_customers().await;
    api.create(CUSTOMER, &[RESERVATIONS]).await;
    let today = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%m/%d/%Y").to_string();
    assert_eq!(count(&api, &format!("startDate={today}%2000:00:00&endDate={today}%2000:00:00")).await, 1);
    for malformed in ["2026-03-75", "tomorrow", "1772323200"] {
        let answer = api.get(&format!("/v1/auditrecords?startDate={malformed}")).await;
        assert_eq!(answer, (400, json!({ "message": "The request is invalid." })), "{malformed}");
    }
}

#[tokio::test]
async fn records_are_filtered_by_one_field() {
    let api = Api::with_customers().await;
    api.create(CUSTOMER, &[RESERVATIONS]).await;
    api.create(OTHER_CUSTOMER, &[RESERVATIONS]).await;
    let order = json!({ "customer": CUSTOMER, "operation": "create_order", "resourceType": "order" });
    api.control(Method::POST, "audit", &order).await;
    let filtered = |field: &str, value: &str, operator: &str| {
        let filter = json!({ "Field": field, "Value": value, "Operator": operator }).to_string();
        url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", &filter).finish()
    };
    assert_eq!(count(&api, "").await, 3);
    assert_eq!(count(&api, &filtered("CustomerId", &CUSTOMER.to_uppercase(), "equals")).await, 2);
    assert_eq!(count(&api, &filtered("ResourceType", "SelfServePolicy", "equals")).await, 2);
    assert_eq!(count(&api, &filtered("ResourceType", "self_serve_policy", "equals")).await, 2);
    assert_eq!(count(&api, &filtered("CompanyName", "customer 1", "substring")).await, 1);
    assert_eq!(api.get(&format!("/v1/auditrecords?{}", filtered("Colour", "red", "equals"))).await.0, 400);
}

#[tokio::test]
async fn records_come_in_pages_that_keep_their_window_and_filter() {
    let api = Api::with_customers().await;
    for days in [1, 2, 3, 4, 5, 40] {
        add_record(&api, days).await;
        let at = format!("{}T13:00:00Z", days_ago(days));
        let order = json!({ "customer": CUSTOMER, "operation": "create_order", "resourceType": "order", "at": at });
        api.control(Method::POST, "audit", &order).await;
    }
    let filter = "%7B%22Field%22:%22ResourceType%22,%22Value%22:%22SelfServePolicy%22,%22Operator%22:%22equals%22%7D";
    let (items, pages) = all_pages(&api, &format!("/v1/auditrecords?size=2&filter={filter}")).await;
    assert_eq!((items.len(), pages), (5, 3));
    let (_, first) = api.get("/v1/auditrecords?size=2").await;
    assert_eq!(first["totalCount"], 2, "of the page");
    let (_, body) = api.get("/v1/auditrecords").await;
    let this = body["links"]["self"]["uri"].as_str().expect("a uri");
    assert!(this.ends_with("&size=500"), "as Microsoft's page shows it when none is asked for: {this}");
    api.settings(json!({ "defaultAuditPageSize": 1 })).await;
    assert_eq!(all_pages(&api, "/v1/auditrecords").await.1, 10);
}

#[tokio::test]
async fn a_record_that_arrives_between_pages_does_not_shift_them() {
    let api = Api::with_customers().await;
    for days in [1, 2, 3] {
        add_record(&api, days).await;
    }
    let (_, first) = api.get("/v1/auditrecords?size=2").await;
    add_record(&api, 0).await;
    let next = &first["links"]["next"];
    let token = next["headers"][0]["value"].as_str().expect("a token");
    // The token alone is enough: Microsoft's clients send neither seekOperation nor the query again.
    let request = api.request(Method::GET, "/v1/auditrecords").header("MS-ContinuationToken", token);
    let (_, second) = answered(request).await;
    let days: Vec<&str> = second["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["operationDate"].as_str()?.split('T').next())
        .collect();
    assert_eq!(days, [days_ago(3)]);
}
