//! What the budgets show to the person on call. Gauges are read when somebody looks.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Unit;

use super::Budgets;
use crate::model::Urgency;

/// From no wait, through one that nobody notices, to one that a person asks about.
const BUCKETS: [f64; 7] = [0.01, 0.1, 1.0, 5.0, 20.0, 60.0, 300.0];

/// What one budget counts.
#[derive(Debug)]
pub(super) struct Counters {
    throttled: Counter,
    waits: [Histogram; Urgency::ALL.len()],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabel {
    service: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    service: &'static str,
    urgency: &'static str,
}

impl Default for Counters {
    fn default() -> Self {
        Self { throttled: Counter::default(), waits: std::array::from_fn(|_| Histogram::new(BUCKETS)) }
    }
}

impl Counters {
    pub(super) fn waited(&self, urgency: Urgency, time: Duration) {
        self.waits[urgency as usize].observe(time.as_secs_f64());
    }

    pub(super) fn throttled(&self) {
        self.throttled.inc();
    }
}

impl Collector for Budgets {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let limit = Family::<ServiceLabel, Gauge>::default();
        let available = Family::<ServiceLabel, Gauge>::default();
        let waiting = Family::<QueueLabels, Gauge>::default();
        for budget in self.all() {
            let service = budget.service.label();
            let state = budget.state();
            let label = ServiceLabel { service };
            limit.get_or_create(&label).set(i64::try_from(state.speed.calls()).unwrap_or(i64::MAX));
            available.get_or_create(&label).set(state.available().into());
            for urgency in Urgency::ALL {
                let labels = QueueLabels { service, urgency: urgency.label() };
                let count = i64::try_from(state.queue.len(urgency)).unwrap_or(i64::MAX);
                waiting.get_or_create(&labels).set(count);
            }
        }
        let described = encoder.encode_descriptor(
            "request_budget_limit",
            "Requests a minute that each service is sent at most now. Below what was set: the service has refused some (429), and the limit grows back with every answer, docs/runbook.md#cspoperatorthrottled",
            None,
            limit.metric_type(),
        )?;
        limit.encode(described)?;
        let described = encoder.encode_descriptor(
            "request_budget_available",
            "Requests that could be sent at once. At 0 for long while some wait: work is limited by --partner-center-calls-per-minute, or paused by the service, docs/runbook.md#cspoperatorcallbudgetexhausted",
            None,
            available.metric_type(),
        )?;
        available.encode(described)?;
        let described = encoder.encode_descriptor(
            "request_budget_waiting",
            "Requests that wait for their turn, by urgency: revoke, change, drift, sweep. Revokes go first; one turn in ten goes to each of the others",
            None,
            waiting.metric_type(),
        )?;
        waiting.encode(described)?;
        let mut described = encoder.encode_descriptor(
            "request_budget_wait",
            "How long requests waited for their turn before they were sent, in seconds. Sweeps may wait for minutes; revokes should not",
            Some(&Unit::Seconds),
            prometheus_client::metrics::MetricType::Histogram,
        )?;
        for budget in self.all() {
            for urgency in Urgency::ALL {
                let labels = QueueLabels { service: budget.service.label(), urgency: urgency.label() };
                budget.counters.waits[urgency as usize].encode(described.encode_family(&labels)?)?;
            }
        }
        let mut described = encoder.encode_descriptor(
            "requests_throttled",
            "Requests that a service refused because there were too many (429). More than a few a day: another program uses the same limit, or it has been lowered; set --partner-center-calls-per-minute below it, docs/runbook.md#cspoperatorthrottled",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?;
        for budget in self.all() {
            let label = ServiceLabel { service: budget.service.label() };
            budget.counters.throttled.encode(described.encode_family(&label)?)?;
        }
        Ok(())
    }
}
