//! Spans of requests: what was asked of whom, and how it ended. No token, no body and no path, which may have ids in it.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

use super::Cause;
use super::answer::Answer;
use super::call::{Call, Undelivered};

/// Target of all spans that are for traces only; log lines do not show them.
pub const TRACES: &str = "csp_operator::traces";

/// The span of a call with all its repetitions.
///
/// It is linked to a trace whose id is the correlation id, so that whoever finds a record in the activity log finds the
/// write: the 128 bits of the one are those of the other, and the span's id is the lower half of them.
pub(super) fn of(call: &Call) -> Span {
    let correlation = call.headers.get("ms-correlationid").and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok());
    let span = tracing::info_span!(
        target: TRACES,
        "request",
        otel.name = call.operation.label(),
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = call.method.as_str(),
        http.request.resend_count = Empty,
        http.response.status_code = Empty,
        server.address = call.url.host_str(),
        server.port = call.url.port_or_known_default(),
        csp.operation = call.operation.label(),
        csp.service = call.operation.service().label(),
        csp.urgency = call.errand.as_ref().map(|errand| errand.urgency().label()),
        csp.tenant = call.customer.map(tracing::field::display),
        csp.correlation_id = correlation.map(tracing::field::display),
        csp.outcome = Empty,
    );
    if let Some(id) = correlation.filter(|_| !span.is_disabled()) {
        let bytes = id.into_bytes();
        let half: [u8; 8] = std::array::from_fn(|at| bytes[8 + at]);
        let (trace, span_id) = (TraceId::from_bytes(bytes), SpanId::from_bytes(half));
        span.add_link(SpanContext::new(trace, span_id, TraceFlags::default(), true, TraceState::default()));
    }
    span
}

/// Notes how it ended, after so many sends.
pub(super) fn ended(span: &Span, sends: u32, result: &Result<Answer, Undelivered>) {
    span.record("http.request.resend_count", sends.saturating_sub(1));
    let (outcome, status) = match result {
        Ok(answer) => ("ok", Some(answer.status.as_u16())),
        Err(Undelivered { cause: cause @ Cause::Refused(refusal), .. }) => (cause.category(), Some(refusal.status())),
        Err(undelivered) => (undelivered.cause.category(), None),
    };
    span.record("csp.outcome", outcome);
    if let Some(status) = status {
        span.record("http.response.status_code", status);
    }
    if result.is_err() {
        span.record("otel.status_code", "ERROR");
    }
}
