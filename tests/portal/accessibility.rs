//! What axe-core (<https://github.com/dequelabs/axe-core>) finds on the pages, light and dark, wide and narrow.
//!
//! axe-core is a script, so here scripts are allowed; the pages have none.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::browser::{Browser, Scripts};
use crate::{CUSTOMER, simulator};

/// Everything that axe-core has for the Web Content Accessibility Guidelines 2.2, A and AA, and its best practices.
const CHECKS: &str = "return axe.run(document, { resultTypes: ['violations'], runOnly: \
    ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(found => \
    ({ passes: found.passes.length, violations: found.violations.map(violation => \
    violation.id + ': ' + violation.help + ': ' + violation.nodes.map(node => node.html).join(' | ')) }))";

/// Where `make portal-test` has npm put it.
fn axe_core() -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/portal-test/node_modules");
    let modules = std::env::var_os("CSP_NODE_MODULES").map_or(here, PathBuf::from);
    let path = modules.join("axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}. `make portal-test` fetches it with npm", path.display()))
}

struct Checker {
    browser: Browser,
    axe_core: String,
}

impl Checker {
    async fn start() -> Self {
        let checker = Self { browser: Browser::start(Scripts::Allowed).await, axe_core: axe_core() };
        // Else the pages' policy would keep axe-core out.
        checker.browser.devtools("Page.enable", json!({})).await;
        checker.browser.devtools("Page.setBypassCSP", json!({ "enabled": true })).await;
        checker
    }

    async fn look(&self, scheme: &str, width: u32) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.browser.devtools("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.browser.devtools("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// What axe-core finds on the page that is shown.
    async fn violations(&self) -> Vec<String> {
        self.browser.run(&self.axe_core).await;
        let found = self.browser.run(CHECKS).await;
        assert!(found["passes"].as_u64().unwrap() > 10, "axe-core has checked next to nothing: {found}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        found["violations"].as_array().unwrap().iter().map(text).collect()
    }

    /// Whether the page is wider than the screen, so that one would have to move it to and fro.
    async fn is_too_wide(&self) -> bool {
        let script = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        self.browser.run(script).await == json!(true)
    }
}

/// Makes the pages have something to show: switches on, purchases, records, a fault, a refusal.
async fn live(browser: &Browser, portal: &str) {
    let account = format!("{portal}/portal/customers/{CUSTOMER}");
    browser.go(&account).await;
    browser.submit("button[value='AzureReservedInstances:on']").await;
    browser.submit("button[value='AzureSavingsPlan:on']").await;
    for kind in ["reservation", "savingsPlan"] {
        browser.go(&format!("{account}/purchases")).await;
        let choice = browser.find(&format!("input[value='{kind}']")).await;
        browser.click(&choice).await;
        browser.submit("#buy ~ form button").await;
    }
    browser.go(&format!("{portal}/portal/faults")).await;
    let times = browser.find("#times").await;
    browser.fill(&times, "3").await;
    browser.submit("#more ~ form button").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_core_finds_nothing_on_any_page_light_and_dark_wide_and_narrow() {
    let checker = Checker::start().await;
    let browser = &checker.browser;
    let portal = simulator().await;
    live(browser, &portal).await;
    let account = format!("customers/{CUSTOMER}");
    let pages = [
        "customers".to_owned(),
        "customers?search=nobody".to_owned(),
        account.clone(),
        format!("{account}?done=reservations-on"),
        format!("{account}/subscriptions"),
        format!("{account}/purchases"),
        "activity".to_owned(),
        "activity?from=yesterday".to_owned(),
        "faults".to_owned(),
        "clock".to_owned(),
        "nothing".to_owned(),
    ];
    let mut found = Vec::new();
    let mut looks = 0;
    for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)] {
        checker.look(scheme, width).await;
        for page in &pages {
            browser.go(&format!("{portal}/portal/{page}")).await;
            looks += 1;
            let violations = checker.violations().await;
            found.extend(violations.into_iter().map(|violation| format!("{page}, {scheme}, {width} px: {violation}")));
            if checker.is_too_wide().await {
                found.push(format!("{page}, {width} px: too wide"));
            }
        }
    }
    println!("axe-core has looked {looks} times");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Else nobody would notice that it finds nothing because it does not look, or not at what is dark.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_found() {
    let checker = Checker::start().await;
    let browser = &checker.browser;
    let portal = simulator().await;
    let grey = "for (const line of document.querySelectorAll('main p')) line.style.color = '#555'";
    for (scheme, spoil, rule) in [
        ("light", "document.querySelector('label[for=search]').remove()", "label"),
        ("light", "document.querySelector('html').removeAttribute('lang')", "html-has-lang"),
        ("light", "document.querySelector('main').outerHTML = document.querySelector('main').innerHTML", "region"),
        ("light", grey, ""),
        ("dark", grey, "color-contrast"),
    ] {
        checker.look(scheme, 1280).await;
        browser.go(&format!("{portal}/portal/customers")).await;
        browser.run(spoil).await;
        let found = checker.violations().await;
        let is_found = found.iter().any(|violation| violation.starts_with(&format!("{rule}: ")));
        assert_eq!(is_found, !rule.is_empty(), "{scheme}, {spoil}: {found:?}");
    }
    let wide = "document.querySelector('h1').style.width = '2000px'";
    browser.run(wide).await;
    assert!(checker.is_too_wide().await);
}
