//! Whether the partner's sign-in may change purchase permissions at all.

use super::ObjectId;

/// What is known of the partner's authorisation. It concerns the partner as a whole, never one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartnerAuthorization {
    /// Partner Center has accepted a write of this sign-in.
    Authorized,
    /// Nothing has shown it either way: the next write is the test, and a refused write changes nothing.
    Unverified,
    /// It was refused.
    Denied(Denial),
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
