//! What outlives the process: how far the activity feed has been followed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::error::SetupError;
use crate::api::FIELD_MANAGER;

const WATERMARK: &str = "activityWatermark";
const PROVEN: &str = "activityFeedProven";

/// What is remembered of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    /// Every record up to here is in the status of whoever it concerns. `None`: never followed.
    pub(super) watermark: Option<Timestamp>,
    /// Whether the feed has ever shown a write of ours.
    pub(super) is_proven: bool,
}

/// A `ConfigMap` of the operator's own.
#[derive(Debug)]
pub(super) struct Memory {
    api: Api<ConfigMap>,
    namespace: String,
    name: String,
}

impl Memory {
    pub(super) fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client, namespace), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// What was remembered. Values that cannot be read count as never written: everything is then read again.
    pub(super) async fn load(&self) -> Result<Remembered, SetupError> {
        let found = self.api.get_opt(&self.name).await.map_err(|source| SetupError::State {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            source: Box::new(source),
        })?;
        let data = found.and_then(|map| map.data).unwrap_or_default();
        Ok(Remembered {
            watermark: data.get(WATERMARK).and_then(|text| text.parse().ok()),
            is_proven: data.get(PROVEN).is_some_and(|text| text == "true"),
        })
    }

    /// Remembers `what`.
    pub(super) async fn save(&self, what: Remembered) -> Result<(), kube::Error> {
        let data: BTreeMap<_, _> = [
            what.watermark.map(|watermark| (WATERMARK.to_owned(), watermark.to_string())),
            Some((PROVEN.to_owned(), what.is_proven.to_string())),
        ]
        .into_iter()
        .flatten()
        .collect();
        let patch = Patch::Merge(json!({ "data": data }));
        match self.api.patch(&self.name, &PatchParams::default(), &patch).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                let map = ConfigMap {
                    metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                    data: Some(data),
                    ..ConfigMap::default()
                };
                let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
                self.api.create(&params, &map).await.map(|_| ())
            }
            Err(error) => Err(error),
        }
    }
}
