//! `AzureSubscription`: where the customer's key users must hold Owner before anything is allowed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{IS_GUID, NEVER_OBSERVED, NameRef, never_observed};

/// An Azure subscription of a customer.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "csp-operator.dev",
    version = "v1alpha1",
    kind = "AzureSubscription",
    namespaced,
    status = "AzureSubscriptionStatus",
    derive = "PartialEq",
    shortname = "azsub",
    category = "csp",
    selectable = ".spec.customerRef.name",
    doc = "An Azure subscription of a customer. Its plan and its Owner roles are prerequisites of the customer's purchase permissions.",
    printcolumn(name = "Customer", type_ = "string", json_path = ".spec.customerRef.name"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".status.kind"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.subscriptionStatus"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Subscription", type_ = "string", json_path = ".spec.subscriptionId", priority = 1),
    printcolumn(name = "Owner-Role", type_ = "string", json_path = ".spec.ownerRole", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.ownerRole != 'Assign' || (has(self.owners) && size(self.owners) > 0)")
        .message("must name at least one user or group while ownerRole is Assign: Owner is never assigned to anybody else")
        .field_path(".owners")
        .reason(Reason::FieldValueRequired)
)]
pub struct AzureSubscriptionSpec {
    /// The Customer, in this namespace, that the subscription belongs to. Required; cannot be changed.
    #[x_kube(
        validation = Rule::new("self.name == oldSelf.name")
            .message("customerRef cannot be changed; create another AzureSubscription instead")
            .field_path(".name")
    )]
    pub customer_ref: NameRef,
    /// The id of the Azure subscription as the Azure portal shows it, not the id that the Azure plan has in Partner
    /// Center: a GUID in lower case. Required; cannot be changed.
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = Rule::new(IS_GUID).message(
            "must be the id of an Azure subscription: a GUID in lower case, like 1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f"
        ),
        validation = Rule::new("self == oldSelf").message("cannot be changed; create another AzureSubscription instead")
    )]
    pub subscription_id: String,
    /// `Verify` (default) checks that the key users in `owners` hold the role Owner on the subscription. `Assign` checks
    /// it too, and assigns Owner, once, to those who do not hold it; the operator must run with
    /// --allow-owner-assignment. It takes nothing away: not what somebody else has assigned, not when this object
    /// changes or is deleted; and what somebody takes away is not assigned again before this spec changes. `Skip` does
    /// not look: the partner vouches for it.
    #[serde(default)]
    pub owner_role: OwnerRole,
    /// The key users and groups of the customer that must all hold Owner, assigned to themselves, to a group they are
    /// in, or on a management group above the subscription. Empty (default): at least one user or group of the
    /// customer must. The partner's own AdminAgents group, which is Owner everywhere, never counts, and neither do
    /// applications. Not visible to the operator, and so not counted: roles that Privileged Identity Management makes
    /// somebody only eligible for, and delegations of Azure Lighthouse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub owners: Vec<Owner>,
}

/// What to do about the role Owner.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnerRole {
    /// Check it.
    #[default]
    Verify,
    /// Check it, and assign it once where it is missing.
    Assign,
    /// Take it for given.
    Skip,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// A key user or group of the customer: named by exactly one of `objectId` and `userPrincipalName`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.objectId) != has(self.userPrincipalName)")
        .message("must have exactly one of objectId (a user or group) and userPrincipalName (a user)")
)]
pub struct Owner {
    /// Object id of a user or group in the customer's Microsoft Entra tenant: a GUID in lower case. Taken as it is; to
    /// have a user looked up, name it by `userPrincipalName`. A group must hold Owner itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    #[x_kube(
        validation = Rule::new(IS_GUID)
            .message("must be the object id of a user or group in Microsoft Entra: a GUID in lower case")
    )]
    pub object_id: Option<String>,
    /// What a user of the customer's Microsoft Entra tenant signs in with, like ada@fabrikam.com, in any case. It is
    /// looked up there through Microsoft Graph, for which the application needs consent in the customer's tenant
    /// (delegated permission User.Read.All). Guests and disabled accounts count, with a warning, but are never assigned
    /// Owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 256))]
    #[x_kube(
        validation = Rule::new(IS_USER_PRINCIPAL_NAME).message(
            "must be what a user of the customer signs in with, like ada@fabrikam.com"
        )
    )]
    pub user_principal_name: Option<String>,
}

/// A user principal name, of the letters that Microsoft Entra lists for it.
const IS_USER_PRINCIPAL_NAME: &str = r"self.matches('^[A-Za-z0-9.\'_!#^~-]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$')";

/// What the operator last saw of the subscription.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AzureSubscriptionStatus {
    /// The generation of the spec that this status describes; -1 before the first pass.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,
    /// `AzurePlan` (the modern kind) or `AzureGlobal` (MS-AZR-0145P).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AzureKind")]
    pub kind: Option<AzureKind>,
    /// Id in Partner Center of the Azure plan, or of the Azure Global subscription, that holds the subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub plan_id: Option<String>,
    /// Status in Partner Center's own word: that of the plan while the plan is not active, else the subscription's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub subscription_status: Option<String>,
    /// One result per owner that `spec.owners` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub owners: Vec<OwnerResult>,
    /// To whom the operator has assigned Owner because of the present spec. To none of them does it do so again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub owner_assignments: Vec<OwnerAssignment>,
    /// The newest value of the annotation `csp-operator.dev/reconcile` that has been handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub last_handled_reconcile_at: Option<String>,
    /// CustomerResolved, AzureSubscriptionVerified, OwnerRoleVerified, and the summary Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for AzureSubscriptionStatus {
    fn default() -> Self {
        Self {
            observed_generation: NEVER_OBSERVED,
            kind: None,
            plan_id: None,
            subscription_status: None,
            owners: Vec::new(),
            owner_assignments: Vec::new(),
            last_handled_reconcile_at: None,
            conditions: Vec::new(),
        }
    }
}

/// How Partner Center holds an Azure subscription.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureKind {
    /// Below an Azure plan.
    AzurePlan,
    /// A Microsoft Azure (MS-AZR-0145P) subscription.
    AzureGlobal,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Whether one key user or group holds Owner.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OwnerResult {
    /// The owner as `spec.owners` names it: an object id, or a user principal name in lower case.
    pub name: String,
    /// Its object id; missing while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub object_id: Option<String>,
    /// `Holds`, `Missing`, `NotFound` (the customer's tenant has no such user) or `Unknown`.
    pub result: OwnerState,
    /// How it holds Owner: `Direct` (assigned to itself on the subscription), `Inherited` (assigned to itself above the
    /// subscription) or `ThroughGroup` (assigned to a group that it is in).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OwnerPath")]
    pub through: Option<OwnerPath>,
    /// Object id of the group through which it holds Owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub group_id: Option<String>,
    /// The scope above the subscription on which Owner is assigned, such as a management group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub scope: Option<String>,
    /// What may keep this owner from buying although it counts, or why it does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub warnings: Vec<String>,
}

/// Whether a key user holds Owner.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// It does, on the subscription or above it.
    Holds,
    /// It does not.
    Missing,
    /// The customer's tenant has no such user.
    NotFound,
    /// Not known, or a value newer than this program.
    #[serde(other)]
    Unknown,
}

/// How a key user holds Owner.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerPath {
    /// Assigned to itself, on the subscription.
    Direct,
    /// Assigned to itself, above the subscription.
    Inherited,
    /// Assigned to a group that it is in, directly or through other groups.
    ThroughGroup,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// An assignment of Owner that the operator has made.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OwnerAssignment {
    /// Object id of the user or group.
    pub object_id: String,
    /// Generation of the spec because of which it was made.
    pub generation: i64,
    /// `Pending` until Azure shows it, then `Visible`, also when somebody has taken it away since.
    pub state: OwnerAssignmentState,
}

/// How far an assignment of Owner has got.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerAssignmentState {
    /// Azure has accepted it and does not show it yet.
    Pending,
    /// Azure has shown it.
    Visible,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
