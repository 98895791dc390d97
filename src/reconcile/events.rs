//! Kubernetes events: created by us, under names that a repetition after a crash finds taken.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as KubeEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client, Resource};
use sha2::{Digest as _, Sha256};

use tracing::Instrument as _;

use super::metrics::Metrics;
use super::trace;
use crate::plan::{Event, Severity};

/// Longest note that the API server takes, in bytes.
const NOTE_BYTES_MAX: usize = 1024;
/// Longest instance name that the API server takes, in bytes.
const INSTANCE_BYTES_MAX: usize = 128;
/// What is left of a name of 253 bytes for the object's own, beside a dot and 16 hex digits.
const NAME_BYTES_MAX: usize = 253 - 17;

/// Writes events in the name of this process.
pub(super) struct Events {
    client: Client,
    instance: String,
    metrics: Metrics,
}

impl Events {
    /// Events reported by the process called `instance`.
    pub(super) fn new(client: Client, instance: &str, metrics: Metrics) -> Self {
        Self { client, instance: shortened(instance, INSTANCE_BYTES_MAX).to_owned(), metrics }
    }

    /// Creates one event about `object`. One that exists already is fine: it tells the same.
    ///
    /// A failure is logged and not returned: an event is a courtesy, and in a namespace that is being deleted none can be
    /// created.
    pub(super) async fn publish<K>(&self, object: &K, event: &Event)
    where
        K: Resource<DynamicType = ()>,
    {
        let Some(namespace) = object.meta().namespace.as_deref() else { return };
        let body = self.body(object, event);
        let api: Api<KubeEvent> = Api::namespaced(self.client.clone(), namespace);
        match api.create(&PostParams::default(), &body).instrument(trace::kubernetes("event")).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => {
                self.metrics.event_lost();
                tracing::warn!(reason = event.reason, note = event.note, %error, "cannot create an event");
            }
        }
    }

    fn body<K: Resource<DynamicType = ()>>(&self, object: &K, event: &Event) -> KubeEvent {
        let meta = object.meta();
        let name = meta.name.as_deref().unwrap_or_default();
        let uid = meta.uid.as_deref().unwrap_or_default();
        KubeEvent {
            metadata: ObjectMeta {
                name: Some(format!("{}.{}", shortened(name, NAME_BYTES_MAX), digest(uid, event))),
                namespace: meta.namespace.clone(),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some("csp-operator.dev/csp-operator".to_owned()),
            reporting_instance: Some(self.instance.clone()),
            action: Some("Reconcile".to_owned()),
            reason: Some(event.reason.clone()),
            note: Some(shortened(&event.note, NOTE_BYTES_MAX).to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some(K::api_version(&()).into_owned()),
                kind: Some(K::kind(&()).into_owned()),
                namespace: meta.namespace.clone(),
                name: meta.name.clone(),
                uid: meta.uid.clone(),
                ..ObjectReference::default()
            }),
            type_: Some(
                match event.severity {
                    Severity::Normal => "Normal",
                    Severity::Warning => "Warning",
                }
                .to_owned(),
            ),
            ..KubeEvent::default()
        }
    }
}

/// 16 hex digits that are equal for the same happening to the same object.
fn digest(uid: &str, event: &Event) -> String {
    let mut hash = Sha256::new();
    for part in [uid, &event.reason, &event.key] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()[..8].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// `text`, cut at a character's end to at most `bytes_max`.
fn shortened(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: &str) -> Event {
        Event { severity: Severity::Normal, reason: "Why".into(), note: "what".into(), key: key.into() }
    }

    #[test]
    fn the_same_happening_has_the_same_name() {
        assert_eq!(digest("uid", &event("record")), digest("uid", &event("record")));
        assert_ne!(digest("uid", &event("record")), digest("uid", &event("another")));
        assert_ne!(digest("uid", &event("record")), digest("uid of a later object", &event("record")));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("ééé", 3), "é");
        assert_eq!(shortened("abc", 3), "abc");
    }
}
