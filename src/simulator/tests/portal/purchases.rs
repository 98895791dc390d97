//! Purchases, and the form by which a customer makes one.

use super::*;

const BUYER: &str = "customer:owner@customer0.onmicrosoft.com";

fn path() -> String {
    format!("{}/purchases", account_path())
}

fn reservation() -> Vec<(&'static str, &'static str)> {
    vec![("kind", "reservation"), ("who", BUYER), ("term", "P3Y"), ("quantity", "7"), ("subscription", AZURE)]
}

/// The form with one field as it should not be, or away.
fn but(field: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let others = reservation().into_iter().filter(|(name, _)| *name != field);
    others.chain([(field, value)]).collect()
}

#[tokio::test]
async fn a_customer_that_may_buys_and_partner_center_and_azure_have_it() {
    let browser = Browser::with_customers().await;
    browser.get(&path()).await.has("<h2 id=\"buy\">Customer buys…</h2>").has(BUYER).has("None.");
    browser.submit(&permissions_path(), &[("turn", "AzureReservedInstances:on")]).await;
    let page = browser.submit(&path(), &reservation()).await;
    page.has("The reservation is bought.")
        .has("<td>7</td><td>3 years</td>")
        .has("owner@customer0.onmicrosoft.com (customer)");
    let (_, listed) = browser.api.get(&format!("/v1/customers/{CUSTOMER}/entitlements")).await;
    assert_eq!((&listed["totalCount"], &listed["items"][0]["quantity"]), (&json!(1), &json!(7)));

    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    let plan = [("kind", "savingsPlan"), ("who", BUYER), ("term", "P1Y"), ("commitment", "1.25"), ("subscription", "")];
    let page = browser.submit(&path(), &plan).await;
    page.has("The savings plan is bought.").has("<td>$1.25 an hour</td><td>1 year</td><td>customer</td>");
    let log = browser.get("/portal/activity").await;
    log.lacks(">Create Order</td>");
}

#[tokio::test]
async fn the_azure_portal_refuses_without_the_permission_and_without_the_role() {
    let browser = Browser::with_customers().await;
    let refused = async |sentence: &str| {
        let page = browser.post(&path(), &reservation()).await;
        assert_eq!(page.status, 403);
        page.has("role=\"alert\"").has(sentence).has("value=\"7\"").has("None.");
    };
    refused("Contoso Customer 0 may not purchase Azure reservations itself.").await;
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    refused("may not purchase Azure reservations itself.").await;
    browser.submit(&permissions_path(), &[("turn", "AzureReservedInstances:on")]).await;

    let owner = |holds: bool| json!({ "subscription": AZURE, "principalId": OWNER, "holds": holds });
    browser.api.control(Method::POST, "owners", &owner(false)).await;
    refused("does not hold the role Owner on that Azure subscription.").await;
    // Through a group it does, and on a subscription that is active.
    let group = "90000000-0000-4000-8000-000000000009";
    let members = json!({ "members": [OWNER] });
    browser.api.control(Method::PUT, &format!("customers/{CUSTOMER}/groups/{group}"), &members).await;
    let held = json!({ "subscription": AZURE, "principalId": group, "principalType": "Group", "holds": true });
    browser.api.control(Method::POST, "owners", &held).await;
    let suspended = |status: &str| json!({ "id": PLAN, "status": status });
    browser.api.control(Method::POST, "subscriptions/status", &suspended("suspended")).await;
    refused("does not hold the role Owner on that Azure subscription.").await;
    browser.api.control(Method::POST, "subscriptions/status", &suspended("active")).await;
    browser.submit(&path(), &reservation()).await.has("The reservation is bought.");
}

#[tokio::test]
async fn the_partner_buys_without_either_and_the_log_tells() {
    let browser = Browser::with_customers().await;
    let who = "partner:operator@contosopartner.onmicrosoft.com";
    browser.submit(&path(), &but("who", who)).await.has("operator@contosopartner.onmicrosoft.com (partner)");
    browser.get("/portal/activity").await.has(">Create Order</td>");
}

#[tokio::test]
async fn what_is_not_understood_is_said_and_nothing_is_bought() {
    let browser = Browser::with_customers().await;
    browser.submit(&permissions_path(), &[("turn", "AzureReservedInstances:on")]).await;
    for (form, sentence) in [
        (but("quantity", "0"), "The quantity is a whole number from 1 to 100000."),
        (but("quantity", "many"), "The quantity is a whole number"),
        (but("term", "P9Y"), "unknown variant `P9Y`"),
        (but("kind", "yacht"), "unknown variant `yacht`"),
        (but("who", ""), "Say who buys."),
        (but("who", "customer:mallory@evil.test"), "has no user mallory@evil.test."),
        (but("who", "partner:mallory@evil.test"), "there is no such user to buy it"),
        (but("who", "nobody:x"), "unknown variant `nobody`"),
        (but("subscription", "x"), "does not hold the role Owner"),
        (vec![("kind", "savingsPlan"), ("who", BUYER), ("commitment", "-1")], "The hourly commitment is an amount"),
        (vec![("kind", "savingsPlan"), ("who", BUYER), ("commitment", "NaN")], "The hourly commitment is an amount"),
    ] {
        let page = browser.post(&path(), &form).await;
        assert!([400, 403].contains(&page.status), "{form:?}: {}", page.status);
        page.has(sentence);
    }
    browser.get(&path()).await.lacks("reservation-table");
    let stranger = format!("/portal/customers/{STRANGER}/purchases");
    assert_eq!(browser.post(&stranger, &reservation()).await.status, 404);
}
