//! What is strange about the real services: reads that lag, customers that come late, pages that shift, unknown words.

use super::customers::all_pages;
use super::*;

#[tokio::test]
async fn reads_of_a_policy_can_lag_behind_its_writes() {
    let api = Api::with_customers().await;
    let (_, first) = api.create(CUSTOMER, &[RESERVATIONS]).await;
    api.settings(json!({ "staleReadsMs": 600_000 })).await;
    let list = format!("/v1/SelfServePolicy?entity_id={CUSTOMER}");
    assert_eq!(api.get(&list).await.1["totalCount"], 0, "as before the create");
    let id = first["id"].as_str().expect("an id");
    assert_eq!(code(&api.get(&format!("/v1/SelfServePolicy/{id}")).await), (404, "600039"));
    assert_eq!(code(&api.create(CUSTOMER, &[RESERVATIONS]).await), (409, "600041"), "writes do not lag");
    api.settings(json!({ "staleReadsMs": 0 })).await;
    assert_eq!(api.get(&list).await.1["items"], json!([first]));
    api.settings(json!({ "staleReadsMs": 600_000 })).await;
    api.delete(CUSTOMER).await;
    assert_eq!(api.permissions(CUSTOMER).await, json!([]), "the truth");
}

#[tokio::test]
async fn a_new_customer_is_not_found_for_a_while() {
    let api = Api::with_customers().await;
    api.settings(json!({ "newCustomerDelayMs": 600_000 })).await;
    api.control(Method::POST, "customers", &json!({ "tenantId": STRANGER, "name": "Litware" })).await;
    let path = format!("/v1/customers/{STRANGER}");
    assert_eq!(code(&api.get(&path).await), (404, "60003"));
    assert_eq!(code(&api.get(&format!("{path}/subscriptions")).await), (404, "60003"));
    assert_eq!(all_pages(&api, "/v1/customers").await.0.len(), 3);
    assert_eq!(api.get(&format!("/v1/customers/{CUSTOMER}")).await.0, 200, "the others are old");
    api.settings(json!({ "newCustomerDelayMs": 0 })).await;
    assert_eq!(api.get(&path).await.0, 200);
}

#[tokio::test]
async fn pages_of_customers_shift_when_told_to() {
    for (shifts, expected) in [(false, OTHER_CUSTOMER), (true, "c0000000-0000-4000-8000-000000000002")] {
        let api = Api::with_customers().await;
        api.settings(json!({ "shiftingPages": shifts })).await;
        let (_, first) = api.get("/v1/customers?size=1").await;
        api.control(Method::DELETE, &format!("customers/{CUSTOMER}"), &Value::Null).await;
        let token = first["links"]["next"]["headers"][0]["value"].as_str().expect("a token");
        let request =
            api.request(Method::GET, "/v1/customers?seekOperation=Next").header("MS-ContinuationToken", token);
        assert_eq!(answered(request).await.1["items"][0]["id"], expected, "shifts: {shifts}");
    }
}

#[tokio::test]
async fn words_that_are_not_documented_can_be_set() {
    let api = Api::with_customers().await;
    let odd = json!({ "relationship": "guardian" });
    api.control(Method::PUT, &format!("customers/{CUSTOMER}/relationship"), &odd).await;
    assert_eq!(api.get(&format!("/v1/customers/{CUSTOMER}")).await.1["relationshipToPartner"], "guardian");
    let plan = "b0000000-0000-4000-8000-000000000001";
    api.control(Method::POST, "subscriptions/status", &json!({ "id": plan, "status": "hibernating" })).await;
    let path = format!("/v1/customers/{OTHER_CUSTOMER}/subscriptions/{plan}");
    assert_eq!(api.get(&path).await.1["status"], "hibernating");
}

#[tokio::test]
async fn bodies_in_the_dotnet_form_are_accepted() {
    let api = Api::with_customers().await;
    let body = json!({
        "Id": null,
        "SelfServeEntity": { "SelfServeEntityType": "Customer", "TenantID": CUSTOMER },
        "Grantor": { "GrantorType": "BillToPartner", "TenantID": PARTNER },
        "Permissions": [{ "Resource": RESERVATIONS, "Action": "Purchase" }],
        "Attributes": { "ObjectType": "SelfServePolicy" },
    });
    let (status, created) = answered(api.request(Method::POST, "/v1/SelfServePolicy").json(&body)).await;
    assert_eq!(status, 201, "{created}");
    let mut update = body;
    update["Id"] = created["id"].clone();
    update["Attributes"]["Etag"] = created["attributes"]["etag"].clone();
    let path = format!("/v1/SelfServePolicy/{}", created["id"].as_str().expect("an id"));
    assert_eq!(answered(api.request(Method::PUT, &path).json(&update)).await.0, 200);
}
