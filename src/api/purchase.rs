//! What a customer has bought, as its `Customer` shows it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One reservation or savings plan.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// Id of the reservation or savings plan in Azure; of its reservation order, while Azure does not show more.
    pub id: String,
    /// `Reservation` or `SavingsPlan`.
    pub kind: PurchaseKind,
    /// Its name in the Azure portal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub display_name: Option<String>,
    /// What it is for, such as VirtualMachines Standard_D2s_v5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub product: Option<String>,
    /// The order in Partner Center's order history. What customers buy as savings plans has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub order_id: Option<String>,
    /// The reservation order or savings plan order in Azure.
    pub azure_order_id: String,
    /// Where its discount applies: Single, Shared (all subscriptions bought for this customer) or ManagementGroup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub scope_type: Option<String>,
    /// The subscriptions, resource groups or management groups of the scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub scopes: Vec<String>,
    /// For how long it was bought, in ISO 8601: P1Y, P3Y.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub term: Option<String>,
    /// How many were reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub quantity: Option<i64>,
    /// What a savings plan commits to, such as 0.5 USD Hourly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub commitment: Option<String>,
    /// Azure region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub region: Option<String>,
    /// When it was bought, to the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub purchased_at: Option<Time>,
    /// When it ends, to the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub expires_at: Option<Time>,
    /// Whether Azure buys the same again when it ends. Only the partner can turn this on or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub renews: Option<bool>,
    /// How much of it was used in the last seven days, in percent, to the nearest 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32")]
    pub utilization_percent: Option<i32>,
    /// In Azure's own word, such as `Succeeded`, `Expired` or `Cancelled`; `NotShown`: Partner Center lists it, Azure does
    /// not show it.
    pub state: String,
    /// Who bought it, as far as the evidence goes: `Customer`, `Partner` or `Unknown`.
    pub purchased_by: PurchasedBy,
    /// What that rests on.
    pub evidence: String,
    /// The last notice of its end that was given: 30, 7 or 1 days before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32")]
    pub expiry_notice_days: Option<i32>,
}

/// What was bought.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PurchaseKind {
    /// An Azure reservation.
    Reservation,
    /// An Azure savings plan.
    SavingsPlan,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// Who bought something.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PurchasedBy {
    /// The customer.
    Customer,
    /// The partner.
    Partner,
    /// That is not known.
    #[serde(other)]
    Unknown,
}
