//! What Entra's refusals mean to the person at the terminal: one sentence, with what to do.
//!
//! By the `AADSTS` numbers of <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>. Entra's own
//! sentence is shown only for a number that is not known here.

use url::Url;

use super::printable;
use crate::remote::{Cause, Error, TokenDefect};

/// Application id of Partner Center itself, the same in every tenant.
const PARTNER_CENTER: &str = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd";

const REQUIRE_MFA: &str = "Partner Center accepts nobody without it: require MFA for that user, with security defaults or Conditional Access, and run this again";

/// Entra does not sign the person in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    error: String,
    code: Option<u32>,
    description: String,
}

/// What a sentence may refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) tenant: &'a str,
    pub(super) client_id: &'a str,
    pub(super) admin_consent: &'a Url,
    pub(super) device_code: bool,
}

impl Refusal {
    /// From `error` and `error_description`.
    pub(super) fn new(error: &str, description: &str) -> Self {
        let digits = description.split_once("AADSTS").map(|(_, rest)| rest).unwrap_or_default();
        let end = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
        // What follows is of use to Microsoft's support only.
        let description = description.split("Trace ID").next().unwrap_or_default();
        Self { error: printable(error), code: digits[..end].parse().ok(), description: printable(description.trim()) }
    }
}

/// What is wrong and what to do.
pub(super) fn sentence(refusal: &Refusal, circumstances: &Circumstances<'_>) -> String {
    let meaning = meaning(refusal, circumstances);
    let number = refusal.code.map(|code| format!("AADSTS{code}"));
    match (meaning, number) {
        (Some(meaning), Some(number)) => format!("{meaning} ({number})"),
        (Some(meaning), None) => meaning,
        (None, _) if refusal.description.is_empty() => {
            format!("Microsoft Entra refused the sign-in: {}", refusal.error)
        }
        (None, _) => format!("Microsoft Entra refused the sign-in: {}: {}", refusal.error, refusal.description),
    }
}

fn meaning(refusal: &Refusal, circumstances: &Circumstances<'_>) -> Option<String> {
    let Circumstances { tenant, client_id, device_code, .. } = circumstances;
    let by_code = match refusal.code.unwrap_or_default() {
        65_001 | 90_094 | 90_095 => {
            let consent = consent_page(circumstances);
            format!("nobody has consented to application {client_id}: an administrator of the tenant opens {consent} once; then run this again")
        }
        65_004 => "the consent was declined: run this again, and accept".to_owned(),
        50_072 | 50_074 | 50_076 | 50_079 | 50_158 => {
            "the user has to sign in with MFA: complete it in the browser; who has not registered a method yet does so at https://aka.ms/mfasetup".to_owned()
        }
        50_011 | 500_112 => redirect_uri_is_missing(circumstances),
        50_020 => format!("the user does not belong to the tenant {tenant}: sign in as a user of the partner"),
        50_034 => format!("there is no such user in the tenant {tenant}: check --user and --tenant"),
        50_057 => "the user's account is disabled: enable it, or sign in as another user".to_owned(),
        50_105 => format!("the user is not assigned to application {client_id}: assign it under Enterprise applications > Users and groups, or turn off \"Assignment required\""),
        53_000..=53_004 | 530_000..=530_099 => {
            let way = if *device_code { "; many tenants forbid device codes: try without --device-code" } else { "" };
            format!("Conditional Access of the tenant forbids this sign-in: its administrator finds the policy in the sign-in log{way}")
        }
        700_016 | 700_038 => format!("there is no application {client_id} in the tenant {tenant}: check --client-id and --tenant"),
        90_002 | 90_023 => format!("there is no tenant {tenant}: check --tenant"),
        7_000_215 => format!("the client secret of application {client_id} is wrong: give its value, not its id, with --client-secret-file"),
        7_000_222 => format!("the client secret of application {client_id} has expired: add a new one, and give it with --client-secret-file"),
        7_000_218 => "the application has to prove itself: give its secret with --client-secret-file, or turn on \"Allow public client flows\" if it is a public client".to_owned(),
        700_027 => format!("application {client_id} does not know the certificate: register it under Certificates & secrets"),
        700_024 => "the certificate's statement is not valid now: set this machine's clock".to_owned(),
        700_025 => "the redirect URI http://localhost is that of a public client, which must not prove itself: say --public-client, or register it on the platform Web".to_owned(),
        500_011 | 650_052 => format!("Partner Center is not known in the tenant {tenant}: an administrator adds it once, with az ad sp create --id {PARTNER_CENTER}"),
        650_053 | 650_057 | 70_011 => format!("application {client_id} may not ask for Partner Center: under API permissions, add Microsoft Partner Center > user_impersonation, and consent"),
        70_008 | 54_005 | 501_481 | 9_002_313 => "the sign-in took too long or came twice: run this again".to_owned(),
        _ => return by_word(refusal, circumstances),
    };
    Some(by_code)
}

fn by_word(refusal: &Refusal, circumstances: &Circumstances<'_>) -> Option<String> {
    let text = match refusal.error.as_str() {
        "authorization_declined" => "the sign-in was declined where the code was entered: run this again",
        "expired_token" | "code_expired" => "the code has expired before anybody signed in: run this again",
        "bad_verification_code" => "Microsoft Entra does not know the code any more: run this again",
        "temporarily_unavailable" | "server_error" => "Microsoft Entra has a problem of its own: run this again later",
        "consent_required" => {
            let consent = consent_page(circumstances);
            return Some(format!("consent is missing: an administrator of the tenant opens {consent} once"));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn consent_page(circumstances: &Circumstances<'_>) -> Url {
    let mut page = circumstances.admin_consent.clone();
    page.query_pairs_mut().append_pair("client_id", circumstances.client_id);
    page
}

fn redirect_uri_is_missing(circumstances: &Circumstances<'_>) -> String {
    format!(
        "application {} does not know the redirect URI http://localhost: add it under Authentication, on the platform Web, or for --public-client on \"Mobile and desktop applications\"",
        circumstances.client_id
    )
}

/// What Entra tells only in the browser, because it does not know yet whether the program may be told.
pub(super) fn hint_for_a_page(circumstances: &Circumstances<'_>) -> String {
    format!("If the browser showed AADSTS50011: {}", redirect_uri_is_missing(circumstances))
}

/// A token was issued, and cannot work.
pub(super) fn defect(defect: TokenDefect) -> String {
    let advice = match defect {
        TokenDefect::WithoutMfa => REQUIRE_MFA,
        TokenDefect::NotForPartner | TokenDefect::NotForCustomer => {
            "sign in as a user of the partner's own tenant, and check --tenant"
        }
        TokenDefect::NotForPartnerCenter | TokenDefect::NotForAzure | TokenDefect::NotForGraph => {
            "check --partner-center-url"
        }
        TokenDefect::Expired | TokenDefect::NotYetValid => "check the clock of this machine",
    };
    format!("{defect}: {advice}; nothing was written")
}

/// Partner Center was shown a token that was just issued, and did not accept it. What the operator says of the same
/// failure is for those who are not there: that it tries again, and what to do with its Secret.
pub(super) fn unverified(error: &Error) -> String {
    if let Cause::TimedOut { server, .. } | Cause::Unreachable { server, .. } = error.cause() {
        let silent = if matches!(error.cause(), Cause::TimedOut { .. }) {
            "did not answer in time"
        } else {
            "cannot be reached"
        };
        return format!(
            "Cannot {}: {server} {silent}: check the connection, and {}, which says where it is.",
            error.operation(),
            server.setting()
        );
    }
    let what = match error.category() {
        "unauthorized" => {
            "the access token that was just issued is not accepted: check --partner-center-url and --login-url, and that the application may use Microsoft Partner Center > user_impersonation".to_owned()
        }
        "mfa_required" => format!("the sign-in was made without MFA: {REQUIRE_MFA}"),
        "throttled" | "paused" => "Partner Center limits the rate of requests: run this again in some minutes".to_owned(),
        "timeout" => "Partner Center did not answer in time: run this again".to_owned(),
        "server_error" => "Partner Center has a problem of its own: run this again later".to_owned(),
        "not_found" | "unexpected_answer" => "the answer is not Partner Center's: check --partner-center-url".to_owned(),
        _ => return error.message(),
    };
    format!("Cannot {}: {what}.", error.operation())
}
