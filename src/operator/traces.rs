//! Traces for an OpenTelemetry collector, if one is named: OTLP over HTTP, in protobuf.
//!
//! Nothing waits for it. Spans go into a queue that a thread of its own sends from; what the queue has no room for is
//! dropped, and so is what the collector does not take.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, Value};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use url::Url;

/// How long the end of the process waits for the spans that are still in the queue.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// How long a collector may take over an answer, unless `OTEL_EXPORTER_OTLP_TIMEOUT` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A setting cannot be used.
    #[error("the OpenTelemetry exporter cannot be set up: check --otlp-endpoint and the OTEL_… variables")]
    Exporter(#[from] ExporterBuildError),
    /// No HTTP client.
    #[error("could not set up the HTTP client of the OpenTelemetry exporter")]
    Http(#[from] reqwest::Error),
}

/// Sends spans for as long as the process lives.
#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends them to the collector at `endpoint`, or where the variable for traces alone says. `None` where neither names
    /// one, or `OTEL_SDK_DISABLED` or `OTEL_TRACES_EXPORTER` turns them off.
    pub(super) fn to(
        endpoint: Option<&Url>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, TracesError> {
        let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true"))
            || variable("OTEL_TRACES_EXPORTER").is_some_and(|word| word == "none");
        let variables = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
        let is_named = endpoint.is_some() || variables.into_iter().any(|name| variable(name).is_some());
        if is_off || !is_named {
            return Ok(None);
        }
        let millis = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
        let timeout =
            millis.into_iter().find_map(|name| variable(name)?.parse().ok()).map_or(TIMEOUT, Duration::from_millis);
        let client = reqwest::Client::builder().timeout(timeout).build()?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Courier { client, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary);
        // Without the flag, the exporter reads the variables itself.
        if let Some(endpoint) = endpoint {
            exporter = exporter.with_endpoint(format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/')));
        }
        let mut resource = Resource::builder();
        let is_service_named = variable("OTEL_SERVICE_NAME").is_some()
            || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| all.contains("service.name="));
        if !is_service_named {
            resource = resource.with_service_name("csp-operator");
        }
        let version = opentelemetry::KeyValue::new(Key::new("service.version"), Value::from(env!("CARGO_PKG_VERSION")));
        let resource = resource.with_attribute(version).build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter.build()?).with_resource(resource).build();
        Ok(Some(Self(provider)))
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.0.tracer("csp-operator")
    }

    /// Sends what is left, if that can be done in a moment.
    pub(super) async fn finish(self) {
        let (done, is_done) = oneshot::channel();
        // A thread of its own, which nobody waits for when the moment is over.
        std::thread::spawn(move || {
            let _ = self.0.shutdown_with_timeout(FLUSH_MAX);
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(FLUSH_MAX, is_done).await;
    }
}

/// Carries what the exporter's thread sends, on the runtime of the process.
#[derive(Debug)]
struct Courier {
    client: reqwest::Client,
    runtime: Handle,
}

impl HttpClient for Courier {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let (parts, body) = request.into_parts();
            let request = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let answer = request.send().await?;
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        Box::pin(async move {
            let (status, body) = sent.await??;
            let mut response = Response::new(body);
            *response.status_mut() = status;
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_sent_unless_a_collector_is_named() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint: Url = "http://127.0.0.1:4318".parse().unwrap();
        let is_on = |endpoint: Option<&Url>, name: &str, value: &str| {
            Traces::to(endpoint, |asked| (asked == name).then(|| value.to_owned())).unwrap().is_some()
        };
        assert!(!is_on(None, "OTEL_SERVICE_NAME", "mine"));
        assert!(is_on(Some(&endpoint), "OTEL_SERVICE_NAME", "mine"));
        assert!(is_on(None, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces"));
        assert!(!is_on(Some(&endpoint), "OTEL_SDK_DISABLED", "true"));
        assert!(!is_on(Some(&endpoint), "OTEL_TRACES_EXPORTER", "none"));
    }
}
