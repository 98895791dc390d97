//! A person without a mouse.

use crate::browser::{Browser, ENTER, Element, SPACE, Scripts, TAB};
use crate::focus::Look;
use crate::{CUSTOMER, simulator};

/// Stops on a page at most, so that a walk that never arrives ends.
const STOPS_MAX: usize = 60;

/// Presses Tab until the focus is on what has this role and name, and sees it at every stop.
async fn walk_to(browser: &Browser, role: &str, name: &str) -> Element {
    let mut stops: Vec<Stop> = Vec::new();
    while stops.len() < STOPS_MAX {
        browser.press(&TAB.to_string()).await;
        if let Some(stop) = stops.last() {
            stop.was_seen(browser).await;
        }
        let stop = Stop::here(browser).await;
        if stop.told == (role.to_owned(), name.to_owned()) {
            browser.press_back().await;
            stop.was_seen(browser).await;
            browser.press(&TAB.to_string()).await;
            assert_eq!(browser.active().await, stop.element, "back and forth leads elsewhere than to {:?}", stop.told);
            return stop.element;
        }
        stops.push(stop);
    }
    panic!("no {role} {name:?} among {:?}", stops.into_iter().map(|stop| stop.told).collect::<Vec<_>>());
}

/// An element that had the focus, and how it looked then.
struct Stop {
    element: Element,
    told: (String, String),
    look: Look,
}

impl Stop {
    async fn here(browser: &Browser) -> Self {
        let element = browser.active().await;
        let told = browser.told(&element).await;
        assert!(!told.1.is_empty(), "a {} without a name", told.0);
        let look = Look::of(browser, &element).await;
        Self { element, told, look }
    }

    /// To be called while another has the focus.
    async fn was_seen(&self, browser: &Browser) {
        let without = Look::of(browser, &self.element).await;
        let Self { told, look, .. } = self;
        assert!(look.tells_from(&without), "nobody sees that {told:?} has the focus: {look:#?}, without {without:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_reached_and_done_by_keys() {
    let browser = Browser::start(Scripts::Forbidden).await;
    let portal = simulator().await;
    browser.go(&format!("{portal}/portal/customers")).await;

    // The first stop leads past the menu.
    browser.press(&TAB.to_string()).await;
    let skip = browser.active().await;
    assert_eq!(browser.text(&skip).await, "Skip to the page");
    browser.press(&ENTER.to_string()).await;
    assert!(browser.address().await.ends_with("#main"));
    browser.press(&TAB.to_string()).await;
    let search = browser.active().await;
    assert_eq!(browser.told(&search).await, ("searchbox".to_owned(), "Company name or domain".to_owned()));

    browser.press("customer0").await;
    browser.follow(browser.press(&ENTER.to_string())).await;
    walk_to(&browser, "link", "Contoso Customer 0").await;
    browser.follow(browser.press(&ENTER.to_string())).await;
    assert!(browser.address().await.ends_with(CUSTOMER));

    walk_to(&browser, "switch", "Azure savings plans Allow customer to purchase").await;
    browser.follow(browser.press(&SPACE.to_string())).await;
    // What came of it has the focus, so that it is read out, and the next stops are on this page.
    let message = browser.find("[role=status]").await;
    browser.until_active(&message).await;
    assert!(browser.text(&message).await.contains("Azure savings plans are on."));
    walk_to(&browser, "link", "Who turned them: the activity log of this customer").await;
    browser.follow(browser.press(&ENTER.to_string())).await;
    assert!(browser.text_at("tbody tr").await.contains("Create Customer Purchase Permissions"));

    // Another user, by the first letters of the name.
    walk_to(&browser, "combobox", "Signed in as").await;
    browser.press("grace").await;
    walk_to(&browser, "button", "Switch user").await;
    browser.follow(browser.press(&ENTER.to_string())).await;
    assert!(browser.text_at("h1").await.contains("You don’t have permission to see this"));
    walk_to(&browser, "link", "All customers").await;
    browser.follow(browser.press(&ENTER.to_string())).await;
    assert_eq!(browser.text_at("h1").await, "Customers");
}
