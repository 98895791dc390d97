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
    refused("is not active, or the plan that it is under is not.").await;
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
        (but("subscription", "x"), "has no Azure subscription x. Pick one of those that are listed."),
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

/// Makes the call of the control API that a page names, as whoever reads it would; `GUID` is an id of their own.
async fn does_as_told(browser: &Browser, tenant: &str, page: &Shown) {
    let shown = page.html.replace("&#34;", "\"").replace("&#39;", "'");
    let command = shown.split_once(&format!("curl -s {}/simulator/", browser.api.base)).expect("a command").1;
    let (path, rest) = command.split_once(" -d '").expect("a body");
    let mut body = rest.split_once('\'').expect("an end").0.to_owned();
    for last in 0.. {
        let id = format!("9{last}{}", &tenant[2..]);
        match body.split_once("\"GUID\"") {
            Some((before, after)) => body = format!("{before}\"{id}\"{after}"),
            None => break,
        }
    }
    let body: Value = serde_json::from_str(&body).expect("JSON");
    browser.api.control(Method::POST, path, &body).await;
}

/// Buys until the portal does so, doing what it says after each refusal; the refusals.
async fn buys_in_the_end(browser: &Browser, tenant: &str, form: &[(&str, &str)]) -> Vec<String> {
    let path = format!("/portal/customers/{tenant}/purchases");
    let mut refusals = Vec::new();
    loop {
        let page = browser.post(&path, form).await;
        if page.status == 303 {
            return refusals;
        }
        assert!(page.status == 403 && refusals.len() < 3, "{}", page.html);
        let said = page.html.split_once("role=\"alert\"").expect("a refusal").1.split_once('<').expect("its end").0;
        refusals.push(said.to_owned());
        does_as_told(browser, tenant, &page).await;
    }
}

#[tokio::test]
async fn who_does_what_a_refusal_says_buys_in_the_end() {
    let browser = Browser::with_customers().await;
    browser.submit(&permissions_path(), &[("turn", "AzureReservedInstances:on")]).await;
    let suspended = |id: &str| json!({ "id": id, "status": "suspended" });
    browser.api.control(Method::POST, "subscriptions/status", &suspended(PLAN)).await;
    browser.api.control(Method::POST, "subscriptions/status", &suspended(AZURE)).await;
    let owner = json!({ "subscription": AZURE, "principalId": OWNER, "holds": false });
    browser.api.control(Method::POST, "owners", &owner).await;
    let refusals = buys_in_the_end(&browser, CUSTOMER, &reservation()).await;
    let expected = ["is not active", "is not active", "does not hold the role Owner"];
    assert_eq!(refusals.len(), expected.len());
    assert!(refusals.iter().zip(expected).all(|(said, expected)| said.contains(expected)), "{refusals:?}");
}

#[tokio::test]
async fn a_customer_without_users_is_told_how_to_get_one() {
    let world = "customers: [{ tenantId: c0000000-0000-4000-8000-000000000000, name: Contoso, domain: \"it's.test\" }]";
    let browser = Browser::open(World::from_yaml(world).expect("a world")).await;
    let page = browser.get(&path()).await;
    page.has("Contoso has no user of its own in this world");
    // The quotes are for a shell.
    assert!(
        page.html.replace("&#34;", "\"").replace("&#39;", "'").contains(r#""upn":"ada@it'\''s.test""#),
        "{}",
        page.html
    );
    browser.submit(&permissions_path(), &[("turn", "AzureReservedInstances:on")]).await;
    let user = json!({ "upn": "ada@contoso.test", "objectId": OWNER });
    browser.api.control(Method::POST, &format!("customers/{CUSTOMER}/users"), &user).await;
    browser.get(&path()).await.lacks("has no user of its own").has("ada@contoso.test (customer)");
    let form = [("kind", "reservation"), ("who", "customer:ada@contoso.test")];
    let refusals = buys_in_the_end(&browser, CUSTOMER, &form).await;
    assert!(refusals.len() == 1 && refusals[0].contains("has no Azure subscription to buy for"), "{refusals:?}");
}

/// Every customer of the demo, so that nobody who tries the portal is left standing.
#[tokio::test]
async fn every_customer_of_the_demo_has_a_user_who_can_buy() {
    let world = World::from_yaml(include_str!("../../../../examples/demo/world.yaml")).expect("a world");
    let about = world.customers.clone();
    let browser = Browser::open(world).await;
    let mut refused = Vec::new();
    for customer in about {
        let path = format!("/portal/customers/{}", customer.tenant_id);
        browser.submit(&format!("{path}/permissions"), &[("turn", "AzureReservedInstances:on")]).await;
        let user = customer.users.first().unwrap_or_else(|| panic!("{} has no user", customer.name));
        let who = format!("customer:{}", user.upn);
        let form = [("kind", "reservation"), ("who", who.as_str())];
        let tenant = customer.tenant_id.to_string();
        if !buys_in_the_end(&browser, &tenant, &form).await.is_empty() {
            refused.push(customer.name);
        }
    }
    // These wait for what the demo, the operator or their permission does not have yet.
    assert_eq!(refused, ["Contoso Hotels", "Woodgrove Bank", "Proseware", "Munson's Pickles", "Coho Vineyard"]);
}
