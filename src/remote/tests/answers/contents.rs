//! Successes whose contents are not as expected.

use super::Call::*;
use super::Effect::{None as Nothing, Open};
use super::*;

fn with(status: u16, fields: Value) -> Value {
    let mut answer = json!({ "kind": "status", "status": status, "applied": true });
    if let (Value::Object(answer), Value::Object(fields)) = (&mut answer, fields) {
        answer.extend(fields);
    }
    answer
}

fn set(pointer: &str, value: Value) -> Value {
    let mut answer = json!({ "kind": "edit", "set": {} });
    answer["set"][pointer] = value;
    answer
}

fn without(pointer: &str) -> Value {
    json!({ "kind": "edit", "remove": [pointer] })
}

/// Rows with what the message must name.
fn unexpected() -> Vec<(Row, &'static str)> {
    let end = soon(Fault::UnexpectedAnswer, "UnexpectedAnswer");
    let row = |call: Call, answer: Value| {
        let effect = if matches!(call, Create | Update) { Open } else { Nothing };
        (call, answer, end, effect, 1)
    };
    let page = || with(200, json!({ "body": "<!DOCTYPE html>", "headers": { "Content-Type": "text/html" } }));
    vec![
        (row(Policy, page()), "a web page where JSON was expected"),
        (row(Create, page()), "a web page where JSON was expected"),
        (row(Owners, page()), "a web page where JSON was expected"),
        (row(SignIn, page()), "sign-in: not the JSON expected"),
        (row(Policy, with(200, json!({ "empty": true }))), "no body where JSON was expected"),
        (row(Create, with(201, json!({ "empty": true }))), "no body where JSON was expected"),
        (row(Policy, json!({ "kind": "garbage" })), "the JSON breaks off"),
        (row(Create, json!({ "kind": "garbage" })), "the JSON breaks off"),
        (row(Policy, with(200, json!({ "body": "so: it is" }))), "not JSON"),
        (row(Policy, with(200, json!({ "body": "null" }))), "another kind of JSON than expected"),
        (row(Policy, with(200, json!({ "body": "{\"items\":[]} []" }))), "something after the end of the JSON"),
        (row(Customers, with(200, json!({ "body": "x".repeat((1 << 20) + 1) }))), "longer than 1048576 bytes"),
        (row(Policy, with(307, json!({ "headers": { "Location": "/elsewhere" } }))), "status 307"),
        (row(Create, with(307, json!({ "headers": { "Location": "/elsewhere" } }))), "status 307"),
        // What must be there is named when it is not.
        (row(Policy, without("/items")), "items is missing"),
        (row(Customer, without("/id")), "customer id is missing"),
        (row(Customer, without("/relationshipToPartner")), "relationshipToPartner is missing"),
        (row(Customer, set("/id", json!("x"))), "customer id is not a GUID"),
        (row(Customer, set("/companyProfile/domain", json!(5))), "companyProfile.domain is of another type"),
        (row(Subscriptions, without("/items/0/status")), "subscription status is missing"),
        (row(Entitlements, without("/items/0/id")), "azureEntitlement id is missing"),
        (row(Subscriptions, set("/items/0/offerId", json!([]))), "items[0].offerId is of another type"),
        (row(Create, without("/permissions")), "permissions is missing"),
        (row(Create, without("/grantor/tenantID")), "grantor.tenantID is missing"),
        (row(Create, without("/permissions/0/action")), "permissions[].action is missing"),
        (row(Update, without("/id")), "policy id is missing"),
        (row(Owners, without("/value/1/properties/principalId")), "principalId"),
        (row(SignIn, without("/access_token")), "access_token is missing"),
        // What was not asked for.
        (row(Create, set("/selfServeEntity/tenantID", json!(CUSTOMER))), "a policy of another customer"),
        (row(Create, set("/grantor/tenantID", json!(CUSTOMER))), "a policy of another partner"),
        (
            row(Create, set("/permissions/0/resource", json!("AzureSavingsPlan"))),
            "other permissions than were asked for",
        ),
        (row(Customer, set("/id", json!(CUSTOMER))), "another customer"),
    ]
}

/// What is new or strange, and changes nothing.
fn harmless() -> Vec<Row> {
    let html = json!({ "kind": "edit", "headers": { "Content-Type": "text/html" } });
    let mark = json!({ "kind": "edit", "byteOrderMark": true });
    let answers = [
        (Policy, mark.clone()),
        (Create, mark.clone()),
        (Owners, mark.clone()),
        (SignIn, mark),
        (Policy, html.clone()),
        (Create, html),
        (Customer, set("/relationshipToPartner", json!("second_cousin"))),
        (Customer, set("/newThing", json!({ "a": [1, null] }))),
        (Customer, without("/companyProfile")),
        // Whether it counts the page or the list is not documented.
        (Customers, set("/totalCount", json!(1))),
        (Policy, set("/totalCount", json!(2))),
        (Activity, without("/totalCount")),
        (Subscriptions, set("/items/0/status", json!("frozen"))),
        (Subscriptions, set("/items/0/offerId", json!("NEW:0001"))),
        (Entitlements, set("/items/0/status", json!("hibernating"))),
        (Create, set("/attributes/new", json!(1))),
        (Create, without("/attributes")),
        (Owners, set("/value/0/properties/principalType", json!("Robot"))),
        (Owners, set("/value/0/properties/new", json!({}))),
        // One entry that cannot be right must not hide the others.
        (Customers, json!({ "kind": "edit", "remove": ["/items/3/id"], "times": 1 })),
        (Customers, json!({ "kind": "edit", "set": { "/items/3": 5 }, "times": 1 })),
        (Activity, set("/items/-", json!({ "resourceType": "self_serve_policy" }))),
        (Activity, set("/items/-", json!(5))),
    ];
    let requests = |call: Call| if call == Customers { 2 } else { 1 };
    answers.into_iter().map(|(call, answer)| (call, answer, End::Works, Nothing, requests(call))).collect()
}

pub(super) fn rows() -> Vec<Row> {
    unexpected().into_iter().map(|(row, _)| row).chain(harmless()).collect()
}

#[tokio::test]
async fn an_answer_that_cannot_be_right_is_told_by_what_is_wrong_with_it() {
    let stage = Simulated::start_with(World::generated(60), limits()).await;
    for (index, (row, words)) in (0..).zip(unexpected()) {
        let message = check_row(&stage, &stage.remote, index, row.clone()).await.unwrap_err().message();
        assert!(message.contains(words), "{row:?}: {message}");
    }
}

#[tokio::test]
async fn what_is_new_or_strange_in_an_answer_harms_nothing() {
    check(harmless()).await;
}

#[tokio::test]
async fn a_customer_whose_entry_cannot_be_right_is_only_left_out() {
    let stage = Simulated::start_with(World::generated(5), limits()).await;
    for answer in [without("/items/3/id"), set("/items/3/companyProfile", json!("x"))] {
        let fault = json!({ "operation": "list_customers", "times": 1, "answer": answer });
        stage.control(Method::POST, "faults", fault).await;
        let customers = stage.remote.partner_center.customers().await.unwrap();
        assert_eq!(customers.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 4].map(tenant));
    }
}
