//! Links to the next page, and lists that change while they are read.

use super::Call::*;
use super::Effect::None as Nothing;
use super::*;

pub(super) fn rows() -> Vec<Row> {
    let link = |form: &str| json!({ "kind": "nextLink", "form": form });
    let unexpected = soon(Fault::UnexpectedAnswer, "UnexpectedAnswer");
    let mut rows: Vec<Row> =
        ["versioned", "bare", "absolute"].map(|form| (Customers, link(form), End::Works, Nothing, 2)).into();
    rows.push((Customers, link("elsewhere"), unexpected, Nothing, 1));
    rows.push((Customers, link("loop"), unexpected, Nothing, 2));
    rows.push((Activity, link("loop"), unexpected, Nothing, 2));
    rows.push((Owners, link("loop"), unexpected, Nothing, 2));
    rows.push((Owners, link("elsewhere"), unexpected, Nothing, 1));
    rows
}

#[tokio::test]
async fn links_in_every_form_are_followed_and_never_in_circles_or_away() {
    check(rows()).await;
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_keeps_everybody_who_stays() {
    let stage = Simulated::start_with(World::generated(600), limits()).await;
    let gone = [3, 499, 599];
    let mut calls: Vec<_> =
        gone.map(|index| json!({ "method": "DELETE", "path": format!("customers/{}", tenant(index)) })).into();
    for (id, name) in [(700, "After"), (0x4fff, "Later")] {
        calls.push(json!({ "method": "POST", "path": "customers", "body": { "tenantId": tenant(id), "name": name } }));
    }
    let between = json!({ "kind": "then", "calls": calls });
    let fault = json!({ "operation": "list_customers", "times": 1, "answer": between });
    stage.control(Method::POST, "faults", fault).await;
    let customers = stage.remote.partner_center.customers().await.unwrap();
    for index in 0..599 {
        // Who was on the first page is still listed when it went in between: the list was true when it was made.
        assert!(gone.contains(&index) || customers.contains_key(&tenant(index)), "{index}");
    }
    assert!(!customers.contains_key(&tenant(599)) && customers.contains_key(&tenant(700)));
    assert_eq!(stage.counted("list_customers").await.0, 2);
}
