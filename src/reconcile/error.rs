//! What can go wrong in a pass.

use std::time::Duration;

use crate::model::TenantId;
use crate::plan::permission::Failure;
use crate::plan::{Need, ObjectName};
use crate::remote::Advice;

/// A pass that did not come to its end, or whose end is not what was wished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Partner Center or Azure did not do what it was asked.
    #[error(transparent)]
    Remote(crate::remote::Error),
    /// The API server did not take a patch or an event.
    #[error("cannot {what}")]
    Kubernetes {
        /// What was attempted.
        what: &'static str,
        /// Its answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The object that was to take over has gone; the next pass decides anew.
    #[error("{0} was to take over, and is gone")]
    SuccessorGone(ObjectName),
    /// What is remembered of a purchase cannot be understood.
    #[error("what is remembered of the purchase of an Azure plan for {tenant} {why}; nothing was bought")]
    Ledger {
        /// The customer.
        tenant: TenantId,
        /// What is wrong with it.
        why: &'static str,
    },
    /// What is remembered of purchases cannot be written, and trying again does not help.
    #[error(
        "purchases of Azure plans cannot be remembered in ConfigMap {map}, so no cart is made and none is checked out until they can be: {why}"
    )]
    RecordUnwritable {
        /// Namespace and name.
        map: String,
        /// The API server's refusal, or what else is in the way.
        why: String,
    },
    /// A namespace may not act for the customer any more, whatever the watch says.
    #[error(
        "namespace {namespace} may not act for tenant {tenant} any more, which the watch has not shown yet; nothing was written"
    )]
    NamespaceNotAllowed {
        /// The namespace.
        namespace: String,
        /// The customer.
        tenant: TenantId,
    },
    /// Nothing new is begun for a namespace that is being deleted.
    #[error("namespace {0} is being deleted; nothing was written")]
    NamespaceTerminating(String),
    /// Whether a namespace may still act for the customer could not be asked.
    #[error("cannot read namespace {namespace} again, which says for whom it may act; nothing was written")]
    NamespaceUnreadable {
        /// The namespace.
        namespace: String,
        /// The API server's answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The object has changed since it was planned with.
    #[error("the object has changed since the watch showed it; nothing was granted")]
    Outdated,
    /// A grant could not be sent soon enough after what it was planned with, or whether it is still wished, was looked at.
    #[error("the grant could not be sent soon enough; nothing was granted, and its facts are looked at again")]
    Late,
    /// A service wants nothing to be sent for a while. Nothing is wrong with the object.
    #[error("nothing is sent for {} s, as the service has asked", .0.as_secs())]
    Deferred(Duration),
    /// The pass took too long.
    #[error("the pass took longer than {} s and was given up", .0.as_secs())]
    TimedOut(Duration),
    /// The planner asked for more than a pass may do.
    #[error("the pass came to no end in {rounds} rounds; the last plan still needed {needs:?}")]
    Endless {
        /// Rounds made.
        rounds: usize,
        /// Facts still asked for.
        needs: Vec<Need>,
    },
    /// A pass panicked: a defect of this program.
    #[error("the pass panicked; this is a defect of csp-operator")]
    Panicked(#[source] tokio::task::JoinError),
    /// The object cannot have come from an API server.
    #[error("the object has no name, namespace or UID")]
    Anonymous,
}

impl From<crate::remote::Error> for Error {
    fn from(error: crate::remote::Error) -> Self {
        if error.is_late() { Self::Late } else { Self::Remote(error) }
    }
}

impl Error {
    /// Bounded label for logs and metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Remote(error) => error.category(),
            Self::Kubernetes { source, .. } if is_conflict(source) => "conflict",
            Self::Kubernetes { .. } | Self::NamespaceUnreadable { .. } => "kubernetes",
            Self::Outdated | Self::NamespaceNotAllowed { .. } => "conflict",
            Self::NamespaceTerminating(_) => "namespace_terminating",
            Self::Ledger { .. } => "ledger",
            Self::RecordUnwritable { .. } => "purchase_record",
            Self::Late => "late",
            Self::Deferred(_) => "deferred",
            Self::SuccessorGone(_) => "successor_gone",
            Self::TimedOut(_) => "timed_out",
            Self::Endless { .. } => "endless",
            Self::Panicked(_) => "panicked",
            Self::Anonymous => "anonymous",
        }
    }

    /// Whether nothing went wrong: the next pass begins afresh.
    pub(super) fn is_no_failure(&self) -> bool {
        matches!(self.category(), "conflict" | "late" | "deferred")
    }

    /// What the object tells of it, if it is a matter of the object's and does not pass by itself at once.
    pub(super) fn failure(&self) -> Option<Failure> {
        let waits = |reason, message| Some(Failure { reason, message, needs_person: false });
        match self {
            Self::Remote(error) => Some(Failure {
                reason: error.reason(),
                message: error.message(),
                needs_person: error.advice() == Advice::AwaitChange,
            }),
            Self::RecordUnwritable { .. } => {
                Some(Failure { reason: "PurchaseRecordUnwritable", message: self.to_string(), needs_person: true })
            }
            Self::NamespaceTerminating(namespace) => waits(
                "NamespaceTerminating",
                format!("namespace \"{namespace}\" is being deleted, so nothing new is begun for it"),
            ),
            Self::NamespaceUnreadable { namespace, source } => waits(
                "NamespaceUnreadable",
                format!(
                    "namespace \"{namespace}\" says which customers it may act for, and it cannot be read again right before the write, which is not made meanwhile: {}",
                    refusal(source)
                ),
            ),
            _ => None,
        }
    }

    /// What the next attempt should wait for.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Remote(error) => error.advice(),
            Self::Deferred(wait) => Advice::RetryAfter(*wait),
            Self::RecordUnwritable { .. } | Self::Anonymous => Advice::AwaitChange,
            Self::Kubernetes { .. }
            | Self::NamespaceNotAllowed { .. }
            | Self::NamespaceTerminating(_)
            | Self::NamespaceUnreadable { .. }
            | Self::Outdated
            | Self::Ledger { .. }
            | Self::Late
            | Self::SuccessorGone(_)
            | Self::TimedOut(_)
            | Self::Endless { .. }
            | Self::Panicked(_) => Advice::RetrySoon,
        }
    }
}

/// Why Namespaces cannot be read, and what to do; the same for the same cause.
pub(super) fn refusal(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => format!(
            "{}. Have a cluster admin apply manifests/rbac of this version: the operator may get, list and watch Namespaces",
            status.message.trim_end_matches('.')
        ),
        kube::Error::Api(status) => format!("the API server answers {} {}", status.code, status.reason),
        _ => "the API server does not answer".to_owned(),
    }
}

/// Whether the object has changed meanwhile, so that the next pass will see why.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

/// The controllers could not start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The state of before could not be read, so there is no telling what has been seen.
    #[error("cannot read the operator's state from ConfigMap {namespace}/{name}")]
    State {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The API server's answer.
        #[source]
        source: Box<kube::Error>,
    },
}
