//! The store against an API server in this process.

use axum::http::{Method, StatusCode};
use k8s_openapi::ByteString;

use super::*;
use crate::operator::test_api::ApiServer;

type User = watch::Sender<Option<Result<SignIn, StoreError>>>;

/// A process that has just started and has read `user`.
fn start(server: &ApiServer, user: Option<SignIn>) -> (SecretStore, User) {
    let (report, user) = watch::channel(user.map(Ok));
    let store = SecretStore {
        api: Api::namespaced(server.client(), "csp"),
        namespace: "csp".to_owned(),
        user_secret: "user".to_owned(),
        tokens_secret: "tokens".to_owned(),
        user,
        memory: Mutex::default(),
        refusal: std::sync::Mutex::default(),
        renewed: Arc::default(),
        notes: std::sync::Mutex::default(),
        outlook: Outlook::new(server.client(), "csp", "tokens", "replica", &Metrics::new()),
        readiness: Readiness::new(),
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
    SignIn::read(Some(&secret), "csp/user", None).unwrap()
}

async fn token(store: &SecretStore) -> String {
    store.current().await.unwrap().refresh_token.expose_secret().to_owned()
}

async fn rotate(store: &SecretStore, new: &str) -> Result<(), CredentialError> {
    let used = store.current().await.unwrap();
    store.rotated(&used, new.into()).await
}

/// What is kept, as another replica would read it.
fn kept_tokens(server: &ApiServer) -> Tokens {
    tokens::decode(&serde_json::from_value(server.object().unwrap()).unwrap()).unwrap().unwrap()
}

/// Another replica writes.
fn write(server: &ApiServer, tokens: &Tokens) {
    let secret = tokens::encode("tokens", None, tokens).unwrap();
    server.set_object(Some(serde_json::to_value(secret).unwrap()));
}

fn kept(server: &ApiServer) -> String {
    kept_tokens(server).refresh_token.expose_secret().to_owned()
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
    let theirs = kept_tokens(&server).rotated("theirs".into(), "2999-01-01T00:00:00Z".parse().unwrap());
    write(&server, &theirs);
    rotate(&store, "ours").await.unwrap();
    assert_eq!((token(&store).await.as_str(), kept(&server).as_str()), ("theirs", "theirs"));

    let older = Tokens { issued_at: Timestamp::UNIX_EPOCH, ..theirs };
    write(&server, &older);
    rotate(&store, "newest").await.unwrap();
    assert_eq!(kept(&server), "newest");
}

#[tokio::test]
async fn a_deleted_secret_is_made_anew() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    token(&store).await;
    server.set_object(None);
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

fn credentials_line(store: &SecretStore) -> String {
    let (_, text) = store.readiness.report();
    text.lines().find_map(|line| line.strip_prefix("credentials: ")).unwrap().to_owned()
}

#[tokio::test]
async fn readyz_tells_a_refused_sign_in_and_is_ready_all_the_same() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    let used = store.current().await.unwrap();
    store.judged(&used, Judgement::Accepted);
    store.stand();
    assert_eq!(credentials_line(&store), "ok");
    store.judged(&used, Judgement::Refused("the token is spent; run: kubectl csp login"));
    assert_eq!(credentials_line(&store), "ok, but the token is spent; run: kubectl csp login");
    store.judged(&used, Judgement::Accepted);
    assert_eq!(credentials_line(&store), "ok");
}

#[tokio::test]
async fn readyz_tells_when_the_refresh_token_ends_soon() {
    let server = ApiServer::default();
    let (store, _user) = start(&server, Some(user("u1")));
    token(&store).await;
    store.look_ahead().await;
    assert_eq!(credentials_line(&store), "ok", "it has ninety days left");
    let issued_at = Timestamp::now() - jiff::SignedDuration::from_hours(80 * 24);
    store.memory.lock().await.tokens.as_mut().unwrap().issued_at = issued_at;
    store.look_ahead().await;
    let line = credentials_line(&store);
    assert!(line.starts_with("ok, but the refresh token can be used until "), "{line}");
    assert!(line.ends_with("run: kubectl csp login"), "{line}");
}

#[tokio::test]
async fn an_expired_certificate_is_told_and_used_all_the_same() {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let key = include_str!("../../../tests/keys/application.pem");
    let certificate = params.self_signed(&rcgen::KeyPair::from_pem(key).unwrap()).unwrap().pem();
    let certificate = crate::remote::ClientCertificate::from_pem(certificate.as_bytes(), &key.into()).unwrap();
    let proof = crate::remote::Proof::Certificate(Arc::new(certificate));
    let (store, _user) = start(&ApiServer::default(), Some(SignIn { proof, ..user("u1") }));
    assert_eq!(token(&store).await, "u1", "an access token that is still good needs no certificate");
    store.look_ahead().await;
    assert_eq!(
        credentials_line(&store),
        "ok, but the certificate in the key tls.crt of the Secret csp/user expired at 2002-01-01T00:00:00Z: put in one that is valid, and register it with the application"
    );
}
