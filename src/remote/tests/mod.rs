//! The clients against a small server that answers as each test says, and remembers what it was asked.

mod answers;
mod billing;
mod budget;
mod documentation;
mod groups;
mod in_time;
pub(crate) mod keys;
mod kinds;
mod owners;
mod plans;
mod proving;
mod purchases;
mod reading;
mod resending;
mod signing_in;
mod simulated;
mod writing;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::model::{PermissionSet, Switch, TenantId};

use super::{
    Calls, CredentialError, CredentialSource, Credentials, Endpoints, Fence, Limits, PlainHttp, Proof, Remote, Unfenced,
};

const CUSTOMER: &str = "c1a0c1a0-1111-4a11-8a11-000000000001";
const PARTNER: &str = "aaaa0000-2222-4b22-9b22-000000000002";

fn customer() -> TenantId {
    CUSTOMER.parse().unwrap()
}

fn partner() -> TenantId {
    PARTNER.parse().unwrap()
}

fn reservations() -> PermissionSet {
    PermissionSet::new([Switch::Reservations], Vec::new())
}

/// A policy as Partner Center sends it.
fn policy(resources: &[&str]) -> Value {
    let permissions: Vec<_> =
        resources.iter().map(|resource| json!({ "resource": resource, "action": "Purchase" })).collect();
    json!({
        "id": "p_c",
        "selfServeEntity": { "selfServeEntityType": "customer", "tenantID": CUSTOMER },
        "grantor": { "grantorType": "billToPartner", "tenantID": PARTNER },
        "permissions": permissions,
        "attributes": { "etag": "\"1\"", "objectType": "SelfServePolicy" }
    })
}

fn fault(code: &str) -> Value {
    json!({ "code": code, "description": "Words.", "data": [] })
}

/// One request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    /// With the query.
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn is_sign_in(&self) -> bool {
        self.path.ends_with("/oauth2/token")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// One scripted answer.
#[derive(Debug, Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    delay: Duration,
    /// How much later it is by the clock of the clients' timers when it comes; nobody waits for that.
    later: Duration,
}

#[expect(clippy::needless_pass_by_value, reason = "so that tests can write text and JSON alike")]
fn reply(status: u16, body: impl ToString) -> Reply {
    Reply { status, headers: Vec::new(), body: body.to_string(), delay: Duration::ZERO, later: Duration::ZERO }
}

impl Reply {
    fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }

    fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn later_by(mut self, later: Duration) -> Self {
        self.later = later;
        self
    }
}

/// What happened, in order: requests, and stored refresh tokens.
#[derive(Debug, Default)]
struct Scene {
    events: Vec<String>,
    seen: Vec<Seen>,
    /// Answers still to be given to calls, in order; then 404.
    replies: VecDeque<Reply>,
    /// Answers still to be given to sign-ins, in order; then a good grant.
    sign_ins: VecDeque<Reply>,
    sign_ins_count: usize,
    /// What the keeper of the credentials was told of sign-ins.
    judgements: Vec<String>,
}

type Shared = Arc<Mutex<Scene>>;

/// The server with the clients that talk to it.
struct Stage {
    remote: Remote,
    scene: Shared,
    calls: Calls,
    secrets: Arc<Secrets>,
    address: String,
}

/// A grant of the nth sign-in, whose tokens contain `secret` so that they are found wherever they turn up.
fn grant(number: usize) -> Reply {
    reply(
        200,
        json!({
            "access_token": format!("secret-access-{number}"),
            "refresh_token": format!("secret-refresh-{number}"),
            "expires_in": "3599"
        }),
    )
}

struct Secrets {
    credentials: Mutex<Credentials>,
    scene: Shared,
    broken: Mutex<bool>,
}

/// Without the scene, which knows the secrets on the server's behalf.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("credentials", &*self.credentials.lock().unwrap()).finish_non_exhaustive()
    }
}

impl CredentialSource for Secrets {
    fn current(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        async { Ok(self.credentials.lock().unwrap().clone()) }.boxed()
    }

    fn rotated<'a>(
        &'a self,
        used: &'a Credentials,
        refresh_token: SecretString,
    ) -> BoxFuture<'a, Result<(), CredentialError>> {
        async move {
            if *self.broken.lock().unwrap() {
                return Err(CredentialError::Unavailable("no API server".into()));
            }
            let mut credentials = self.credentials.lock().unwrap();
            if used.refresh_token.expose_secret() != credentials.refresh_token.expose_secret() {
                return Ok(());
            }
            self.scene.lock().unwrap().events.push(format!("stored {}", refresh_token.expose_secret()));
            credentials.refresh_token = refresh_token;
            Ok(())
        }
        .boxed()
    }

    fn judged(&self, _used: &Credentials, judgement: crate::remote::Judgement<'_>) {
        self.scene.lock().unwrap().judgements.push(format!("{judgement:?}"));
    }
}

/// Limits under which failures show quickly.
fn quick() -> Limits {
    Limits {
        request_timeout: Duration::from_millis(300),
        write_timeout: Duration::from_millis(300),
        retry_delay_min: Duration::from_millis(1),
        ..Limits::default()
    }
}

impl Stage {
    /// A server that gives these answers.
    async fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(replies, quick(), Arc::new(Unfenced)).await
    }

    async fn with(replies: impl IntoIterator<Item = Reply>, limits: Limits, fence: Arc<dyn Fence>) -> Self {
        // Fails when another test has done it, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let scene = Shared::default();
        scene.lock().unwrap().replies = replies.into_iter().collect();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&scene));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let secrets = Arc::new(Secrets {
            credentials: Mutex::new(Credentials {
                partner_tenant: partner(),
                client_id: "app".to_owned(),
                proof: Proof::Secret("secret-client".into()),
                refresh_token: "secret-refresh-first".into(),
                generation: "1".to_owned(),
            }),
            scene: Arc::clone(&scene),
            broken: Mutex::new(false),
        });
        let endpoints = Endpoints::parse(&address, &address, &address, &address, PlainHttp::ToLoopback).unwrap();
        let calls = Calls::default();
        let remote =
            Remote::new(&endpoints, limits, Arc::clone(&secrets) as Arc<dyn CredentialSource>, fence, calls.clone())
                .unwrap();
        Self { remote, scene, calls, secrets, address }
    }

    fn sign_ins_answer(&self, replies: impl IntoIterator<Item = Reply>) {
        self.scene.lock().unwrap().sign_ins = replies.into_iter().collect();
    }

    fn events(&self) -> Vec<String> {
        self.scene.lock().unwrap().events.clone()
    }

    /// The requests but for the sign-ins.
    fn seen(&self) -> Vec<Seen> {
        self.scene.lock().unwrap().seen.iter().filter(|seen| !seen.is_sign_in()).cloned().collect()
    }

    fn sign_ins(&self) -> Vec<Seen> {
        self.scene.lock().unwrap().seen.iter().filter(|seen| seen.is_sign_in()).cloned().collect()
    }
}

/// Sets the clock of timers forward, and lets it go on.
async fn pass_time(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

async fn answer(State(scene): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let seen = Seen {
        method: head.method.to_string(),
        path: head.uri.path_and_query().unwrap().to_string(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    let reply = {
        let mut scene = scene.lock().unwrap();
        let path = seen.path.split('?').next().unwrap();
        let token = seen.header("authorization").trim_start_matches("Bearer ").to_owned();
        scene.events.push(format!("{} {path} {token}", seen.method).trim_end().to_owned());
        let is_sign_in = seen.is_sign_in();
        scene.seen.push(seen);
        if is_sign_in {
            scene.sign_ins_count += 1;
            let number = scene.sign_ins_count;
            scene.sign_ins.pop_front().unwrap_or_else(|| grant(number))
        } else {
            scene.replies.pop_front().unwrap_or_else(|| reply(404, ""))
        }
    };
    tokio::time::sleep(reply.delay).await;
    if !reply.later.is_zero() {
        pass_time(reply.later).await;
    }
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}
