//! What Partner Center held before our own writes, so that an answer from before a write is not taken for somebody's change.
//!
//! A service of many servers may answer a read from one that has not heard of a write yet. Believed, such an answer would
//! be drift where there is none; and for an object that is being deleted right after its grant, "no policy" would mean
//! that nothing is left to revoke.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::model::{PolicyState, TenantId};

/// For how long an answer may be behind.
const BEHIND_MAX: Duration = Duration::from_mins(1);
/// How far the clock that dates activity records may be behind ours, where that decides.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(10);

/// States of policies that are over, by customer.
#[derive(Debug, Default)]
pub(super) struct Past(HashMap<TenantId, Vec<Over>>);

#[derive(Debug)]
struct Over {
    state: PolicyState,
    /// When the write that ended it was sent.
    ended: Timestamp,
    forgotten: Instant,
}

impl Past {
    /// Notes that `before` is over, as a write sent at `ended` has shown; `now_holds` is what has taken its place, if
    /// that is known.
    pub(super) fn ended(
        &mut self,
        customer: TenantId,
        before: PolicyState,
        now_holds: Option<&PolicyState>,
        ended: Timestamp,
        now: Instant,
    ) {
        let states = self.0.entry(customer).or_default();
        states.retain(|over| over.forgotten > now && over.state != before && Some(&over.state) != now_holds);
        if Some(&before) != now_holds {
            states.push(Over { state: before, ended, forgotten: now + BEHIND_MAX });
        }
    }

    /// Whether an answer that shows `state` may well be from before a write. With an etag that is certain: a policy never
    /// has an old one again.
    pub(super) fn is_over(&self, customer: TenantId, state: &PolicyState, now: Instant) -> bool {
        self.0
            .get(&customer)
            .is_some_and(|states| states.iter().any(|over| over.state == *state && over.forgotten > now))
    }

    /// Somebody else wrote at this time: what has no etag to tell it by may be so again.
    pub(super) fn others_wrote(&mut self, customer: TenantId, at: Timestamp) {
        if let Some(states) = self.0.get_mut(&customer) {
            let may_be_again = |over: &Over| {
                let has_etag = over.state.policy().is_some_and(|policy| policy.etag.is_some());
                !has_etag && at.saturating_add(CLOCKS_APART).unwrap_or(Timestamp::MAX) >= over.ended
            };
            states.retain(|over| !may_be_again(over));
        }
    }

    /// Forgets what is too old to matter.
    pub(super) fn prune(&mut self, now: Instant) {
        self.0.retain(|_, states| {
            states.retain(|over| over.forgotten > now);
            !states.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PermissionSet, Policy, Switch};

    fn tenant() -> TenantId {
        "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap()
    }

    fn policy(etag: &str) -> PolicyState {
        let permissions = PermissionSet::new([Switch::Reservations], Vec::new());
        PolicyState::Present(Policy { id: "p_c".to_owned(), etag: Some(etag.to_owned()), permissions })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_772_352_000 + seconds).unwrap()
    }

    #[test]
    fn what_was_replaced_is_over_until_no_answer_can_be_that_old() {
        let now = Instant::now();
        let mut past = Past::default();
        past.ended(tenant(), PolicyState::Absent, Some(&policy("1")), at(0), now);
        past.ended(tenant(), policy("1"), Some(&policy("2")), at(1), now);
        let over = |past: &Past, state: &PolicyState, later: u64| {
            past.is_over(tenant(), state, now + Duration::from_secs(later))
        };
        assert!(over(&past, &PolicyState::Absent, 0) && over(&past, &policy("1"), 59));
        assert!(!over(&past, &policy("2"), 0), "as written");
        assert!(!over(&past, &policy("3"), 0), "written by somebody else");
        assert!(!over(&past, &policy("1"), 60), "no answer is that old");
        // Our own revoke: there is no policy again.
        past.ended(tenant(), policy("2"), Some(&PolicyState::Absent), at(2), now);
        assert!(!over(&past, &PolicyState::Absent, 0));
        assert!(over(&past, &policy("2"), 0) && over(&past, &policy("1"), 0));
        past.prune(now + BEHIND_MAX);
        assert!(past.0.is_empty());
    }

    #[test]
    fn a_write_of_somebody_else_can_bring_back_only_what_has_no_etag() {
        let now = Instant::now();
        let check = |at_seconds: i64, is_over: bool| {
            let mut past = Past::default();
            past.ended(tenant(), PolicyState::Absent, Some(&policy("1")), at(0), now);
            past.ended(tenant(), policy("1"), Some(&policy("2")), at(0), now);
            past.others_wrote(tenant(), at(at_seconds));
            assert_eq!(past.is_over(tenant(), &PolicyState::Absent, now), is_over, "{at_seconds}");
            assert!(past.is_over(tenant(), &policy("1"), now));
        };
        check(30, false);
        check(-10, false);
        check(-11, true);
    }
}
