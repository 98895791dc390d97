//! Buying an Azure plan through a cart, and what must come before.

use super::*;

const AZURE_PLAN: &str = "DZH318Z0BPS6:0001:DZH318Z0BML6";

/// A customer without an Azure plan.
async fn start() -> Api {
    let yaml = format!("customers: [{{ tenantId: {CUSTOMER}, name: Fabrikam, agreementAccepted: false }}]");
    Api::start(World::from_yaml(&yaml).expect("a world")).await
}

fn path(below: &str) -> String {
    format!("/v1/customers/{CUSTOMER}/{below}")
}

async fn post(api: &Api, below: &str, body: &Value) -> Answered {
    answered(api.request(Method::POST, &path(below)).json(body)).await
}

fn line() -> Value {
    json!({ "id": 0, "catalogItemId": AZURE_PLAN, "quantity": 1, "billingCycle": "one_time" })
}

async fn check_out(api: &Api, line: Value) -> Answered {
    let (status, cart) = post(api, "carts", &json!({ "LineItems": [line] })).await;
    assert_eq!(status, 201, "{cart}");
    post(api, &format!("carts/{}/checkout", cart["id"].as_str().expect("an id")), &Value::Null).await
}

async fn agree(api: &Api) {
    let agreement = json!({ "type": "MicrosoftCustomerAgreement", "dateAgreed": "2026-01-01T00:00:00Z" });
    assert_eq!(post(api, "agreements", &agreement).await.0, 201);
}

#[tokio::test]
async fn the_catalogue_leads_to_the_item_that_a_cart_takes() {
    let api = start().await;
    assert_eq!(api.get(&path("products?targetView=Azure")).await.1["items"][0]["id"], "DZH318Z0BPS6");
    let (_, skus) = api.get(&path("products/DZH318Z0BPS6/skus")).await;
    assert_eq!(skus["items"][0]["supportedBillingCycles"], json!(["one_time"]));
    let (_, body) = api.get(&path("products/DZH318Z0BPS6/skus/0001/availabilities")).await;
    assert_eq!(body["items"][0]["catalogItemId"], AZURE_PLAN);
    assert_eq!(code(&api.get(&path("products/x/skus")).await), (404, "20000"));
}

#[tokio::test]
async fn an_azure_plan_is_bought_once_and_then_is_a_subscription() {
    let api = start().await;
    assert_eq!(code(&check_out(&api, line()).await), (403, "13605"), "no agreement yet");
    assert_eq!(api.get(&path("agreements")).await.1["totalCount"], 0);
    agree(&api).await;
    let (status, body) = check_out(&api, line()).await;
    assert_eq!(status, 201, "{body}");
    let order = &body["orders"][0];
    assert_eq!(order["lineItems"][0]["offerId"], AZURE_PLAN);
    let (_, subscriptions) = api.get(&path("subscriptions")).await;
    assert_eq!((&subscriptions["totalCount"], &subscriptions["items"][0]["orderId"]), (&json!(1), &order["id"]));
    assert_eq!(&api.get(&path("orders")).await.1["items"], &json!([order]));
    assert_eq!(api.audit_operations().await, ["create_order"]);
    assert_eq!(code(&check_out(&api, line()).await), (409, "800060"), "at most one");
}

#[tokio::test]
async fn an_order_can_be_late_everywhere() {
    let api = start().await;
    agree(&api).await;
    api.settings(json!({ "orderDelayMs": 900_000 })).await;
    assert_eq!(check_out(&api, line()).await.0, 201);
    for (advance, shown) in [("0s", 0), ("14m", 0), ("1m", 1)] {
        api.control(Method::PUT, "clock", &json!({ "advance": advance })).await;
        assert_eq!(api.get(&path("orders")).await.1["totalCount"], shown, "{advance}");
        assert_eq!(api.get(&path("subscriptions")).await.1["totalCount"], shown, "{advance}");
        assert_eq!(code(&check_out(&api, line()).await), (409, "800060"), "bought all the same");
    }
}

#[tokio::test]
async fn a_legacy_subscription_stands_in_the_way() {
    let api = start().await;
    agree(&api).await;
    let legacy = json!({ "id": PLAN, "kind": "AzureGlobal", "azureSubscriptions": [{ "id": AZURE }] });
    api.control(Method::POST, &format!("customers/{CUSTOMER}/subscriptions"), &legacy).await;
    assert_eq!(code(&check_out(&api, line()).await), (400, "800002"));
    api.control(Method::POST, "subscriptions/status", &json!({ "id": PLAN, "status": "deleted" })).await;
    assert_eq!(check_out(&api, line()).await.0, 201);
}

#[tokio::test]
async fn an_indirect_provider_buys_one_plan_for_each_reseller() {
    let api = start().await;
    agree(&api).await;
    api.control(Method::PATCH, "partner", &json!({ "type": "IndirectProvider" })).await;
    let with = |reseller: &str| {
        let mut line = line();
        line["participants"] = json!([{ "key": "transaction_reseller", "value": reseller }]);
        line
    };
    assert_eq!(code(&check_out(&api, line()).await), (400, "3000"), "participants are missing");
    assert_eq!(check_out(&api, with("1111111")).await.0, 201);
    assert_eq!(code(&check_out(&api, with("1111111")).await), (409, "800060"));
    assert_eq!(check_out(&api, with("2222222")).await.0, 201);
}

#[tokio::test]
async fn carts_are_read_changed_and_checked_out_once() {
    let api = start().await;
    agree(&api).await;
    let (_, cart) = post(&api, "carts", &json!({ "lineItems": [line()] })).await;
    let one = format!("carts/{}", cart["id"].as_str().expect("an id"));
    assert_eq!(api.get(&path(&one)).await.1, cart);
    assert_eq!(answered(api.request(Method::PUT, &path(&one)).json(&cart)).await, (200, cart.clone()));
    let check_out = || api.request(Method::POST, &path(&format!("{one}/checkout"))).header("MS-RequestId", OWNER);
    let first = answered(check_out()).await;
    assert_eq!(first.0, 201);
    assert_eq!(answered(check_out()).await, first, "a repeat gets the stored answer");
    assert_eq!(code(&api.get(&path(&one)).await), (404, "20000"));
    let mut wrong = line();
    wrong["catalogItemId"] = json!("DZH318Z0BPS6:0001:x");
    assert_eq!(code(&post(&api, "carts", &json!({ "lineItems": [wrong] })).await), (400, "3000"));
    assert_eq!(code(&post(&api, "carts", &json!({})).await), (400, "3000"));
}

#[tokio::test]
async fn a_subscription_is_registered_for_reservations_in_its_own_time() {
    let api = Api::with_customers().await;
    let status =
        async || api.get(&path(&format!("subscriptions/{AZURE}/registrationstatus"))).await.1["status"].clone();
    assert_eq!(status().await, "notregistered");
    api.settings(json!({ "orderDelayMs": 900_000 })).await;
    let request = api.request(Method::POST, &path(&format!("subscriptions/{AZURE}/registrations")));
    let response = request.send().await.expect("an answer");
    let location = format!("/customers/{CUSTOMER}/subscriptions/{AZURE}/registrationstatus");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["location"]),
        (202, &location.parse().expect("a header"))
    );
    assert_eq!(status().await, "registering");
    api.settings(json!({ "orderDelayMs": 0 })).await;
    assert_eq!(status().await, "registered");
    assert_eq!(code(&api.get(&path(&format!("subscriptions/{STRANGER}/registrationstatus"))).await), (404, "20003"));
}
