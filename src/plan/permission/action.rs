//! What is done for a permission.

use std::fmt;

use crate::api::CustomerPurchasePermissionStatus;
use crate::model::{PermissionSet, Policy, TenantId};
use crate::plan::{ObjectName, Plan};

/// The plan of one permission.
pub type PermissionPlan = Plan<CustomerPurchasePermissionStatus, Action>;

/// What is done for a permission. Every action says all that its execution needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Put the finalizer on the object and remember the tenant, in one patch. Comes before any remote write.
    Claim {
        /// The tenant it acts on from now on.
        tenant: TenantId,
    },
    /// Write to Partner Center.
    Write {
        /// The customer.
        tenant: TenantId,
        /// What to write.
        write: Write,
        /// Whether it raises what the partner may have to pay. It is then sent only if the object is still as it was
        /// when it was planned with.
        is_grant: bool,
        /// Whether it turns on what this object has not had on before: it is then sent only if there is room for it within
        /// this hour.
        is_first_grant: bool,
    },
    /// Put the claim on the object that takes over, before this one lets go: in between, nobody would answer for what
    /// is granted, and the other could be deleted without a revoke.
    PassOn {
        /// The object that takes over.
        successor: ObjectName,
        /// Its UID.
        uid: String,
        /// The tenant.
        tenant: TenantId,
    },
    /// Take the finalizer and the remembered tenant off the object.
    Release {
        /// Why nothing is left to do, or why it is left undone.
        why: String,
    },
}

/// One call that changes a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Refused by the server when a policy exists, so it needs no reading before.
    Create {
        /// The whole set.
        permissions: PermissionSet,
    },
    /// Replaces the set, with the etag just read.
    Update {
        /// As just read.
        read: Policy,
        /// The whole set.
        permissions: PermissionSet,
    },
    /// Nothing would be left in it.
    Delete {
        /// Its id.
        id: String,
    },
}

/// For a log line: what is done, and what is on afterwards.
impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, permissions) = match self {
            Self::Create { permissions } => ("create", permissions),
            Self::Update { permissions, .. } => ("change", permissions),
            Self::Delete { .. } => return f.write_str("delete: nothing is allowed"),
        };
        let switches = permissions.allowed().map(|switch| switch.to_string());
        let others = permissions.others().iter().map(|other| format!("{} {}", other.resource, other.action));
        let all: Vec<_> = switches.chain(others).collect();
        write!(f, "{verb}: {} allowed", all.join(", "))
    }
}
