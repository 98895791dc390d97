//! The registry behind `/metrics`, and what the process itself counts.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::version::{REVISION, VERSION};

/// All metrics of this process, every name beginning with `csp_operator_`. Copies share one registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    leading: Gauge,
}

impl Metrics {
    /// The registry with what the process itself counts.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("csp_operator");
        let build = Info::new([("version", VERSION), ("revision", REVISION)]);
        registry.register(
            "build",
            "The version that runs, and the commit it was built from, as labels; always 1",
            build,
        );
        let leading = Gauge::default();
        registry.register(
            "leading",
            "1 while this replica holds the lease and may act. No replica at 1 for longer than the lease lasts: nothing is \
             granted or revoked, docs/runbook.md#cspoperatornotleading",
            leading.clone(),
        );
        Self { registry: Arc::new(Mutex::new(registry)), leading }
    }

    /// Lets `add` register more metrics; it may be called at any time.
    pub fn register<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything in the text format of `OpenMetrics`.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }

    /// Records whether this replica may act.
    pub(super) fn set_leading(&self, leading: bool) {
        self.leading.set(i64::from(leading));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
