//! The list of customers, and a customer's pages.

use super::*;

#[tokio::test]
async fn customers_are_found_by_name_and_domain_and_come_in_pages() {
    let browser = Browser::open(World::generated(30)).await;
    assert_eq!(browser.get("/portal").await.location.as_deref(), Some("/portal/customers"));
    let first = browser.get("/portal/customers").await;
    first.has("30 customers, of which 1 to 25.").has("Page 1 of 2").lacks("Previous page");
    first.has("href=\"/portal/customers?page=2\"");
    browser.get("/portal/customers?page=2").await.has("of which 26 to 30").lacks("Next page");
    browser.get("/portal/customers?page=99").await.has("Page 2 of 2");
    browser.get("/portal/customers?page=x").await.has("Page 1 of 2");

    browser.get("/portal/customers?search=customer29.ON").await.has("1 customer.").has("Contoso Customer 29");
    browser.get("/portal/customers?search=contoso+customer").await.has("search=contoso+customer&#38;page=2");
    browser.get("/portal/customers?search=fabrikam").await.has("No customers found.").lacks("<table>");
}

#[tokio::test]
async fn an_admin_agent_turns_both_switches_as_in_partner_center() {
    let browser = Browser::with_customers().await;
    let page = browser.get(&account_path()).await;
    assert_eq!(page.status, 200);
    page.has("<h2 id=\"permissions\">Customer permissions</h2>").has("Azure reservations").has("Azure savings plans");
    page.has("Allow customer to purchase").has("aria-checked=\"false\"").lacks("aria-checked=\"true\"");

    let page = browser.submit(&permissions_path(), &[("turn", "AzureReservedInstances:on")]).await;
    page.has("role=\"status\"").has("Azure reservations are on.").has("<title>Done: ");
    page.has("value=\"AzureReservedInstances:off\"").has("value=\"AzureSavingsPlan:on\"");
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await.has("Azure savings plans are on.");
    let page = browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    page.has("It was so already");
    browser.submit(&permissions_path(), &[("turn", "AzureReservedInstances:off")]).await;
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:off")]).await.has("savings plans are off.");

    let (_, log) = browser.api.get("/v1/auditrecords").await;
    let records: Vec<[&Value; 3]> = log["items"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| [&record["operationType"], &record["userPrincipalName"], &record["applicationId"]])
        .collect();
    let record = |operation: &str| [json!(operation), json!(ADA), json!("Partner Center Web")];
    let expected = ["delete", "update", "update", "create"].map(|word| record(&format!("{word}_self_serve_policy")));
    assert_eq!(records, expected.each_ref().map(<[Value; 3]>::each_ref));
    let state = browser.api.control(Method::GET, &format!("state/{CUSTOMER}"), &Value::Null).await;
    assert_eq!((&state["portalWrites"], &state["policyWrites"]), (&json!(4), &json!(0)));
}

#[tokio::test]
async fn only_admin_agents_turn_switches_and_the_others_are_told_so() {
    let mut browser = Browser::with_customers().await;
    for user in [GRACE, "alan@contosopartner.onmicrosoft.com"] {
        browser.user = Some(user);
        browser.get(&account_path()).await.has("Only Admin agents turn these permissions on or off.");
        let page = browser.post(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
        assert_eq!(page.status, 403);
        page.has("role=\"alert\"").has("You don’t have permission to do this.").has(user).has("<title>Refused: ");
        page.has("aria-checked=\"false\"").lacks("aria-checked=\"true\"");
    }
    assert_eq!(browser.api.permissions(CUSTOMER).await, json!([]));
    assert!(browser.api.audit_operations().await.is_empty());
}

#[tokio::test]
async fn the_partner_and_the_relationship_must_be_such_as_may() {
    let browser = Browser::with_customers().await;
    let turned = async || browser.post(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    let advisor = json!({ "relationship": "advisor" });
    browser.api.control(Method::PUT, &format!("customers/{CUSTOMER}/relationship"), &advisor).await;
    let page = turned().await;
    page.has("no reseller relationship with Contoso Customer 0").has("<dd>Advisor</dd>");
    browser.api.control(Method::PATCH, "partner", &json!({ "type": "IndirectReseller" })).await;
    let page = turned().await;
    assert_eq!(page.status, 403);
    page.has("This partner is an indirect reseller");
    assert_eq!(browser.api.permissions(CUSTOMER).await, json!([]));
}

#[tokio::test]
async fn a_form_that_no_page_has_changes_nothing() {
    let browser = Browser::with_customers().await;
    for fields in [&[("turn", "AzureSavingsPlan:maybe")], &[("turn", "AzureSavingsPlan")], &[("trun", "x:on")]] {
        let page = browser.post(&permissions_path(), fields).await;
        assert_eq!(page.status, 400);
        page.has("The form does not say which switch");
    }
    let page = browser.post(&permissions_path(), &[("turn", "AzureFutureThing:on")]).await;
    assert_eq!(page.status, 400);
    page.has("the portal has no switch for `AzureFutureThing`");
    assert!(browser.api.audit_operations().await.is_empty());
}

#[tokio::test]
async fn another_user_is_picked_and_the_page_stays() {
    let mut browser = Browser::with_customers().await;
    browser.get(&account_path()).await.has(&format!("<option value=\"{ADA}\" selected>{ADA} (Admin agent)</option>"));
    let fields = [("user", GRACE), ("back", "/portal/customers?search=a&page=1")];
    let answer = browser.post("/portal/sign-in", &fields).await;
    assert_eq!((answer.status, answer.location.as_deref()), (303, Some(fields[1].1)));
    let cookie = answer.headers["set-cookie"].to_str().expect("text");
    assert_eq!(cookie, "portal-user=grace%40contosopartner.onmicrosoft.com; Path=/portal; HttpOnly; SameSite=Strict");
    browser.user = Some("grace%40contosopartner.onmicrosoft.com");
    let page = browser.get("/portal/customers?search=a&page=1&done=as-before").await;
    page.has(&format!("<option value=\"{GRACE}\" selected>{GRACE} (Sales agent)</option>"));
    page.has("name=\"back\" value=\"/portal/customers?search=a&#38;page=1\"");

    browser.user = Some("mallory%40evil.test");
    browser.get("/portal/customers").await.has(&format!("<option value=\"{ADA}\" selected>"));
    let page = browser.post("/portal/sign-in", &[("user", "mallory@evil.test")]).await;
    assert_eq!(page.status, 400);
    page.has("The partner has no user mallory@evil.test.");
}

#[tokio::test]
async fn users_of_the_world_are_there_with_the_roles_that_groups_give_them() {
    let world = "
partner:
  portalUsers: [{ upn: kim@contoso.com, roles: [] }]
  users: [{ upn: lee@contoso.com, objectId: eeee0000-4444-4d44-8d44-000000000004, roles: [], refreshToken: simulated-refresh-token }]
  groups: [{ id: 90000000-0000-4000-8000-000000000009, members: [eeee0000-4444-4d44-8d44-000000000004], memberOf: [AdminAgent] }]
";
    let browser = Browser::open(World::from_yaml(world).expect("a world")).await;
    let page = browser.get("/portal/customers").await;
    page.has("kim@contoso.com (no role)").has("lee@contoso.com (Admin agent)").lacks("ada@");
    let twice = World::from_yaml(&world.replace("lee@", "KIM@")).expect_err("refused").to_string();
    assert_eq!(twice, "partner.users: `KIM@contoso.com` is listed twice");
}

#[tokio::test]
async fn subscriptions_are_shown_with_their_owners() {
    let browser = Browser::with_customers().await;
    let page = browser.get(&format!("{}/subscriptions", account_path())).await;
    page.has("Azure plan").has(PLAN).has(AZURE).has("<li>owner@customer0.onmicrosoft.com</li>");
    let gone = json!({ "subscription": AZURE, "principalId": OWNER, "holds": false });
    browser.api.control(Method::POST, "owners", &gone).await;
    browser.get(&format!("{}/subscriptions", account_path())).await.has("Nobody: the Azure portal refuses purchases");
}

#[tokio::test]
async fn entries_without_a_switch_are_shown() {
    let browser = Browser::with_customers().await;
    let raw = json!({ "permissions": [{ "resource": "AzureFutureThing", "action": "Lease" }] });
    browser.api.control(Method::PUT, &format!("customers/{CUSTOMER}/policy"), &raw).await;
    browser.get(&account_path()).await.has("<code>Lease AzureFutureThing</code>");
}
