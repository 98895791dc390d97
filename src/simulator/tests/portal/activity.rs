//! The Activity log page.

use super::*;

const DELETE: &str = "Delete Customer Purchase Permissions";

/// Three records: two of one customer, one of another.
async fn with_records() -> Browser {
    let browser = Browser::with_customers().await;
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:off")]).await;
    browser.api.create(OTHER_CUSTOMER, &[RESERVATIONS]).await;
    browser
}

/// The actions and users of the rows, from top to bottom.
fn rows(page: &Shown) -> Vec<(String, String)> {
    let rows = page.html.split("<tr>").skip(2);
    let cells = |row: &str| -> Vec<String> {
        let cells = row.split("<td").skip(1).filter_map(|cell| cell.split_once('>')?.1.split("</td>").next());
        cells.map(str::to_owned).collect()
    };
    rows.map(cells).map(|cells| (cells[2].clone(), cells[3].clone())).collect()
}

#[tokio::test]
async fn every_change_is_in_the_log_under_its_name_in_partner_center() {
    let browser = with_records().await;
    let page = browser.get("/portal/activity").await;
    for column in ["Date-Time (UTC)", "Affected customer", "Action", "Partner user", "Result", "Correlation ID"] {
        page.has(&format!("<th scope=\"col\">{column}</th>"));
    }
    let create = "Create Customer Purchase Permissions";
    let expected = [(create, USER), (DELETE, ADA), (create, ADA)];
    assert_eq!(rows(&page), expected.map(|(action, user)| (action.to_owned(), user.to_owned())));
    let (_, log) = browser.api.get("/v1/auditrecords").await;
    for record in log["items"].as_array().expect("records") {
        page.has(record["originalCorrelationId"].as_str().expect("an id"));
    }
    page.has(&format!("<a href=\"{}\">Contoso Customer 0</a>", account_path())).has("3 records.");
}

#[tokio::test]
async fn the_log_is_filtered_by_customer_user_action_and_time() {
    let browser = with_records().await;
    for (filter, count) in [
        ("customer=customer+0", 2),
        (&format!("customer={OTHER_CUSTOMER}"), 1),
        ("user=ADA", 2),
        ("operation=delete_self_serve_policy", 1),
        ("operation=delete_self_serve_policy&customer=customer+1", 0),
        ("operation=&customer=&user=", 3),
    ] {
        let page = browser.get(&format!("/portal/activity?{filter}")).await;
        assert_eq!(rows(&page).len(), count, "{filter}");
    }
    let page = browser.get("/portal/activity?operation=delete_self_serve_policy").await;
    page.has(&format!("<option value=\"delete_self_serve_policy\" selected>{DELETE}</option>"));

    let clock = json!({ "advance": "40d" });
    browser.api.control(Method::PUT, "clock", &clock).await;
    let now = browser.api.control(Method::GET, "clock", &Value::Null).await;
    let now: jiff::Timestamp = now["now"].as_str().expect("a time").parse().expect("a time");
    let day = |ago: i64| (now - jiff::SignedDuration::from_hours(24 * ago)).strftime("%Y-%m-%d").to_string();
    browser.get("/portal/activity").await.has("No records found.");
    let of = async |from: i64, until: i64| {
        rows(&browser.get(&format!("/portal/activity?from={}&until={}", day(from), day(until))).await).len()
    };
    assert_eq!((of(41, 40).await, of(41, 41).await, of(39, 1).await), (3, 0, 0));
    browser.api.control(Method::PUT, "clock", &json!({ "advance": "51d" })).await;
    browser.get("/portal/activity?from=1970-01-01").await.has("No records found.");
    for bad in ["from=yesterday", "until=2026-02-30", "from=-009999-01-01"] {
        let page = browser.get(&format!("/portal/activity?{bad}")).await;
        assert_eq!(page.status, 400, "{bad}");
        page.has("is no date: write it like 2026-03-01.").has("role=\"alert\"");
    }
}

#[tokio::test]
async fn a_record_that_is_late_is_not_there_yet() {
    let browser = Browser::with_customers().await;
    browser.api.settings(json!({ "auditDelayMs": 60_000 })).await;
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    browser.get("/portal/activity").await.has("No records found.");
    browser.api.control(Method::PUT, "clock", &json!({ "advance": "2m" })).await;
    browser.get("/portal/activity").await.has("1 record.");
}

#[tokio::test]
async fn whoever_is_no_admin_agent_does_not_see_the_log() {
    let mut browser = with_records().await;
    browser.user = Some(GRACE);
    let page = browser.get("/portal/activity").await;
    assert_eq!(page.status, 403);
    page.has("Only Admin agents see the activity log").lacks(DELETE);
}

#[tokio::test]
async fn users_and_operations_of_records_are_only_text() {
    let browser = Browser::with_customers().await;
    let record = json!({ "customer": CUSTOMER, "operation": "<b>x", "user": "<i>@x", "correlationId": "\"><u>" });
    browser.api.control(Method::POST, "audit", &record).await;
    let page = browser.get("/portal/activity?user=%3Ci%3E").await;
    page.lacks("<b>").lacks("<B>").lacks("<i>").lacks("<u>").has("&#60;i&#62;@x");
}
