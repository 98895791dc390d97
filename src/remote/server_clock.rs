//! This machine's clock against the clocks of the services, which every answer tells in its `Date`.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use reqwest::header::{AGE, DATE, HeaderMap};

use super::retry_after::http_date;

/// How far the clocks may be apart. Microsoft Entra allows the same in the times of a token.
const APART_MAX: SignedDuration = SignedDuration::from_mins(5);
/// So many answers in a row make it certain: a single server's clock may be the one that is wrong.
const ANSWERS_MIN: u32 = 3;

/// What is known of this machine's clock. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ServerClock {
    apart_in_a_row: Arc<Mutex<(u32, SignedDuration)>>,
    offset_seconds: Gauge,
}

impl ServerClock {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "remote_clock_offset",
            "How far this machine's clock is ahead of the Date of the newest answer, in seconds. Beyond 300 either way, nothing \
             is granted: docs/runbook.md#cspoperatorclockskewed",
            Unit::Seconds,
            self.offset_seconds.clone(),
        );
    }

    /// Whether this machine's clock is wrong: by more than five minutes, by the word of several answers in a row.
    pub fn is_off(&self) -> bool {
        self.ahead().is_some()
    }

    /// How far this machine's clock is ahead of those of the services, where it is wrong.
    pub fn ahead(&self) -> Option<SignedDuration> {
        let (count, offset) = *self.count();
        (count >= ANSWERS_MIN).then_some(offset)
    }

    /// Compares the clocks, when an answer with these headers has just come.
    pub(super) fn compare(&self, headers: &HeaderMap, now: Timestamp) {
        // What a cache has kept tells of another time.
        let Some(date) = headers.get(DATE).filter(|_| !headers.contains_key(AGE)) else { return };
        let Some(date) = date.to_str().ok().and_then(http_date) else { return };
        let offset = now.duration_since(date);
        self.offset_seconds.set(offset.as_secs());
        let mut known = self.count();
        let (count, last) = &mut *known;
        *last = offset;
        let before = *count;
        *count = if offset.abs() > APART_MAX { before.saturating_add(1) } else { 0 };
        if before < ANSWERS_MIN && *count == ANSWERS_MIN {
            tracing::warn!(
                offset_seconds = offset.as_secs(),
                "this machine's clock and those of Microsoft's services are more than five minutes apart: set it right; nothing is granted until then"
            );
        } else if before >= ANSWERS_MIN && *count == 0 {
            tracing::info!("this machine's clock agrees with those of Microsoft's services again");
        }
    }

    fn count(&self) -> std::sync::MutexGuard<'_, (u32, SignedDuration)> {
        self.apart_in_a_row.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_several_answers_in_a_row_put_the_clock_in_the_wrong() {
        let clock = ServerClock::default();
        let now: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let answers = |dates: &[&str], age: bool, is_off: bool| {
            for date in dates {
                let mut headers = HeaderMap::new();
                headers.insert(DATE, date.parse().unwrap());
                if age {
                    headers.insert(AGE, "900".parse().unwrap());
                }
                clock.compare(&headers, now);
            }
            clock.compare(&HeaderMap::new(), now);
            assert_eq!(clock.is_off(), is_off, "{dates:?}");
        };
        let (late, early) = ("Sun, 01 Mar 2026 08:05:01 GMT", "Sun, 01 Mar 2026 07:54:59 GMT");
        let (good, edge) = ("Sun, 01 Mar 2026 08:00:01 GMT", "Sun, 01 Mar 2026 08:05:00 GMT");
        answers(&[late, late], false, false);
        answers(&[good, late, late], false, false);
        answers(&[early], false, true);
        answers(&["nonsense"], false, true);
        answers(&[edge], false, false);
        answers(&[late, late, late, late], true, false);
        answers(&[early, early, early], false, true);
        assert_eq!(clock.offset_seconds.get(), 301);
    }
}
