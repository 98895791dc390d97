//! The shell around [`super::tokens`]: watches one Secret, reads and writes the other.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watch_object};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Mutex, MutexGuard, Notify, watch};

use super::outlook::{self, Credential, Outlook, Warning};
use super::sign_in::{Defect, SignIn};
use super::timeout::REQUEST_TIMEOUT;
use super::tokens::{self, Choice, Fingerprint, Tokens};
use crate::operator::call::{Call, CallError, within};
use crate::operator::health::{Check, Readiness, Standing};
use crate::operator::metrics::Metrics;
use crate::operator::settings::Settings;
use crate::operator::telemetry::{Chain, Complaints};
use crate::remote::{CredentialError, CredentialSource, Credentials, Judgement};

/// How long the first answer of the watch is waited for.
const FIRST_READING_MAX: Duration = Duration::from_secs(10);

/// How often a token that could not be written is tried again.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// How often a write is tried again at once because somebody else wrote in between.
const CONFLICTS_MAX: u32 = 3;

/// Why the sign-in cannot be had, or not be kept. No text holds a value.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum StoreError {
    /// The user's Secret is missing or incomplete: a person must act.
    #[error("{0}")]
    Invalid(String),
    /// The user's Secret has not been read yet.
    #[error("the Secret {secret} has not been read yet")]
    NotRead {
        /// Namespace and name.
        secret: String,
    },
    /// A Secret cannot be read or written at the moment.
    #[error("could not {what} the Secret {secret}")]
    Unavailable {
        /// What was attempted: read or write.
        what: &'static str,
        /// Namespace and name.
        secret: String,
        /// The cause.
        source: Arc<CallError>,
    },
    /// The write lost against others too often.
    #[error("could not write the Secret {secret}: somebody else keeps changing it")]
    Contended {
        /// Namespace and name.
        secret: String,
    },
}

/// The partner's sign-in as the two Secrets have it.
#[derive(Debug)]
pub(in crate::operator) struct SecretStore {
    api: Api<Secret>,
    namespace: String,
    user_secret: String,
    tokens_secret: String,
    /// What the user's Secret was at the last reading; nothing before the first.
    user: watch::Receiver<Option<Result<SignIn, StoreError>>>,
    memory: Mutex<Memory>,
    /// Which generation of the sign-in is refused or cannot be used, while it is so, and why.
    refusal: std::sync::Mutex<Option<(String, String)>>,
    /// Another token is the newest: when it ends may have to be told.
    renewed: Arc<Notify>,
    /// What ends soon.
    notes: std::sync::Mutex<Vec<String>>,
    outlook: Outlook,
    readiness: Readiness,
}

/// What is known of the operator's Secret.
#[derive(Debug, Default)]
struct Memory {
    /// Whether it has been read.
    loaded: bool,
    /// Its resourceVersion, when it exists.
    version: Option<String>,
    /// Its uid, when it exists.
    uid: Option<String>,
    /// The newest token, written or not.
    tokens: Option<Tokens>,
    /// Whether the newest token is only here.
    unsaved: bool,
    /// How often a person has changed the sign-in.
    generation: u64,
    /// Tenant, application and its secret at the last look.
    identity: Option<(crate::model::TenantId, String, Fingerprint)>,
}

impl CredentialSource for SecretStore {
    fn current(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        async { self.sign_in().await.map_err(Into::into) }.boxed()
    }

    fn rotated<'a>(
        &'a self,
        used: &'a Credentials,
        refresh_token: SecretString,
    ) -> BoxFuture<'a, Result<(), CredentialError>> {
        async { self.rotate(&used.refresh_token, refresh_token).await.map_err(Into::into) }.boxed()
    }

    fn judged(&self, used: &Credentials, judgement: Judgement<'_>) {
        let mut known = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match judgement {
            Judgement::Accepted => None,
            Judgement::Refused(why) | Judgement::Unusable(why) => Some((used.generation.clone(), why.to_owned())),
        };
        if *known == now {
            return;
        }
        match judgement {
            Judgement::Accepted => tracing::info!("Microsoft Entra accepts the partner's sign-in again"),
            Judgement::Refused(why) => tracing::warn!(error = why, "Microsoft Entra refuses the partner's sign-in"),
            Judgement::Unusable(why) => tracing::warn!(error = why, "the partner's sign-in cannot be used"),
        }
        *known = now;
        drop(known);
        self.stand();
    }
}

impl From<StoreError> for CredentialError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(message) => Self::Invalid { message },
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl SecretStore {
    /// Watches the user's Secret from now on, and keeps `readiness` up to date. The operator's Secret is not touched
    /// before the sign-in is asked for.
    pub(in crate::operator) fn open(
        client: Client,
        settings: &Settings,
        readiness: Readiness,
        metrics: &Metrics,
    ) -> Arc<Self> {
        let outlook =
            Outlook::new(client.clone(), &settings.namespace, &settings.tokens_secret, &settings.identity, metrics);
        let api = Api::namespaced(client, &settings.namespace);
        let (report, user) = watch::channel(None);
        let store = Arc::new(Self {
            api: api.clone(),
            namespace: settings.namespace.clone(),
            user_secret: settings.credentials_secret.clone(),
            tokens_secret: settings.tokens_secret.clone(),
            user,
            memory: Mutex::default(),
            refusal: std::sync::Mutex::default(),
            renewed: Arc::default(),
            notes: std::sync::Mutex::default(),
            outlook,
            readiness,
        });
        let watch = Watch {
            api,
            namespace: settings.namespace.clone(),
            name: settings.credentials_secret.clone(),
            federated: settings.federated_token_file.clone(),
            report,
            store: Arc::downgrade(&store),
            renewed: Arc::clone(&store.renewed),
            complaints: Complaints::default(),
        };
        tokio::spawn(watch.run());
        store
    }

    /// The sign-in with the newest refresh token.
    async fn sign_in(&self) -> Result<Credentials, StoreError> {
        let user = self.user().await?;
        let mut memory = self.loaded().await?;
        if let Choice::Adopt(adopted) = tokens::choose(&user, memory.tokens.as_ref(), Timestamp::now()) {
            tracing::info!(
                "the user's Secret has changed: going on with its refresh token, or the newest that came of it"
            );
            memory.tokens = Some(adopted);
            memory.unsaved = true;
            memory.generation += 1;
            // It can be used all the same: the user's Secret has it too.
            self.save_and_tell(&mut memory).await;
        }
        let identity = (user.partner_tenant, user.client_id.clone(), Fingerprint::of_proof(&user.proof));
        if memory.identity.as_ref() != Some(&identity) {
            memory.identity = Some(identity);
            memory.generation += 1;
        }
        let newest = memory.tokens.as_ref().map(|tokens| tokens.refresh_token.clone());
        Ok(Credentials {
            partner_tenant: user.partner_tenant,
            client_id: user.client_id,
            proof: user.proof,
            refresh_token: newest.unwrap_or(user.refresh_token),
            generation: memory.generation.to_string(),
        })
    }

    /// Keeps `refresh_token`, which came in exchange for `used`. An error means that it is kept in memory only; it is
    /// written later, if this process lives.
    async fn rotate(&self, used: &SecretString, refresh_token: SecretString) -> Result<(), StoreError> {
        let mut memory = self.loaded().await?;
        match &memory.tokens {
            Some(tokens) if is(&tokens.refresh_token, used) && !is(&tokens.refresh_token, &refresh_token) => {
                memory.tokens = Some(tokens.rotated(refresh_token, Timestamp::now()));
                memory.unsaved = true;
            }
            // It is the same, or a person has supplied another one since, or the same one was exchanged twice at the
            // same time. The one we have is as good, or newer.
            _ => {}
        }
        if memory.unsaved { self.save_now(&mut memory).await } else { Ok(()) }
    }

    /// Writes what has not been written yet, within `limit`.
    pub(in crate::operator) async fn save(&self, limit: Duration) {
        let saved = async {
            let mut memory = self.memory.lock().await;
            if memory.unsaved {
                self.save_and_tell(&mut memory).await;
            }
        };
        if tokio::time::timeout(limit, saved).await.is_err() {
            tracing::warn!(secret = self.tokens_name(), "the newest refresh token could not be written in time");
        }
    }

    /// What the user's Secret says, once it has been read.
    async fn user(&self) -> Result<SignIn, StoreError> {
        let mut user = self.user.clone();
        let first = tokio::time::timeout(FIRST_READING_MAX, user.wait_for(Option::is_some)).await;
        let not_read = || StoreError::NotRead { secret: self.user_name() };
        match first {
            Ok(Ok(reading)) => reading.clone().unwrap_or_else(|| Err(not_read())),
            Ok(Err(_)) | Err(_) => Err(not_read()),
        }
    }

    /// The memory, after the operator's Secret has been read once. Before that the user's token must not be used: it
    /// may be older by months.
    async fn loaded(&self) -> Result<MutexGuard<'_, Memory>, StoreError> {
        let mut memory = self.memory.lock().await;
        if !memory.loaded {
            (memory.version, memory.uid, memory.tokens) = self.read().await?;
            memory.loaded = true;
            self.foresee(&memory);
        }
        Ok(memory)
    }

    async fn read(&self) -> Result<(Option<String>, Option<String>, Option<Tokens>), StoreError> {
        let call = || self.call("get");
        let found = within(REQUEST_TIMEOUT, call, self.api.get_opt(&self.tokens_secret))
            .await
            .map_err(|error| self.unavailable("read", error))?;
        let Some(secret) = found else { return Ok((None, None, None)) };
        let tokens = tokens::decode(&secret).unwrap_or_else(|error| {
            tracing::warn!(
                secret = self.tokens_name(),
                %error,
                "the kept refresh token is lost; beginning anew with the one of the user's Secret"
            );
            None
        });
        Ok((secret.metadata.resource_version, secret.metadata.uid, tokens))
    }

    async fn save_and_tell(&self, memory: &mut Memory) {
        if let Err(error) = self.save_now(memory).await {
            tracing::warn!(error = %Chain(&error), "the newest refresh token is in memory only; trying again later");
        }
    }

    /// Writes the newest token. If somebody else has written, the newest of both stays.
    async fn save_now(&self, memory: &mut Memory) -> Result<(), StoreError> {
        for _ in 0..CONFLICTS_MAX {
            let Some(newest) = &memory.tokens else { return Ok(()) };
            match self.write(memory.version.as_deref(), newest).await {
                Ok(written) => {
                    memory.version = written.metadata.resource_version;
                    memory.uid = written.metadata.uid;
                    memory.unsaved = false;
                    self.foresee(memory);
                    return Ok(());
                }
                Err(error) if lost_a_race(&error, memory.version.is_some()) => {
                    let theirs;
                    (memory.version, memory.uid, theirs) = self.read().await?;
                    memory.tokens = memory.tokens.take().map(|ours| ours.newest(theirs));
                }
                Err(error) => return Err(self.unavailable("write", error)),
            }
        }
        Err(StoreError::Contended { secret: self.tokens_name() })
    }

    async fn write(&self, version: Option<&str>, newest: &Tokens) -> Result<Secret, CallError> {
        let verb = if version.is_some() { "patch" } else { "create" };
        let call = || self.call(verb);
        let secret = tokens::encode(&self.tokens_secret, version, newest)
            .map_err(|error| CallError::new(call(), kube::Error::SerdeError(error)))?;
        if version.is_some() {
            let params = PatchParams::default();
            within(REQUEST_TIMEOUT, call, self.api.patch(&self.tokens_secret, &params, &Patch::Merge(&secret))).await
        } else {
            within(REQUEST_TIMEOUT, call, self.api.create(&PostParams::default(), &secret)).await
        }
    }

    fn unavailable(&self, what: &'static str, source: CallError) -> StoreError {
        StoreError::Unavailable { what, secret: self.tokens_name(), source: Arc::new(source) }
    }

    fn call(&self, verb: &'static str) -> Call {
        Call { verb, resource: "secrets".into(), object: self.tokens_name() }
    }

    /// Shows when the newest token ends.
    fn foresee(&self, memory: &Memory) {
        let ends = memory.tokens.as_ref().map(|tokens| outlook::refresh_token_ends(tokens.issued_at));
        self.outlook.show(Credential::RefreshToken, ends);
        self.renewed.notify_one();
    }

    /// Tells what ends soon.
    async fn look_ahead(&self) {
        let now = Timestamp::now();
        let (ends, uid) = {
            let memory = self.memory.lock().await;
            let ends = memory.tokens.as_ref().map(|tokens| outlook::refresh_token_ends(tokens.issued_at));
            (ends, memory.uid.clone())
        };
        let certificate_ends = self.user.borrow().as_ref().and_then(|user| user.as_ref().ok()?.proof_ends());
        self.outlook.show(Credential::Certificate, certificate_ends);
        let near = [(Credential::RefreshToken, ends), (Credential::Certificate, certificate_ends)]
            .into_iter()
            .filter_map(|(credential, ends)| Warning::due(credential, ends?, now));
        let mut notes = Vec::new();
        for warning in near {
            self.outlook.tell(warning, uid.clone()).await;
            if !warning.is_of_ended_certificate(now) {
                notes.push(warning.sentence());
            }
        }
        *self.notes.lock().unwrap_or_else(PoisonError::into_inner) = notes;
        self.stand();
    }

    /// Has `/readyz` tell how the sign-in stands.
    fn stand(&self) {
        let standing = match &*self.user.borrow() {
            None => return,
            Some(Err(error)) => Standing::Missing(Chain(error).to_string()),
            Some(Ok(user)) => {
                let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
                let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
                notes.extend(user.note(&self.user_name(), Timestamp::now()));
                notes.extend(refusal.as_ref().map(|(_, why)| why.clone()));
                if notes.is_empty() { Standing::Ready } else { Standing::Noted(notes.join("; ")) }
            }
        };
        self.readiness.set(Check::Credentials, standing);
    }

    fn user_name(&self) -> String {
        format!("{}/{}", self.namespace, self.user_secret)
    }

    fn tokens_name(&self) -> String {
        format!("{}/{}", self.namespace, self.tokens_secret)
    }
}

fn is(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

/// Whether a write was refused because somebody else wrote, created or deleted the Secret first.
fn lost_a_race(error: &CallError, existed: bool) -> bool {
    match error {
        CallError::Conflict { .. } => true,
        // One that did not exist is missing its namespace.
        CallError::NotFound { .. } => existed,
        _ => false,
    }
}

/// Watches the user's Secret.
struct Watch {
    api: Api<Secret>,
    namespace: String,
    name: String,
    federated: Option<PathBuf>,
    report: watch::Sender<Option<Result<SignIn, StoreError>>>,
    store: Weak<SecretStore>,
    renewed: Arc<Notify>,
    complaints: Complaints,
}

impl Watch {
    /// Watches until the store is gone. Also writes, from time to time, what the store could not write.
    async fn run(mut self) {
        let mut readings = std::pin::pin!(watch_object(self.api.clone(), &self.name).default_backoff());
        let mut save = tokio::time::interval(SAVE_EVERY);
        loop {
            tokio::select! {
                reading = readings.next() => match reading {
                    Some(Ok(secret)) => self.found(secret.as_ref()),
                    Some(Err(error)) => self.failed(error),
                    None => return,
                },
                () = self.renewed.notified() => match self.store.upgrade() {
                    Some(store) => store.look_ahead().await,
                    None => return,
                },
                _ = save.tick() => match self.store.upgrade() {
                    Some(store) => {
                        store.save(SAVE_EVERY).await;
                        store.look_ahead().await;
                    }
                    None => return,
                },
            }
        }
    }

    fn found(&mut self, secret: Option<&Secret>) {
        let name = format!("{}/{}", self.namespace, self.name);
        self.complaints.clear();
        match SignIn::read(secret, &name, self.federated.as_deref()) {
            Ok(sign_in) => {
                tracing::info!(secret = name, partner_tenant = %sign_in.partner_tenant, "read the partner's sign-in");
                self.said(Ok(sign_in));
            }
            Err(defect) => self.unusable(&defect),
        }
    }

    fn unusable(&self, defect: &Defect) {
        let text = defect.to_string();
        tracing::warn!(error = text, "cannot sign in");
        self.said(Err(StoreError::Invalid(text)));
    }

    fn said(&self, reading: Result<SignIn, StoreError>) {
        self.report.send_replace(Some(reading));
        if let Some(store) = self.store.upgrade() {
            // Whatever was refused before was refused to another sign-in.
            *store.refusal.lock().unwrap_or_else(PoisonError::into_inner) = None;
            store.stand();
        }
    }

    /// The watch failed, and is tried again with growing pauses. What was read before stays in use.
    fn failed(&mut self, error: watcher::Error) {
        let secret = format!("{}/{}", self.namespace, self.name);
        let call = |verb| Call { verb, resource: "secrets".into(), object: secret.clone() };
        let source = match error {
            watcher::Error::InitialListFailed(error) => CallError::new(call("list"), error),
            watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
                CallError::new(call("watch"), error)
            }
            watcher::Error::WatchError(status) => CallError::new(call("watch"), kube::Error::Api(status)),
            // Every answer of an API server has one; a proxy in between may not.
            watcher::Error::NoResourceVersion => return,
        };
        let error = StoreError::Unavailable { what: "read", secret: secret.clone(), source: Arc::new(source) };
        let text = Chain(&error).to_string();
        if self.complaints.is_news(&text) {
            tracing::warn!(error = text, "cannot watch the partner's sign-in; trying again");
        }
        let never_read = !matches!(*self.report.borrow(), Some(Ok(_) | Err(StoreError::Invalid(_))));
        if never_read {
            self.said(Err(error));
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
