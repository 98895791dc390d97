//! Customers, their subscriptions and the Azure subscriptions under a plan.

use super::*;

/// Every page's items, following the links as Microsoft's clients do.
pub(super) async fn all_pages(api: &Api, first: &str) -> (Vec<Value>, usize) {
    let (mut path, mut headers, mut items, mut pages) = (first.to_owned(), Vec::new(), Vec::new(), 0);
    loop {
        let mut request = api.request(Method::GET, &path);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let (status, body) = answered(request).await;
        assert_eq!(status, 200, "{path}: {body}");
        pages += 1;
        items.extend(body["items"].as_array().expect("items").iter().cloned());
        let Some(next) = body["links"].get("next") else {
            return (items, pages);
        };
        let uri = next["uri"].as_str().expect("a uri");
        assert!(uri.starts_with('/') && !uri.starts_with("/v1"), "relative, without the version: {uri}");
        path = format!("/v1{uri}");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let sent = next["headers"].as_array().expect("headers");
        headers = sent.iter().map(|header| (text(&header["key"]), text(&header["value"]))).collect();
        assert_eq!(headers[0].0, "MS-ContinuationToken");
    }
}

#[tokio::test]
async fn customers_come_in_pages() {
    let api = Api::start(World::generated(60)).await;
    let (items, pages) = all_pages(&api, "/v1/customers").await;
    assert_eq!((items.len(), pages), (60, 3), "the default page holds 25");
    let (items, pages) = all_pages(&api, "/v1/customers?size=7").await;
    assert_eq!((items.len(), pages), (60, 9), "the size goes with the token");
    let mut ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 60);
    assert_eq!(all_pages(&api, "/v1/customers?size=500").await.1, 1);
}

#[tokio::test]
async fn customers_are_found_by_name() {
    let api = Api::start(World::generated(60)).await;
    let query = |field: &str, value: &str, operator: &str| {
        let filter = json!({ "Field": field, "Value": value, "Operator": operator }).to_string();
        url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", &filter).finish()
    };
    for (field, value) in [("CompanyName", "contoso customer 1"), ("Domain", "CUSTOMER1")] {
        let query = query(field, value, "starts_with");
        let (items, pages) = all_pages(&api, &format!("/v1/customers?size=4&{query}")).await;
        let names: Vec<&str> = items.iter().filter_map(|item| item["companyProfile"]["companyName"].as_str()).collect();
        let expected: Vec<String> = [1].into_iter().chain(10..20).map(|n| format!("Contoso Customer {n}")).collect();
        assert_eq!((names, pages), (expected.iter().map(String::as_str).collect(), 3), "{field}");
    }
    for refused in [query("Colour", "red", "starts_with"), query("Domain", "a", "equals"), "filter=x".to_owned()] {
        assert_eq!(api.get(&format!("/v1/customers?{refused}")).await.0, 400, "{refused}");
    }
}

#[tokio::test]
async fn a_continuation_needs_its_token() {
    let api = Api::with_customers().await;
    assert_eq!(code(&api.get("/v1/customers?seekOperation=Next").await), (400, "3000"));
    let request = api.request(Method::GET, "/v1/customers?seekOperation=Next").header("MS-ContinuationToken", "AAAA");
    assert_eq!(code(&answered(request).await), (400, "3000"));

    let filter = "%7B%22Field%22:%22Domain%22,%22Value%22:%22customer%22,%22Operator%22:%22starts_with%22%7D";
    let (_, first) = api.get(&format!("/v1/customers?size=1&filter={filter}")).await;
    let next = &first["links"]["next"];
    assert_eq!(next["uri"], "/customers?seekOperation=Next", "neither size nor filter is sent again");
    let token = next["headers"][0]["value"].as_str().expect("a token");
    let request = api.request(Method::GET, "/v1/customers?seekOperation=Next").header("MS-ContinuationToken", token);
    let (_, second) = answered(request).await;
    assert_eq!(
        (second["items"].as_array().map(Vec::len), &second["items"][0]["id"]),
        (Some(1), &json!(OTHER_CUSTOMER))
    );
}

#[tokio::test]
async fn a_customer_is_described() {
    let api = Api::with_customers().await;
    let (status, body) = api.get(&format!("/v1/customers/{CUSTOMER}")).await;
    assert_eq!(status, 200);
    assert_eq!(body["companyProfile"]["tenantId"], CUSTOMER);
    assert_eq!(body["companyProfile"]["companyName"], "Contoso Customer 0");
    assert_eq!(body["companyProfile"]["domain"], "customer0.onmicrosoft.com");
    assert_eq!(body["relationshipToPartner"], "reseller");
    assert_eq!(body["allowDelegatedAccess"], true);
    let (_, list) = api.get("/v1/customers").await;
    assert_eq!(list["items"][0].get("allowDelegatedAccess"), None, "only a single customer has it");

    assert_eq!(code(&api.get(&format!("/v1/customers/{STRANGER}")).await), (403, "20002"));
    assert_eq!(code(&api.get("/v1/customers/nonsense").await), (400, "900118"));
}

#[tokio::test]
async fn each_kind_of_subscription_is_recognisable() {
    let yaml = format!(
        "customers: [{{ tenantId: {CUSTOMER}, name: Fabrikam, subscriptions: [
            {{ id: {PLAN}, kind: AzurePlan, azureSubscriptions: [{{ id: {AZURE} }}] }},
            {{ id: {STRANGER}, kind: AzureGlobal, status: suspended, azureSubscriptions: [{{ id: {OWNER} }}] }},
            {{ id: {PARTNER}, kind: License }} ] }}]"
    );
    let api = Api::start(World::from_yaml(&yaml).expect("a world")).await;
    let (_, body) = api.get(&format!("/v1/customers/{CUSTOMER}/subscriptions")).await;
    let kinds: Vec<(&Value, &Value, &Value)> = body["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| (&item["offerId"], &item["status"], &item["entitlementId"]))
        .collect();
    assert_eq!(
        kinds,
        [
            (&json!("DZH318Z0BPS6:0001:DZH318Z0BML6"), &json!("active"), &Value::Null),
            (&json!("MS-AZR-0145P"), &json!("suspended"), &json!(OWNER)),
            (&json!("CFQ7TTC0LH18:0001:CFQ7TTC0K971"), &json!("active"), &Value::Null),
        ]
    );
    assert_eq!(body["items"][0]["productType"], json!({ "id": "Azure", "displayName": "Azure" }));
}

#[tokio::test]
async fn azure_subscriptions_are_listed_under_their_plan() {
    let api = Api::with_customers().await;
    let plan = format!("/v1/customers/{CUSTOMER}/subscriptions/{PLAN}");
    assert_eq!(api.get(&plan).await.1["id"], PLAN);
    let entitlement =
        json!({ "id": AZURE, "friendlyName": "Microsoft Azure", "status": "active", "subscriptionId": PLAN });
    assert_eq!(api.get(&format!("{plan}/azureEntitlements")).await.1["items"], json!([entitlement]));
    assert_eq!(api.get(&format!("{plan}/azureentitlements/{AZURE}")).await.1, entitlement);
    assert_eq!(code(&api.get(&format!("{plan}/azureEntitlements/{STRANGER}")).await), (404, "800111"));
    let other = format!("/v1/customers/{CUSTOMER}/subscriptions/{STRANGER}");
    assert_eq!(code(&api.get(&other).await), (404, "20003"));
    assert_eq!(code(&api.get(&format!("{other}/azureEntitlements")).await), (404, "20003"));
}

#[tokio::test]
async fn a_customer_that_is_not_resold_shows_its_relationship_and_nothing_else() {
    let api = Api::with_customers().await;
    let path = format!("customers/{CUSTOMER}/relationship");
    api.control(Method::PUT, &path, &json!({ "relationship": "none" })).await;
    assert_eq!(api.get(&format!("/v1/customers/{CUSTOMER}")).await.1["relationshipToPartner"], "none");
    assert_eq!(code(&api.get(&format!("/v1/customers/{CUSTOMER}/subscriptions")).await), (403, "20002"));
}

#[tokio::test]
async fn the_partners_own_profile_is_for_its_users() {
    let mut api = Api::with_customers().await;
    let (status, body) = api.get("/v1/profiles/organization").await;
    assert_eq!((status, &body["companyName"], &body["tenantId"]), (200, &json!("Contoso Partner"), &json!(PARTNER)));
    api.token = api.app_token().await;
    assert_eq!(code(&api.get("/v1/profiles/organization").await), (403, "900329"));
}

#[tokio::test]
async fn ten_thousand_customers_are_listed_by_the_page() {
    let api = Api::start(World::generated(10_000)).await;
    let (items, pages) = all_pages(&api, "/v1/customers?size=500").await;
    let ids: std::collections::BTreeSet<String> = items.iter().map(|item| item["id"].to_string()).collect();
    assert_eq!((ids.len(), items.len(), pages), (10_000, 10_000, 20));
}
