//! The simulator over HTTP, rule by rule. Each file covers one API; this one holds what they share.

mod arm;
mod audit;
mod billing;
mod carts;
mod client_habits;
mod client_proof;
mod clock;
mod control;
mod customers;
mod discovery;
mod documentation;
mod entra;
mod faults;
mod graph;
mod interactive;
mod partners;
mod policies;
mod portal;
mod purchases;
mod role_assignments;
mod spoilt_answers;
mod strangeness;
mod tls;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Simulator, World, serve};

const PARTNER: &str = "aaaa0000-2222-4b22-9b22-000000000002";
const CUSTOMER: &str = "c0000000-0000-4000-8000-000000000000";
const OTHER_CUSTOMER: &str = "c0000000-0000-4000-8000-000000000001";
const PLAN: &str = "b0000000-0000-4000-8000-000000000000";
const AZURE: &str = "a0000000-0000-4000-8000-000000000000";
const OWNER: &str = "d0000000-0000-4000-8000-000000000000";
const STRANGER: &str = "f0000000-0000-4000-8000-000000000000";
const CLIENT: &str = "11112222-3333-4444-8555-666677778888";
const USER: &str = "operator@contosopartner.onmicrosoft.com";
const SECRET: &str = "simulated-client-secret";
const SEED: &str = "simulated-refresh-token";
const RESERVATIONS: &str = "AzureReservedInstances";
const SAVINGS: &str = "AzureSavingsPlan";
const PARTNER_CENTER: &str = "https://api.partnercenter.microsoft.com";
const ARM: &str = "https://management.azure.com/";

/// A running simulator and the access token of its Admin agent.
struct Api {
    base: String,
    client: Client,
    token: String,
}

/// Status and body of an answer; null when the body is empty.
type Answered = (u16, Value);

impl Api {
    async fn start(world: World) -> Self {
        let mut api = Self::start_silently(world).await;
        api.token = api.user_token().await;
        api
    }

    /// Without asking for a token.
    async fn start_silently(world: World) -> Self {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(listener, Simulator::new(world)));
        Self { base, client: Client::new(), token: String::new() }
    }

    /// With three generated customers.
    async fn with_customers() -> Self {
        Self::start(World::generated(3)).await
    }

    async fn user_token(&self) -> String {
        let (status, body) = self.redeem(PARTNER, SEED, PARTNER_CENTER).await;
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().expect("a token").to_owned()
    }

    async fn app_token(&self) -> String {
        let form = [("grant_type", "client_credentials"), ("resource", PARTNER_CENTER)];
        let (_, body) = self.token(&format!("{PARTNER}/oauth2/token"), &form).await;
        body["access_token"].as_str().expect("a token").to_owned()
    }

    async fn redeem(&self, tenant: &str, refresh_token: &str, resource: &str) -> Answered {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("resource", resource)];
        self.token(&format!("{tenant}/oauth2/token"), &form).await
    }

    /// A token request with the right client and these fields.
    async fn token(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let mut form = vec![("client_id", CLIENT), ("client_secret", SECRET)];
        form.extend(fields);
        answered(self.client.post(format!("{}/{path}", self.base)).form(&form)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    async fn get(&self, path: &str) -> Answered {
        answered(self.request(Method::GET, path)).await
    }

    async fn create(&self, customer: &str, resources: &[&str]) -> Answered {
        let request = self.request(Method::POST, "/v1/SelfServePolicy").json(&policy(customer, resources));
        answered(request).await
    }

    async fn update(&self, body: &Value) -> Answered {
        let id = body["id"].as_str().expect("an id");
        answered(self.request(Method::PUT, &format!("/v1/SelfServePolicy/{id}")).json(body)).await
    }

    async fn delete(&self, customer: &str) -> Answered {
        answered(self.request(Method::DELETE, &format!("/v1/SelfServePolicy/{PARTNER}_{customer}"))).await
    }

    /// A call of the control API that must succeed.
    async fn control(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = answered(self.request(method, &format!("/simulator/{path}")).json(body)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    async fn settings(&self, changes: Value) {
        self.control(Method::PATCH, "settings", &changes).await;
    }

    async fn fault(&self, fault: Value) {
        self.control(Method::POST, "faults", &fault).await;
    }

    async fn permissions(&self, customer: &str) -> Value {
        self.control(Method::GET, &format!("state/{customer}"), &Value::Null).await["permissions"].clone()
    }

    async fn audit_operations(&self) -> Vec<String> {
        let (status, body) = self.get("/v1/auditrecords?size=500").await;
        assert_eq!(status, 200, "{body}");
        let items = body["items"].as_array().expect("items");
        items.iter().map(|item| item["operationType"].as_str().expect("a type").to_owned()).collect()
    }
}

async fn answered(request: RequestBuilder) -> Answered {
    read(request.send().await.expect("an answer")).await
}

async fn read(response: Response) -> Answered {
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The body of a create.
fn policy(customer: &str, resources: &[&str]) -> Value {
    let permissions: Vec<Value> =
        resources.iter().map(|resource| json!({ "resource": resource, "action": "Purchase" })).collect();
    json!({
        "selfServeEntity": { "selfServeEntityType": "customer", "tenantID": customer },
        "grantor": { "grantorType": "billToPartner", "tenantID": PARTNER },
        "permissions": permissions,
    })
}

/// Status and fault code.
fn code(answered: &Answered) -> (u16, &str) {
    (answered.0, answered.1["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn what_is_not_served_is_not_found() {
    let api = Api::with_customers().await;
    assert_eq!(code(&api.get("/v1/nothing").await), (404, "1000"));
    let (status, body) = api.get("/subscriptions/x/providers/Microsoft.Nothing/things").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("InvalidResourceType")));
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_told_the_ones_it_has() {
    let api = Api::with_customers().await;
    for (method, path, allowed) in [
        (Method::PATCH, "/v1/customers", "GET"),
        (Method::DELETE, "/v1/auditrecords", "GET"),
        (Method::DELETE, "/V1/selfServePolicy", "GET, POST, PUT"),
        (Method::POST, "/v1/SelfServePolicy/x", "GET, PUT, DELETE"),
        (Method::GET, "/common/oauth2/token", "POST"),
        (Method::PUT, "/common/oauth2/v2.0/authorize", "GET, POST"),
    ] {
        let response = api.request(method.clone(), path).send().await.expect("an answer");
        let allow = response.headers().get("allow").map(|allow| allow.to_str().expect("text").to_owned());
        assert_eq!((response.status().as_u16(), allow.as_deref()), (405, Some(allowed)), "{method} {path}");
    }
    assert_eq!(api.get("/contoso/oauth2/deviceauth").await.0, 404, "only /common/ has that page");
}
