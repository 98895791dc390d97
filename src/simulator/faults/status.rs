//! Another answer than the right one, in any of the shapes that refusals have.

use axum::http::StatusCode;
use hyper::ext::ReasonPhrase;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::headers::{self, Headers};
use crate::simulator::arm::refusal as arm;
use crate::simulator::exchange::{Answer, Request, http_date};
use crate::simulator::graph::refusal as graph;
use crate::simulator::oauth;
use crate::simulator::operation::Api;
use crate::simulator::partner_center::refusal as partner_center;

/// How far from now a date in `Retry-After` may be, in seconds: a hundred years, so that it is a date all the same.
const DATE_SECONDS_MAX: i64 = 36_525 * 24 * 60 * 60;

/// An answer with this status. Without `shape`, `body` and `empty` its body is what the API asked would send.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StatusAnswer {
    #[serde(with = "status_number")]
    status: StatusCode,
    /// The reason phrase of the status line, instead of the usual one.
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    shape: Option<Shape>,
    #[serde(default)]
    code: Option<Code>,
    #[serde(default)]
    description: Option<String>,
    /// What stands in the fault's `data` instead of an empty array.
    #[serde(default)]
    data: Option<Value>,
    /// Fields of the fault to leave out, such as `source`.
    #[serde(default)]
    omit: Vec<String>,
    #[serde(default)]
    retry_after: Option<RetryAfter>,
    #[serde(default)]
    headers: Headers,
    /// The body as is.
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    empty: bool,
    /// Whether the request takes effect all the same.
    #[serde(default)]
    pub(crate) applied: bool,
}

/// The four shapes of Partner Center's error bodies, but for the empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Shape {
    /// `code`, `description`, `data`, `source`.
    Fault,
    /// `statusCode` and `message`.
    Throttle,
    /// `message` alone.
    Message,
}

/// Documented as text; one documented sample has a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "code is text or a whole number")]
enum Code {
    Text(String),
    Number(i64),
}

/// The `Retry-After` header.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "retryAfter is text, a whole number of seconds, or {\"dateInSeconds\": a whole number}")]
enum RetryAfter {
    /// As is, so that it can be nonsense.
    Text(String),
    Seconds(i64),
    Date(InSeconds),
}

/// A date so many seconds from now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InSeconds {
    date_in_seconds: i64,
}

impl StatusAnswer {
    /// Whether it can be sent; else a sentence with the field in the way.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(reason) = &self.reason
            && ReasonPhrase::try_from(reason.as_bytes()).is_err()
        {
            return Err("reason has no line break and no other control character".to_owned());
        }
        if self.body.is_some() && [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&self.status) {
            return Err(format!("body: HTTP has none in an answer {}; leave it out", self.status.as_u16()));
        }
        self.retry_after.as_ref().map_or(Ok(()), RetryAfter::check)?;
        headers::check(&self.headers)
    }

    /// The answer to `request`, but for the headers that all answers of the API have.
    pub(crate) fn answer(&self, request: &Request, api: Api) -> Answer {
        let mut answer = match &self.body {
            Some(body) => Answer { body: Some(body.clone()), ..Answer::empty(self.status) },
            None if self.empty => Answer::empty(self.status),
            None => self.in_shape(request, api),
        };
        answer.reason.clone_from(&self.reason);
        if let Some(retry_after) = &self.retry_after {
            answer = answer.with_header("retry-after", retry_after.header(request.at));
        }
        for (name, value) in &self.headers {
            answer = answer.with_header(name.to_lowercase(), value);
        }
        answer
    }

    fn in_shape(&self, request: &Request, api: Api) -> Answer {
        let text = self.description.as_deref();
        let text_or_reason = text.unwrap_or_else(|| self.status.canonical_reason().unwrap_or("A simulated fault."));
        let rate = text.unwrap_or("Rate limit is exceeded. Try again later.");
        match (self.shape, api) {
            (Some(Shape::Throttle), _) => partner_center::throttled(self.status, rate),
            (Some(Shape::Message), _) => Answer::json(self.status, &json!({ "message": text_or_reason })),
            (None, Api::Entra) => self.of_entra(request, text_or_reason),
            (None, Api::ResourceManager) => {
                let code = self.code.as_ref().map_or_else(|| text_or_reason.replace(' ', ""), Code::text);
                arm::refuse(self.status, &code, text_or_reason)
            }
            (None, Api::Graph) => {
                let code = self.code.as_ref().map_or_else(|| text_or_reason.replace(' ', ""), Code::text);
                graph::refuse(request, self.status, &code, text_or_reason)
            }
            (None, Api::PartnerCenter) if self.code.is_none() && self.status == StatusCode::TOO_MANY_REQUESTS => {
                partner_center::throttled(self.status, rate)
            }
            (Some(Shape::Fault), _) | (None, Api::PartnerCenter) => self.fault(text_or_reason),
        }
    }

    fn fault(&self, description: &str) -> Answer {
        let code = self.code.clone().unwrap_or_else(|| Code::Text("800003".to_owned()));
        let data = self.data.clone().unwrap_or_else(|| json!([]));
        let mut body = json!({ "code": code, "description": description, "data": data, "source": "PartnerFD" });
        if let Value::Object(fields) = &mut body {
            fields.retain(|name, _| !self.omit.contains(name));
        }
        Answer::json(self.status, &body)
    }

    fn of_entra(&self, request: &Request, text: &str) -> Answer {
        let number = self.code.as_ref().map(Code::text);
        let number = number.and_then(|code| code.trim_start_matches("AADSTS").parse().ok()).unwrap_or(90033);
        let error = match self.status {
            StatusCode::UNAUTHORIZED => "invalid_client",
            StatusCode::BAD_REQUEST => "invalid_grant",
            _ => "temporarily_unavailable",
        };
        oauth::refuse(request, self.status, error, number, text)
    }
}

impl Code {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }
}

impl RetryAfter {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Text(text) => headers::check_value(text).map_err(|said| format!("retryAfter: {said}")),
            Self::Seconds(_) => Ok(()),
            Self::Date(InSeconds { date_in_seconds }) => {
                let is_near = (-DATE_SECONDS_MAX..=DATE_SECONDS_MAX).contains(date_in_seconds);
                is_near.then_some(()).ok_or_else(|| {
                    format!(
                        "retryAfter.dateInSeconds is at most {DATE_SECONDS_MAX}, a hundred years, before or after now"
                    )
                })
            }
        }
    }

    fn header(&self, now: Timestamp) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(InSeconds { date_in_seconds }) => {
                http_date(now.saturating_add(SignedDuration::from_secs(*date_in_seconds)).unwrap_or(now))
            }
        }
    }
}

mod status_number {
    use axum::http::StatusCode;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
        let number = u16::deserialize(deserializer)?;
        match StatusCode::from_u16(number) {
            // 1xx is not an answer, and the HTTP library would not send it as one.
            Ok(status) if !status.is_informational() => Ok(status),
            _ => Err(D::Error::custom(format!("{number} is not the status of an answer (200 to 999)"))),
        }
    }
}
