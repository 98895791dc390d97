//! Faults and the clock.

use super::*;
use crate::simulator::portal::fault_words::{ANSWERS, OPERATIONS};

#[tokio::test]
async fn a_fault_is_on_until_it_is_turned_off_and_every_page_says_so() {
    let browser = Browser::with_customers().await;
    let on =
        [("answer", "unavailable"), ("operation", "get_customer"), ("customer", "contoso customer 0"), ("times", "")];
    let page = browser.submit("/portal/faults", &on).await;
    page.has("The fault is on.").has("get_customer about Contoso Customer 0: 503 (until it is turned off)");
    assert_eq!(browser.api.get(&format!("/v1/customers/{CUSTOMER}")).await.0, 503);
    assert_eq!(browser.api.get(&format!("/v1/customers/{OTHER_CUSTOMER}")).await.0, 200);
    browser.submit("/portal/faults", &[("answer", "garbage"), ("times", "2"), ("skip", "9")]).await;
    for path in ["/portal/customers", "/portal/activity", &account_path(), "/portal/clock", "/portal/nothing"] {
        let page = browser.get(path).await;
        page.has("<aside class=\"faults\"").has("Faults are on.").has("get_customer about Contoso Customer 0: 503");
        page.has("any operation: a body that is not JSON (2 times, after 9 more)");
    }

    // The one that its button names goes, although it has been used since; the other stays.
    let named = json!({ "operation": null, "customer": null, "skip": 8, "times": 1, "answer": { "kind": "garbage" } });
    let page = browser.submit("/portal/faults/off", &[("fault", &named.to_string())]).await;
    page.has("It is off.").has("503").lacks("not JSON (");
    let page = browser.post("/portal/faults/off", &[("fault", &named.to_string())]).await;
    assert_eq!(page.status, 409);
    page.has("That fault is no longer on.");
    browser.submit("/portal/faults/off", &[]).await.has("Nothing: every request is answered as it should be.");
    browser.get("/portal/customers").await.lacks("Faults are on.");
    assert_eq!(browser.api.get(&format!("/v1/customers/{CUSTOMER}")).await.0, 200);
}

#[tokio::test]
async fn every_answer_and_every_operation_that_can_be_picked_is_accepted() {
    let browser = Browser::with_customers().await;
    for preset in &ANSWERS {
        browser.submit("/portal/faults", &[("answer", preset.name)]).await;
    }
    for operation in OPERATIONS {
        browser.submit("/portal/faults", &[("answer", "garbage"), ("operation", operation)]).await;
    }
    browser.get("/portal/customers").await.has("<li>and 37 more</li>");
    // Each kind of docs/simulator.md, but `then`, which takes calls.
    for kind in ["status", "garbage", "disconnect", "delay", "late", "edit", "nextLink", "drip", "cut"] {
        assert!(ANSWERS.iter().any(|preset| preset.answer.contains(&format!("\"{kind}\""))), "{kind}");
    }
}

#[tokio::test]
async fn any_answer_can_be_written_and_what_is_wrong_with_it_is_said() {
    let browser = Browser::with_customers().await;
    let own = r#"{"kind":"then","calls":[{"method":"DELETE","path":"requests"}]}"#;
    browser.submit("/portal/faults", &[("own", own)]).await.has("more happens right after it");
    for (form, sentence) in [
        ([("own", "{"), ("answer", "lost")], "The answer is not JSON"),
        ([("own", r#"{"kind":"nap"}"#), ("answer", "lost")], "unknown variant `nap`"),
        ([("answer", "nap"), ("times", "1")], "Say what is to happen."),
        ([("answer", "lost"), ("times", "often")], "`often` is no number of requests."),
        ([("answer", "lost"), ("times", "0")], "times is at least 1"),
        ([("answer", "lost"), ("operation", "make_tea")], "unknown variant `make_tea`"),
        ([("answer", "lost"), ("customer", "Fabrikam")], "There is no customer called Fabrikam"),
    ] {
        let page = browser.post("/portal/faults", &form).await;
        assert_eq!(page.status, 400, "{form:?}");
        page.has(sentence);
        page.has("role=\"alert\"");
    }
    let state = browser.api.control(Method::GET, "faults", &Value::Null).await;
    assert_eq!(state["faults"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_clock_is_moved_stopped_and_put_right() {
    let browser = Browser::with_customers().await;
    let set = [("change", "set"), ("now", "2026-03-01T08:00")];
    browser.submit("/portal/clock", &[("change", "stop")]).await.has("stands still");
    browser.submit("/portal/clock", &set).await.has("The clock is set.").has("2026-03-01 08:00:00");
    browser.submit("/portal/clock", &[("change", "advance"), ("advance", "31d")]).await.has("2026-04-01 08:00:00");
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    browser.get("/portal/activity").await.has("<time datetime=\"2026-04-01T08:00:00Z\">2026-04-01 08:00:00</time>");
    browser.submit("/portal/clock", &[("change", "right")]).await.lacks("stands still").lacks("this machine’s).");
    browser
        .submit("/portal/clock", &[("change", "advance"), ("advance", "-90s")])
        .await
        .has("1m behind this machine’s");
    browser.submit("/portal/clock", &[("change", "go")]).await;
    for (form, sentence) in [
        ([("change", "set"), ("now", "noon")], "`noon` is no time: write it like 2026-03-01T08:00."),
        ([("change", "advance"), ("advance", "soon")], "`soon` is no duration"),
        ([("change", "wind"), ("advance", "1d")], "The form does not say what is to become of the clock."),
    ] {
        let page = browser.post("/portal/clock", &form).await;
        assert_eq!(page.status, 400);
        page.has(sentence);
    }
}
