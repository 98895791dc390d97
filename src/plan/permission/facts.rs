//! What is known about a permission.

use jiff::{SignedDuration, Timestamp};

use super::activity::SeenRecord;
use super::assessment::PrerequisiteFacts;
use super::desired::Desired;
use super::ownership::Contender;
use crate::model::{Fact, PolicyState};
use crate::plan::partner::PartnerFacts;

/// What is known about a permission.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// About its customer and subscriptions.
    pub prerequisites: PrerequisiteFacts,
    /// What is known of the partner and its sign-in.
    pub partner: PartnerFacts,
    /// What Partner Center holds for the tenant.
    pub policy: Fact<PolicyState>,
    /// Recent activity records of the tenant.
    pub activity: Vec<SeenRecord>,
    /// Whether a write of ours has not shown in the activity log yet.
    pub is_record_pending: bool,
    /// Whether the activity feed is unbroken since before this process began, and has shown a write of ours: then what
    /// the status says is as good as read.
    pub is_feed_trusted: bool,
    /// Other permissions that mean the same tenant.
    pub contenders: Vec<Contender>,
    /// Who would take over if this one went.
    pub successor: Option<Successor>,
    /// How far this machine's clock is ahead of those of the services, where that is known and too much.
    pub clock_ahead: Option<SignedDuration>,
    /// When this process began to remember.
    pub started: Timestamp,
    /// Whether there is room for a first grant of this object.
    pub grant_budget: GrantBudget,
    /// What has come of this pass so far.
    pub attempt: Attempt,
}

impl Facts {
    /// The same without anything about a tenant's policy.
    pub(super) fn without_tenant(&self) -> Self {
        Self {
            policy: Fact::NOT_READ,
            activity: Vec::new(),
            is_record_pending: false,
            contenders: Vec::new(),
            successor: None,
            ..self.clone()
        }
    }
}

/// A permission that waits for this one to go.
#[derive(Debug, Clone, PartialEq)]
pub struct Successor {
    /// What it wishes.
    pub desired: Desired,
    /// What is known about its customer and subscriptions.
    pub prerequisites: PrerequisiteFacts,
    /// Whether what is not known of them may be read first. Not again once that has come to nothing, as where a service does
    /// not answer until the pass is over: the revoke must go out.
    pub may_be_looked_at: bool,
}

/// What has come of a pass so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Nothing was written.
    None,
    /// Partner Center holds something else than was believed when a write was planned: it must be read.
    Contradicted,
    /// Partner Center has accepted a write.
    Accepted,
    /// A write has failed; nothing more is tried in this pass.
    Failed(Failure),
}

/// Why a write has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// A condition reason.
    pub reason: &'static str,
    /// What is wrong and what to do; the same for the same failure.
    pub message: String,
    /// Whether trying again helps nothing until a person acts.
    pub needs_person: bool,
}

/// What is left of the first grants of this hour, as far as one object is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantBudget {
    /// How many there may be within an hour.
    pub limit: u32,
    /// Whether this object may have one now.
    pub has_room: bool,
}

impl GrantBudget {
    /// What an object that waits says.
    pub(super) fn message(self) -> String {
        let Self { limit, .. } = self;
        if limit == 0 {
            return "the operator runs with --max-grants-per-hour 0, so no first grant goes out. To let some, start it with a higher number (CSP_MAX_GRANTS_PER_HOUR)".to_owned();
        }
        format!(
            "within an hour at most {limit} first grants go out (--max-grants-per-hour), and others came before this one; it follows by itself. If it is not meant, take it back now: nothing has been granted yet. If it is and cannot wait, start the operator with a higher number (CSP_MAX_GRANTS_PER_HOUR)"
        )
    }
}
