//! Refusals: by code, by status line, by status; and what is said of when to come again.

use super::Call::*;
use super::Effect::{None as Nothing, Open};
use super::*;
use crate::remote::codes::CODES;

fn coded(status: u16, code: &str) -> Value {
    json!({ "kind": "status", "status": status, "code": code, "description": "Words." })
}

/// A status fault with these fields.
fn refused(status: u16, fields: Value) -> Value {
    let mut answer = json!({ "kind": "status", "status": status });
    if let (Value::Object(answer), Value::Object(fields)) = (&mut answer, fields) {
        answer.extend(fields);
    }
    answer
}

/// Every documented code, where it matters.
fn by_code() -> Vec<Row> {
    use Fault::{
        AppOnlyToken, Busy, ConditionalAccess, CustomerAgreementMissing, CustomerNotOurs, Forbidden, InvalidProperty,
        InvalidRequest, MfaRequired, NotAdminAgent, NotFound, PartnerAgreementMissing, PolicyExists, PolicyNotFound,
        ProgramNotActive, ResellerAgreementMissing, StaleEtag, Unauthorized, WrongAudience,
    };
    let mut rows = Vec::new();
    let mut add = |calls: &[Call], status: u16, codes: &[&str], end: End, requests: u64| {
        for call in calls {
            rows.extend(codes.iter().map(|code| (*call, coded(status, code), end, Nothing, requests)));
        }
    };
    add(&[Create, Update], 400, &["3000"], person(InvalidProperty, "InvalidProperty"), 1);
    add(&[Create, Policy], 400, &["800002"], person(InvalidRequest, "InvalidRequest"), 1);
    add(&[Create], 400, &["900118"], person(InvalidRequest, "InvalidRequest"), 1);
    add(&[Customer, Subscriptions], 400, &["900118"], person(CustomerNotOurs, "CustomerNotOurs"), 1);
    add(&[Update], 400, &["2055"], soon(StaleEtag, "StaleEtag"), 1);
    // The token is renewed once.
    add(&[Policy, Create], 401, &["400", "800001"], person(Unauthorized, "Unauthorized"), 2);
    add(&[Policy, Create], 401, &["900420"], person(WrongAudience, "Unauthorized"), 1);
    add(&[Policy, Create], 401, &["900421", "10001"], person(MfaRequired, "MfaRequired"), 1);
    let role = ["2032", "900150", "900308", "600006", "1002"];
    add(&[Create, Update, Delete], 403, &role, person(NotAdminAgent, "NotAdminAgent"), 1);
    add(&[Policy], 403, &role, person(Forbidden, "Forbidden"), 1);
    add(&[Policy, Create], 403, &["20002", "900159"], person(CustomerNotOurs, "CustomerNotOurs"), 1);
    add(&[Policy, Create], 403, &["900329"], person(AppOnlyToken, "AppOnlyToken"), 1);
    add(&[Policy, Create], 403, &["900309"], person(ConditionalAccess, "ConditionalAccess"), 1);
    add(&[Create, Customers], 403, &["900124"], person(PartnerAgreementMissing, "PartnerAgreementMissing"), 1);
    add(&[Create, Customers], 403, &["900149", "800039"], person(ProgramNotActive, "ProgramNotActive"), 1);
    add(&[Create], 403, &["900123"], person(ResellerAgreementMissing, "ResellerAgreementMissing"), 1);
    add(&[Create], 403, &["13605"], person(CustomerAgreementMissing, "CustomerAgreementMissing"), 1);
    add(&[Create, Customers], 403, &["4711"], person(Forbidden, "Forbidden"), 1);
    add(&[Policy, Subscriptions], 404, &["1000", "20000", "20003"], person(NotFound, "NotFound"), 1);
    add(&[Entitlements], 404, &["800111"], person(NotFound, "NotFound"), 1);
    add(&[Customer], 404, &["1000", "20000", "60003"], person(CustomerNotOurs, "CustomerNotOurs"), 1);
    add(&[Policy, Create], 404, &["60003"], person(CustomerNotOurs, "CustomerNotOurs"), 1);
    add(&[Update], 404, &["600039", "600040", "1000"], soon(PolicyNotFound, "PolicyNotFound"), 1);
    add(&[Delete], 404, &["600039", "600040"], End::Works, 1);
    add(&[Create], 409, &["600041"], soon(PolicyExists, "PolicyExists"), 1);
    add(&[Update], 409, &["800060", "800064", "800082", "900278"], after(Busy, "Busy", 300), 1);
    add(&[Update], 409, &["4711"], soon(StaleEtag, "StaleEtag"), 1);
    rows
}

/// Without a code that says it.
fn by_other_signs() -> Vec<Row> {
    let mfa = person(Fault::MfaRequired, "MfaRequired");
    let role = person(Fault::NotAdminAgent, "NotAdminAgent");
    let invalid = person(Fault::InvalidProperty, "InvalidProperty");
    let stale = soon(Fault::StaleEtag, "StaleEtag");
    let message = json!({ "shape": "message", "description": "Authentication failed. MFA required. (10001)" });
    let words = "The supplied role does not have the rights to perform the requested operation";
    vec![
        (Policy, refused(401, json!({ "empty": true })), person(Fault::Unauthorized, "Unauthorized"), Nothing, 2),
        (Policy, refused(401, json!({ "empty": true, "reason": "Unauthorized - MFA required" })), mfa, Nothing, 1),
        (Create, refused(401, message), mfa, Nothing, 1),
        (Create, refused(403, json!({ "empty": true })), role, Nothing, 1),
        (Create, refused(403, json!({ "empty": true, "reason": words })), role, Nothing, 1),
        (
            Policy,
            refused(403, json!({ "empty": true, "reason": words })),
            person(Fault::Forbidden, "Forbidden"),
            Nothing,
            1,
        ),
        (Customer, refused(404, json!({ "empty": true })), person(Fault::NotFound, "NotFound"), Nothing, 1),
        (Update, refused(404, json!({ "empty": true })), soon(Fault::PolicyNotFound, "PolicyNotFound"), Nothing, 1),
        (Update, refused(409, json!({ "empty": true })), stale, Nothing, 1),
        (Update, refused(412, json!({ "empty": true })), stale, Nothing, 1),
        // The forms of one and the same fault.
        (Create, refused(400, json!({ "code": 3000, "description": "x" })), invalid, Nothing, 1),
        (Create, refused(400, json!({ "code": 3000, "omit": ["data", "source", "description"] })), invalid, Nothing, 1),
        (Create, refused(400, json!({ "code": "3000", "data": { "a": [1] } })), invalid, Nothing, 1),
        (Create, refused(400, json!({ "code": "3000", "data": null })), invalid, Nothing, 1),
        (Create, refused(400, json!({ "body": "\u{feff}{\"code\":\"3000\"}" })), invalid, Nothing, 1),
        (
            Activity,
            refused(400, json!({ "shape": "message", "description": "The request is invalid." })),
            person(Fault::InvalidRequest, "InvalidRequest"),
            Nothing,
            1,
        ),
        (
            Policy,
            refused(405, json!({ "body": "<html>" })),
            person(Fault::InvalidRequest, "InvalidRequest"),
            Nothing,
            1,
        ),
        // Azure and Graph.
        (Owners, coded(403, "AuthorizationFailed"), person(Fault::Forbidden, "Forbidden"), Nothing, 1),
        (Owners, coded(404, "SubscriptionNotFound"), person(Fault::NotFound, "NotFound"), Nothing, 1),
        (Owners, coded(401, "InvalidAuthenticationToken"), person(Fault::Unauthorized, "Unauthorized"), Nothing, 2),
    ]
}

/// 429 in every form, and a server that says when to come again.
fn throttled() -> Vec<Row> {
    let mut rows = Vec::new();
    let date = |text: &str| json!({ "retryAfter": text, "headers": { "Date": "Sun, 01 Mar 2026 08:00:00 GMT" } });
    for (fields, seconds) in [
        (json!({ "retryAfter": 57 }), 57),
        (json!({ "retryAfter": " 57 " }), 57),
        (json!({ "retryAfter": 0 }), 1),
        (json!({ "retryAfter": 86_400 }), 3_600),
        (json!({ "retryAfter": "99999999999999999999999" }), 3_600),
        (json!({ "retryAfter": -5 }), 60),
        (json!({ "retryAfter": "soon" }), 60),
        (json!({ "retryAfter": "" }), 60),
        (date("Sun, 01 Mar 2026 08:01:30 GMT"), 90),
        (date("Sun, 01 Mar 2026 07:00:00 GMT"), 1),
        (date("Mon, 01 Mar 2027 08:00:00 GMT"), 3_600),
        (json!({}), 60),
        (json!({ "empty": true }), 60),
        (json!({ "body": "57" }), 60),
        (json!({ "body": "<html>" }), 60),
        (json!({ "shape": "fault", "code": "429", "retryAfter": 9 }), 9),
    ] {
        let end = after(Fault::Throttled, "Throttled", seconds);
        rows.extend([Policy, Create].map(|call| (call, refused(429, fields.clone()), end, Nothing, 1)));
    }
    let nine = json!({ "retryAfter": 9 });
    for call in [Customers, Customer, Subscriptions, Entitlements, Update, Delete, Activity, Owners] {
        rows.push((call, refused(429, nine.clone()), after(Fault::Throttled, "Throttled", 9), Nothing, 1));
    }
    rows.push((Policy, refused(503, nine.clone()), after(Fault::ServerError, "ServerError", 9), Nothing, 1));
    rows.push((Create, refused(503, nine.clone()), after(Fault::ServerError, "ServerError", 9), Open, 1));
    rows.push((
        Update,
        refused(409, json!({ "code": "900278", "retryAfter": 9 })),
        after(Fault::Busy, "Busy", 9),
        Nothing,
        1,
    ));
    rows
}

/// What Microsoft Entra refuses.
fn sign_in() -> Vec<Row> {
    let invalid = person(Fault::CredentialsInvalid, "CredentialsInvalid");
    let application = person(Fault::ApplicationRefused, "CredentialsInvalid");
    let unknown = json!({ "body": r#"{"error":"invalid_request","error_description":"AADSTS900144: x"}"# });
    let customer = person(Fault::CustomerSignInRefused, "CustomerSignInRefused");
    vec![
        (SignIn, coded(400, "AADSTS50076"), person(Fault::MfaRequired, "MfaRequired"), Nothing, 1),
        (SignIn, coded(400, "AADSTS53003"), person(Fault::ConditionalAccess, "ConditionalAccess"), Nothing, 1),
        (SignIn, coded(400, "AADSTS700082"), person(Fault::LoginNeeded, "CredentialsInvalid"), Nothing, 1),
        (SignIn, coded(401, "AADSTS7000215"), application, Nothing, 1),
        (SignIn, refused(400, unknown), invalid, Nothing, 1),
        (SignIn, refused(429, json!({ "retryAfter": 9 })), after(Fault::Throttled, "Throttled", 9), Nothing, 1),
        (SignIn, refused(503, json!({})), soon(Fault::ServerError, "ServerError"), Nothing, 3),
        (
            SignIn,
            refused(400, json!({ "body": "<html>" })),
            soon(Fault::UnexpectedAnswer, "UnexpectedAnswer"),
            Nothing,
            1,
        ),
        (CustomerSignIn, coded(400, "AADSTS65001"), customer, Nothing, 1),
        (CustomerSignIn, coded(400, "AADSTS53003"), customer, Nothing, 1),
        (CustomerSignIn, coded(401, "AADSTS7000215"), application, Nothing, 1),
        (GraphSignIn, coded(400, "AADSTS65001"), person(Fault::GraphNotConsented, "GraphNotConsented"), Nothing, 1),
    ]
}

pub(super) fn rows() -> Vec<Row> {
    [by_code(), by_other_signs(), throttled(), sign_in()].concat()
}

#[tokio::test]
async fn every_documented_code_has_its_meaning() {
    let rows = by_code();
    for (status, code, ..) in CODES {
        assert!(
            rows.iter().any(|row| row.1["status"] == status && row.1["code"] == code),
            "{status} {code} has no row"
        );
    }
    check(rows).await;
}

#[tokio::test]
async fn without_a_code_the_status_line_or_the_status_tells() {
    check(by_other_signs()).await;
}

#[tokio::test]
async fn throttling_in_every_form_is_waited_out_as_told() {
    check(throttled()).await;
}

#[tokio::test]
async fn every_refusal_of_a_sign_in_has_its_meaning() {
    check(sign_in()).await;
}

#[tokio::test]
async fn a_real_rate_limit_is_one_request_each() {
    let stage = Simulated::start_with(World::generated(1), limits()).await;
    stage.setting("rateLimit", json!({ "perMinute": 1 })).await;
    for call in [Policy, Create] {
        call.make(&stage.remote, 0, None).await.unwrap();
        let error = call.make(&stage.clients(limits()), 0, None).await.unwrap_err();
        assert!(matches!(error.advice(), Advice::RetryAfter(wait) if wait <= Duration::from_mins(1)));
        assert_eq!(stage.counted(call.operation()).await.0, 2, "one taken, one refused, none repeated");
    }
    assert_eq!(stage.counted("create_self_serve_policy").await.1, 1);
}

#[tokio::test]
async fn a_clock_that_is_off_is_noticed_and_forgiven() {
    let stage = Simulated::start_with(World::generated(1), limits()).await;
    stage.remote.partner_center.policy(tenant(0)).await.unwrap();
    assert!(!stage.remote.clock.is_off());
    let date = json!({ "kind": "edit", "headers": { "Date": "Sun, 01 Mar 2026 08:00:00 GMT" } });
    stage.control(Method::POST, "faults", json!({ "answer": date })).await;
    for is_off in [false, false, true] {
        stage.remote.partner_center.policy(tenant(0)).await.unwrap();
        assert_eq!(stage.remote.clock.is_off(), is_off);
    }
    stage.control(Method::DELETE, "faults", Value::Null).await;
    stage.remote.partner_center.policy(tenant(0)).await.unwrap();
    assert!(!stage.remote.clock.is_off());
}
