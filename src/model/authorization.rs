//! Whether the partner's sign-in may change purchase permissions at all.

use super::ObjectId;

/// What kind of partner it is, in Microsoft's Cloud Solution Provider programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartnerKind {
    /// It sells to customers and is billed by Microsoft. A brand-new provider without resellers looks like one too.
    DirectBill,
    /// It is billed by Microsoft and sells through indirect resellers, and directly.
    IndirectProvider,
    /// It sells what an indirect provider is billed for.
    IndirectReseller,
}

/// A group in a tenant's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: ObjectId,
    /// Its display name; absent when it may not be read. It is not unique.
    pub name: Option<String>,
}

/// Why the partner's sign-in was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// A condition reason, such as `MfaRequired` or `NotAdminAgent`.
    pub reason: &'static str,
    /// What is wrong and what to do, for people.
    pub message: String,
}
