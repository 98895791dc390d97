//! The time that the simulator sees: this machine's, apart from it, or standing still.
//!
//! Every time in an answer and every expiry is judged by it. What passes while somebody waits (latency, delays of faults,
//! the steps of a scenario) is real.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};

/// The years between which the clock can be set, so that ninety days more or less are always a time too.
const YEARS: std::ops::Range<i16> = 1970..9000;

/// A clock that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// So far ahead of this machine's.
    Running { offset: SignedDuration },
    /// Always this time.
    Frozen { at: Timestamp },
}

impl Default for Clock {
    fn default() -> Self {
        Self::Running { offset: SignedDuration::ZERO }
    }
}

/// What the clock is to show. At most one of `now`, `advance` and `offset`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    /// This time.
    #[serde(default)]
    now: Option<Timestamp>,
    /// So much more than it shows.
    #[serde(default)]
    advance: Option<Duration>,
    /// So much more than this machine's.
    #[serde(default)]
    offset: Option<Duration>,
    /// Whether it stands still from then on; as before when absent.
    #[serde(default)]
    frozen: Option<bool>,
}

/// What the clock shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    pub(crate) now: Timestamp,
    /// How far it is ahead of this machine's.
    pub(crate) offset_seconds: i64,
    pub(crate) frozen: bool,
}

impl Clock {
    /// What it shows.
    pub(crate) fn now(self) -> Timestamp {
        self.at(Timestamp::now())
    }

    /// What it shows when this machine's clock shows `machine`.
    fn at(self, machine: Timestamp) -> Timestamp {
        match self {
            Self::Running { offset } => machine.saturating_add(offset).unwrap_or(machine),
            Self::Frozen { at } => at,
        }
    }

    /// What it shows, in the words of the control API.
    pub(crate) fn shown(self) -> Shown {
        let machine = Timestamp::now();
        let now = self.at(machine);
        let frozen = matches!(self, Self::Frozen { .. });
        Shown { now, offset_seconds: now.duration_since(machine).as_secs(), frozen }
    }

    /// The clock after the change, or why it cannot be.
    pub(crate) fn changed(self, change: &Change) -> Result<Self, String> {
        self.changed_at(change, Timestamp::now())
    }

    fn changed_at(self, change: &Change, machine: Timestamp) -> Result<Self, String> {
        let shown = self.at(machine);
        let time = match (change.now, change.advance, change.offset) {
            (None, None, None) if change.frozen.is_none() => {
                return Err("say one of now, advance and offset, or frozen".to_owned());
            }
            (None, None, None) => Ok(shown),
            (Some(now), None, None) => Ok(now),
            (None, Some(Duration(advance)), None) => shown.checked_add(advance),
            (None, None, Some(Duration(offset))) => machine.checked_add(offset),
            _ => return Err("say only one of now, advance and offset".to_owned()),
        };
        let time = time.ok().filter(|time| YEARS.contains(&time.to_zoned(jiff::tz::TimeZone::UTC).year()));
        let time = time.ok_or_else(|| format!("the clock shows years from {} to {}", YEARS.start, YEARS.end - 1))?;
        let frozen = change.frozen.unwrap_or(matches!(self, Self::Frozen { .. }));
        Ok(if frozen { Self::Frozen { at: time } } else { Self::Running { offset: time.duration_since(machine) } })
    }
}

/// A duration as people write it: `90s`, `-5m`, `1h 30m`, `91d` (a day is 24 hours).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Duration(pub(crate) SignedDuration);

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let span: Option<Span> = text.parse().ok();
        let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        duration.map(Self).ok_or_else(|| format!("`{text}` is no duration: write it like 90s, -5m, 1h30m or 91d"))
    }
}

/// `at` plus so many milliseconds; a delay beyond the end of time means never.
pub(crate) fn later(at: Timestamp, delay_ms: u64) -> Timestamp {
    let delay = SignedDuration::from_millis(i64::try_from(delay_ms).unwrap_or(i64::MAX));
    at.checked_add(delay).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MACHINE: &str = "2026-03-01T08:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    /// What a clock shows after these changes, when they were made, and an hour later.
    fn check(changes: &[Value], expected: [&str; 2]) {
        let mut clock = Clock::default();
        for change in changes {
            let change = serde_json::from_value(change.clone()).expect("a change");
            clock = clock.changed_at(&change, at(MACHINE)).expect("possible");
        }
        let hour = SignedDuration::from_hours(1);
        assert_eq!([clock.at(at(MACHINE)), clock.at(at(MACHINE) + hour)], expected.map(at), "{changes:?}");
    }

    #[test]
    fn the_clock_is_set_moved_and_frozen() {
        check(&[], [MACHINE, "2026-03-01T09:00:00Z"]);
        check(&[json!({ "now": "2020-01-01T00:00:00Z" })], ["2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z"]);
        check(&[json!({ "offset": "-10m" })], ["2026-03-01T07:50:00Z", "2026-03-01T08:50:00Z"]);
        check(&[json!({ "offset": "-10m" }), json!({ "offset": "0s" })], [MACHINE, "2026-03-01T09:00:00Z"]);
        check(
            &[json!({ "advance": "31d" }), json!({ "advance": "-1d" })],
            ["2026-03-31T08:00:00Z", "2026-03-31T09:00:00Z"],
        );
        check(&[json!({ "frozen": true })], [MACHINE, MACHINE]);
        check(
            &[json!({ "now": "2020-01-01T00:00:00Z", "frozen": true }), json!({ "advance": "1h30m" })],
            ["2020-01-01T01:30:00Z", "2020-01-01T01:30:00Z"],
        );
        check(
            &[json!({ "now": "2020-01-01T00:00:00Z", "frozen": true }), json!({ "frozen": false })],
            ["2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z"],
        );
    }

    #[test]
    fn what_no_clock_can_show_is_refused() {
        let refused = |change: Value| match serde_json::from_value::<Change>(change) {
            Ok(change) => Clock::default().changed_at(&change, at(MACHINE)).expect_err("refused"),
            Err(error) => error.to_string(),
        };
        for (change, sentence) in [
            (json!({}), "say one of now, advance and offset, or frozen"),
            (json!({ "now": MACHINE, "advance": "1s" }), "say only one of"),
            (json!({ "advance": "7000000d" }), "the clock shows years from 1970 to 8999"),
            (json!({ "now": "1815-12-10T00:00:00Z" }), "the clock shows years from 1970 to 8999"),
            (json!({ "advance": "soon" }), "`soon` is no duration: write it like 90s"),
            (json!({ "advance": "1 month" }), "`1 month` is no duration"),
            (json!({ "tomorrow": true }), "unknown field `tomorrow`"),
        ] {
            let said = refused(change.clone());
            assert!(said.contains(sentence), "{change}: {said}");
        }
    }
}
