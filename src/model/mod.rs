//! Domain types that cannot be wrong: what has been parsed here needs no checking later.
//!
//! Lives here: identifiers, the permission set of a policy, facts about the outside, activity records, purchases, how urgent things
//! are, and the recognisable correlation ids. The planner, the clients and the reconciler all speak these words.
//!
//! Never found here: HTTP, Kubernetes clients, clocks, randomness (both are arguments), or any decision about a wish.

mod activity;
mod authorization;
mod azure;
mod billing;
mod customer;
mod fact;
mod ids;
mod installation;
mod owner;
mod plan_purchase;
mod policy;
mod purchase;
mod urgency;

pub use activity::{ActivityOperation, ActivityRecord};
pub use authorization::{Denial, Group, PartnerKind};
pub use azure::{AzureEstate, AzurePlanKind, AzureUse, PlanSubscription};
pub use billing::{BillingAccount, BillingAccountError, ChargeChange, ChargeProgress, ChargeView};
pub use customer::{CustomerProfile, Relationship};
pub use fact::{Fact, Ignorance};
pub use ids::{IdError, ObjectId, SubscriptionId, TenantId};
pub use installation::{Installation, Origin};
pub use owner::{
    Assignee, AssigneeKind, Assignment, AssignmentScope, DirectoryUser, Holding, OwnerHolders, OwnerName,
    PrincipalKind, UserPrincipalName, UserPrincipalNameError,
};
pub use plan_purchase::{CartId, CartIdError, CheckOut, PlanPurchase, PurchaseStage};
pub use policy::{OtherPermission, PermissionSet, Policy, PolicyState, Switch};
pub use purchase::{Benefit, Entitlement, Order, OrderHolder, OrderRecord, PurchaseKind, SeenPurchases, Unseen};

pub use urgency::Urgency;
