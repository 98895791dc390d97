//! What a refusal of Partner Center or Azure means.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use super::answer::Answer;
use super::codes;
use super::fault::Fault;
use super::retry_after::retry_after;
use super::wire::without_mark;
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
            Fault::Forbidden | Fault::InvalidRequest | Fault::InvalidProperty | Fault::NotFound => {
                self.description.as_deref()
            }
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
    let body = FaultBody::of(answer);
    let fault = match operation.service() {
        Service::PartnerCenter => partner_center(operation, answer.status, &body),
        Service::Azure => azure(operation, answer.status, &body),
        Service::Graph => by_status(answer.status),
    };
    Cause::Refused(Refusal {
        fault,
        status: answer.status.as_u16(),
        code: body.code,
        description: body.description,
        retry_after: retry_after(&answer.headers),
    })
}

/// Partner Center: the status with its code, then what the status alone means here, then what it means anywhere.
fn partner_center(operation: Operation, status: StatusCode, body: &FaultBody) -> Fault {
    let status_number = status.as_u16();
    if let Some(fault) = body.code.as_deref().and_then(|code| codes::meaning(operation, status_number, code)) {
        return match fault {
            // The customer is what is asked for here, whatever the code says of orders or subscriptions.
            Fault::NotFound if matches!(operation, Operation::ReadCustomer(_)) => Fault::CustomerNotOurs,
            Fault::NotFound if is_about_known_policy(operation) => Fault::PolicyNotFound,
            fault => fault,
        };
    }
    match (status_number, &body.code) {
        // The older refusals of a sign-in without MFA have no code of their own, or only words in the status line.
        (401, _) if body.mentions_mfa() => Fault::MfaRequired,
        // The answer without a body that most of Partner Center's services give for a wrong role.
        (403, None) if operation.is_write() => Fault::NotAdminAgent,
        // Which code an unknown customer gets is not documented. An answer without any may come from a proxy or from a
        // wrong address, and from that nothing must follow.
        (404, Some(_)) if matches!(operation, Operation::ReadCustomer(_)) => Fault::CustomerNotOurs,
        (404, _) if is_about_known_policy(operation) => Fault::PolicyNotFound,
        // What a stale etag gets is not documented: the general tables have these, and 400 with a code.
        (409 | 412, _) => Fault::StaleEtag,
        _ => by_status(status),
    }
}

fn is_about_known_policy(operation: Operation) -> bool {
    matches!(operation, Operation::UpdatePolicy(_) | Operation::DeletePolicy(_))
}

/// Azure Resource Manager: only what an assignment of a role may be refused with has codes of its own.
/// <https://learn.microsoft.com/en-us/azure/role-based-access-control/troubleshooting>
fn azure(operation: Operation, status: StatusCode, body: &FaultBody) -> Fault {
    match (operation, status.as_u16(), body.code.as_deref()) {
        (Operation::AssignOwner(_), 409, Some("RoleAssignmentExists")) => Fault::RoleAssigned,
        (Operation::AssignOwner(_), 400, Some("PrincipalNotFound")) => Fault::PrincipalUnknown,
        (Operation::AssignOwner(_), 400, Some("UnmatchedPrincipalType" | "PrincipalTypeNotSupported")) => {
            Fault::OtherPrincipal
        }
        (Operation::AssignOwner(_), 403, _) => Fault::AssignmentForbidden,
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
    /// Of an answer; an empty body may have its meaning in the status line.
    fn of(answer: &Answer) -> Self {
        let mut body = Self::read(&answer.body);
        if answer.body.is_empty() {
            body.description = answer.reason.as_deref().map(constant_words).filter(|text| !text.is_empty());
        }
        body
    }

    fn read(body: &[u8]) -> Self {
        let wire: FaultWire = serde_json::from_slice(without_mark(body)).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Advice, Error};
    use super::*;

    const CUSTOMER: &str = "c1a0c1a0-1111-4a11-8a11-000000000001";

    fn read_customer() -> Operation {
        Operation::ReadCustomer(CUSTOMER.parse().unwrap())
    }

    fn read_subscriptions() -> Operation {
        Operation::ReadSubscriptions(CUSTOMER.parse().unwrap())
    }

    fn read_policy() -> Operation {
        Operation::ReadPolicy(CUSTOMER.parse().unwrap())
    }

    fn create() -> Operation {
        Operation::CreatePolicy(CUSTOMER.parse().unwrap())
    }

    fn update() -> Operation {
        Operation::UpdatePolicy(CUSTOMER.parse().unwrap())
    }

    fn read_owners() -> Operation {
        Operation::ReadOwners(CUSTOMER.parse().unwrap())
    }

    fn error(operation: Operation, status: u16, body: &str) -> Error {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            reason: None,
            headers: reqwest::header::HeaderMap::new(),
            body: body.as_bytes().to_vec(),
        };
        Error::new(operation, Arc::new(refused(operation, &answer)))
    }

    fn fault(code: &str) -> String {
        format!(r#"{{"code":"{code}","description":"Words.","data":[],"source":"Tests"}}"#)
    }

    /// Status and code of an answer, and what they must mean: category, reason, and the reason of the denial.
    #[track_caller]
    fn check(
        operation: Operation,
        status: u16,
        code: &str,
        (category, reason, denial): (&str, &str, Option<&str>),
    ) -> Error {
        let body = if code.is_empty() { String::new() } else { fault(code) };
        let error = error(operation, status, &body);
        let what = format!("{operation:?} {status} {code}");
        assert_eq!(error.category(), category, "{what}");
        assert_eq!(error.reason(), reason, "{what}");
        assert_eq!(error.denial().map(|denial| denial.reason), denial, "{what}");
        assert_eq!(error.customer_not_ours(), category == "customer_not_ours", "{what}");
        assert_eq!(error.is_stale(), reason == "StaleEtag", "{what}");
        assert_eq!(error.policy_exists(), reason == "PolicyExists", "{what}");
        assert_eq!(error.policy_missing(), reason == "PolicyNotFound", "{what}");
        error
    }

    #[test]
    fn a_refusal_of_the_customer_is_the_customers_and_never_the_partners() {
        let not_ours = ("customer_not_ours", "CustomerNotOurs", None);
        for operation in [read_customer(), read_subscriptions(), read_policy(), create(), update()] {
            for (status, code) in [(403, "20002"), (403, "900159"), (404, "60003")] {
                let error = check(operation, status, code, not_ours);
                assert_eq!(error.advice(), Advice::AwaitChange);
            }
        }
        check(read_customer(), 400, "900118", not_ours);
        check(read_subscriptions(), 400, "900118", not_ours);
        check(read_customer(), 404, "20000", not_ours);
        // A malformed request says nothing of the customer, and a permission must not be let go on the strength of it.
        for operation in [read_customer(), read_subscriptions(), read_policy(), create()] {
            check(operation, 400, "800002", ("invalid_request", "InvalidRequest", None));
        }
        check(create(), 400, "900118", ("invalid_request", "InvalidRequest", None));
        // A proxy, or an address that is not Partner Center's, answers like this.
        check(read_customer(), 404, "", ("not_found", "NotFound", None));
        check(read_subscriptions(), 404, "20000", ("not_found", "NotFound", None));
    }

    #[test]
    fn a_refusal_of_the_sign_in_is_the_partners() {
        for operation in [read_customer(), read_policy(), create(), update(), Operation::ReadActivity] {
            check(operation, 401, "", ("unauthorized", "Unauthorized", Some("CredentialsInvalid")));
            check(operation, 401, "400", ("unauthorized", "Unauthorized", Some("CredentialsInvalid")));
            check(operation, 401, "800001", ("unauthorized", "Unauthorized", Some("CredentialsInvalid")));
            check(operation, 401, "900420", ("unauthorized", "Unauthorized", Some("CredentialsInvalid")));
            check(operation, 401, "900421", ("mfa_required", "MfaRequired", Some("MfaRequired")));
            check(operation, 403, "900329", ("app_only_token", "AppOnlyToken", Some("AppOnlyToken")));
            check(operation, 403, "900309", ("conditional_access", "ConditionalAccess", Some("ConditionalAccess")));
        }
        let error = error(create(), 401, r#"{"message":"Authentication failed. MFA required. (10001)"}"#);
        assert_eq!(error.reason(), "MfaRequired");
    }

    #[test]
    fn a_wrong_role_shows_only_in_a_write() {
        for code in ["", "900150", "900308", "2032", "1002", "600006"] {
            for operation in [create(), update(), Operation::DeletePolicy(CUSTOMER.parse().unwrap())] {
                let denied = ("not_admin_agent", "NotAdminAgent", Some("NotAdminAgent"));
                assert_eq!(check(operation, 403, code, denied).advice(), Advice::AwaitChange);
            }
            check(read_policy(), 403, code, ("forbidden", "Forbidden", None));
        }
        check(create(), 403, "4711", ("forbidden", "Forbidden", None));
    }

    #[test]
    fn agreements_and_programmes_are_told_apart() {
        for operation in [create(), read_subscriptions()] {
            for (code, category, reason, denial) in [
                ("900124", "agreement_missing", "PartnerAgreementMissing", Some("PartnerAgreementMissing")),
                ("900149", "program_not_active", "ProgramNotActive", Some("ProgramNotActive")),
                ("800039", "program_not_active", "ProgramNotActive", Some("ProgramNotActive")),
                ("900123", "agreement_missing", "ResellerAgreementMissing", None),
                ("13605", "agreement_missing", "CustomerAgreementMissing", None),
            ] {
                let error = check(operation, 403, code, (category, reason, denial));
                assert_eq!(error.advice(), Advice::AwaitChange);
            }
        }
    }

    #[test]
    fn what_happened_to_the_policy_meanwhile_is_read_again() {
        let soon = |error: Error| assert_eq!(error.advice(), Advice::RetrySoon);
        soon(check(create(), 409, "600041", ("conflict", "PolicyExists", None)));
        for (status, code) in [(409, "4711"), (409, ""), (412, ""), (400, "2055")] {
            soon(check(update(), status, code, ("conflict", "StaleEtag", None)));
        }
        for code in ["600039", "600040", "20000", ""] {
            soon(check(update(), 404, code, ("not_found", "PolicyNotFound", None)));
        }
        check(create(), 404, "", ("not_found", "NotFound", None));
    }

    #[test]
    fn the_rest_goes_by_status() {
        let invalid = ("invalid_request", "InvalidRequest", None);
        check(create(), 400, "3000", ("invalid_request", "InvalidProperty", None));
        for code in ["800060", "800064", "800082", "900278"] {
            check(update(), 409, code, ("busy", "Busy", None));
        }
        check(read_policy(), 400, "800002", invalid);
        check(read_policy(), 400, "", invalid);
        check(create(), 405, "", invalid);
        for code in ["1000", "20003", "800111", ""] {
            check(read_subscriptions(), 404, code, ("not_found", "NotFound", None));
        }
        for status in [500, 502, 503, 504] {
            let error = check(update(), status, "", ("server_error", "ServerError", None));
            assert_eq!(error.advice(), Advice::RetrySoon);
        }
        assert_eq!(check(read_policy(), 408, "", ("timeout", "Unreachable", None)).advice(), Advice::RetrySoon);
        let throttled = check(create(), 429, "", ("throttled", "Throttled", None));
        assert_eq!(throttled.advice(), Advice::RetryAfter(Duration::from_mins(1)));
        check(read_policy(), 302, "", ("unexpected_answer", "UnexpectedAnswer", None));
    }

    #[test]
    fn a_customers_tenant_never_speaks_for_the_partner() {
        let cases = [
            (401, "InvalidAuthenticationTokenTenant", "Unauthorized"),
            (403, "AuthorizationFailed", "Forbidden"),
            (404, "SubscriptionNotFound", "NotFound"),
            (400, "UnsupportedQuery", "InvalidRequest"),
        ];
        for (status, code, reason) in cases {
            let error = error(read_owners(), status, &format!(r#"{{"error":{{"code":"{code}","message":"Words."}}}}"#));
            assert_eq!(error.reason(), reason);
            assert_eq!(error.denial(), None);
            assert!(error.message().contains(code), "{}", error.message());
        }
    }

    #[test]
    fn reads_every_shape_of_body() {
        let check = |body: &str, code: Option<&str>, description: Option<&str>| {
            let read = FaultBody::read(body.as_bytes());
            assert_eq!((read.code.as_deref(), read.description.as_deref()), (code, description), "{body}");
        };
        check(r#"{"code":"600041","description":"Exists.","data":[],"source":"x"}"#, Some("600041"), Some("Exists"));
        check(r#"{"code":3000,"description":null}"#, Some("3000"), None);
        check(
            r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 57 seconds."}"#,
            None,
            Some("Rate limit is exceeded. Try again in … seconds"),
        );
        check(r#"{"message":"The request is invalid."}"#, None, Some("The request is invalid"));
        check(r#"{"error":{"code":"AuthorizationFailed","message":"No."}}"#, Some("AuthorizationFailed"), Some("No"));
        for body in ["", "<html>", "[]", "null", "{}", r#"{"code":{}}"#] {
            check(body, None, None);
        }
    }

    #[test]
    fn the_same_failure_always_reads_the_same() {
        let message = |trace: &str, seconds: u8| {
            let body = format!(
                r#"{{"code":"3000","description":"Bad\n value. Trace {trace} after {seconds}s at 2026-03-0{seconds}T08:00"}}"#
            );
            error(create(), 400, &body).message()
        };
        assert_eq!(message("c1a0c1a0-1111-4a11-8a11-000000000001", 1), message("4b7f", 2));
        assert_eq!(
            message("4b7f", 2),
            format!(
                "Cannot create the purchase permissions of customer {CUSTOMER}: Partner Center does not take a value of \
                 the request; this may be a defect of csp-operator (code 3000: Bad value. Trace … after … at …)."
            )
        );
        assert!(error(create(), 400, &format!(r#"{{"message":"{}"}}"#, "long ".repeat(500))).message().len() < 500);
    }

    #[test]
    fn an_error_says_what_was_done_and_its_source_why() {
        use std::error::Error as _;
        let error = error(update(), 403, &fault("900150"));
        assert_eq!(error.to_string(), format!("cannot change the purchase permissions of customer {CUSTOMER}"));
        assert_eq!(error.source().unwrap().to_string(), "the service answered 403 with code 900150: Words");
        let denial = error.denial().unwrap();
        assert!(denial.message.starts_with("The signed-in user may not change"), "{}", denial.message);
        assert!(!denial.message.contains(CUSTOMER), "it concerns all customers");
    }
}
