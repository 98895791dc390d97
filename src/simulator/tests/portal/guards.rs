//! What the portal refuses to whom: pages of other sites, names that point here, addresses that are none.

use super::*;

const NAMED: &str = r#"
customers:
- tenantId: c0000000-0000-4000-8000-000000000000
  name: '<script>alert("x")</script> & Sons'
  domain: '"><img src=x>.test'
  users: [{ upn: '<b>@x.test', objectId: d0000000-0000-4000-8000-000000000000 }]
"#;

#[tokio::test]
async fn a_customer_called_like_a_script_is_only_text() {
    let browser = Browser::open(World::from_yaml(NAMED).expect("a world")).await;
    browser.submit(&permissions_path(), &[("turn", "AzureSavingsPlan:on")]).await;
    for path in ["/portal/customers", "/portal/customers?search=%3Cscript%3E", &account_path()] {
        let page = browser.get(path).await;
        page.has("&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62; &#38; Sons").lacks("<script").lacks("<img");
    }
    browser.get("/portal/customers?search=%22%3E%3Cscript%3E").await.has("value=\"&#34;&#62;&#60;script&#62;\"");
}

#[tokio::test]
async fn no_page_has_a_script_and_every_answer_forbids_them() {
    let browser = Browser::with_customers().await;
    let subscriptions = format!("{}/subscriptions", account_path());
    for path in
        ["/portal", "/portal/customers", &account_path(), &subscriptions, "/portal/nothing", "/portal/style.css"]
    {
        let page = browser.get(path).await;
        let header = |name: &str| page.headers[name].to_str().expect("text").to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("script"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"), "{path}: {policy}");
        assert_eq!((header("x-content-type-options"), header("cache-control")), ("nosniff".into(), "no-store".into()));
        page.lacks("<script").lacks("javascript:").lacks("<style").lacks(" style=").lacks(" onclick");
        if page.html.contains("<html") {
            page.has("<strong>Simulation.</strong>")
                .has("not Microsoft’s Partner Center")
                .lacks("http://")
                .lacks("https://");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let browser = Browser::with_customers().await;
    let port = browser.api.base.rsplit_once(':').expect("a port").1;
    let form = [("turn", "AzureSavingsPlan:on")];
    let request = || browser.request(Method::POST, &permissions_path()).form(&form);
    let others =
        ["https://evil.test", "null", "http://127.0.0.1", "http://localhost:1", &format!("http://localhost:{port}")];
    for origin in others {
        let answer = shown(request().header("origin", origin)).await;
        assert_eq!(answer.status, 403, "{origin}");
        // Whoever wrote a script is told where to go.
        let instead = format!("{}/simulator/portal/permission (docs/simulator.md#control-api)", browser.api.base);
        answer.has(&format!("a page of `{origin}` may change nothing in the portal")).has(&instead);
    }
    let answer = shown(request()).await;
    assert_eq!(answer.status, 403, "no origin");
    answer.has("needs the header Origin").has("in a script, call the control API");
    // Its name is made to point here, so that its pages and this one have one origin.
    let rebound = format!("evil.test:{port}");
    let answer = shown(request().header("host", &rebound).header("origin", format!("http://{rebound}"))).await;
    assert_eq!(answer.status, 421);
    answer.has("use localhost, its IP address");
    assert_eq!(shown(browser.request(Method::GET, "/portal/customers").header("host", &rebound)).await.status, 421);

    // Nor by the control API, which a browser can call with a body that is not called JSON.
    let body = json!({ "customer": CUSTOMER, "resource": SAVINGS, "allow": true, "user": ADA }).to_string();
    let call = || browser.request(Method::POST, "/simulator/portal/permission").body(body.clone());
    for (host, origin) in [(None, "https://evil.test".to_owned()), (Some(&rebound), format!("http://{rebound}"))] {
        let call = call().header("origin", origin).header("content-type", "text/plain");
        let call = host.into_iter().fold(call, |call, host| call.header("host", host));
        let answer = shown(call).await;
        assert_eq!(answer.status, 403);
        answer.has(if host.is_none() { "so leave it out" } else { "use localhost, its IP address" });
    }
    assert_eq!(browser.api.permissions(CUSTOMER).await, json!([]));
    assert_eq!(shown(call()).await.status, 200, "a program");
}

#[tokio::test]
async fn what_is_not_there_is_said_on_a_page() {
    let browser = Browser::with_customers().await;
    for path in
        ["/portal/nothing", "/portal/customers/x", &format!("/portal/customers/{STRANGER}"), "/portal/customers/a/b"]
    {
        let page = browser.get(path).await;
        assert_eq!(page.status, 404, "{path}");
        page.has("<h1>Not found</h1>").has("All customers");
    }
    let stranger = format!("/portal/customers/{STRANGER}/permissions");
    assert_eq!(browser.post(&stranger, &[("turn", "AzureSavingsPlan:on")]).await.status, 404);
    for (method, path, allow) in [
        (Method::GET, permissions_path(), "POST"),
        (Method::GET, "/portal/sign-in".to_owned(), "POST"),
        (Method::POST, account_path(), "GET"),
        (Method::DELETE, account_path(), "GET, POST"),
    ] {
        let answer = shown(browser.request(method.clone(), &path).header("origin", &browser.api.base)).await;
        assert_eq!(
            (answer.status, &answer.headers["allow"]),
            (405, &allow.parse().expect("a value")),
            "{method} {path}"
        );
    }
    let head = shown(browser.request(Method::HEAD, "/portal/customers")).await;
    assert_eq!((head.status, head.html.as_str()), (200, ""));
}

#[tokio::test]
async fn neither_latency_nor_faults_nor_the_request_log_concern_the_portal() {
    let browser = Browser::with_customers().await;
    browser.api.settings(json!({ "latencyMs": 3_600_000 })).await;
    browser.api.fault(json!({ "answer": { "kind": "disconnect", "applied": false } })).await;
    browser.api.control(Method::DELETE, "requests", &Value::Null).await;
    assert_eq!(browser.get("/portal/customers").await.status, 200);
    let log = browser.api.control(Method::GET, "requests", &Value::Null).await;
    assert_eq!(log["requests"], json!([]));
}
