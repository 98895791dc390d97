//! How long an object waits after a pass that failed: longer each time, on its own, with jitter.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::remote::Advice;

/// Wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// Longest wait while trying again may help.
const LONGEST: Duration = Duration::from_mins(5);
/// Wait when only a change helps: the change wakes the object; this is for changes that nobody tells of.
const WITHOUT_HOPE: Duration = Duration::from_mins(15);

/// Failures in a row, by UID. One object's failures never slow another down.
#[derive(Debug, Default)]
pub(super) struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// Counts a failure and says how long to wait.
    pub(super) fn failed(&self, uid: &str, advice: Advice) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = failures.entry(uid.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        // Between three quarters and five quarters: what failed together does not come back together.
        let jitter = 0.75 + fastrand::f64() / 2.0;
        delay(*count, advice).mul_f64(jitter)
    }

    /// Whether the last pass over an object has failed.
    pub(super) fn has_failed(&self, uid: &str) -> bool {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains_key(uid)
    }

    /// Forgets the failures of an object that has succeeded or gone.
    pub(super) fn forget(&self, uid: &str) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(uid);
    }
}

fn delay(failures: u32, advice: Advice) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    match advice {
        Advice::RetrySoon => doubled,
        Advice::RetryAfter(told) => doubled.max(told),
        Advice::AwaitChange => WITHOUT_HOPE,
        // The process is about to end; whoever leads next starts afresh.
        Advice::StopOperator => FIRST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit_and_obey_the_server() {
        let seconds = |failures, advice| delay(failures, advice).as_secs();
        assert_eq!([1, 2, 3, 4, 30, u32::MAX].map(|n| seconds(n, Advice::RetrySoon)), [1, 2, 4, 8, 300, 300]);
        assert_eq!(seconds(1, Advice::RetryAfter(Duration::from_secs(57))), 57);
        assert_eq!(seconds(1, Advice::AwaitChange), 900);
    }

    #[test]
    fn each_object_has_its_own_count() {
        let backoff = Backoff::default();
        for _ in 0..10 {
            backoff.failed("a", Advice::RetrySoon);
        }
        assert!(backoff.failed("b", Advice::RetrySoon) < Duration::from_secs(2));
        assert_eq!(["a", "b", "c"].map(|uid| backoff.has_failed(uid)), [true, true, false]);
        backoff.forget("a");
        assert!(!backoff.has_failed("a"));
        assert!(backoff.failed("a", Advice::RetrySoon) < Duration::from_secs(2));
    }
}
