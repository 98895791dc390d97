//! One thing read from outside, and when.

use std::collections::HashMap;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use crate::model::Fact;

/// From how much on a difference means that this machine's clock has been set back.
const CLOCK_SET_BACK: SignedDuration = SignedDuration::from_mins(1);

/// What was read, with the moment of it on two clocks.
#[derive(Debug, Clone)]
pub(super) struct Reading<T> {
    pub(super) value: T,
    at: Timestamp,
    /// The same moment on a clock that nobody sets.
    moment: Instant,
}

impl<T> Reading<T> {
    /// Of something asked for at `at`, a moment ago.
    pub(super) fn new(value: T, at: Timestamp) -> Self {
        let since = Timestamp::now().duration_since(at).try_into().unwrap_or_default();
        let now = Instant::now();
        Self { value, at, moment: now.checked_sub(since).unwrap_or(now) }
    }

    /// Whether it was asked for later than `other`, by the clock that nobody sets.
    pub(super) fn was_asked_for_after(&self, other: &Self) -> bool {
        self.moment > other.moment
    }

    /// When it was read. After this machine's clock was set back, earlier than was noted then: a fact must not look
    /// newer than it is.
    pub(super) fn at(&self) -> Timestamp {
        let age = SignedDuration::try_from(self.moment.elapsed()).unwrap_or(SignedDuration::MAX);
        no_newer_than(self.at, age, Timestamp::now())
    }
}

/// When something of this `age` was read, of which it was noted that it was read `at`.
fn no_newer_than(at: Timestamp, age: SignedDuration, now: Timestamp) -> Timestamp {
    let by_age = now.saturating_sub(age).unwrap_or(Timestamp::MIN);
    // Clocks are always trimmed a little; that must not make the same fact seem another.
    if at.duration_since(by_age) > CLOCK_SET_BACK { by_age } else { at }
}

/// Keeps a reading; says whether it differs from the one before. Of two that were under way at once, such as one by the page
/// and one by itself, the one that was asked for last stays, whichever came last: a pass may have asked for it and go by
/// its time.
pub(super) fn put<K: Eq + std::hash::Hash, T: PartialEq>(
    readings: &mut HashMap<K, Reading<T>>,
    key: K,
    value: T,
    at: Timestamp,
) -> bool {
    let reading = Reading::new(value, at);
    let before = readings.get(&key);
    if before.is_some_and(|before| before.was_asked_for_after(&reading)) {
        return false;
    }
    let is_news = before.is_none_or(|before| before.value != reading.value);
    readings.insert(key, reading);
    is_news
}

/// What is known of it.
pub(super) fn fact<T: Clone>(reading: Option<&Reading<T>>) -> Fact<T> {
    match reading {
        Some(reading) => Fact::Known { value: reading.value.clone(), at: reading.at() },
        None => Fact::NOT_READ,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: SignedDuration = SignedDuration::from_mins(10);

    /// Whether a fact counts as fresh that was read so many minutes ago, by this machine's clock of then so many minutes from
    /// now.
    fn check(age: i64, noted: i64, is_fresh: bool) {
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let minutes = SignedDuration::from_mins;
        let at = no_newer_than(now + minutes(noted), minutes(age), now);
        assert_eq!(Fact::Known { value: (), at }.fresh(now, FRESH).is_some(), is_fresh, "{age} {noted}: {at}");
    }

    #[test]
    fn what_was_read_before_the_clock_was_set_back_is_not_fresh_for_ever() {
        check(5, -5, true);
        check(11, -11, false);
        // Set back by an hour, and by a year.
        for back in [60, 365 * 24 * 60] {
            check(0, back, true);
            check(10, back - 10, true);
            check(11, back - 11, false);
            check(60, back - 60, false);
        }
        // Set forward: older than it is, which harms nothing.
        check(1, -61, false);
    }

    #[test]
    fn a_clock_that_is_only_trimmed_changes_nothing_that_was_noted() {
        let at: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let minute = SignedDuration::from_mins(1);
        assert_eq!(no_newer_than(at, minute, at), at);
        assert_ne!(no_newer_than(at, minute * 2, at), at);
    }

    #[test]
    fn of_two_readings_the_one_asked_for_last_stays_whichever_came_last() {
        let now = Timestamp::now();
        let (early, late) = (now - SignedDuration::from_secs(9), now - SignedDuration::from_secs(1));
        let mut readings = HashMap::new();
        assert!(put(&mut readings, "key", "by itself", late));
        assert!(!put(&mut readings, "key", "by the page", early), "no news");
        assert_eq!(fact(readings.get("key")), Fact::Known { value: "by itself", at: late });
        assert!(put(&mut readings, "key", "again", now));
        assert_eq!(fact(readings.get("key")), Fact::Known { value: "again", at: now });
    }

    #[test]
    fn a_reading_noted_in_the_future_is_shown_by_its_age() {
        let ahead = Timestamp::now() + SignedDuration::from_hours(1);
        assert!(Reading::new((), ahead).at() <= Timestamp::now());
    }
}
