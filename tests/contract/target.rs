//! Whom the contracts are checked against.

use std::{env, fs};

use csp_operator::simulator::{DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, Simulator, World, serve};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// The resource that Partner Center's tokens are for.
const RESOURCE: &str = "https://api.partnercenter.microsoft.com";

/// Partner Center, real or simulated, and what is needed to ask it.
pub(crate) struct Target {
    http: Client,
    login: String,
    api: String,
    tenant: String,
    client_id: String,
    client_secret: String,
    refresh_token: String,
    /// A customer without a policy, with an Azure plan.
    pub(crate) customer: String,
    may_write: bool,
    /// Whether it surely has something of each kind to read. Of the real one nobody knows.
    is_seeded: bool,
    user_token: OnceCell<String>,
}

/// An answer, read completely.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) request_id: Option<String>,
    pub(crate) correlation_id: Option<String>,
    /// Null when there is no body, or none that is JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The code of a fault, number or text.
    pub(crate) fn code(&self) -> Option<String> {
        match &self.body["code"] {
            Value::String(code) => Some(code.clone()),
            Value::Number(code) => Some(code.to_string()),
            _ => None,
        }
    }

    /// Status and code, for people.
    pub(crate) fn summary(&self) -> String {
        let code = self.code().map(|code| format!(" {code}")).unwrap_or_default();
        format!("{}{code}", self.status.as_u16())
    }

    /// The items of a collection.
    pub(crate) fn items(&self) -> Result<&Vec<Value>, String> {
        self.body["items"].as_array().ok_or_else(|| format!("no collection: {} {}", self.summary(), self.body))
    }
}

/// One request, with the headers that every client sends.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Below the API's address: `v1/customers`.
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Option<Value>,
    pub(crate) correlation: Uuid,
}

impl Target {
    /// A simulator of its own, in this process, with something of each kind to read.
    pub(crate) async fn simulator() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        tokio::spawn(serve(listener, Simulator::new(World::generated(3))));
        let target = Self {
            http: http(),
            login: address.clone(),
            api: address,
            tenant: "aaaa0000-2222-4b22-9b22-000000000002".to_owned(),
            client_id: "11112222-3333-4444-8555-666677778888".to_owned(),
            client_secret: DEFAULT_CLIENT_SECRET.to_owned(),
            refresh_token: DEFAULT_REFRESH_TOKEN.to_owned(),
            customer: "c0000000-0000-4000-8000-000000000000".to_owned(),
            may_write: true,
            is_seeded: true,
            user_token: OnceCell::new(),
        };
        target.seed().await;
        target
    }

    async fn seed(&self) {
        let reseller =
            json!({ "tenantId": "aaaa1111-2222-4b22-9b22-000000000002", "name": "Litware", "mpnId": "7654321" });
        let provider = json!({ "type": "IndirectProvider", "relatedPartners": [reseller] });
        self.control(Method::PATCH, "simulator/partner", Some(provider)).await;
        // Not of the customer that the contracts write to.
        let turn = json!({
            "customer": "c0000000-0000-4000-8000-000000000001", "resource": "AzureSavingsPlan", "allow": true,
            "user": "ada@contosopartner.onmicrosoft.com",
        });
        self.control(Method::POST, "simulator/portal/permission", Some(turn)).await;
    }

    /// An error when nothing was found although there surely is something: then nothing was checked, either.
    pub(crate) fn expect_some(&self, what: &str, found: usize) -> Result<(), String> {
        if self.is_seeded && found == 0 { Err(format!("no {what}, although there are some")) } else { Ok(()) }
    }

    /// The real one, as the environment describes it; or what is missing there.
    pub(crate) fn partner_center() -> Result<Self, String> {
        let text = |name: &str| env::var(name).map_err(|_| format!("{name} is not set; see docs/contract-tests.md"));
        let file = |name: &str| {
            let path = text(name)?;
            let content = fs::read_to_string(&path).map_err(|error| format!("{name}: cannot read {path}: {error}"))?;
            Ok::<_, String>(content.trim().to_owned())
        };
        let or = |name: &str, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
        Ok(Self {
            http: http(),
            login: or("CSP_CONTRACT_LOGIN_URL", "https://login.microsoftonline.com"),
            api: or("CSP_CONTRACT_PARTNER_CENTER_URL", RESOURCE),
            tenant: text("CSP_CONTRACT_TENANT")?,
            client_id: text("CSP_CONTRACT_CLIENT_ID")?,
            client_secret: file("CSP_CONTRACT_CLIENT_SECRET_FILE")?,
            refresh_token: file("CSP_CONTRACT_REFRESH_TOKEN_FILE")?,
            customer: text("CSP_CONTRACT_CUSTOMER")?,
            is_seeded: false,
            may_write: env::var("CSP_CONTRACT_ALLOW_WRITES").is_ok_and(|value| value == "yes"),
            user_token: OnceCell::new(),
        })
    }

    /// Whether policies of the customer may be written.
    pub(crate) fn may_write(&self) -> bool {
        self.may_write
    }

    /// The partner's tenant.
    pub(crate) fn partner(&self) -> &str {
        &self.tenant
    }

    /// A token of the partner's user; the sign-in happens once.
    pub(crate) async fn user_token(&self) -> Result<String, String> {
        let redeem = || async {
            self.token(&[("grant_type", "refresh_token"), ("refresh_token", &self.refresh_token), ("scope", "openid")])
                .await
        };
        self.user_token.get_or_try_init(redeem).await.cloned()
    }

    /// A token of the application alone.
    pub(crate) async fn app_token(&self) -> Result<String, String> {
        self.token(&[("grant_type", "client_credentials")]).await
    }

    async fn token(&self, grant: &[(&str, &str)]) -> Result<String, String> {
        let mut form =
            vec![("client_id", &*self.client_id), ("client_secret", &*self.client_secret), ("resource", RESOURCE)];
        form.extend(grant);
        let url = format!("{}/{}/oauth2/token", self.login, self.tenant);
        let answer = self.http.post(url).form(&form).send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| error.to_string())?;
        let token = body["access_token"].as_str().map(str::to_owned);
        // The rest of an answer without a token holds codes and texts, no secret.
        token.ok_or_else(|| format!("the sign-in was refused: {status} {}", body["error_codes"]))
    }

    /// Asks as the partner's user.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, String> {
        let token = self.user_token().await?;
        let correlation = Uuid::new_v4();
        self.send(Request { method, path, token: Some(&token), body, correlation }).await
    }

    /// Reads as the partner's user.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.ask(Method::GET, path, None).await
    }

    /// Calls the simulator's control API; only for a target that is one.
    pub(crate) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = Request { method, path, token: None, body, correlation: Uuid::nil() };
        let answer = self.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.body);
        answer.body
    }

    /// Reads the page that a `next` link names.
    pub(crate) async fn follow(&self, path: &str, token: &str, continuation: Option<&str>) -> Result<Answer, String> {
        let correlation = Uuid::new_v4();
        let request = Request { method: Method::GET, path, token: Some(token), body: None, correlation };
        self.exchange(request, continuation).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Answer, String> {
        self.exchange(request, None).await
    }

    async fn exchange(&self, request: Request<'_>, continuation: Option<&str>) -> Result<Answer, String> {
        let mut builder = self
            .http
            .request(request.method, format!("{}/{}", self.api, request.path))
            .header("Accept", "application/json")
            .header("MS-RequestId", Uuid::new_v4().to_string())
            .header("MS-CorrelationId", request.correlation.to_string());
        if let Some(token) = request.token {
            builder = builder.bearer_auth(token);
        }
        if let Some(continuation) = continuation {
            builder = builder.header("MS-ContinuationToken", continuation);
        }
        if let Some(body) = request.body {
            builder = builder.json(&body);
        }
        let response = builder.send().await.map_err(|error| error.without_url().to_string())?;
        let header = |name| response.headers().get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let (status, request_id, correlation_id) =
            (response.status(), header("MS-RequestId"), header("MS-CorrelationId"));
        let text = response.text().await.map_err(|error| error.without_url().to_string())?;
        let body = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or(Value::Null);
        Ok(Answer { status, request_id, correlation_id, body })
    }
}

fn http() -> Client {
    // The process has no TLS implementation of its own choosing; a second call finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// An error unless the answer has one of these statuses.
pub(crate) fn expect_status(answer: &Answer, statuses: &[u16]) -> Result<(), String> {
    if statuses.contains(&answer.status.as_u16()) {
        return Ok(());
    }
    Err(format!("{} instead of one of {statuses:?}: {}", answer.summary(), answer.body))
}

/// An error unless the answer is a refusal with one of these statuses and codes.
pub(crate) fn expect_refusal(answer: &Answer, likely: &[(u16, &str)]) -> Result<String, String> {
    let code = answer.code().unwrap_or_default();
    if likely.iter().any(|(status, expected)| *status == answer.status.as_u16() && *expected == code) {
        return Ok(answer.summary());
    }
    Err(format!("{} instead of one of {likely:?}: {}", answer.summary(), answer.body))
}
