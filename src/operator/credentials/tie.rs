//! One installation acts for one partner.
//!
//! The objects of an installation remember what Partner Center held for this partner's customers. With the credentials of
//! another partner, whose customers are not these, every one of them would seem to be gone, and what is deleted then would
//! be released without a revoke. So the partner of the first sign-in that worked is remembered, in the `ConfigMap` of what
//! must survive a restart, and the credentials of another one are not used for anything.
//!
//! Who really wants to act for another partner deletes that `ConfigMap` and restarts the operator: everything is then
//! read anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::Mutex;

use super::timeout::REQUEST_TIMEOUT;
use crate::model::TenantId;
use crate::operator::call::{Call, CallError, within};
use crate::operator::health::{Check, Readiness};
use crate::operator::settings::Settings;
use crate::operator::telemetry::Chain;
use crate::remote::{CredentialError, CredentialSource, Credentials, Judgement};

const PARTNER_TENANT: &str = "partnerTenantId";

/// Between two attempts to write down the partner.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// The credentials of one partner only, wherever they come from.
#[derive(Debug)]
pub(in crate::operator) struct Tied {
    inner: Arc<dyn CredentialSource>,
    api: Api<ConfigMap>,
    /// Namespace and name of the `ConfigMap`.
    state: (String, String),
    /// The Secret that the credentials are in, for people.
    secret: String,
    readiness: Readiness,
    memory: Mutex<Option<Memory>>,
    /// The partner of the last sign-in that worked.
    worked: StdMutex<Option<TenantId>>,
}

/// What is known of the `ConfigMap`.
#[derive(Debug)]
struct Memory {
    partner: Option<TenantId>,
    tried_to_save: Option<Instant>,
}

impl CredentialSource for Tied {
    fn current(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
        async {
            let credentials = self.inner.current().await?;
            let allowed = self.allowed(credentials.partner_tenant).await;
            match &allowed {
                Ok(()) => self.readiness.object(Check::Credentials, None),
                // The keeper of the credentials says how they stand again and again, and knows nothing of this.
                Err(CredentialError::Invalid { message } | CredentialError::OtherPartner { message }) => {
                    self.readiness.object(Check::Credentials, Some(message.clone()));
                }
                Err(CredentialError::Unavailable(_)) => {}
            }
            allowed.map(|()| credentials)
        }
        .boxed()
    }

    fn rotated<'a>(
        &'a self,
        used: &'a Credentials,
        refresh_token: SecretString,
    ) -> BoxFuture<'a, Result<(), CredentialError>> {
        self.inner.rotated(used, refresh_token)
    }

    fn judged(&self, used: &Credentials, judgement: Judgement<'_>) {
        if judgement == Judgement::Accepted {
            *self.worked.lock().unwrap_or_else(PoisonError::into_inner) = Some(used.partner_tenant);
        }
        self.inner.judged(used, judgement);
    }
}

impl Tied {
    /// Lets `inner` through as long as it is the partner's that this installation has always acted for.
    pub(in crate::operator) fn new(
        inner: Arc<dyn CredentialSource>,
        client: Client,
        settings: &Settings,
        readiness: Readiness,
    ) -> Self {
        Self {
            inner,
            api: Api::namespaced(client, &settings.namespace),
            state: (settings.namespace.clone(), settings.state_configmap.clone()),
            secret: format!("{}/{}", settings.namespace, settings.credentials_secret),
            readiness,
            memory: Mutex::default(),
            worked: StdMutex::default(),
        }
    }

    /// Whether this installation may act for `wanted`.
    async fn allowed(&self, wanted: TenantId) -> Result<(), CredentialError> {
        match self.partner(wanted).await? {
            Some(partner) if partner != wanted => {
                Err(CredentialError::OtherPartner { message: self.refusal(partner, wanted) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The partner that this installation acts for; `None` as long as no sign-in has worked. `wanted` becomes it once
    /// one has.
    async fn partner(&self, wanted: TenantId) -> Result<Option<TenantId>, CredentialError> {
        let mut memory = self.memory.lock().await;
        let known = match memory.as_mut() {
            Some(known) => known,
            // Before this is known, nothing is done: the objects may be another partner's.
            None => memory.insert(Memory { partner: self.read().await?, tried_to_save: None }),
        };
        let has_worked = *self.worked.lock().unwrap_or_else(PoisonError::into_inner) == Some(wanted);
        let is_due = known.tried_to_save.is_none_or(|tried| tried.elapsed() >= SAVE_EVERY);
        if known.partner.is_none() && has_worked && is_due {
            known.tried_to_save = Some(Instant::now());
            match self.save(wanted).await {
                Ok(()) => {
                    tracing::info!(partner_tenant = %wanted, "this installation acts for this partner from now on");
                    known.partner = Some(wanted);
                }
                Err(error) => tracing::warn!(error = %Chain(&error), "cannot write down the partner; trying again"),
            }
        }
        Ok(known.partner)
    }

    async fn read(&self) -> Result<Option<TenantId>, CredentialError> {
        let found = within(REQUEST_TIMEOUT, || self.call("get"), self.api.get_opt(&self.state.1)).await;
        let text =
            found.map_err(unavailable)?.and_then(|map| map.data).and_then(|mut data| data.remove(PARTNER_TENANT));
        // One that cannot be read is not none: else anybody's credentials would do from then on.
        text.map(|text| text.trim().parse())
            .transpose()
            .map_err(|_| CredentialError::Invalid { message: self.unreadable() })
    }

    fn unreadable(&self) -> String {
        let (namespace, name) = &self.state;
        format!(
            "the key {PARTNER_TENANT} of the ConfigMap {namespace}/{name} is not the id of a tenant: set it to that of the partner whose customers these are, or delete the ConfigMap and restart the operator"
        )
    }

    async fn save(&self, partner: TenantId) -> Result<(), CallError> {
        let name = &self.state.1;
        let data = BTreeMap::from([(PARTNER_TENANT.to_owned(), partner.to_string())]);
        let patch = Patch::Merge(json!({ "data": data }));
        let params = PatchParams::default();
        let patched = self.api.patch(name, &params, &patch);
        match within(REQUEST_TIMEOUT, || self.call("patch"), patched).await {
            Err(CallError::NotFound { .. }) => {
                let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
                let map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
                let params = PostParams::default();
                let created = self.api.create(&params, &map);
                within(REQUEST_TIMEOUT, || self.call("create"), created).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    fn refusal(&self, partner: TenantId, found: TenantId) -> String {
        let (namespace, name) = &self.state;
        format!(
            "the Secret {} is of partner tenant {found}, but this installation acts for {partner}: put that partner's credentials back. To act for {found} from now on, delete the ConfigMap {namespace}/{name} and restart the operator; everything is then read anew, and nobody answers any more for what {partner} has allowed",
            self.secret
        )
    }

    fn call(&self, verb: &'static str) -> Call {
        let (namespace, name) = &self.state;
        Call { verb, resource: "configmaps".into(), object: format!("{namespace}/{name}") }
    }
}

fn unavailable(error: CallError) -> CredentialError {
    CredentialError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, StatusCode};

    use super::*;
    use crate::operator::health::Standing;
    use crate::operator::test_api::ApiServer;
    use crate::remote::Proof;

    const OURS: &str = "aaaa0000-2222-4b22-9b22-000000000002";
    const OTHER: &str = "bbbb0000-2222-4b22-9b22-000000000002";

    #[derive(Debug)]
    struct Fixed(StdMutex<&'static str>);

    impl CredentialSource for Fixed {
        fn current(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>> {
            let partner_tenant = self.0.lock().unwrap().parse().unwrap();
            let credentials = Credentials {
                partner_tenant,
                client_id: "app".to_owned(),
                proof: Proof::Secret("hush".into()),
                refresh_token: "hush".into(),
                generation: "1".to_owned(),
            };
            async { Ok(credentials) }.boxed()
        }

        fn rotated<'a>(&'a self, _: &'a Credentials, _: SecretString) -> BoxFuture<'a, Result<(), CredentialError>> {
            async { Ok(()) }.boxed()
        }
    }

    fn start(server: &ApiServer, partner: &'static str) -> (Tied, Arc<Fixed>) {
        let fixed = Arc::new(Fixed(StdMutex::new(partner)));
        let tied = Tied {
            inner: Arc::clone(&fixed) as Arc<dyn CredentialSource>,
            api: Api::namespaced(server.client(), "csp"),
            state: ("csp".to_owned(), "state".to_owned()),
            secret: "csp/user".to_owned(),
            readiness: Readiness::new(),
            memory: Mutex::default(),
            worked: StdMutex::default(),
        };
        (tied, fixed)
    }

    fn remembered(server: &ApiServer) -> Option<String> {
        Some(server.object()?["data"][PARTNER_TENANT].as_str()?.to_owned())
    }

    async fn sign_in(tied: &Tied) {
        let used = tied.current().await.unwrap();
        tied.judged(&used, Judgement::Accepted);
        tied.current().await.unwrap();
    }

    #[tokio::test]
    async fn the_partner_of_the_first_sign_in_that_worked_is_remembered_and_no_other_is_let_through() {
        let server = ApiServer::default();
        let (tied, fixed) = start(&server, OURS);
        let used = tied.current().await.unwrap();
        tied.judged(&used, Judgement::Refused("refused"));
        tied.current().await.unwrap();
        assert_eq!(remembered(&server), None, "one that was refused ties nobody");
        sign_in(&tied).await;
        assert_eq!(remembered(&server).as_deref(), Some(OURS));

        *fixed.0.lock().unwrap() = OTHER;
        let error = tied.current().await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, CredentialError::OtherPartner { .. }), "{text}");
        assert!(text.contains(OURS) && text.contains(OTHER) && text.contains("csp/state"), "{text}");
        // As the keeper of the credentials does every now and then.
        tied.readiness.set(Check::Credentials, Standing::Ready);
        assert!(tied.readiness.report().1.contains(&format!("credentials: {text}\n")), "{:?}", tied.readiness);
        *fixed.0.lock().unwrap() = OURS;
        tied.current().await.unwrap();
        assert!(tied.readiness.report().1.contains("credentials: ok\n"), "{:?}", tied.readiness);

        // Nor by another process, nor before it is known who it is.
        let (tied, _) = start(&server, OTHER);
        tied.current().await.unwrap_err();
        let (tied, _) = start(&server, OURS);
        server.fail_with(Some(StatusCode::INTERNAL_SERVER_ERROR));
        assert!(matches!(tied.current().await, Err(CredentialError::Unavailable(_))));
        server.fail_with(None);
        tied.current().await.unwrap();

        // Until a person has taken the memory away.
        server.set_object(None);
        let (tied, _) = start(&server, OTHER);
        sign_in(&tied).await;
        assert_eq!(remembered(&server).as_deref(), Some(OTHER));
    }

    #[tokio::test]
    async fn a_remembered_partner_that_cannot_be_read_lets_nobody_through() {
        let server = ApiServer::default();
        let (tied, _) = start(&server, OURS);
        sign_in(&tied).await;
        let mut map = server.object().unwrap();
        map["data"][PARTNER_TENANT] = json!("contoso");
        server.set_object(Some(map.clone()));
        let (tied, _) = start(&server, OTHER);
        let error = tied.current().await.unwrap_err();
        assert!(matches!(error, CredentialError::Invalid { .. }) && error.to_string().contains("csp/state"), "{error}");
        tied.readiness.set(Check::Credentials, Standing::Ready);
        assert!(tied.readiness.report().1.contains("credentials: the key partnerTenantId"), "{:?}", tied.readiness);
        map["data"][PARTNER_TENANT] = json!(OTHER);
        server.set_object(Some(map));
        tied.current().await.unwrap();
    }

    #[tokio::test]
    async fn what_is_known_costs_no_request() {
        let server = ApiServer::default();
        let (tied, _) = start(&server, OURS);
        sign_in(&tied).await;
        assert_eq!(server.requests(), [Method::GET, Method::PATCH, Method::POST]);
        tied.current().await.unwrap();
        assert_eq!(server.requests(), Vec::<Method>::new());
    }
}
