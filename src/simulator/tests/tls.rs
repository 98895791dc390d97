//! TLS beside plain HTTP.

use reqwest::Certificate;

use super::*;
use crate::simulator::{Tls, serve_tls};

/// One simulator under both schemes; the `Api` of each, whose client trusts nobody but the simulator's authority.
async fn under_both_schemes() -> (Api, Api) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let simulator = Simulator::new(World::generated(3));
    let tls = Tls::generate(&[]).expect("certificates");
    let authority = Certificate::from_pem(tls.authority_pem().as_bytes()).expect("a certificate");
    let client = Client::builder().tls_certs_only([authority]).build().expect("a client");
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let secure = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let http = format!("http://{}", plain.local_addr().expect("an address"));
    let https = format!("https://localhost:{}", secure.local_addr().expect("an address").port());
    tokio::spawn(serve(plain, simulator.clone()));
    tokio::spawn(async move { serve_tls(secure, simulator, &tls).await });
    let mut http = Api { base: http, client: client.clone(), token: String::new() };
    let mut https = Api { base: https, client, token: String::new() };
    http.token = http.user_token().await;
    https.token = https.user_token().await;
    (http, https)
}

#[tokio::test]
async fn one_state_is_served_over_http_and_over_https() {
    let (http, https) = under_both_schemes().await;
    assert_eq!(https.create(CUSTOMER, &[RESERVATIONS]).await.0, 201);
    assert_eq!(http.permissions(CUSTOMER).await[0]["resource"], RESERVATIONS);
}

#[tokio::test]
async fn the_certificate_is_good_for_localhost_and_for_the_loopback_address() {
    let (_, https) = under_both_schemes().await;
    let by_address = https.base.replace("localhost", "127.0.0.1");
    for base in [&https.base, &by_address] {
        let answer = https.client.get(format!("{base}/simulator/settings")).send().await.expect("trusted");
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn who_does_not_know_the_authority_refuses_the_connection() {
    let (_, https) = under_both_schemes().await;
    let authority = Tls::generate(&[]).expect("certificates");
    let other = Certificate::from_pem(authority.authority_pem().as_bytes()).expect("a certificate");
    let stranger = Client::builder().tls_certs_only([other]).build().expect("a client");
    let error = stranger.get(format!("{}/simulator/settings", https.base)).send().await.expect_err("not trusted");
    assert!(error.is_connect(), "{error:?}");
    assert_eq!(https.get("/v1/customers").await.0, 200, "and nobody else is disturbed");
}

#[tokio::test]
async fn azures_next_link_and_challenge_carry_the_scheme_and_host_by_which_they_were_asked() {
    let (http, https) = under_both_schemes().await;
    https.settings(json!({ "roleAssignmentPageSize": 1 })).await;
    let path =
        format!("/subscriptions/{AZURE}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01");
    let tenant = CUSTOMER;
    for api in [http, https] {
        let (_, grant) = api.redeem(tenant, SEED, ARM).await;
        let token = grant["access_token"].as_str().expect("a token");
        let (_, page) = answered(api.client.get(format!("{}{path}", api.base)).bearer_auth(token)).await;
        let next = page["nextLink"].as_str().expect("a link");
        assert!(next.starts_with(&format!("{}/subscriptions/", api.base)), "{next}");
        assert_eq!(answered(api.client.get(next).bearer_auth(token)).await.0, 200);

        let refused = api.client.get(format!("{}{path}", api.base)).send().await.expect("an answer");
        let challenge = refused.headers()["www-authenticate"].to_str().expect("text").to_owned();
        assert!(challenge.starts_with(&format!("Bearer authorization_uri=\"{}/{tenant}\"", api.base)), "{challenge}");
    }
}

#[tokio::test]
async fn connections_fail_over_https_as_they_do_over_http() {
    let (_, https) = under_both_schemes().await;
    for answer in [
        json!({ "kind": "disconnect", "applied": false }),
        json!({ "kind": "cut", "afterBytes": 5, "how": "length" }),
        json!({ "kind": "cut", "afterBytes": 5, "how": "reset" }),
    ] {
        https.fault(json!({ "operation": "list_customers", "times": 1, "answer": answer })).await;
        let failed = match https.request(Method::GET, "/v1/customers").send().await {
            Ok(response) => response.text().await.is_err(),
            Err(_) => true,
        };
        assert!(failed, "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_never_agrees_on_tls_keeps_nobody_waiting() {
    let (_, https) = under_both_schemes().await;
    let address = https.base.replace("https://localhost", "127.0.0.1");
    let _silent = tokio::net::TcpStream::connect(&address).await.expect("connected");
    let fresh = Api { token: https.token.clone(), base: https.base.clone(), client: https.client.clone() };
    assert_eq!(fresh.get("/v1/customers").await.0, 200);
}
