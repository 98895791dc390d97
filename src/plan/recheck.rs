//! When an object that only shows facts has them read again: `Customer` and `AzureSubscription`.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{ConditionType, find, is_true};
use super::schedule::{INTERVALS_UNTIL_UNKNOWN, latest_turn, next_turn, recheck_after};
use super::{Identity, Wait};
use crate::model::Fact;

/// How old a reading may be that somebody else asked for and that a new or changed object makes use of.
const AGE_MAX_FOR_NEW: SignedDuration = SignedDuration::from_mins(10);

/// An object's status of before, and how often its facts are read.
#[derive(Debug)]
pub(super) struct Recheck<'a> {
    pub(super) identity: &'a Identity,
    pub(super) observed_generation: i64,
    pub(super) last_handled_reconcile_at: Option<&'a str>,
    pub(super) conditions: &'a [Condition],
    /// Between two readings of a fact that held.
    pub(super) interval: SignedDuration,
    /// When this process began; what the status says was read before that.
    pub(super) started: Timestamp,
    pub(super) now: Timestamp,
}

impl Recheck<'_> {
    /// Whether a person asks for everything to be read anew.
    pub(super) fn is_asked_anew(&self) -> bool {
        self.identity.is_asked_anew(self.last_handled_reconcile_at)
    }

    /// Whether `fact` must be read now. One whose reading has just failed is not asked for again in the same pass.
    pub(super) fn is_due<T>(&self, fact: &Fact<T>) -> bool {
        if fact.failure().is_some() {
            return false;
        }
        if self.is_asked_anew() {
            return fact.known_since(self.now).is_none();
        }
        if !self.is_current() {
            return fact.fresh(self.now, AGE_MAX_FOR_NEW).is_none();
        }
        if is_true(self.conditions, ConditionType::Ready) {
            let read_at = fact.read_at().unwrap_or(self.started);
            return read_at < latest_turn(&self.identity.uid, self.interval, self.now);
        }
        fact.read_at().is_none_or(|at| self.due_again(at) <= self.now)
    }

    /// Whether the status of before is as good as `fact`: nobody has read it in this process, or reading it again has
    /// failed but the last success is recent enough.
    pub(super) fn is_remembered<T>(&self, fact: &Fact<T>) -> bool {
        if !self.is_current() || fact.known().is_some() {
            return false;
        }
        let lasts = self.interval.checked_mul(INTERVALS_UNTIL_UNKNOWN).unwrap_or(SignedDuration::MAX);
        let expires = fact.read_at().unwrap_or(self.started).saturating_add(lasts).unwrap_or(Timestamp::MAX);
        fact.is_unread() || self.now < expires
    }

    /// When an object is looked at again by itself.
    pub(super) fn next(&self, is_ready: bool) -> Wait {
        if is_ready {
            return Wait::Until(next_turn(&self.identity.uid, self.interval, self.now));
        }
        Wait::Until(self.due_again(self.now))
    }

    fn is_current(&self) -> bool {
        self.identity.is_current(self.observed_generation, self.last_handled_reconcile_at)
    }

    fn due_again(&self, read_at: Timestamp) -> Timestamp {
        let since = find(self.conditions, ConditionType::Ready).map_or(self.now, |ready| ready.last_transition_time.0);
        read_at.saturating_add(recheck_after(&self.identity.uid, since, read_at)).unwrap_or(Timestamp::MAX)
    }
}
