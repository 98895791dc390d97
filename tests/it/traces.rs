//! Traces: what an OpenTelemetry collector receives, and that nobody waits for one.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use csp_operator::api::CustomerPurchasePermission;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene};
use crate::stages::{Exclusive, eventually, run};

/// A collector that keeps what it gets.
#[derive(Debug, Clone, Default)]
struct Collector {
    spans: Arc<Mutex<Vec<Span>>>,
    services: Arc<Mutex<Vec<String>>>,
    raw: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// Starts it; gives its address.
    fn start() -> (Self, String) {
        let collector = Self::default();
        let app = axum::Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await.unwrap();
            });
        });
        (collector, address)
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

async fn take(State(collector): State<Collector>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body.clone()).expect("protobuf");
    collector.raw.lock().unwrap().extend_from_slice(&body);
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let names = attributes.into_iter().filter(|one| one.key == "service.name");
        let names = names.filter_map(|one| match one.value?.value? {
            Value::StringValue(name) => Some(name),
            _ => None,
        });
        collector.services.lock().unwrap().extend(names);
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        collector.spans.lock().unwrap().extend(spans);
    }
}

fn attributes(span: &Span) -> HashMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let all = span.attributes.iter();
    all.filter_map(|one| Some((one.key.clone(), text(one.value.as_ref()?.value.as_ref()?)))).collect()
}

#[test]
fn a_grant_is_one_trace_that_its_correlation_id_leads_to() {
    let mut exclusive = Exclusive::take();
    let (collector, address) = Collector::start();
    exclusive.start(&["--otlp-endpoint", &address]);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    let shown = scene.until("the record is there", |found| {
        found.status.as_ref().is_some_and(|status| !status.recent_activity.is_empty())
    });
    let correlation = shown.status.unwrap().recent_activity.remove(0).correlation_id.unwrap();
    let write = eventually("the write is in the traces", || {
        collector.spans().into_iter().find(|span| attributes(span).get("csp.correlation_id") == Some(&correlation))
    });
    let told = attributes(&write);
    for (name, value) in [
        ("csp.operation", "create_policy"),
        ("csp.service", "partner_center"),
        ("csp.tenant", &scene.tenant()),
        ("csp.outcome", "ok"),
        ("http.request.method", "POST"),
        ("http.response.status_code", "201"),
        ("http.request.resend_count", "0"),
        ("server.address", "127.0.0.1"),
    ] {
        assert_eq!(told.get(name).map(String::as_str), Some(value), "{name}: {told:?}");
    }
    let linked = uuid::Uuid::from_slice(&write.links[0].trace_id).unwrap();
    assert_eq!(linked.to_string(), correlation, "the linked trace is the correlation id");

    let of_the_trace =
        || collector.spans().into_iter().filter(|span| span.trace_id == write.trace_id).collect::<Vec<_>>();
    let pass =
        eventually("the pass has ended", || of_the_trace().into_iter().find(|span| span.name.starts_with("reconcile")));
    let told = attributes(&pass);
    assert_eq!(pass.name, "reconcile CustomerPurchasePermission");
    assert_eq!((&told["csp.object"], &told["k8s.namespace.name"]), (&PERMISSION.to_owned(), &scene.namespace));
    assert_eq!(told["csp.result"], "ok");
    let names: Vec<_> = of_the_trace().into_iter().map(|span| span.name).collect();
    assert!(names.iter().any(|name| name == "write status"), "{names:?}");
    assert!(collector.services.lock().unwrap().iter().all(|name| name == "csp-operator"));
    let raw = collector.raw.lock().unwrap();
    let raw = String::from_utf8_lossy(&raw);
    for secret in include_str!("../secrets.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(!raw.contains(secret), "a span tells a secret");
    }
}

#[test]
fn a_collector_that_is_down_or_never_answers_delays_and_stops_nothing() {
    let mut exclusive = Exclusive::take();
    // Takes connections, since the system does that, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), refusing] {
        // So that whoever waited for the answer would wait longer than the stage does for the end of the process.
        let patient = [("OTEL_EXPORTER_OTLP_TIMEOUT", "600000")];
        exclusive.start_with(&patient, &["--otlp-endpoint", &format!("http://{address}")]);
        let scene = Scene::new(&exclusive.view);
        scene.converge(ALLOW_RESERVATIONS);
        scene.delete::<CustomerPurchasePermission>(PERMISSION);
        scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
        let ended = exclusive.stage.operator.stop().unwrap();
        assert!(ended.is_some_and(|status| status.success()), "it ends by itself, in time");
        run(crate::stages::forget_lease(&exclusive.view.client));
    }
}
