//! A person with a browser that runs no scripts.

use crate::browser::{Browser, Scripts};
use crate::{CUSTOMER, simulator};

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_without_scripts() {
    let browser = Browser::start(Scripts::Forbidden).await;
    browser.go("data:text/html,<title>no script</title><script>document.title='a script'</script>").await;
    assert_eq!(browser.title().await, "no script", "scripts are not forbidden");

    let portal = simulator().await;
    browser.go(&format!("{portal}/portal")).await;
    assert!(browser.text_at(".simulation").await.contains("not Microsoft’s Partner Center"));
    find_a_customer(&browser).await;
    turn_a_switch(&browser).await;
    see_it_in_the_log(&browser).await;
    buy(&browser, &portal).await;
    be_refused_as_a_sales_agent(&browser, &portal).await;
    turn_a_fault_on_and_off(&browser, &portal).await;
    move_the_clock(&browser, &portal).await;
}

/// Picks a radio button.
async fn choose(browser: &Browser, css: &str) {
    let button = browser.find(css).await;
    browser.click(&button).await;
}

async fn find_a_customer(browser: &Browser) {
    assert!(browser.text_at(".paging").await.contains("Page 1 of 2"));
    let search = browser.find("#search").await;
    browser.fill(&search, "customer0.on").await;
    browser.submit("search button").await;
    browser.follow_link("Contoso Customer 0").await;
    assert_eq!(browser.text_at("h1").await, "Contoso Customer 0");
}

async fn turn_a_switch(browser: &Browser) {
    let switch = browser.find("button[value='AzureReservedInstances:on']").await;
    let (role, name) = browser.told(&switch).await;
    assert_eq!((role.as_str(), name.as_str()), ("switch", "Azure reservations Allow customer to purchase"));
    assert_eq!(browser.attribute(&switch, "aria-checked").await.as_deref(), Some("false"));
    browser.follow(browser.click(&switch)).await;
    assert!(browser.text_at("[role=status]").await.contains("Azure reservations are on."));
    let switch = browser.find("button[value='AzureReservedInstances:off']").await;
    assert_eq!(browser.attribute(&switch, "aria-checked").await.as_deref(), Some("true"));
    assert!(browser.has("button[value='AzureSavingsPlan:on']").await, "the other one is off");
}

async fn see_it_in_the_log(browser: &Browser) {
    browser.follow_link("Activity log").await;
    let row = browser.text_at("tbody tr").await;
    for word in ["Contoso Customer 0", "Create Customer Purchase Permissions", "ada@contosopartner.onmicrosoft.com"] {
        assert!(row.contains(word), "{word}: {row}");
    }
    browser.pick("#operation", "create_self_serve_policy").await;
    browser.submit("search button").await;
    assert!(browser.address().await.contains("operation=create_self_serve_policy"));
    assert!(browser.has("tbody tr").await);
}

async fn buy(browser: &Browser, portal: &str) {
    browser.go(&format!("{portal}/portal/customers/{CUSTOMER}/purchases")).await;
    choose(browser, "input[value='savingsPlan']").await;
    browser.submit("#buy ~ form button").await;
    let said = browser.text_at("[role=alert]").await;
    assert!(said.contains("may not purchase Azure savings plans itself"), "{said}");

    choose(browser, "input[value='reservation']").await;
    browser.pick("#term", "P3Y").await;
    let quantity = browser.find("#quantity").await;
    browser.fill(&quantity, "4").await;
    browser.submit("#buy ~ form button").await;
    assert!(browser.text_at("[role=status]").await.contains("The reservation is bought."));
    let row = browser.text_at("tbody tr").await;
    assert!(row.contains(" 4 3 years owner@customer0.onmicrosoft.com (customer)"), "{row}");
}

async fn sign_in(browser: &Browser, user: &str) {
    browser.pick("#user", &format!("{user}@contosopartner.onmicrosoft.com")).await;
    browser.submit(".sign-in button").await;
}

async fn be_refused_as_a_sales_agent(browser: &Browser, portal: &str) {
    let account = format!("{portal}/portal/customers/{CUSTOMER}");
    browser.go(&account).await;
    sign_in(browser, "grace").await;
    assert_eq!(browser.address().await, account, "the page stays");
    browser.submit("button[role=switch]").await;
    let said = browser.text_at("[role=alert]").await;
    assert!(said.contains("Only Admin agents turn customer permissions on or off, and grace@"), "{said}");
    assert!(browser.has("button[value='AzureReservedInstances:off']").await, "as before");
    sign_in(browser, "ada").await;
    assert!(!browser.has("#read-only").await);
}

async fn turn_a_fault_on_and_off(browser: &Browser, portal: &str) {
    browser.go(&format!("{portal}/portal/faults")).await;
    browser.pick("#answer", "unavailable").await;
    let operation = browser.find("#operation option:nth-child(3)").await;
    browser.click(&operation).await;
    browser.submit("#more ~ form button").await;
    browser.go(&format!("{portal}/portal/customers")).await;
    let banner = browser.text_at("aside").await;
    assert!(banner.contains("list_customers: 503 (once)"), "{banner}");
    browser.follow_link("See all faults").await;
    browser.submit("tbody button").await;
    assert!(!browser.has("aside").await);
}

async fn move_the_clock(browser: &Browser, portal: &str) {
    browser.go(&format!("{portal}/portal/clock")).await;
    let advance = browser.find("#advance").await;
    browser.fill(&advance, "91d").await;
    browser.submit("button[value=advance]").await;
    assert!(browser.text_at("footer").await.contains("ahead of this machine’s"));
    browser.go(&format!("{portal}/portal/activity")).await;
    assert!(browser.text_at(".count").await.contains("No records found."), "Partner Center keeps 90 days");
}
