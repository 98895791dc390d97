//! What a refusal of Partner Center or Azure means.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use super::fault::Fault;
use super::retry_after::retry_after;
use super::transport::Answer;
use super::{Cause, Operation, Service};

/// An answer other than success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    fault: Fault,
    status: u16,
    code: Option<String>,
    description: Option<String>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Code of the fault in the service's own word, such as `600041` or `AuthorizationFailed`.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    pub(super) fn fault(&self) -> Fault {
        self.fault
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What may stand in a condition message: where our own words say it all, only the code; where they cannot, the
    /// service's words too.
    pub(super) fn detail(&self) -> String {
        let description = match self.fault {
            Fault::Forbidden | Fault::InvalidRequest | Fault::NotFound => self.description.as_deref(),
            _ => None,
        };
        match (self.code.as_deref(), description) {
            (Some(code), Some(description)) => format!("code {code}: {description}"),
            (Some(code), None) => format!("code {code}"),
            (None, Some(description)) => format!("status {}: {description}", self.status),
            (None, None) => format!("status {}", self.status),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service answered {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " with code {code}")?;
        }
        if let Some(description) = &self.description {
            write!(f, ": {description}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// Says what `answer`, which is no success, means for `operation`.
pub(super) fn refused(operation: Operation, answer: &Answer) -> Cause {
    if answer.status.is_informational() || answer.status.is_redirection() {
        // Redirects are never followed: they would carry the token to wherever the answer says.
        return Cause::UnexpectedAnswer(format!("status {}", answer.status.as_u16()));
    }
    let body = FaultBody::read(&answer.body);
    let fault = match operation.service() {
        Service::PartnerCenter => partner_center(operation, answer.status, &body),
        Service::Azure => by_status(answer.status),
    };
    Cause::Refused(Refusal {
        fault,
        status: answer.status.as_u16(),
        code: body.code,
        description: body.description,
        retry_after: retry_after(&answer.headers),
    })
}

/// Partner Center: first the codes that mean the same wherever they occur, then the status.
fn partner_center(operation: Operation, status: StatusCode, body: &FaultBody) -> Fault {
    match (status.as_u16(), body.code.as_deref()) {
        (403, Some("20002" | "900159")) | (404, Some("60003")) => Fault::CustomerNotOurs,
        (400, Some("900118")) if operation.is_below_customer() => Fault::CustomerNotOurs,
        // Which code an unknown customer gets is not documented. An answer without any may come from a proxy or from a
        // wrong address, and from that nothing must follow.
        (404, Some(_)) if matches!(operation, Operation::ReadCustomer(_)) => Fault::CustomerNotOurs,

        (401, Some("900420")) => Fault::WrongAudience,
        (401, Some("900421" | "10001")) => Fault::MfaRequired,
        (401, _) if body.mentions_mfa() => Fault::MfaRequired,
        (403, Some("900329")) => Fault::AppOnlyToken,
        (403, Some("900309")) => Fault::ConditionalAccess,
        // The codes seen for a wrong role, and the answer without a body that most of Partner Center's services give.
        (403, Some("900150" | "900308" | "2032" | "1002" | "600006") | None) if operation.is_write() => {
            Fault::NotAdminAgent
        }

        (409, Some("600041")) => Fault::PolicyExists,
        // What a stale etag gets is not documented: the general tables have all of these.
        (400, Some("2055")) | (409 | 412, _) => Fault::StaleEtag,
        (404, Some("600039" | "600040")) => Fault::PolicyNotFound,
        (404, _) if matches!(operation, Operation::UpdatePolicy(_) | Operation::DeletePolicy(_)) => {
            Fault::PolicyNotFound
        }
        _ => by_status(status),
    }
}

fn by_status(status: StatusCode) -> Fault {
    match status.as_u16() {
        401 => Fault::Unauthorized,
        403 => Fault::Forbidden,
        404 => Fault::NotFound,
        408 => Fault::TimedOut,
        429 => Fault::Throttled,
        500.. => Fault::ServerError,
        _ => Fault::InvalidRequest,
    }
}

/// The body of a refusal, whichever of its shapes it has: Partner Center's fault with a code, the throttle, the web
/// framework's bare message, Azure's error envelope, or nothing that can be read.
#[derive(Debug, Default, PartialEq, Eq)]
struct FaultBody {
    code: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    Number(i64),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FaultWire {
    code: Option<Code>,
    description: Option<String>,
    message: Option<String>,
    error: Option<ErrorWire>,
}

#[derive(Deserialize)]
struct ErrorWire {
    code: Option<Code>,
    message: Option<String>,
}

impl FaultBody {
    fn read(body: &[u8]) -> Self {
        let wire: FaultWire = serde_json::from_slice(body).unwrap_or_default();
        let (inner_code, inner_message) = wire.error.map_or((None, None), |error| (error.code, error.message));
        let code = match wire.code.or(inner_code) {
            Some(Code::Text(text)) => Some(text),
            Some(Code::Number(number)) => Some(number.to_string()),
            None => None,
        };
        let description = wire.description.or(wire.message).or(inner_message);
        Self {
            code: code.map(|text| word(&text)).filter(|text| !text.is_empty()),
            description: description.map(|text| constant_words(&text)).filter(|text| !text.is_empty()),
        }
    }

    /// The older refusals of a sign-in without MFA have no code of their own.
    fn mentions_mfa(&self) -> bool {
        self.description.as_deref().is_some_and(|text| text.to_ascii_uppercase().contains("MFA"))
    }
}

/// A code without anything that could not be one.
pub(super) fn word(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.')).take(64).collect()
}

/// Remote text made fit for a condition message: at most 160 printable characters, and every word with a digit in it
/// left out, since ids, times and counts would make the same failure read differently each time.
pub(super) fn constant_words(text: &str) -> String {
    let mut kept = String::new();
    for word in text.split_whitespace() {
        let word: String = if word.chars().any(|letter| letter.is_ascii_digit()) {
            "…".to_owned()
        } else {
            word.chars().filter(|letter| !letter.is_control()).collect()
        };
        if kept.chars().count() + 1 + word.chars().count() > 160 {
            break;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(&word);
    }
    kept.trim_end_matches('.').to_owned()
}
