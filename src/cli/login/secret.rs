//! The Secret that the operator signs in with, as a person writes it: other keys, labels and annotations are left alone.

use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli::request::{RequestError, within};
use crate::model::TenantId;
use crate::operator::sign_in_keys::{CERTIFICATE, CLIENT, CLIENT_SECRET, KEY, REFRESH_TOKEN, TENANT};
use crate::operator::{CredentialsDefect, stored_proof};
use crate::remote::Proof;

/// Under this name the API server remembers who wrote the keys.
const FIELD_MANAGER: &str = "kubectl-csp";

/// Why the Secret cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum SecretError {
    #[error("the namespace {0} does not exist: install the operator first, or name its namespace with --namespace")]
    NoNamespace(String),
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// What the Secret has, as far as a sign-in can use it. A tenant or client id that is no text is as good as missing.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) tenant: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) has_certificate: bool,
    /// What the application proves itself with, as the operator reads it.
    pub(super) proof: Result<Option<Proof>, CredentialsDefect>,
}

impl Stored {
    /// What this Secret has, called `name` in sentences.
    pub(super) fn of(secret: &Secret, name: &str) -> Self {
        let data = secret.data.as_ref();
        let has = |key| data.is_some_and(|data| data.contains_key(key));
        let text = |key| {
            let text = std::str::from_utf8(&data?.get(key)?.0).ok()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        Self {
            tenant: text(TENANT),
            client_id: text(CLIENT),
            has_certificate: has(CERTIFICATE) || has(KEY),
            proof: stored_proof(secret, name),
        }
    }
}

/// What is written.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) tenant: TenantId,
    pub(super) client_id: String,
    /// Absent when the Secret's stays as it is.
    pub(super) new_client_secret: Option<SecretString>,
    pub(super) refresh_token: SecretString,
}

/// How it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Created,
    Renewed,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Renewed => "renewed",
        })
    }
}

/// The Secret by its name.
#[derive(Debug)]
pub(super) struct UserSecret {
    api: Api<Secret>,
    namespace: String,
    name: String,
}

impl fmt::Display for UserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret {}/{}", self.namespace, self.name)
    }
}

impl Contents {
    /// The keys that are written.
    pub(super) fn keys(&self) -> Vec<String> {
        self.secret("").data.unwrap_or_default().into_keys().collect()
    }

    /// The Secret called `name` with these keys; both to create it and to merge into it.
    fn secret(&self, name: &str) -> Secret {
        let tenant = self.tenant.to_string();
        let new = self.new_client_secret.as_ref().map(|secret| (CLIENT_SECRET, secret.expose_secret()));
        let always =
            [(TENANT, tenant.as_str()), (CLIENT, &self.client_id), (REFRESH_TOKEN, self.refresh_token.expose_secret())];
        named(name, always.into_iter().chain(new))
    }
}

fn named<'a>(name: &str, data: impl IntoIterator<Item = (&'a str, &'a str)>) -> Secret {
    let bytes = |(key, value): (&str, &str)| (key.to_owned(), ByteString(value.as_bytes().to_vec()));
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(data.into_iter().map(bytes).collect()),
        ..Secret::default()
    }
}

impl UserSecret {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// What it has; nothing when it does not exist.
    pub(super) async fn read(&self) -> Result<Stored, SecretError> {
        let found = within(|| format!("get the {self}"), self.api.get_opt(&self.name)).await?;
        Ok(Stored::of(&found.unwrap_or_default(), &format!("{}/{}", self.namespace, self.name)))
    }

    /// Finds out whether it could be written, without writing.
    pub(super) async fn rehearse(&self) -> Result<(), SecretError> {
        match self.put(&named(&self.name, [(REFRESH_TOKEN, "")]), true).await {
            Err(
                error @ (SecretError::NoNamespace(_)
                | SecretError::Request(RequestError::Forbidden { .. } | RequestError::Refused { code: 422, .. })),
            ) => Err(error),
            // Something between here and the API server may not know rehearsals.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Writes these keys, and leaves the others as they are.
    pub(super) async fn write(&self, contents: &Contents) -> Result<Written, SecretError> {
        self.put(&contents.secret(&self.name), false).await
    }

    async fn put(&self, secret: &Secret, rehearsal: bool) -> Result<Written, SecretError> {
        let field_manager = Some(FIELD_MANAGER.to_owned());
        let patching =
            PatchParams { field_manager: field_manager.clone(), dry_run: rehearsal, ..PatchParams::default() };
        let patch = Patch::Merge(secret);
        match within(|| format!("patch the {self}"), self.api.patch(&self.name, &patching, &patch)).await {
            Ok(_) => return Ok(Written::Renewed),
            Err(RequestError::Refused { code: 404, .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let creating = PostParams { field_manager, dry_run: rehearsal };
        match within(|| format!("create the {self}"), self.api.create(&creating, secret)).await {
            Ok(_) => Ok(Written::Created),
            Err(RequestError::Refused { code: 404, .. }) => Err(SecretError::NoNamespace(self.namespace.clone())),
            Err(error) => Err(error.into()),
        }
    }
}
