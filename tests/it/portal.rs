//! The simulator's portal, as somebody uses it whom the operator then names.

use csp_operator::api::ActivityOrigin;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use crate::scene::{ALLOW_RESERVATIONS, PORTAL_USER, Scene};
use crate::stages::{run, shared};

#[test]
fn a_switch_turned_on_the_portals_page_is_drift_with_that_users_name() {
    let scene = Scene::new(shared().1);
    scene.converge(&format!("{ALLOW_RESERVATIONS}, driftPolicy: Report"));
    scene.until_verdict("ActivityRecorded", "True CreateCustomerPurchasePermissions");
    let url = scene.view.simulator.url().to_owned();
    let browser = run(async { Client::builder().redirect(Policy::none()).build() }).unwrap();
    let form = [("turn", "AzureReservedInstances:off")];
    let address = format!("{url}/portal/customers/{}/permissions", scene.tenant());
    let answer = run(browser.post(address).header("origin", &url).form(&form).send()).unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);

    let found = scene.until("the drift has a name", |found| {
        let drift = found.status.clone().unwrap_or_default().drift;
        drift.first().is_some_and(|drift| drift.actor.as_deref() == Some(PORTAL_USER))
    });
    let status = found.status.unwrap();
    assert_eq!(status.recent_activity[0].origin, ActivityOrigin::Other);
    // The page of the log has the same record.
    let log = run(async {
        let address = format!("{url}/portal/activity?customer={}", scene.tenant());
        browser.get(address).send().await?.text().await
    });
    let log = log.unwrap();
    let correlation_id = status.drift[0].correlation_id.clone().unwrap();
    assert!(log.contains("Delete Customer Purchase Permissions") && log.contains(&correlation_id), "{log}");
}
