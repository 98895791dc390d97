//! Revokes that are due, since when, and how long they took: until one is made, a customer may buy what it is not to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// From a revoke that finds Partner Center idle, through the minute that is promised, to one that somebody must see to.
const BUCKETS: [f64; 8] = [0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0];

/// What is to be turned off. Copies count together.
#[derive(Debug, Clone)]
pub(super) struct Revokes {
    /// Since when, by the UID of the permission.
    due: Arc<Mutex<HashMap<String, Instant>>>,
    seconds: Histogram,
}

impl Default for Revokes {
    fn default() -> Self {
        Self { due: Arc::default(), seconds: Histogram::new(BUCKETS) }
    }
}

impl Revokes {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "revoke_duration",
            "How long it took, in seconds, from when this process saw that a switch was to be turned off until Partner \
             Center had done so. 99% within 60 are promised (docs/monitoring.md). Slower ones wait for their turn or for \
             Partner Center: docs/runbook.md#cspoperatorrevokeslate",
            Unit::Seconds,
            self.seconds.clone(),
        );
    }

    /// Notes that one is due, unless that is known.
    pub(super) fn due(&self, uid: &str, now: Instant) {
        self.state().entry(uid.to_owned()).or_insert(now);
    }

    /// Notes that it is made.
    pub(super) fn made(&self, uid: &str, now: Instant) {
        if let Some(since) = self.state().remove(uid) {
            self.seconds.observe(now.saturating_duration_since(since).as_secs_f64());
        }
    }

    /// Notes that none is due any more.
    pub(super) fn forget(&self, uid: &str) {
        self.state().remove(uid);
    }

    /// How many are due, and for how many seconds the oldest of them has been.
    pub(super) fn waiting(&self, now: Instant) -> (usize, f64) {
        let due = self.state();
        let oldest = due.values().min().map(|since| now.saturating_duration_since(*since).as_secs_f64());
        (due.len(), oldest.unwrap_or_default())
    }

    fn state(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_revoke_is_due_from_when_it_was_first_seen_until_it_is_made() {
        let revokes = Revokes::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        revokes.due("a", at(0));
        revokes.due("a", at(50));
        revokes.due("b", at(70));
        assert_eq!(revokes.waiting(at(100)), (2, 100.0), "a pass that failed does not begin anew");
        revokes.made("a", at(100));
        assert_eq!(revokes.waiting(at(100)), (1, 30.0));
        revokes.forget("b");
        assert_eq!(revokes.waiting(at(100)), (0, 0.0));
        let mut registry = Registry::default();
        revokes.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("revoke_duration_seconds_sum 100.0\n"), "{text}");
        assert!(text.contains("revoke_duration_seconds_count 1\n"), "{text}");
    }
}
