//! The three kinds as they travel: `Customer`, `AzureSubscription` and `CustomerPurchasePermission`.
//!
//! Lives here: the serde types, their schema, defaults, printer columns and the CEL rules with the sentences that the
//! API server refuses bad manifests with. Everybody may come in.
//!
//! Never found here: HTTP, Partner Center's words, the planner, or any decision. A value that only *may* be a GUID is a
//! `String` here; [`crate::model`] turns it into one that is.

// `printcolumn(type_ = "string", …)` repeats by nature, and clippy takes that for a mistake.
#![allow(clippy::duplicated_attributes)]
// The comments on kinds and fields are what `kubectl explain` prints, where backticks around names would show.
#![allow(clippy::doc_markdown)]
// `KubeSchema` derives through a private copy of each struct, which the lint then reports.
#![allow(unreachable_pub)]

mod azure_subscription;
mod crds;
mod customer;
mod customer_purchase_permission;
mod purchase;
mod shared;

pub use azure_subscription::{
    AzureKind, AzureSubscription, AzureSubscriptionSpec, AzureSubscriptionStatus, Owner, OwnerAssignment,
    OwnerAssignmentState, OwnerPath, OwnerResult, OwnerRole, OwnerState,
};
pub use crds::crds;
pub use customer::{
    AzurePlanPolicy, AzurePlanStatus, CostManagement, CostManagementStatus, Customer, CustomerSpec, CustomerStatus,
    PurchasesPermitted,
};
pub use customer_purchase_permission::{
    Activity, ActivityOrigin, Adopted, CustomerPurchasePermission, CustomerPurchasePermissionSpec,
    CustomerPurchasePermissionStatus, DeletionPolicy, Drift, DriftPolicy, Latch, LatchReason, Mode, OnPrerequisiteLost,
    PurchaseSwitch, SwitchState, SwitchStatus, Switches,
};
pub use purchase::{Purchase, PurchaseKind, PurchasedBy};
pub use shared::NameRef;

/// API group of all three kinds.
pub const GROUP: &str = "csp-operator.dev";

/// Field manager of every status the operator writes.
pub const FIELD_MANAGER: &str = "csp-operator";

/// Finalizer of a permission that has claimed its customer's tenant.
pub const FINALIZER: &str = "csp-operator.dev/revoke";

/// Annotation that remembers which tenant a permission acts on. It is written in the same patch as [`FINALIZER`] and
/// is the object's claim on that tenant.
pub const TENANT_ANNOTATION: &str = "csp-operator.dev/customer-tenant-id";

/// Annotation a person sets to `"true"` to have a deleted permission released without revoking anything.
pub const ABANDON_ANNOTATION: &str = "csp-operator.dev/abandon";

/// Annotation on a Namespace: the tenant ids of the customers that it may act for, with commas in between, or `*` for all.
/// Only cluster admins should be able to write it.
pub const ALLOWED_CUSTOMERS_ANNOTATION: &str = "csp-operator.dev/allowed-customers";

/// Annotation whose every new value asks for all facts of the object to be read again now.
pub const RECONCILE_ANNOTATION: &str = "csp-operator.dev/reconcile";
