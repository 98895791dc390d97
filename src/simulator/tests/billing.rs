//! The billing account, and what customers see of their charges.

use super::*;

const ACCOUNT: &str = "aaaa0000-8888-4b22-9b22-000000000008%3Aaaaa0000-9999-4b22-9b22-000000000009_2019-05-31";

fn policy_path(customer: &str, version: &str) -> String {
    let account = format!("/providers/Microsoft.Billing/billingAccounts/{ACCOUNT}");
    format!("{account}/customers/{customer}/policies/default?api-version={version}")
}

/// A simulator whose token is for Azure in the partner's own tenant.
async fn start() -> Api {
    let mut api = Api::with_customers().await;
    let (_, body) = api.redeem(PARTNER, SEED, ARM).await;
    api.token = body["access_token"].as_str().expect("a token").to_owned();
    api
}

async fn put(api: &Api, customer: &str, version: &str, view: &str) -> Answered {
    let body = json!({ "properties": { "viewCharges": view } });
    answered(api.request(Method::PUT, &policy_path(customer, version)).json(&body)).await
}

async fn view(api: &Api) -> String {
    let (status, body) = api.get(&policy_path(CUSTOMER, "2024-04-01")).await;
    assert_eq!(status, 200, "{body}");
    body["properties"]["viewCharges"].as_str().expect("a word").to_owned()
}

fn refusal(answered: &Answered) -> (u16, &str) {
    (answered.0, answered.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn the_account_is_of_the_partner_agreement() {
    let api = start().await;
    let (_, body) =
        api.get("/providers/Microsoft.Billing/billingAccounts?api-version=2024-04-01&includeAll=true").await;
    assert_eq!(body["value"][0]["properties"]["agreementType"], "MicrosoftPartnerAgreement");
    assert_eq!(body["value"][0]["name"].as_str().map(|name| name.replace(':', "%3A")).as_deref(), Some(ACCOUNT));
}

#[tokio::test]
async fn charges_are_hidden_until_a_policy_shows_them() {
    let api = start().await;
    assert_eq!(view(&api).await, "NotAllowed");
    for version in ["2020-05-01", "2019-10-01-preview", "2024-04-01"] {
        let (status, body) = put(&api, CUSTOMER, version, "Allowed").await;
        let properties = json!({ "viewCharges": "Allowed", "provisioningState": "Succeeded", "policies": [] });
        assert_eq!((status, &body["properties"]), (200, &properties), "{version}");
        assert!(body["id"].as_str().is_some_and(|id| id.contains("/billingProfiles/")), "{body}");
        assert_eq!(view(&api).await, "Allowed");
        put(&api, CUSTOMER, version, "NotAllowed").await;
    }
    assert_eq!(put(&api, CUSTOMER, "2024-04-01", "Sometimes").await.0, 400);
    api.control(Method::PUT, &format!("customers/{CUSTOMER}/charges"), &json!({ "viewCharges": "Other" })).await;
    assert_eq!(view(&api).await, "Other");
}

#[tokio::test]
async fn only_the_newest_version_takes_its_time() {
    let api = start().await;
    api.settings(json!({ "billingPolicyDelayMs": 600_000 })).await;
    assert_eq!(put(&api, OTHER_CUSTOMER, "2020-05-01", "Allowed").await.0, 200);
    let body = json!({ "properties": { "viewCharges": "Allowed" } });
    let request = api.request(Method::PUT, &policy_path(CUSTOMER, "2024-04-01")).json(&body);
    let response = request.send().await.expect("an answer");
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (201, &"1".parse().expect("a header"))
    );
    let location =
        response.headers()["location"].to_str().expect("text").strip_prefix(&api.base).expect("absolute").to_owned();
    assert_eq!(api.get(&location).await.0, 202);
    assert_eq!(view(&api).await, "NotAllowed", "not yet");

    api.settings(json!({ "billingPolicyDelayMs": 0 })).await;
    let request = api.request(Method::PUT, &policy_path(CUSTOMER, "2024-04-01")).json(&body);
    let response = request.send().await.expect("an answer");
    let location =
        response.headers()["location"].to_str().expect("text").strip_prefix(&api.base).expect("absolute").to_owned();
    let (status, body) = api.get(&location).await;
    assert_eq!((status, &body["properties"]["viewCharges"]), (200, &json!("Allowed")));
    assert_eq!(view(&api).await, "Allowed");
}

#[tokio::test]
async fn billing_knows_only_customers_with_an_azure_plan() {
    let api = start().await;
    let licences = json!({ "tenantId": STRANGER, "name": "Litware" });
    api.control(Method::POST, "customers", &licences).await;
    assert_eq!(refusal(&put(&api, STRANGER, "2024-04-01", "Allowed").await), (404, "CustomerNotFound"));
    let other = policy_path(CUSTOMER, "2024-04-01").replace("aaaa0000-8888", "aaaa0000-7777");
    assert_eq!(refusal(&api.get(&other).await), (404, "BillingAccountNotFound"));
}

#[tokio::test]
async fn billing_is_for_the_partners_admin_agents() {
    let mut api = start().await;
    assert_eq!(refusal(&api.get(&policy_path(CUSTOMER, "2031-01-01")).await), (400, "NoRegisteredProviderFound"));
    let accounts = "/providers/Microsoft.Billing/billingAccounts?api-version=2024-04-01";
    api.control(Method::POST, "partner/user", &json!({ "upn": USER, "roles": ["SalesAgent"] })).await;
    assert_eq!(refusal(&api.get(accounts).await), (403, "AuthorizationFailed"));
    let (_, body) = api.redeem(CUSTOMER, SEED, ARM).await;
    api.token = body["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(refusal(&api.get(accounts).await), (401, "InvalidAuthenticationTokenTenant"));
}
