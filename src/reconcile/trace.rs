//! Spans of passes, and of what they write to Kubernetes.

use tracing::Span;
use tracing::field::Empty;

use crate::model::Urgency;
use crate::plan::ObjectName;
use crate::remote::TRACES;

/// The span of one pass over an object.
pub(super) fn pass(kind: &str, name: &ObjectName, urgency: Urgency) -> Span {
    tracing::info_span!(
        target: TRACES,
        parent: None,
        "reconcile",
        otel.name = format!("reconcile {kind}"),
        otel.status_code = Empty,
        k8s.namespace.name = name.namespace,
        csp.kind = kind,
        csp.object = name.name,
        csp.urgency = urgency.label(),
        csp.result = Empty,
    )
}

/// Notes how a pass ended: `ok`, or the category of its error.
pub(super) fn passed(span: &Span, result: &'static str, is_failure: bool) {
    span.record("csp.result", result);
    if is_failure {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of a write to the API server: `what` is a bounded word such as `status`.
pub(super) fn kubernetes(what: &'static str) -> Span {
    tracing::info_span!(
        target: TRACES,
        "kubernetes",
        otel.name = format!("write {what}"),
        otel.kind = "client",
        csp.written = what,
    )
}
