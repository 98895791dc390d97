//! The store against an API server that knows one Secret, in this process.

use std::sync::Mutex as StdMutex;

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::*;

/// An API server that keeps the operator's Secret, answers with `fault` instead while there is one, and tells what it
/// was asked.
#[derive(Debug, Clone, Default)]
struct ApiServer(Arc<StdMutex<State>>);

#[derive(Debug, Default)]
struct State {
    secret: Option<Value>,
    version: u64,
    fault: Option<StatusCode>,
    requests: Vec<Method>,
}

impl ApiServer {
    fn client(&self) -> Client {
        let server = self.clone();
        let answer = move |method: Method, body: Bytes| async move { server.answer(method, &body) };
        Client::new(Router::new().fallback(answer), "csp")
    }

    fn answer(&self, method: Method, body: &[u8]) -> Response {
        let mut state = self.0.lock().unwrap();
        state.requests.push(method.clone());
        if let Some(code) = state.fault {
            return failure(code);
        }
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        let found = state.secret.clone();
        let next = match (method, found) {
            (Method::GET | Method::PATCH, None) => return failure(StatusCode::NOT_FOUND),
            (Method::GET, Some(found)) => return axum::Json(found).into_response(),
            (Method::POST, None) => sent,
            (Method::PATCH, Some(found))
                if sent["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"] =>
            {
                sent
            }
            _ => return failure(StatusCode::CONFLICT),
        };
        state.store(next)
    }

    fn fail_with(&self, fault: Option<StatusCode>) {
        self.0.lock().unwrap().fault = fault;
    }

    /// What is kept, as another replica would read it.
    fn kept(&self) -> Option<Tokens> {
        let secret = self.0.lock().unwrap().secret.clone()?;
        tokens::decode(&serde_json::from_value(secret).unwrap()).unwrap()
    }

    /// Another replica writes.
    fn write(&self, tokens: &Tokens) {
        let secret = tokens::encode("tokens", None, tokens).unwrap();
        self.0.lock().unwrap().store(serde_json::to_value(secret).unwrap());
    }

    fn requests(&self) -> Vec<Method> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }
}

impl State {
    fn store(&mut self, mut secret: Value) -> Response {
        self.version += 1;
        secret["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.secret = Some(secret.clone());
        axum::Json(secret).into_response()
    }
}

fn failure(code: StatusCode) -> Response {
    let reason = match code {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::FORBIDDEN => "Forbidden",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "status": "Failure", "code": code.as_u16(), "reason": reason, "message": "no",
    });
    (code, axum::Json(body)).into_response()
}

type User = watch::Sender<Option<Result<SignIn, StoreError>>>;

/// A process that has just started and has read `user`.
fn start(server: &ApiServer, user: Option<SignIn>) -> (SecretStore, User) {
    let (report, user) = watch::channel(user.map(Ok));
    let store = SecretStore {
        api: Api::namespaced(server.client(), "csp"),
        namespace: "csp".to_owned(),
        tokens_secret: "tokens".to_owned(),
        user,
        memory: Mutex::default(),
    };
    (store, report)
}

fn user(token: &str) -> SignIn {
    let mut secret = Secret::default();
    for (key, value) in [
        ("partnerTenantId", "c1a0c1a0-1111-4a11-8a11-00000000000f"),
        ("clientId", "c1a0c1a0-1111-4a11-8a11-000000000001"),
        ("clientSecret", "hush"),
        ("refreshToken", token),
    ] {
        secret.data.get_or_insert_default().insert(key.to_owned(), ByteString(value.into()));
    }
    SignIn::read(Some(&secret), "csp/user").unwrap()
}

async fn token(store: &SecretStore) -> String {
    store.current().await.unwrap().refresh_token.expose_secret().to_owned()
}

async fn rotate(store: &SecretStore, new: &str) -> Result<(), CredentialError> {
    let used = store.current().await.unwrap();
    store.rotated(&used, new.into()).await
}

fn kept(server: &ApiServer) -> String {
    server.kept().unwrap().refresh_token.expose_secret().to_owned()
}

#[tokio::test]
async fn a_rotated_token_outlives_the_process() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    assert_eq!(token(&store).await, "u1");
    rotate(&store, "r1").await.unwrap();
    assert_eq!((token(&store).await.as_str(), kept(&server).as_str()), ("r1", "r1"));

    let (restarted, _user) = start(&server, Some(user("u1")));
    assert_eq!(token(&restarted).await, "r1");
    rotate(&restarted, "r2").await.unwrap();
    assert_eq!(kept(&server), "r2");
}

#[tokio::test]
async fn asking_costs_no_request() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    token(&store).await;
    assert_eq!(server.requests(), [Method::GET, Method::POST]);
    token(&store).await;
    rotate(&store, "u1").await.unwrap();
    assert_eq!(server.requests(), [] as [Method; 0]);
    rotate(&store, "r1").await.unwrap();
    assert_eq!(server.requests(), [Method::PATCH]);
}

#[tokio::test]
async fn a_token_that_cannot_be_written_is_used_and_written_later() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    token(&store).await;
    server.fail_with(Some(StatusCode::FORBIDDEN));
    let error = rotate(&store, "r1").await.unwrap_err();
    let text = Chain(&error).to_string();
    assert!(
        text.contains("could not write the Secret csp/tokens: not permitted to patch secrets csp/tokens"),
        "{text}"
    );
    assert_eq!((token(&store).await.as_str(), kept(&server).as_str()), ("r1", "u1"));

    server.fail_with(None);
    store.save(Duration::from_secs(1)).await;
    assert_eq!(kept(&server), "r1");
}

#[tokio::test]
async fn the_users_token_is_not_used_before_the_newest_is_known() {
    let server = ApiServer::default();
    server.fail_with(Some(StatusCode::INTERNAL_SERVER_ERROR));
    let (store, _user) = start(&server, Some(user("u1")));
    assert!(matches!(store.current().await, Err(CredentialError::Unavailable(_))));
    server.fail_with(None);
    assert_eq!(token(&store).await, "u1");
}

#[tokio::test]
async fn of_two_writers_the_newer_token_stays() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    token(&store).await;
    let theirs = server.kept().unwrap().rotated("theirs".into(), "2999-01-01T00:00:00Z".parse().unwrap());
    server.write(&theirs);
    rotate(&store, "ours").await.unwrap();
    assert_eq!((token(&store).await.as_str(), kept(&server).as_str()), ("theirs", "theirs"));

    let older = Tokens { issued_at: Timestamp::UNIX_EPOCH, ..theirs };
    server.write(&older);
    rotate(&store, "newest").await.unwrap();
    assert_eq!(kept(&server), "newest");
}

#[tokio::test]
async fn a_deleted_secret_is_made_anew() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    token(&store).await;
    server.0.lock().unwrap().secret = None;
    rotate(&store, "r1").await.unwrap();
    assert_eq!(kept(&server), "r1");
}

#[tokio::test]
async fn only_a_person_changes_the_generation() {
    let server = ApiServer::default();
    let (store, report) = start(&server, Some(user("u1")));
    let first = store.current().await.unwrap();
    rotate(&store, "r1").await.unwrap();
    let rotated = store.current().await.unwrap();
    assert_eq!(rotated.generation, first.generation);

    report.send_replace(Some(Ok(user("u2"))));
    let supplied = store.current().await.unwrap();
    assert_ne!(supplied.generation, first.generation);
    // What the old token is exchanged for comes too late.
    store.rotated(&rotated, "late".into()).await.unwrap();
    assert_eq!(token(&store).await, "u2");

    report.send_replace(Some(Ok(user("u1"))));
    assert_eq!(store.current().await.unwrap().generation, supplied.generation);
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_is_not_there_is_said_so() {
    let server = ApiServer::default();
    let (store, report) = start(&server, None);
    let Err(error) = store.current().await else { panic!("nothing was read") };
    assert!(Chain(&error).to_string().contains("has not been read yet"), "{}", Chain(&error));

    report.send_replace(Some(Err(StoreError::Invalid("the Secret is missing".to_owned()))));
    let Err(error) = store.current().await else { panic!("it is missing") };
    assert_eq!(error.to_string(), "the Secret is missing");
    assert_eq!(server.requests(), [] as [Method; 0]);
}
