//! The planner: from what is wished and what is known to what is done and what is shown.
//!
//! Everything is decided here, and nothing is done. A kind's `plan` function takes the desired state, the [facts], the
//! status of before and the time, and gives a [`Plan`]: which facts are still needed, which actions follow (with targets
//! and bodies, so that execution has nothing left to choose), which status and events tell of it, and when to look
//! again. The same arguments always give the same plan, to the byte.
//!
//! Who comes in: [`crate::reconcile`], and tests. [`permission`] decides about grants; read it first.
//!
//! Never found here: HTTP, a Kubernetes client, a runtime, a clock, randomness, the environment.
//!
//! [facts]: crate::model::Fact

pub mod azure_subscription;
pub mod catalogue;
pub mod conditions;
pub mod customer;
pub mod namespace;
pub mod owners;
pub mod partner;
pub mod permission;
pub mod prerequisites;
mod recheck;
pub mod schedule;
pub mod summary;
#[cfg(test)]
mod test_statuses;
#[cfg(test)]
mod testing;
pub mod urgency;

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use uuid::Uuid;

use crate::api::RECONCILE_ANNOTATION;
use crate::model::{BillingAccount, ObjectId, SubscriptionId, TenantId, UserPrincipalName};

/// What follows from the facts, for one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<Status, Action> {
    /// Facts that must be read before this plan can be made; while there are any, `actions` is empty.
    pub needs: BTreeSet<Need>,
    /// What to do, in this order, stopping at the first failure.
    pub actions: Vec<Action>,
    /// The status that tells of the facts as they are, before the actions.
    pub status: Status,
    /// What has just become known and is worth an event.
    pub events: Vec<Event>,
    /// When to look again if nothing changes before.
    pub next: Wait,
}

/// A fact that a plan cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// What Partner Center says of the customer.
    Customer(TenantId),
    /// What the customer has of Azure.
    Estate(TenantId),
    /// Who owns one of its Azure subscriptions; the group memberships of these principals are asked for.
    Owners(TenantId, SubscriptionId, BTreeSet<ObjectId>),
    /// Who a user of the customer's tenant is.
    User(TenantId, UserPrincipalName),
    /// The customer's policy.
    Policy(TenantId),
    /// Whether the customer has accepted the Microsoft Customer Agreement.
    Agreement(TenantId),
    /// What the operator remembers of buying the customer an Azure plan.
    PlanPurchase(TenantId),
    /// The partner's billing accounts.
    BillingAccounts,
    /// Whether a customer of this account sees its charges.
    Charges(TenantId, BillingAccount),
    /// How a change of that is getting on, by where Azure tells of it.
    ChargesChange(TenantId, String),
    /// About the partner that signs in.
    Partner(PartnerQuestion),
    /// What the customer has bought; who has a role on a reservation order is not asked of these.
    Purchases(TenantId, BTreeSet<Uuid>),
}

/// What is asked about the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartnerQuestion {
    /// What kind of partner it is.
    Kind,
    /// Whether the signed-in user is an Admin agent.
    AdminAgents,
}

/// When to look at an object again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Only a change of the object, of one it refers to, or of a fact that is watched can make a difference.
    ForChange,
    /// At this moment, even if nothing changes.
    Until(Timestamp),
}

impl Wait {
    /// The earlier of two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Until(a), Self::Until(b)) => Self::Until(a.min(b)),
            (Self::ForChange, wait) | (wait, Self::ForChange) => wait,
        }
    }
}

/// Something worth a line in `kubectl describe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether it went as wished.
    pub severity: Severity,
    /// Reason in CamelCase.
    pub reason: String,
    /// The sentence.
    pub note: String,
    /// Equal for the same happening, different for different ones: a repetition after a crash makes no second event.
    pub key: String,
}

/// The two types of events that Kubernetes knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As wished.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Name of an object and its namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What all three kinds share about the object in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name and namespace.
    pub name: ObjectName,
    /// UID: tells an object from a later one of the same name.
    pub uid: String,
    /// Generation of the spec.
    pub generation: i64,
    /// When it was created, on the API server's clock.
    pub created: Timestamp,
    /// Value of the annotation that asks for everything to be read anew.
    pub reconcile_request: Option<String>,
}

/// How long a missing reference is taken for one that is just being applied. GitOps tools apply a whole folder at once,
/// and the watches of the three kinds do not keep the order: without this, every new permission would be told
/// `CustomerNotFound` first.
const GRACE_FOR_REFERENCES: SignedDuration = SignedDuration::from_secs(2);

impl Identity {
    /// Reads what is common to all kinds. `None` for an object that no API server has handed out: without name,
    /// namespace or UID.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        Some(Self {
            name: ObjectName { namespace: metadata.namespace.clone()?, name: metadata.name.clone()? },
            uid: metadata.uid.clone()?,
            generation: metadata.generation.unwrap_or_default(),
            created: metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0),
            reconcile_request: metadata.annotations.as_ref().and_then(|all| all.get(RECONCILE_ANNOTATION)).cloned(),
        })
    }

    /// Until when a missing reference is not yet worth a condition; `None` when that moment has passed.
    fn grace(&self, now: Timestamp) -> Option<Timestamp> {
        let end = self.created.saturating_add(GRACE_FOR_REFERENCES).ok()?;
        (now < end).then_some(end)
    }

    /// Whether `status` tells of this generation and of the newest request to read everything anew.
    fn is_current(&self, observed_generation: i64, last_handled_reconcile_at: Option<&str>) -> bool {
        observed_generation == self.generation && !self.is_asked_anew(last_handled_reconcile_at)
    }

    /// Whether a person asks for everything to be read anew.
    fn is_asked_anew(&self, last_handled_reconcile_at: Option<&str>) -> bool {
        self.reconcile_request.is_some() && self.reconcile_request.as_deref() != last_handled_reconcile_at
    }
}

/// A moment as Kubernetes writes it: to the second. More would be lost on the way and read back as a change.
fn to_second(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// Which Customer an object refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerRef {
    /// There is none of that name in the namespace.
    Missing,
    /// There is, and this is its tenant.
    Found(TenantId),
    /// There is, but its tenant id is no GUID: only possible with an older CRD than this program's.
    Malformed(String),
    /// There is, but its namespace may not act for its tenant, or nobody knows whether it may.
    NotAllowed {
        /// What is wrong and what to do.
        why: String,
        /// Whether that is known.
        is_certain: bool,
    },
}
