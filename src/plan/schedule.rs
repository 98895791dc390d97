//! When facts are read again. Moments depend on the object's UID, so that ten thousand objects spread out by themselves
//! and a restart changes nothing about whose turn it is.

use jiff::{SignedDuration, Timestamp};

/// After this many intervals without a successful reading, a fact counts as unknown.
pub(super) const INTERVALS_UNTIL_UNKNOWN: i32 = 3;

/// How often things are looked at, as the operator was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Between two readings of a policy that nothing seems to have touched.
    pub resync: SignedDuration,
    /// Between two readings of a prerequisite that held.
    pub prerequisites: SignedDuration,
    /// Between two readings of what a permitted customer has bought.
    pub purchases: SignedDuration,
}

/// The latest moment, at or before `now`, at which it was `uid`'s turn.
pub fn latest_turn(uid: &str, interval: SignedDuration, now: Timestamp) -> Timestamp {
    // In whole seconds: a finer phase would buy nothing.
    let interval = interval.as_secs().max(1);
    let phase = i64::try_from(hash(uid) % interval.unsigned_abs()).unwrap_or(0);
    let since = (now.as_second() - phase).rem_euclid(interval);
    Timestamp::from_second(now.as_second() - since).unwrap_or(Timestamp::MIN)
}

/// The next moment, after `now`, at which it is `uid`'s turn.
pub fn next_turn(uid: &str, interval: SignedDuration, now: Timestamp) -> Timestamp {
    let whole = SignedDuration::from_secs(interval.as_secs().max(1));
    latest_turn(uid, interval, now).saturating_add(whole).unwrap_or(Timestamp::MAX)
}

/// Shortest time between two looks at something that does not hold yet.
const RECHECK_MIN: SignedDuration = SignedDuration::from_secs(15);
/// Longest time between two looks at something that does not hold yet.
const RECHECK_MAX: SignedDuration = SignedDuration::from_mins(10);

/// How long to wait before looking again at something that has not held since `since`: a quarter of the time it has
/// lasted already, between 15 seconds and 10 minutes, and up to a quarter more by `uid`. What was just applied is often
/// put right at once; what has been wrong for a day may wait ten minutes.
pub fn recheck_after(uid: &str, since: Timestamp, now: Timestamp) -> SignedDuration {
    let base = (now.duration_since(since) / 4).clamp(RECHECK_MIN, RECHECK_MAX);
    let spread = i64::try_from(hash(uid) % 1000).unwrap_or(0);
    base + SignedDuration::from_millis(i64::try_from(base.as_millis()).unwrap_or(0) / 4000 * spread)
}

/// FNV-1a: stable across versions and machines, which the standard library's hasher does not promise.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn turns_are_one_interval_apart_and_around_now() {
        for uid in ["a", "b", "9f0c1c1e-6f0e-4a52-9a0e-3d6cbf2a4a10"] {
            let now = at("2026-03-01T08:17:31Z");
            let latest = latest_turn(uid, HOUR, now);
            let next = next_turn(uid, HOUR, now);
            assert!(latest <= now && now < next, "{latest} {next}");
            assert_eq!(next.duration_since(latest), HOUR);
            assert_eq!(latest_turn(uid, HOUR, next), next);
        }
    }

    #[test]
    fn turns_spread_over_the_interval() {
        let now = at("2026-03-01T08:00:00Z");
        let in_first_minute = (0..1000)
            .filter(|i| next_turn(&format!("uid-{i}"), HOUR, now).duration_since(now) <= SignedDuration::from_mins(1))
            .count();
        assert!((5..=40).contains(&in_first_minute), "{in_first_minute} of 1000 fall into one minute of sixty");
    }

    #[test]
    fn rechecks_grow_with_the_time_that_has_passed() {
        let since = at("2026-03-01T08:00:00Z");
        let after = |seconds| recheck_after("uid", since, since + SignedDuration::from_secs(seconds));
        assert!(after(0) >= RECHECK_MIN && after(0) <= RECHECK_MIN * 2);
        assert!(after(600) > after(60));
        assert!(after(1_000_000) <= RECHECK_MAX * 5 / 4);
    }
}
