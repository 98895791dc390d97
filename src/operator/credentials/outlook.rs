//! What ends when, and who is told.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Client;
use kube::api::{Api, PostParams};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::timeout::REQUEST_TIMEOUT;
use crate::operator::call::{Call, CallError, within};
use crate::operator::metrics::Metrics;

/// How long a refresh token can be used after it was issued, in days. Each use brings a new one:
/// <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>
const REFRESH_TOKEN_DAYS: i64 = 90;

/// How many days before an end it is told, once each.
const TOLD_DAYS_BEFORE: [i64; 3] = [1, 7, 14];

/// When a refresh token that came at this time can no longer be used.
pub(super) fn refresh_token_ends(issued_at: Timestamp) -> Timestamp {
    issued_at.saturating_add(SignedDuration::from_hours(REFRESH_TOKEN_DAYS * 24)).unwrap_or(Timestamp::MAX)
}

/// What can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Credential {
    RefreshToken,
    Certificate,
}

/// An end that is near.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Warning {
    credential: Credential,
    ends: Timestamp,
    /// Days before the end at which this is told.
    days: i64,
}

impl Warning {
    /// The warning that is due now about what ends at `ends`, if any: the latest.
    pub(super) fn due(credential: Credential, ends: Timestamp, now: Timestamp) -> Option<Self> {
        let left = ends.duration_since(now);
        let days = TOLD_DAYS_BEFORE.into_iter().find(|days| left <= SignedDuration::from_hours(days * 24))?;
        Some(Self { credential, ends, days })
    }

    /// Whether it is about a certificate that has ended already: of that one its Secret tells more.
    pub(super) fn is_of_ended_certificate(self, now: Timestamp) -> bool {
        self.credential == Credential::Certificate && self.ends <= now
    }

    /// One sentence without its stop. It stays the same until the credential changes.
    pub(super) fn sentence(self) -> String {
        let ends = self.ends;
        match self.credential {
            Credential::RefreshToken => format!(
                "the refresh token can be used until {ends}, because no sign-in has renewed it; run: kubectl csp login"
            ),
            Credential::Certificate => format!(
                "the certificate of the application ends at {ends}: put a new one into the credentials Secret, and register it with the application"
            ),
        }
    }

    /// The event about the Secret; its name is the same whoever tells it, and whenever.
    fn event(self, namespace: &str, secret: &str, uid: Option<String>, instance: &str) -> Event {
        let what = match self.credential {
            Credential::RefreshToken => "refresh-token",
            Credential::Certificate => "certificate",
        };
        let note = self.sentence();
        let mut letters = note.chars();
        let note =
            letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()));
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{secret}.{what}-{}-{}d", self.ends.as_second(), self.days)),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(Timestamp::now())),
            reporting_controller: Some("csp-operator.dev/csp-operator".to_owned()),
            reporting_instance: Some(instance.chars().take(100).collect()),
            action: Some("SignIn".to_owned()),
            reason: Some("SignInEndsSoon".to_owned()),
            note: Some(note),
            regarding: Some(ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Secret".to_owned()),
                namespace: Some(namespace.to_owned()),
                name: Some(secret.to_owned()),
                uid,
                ..ObjectReference::default()
            }),
            type_: Some("Warning".to_owned()),
            ..Event::default()
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    credential: &'static str,
}

/// Tells what ends when.
#[derive(Debug)]
pub(super) struct Outlook {
    events: Api<Event>,
    namespace: String,
    /// The Secret that events are about.
    secret: String,
    instance: String,
    ends: Family<Of, Gauge>,
    told: Mutex<BTreeSet<Warning>>,
}

impl Outlook {
    pub(super) fn new(client: Client, namespace: &str, secret: &str, instance: &str, metrics: &Metrics) -> Self {
        let ends = Family::<Of, Gauge>::default();
        metrics.register(|registry| {
            registry.register(
                "sign_in_end_timestamp_seconds",
                "When a part of the sign-in can no longer be used, in Unix seconds. A refresh token is renewed by every \
                 sign-in; of a client secret it is not known. Less than two weeks ahead: \
                 docs/runbook.md#cspoperatorsigninendssoon",
                ends.clone(),
            );
        });
        Self {
            events: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            secret: secret.to_owned(),
            instance: instance.to_owned(),
            ends,
            told: Mutex::default(),
        }
    }

    /// Shows when `credential` ends, or that it is not known.
    pub(super) fn show(&self, credential: Credential, ends: Option<Timestamp>) {
        let of = Of {
            credential: match credential {
                Credential::RefreshToken => "refresh_token",
                Credential::Certificate => "certificate",
            },
        };
        match ends {
            Some(ends) => {
                self.ends.get_or_create(&of).set(ends.as_second());
            }
            None => {
                self.ends.remove(&of);
            }
        }
    }

    /// Tells `warning` in the log and in an event, unless this process has done so already.
    pub(super) async fn tell(&self, warning: Warning, uid: Option<String>) {
        if !self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(warning) {
            return;
        }
        tracing::warn!(secret = self.secret, "{}", warning.sentence());
        let event = warning.event(&self.namespace, &self.secret, uid, &self.instance);
        let call = || Call {
            verb: "create",
            resource: "events.events.k8s.io".into(),
            object: format!("{}/{}", self.namespace, event.metadata.name.clone().unwrap_or_default()),
        };
        match within(REQUEST_TIMEOUT, call, self.events.create(&PostParams::default(), &event)).await {
            // Another process has told it.
            Ok(_) | Err(CallError::Conflict { .. }) => {}
            Err(error) => {
                tracing::warn!(error = %crate::operator::telemetry::Chain(&error), "an event could not be written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn due(left: SignedDuration) -> Option<i64> {
        let ends = refresh_token_ends(Timestamp::UNIX_EPOCH);
        Warning::due(Credential::RefreshToken, ends, ends - left).map(|warning| warning.days)
    }

    #[test]
    fn an_end_is_told_two_weeks_one_week_and_a_day_before() {
        let second = SignedDuration::from_secs(1);
        for (left, days) in [
            (DAY * 90, None),
            (DAY * 14 + second, None),
            (DAY * 14, Some(14)),
            (DAY * 7 + second, Some(14)),
            (DAY * 7, Some(7)),
            (DAY + second, Some(7)),
            (DAY, Some(1)),
            (SignedDuration::ZERO, Some(1)),
            (-DAY, Some(1)),
        ] {
            assert_eq!(due(left), days, "{left:?}");
        }
    }

    #[test]
    fn the_event_of_a_warning_has_the_same_name_whoever_tells_it() {
        let ends: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let warning = Warning { credential: Credential::RefreshToken, ends, days: 7 };
        let [one, other] = ["a", "b"].map(|instance| warning.event("csp", "tokens", None, instance));
        assert_eq!(one.metadata.name.as_deref(), Some("tokens.refresh-token-1772323200-7d"));
        assert_eq!((one.metadata.name, &one.note), (other.metadata.name, &other.note));
        let expected = "The refresh token can be used until 2026-03-01T00:00:00Z, because no sign-in has renewed it; \
                        run: kubectl csp login.";
        assert_eq!(one.note.as_deref(), Some(expected));
    }
}
