//! Counters of requests, and what their answers tell of the clock.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{Operation, ServerClock};

/// From an answer that comes at once to one that has used up the timeout.
const BUCKETS: [f64; 7] = [0.05, 0.2, 0.5, 1.0, 3.0, 10.0, 30.0];

/// Counts every request by operation and outcome. Clones count together.
#[derive(Debug, Clone)]
pub struct Calls {
    requests: Family<Labels, Counter>,
    seconds: Family<OperationLabel, Histogram, fn() -> Histogram>,
    clock: ServerClock,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            clock: ServerClock::default(),
        }
    }
}

impl Calls {
    /// Shows the counters as `remote_requests_total{operation,outcome}` behind the registry's prefix, how long they took
    /// as `remote_request_duration_seconds{operation}`, and the clock's offset as `remote_clock_offset_seconds`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "remote_requests",
            "Requests to Microsoft Entra, Partner Center, Azure and Microsoft Graph, retries included; outcome is ok or the \
             category of the failure, which docs/errors.md explains",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "remote_request_duration",
            "How long requests took until their whole answer was there, in seconds, the wait for their turn not included. \
             Slow ones of one operation: the service is slow, and the status page of Microsoft may say so",
            Unit::Seconds,
            self.seconds.clone(),
        );
        self.clock.register(registry);
    }

    /// How many requests of `operation` (a label such as `read_policy`) ended as `outcome` (`ok`, `throttled`, …).
    pub fn count(&self, operation: &'static str, outcome: &'static str) -> u64 {
        self.requests.get_or_create(&Labels { operation, outcome }).get()
    }

    pub(super) fn clock(&self) -> &ServerClock {
        &self.clock
    }

    pub(super) fn add(&self, operation: Operation, outcome: &'static str, took: Duration) {
        let operation = operation.label();
        self.requests.get_or_create(&Labels { operation, outcome }).inc();
        self.seconds.get_or_create(&OperationLabel { operation }).observe(took.as_secs_f64());
    }
}
