//! What all of Entra's endpoints speak: a form, two generations of them, and one shape for refusals.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::exchange::{Answer, Request};

/// The two generations of the endpoint, which differ in how the resource is named and in the types of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The form fields of the body.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn of(request: &Request) -> Self {
        Self(url::form_urlencoded::parse(&request.body).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, request: &Request, name: &str) -> Result<&str, Answer> {
        self.get(name).ok_or_else(|| {
            refuse(
                request,
                StatusCode::BAD_REQUEST,
                "invalid_request",
                900_144,
                &format!("The request body must contain the following parameter: '{name}'."),
            )
        })
    }
}

/// An answer that nobody may keep.
pub(crate) fn success(body: &Value) -> Answer {
    Answer::ok(body).with_header("cache-control", "no-store").with_header("pragma", "no-cache")
}

/// A refusal in Entra's shape.
pub(crate) fn refuse(request: &Request, status: StatusCode, error: &str, code: u32, text: &str) -> Answer {
    let trace = request.random.uuid();
    let correlation =
        request.header("client-request-id").map_or_else(|| request.random.uuid().to_string(), str::to_owned);
    let timestamp = request.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    Answer::json(
        status,
        &json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        }),
    )
}
