//! One request and its answer, independent of the HTTP library's types for bodies and connections.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode};
use base64::Engine;
use jiff::Timestamp;
use serde_json::Value;

use super::issued::Sent;
use super::random::Random;

/// A request, read completely.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) at: Timestamp,
    /// Where the ids of its answer come from.
    pub(crate) random: Random,
    /// How it came: `http` or `https`.
    pub(crate) scheme: &'static str,
    pub(crate) method: Method,
    /// As sent, without the query.
    pub(crate) path: String,
    /// Name and value of every query parameter, decoded (`+` is a space).
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The path's segments, decoded, with the case as sent.
    pub(crate) fn segments(&self) -> Vec<String> {
        segments(&self.path)
    }

    /// The first query parameter of that name, whatever its case.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The header of that name, when it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The bearer token of the `Authorization` header.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// User and password of the `Authorization` header.
    pub(crate) fn basic(&self) -> Option<(String, String)> {
        let (scheme, encoded) = self.header("authorization")?.split_once(' ')?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        scheme.eq_ignore_ascii_case("basic").then(|| (percent_decoded(user), percent_decoded(password)))
    }

    /// As sent, but for the encoding of the query.
    pub(crate) fn path_and_query(&self) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    /// The absolute address of the same request with one query parameter replaced.
    pub(crate) fn link_with(&self, name: &str, value: &str) -> String {
        let kept = self.query.iter().filter(|(key, _)| !key.eq_ignore_ascii_case(name));
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair(name, value).finish();
        format!("{}{}?{query}", self.base_url(), self.path)
    }

    /// Scheme and host under which the caller reached the simulator.
    pub(crate) fn base_url(&self) -> String {
        format!("{}://{}", self.scheme, self.header("host").unwrap_or("localhost"))
    }

    /// The body as JSON; `None` when it is not.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// A path's segments, decoded.
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect()
}

/// A time as headers have it.
pub(crate) fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `%41` to `A`. A `+` stays, since this is not a query; a malformed escape stays too.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            decoded.push(high << 4 | low);
            rest = &tail[2..];
        } else {
            decoded.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The member of a JSON object by that name, whatever its case: Microsoft's .NET SDK sends `PascalCase`.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, member)| member)
}

/// [`member`], when it is a string.
pub(crate) fn text_member<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    member(value, name)?.as_str()
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Stands in the status line instead of the usual phrase.
    pub(crate) reason: Option<String>,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    /// JSON, unless a fault says otherwise.
    pub(crate) body: Option<String>,
    pub(crate) delivery: Delivery,
    /// Whether the request changed what Partner Center holds.
    pub(crate) effective: bool,
    /// Whom to tell when it has been sent as a whole.
    pub(crate) sent: Option<Sent>,
}

/// How the body leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// At once.
    #[default]
    Whole,
    /// In pieces of so many bytes, with a pause before each.
    Drip { bytes: usize, pause: Duration },
    /// Only so many bytes; then the connection ends.
    Cut { after_bytes: usize, has_length: bool },
    /// Only so many bytes; then the connection is reset.
    Reset { after_bytes: usize },
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &Value) -> Self {
        Self { body: Some(body.to_string()), ..Self::empty(status) }
    }

    pub(crate) fn ok(body: &Value) -> Self {
        Self::json(StatusCode::OK, body)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            reason: None,
            headers: Vec::new(),
            body: None,
            delivery: Delivery::Whole,
            effective: false,
            sent: None,
        }
    }

    pub(crate) fn with_header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Says something in the status line, as older services of Microsoft's do in place of a body.
    pub(crate) fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub(crate) fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    pub(crate) fn effective(mut self) -> Self {
        self.effective = true;
        self
    }
}

/// A request refused: the answer that says so. `Err` only so that `?` ends the handler.
pub(crate) type Outcome = Result<Answer, Answer>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_are_decoded() {
        assert_eq!(percent_decoded("a%3Ab+c"), "a:b+c");
        assert_eq!(percent_decoded("50%"), "50%");
    }

    #[test]
    fn members_are_found_in_any_case() {
        let value = serde_json::json!({ "SelfServeEntity": { "TenantID": "x" } });
        let entity = member(&value, "selfServeEntity").expect("found");
        assert_eq!(text_member(entity, "tenantID"), Some("x"));
        assert_eq!(member(&value, "grantor"), None);
    }
}
