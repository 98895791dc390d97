//! What the simulator can be told to do differently while it runs, apart from single faults.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::rate_limit::RateLimit;

/// The settings of a running simulator. Every field has a name in the control API (camelCase) and a default.
#[expect(clippy::struct_excessive_bools, reason = "each switch is a name of its own in the control API")]
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Settings {
    /// Added before every answer, in milliseconds.
    pub(crate) latency_ms: u64,
    /// How long after a write its audit record appears, in milliseconds.
    pub(crate) audit_delay_ms: u64,
    /// What happens to an audit request for more than 30 days.
    pub(crate) audit_window: AuditWindow,
    /// Whether a redeemed refresh token is spent.
    pub(crate) single_use_refresh_tokens: bool,
    /// While set, no refresh token is accepted.
    pub(crate) revoke_refresh_tokens: bool,
    /// How a stale etag is refused.
    pub(crate) stale_etag_status: StaleEtag,
    /// How a wrong role is refused.
    pub(crate) wrong_role: WrongRole,
    /// How a sign-in without MFA is refused.
    pub(crate) mfa_refusal: MfaRefusal,
    /// How many requests each operation of Partner Center takes; any number when absent.
    pub(crate) rate_limit: Option<RateLimit>,
    /// Whether the tokens of users who did use MFA say so.
    pub(crate) mfa_in_tokens: bool,
    /// What access tokens name as their audience instead of the resource that was asked for.
    pub(crate) audience_in_tokens: Option<String>,
    /// What access tokens name as their tenant instead of the one that issues them.
    pub(crate) tenant_in_tokens: Option<Uuid>,
    /// While set, the client secret is refused as one that has expired.
    pub(crate) client_secret_expired: bool,
    /// Lifetime of access tokens, in seconds. Zero issues tokens that have already expired.
    pub(crate) access_token_seconds: u32,
    /// AADSTS number with which interactive sign-ins are refused; zero lets them pass.
    pub(crate) sign_in_refusal: u32,
    /// What becomes of a device code that nobody decides on.
    pub(crate) device_code_approval: DeviceCodeApproval,
    /// Lifetime of device codes, in seconds.
    pub(crate) device_code_seconds: u32,
    /// How often a program is told to ask for the outcome of a device code, in seconds.
    pub(crate) device_code_interval_seconds: u32,
    /// Page size of audit records when the request names none.
    pub(crate) default_audit_page_size: PageSize,
    /// Page size of customers when the request names none.
    pub(crate) default_customer_page_size: PageSize,
    /// Page size of role assignments.
    pub(crate) role_assignment_page_size: PageSize,
    /// How long after a purchase it can be read, in milliseconds.
    pub(crate) order_delay_ms: u64,
    /// How long a change of a billing policy takes, in milliseconds; it is done at once when absent.
    pub(crate) billing_policy_delay_ms: Option<u64>,
    /// How long after a write reads of the policy answer what was before, in milliseconds.
    pub(crate) stale_reads_ms: u64,
    /// How long a customer who was added cannot be read, in milliseconds.
    pub(crate) new_customer_delay_ms: u64,
    /// Whether the pages of customers shift when one is added or removed between them.
    pub(crate) shifting_pages: bool,
    /// Page size of Graph's collections when the request names none.
    pub(crate) graph_page_size: PageSize,
    /// How long after its creation a role assignment appears in lists, in milliseconds.
    pub(crate) role_assignment_delay_ms: u64,
    /// How long a user who was added is unknown to role assignments, in milliseconds.
    pub(crate) principal_replication_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            audit_delay_ms: 0,
            audit_window: AuditWindow::Clip,
            single_use_refresh_tokens: false,
            revoke_refresh_tokens: false,
            stale_etag_status: StaleEtag::Conflict,
            wrong_role: WrongRole::Fault900150,
            mfa_refusal: MfaRefusal::Code,
            rate_limit: None,
            mfa_in_tokens: true,
            audience_in_tokens: None,
            tenant_in_tokens: None,
            client_secret_expired: false,
            access_token_seconds: 3599,
            sign_in_refusal: 0,
            device_code_approval: DeviceCodeApproval::Ask,
            device_code_seconds: 900,
            device_code_interval_seconds: 5,
            default_audit_page_size: PageSize(500),
            default_customer_page_size: PageSize(25),
            role_assignment_page_size: PageSize(100),
            order_delay_ms: 0,
            billing_policy_delay_ms: None,
            stale_reads_ms: 0,
            new_customer_delay_ms: 0,
            shifting_pages: false,
            graph_page_size: PageSize(100),
            role_assignment_delay_ms: 0,
            principal_replication_ms: 0,
        }
    }
}

impl Settings {
    /// These settings with the fields of the JSON object `changes` replaced; a sentence when one is unknown or wrong.
    pub(crate) fn patched(&self, changes: &Value) -> Result<Self, String> {
        let Value::Object(changes) = changes else {
            return Err("the settings to change are a JSON object".to_owned());
        };
        let mut merged = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(fields) = &mut merged {
            fields.extend(changes.clone());
        }
        serde_json::from_value(merged).map_err(|error| error.to_string())
    }
}

/// Microsoft's documents disagree on whether a window of more than 30 days is shortened or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum AuditWindow {
    /// Shortened to the 30 days after its start.
    Clip,
    /// Refused with 400.
    Refuse,
}

/// What becomes of a device code that nobody decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeviceCodeApproval {
    /// It waits for somebody.
    Ask,
    /// The partner's first user has signed in.
    Approve,
    /// It is declined.
    Decline,
}

/// The status for a stale etag, which Microsoft does not document for self-serve policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub(crate) enum StaleEtag {
    BadRequest,
    Conflict,
    PreconditionFailed,
}

impl TryFrom<u16> for StaleEtag {
    type Error = String;

    fn try_from(status: u16) -> Result<Self, String> {
        match status {
            400 => Ok(Self::BadRequest),
            409 => Ok(Self::Conflict),
            412 => Ok(Self::PreconditionFailed),
            other => Err(format!("staleEtagStatus is 400, 409 or 412, not {other}")),
        }
    }
}

impl From<StaleEtag> for u16 {
    fn from(status: StaleEtag) -> Self {
        match status {
            StaleEtag::BadRequest => 400,
            StaleEtag::Conflict => 409,
            StaleEtag::PreconditionFailed => 412,
        }
    }
}

/// The forms in which a wrong role has been seen to be refused, always with 403. Microsoft documents none for self-serve
/// policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WrongRole {
    #[serde(rename = "fault900150")]
    Fault900150,
    #[serde(rename = "emptyBody")]
    EmptyBody,
    /// An empty body, and the words in the status line.
    #[serde(rename = "reasonPhrase")]
    ReasonPhrase,
    #[serde(rename = "2032")]
    Fault2032,
    #[serde(rename = "900308")]
    Fault900308,
    #[serde(rename = "600006")]
    Fault600006,
}

/// The forms in which a sign-in without MFA is refused, always with 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MfaRefusal {
    /// Fault 900421.
    Code,
    /// The older form: an empty body, and the words in the status line.
    ReasonPhrase,
}

/// A number of items per page, 1 to 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub(crate) struct PageSize(u16);

impl PageSize {
    pub(crate) const MAX: u16 = 500;

    /// The size as a request asks for it: more than the maximum is the maximum, zero means "you choose".
    pub(crate) fn requested(self, text: Option<&str>) -> Result<Self, String> {
        match text.map(str::parse::<u32>) {
            None | Some(Ok(0)) => Ok(self),
            Some(Ok(size)) => Ok(Self(u16::try_from(size).unwrap_or(Self::MAX).min(Self::MAX))),
            Some(Err(_)) => Err(format!("size `{}` is not a number", text.unwrap_or_default())),
        }
    }

    pub(crate) fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl TryFrom<u16> for PageSize {
    type Error = String;

    fn try_from(size: u16) -> Result<Self, String> {
        if (1..=Self::MAX).contains(&size) {
            Ok(Self(size))
        } else {
            Err(format!("a page holds 1 to {} items, not {size}", Self::MAX))
        }
    }
}

impl From<PageSize> for u16 {
    fn from(size: PageSize) -> Self {
        size.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let patched =
            Settings::default().patched(&json!({ "latencyMs": 5, "staleEtagStatus": 412 })).expect("accepted");
        assert_eq!(patched.latency_ms, 5);
        assert_eq!(patched.stale_etag_status, StaleEtag::PreconditionFailed);
        assert_eq!(patched.access_token_seconds, 3599);
    }

    #[test]
    fn a_patch_is_refused_when_a_field_is_unknown_or_out_of_range() {
        let refused = |changes: Value| Settings::default().patched(&changes).expect_err("refused");
        assert!(refused(json!({ "latency": 5 })).contains("unknown field `latency`"));
        assert!(refused(json!({ "staleEtagStatus": 500 })).contains("400, 409 or 412"));
        assert!(refused(json!({ "defaultAuditPageSize": 0 })).contains("1 to 500"));
        assert!(refused(json!([])).contains("JSON object"));
    }

    #[test]
    fn requested_page_sizes_are_honoured_up_to_the_maximum() {
        let default = PageSize(25);
        let size = |text| default.requested(text).map(PageSize::get);
        assert_eq!(size(None), Ok(25));
        assert_eq!(size(Some("0")), Ok(25));
        assert_eq!(size(Some("7")), Ok(7));
        assert_eq!(size(Some("100000")), Ok(500));
        assert!(size(Some("many")).is_err());
    }
}
