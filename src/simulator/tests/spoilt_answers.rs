//! Faults that change the form of an answer, and what is done in the middle of something.

use hyper::ext::ReasonPhrase;

use super::*;

async fn list_fault(api: &Api, answer: Value) {
    api.fault(json!({ "operation": "list_customers", "times": 1, "answer": answer })).await;
}

async fn customers(api: &Api) -> Response {
    api.request(Method::GET, "/v1/customers").send().await.expect("sent")
}

fn reason(response: &Response) -> String {
    let phrase = response.extensions().get::<ReasonPhrase>().map(|phrase| phrase.as_bytes().to_vec());
    String::from_utf8(phrase.unwrap_or_default()).expect("text")
}

#[tokio::test]
async fn a_refusal_can_have_each_of_the_four_bodies_of_partner_center() {
    let api = Api::with_customers().await;
    for (answer, expected) in [
        (
            json!({ "code": "600041", "description": "Exists." }),
            json!({ "code": "600041", "description": "Exists.", "data": [], "source": "PartnerFD" }),
        ),
        (
            json!({ "code": 3000, "description": "x", "omit": ["data", "source"] }),
            json!({ "code": 3000, "description": "x" }),
        ),
        (
            json!({ "code": "1", "description": "x", "data": { "a": 1 } }),
            json!({ "code": "1", "description": "x", "data": { "a": 1 }, "source": "PartnerFD" }),
        ),
        (json!({ "shape": "throttle", "description": "Wait." }), json!({ "statusCode": 400, "message": "Wait." })),
        (
            json!({ "shape": "message", "description": "The request is invalid." }),
            json!({ "message": "The request is invalid." }),
        ),
        (json!({ "empty": true }), Value::Null),
    ] {
        let mut fault = json!({ "kind": "status", "status": 400 });
        fault.as_object_mut().expect("an object").extend(answer.as_object().expect("an object").clone());
        list_fault(&api, fault).await;
        assert_eq!(read(customers(&api).await).await, (400, expected), "{answer}");
    }
}

#[tokio::test]
async fn a_status_line_can_say_what_the_body_does_not() {
    let api = Api::with_customers().await;
    list_fault(&api, json!({ "kind": "status", "status": 403, "empty": true, "reason": "No rights here" })).await;
    let response = customers(&api).await;
    assert_eq!((response.status().as_u16(), reason(&response).as_str()), (403, "No rights here"));

    api.settings(json!({ "wrongRole": "reasonPhrase", "mfaRefusal": "reasonPhrase" })).await;
    api.control(Method::POST, "partner/user", &json!({ "upn": USER, "roles": ["SalesAgent"] })).await;
    let request = api.request(Method::POST, "/v1/SelfServePolicy").json(&policy(CUSTOMER, &[RESERVATIONS]));
    let response = request.send().await.expect("sent");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(reason(&response), "The supplied role does not have the rights to perform the requested operation");
    assert_eq!(response.text().await.expect("text"), "");

    api.settings(json!({ "mfaInTokens": false })).await;
    let token = api.user_token().await;
    let response = api.client.get(format!("{}/v1/customers", api.base)).bearer_auth(token).send().await.expect("sent");
    assert_eq!((response.status().as_u16(), reason(&response).as_str()), (401, "Unauthorized - MFA required"));
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
}

#[tokio::test]
async fn a_wrong_role_is_refused_in_the_form_that_is_set() {
    let api = Api::with_customers().await;
    api.control(Method::POST, "partner/user", &json!({ "upn": USER, "roles": [] })).await;
    for (form, expected) in
        [("fault900150", "900150"), ("emptyBody", ""), ("2032", "2032"), ("900308", "900308"), ("600006", "600006")]
    {
        api.settings(json!({ "wrongRole": form })).await;
        assert_eq!(code(&api.create(CUSTOMER, &[RESERVATIONS]).await), (403, expected));
    }
}

#[tokio::test]
async fn a_wait_can_be_told_in_every_form() {
    let api = Api::with_customers().await;
    for (retry_after, expected) in [(json!("soon"), "soon"), (json!(57), "57"), (json!(-3), "-3")] {
        list_fault(&api, json!({ "kind": "status", "status": 429, "retryAfter": retry_after })).await;
        assert_eq!(customers(&api).await.headers()["retry-after"], expected);
    }
    let date = json!({ "dateInSeconds": 90 });
    list_fault(&api, json!({ "kind": "status", "status": 429, "retryAfter": date })).await;
    let response = customers(&api).await;
    let date = response.headers()["retry-after"].to_str().expect("text").to_owned();
    assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    list_fault(&api, json!({ "kind": "status", "status": 429 })).await;
    assert!(!customers(&api).await.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn the_right_answer_can_be_altered_field_by_field() {
    let api = Api::with_customers().await;
    let edit = json!({
        "kind": "edit", "byteOrderMark": true,
        "set": { "/items/0/relationshipToPartner": "cousin", "/items/0/new": [1], "/items/-": { "id": "last" } },
        "remove": ["/items/0/id"],
        "headers": { "Content-Type": "text/html", "Date": "Sun, 01 Mar 2026 08:00:00 GMT" },
    });
    list_fault(&api, edit).await;
    let response = customers(&api).await;
    assert_eq!(response.headers()["content-type"], "text/html");
    assert_eq!(response.headers().get_all("date").iter().count(), 1);
    assert_eq!(response.headers()["date"], "Sun, 01 Mar 2026 08:00:00 GMT");
    let bytes = response.bytes().await.expect("a body");
    let text = std::str::from_utf8(&bytes).expect("text").strip_prefix('\u{feff}').expect("a mark");
    let body: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(body["items"][0].get("id"), None);
    assert_eq!(body["items"][0]["relationshipToPartner"], "cousin");
    assert_eq!((&body["items"][0]["new"], &body["items"][3]["id"]), (&json!([1]), &json!("last")));
}

#[tokio::test]
async fn a_link_to_the_next_page_can_have_every_form() {
    let api = Api::with_customers().await;
    api.settings(json!({ "defaultCustomerPageSize": 2, "roleAssignmentPageSize": 1 })).await;
    let absolute = format!("{}/v1/customers?seekOperation=Next", api.base);
    for (form, expected) in [
        ("versioned", "/v1/customers?seekOperation=Next"),
        ("bare", "customers?seekOperation=Next"),
        ("absolute", absolute.as_str()),
        ("elsewhere", "http://127.0.0.2:9/v1/customers?seekOperation=Next"),
        ("loop", "/customers"),
    ] {
        list_fault(&api, json!({ "kind": "nextLink", "form": form })).await;
        let (_, body) = read(customers(&api).await).await;
        assert_eq!(body["links"]["next"]["uri"], expected);
        let headers = body["links"]["next"]["headers"].as_array().expect("headers");
        // The first page was asked for without a token, and so it is again.
        assert_eq!(headers.len(), usize::from(form != "loop"));
    }
}

#[tokio::test]
async fn a_body_can_break_off_or_be_reset_and_the_write_has_its_effect() {
    let api = Api::with_customers().await;
    for how in ["length", "chunked", "reset"] {
        let answer = json!({ "kind": "cut", "afterBytes": 20, "how": how });
        api.fault(json!({ "operation": "create_self_serve_policy", "times": 1, "answer": answer })).await;
        let request = api.request(Method::POST, "/v1/SelfServePolicy").json(&policy(CUSTOMER, &[RESERVATIONS]));
        // After a reset, whether the beginning is still seen is the network's affair.
        if let Ok(response) = request.send().await {
            assert_eq!(response.status(), StatusCode::CREATED, "{how}");
            response.bytes().await.expect_err(how);
        }
        assert_eq!(api.permissions(CUSTOMER).await[0]["resource"], RESERVATIONS, "{how}");
        api.delete(CUSTOMER).await;
    }
}

#[tokio::test]
async fn a_body_can_drip() {
    let api = Api::with_customers().await;
    list_fault(&api, json!({ "kind": "drip", "bytes": 100, "everyMs": 1 })).await;
    let mut response = customers(&api).await;
    let mut pieces = 0;
    while response.chunk().await.expect("a piece").is_some() {
        pieces += 1;
    }
    assert!(pieces > 2, "{pieces}");
    list_fault(&api, json!({ "kind": "drip", "bytes": 1, "everyMs": 600_000 })).await;
    let request = api.request(Method::GET, "/v1/customers").timeout(std::time::Duration::from_millis(100));
    let error = match request.send().await {
        Ok(response) => response.bytes().await.expect_err("too slow"),
        Err(error) => error,
    };
    assert!(error.is_timeout());
}

#[tokio::test]
async fn something_can_happen_between_one_request_and_the_next() {
    let api = Api::with_customers().await;
    let turn = json!({ "customer": CUSTOMER, "resource": SAVINGS, "allow": true, "user": "ada@contoso.com" });
    let calls = json!([{ "method": "POST", "path": "portal/permission", "body": turn }]);
    let fault =
        json!({ "operation": "list_self_serve_policies", "times": 1, "answer": { "kind": "then", "calls": calls } });
    api.fault(fault).await;
    let list = format!("/v1/SelfServePolicy?entity_id={CUSTOMER}");
    assert_eq!(api.get(&list).await.1["items"], json!([]), "the answer is from before");
    assert_eq!(api.get(&list).await.1["items"][0]["permissions"][0]["resource"], SAVINGS);
}

#[tokio::test]
async fn a_rate_limit_refuses_what_is_too_much_and_spares_other_apis_and_customers() {
    let api = Api::with_customers().await;
    api.settings(json!({ "rateLimit": { "perMinute": 2, "keyedBy": "customer" } })).await;
    let path = |customer: &str| format!("/v1/customers/{customer}");
    assert_eq!(api.get(&path(CUSTOMER)).await.0, 200);
    assert_eq!(api.get(&format!("/V1/Customers/{CUSTOMER}")).await.0, 200);
    let response = api.request(Method::GET, &path(CUSTOMER)).send().await.expect("sent");
    let seconds = response.headers()["retry-after"].to_str().expect("text").to_owned();
    assert!((1..=60).contains(&seconds.parse::<u8>().expect("seconds")), "{seconds}");
    let message = format!("Rate limit is exceeded. Try again in {seconds} seconds.");
    assert_eq!(read(response).await, (429, json!({ "statusCode": 429, "message": message })));
    assert_eq!(api.get(&path(OTHER_CUSTOMER)).await.0, 200);
    let subscription = format!("{}/subscriptions/{STRANGER}", path(CUSTOMER));
    for expected in [404, 404, 429] {
        assert_eq!(api.get(&subscription).await.0, expected, "another API; a refused request counts too");
    }
    assert_eq!(api.redeem(PARTNER, SEED, PARTNER_CENTER).await.0, 200, "Entra has limits of its own");
    api.settings(json!({ "rateLimit": { "perMinute": 2 } })).await;
    for (customer, expected) in [(CUSTOMER, 200), (OTHER_CUSTOMER, 200), (CUSTOMER, 429), (OTHER_CUSTOMER, 429)] {
        assert_eq!(api.get(&path(customer)).await.0, expected, "now counted together");
    }
    assert_eq!(api.get("/v1/customers").await.0, 200, "another API");
    api.settings(json!({ "rateLimit": null })).await;
    assert_eq!(api.get(&path(CUSTOMER)).await.0, 200);
}
