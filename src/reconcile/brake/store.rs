//! Where first grants are remembered: in the operator's `ConfigMap`, beside how far the activity feed was followed.

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::api::FIELD_MANAGER;

const FIRST_GRANTS: &str = "firstGrants";

/// The `ConfigMap`.
#[derive(Debug)]
pub(super) struct Store {
    api: Api<ConfigMap>,
    name: String,
}

/// What is remembered, and in which version of the `ConfigMap`; `None`: there is none.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) text: Option<String>,
    version: Option<String>,
}

impl Found {
    /// Whether there is no `ConfigMap`.
    pub(super) fn is_nowhere(&self) -> bool {
        self.version.is_none()
    }
}

impl Store {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), name: name.to_owned() }
    }

    pub(super) async fn get(&self) -> Result<Found, kube::Error> {
        let found = self.api.get_opt(&self.name).await?;
        let version = found.as_ref().and_then(ConfigMap::resource_version);
        let text = found.and_then(|map| map.data).and_then(|mut data| data.remove(FIRST_GRANTS));
        Ok(Found { text, version })
    }

    /// Replaces what was found. Whether it was still there; if not, somebody has written meanwhile.
    pub(super) async fn put(&self, found: &Found, text: &str) -> Result<bool, kube::Error> {
        let data = json!({ FIRST_GRANTS: text });
        let written = if let Some(version) = &found.version {
            let patch = Patch::Merge(json!({ "metadata": { "resourceVersion": version }, "data": data }));
            self.api.patch(&self.name, &PatchParams::default(), &patch).await
        } else {
            let map = ConfigMap {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                data: Some([(FIRST_GRANTS.to_owned(), text.to_owned())].into()),
                ..ConfigMap::default()
            };
            let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            self.api.create(&params, &map).await
        };
        match written {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status))
                if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}
