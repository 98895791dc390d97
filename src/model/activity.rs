//! Records of Partner Center's activity log that concern purchase permissions.

use jiff::Timestamp;

use super::TenantId;

/// One activity record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRecord {
    /// Id in Partner Center: the key by which records are told apart.
    pub id: String,
    /// The customer it concerns.
    pub customer: TenantId,
    /// When it happened, on Partner Center's clock.
    pub at: Timestamp,
    /// What happened.
    pub operation: ActivityOperation,
    /// Who did it: a sign-in name, else an application. Absent for some services.
    pub actor: Option<String>,
    /// `MS-CorrelationId` of the request that did it, in lower case.
    pub correlation_id: Option<String>,
    /// How it ended, in Partner Center's own word (`succeeded`, `failed`, …).
    pub status: String,
}

/// What happened to a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActivityOperation {
    /// `create_self_serve_policy`
    Create,
    /// `update_self_serve_policy`: the second switch was turned on, or one of two off.
    Update,
    /// `delete_self_serve_policy`
    Delete,
    /// An operation this program does not know, in Partner Center's own word.
    Other(String),
}

impl ActivityOperation {
    /// The name in the portal's activity log. The portal has none for an update; it follows the other two.
    pub fn portal_name(&self) -> &str {
        match self {
            Self::Create => "Create Customer Purchase Permissions",
            Self::Update => "Update Customer Purchase Permissions",
            Self::Delete => "Delete Customer Purchase Permissions",
            Self::Other(word) => word,
        }
    }

    /// The portal's name as the reason of a condition or event.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Create => "CreateCustomerPurchasePermissions",
            Self::Update => "UpdateCustomerPurchasePermissions",
            Self::Delete => "DeleteCustomerPurchasePermissions",
            Self::Other(_) => "OtherCustomerPurchasePermissionsActivity",
        }
    }
}
