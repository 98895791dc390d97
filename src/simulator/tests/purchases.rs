//! What purchases leave behind: orders and entitlements in Partner Center, reservations and savings plans in Azure.

use super::*;

const ADMIN_AGENTS: &str = "aaaa0000-5555-4e55-9e55-000000000005";
const VERSION: &str = "api-version=2022-11-01";
const RESERVATION_LIST: &str = "/providers/Microsoft.Capacity/reservations";
const SAVINGS_PLAN_LIST: &str = "/providers/Microsoft.BillingBenefits/savingsPlans";

async fn buy(api: &Api, body: Value) -> Value {
    api.control(Method::POST, &format!("customers/{CUSTOMER}/purchases"), &body).await
}

async fn items(api: &Api, below: &str) -> Vec<Value> {
    let (status, body) = api.get(&format!("/v1/customers/{CUSTOMER}/{below}")).await;
    assert_eq!(status, 200, "{body}");
    body["items"].as_array().expect("items").clone()
}

/// A list of Azure's, as the partner's user sees it in the customer's tenant.
async fn azure(api: &Api, path: &str) -> Answered {
    let (_, body) = api.redeem(CUSTOMER, SEED, ARM).await;
    let token = body["access_token"].as_str().expect("a token");
    answered(api.client.get(format!("{}{path}", api.base)).bearer_auth(token)).await
}

async fn listed(api: &Api, path: &str) -> Vec<Value> {
    let (status, body) = azure(api, &format!("{path}?{VERSION}")).await;
    assert_eq!(status, 200, "{body}");
    body["value"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_customers_reservation_is_an_order_an_entitlement_and_a_reservation() {
    let api = Api::with_customers().await;
    let before = items(&api, "orders").await.len();
    let subscriptions = items(&api, "subscriptions").await;
    let bought =
        buy(&api, json!({ "kind": "reservation", "buyer": "customer", "quantity": 2, "subscription": AZURE })).await;

    let orders = items(&api, "orders?billingType=OneTime").await;
    assert_eq!(orders.len(), before + 1);
    let order = orders.last().expect("an order");
    assert_eq!((&order["id"], &order["status"]), (&bought["orderId"], &json!("completed")));
    assert_eq!((&order["transactionType"], &order["billingCycle"]), (&json!("UserPurchase"), &json!("one_time")));
    let line = &order["lineItems"][0];
    // No more than this, so nothing that says what kind of thing it is.
    let told: Vec<&String> = line.as_object().expect("a line").keys().collect();
    let expected = [
        "friendlyName",
        "lineItemNumber",
        "links",
        "offerId",
        "provisioningContext",
        "quantity",
        "termDuration",
        "transactionType",
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (&line["quantity"], &line["termDuration"], &line["transactionType"]),
        (&json!(2), &json!("P1Y"), &json!("New"))
    );
    assert_eq!(line["provisioningContext"], json!({ "subscriptionId": AZURE, "scope": "shared" }));
    assert_eq!(line["links"]["product"]["uri"], "/products/DZH318Z0BQ36?country=US");
    let path = format!("/v1/customers/{CUSTOMER}/orders/{}", order["id"].as_str().expect("an id"));
    assert_eq!(&api.get(&path).await.1, order);
    assert_eq!(code(&api.get(&format!("/v1/customers/{CUSTOMER}/orders/x")).await), (404, "20000"));
    for other in ["Unknown", "Monthly", "Annual", "None", "Triennial", "Biennial"] {
        assert!(items(&api, &format!("orders?billingType={other}")).await.is_empty(), "{other}");
    }
    assert_eq!(code(&api.get(&format!("/v1/customers/{CUSTOMER}/orders?billingType=red")).await), (400, "3000"));

    let entitlements = items(&api, "entitlements?entitlementType=reservedInstance&showExpiry=True").await;
    let artifact = &entitlements[0]["entitledArtifacts"][0];
    assert_eq!(
        (&artifact["artifactType"], &artifact["resourceId"]),
        (&json!("reservedinstance"), &bought["azureOrderId"])
    );
    assert_eq!(entitlements[0]["referenceOrder"]["id"], bought["orderId"]);
    assert_eq!(entitlements[0]["dynamicAttributes"]["reservationType"], "virtualmachines");
    assert!(entitlements[0]["expiryDate"].is_string());
    assert_eq!(items(&api, "entitlements?entitlementType=RESERVEDINSTANCE").await.len(), 1);
    assert!(items(&api, "entitlements?entitlementType=Software").await.is_empty());
    let refused = api.get(&format!("/v1/customers/{CUSTOMER}/entitlements?entitlementType=red")).await;
    assert_eq!(code(&refused), (400, "3000"));
    assert_eq!(items(&api, "entitlements").await[0].get("expiryDate"), None, "only when asked for");
    let (_, followed) = api.get(&format!("/v1{}", artifact["link"]["uri"].as_str().expect("a link"))).await;
    assert_eq!(followed["type"], "reservedinstance");
    let reservation = &followed["reservations"][0];
    assert_eq!((&reservation["reservationId"], &reservation["quantity"]), (&bought["id"], &json!(2)));
    assert_eq!((&reservation["scopeType"], &reservation["provisioningState"]), (&json!("single"), &json!("Succeeded")));
    assert_eq!(reservation["displayName"], line["friendlyName"]);
    assert_eq!(reservation["effectiveDateTime"], order["creationDate"]);
    assert_eq!(reservation["expiryDateTime"], entitlements[0]["expiryDate"]);
    assert_eq!(reservation["appliedScopes"], json!([AZURE]));

    let held = listed(&api, RESERVATION_LIST).await;
    let properties = &held[0]["properties"];
    assert_eq!((&properties["quantity"], &properties["provisioningState"]), (&json!(2), &json!("Succeeded")));
    assert_eq!(properties["utilization"]["aggregates"][0]["value"], 100.0);
    assert_eq!(items(&api, "subscriptions").await, subscriptions, "it is none of them");
}

#[tokio::test]
async fn the_buyer_is_owner_of_the_reservation_order() {
    let api = Api::with_customers().await;
    for (buyer, principal, kind) in [("customer", OWNER, "User"), ("partner", ADMIN_AGENTS, "ForeignGroup")] {
        let bought = buy(&api, json!({ "kind": "reservation", "buyer": buyer })).await;
        let order = bought["azureOrderId"].as_str().expect("an id");
        let path = format!(
            "/providers/Microsoft.Capacity/reservationOrders/{order}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
        );
        let (_, body) = azure(&api, &path).await;
        let properties = &body["value"][0]["properties"];
        assert_eq!((&properties["principalId"], &properties["principalType"]), (&json!(principal), &json!(kind)));
    }
}

#[tokio::test]
async fn only_what_the_partner_buys_is_in_the_activity_log_unless_asked_for() {
    let api = Api::with_customers().await;
    buy(&api, json!({ "kind": "reservation", "buyer": "customer" })).await;
    assert!(api.audit_operations().await.is_empty());
    let bought = buy(&api, json!({ "kind": "reservation", "buyer": "partner" })).await;
    let (_, body) = api.get("/v1/auditrecords").await;
    let record = &body["items"][0];
    assert_eq!((&record["operationType"], &record["resourceType"]), (&json!("create_order"), &json!("order")));
    assert_eq!(record["userPrincipalName"], USER);
    let about = |key: &str| {
        let mut pairs = record["customizedData"].as_array().expect("pairs").iter();
        pairs.find(|pair| pair["key"] == key).map(|pair| pair["value"].clone())
    };
    assert_eq!(about("OrderId"), Some(bought["orderId"].clone()));
    assert_eq!(about("OfferId-0"), Some(json!("DZH318Z0BQ36:004G:DZH318Z08C0S")));
    assert_eq!(about("Quantity-0"), Some(json!("1")));
    assert!(
        about("SubscriptionName-0").is_some_and(|name| name.as_str().is_some_and(|name| name.contains("Reserved")))
    );
    let order: Value =
        serde_json::from_str(record["resourceNewValue"].as_str().expect("JSON in a string")).expect("JSON");
    assert_eq!(order["Client"]["name"], "Partner Center Web");
    buy(&api, json!({ "kind": "reservation", "buyer": "customer", "audit": true })).await;
    let (_, body) = api.get("/v1/auditrecords").await;
    assert_eq!(body["items"][0]["userPrincipalName"], "owner@customer0.onmicrosoft.com");
    buy(&api, json!({ "kind": "reservation", "buyer": "partner", "auditDelayMs": 600_000 })).await;
    assert_eq!(api.audit_operations().await.len(), 2, "late");
}

#[tokio::test]
async fn a_purchase_can_appear_late() {
    let api = Api::with_customers().await;
    let before = items(&api, "orders").await.len();
    api.settings(json!({ "orderDelayMs": 900_000 })).await;
    buy(&api, json!({ "kind": "reservation", "buyer": "customer" })).await;
    buy(&api, json!({ "kind": "savingsPlan", "buyer": "partner" })).await;
    assert_eq!(items(&api, "orders").await.len(), before);
    assert!(items(&api, "entitlements").await.is_empty());
    assert!(listed(&api, RESERVATION_LIST).await.is_empty());
    assert!(listed(&api, SAVINGS_PLAN_LIST).await.is_empty());
    buy(&api, json!({ "kind": "reservation", "buyer": "customer", "delayMs": 0 })).await;
    assert_eq!(items(&api, "orders").await.len(), before + 1);
    api.control(Method::PUT, "clock", &json!({ "advance": "15m" })).await;
    assert_eq!(items(&api, "orders").await.len(), before + 3);
    assert_eq!(items(&api, "entitlements").await.len(), 2);
    assert_eq!((listed(&api, RESERVATION_LIST).await.len(), listed(&api, SAVINGS_PLAN_LIST).await.len()), (2, 1));
}

#[tokio::test]
async fn a_savings_plan_from_the_azure_portal_is_a_subscription_without_an_order() {
    let api = Api::with_customers().await;
    let orders = items(&api, "orders").await.len();
    let bought = buy(&api, json!({ "kind": "savingsPlan", "buyer": "customer", "commitment": 1.5 })).await;
    assert_eq!(bought["orderId"], Value::Null);
    let subscriptions = items(&api, "subscriptions").await;
    let plan = subscriptions.last().expect("a plan");
    assert_eq!((&plan["id"], plan.get("orderId")), (&bought["id"], None));
    assert_eq!(
        (&plan["billingType"], &plan["productType"]["subType"]["id"]),
        (&json!("benefit"), &json!("SavingsPlan"))
    );
    assert!(plan["offerId"].as_str().is_some_and(|offer| offer.starts_with("DZH318Z09V6F:")), "{plan}");
    let commitment = json!({ "amount": 1.5, "currency": "USD", "grain": "Hourly" });
    assert_eq!(plan["lineItems"][0]["purchaseCommitment"], commitment);
    assert_eq!(plan["productOrderId"], bought["azureOrderId"]);
    let path = format!("/v1/customers/{CUSTOMER}/subscriptions/{}", plan["id"].as_str().expect("an id"));
    assert_eq!(&api.get(&path).await.1, plan);
    assert_eq!(items(&api, "orders").await.len(), orders);
    let held = listed(&api, SAVINGS_PLAN_LIST).await;
    assert_eq!(held[0]["properties"]["commitment"], json!({ "grain": "Hourly", "currencyCode": "USD", "amount": 1.5 }));

    let bought = buy(&api, json!({ "kind": "savingsPlan", "buyer": "partner" })).await;
    assert_eq!(items(&api, "subscriptions").await.last().expect("a plan")["orderId"], bought["orderId"]);
    let ordered = items(&api, "orders").await;
    assert_eq!(ordered.len(), orders + 1);
    assert!(ordered.last().expect("an order")["lineItems"][0]["purchaseCommitment"]["amount"].is_number());
}

#[tokio::test]
async fn an_empty_list_can_mean_that_access_is_missing() {
    let api = Api::with_customers().await;
    buy(&api, json!({ "kind": "reservation", "buyer": "customer" })).await;
    buy(&api, json!({ "kind": "savingsPlan", "buyer": "customer" })).await;
    api.control(Method::PATCH, &format!("customers/{CUSTOMER}/access"), &json!({ "purchases": false })).await;
    assert!(listed(&api, RESERVATION_LIST).await.is_empty());
    assert!(listed(&api, SAVINGS_PLAN_LIST).await.is_empty());
    assert_eq!(items(&api, "entitlements").await.len(), 1, "Partner Center shows it all the same");
}

#[tokio::test]
async fn reservations_change_expire_and_renew() {
    let api = Api::with_customers().await;
    let bought = buy(&api, json!({ "kind": "reservation", "buyer": "customer", "term": "P3Y" })).await;
    let id = bought["id"].as_str().expect("an id");
    let purchase = format!("purchases/{id}");
    api.control(Method::PATCH, &purchase, &json!({ "utilization": 12.5, "renew": true })).await;
    let held = listed(&api, RESERVATION_LIST).await;
    assert_eq!(held[0]["properties"]["utilization"]["aggregates"][1]["value"], 12.5);
    assert_eq!((&held[0]["properties"]["renew"], &held[0]["properties"]["term"]), (&json!(true), &json!("P3Y")));

    let renewed = api.control(Method::POST, &format!("{purchase}/renew"), &Value::Null).await;
    let held = listed(&api, RESERVATION_LIST).await;
    let states: Vec<&Value> = held.iter().map(|item| &item["properties"]["provisioningState"]).collect();
    assert_eq!(states, ["Expired", "Succeeded"]);
    assert!(held[1]["name"].as_str().is_some_and(|name| name.ends_with(renewed["id"].as_str().expect("an id"))));
    assert_eq!(items(&api, "orders").await.last().expect("an order")["lineItems"][0]["transactionType"], "renew");

    let expiry = json!({ "expiresAt": "2026-01-01T00:00:00Z" });
    api.control(Method::PATCH, &format!("purchases/{}", renewed["id"].as_str().expect("an id")), &expiry).await;
    let (_, body) = azure(&api, &format!("{RESERVATION_LIST}?{VERSION}&selectedState=Succeeded&take=5")).await;
    assert_eq!(body["value"], json!([]));
    let count = |state: &str| body["summary"][state].as_u64();
    assert_eq!((count("succeededCount"), count("expiredCount")), (Some(0), Some(2)), "of all, not of those selected");
}

#[tokio::test]
async fn azure_lists_come_in_pages_and_check_their_versions() {
    let api = Api::with_customers().await;
    for _ in 0..3 {
        buy(&api, json!({ "kind": "reservation", "buyer": "customer" })).await;
    }
    api.settings(json!({ "roleAssignmentPageSize": 2 })).await;
    let (_, first) = azure(&api, &format!("{RESERVATION_LIST}?{VERSION}&$orderby=x&refreshSummary=true")).await;
    let next = first["nextLink"].as_str().expect("a link").strip_prefix(&api.base).expect("absolute").to_owned();
    assert_eq!(azure(&api, &next).await.1["value"].as_array().map(Vec::len), Some(1));
    let refused = async |path: &str, version: &str| {
        let (status, body) = azure(&api, &format!("{path}?api-version={version}")).await;
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused(RESERVATION_LIST, "2022-03-01").await.0, 200);
    assert_eq!(refused(SAVINGS_PLAN_LIST, "2025-12-01-preview").await.0, 200);
    assert_eq!(refused(SAVINGS_PLAN_LIST, "2022-03-01").await, (400, "NoRegisteredProviderFound".to_owned()));
    assert_eq!(refused(RESERVATION_LIST, "").await, (400, "MissingApiVersionParameter".to_owned()));
}

#[tokio::test]
async fn entitlements_need_a_user_and_orders_do_not() {
    let mut api = Api::with_customers().await;
    api.token = api.app_token().await;
    assert_eq!(code(&api.get(&format!("/v1/customers/{CUSTOMER}/entitlements")).await), (403, "900329"));
    assert_eq!(api.get(&format!("/v1/customers/{CUSTOMER}/orders")).await.0, 200);
}
