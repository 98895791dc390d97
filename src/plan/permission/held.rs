//! What Partner Center holds, and how that is known.

use crate::api::{Mode, SwitchState, Switches};
use crate::model::{Fact, Ignorance, Policy, PolicyState, Switch};
use crate::plan::schedule::{INTERVALS_UNTIL_UNKNOWN, latest_turn};
use jiff::{SignedDuration, Timestamp};

use super::activity::unseen;
use super::facts::Attempt;
use super::pass::Pass;
use super::switches::state;

/// What Partner Center holds for the tenant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Held {
    /// Nobody has looked, or what was seen may have changed since.
    Unread,
    /// Looking failed.
    Unknown {
        /// Why.
        why: Ignorance,
    },
    /// As the status remembers it: nothing points to a change since.
    Remembered {
        /// The switches.
        effective: Switches,
        /// Whether there was a policy.
        has_policy: bool,
    },
    /// As read by this process.
    Read {
        /// What was read.
        state: PolicyState,
        /// Whether it was read in this very pass, so that its etag may be used.
        is_from_this_pass: bool,
    },
}

impl Pass<'_> {
    /// What Partner Center holds.
    pub(super) fn held(&self) -> Held {
        Held::of(self)
    }
}

impl Held {
    /// What is known in this pass. A reading counts until somebody else's activity record or the object's turn to be
    /// swept calls for a new one; so does the status of before, if this process has no reading.
    pub(super) fn of(pass: &Pass<'_>) -> Self {
        let facts = pass.facts;
        let turn = latest_turn(&pass.desired.identity.uid, pass.sweep_interval(), pass.now);
        let is_stale = |read_at| read_at < turn || is_touched(pass) || (pass.is_asked_anew() && read_at < pass.now);
        match &facts.policy {
            Fact::Known { value, at } if !is_stale(*at) => {
                Self::Read { state: value.clone(), is_from_this_pass: *at >= pass.now }
            }
            Fact::Known { .. } => Self::Unread,
            Fact::Unknown { why: why @ Ignorance::Failed { .. } } => match remembered(pass) {
                // What could not be read again has not changed for all we know, unless a record says that it has. With
                // a write pending that is not good enough.
                Some(held) if held.fulfils(pass) && !has_expired(pass, facts.policy.read_at()) => held,
                Some(_) | None => Self::Unknown { why: why.clone() },
            },
            Fact::Unknown { why: Ignorance::NotRead } => match remembered(pass) {
                Some(held) if !is_stale(facts.started) => held,
                Some(_) | None => Self::Unread,
            },
        }
    }

    /// Whether the switch is on, if that is known.
    pub(super) fn allows(&self, switch: Switch) -> Option<bool> {
        match self {
            Self::Unread | Self::Unknown { .. } => None,
            Self::Remembered { effective, .. } => state(effective, switch).map(|state| state == SwitchState::Allow),
            Self::Read { state, .. } => Some(state.allows(switch)),
        }
    }

    /// Whether every wish holds.
    fn fulfils(&self, pass: &Pass<'_>) -> bool {
        pass.target(self, |_| false).is_met()
    }

    /// The policy that may be written over, `Some(None)` when there is none; `None` when it must be read first.
    ///
    /// An update and a delete need the reading of this very pass. Where no policy was, the write is a create, and the
    /// server refuses it if that has changed.
    #[expect(clippy::option_option, reason = "there is none, and nobody knows, are two answers")]
    pub(super) fn writable(&self) -> Option<Option<&Policy>> {
        match self {
            Self::Read { state: PolicyState::Present(policy), is_from_this_pass: true } => Some(Some(policy)),
            Self::Read { state: PolicyState::Absent, .. } | Self::Remembered { has_policy: false, .. } => Some(None),
            Self::Read { .. } | Self::Remembered { .. } | Self::Unread | Self::Unknown { .. } => None,
        }
    }
}

/// Whether a record tells of a change that nobody has looked at yet. Only a write whose success this process has been
/// told of changes nothing that is not known: one whose answer was lost may arrive late.
pub(super) fn is_touched(pass: &Pass<'_>) -> bool {
    let activity = &pass.facts.activity;
    match &pass.facts.policy {
        Fact::Known { at, .. } => activity.iter().any(|seen| !seen.is_confirmed && *at < seen.seen_at),
        Fact::Unknown { .. } => !unseen(activity, &pass.before.recent_activity).is_empty(),
    }
}

/// Whether a policy that cannot be read any more was last read so long ago that nobody knows what it is now.
fn has_expired(pass: &Pass<'_>, read_at: Option<Timestamp>) -> bool {
    let lasts = pass.sweep_interval().checked_mul(INTERVALS_UNTIL_UNKNOWN).unwrap_or(SignedDuration::MAX);
    read_at.unwrap_or(pass.facts.started).saturating_add(lasts).is_ok_and(|expires| expires <= pass.now)
}

/// What the status says, as far as that may be believed. A status of another generation may come from before a write
/// that was lost with its process.
fn remembered(pass: &Pass<'_>) -> Option<Held> {
    // Without the annotation, nothing tells whether the status is about this tenant.
    if pass.desired.mode != Mode::Observe && pass.desired.claim().is_none() {
        return None;
    }
    pass.before.tenant_id.as_ref()?;
    // What a write has just contradicted is not believed again.
    if !pass.is_current() || is_touched(pass) || pass.facts.attempt == Attempt::Contradicted {
        return None;
    }
    let effective = pass.before.effective.clone()?;
    let says_all = Switch::ALL
        .into_iter()
        .all(|switch| matches!(state(&effective, switch), Some(SwitchState::Allow | SwitchState::Deny)));
    says_all.then(|| Held::Remembered { effective, has_policy: pass.before.policy_id.is_some() })
}
