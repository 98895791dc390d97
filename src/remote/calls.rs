//! Counters of requests, and what their answers tell of the clock.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Operation, ServerClock};

/// Counts every request by operation and outcome. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    requests: Family<Labels, Counter>,
    clock: ServerClock,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    operation: &'static str,
    outcome: &'static str,
}

impl Calls {
    /// Shows the counters as `remote_requests_total{operation,outcome}` behind the registry's prefix, and the clock's
    /// offset as `remote_clock_offset_seconds`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "remote_requests",
            "Requests to Microsoft Entra, Partner Center and Azure, retries included; outcome is ok or the category \
             of the failure",
            self.requests.clone(),
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

    pub(super) fn add(&self, operation: Operation, outcome: &'static str) {
        self.requests.get_or_create(&Labels { operation: operation.label(), outcome }).inc();
    }
}
