//! The virtual clock and the seed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

impl Api {
    async fn clock(&self, change: Value) -> Value {
        self.control(Method::PUT, "clock", &change).await
    }

    /// With this seed, and with a clock that stands still.
    async fn reproducible(seed: u64) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(listener, Simulator::seeded(World::generated(3), seed)));
        let mut api = Self { base, client: Client::new(), token: String::new() };
        api.clock(json!({ "now": "2026-03-01T08:00:00Z", "frozen": true })).await;
        api.token = api.user_token().await;
        api
    }
}

#[tokio::test]
async fn the_clock_is_told_set_and_shown_in_the_date_header() {
    let api = Api::with_customers().await;
    let shown = api.control(Method::GET, "clock", &Value::Null).await;
    assert_eq!((&shown["offsetSeconds"], &shown["frozen"]), (&json!(0), &json!(false)));
    let frozen = json!({ "now": "2020-02-29T23:59:59Z", "frozen": true });
    assert_eq!(api.clock(frozen).await["now"], "2020-02-29T23:59:59Z");
    for path in ["/v1/customers", "/simulator/state", "/nothing"] {
        let answer = api.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.headers()["date"], "Sat, 29 Feb 2020 23:59:59 GMT", "{path}");
        assert_eq!(answer.headers().get_all("date").iter().count(), 1);
    }
    let (status, refused) = answered(api.request(Method::PUT, "/simulator/clock").json(&json!({}))).await;
    assert_eq!((status, &refused["error"]), (400, &json!("say one of now, advance and offset, or frozen")));
}

#[tokio::test]
async fn a_date_that_a_fault_asks_for_wins_over_the_clock() {
    let api = Api::with_customers().await;
    let date = "Sun, 01 Mar 2026 08:00:00 GMT";
    for answer in [
        json!({ "kind": "edit", "headers": { "Date": date } }),
        json!({ "kind": "status", "status": 503, "headers": { "Date": date } }),
    ] {
        api.fault(json!({ "operation": "list_customers", "times": 1, "answer": answer })).await;
        let answer = api.request(Method::GET, "/v1/customers").send().await.expect("an answer");
        let dates: Vec<_> = answer.headers().get_all("date").iter().collect();
        assert_eq!(dates, [date]);
    }
}

#[tokio::test]
async fn access_tokens_expire_by_the_clock() {
    let api = Api::with_customers().await;
    api.clock(json!({ "advance": "59m" })).await;
    assert_eq!(api.get("/v1/customers").await.0, 200);
    api.clock(json!({ "advance": "1m" })).await;
    assert_eq!(api.get("/v1/customers").await.0, 401);
}

#[tokio::test]
async fn refresh_tokens_expire_ninety_days_after_their_issue() {
    let api = Api::with_customers().await;
    let (_, grant) = api.redeem(PARTNER, SEED, PARTNER_CENTER).await;
    let first = grant["refresh_token"].as_str().expect("a token");
    api.clock(json!({ "advance": "89d" })).await;
    let (status, grant) = api.redeem(PARTNER, first, PARTNER_CENTER).await;
    assert_eq!(status, 200, "{grant}");
    let second = grant["refresh_token"].as_str().expect("a token");
    api.clock(json!({ "advance": "1d" })).await;
    for (token, expected) in [(SEED, 400), (first, 400), (second, 200)] {
        let (status, body) = api.redeem(PARTNER, token, PARTNER_CENTER).await;
        assert_eq!(status, expected, "{body}");
        if expected == 400 {
            assert_eq!((&body["error"], &body["error_codes"]), (&json!("invalid_grant"), &json!([700_082])));
        }
    }
}

#[tokio::test]
async fn a_seed_token_is_as_old_as_its_first_redemption() {
    let api = Api::start_silently(World::generated(1)).await;
    api.clock(json!({ "advance": "400d" })).await;
    assert_eq!(api.redeem(PARTNER, SEED, PARTNER_CENTER).await.0, 200);
}

#[tokio::test]
async fn audit_records_appear_and_disappear_by_the_clock() {
    let api = Api::with_customers().await;
    api.settings(json!({ "auditDelayMs": 3_600_000, "accessTokenSeconds": 100_000_000 })).await;
    let api = Api { token: api.user_token().await, ..api };
    api.create(CUSTOMER, &[RESERVATIONS]).await;
    assert_eq!(api.audit_operations().await, [""; 0], "an hour too early");
    api.clock(json!({ "advance": "1h" })).await;
    assert_eq!(api.audit_operations().await, ["create_self_serve_policy"]);
    api.clock(json!({ "advance": "91d" })).await;
    assert_eq!(api.audit_operations().await, [""; 0], "forgotten");
}

/// Everything that an exchange shows: headers in their order, and the body.
async fn shown(api: &Api, request: RequestBuilder) -> String {
    let answer = request.send().await.expect("an answer");
    let headers: Vec<_> = answer.headers().iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    let body = answer.text().await.expect("a body");
    format!("{}\n{body}", headers.join("\n")).replace(&api.base, "BASE")
}

async fn everything_shown(seed: u64) -> Vec<String> {
    let api = Api::reproducible(seed).await;
    let create = api.request(Method::POST, "/v1/SelfServePolicy").json(&policy(CUSTOMER, &[RESERVATIONS]));
    let portal = json!({ "customer": OTHER_CUSTOMER, "resource": SAVINGS, "allow": true, "user": USER });
    let refused = api.client.post(format!("{}/{PARTNER}/oauth2/token", api.base)).form(&[("client_id", "x")]);
    let payload = URL_SAFE_NO_PAD.decode(api.token.split('.').nth(1).expect("claims")).expect("base64");
    let claims = String::from_utf8(payload).expect("text");
    vec![
        claims.replace(&api.base, "BASE"),
        shown(&api, create).await,
        shown(&api, api.request(Method::POST, "/simulator/portal/permission").json(&portal)).await,
        shown(&api, api.request(Method::GET, "/v1/auditrecords")).await,
        shown(&api, api.request(Method::GET, &format!("/subscriptions/{AZURE}/x"))).await,
        shown(&api, refused).await,
        shown(&api, api.request(Method::GET, "/simulator/state")).await,
    ]
}

#[tokio::test]
async fn the_same_seed_and_requests_give_the_same_bytes_and_another_seed_gives_others() {
    let (one, same, other) = (everything_shown(1).await, everything_shown(1).await, everything_shown(2).await);
    assert_eq!(one, same);
    for (one, other) in one.iter().zip(&other) {
        assert!(one != other || one.contains("\"operation\""), "nothing in this depends on the seed: {one}");
    }
}

/// So that nothing goes around the clock and the seed.
#[test]
fn time_and_randomness_have_one_source_each() {
    fn search(directory: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("tests") {
                search(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                // Certificates are judged by clocks outside, and their keys must not be guessed.
                let may = ["clock.rs", "random.rs", "tls.rs"].iter().any(|name| path.ends_with(name));
                let text = std::fs::read_to_string(&path).expect("a file");
                let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let words = ["Timestamp::now", "Zoned::now", "SystemTime", "Uuid::new_v4", "Uuid::now_v7", "fastrand"];
                let bad = words.into_iter().filter(|word| !may && production.contains(word));
                found.extend(bad.map(|word| format!("{} says {word}", path.display())));
            }
        }
    }
    let mut found = Vec::new();
    search(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/simulator"), &mut found);
    assert_eq!(found, [""; 0], "use request.at, request.random or state.random");
}
