//! Log lines: where they go, in which form, and how an error with its causes reads in them.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use opentelemetry_sdk::trace::SdkTracer;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::args::LogFormat;
use crate::remote::TRACES;

/// Why there are no log lines.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("could not read the log filter \"{filter}\"")]
    Filter {
        /// The filter.
        filter: String,
        /// The cause.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else in this process writes log lines already.
    #[error("could not begin to write log lines")]
    Install(#[source] tracing_subscriber::util::TryInitError),
}

/// Begins to write log lines to standard error, for the whole process, and to hand spans to `tracer`, if there is one.
pub(super) fn install(format: LogFormat, filter: &str, tracer: Option<SdkTracer>) -> Result<(), TelemetryError> {
    let chosen = EnvFilter::builder()
        .parse(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    // kube's client logs the whole text of a response it cannot decode, and a response may be a Secret. Every error it
    // logs is returned as well, so nothing is lost.
    // Spans of traces are no part of log lines.
    let harmless =
        filter_fn(|metadata| !metadata.target().starts_with("kube_client::client") && metadata.target() != TRACES);
    let spans = tracer.map(|tracer| {
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
        let layer = layer.with_target(false).with_tracked_inactivity(false);
        layer.with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACES))
    });
    tracing_subscriber::registry()
        .with(spans)
        .with(lines.with_filter(chosen.and(harmless)))
        .try_init()
        .map_err(TelemetryError::Install)
}

/// An error with all its causes in one line: `reading the lease: no answer: connection refused`.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many libraries repeat the cause in their own text.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            next = cause.source();
        }
        Ok(())
    }
}

/// What a loop has complained about already: the same complaint is worth a line once a minute, not every second.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    last: Option<(String, Instant)>,
}

impl Complaints {
    const REPEAT_AFTER: Duration = Duration::from_mins(1);

    /// Whether `text` should be written now; it then counts as written.
    pub(super) fn is_news(&mut self, text: &str) -> bool {
        let old = self.last.as_ref().is_some_and(|(said, at)| said == text && at.elapsed() < Self::REPEAT_AFTER);
        if !old {
            self.last = Some((text.to_owned(), Instant::now()));
        }
        !old
    }

    /// The cause is gone.
    pub(super) fn clear(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn causes_are_named_once_each() {
        let link = |text, cause| Link(text, Some(Box::new(cause)));
        let error = link("reading", link("connecting: refused", link("refused", Link("os error 111", None))));
        assert_eq!(Chain(&error).to_string(), "reading: connecting: refused: os error 111");
        assert_eq!(Chain(&Link("alone", None)).to_string(), "alone");
    }
}
