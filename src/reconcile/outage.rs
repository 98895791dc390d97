//! Faults that concern the partner as a whole: a metric, and one event on the operator.
//!
//! Ten thousand objects that hold what is declared do not turn red for one expired sign-in. Whoever waits for a grant
//! says so in its own conditions; everybody else says nothing, and the operator says it once.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;

use super::context::Context;
use crate::model::Denial;
use crate::plan::{Event, Severity};
use crate::remote::Error as RemoteError;

/// From how many failures in a row the activity log counts as out of reach.
const FEED_FAILURES: u32 = 3;

/// Where the operator's own events go: its Lease, which exists for as long as anybody acts.
#[derive(Debug)]
pub(super) struct Operator(Lease);

impl Operator {
    /// Looks the Lease up, so that `kubectl describe` finds the events; without its UID, `kubectl events` still does.
    pub(super) async fn find(client: kube::Client, namespace: &str, lease: &str) -> Self {
        let found = Api::<Lease>::namespaced(client, namespace).get_opt(lease).await;
        let uid = match found {
            Ok(found) => found.and_then(|lease| lease.metadata.uid),
            Err(error) => {
                tracing::debug!(%error, "cannot read the Lease that the operator's own events are about");
                None
            }
        };
        let metadata = ObjectMeta {
            name: Some(lease.to_owned()),
            namespace: Some(namespace.to_owned()),
            uid,
            ..ObjectMeta::default()
        };
        Self(Lease { metadata, ..Lease::default() })
    }

    /// One event about the operator. Within the same hour the same reason makes no second one, whoever begins anew.
    pub(super) async fn tell(&self, context: &Context, reason: &str, note: String) {
        let hour = Timestamp::now().as_second() / 3600;
        let event = Event { severity: Severity::Warning, reason: reason.to_owned(), note, key: hour.to_string() };
        context.events.publish(&self.0, &event).await;
    }
}

/// Tells of every change of what stands in the way of all grants, for ever.
pub(super) async fn follow(context: Arc<Context>, operator: Arc<Operator>) {
    let mut denial = context.inventory.partner.denial();
    loop {
        let now: Option<Denial> = denial.borrow_and_update().clone();
        context.metrics.deny(now.as_ref().map(|denial| denial.reason));
        if let Some(denial) = &now {
            operator.tell(&context, denial.reason, denial.message.clone()).await;
        }
        if denial.changed().await.is_err() {
            return;
        }
        // Whoever waits for a grant need not wait until it would have looked again.
        context.permissions.wake_all();
    }
}

/// How the polls of the activity log go.
#[derive(Debug, Default)]
pub(super) struct Polls {
    failures: u32,
    told: Told,
}

impl Polls {
    /// The log was read.
    pub(super) fn succeeded(&mut self, context: &Context) {
        self.failures = 0;
        if self.told.works() {
            tracing::info!("the activity log can be read again");
        }
        context.metrics.fail_feed(false);
    }

    /// It was not.
    pub(super) async fn failed(&mut self, context: &Context, operator: &Operator, error: &RemoteError) {
        self.failures = self.failures.saturating_add(1);
        let category = error.category();
        if self.told.fails(category) {
            tracing::warn!(category, "{}", error.message());
        } else {
            tracing::debug!(category, "{}", error.message());
        }
        if self.failures < FEED_FAILURES {
            return;
        }
        context.metrics.fail_feed(true);
        // A sign-in that is refused has been told of as such.
        if self.failures == FEED_FAILURES && error.denial().is_none() {
            let note = format!(
                "{} Until then changes that others make are noticed within the hour, and grants and revokes go on.",
                error.message()
            );
            operator.tell(context, "ActivityLogUnreachable", note).await;
        }
    }
}

/// The category of failure that the log tells of, for as long as it lasts: not one line for each poll.
#[derive(Debug, Default)]
struct Told(Option<&'static str>);

impl Told {
    /// Whether a failure of this category is news; it then counts as told.
    fn fails(&mut self, category: &'static str) -> bool {
        self.0.replace(category) != Some(category)
    }

    /// Whether that it works is news; it then counts as told.
    fn works(&mut self) -> bool {
        self.0.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_when_it_begins_changes_and_ends() {
        let mut told = Told::default();
        assert!(!told.works(), "it has never failed");
        assert!(told.fails("timeout"));
        assert!(!told.fails("timeout"));
        assert!(told.fails("sign_in"));
        assert!(!told.fails("sign_in"));
        assert!(told.works());
        assert!(!told.works());
        assert!(told.fails("sign_in"));
    }
}
