//! `Customer`: a tenant that the partner resells to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::purchase::Purchase;
use super::shared::{IS_GUID, NEVER_OBSERVED, never_observed};

/// A customer of the partner.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "csp-operator.dev",
    version = "v1alpha1",
    kind = "Customer",
    namespaced,
    status = "CustomerStatus",
    derive = "PartialEq",
    shortname = "cust",
    category = "csp",
    selectable = ".spec.tenantId",
    doc = "A customer of the partner, as Partner Center knows it.",
    printcolumn(name = "Company", type_ = "string", json_path = ".status.companyName"),
    printcolumn(name = "Relationship", type_ = "string", json_path = ".status.relationship"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenantId", priority = 1),
    printcolumn(name = "Domain", type_ = "string", json_path = ".status.domain", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct CustomerSpec {
    /// Microsoft Entra tenant id of the customer: a GUID in lower case. Required; cannot be changed.
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = Rule::new(IS_GUID).message(
            "must be the Microsoft Entra tenant id of the customer: a GUID in lower case, like 1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f"
        ),
        validation = Rule::new("self == oldSelf").message("cannot be changed; create another Customer instead")
    )]
    pub tenant_id: String,
    /// Whether the customer sees its charges in Azure's Cost Management (Partner Center: "Enable Cost Management for
    /// customers"). `Unmanaged` (default) leaves that as it is. `Visible` shows them, at pay-as-you-go retail rates in the
    /// customer's billing currency, at the scope of its subscriptions and resource groups; not what the partner charges,
    /// and reservations and savings plans do not show in that cost data. `Hidden` hides them. Only for customers with an
    /// Azure plan. It is kept so while this object is there, and left as it is when this object is deleted.
    #[serde(default)]
    pub cost_management: CostManagement,
    /// `Verify` (default) shows in the condition AzurePlanVerified whether the customer has an Azure plan. `Purchase` buys
    /// one when there is none, once and never again; the operator must run with --allow-plan-purchase. A plan costs
    /// nothing by itself; the partner pays for what is used under it. Nothing is bought while the customer has not
    /// accepted the Microsoft Customer Agreement, has a Microsoft Azure (MS-AZR-0145P) subscription, or has ever had a
    /// plan that is not active; and not before it was seen twice, a quarter of an hour apart, that there is none.
    #[serde(default)]
    pub azure_plan: AzurePlanPolicy,
    /// Partner id (MPN id) of the indirect reseller that the Azure plan is bought for. An indirect provider must give it
    /// for `azurePlan: Purchase`; nobody else may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 20))]
    #[x_kube(
        validation = Rule::new("self.matches('^[0-9]+$')")
            .message("must be the partner id of an indirect reseller: digits only, like 1234567")
    )]
    pub indirect_reseller: Option<String>,
}

/// What to do about the customer's Azure plan.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AzurePlanPolicy {
    /// Show whether there is one.
    #[default]
    Verify,
    /// Buy one, once, when there is none.
    Purchase,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What is remembered while an Azure plan is to be bought.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AzurePlanStatus {
    /// Since when it is known that the customer has no Azure plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub none_since: Option<Time>,
    /// The cart in Partner Center with which the plan was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub cart: Option<String>,
}

/// Whether a customer sees its charges.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostManagement {
    /// As it is.
    #[default]
    Unmanaged,
    /// It does.
    Visible,
    /// It does not.
    Hidden,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What the customer sees of its charges, while `costManagement` says that it should be so or otherwise.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CostManagementStatus {
    /// What was last seen to be so, or made so: `Visible` or `Hidden`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CostManagement")]
    pub applied: Option<CostManagement>,
    /// Where Azure tells how a change is getting on that takes its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 1024))]
    pub change: Option<String>,
    /// When that change was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub changing_since: Option<Time>,
}

/// From when to when the customer may buy, as far as its permissions tell.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PurchasesPermitted {
    /// When a permission was first known to be on.
    pub since: Time,
    /// When none was any more; absent while one is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub until: Option<Time>,
}

/// What the operator last saw of the customer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CustomerStatus {
    /// The generation of the spec that this status describes; -1 before the first pass.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,
    /// Company name in Partner Center.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub company_name: Option<String>,
    /// Primary domain of the customer's tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub domain: Option<String>,
    /// Relationship to the partner in Partner Center's own word; only with `reseller` may the partner sell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub relationship: Option<String>,
    /// Reservations and savings plans that are known, newest first, whoever bought them. What Azure no longer shows is kept.
    /// Of more than 100, what is over goes first, and then what ends last; the newest stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub purchases: Vec<Purchase>,
    /// When purchases are looked for: while a purchase permission of this Customer is on, and for a day after. It stays until
    /// that day's last look has been taken, whatever becomes of the permission meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PurchasesPermitted")]
    pub purchases_permitted: Option<PurchasesPermitted>,
    /// The newest value of the annotation `csp-operator.dev/reconcile` that has been handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub last_handled_reconcile_at: Option<String>,
    /// What the customer sees of its charges; absent while `costManagement` is `Unmanaged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CostManagementStatus")]
    pub cost_management: Option<CostManagementStatus>,
    /// What is remembered while an Azure plan is to be bought; absent while `azurePlan` is `Verify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AzurePlanStatus")]
    pub azure_plan: Option<AzurePlanStatus>,
    /// CustomerResolved, AzurePlanVerified, CostManagementSynced where that is managed, PurchasesRecorded while purchases
    /// are followed, and the summary Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for CustomerStatus {
    fn default() -> Self {
        Self {
            observed_generation: NEVER_OBSERVED,
            company_name: None,
            domain: None,
            relationship: None,
            cost_management: None,
            purchases: Vec::new(),
            purchases_permitted: None,
            azure_plan: None,
            last_handled_reconcile_at: None,
            conditions: Vec::new(),
        }
    }
}
