//! `CustomerPurchasePermission`: both switches of one customer.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{NEVER_OBSERVED, NameRef, never_observed};

/// Whether a customer may buy its own Azure reservations and savings plans.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "csp-operator.dev",
    version = "v1alpha1",
    kind = "CustomerPurchasePermission",
    namespaced,
    status = "CustomerPurchasePermissionStatus",
    derive = "PartialEq",
    shortname = "cpp",
    category = "csp",
    selectable = ".spec.customerRef.name",
    doc = "Whether a customer may buy its own Azure reservations and savings plans. Both switches are per customer, not per subscription, and the partner pays for what the customer buys.",
    printcolumn(name = "Customer", type_ = "string", json_path = ".spec.customerRef.name"),
    printcolumn(
        name = "Reservations",
        type_ = "string",
        json_path = ".status.effective.azureReservations.state",
        description = "What Partner Center holds"
    ),
    printcolumn(
        name = "Savings-Plans",
        type_ = "string",
        json_path = ".status.effective.azureSavingsPlans.state",
        description = "What Partner Center holds"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Wanted-Reservations", type_ = "string", json_path = ".spec.azureReservations", priority = 1),
    printcolumn(name = "Wanted-Savings-Plans", type_ = "string", json_path = ".spec.azureSavingsPlans", priority = 1),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", priority = 1),
    printcolumn(
        name = "Last-Activity",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="ActivityRecorded")].reason"#,
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "(self.azureReservations != 'Allow' && self.azureSavingsPlans != 'Allow') || self.mode == 'Observe' || self.acceptBillingResponsibility"
    )
    .message(
        "must be true while anything is Allow: the partner pays for whatever the customer then buys (mode Observe needs no acceptance)"
    )
    .field_path(".acceptBillingResponsibility"),
    validation = Rule::new(
        "(self.azureReservations != 'Allow' && self.azureSavingsPlans != 'Allow') || (has(self.azureSubscriptionRefs) && size(self.azureSubscriptionRefs) > 0)"
    )
    .message(
        "must name at least one AzureSubscription while anything is Allow: its plan and its Owner role are checked before anything is allowed"
    )
    .field_path(".azureSubscriptionRefs")
    .reason(Reason::FieldValueRequired)
)]
pub struct CustomerPurchasePermissionSpec {
    /// The Customer, in this namespace, that the permission is for. Required; cannot be changed.
    #[x_kube(
        validation = Rule::new("self.name == oldSelf.name")
            .message("customerRef cannot be changed; create another CustomerPurchasePermission instead")
            .field_path(".name")
    )]
    pub customer_ref: NameRef,
    /// Whether the customer may buy its own Azure reservations: `Allow`, `Deny` (default), or `Unmanaged` to leave the
    /// switch as it is. The switch is per customer, not per subscription.
    #[serde(default)]
    pub azure_reservations: PurchaseSwitch,
    /// Whether the customer may buy its own Azure savings plans: `Allow`, `Deny` (default), or `Unmanaged` to leave the
    /// switch as it is. The switch is per customer, not per subscription.
    #[serde(default)]
    pub azure_savings_plans: PurchaseSwitch,
    /// The AzureSubscriptions, in this namespace, that must all meet the prerequisites before anything is allowed.
    /// Required while anything is `Allow`. They do not limit where the customer may buy: the switches are per customer,
    /// not per subscription.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub azure_subscription_refs: Vec<NameRef>,
    /// Says that the partner pays for whatever the customer buys. Must be `true` while anything is `Allow`, except in
    /// mode `Observe`. Default `false`.
    #[serde(default)]
    pub accept_billing_responsibility: bool,
    /// `Enforce` (default) brings Partner Center to this state and keeps it there; `Observe` reads and reports, and
    /// never writes; `Suspend` makes no call to Partner Center at all.
    #[serde(default)]
    pub mode: Mode,
    /// What happens when somebody else turns a switch that this object has set: `Correct` (default) turns it back;
    /// `CorrectDown` only ever turns it off again, and leaves off what somebody has turned off; `Report` leaves it and
    /// shows it. An edited spec, `validUntil` and `onPrerequisiteLost` are wishes, not drift, and always applied.
    #[serde(default)]
    pub drift_policy: DriftPolicy,
    /// What happens when a prerequisite fails after a switch was turned on: `Keep` (default) leaves it on and shows it;
    /// `Revoke` turns off what this object has turned on, after two readings in a row that say so. Then only a changed
    /// spec turns anything on again.
    #[serde(default)]
    pub on_prerequisite_lost: OnPrerequisiteLost,
    /// From this moment on everything that is `Allow` counts as `Deny`. Once that has happened, only another
    /// `validUntil` allows anything again, whatever becomes of the clock. Default: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub valid_until: Option<Time>,
    /// What happens in Partner Center when this object is deleted: `Revoke` (default) turns off the switches that it
    /// manages, `Retain` leaves them as they are.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What one switch should be.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PurchaseSwitch {
    /// The customer may buy.
    Allow,
    /// The customer may not buy.
    #[default]
    Deny,
    /// Left as it is.
    Unmanaged,
    /// A value newer than this program: nothing is written for it.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// How far the operator may go.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Read and write.
    #[default]
    Enforce,
    /// Read only.
    Observe,
    /// Neither.
    Suspend,
    /// A value newer than this program: nothing is written for it.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What happens when somebody else turns a switch.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DriftPolicy {
    /// It is turned back.
    #[default]
    Correct,
    /// It is turned off again, but not on.
    CorrectDown,
    /// It is shown.
    Report,
    /// A value newer than this program: nothing is written for it.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What happens when a prerequisite fails after a grant.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPrerequisiteLost {
    /// What is on stays on.
    #[default]
    Keep,
    /// What is on is turned off.
    Revoke,
    /// A value newer than this program: nothing is written for it.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What deletion does in Partner Center.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Turn off the switches that the object manages.
    #[default]
    Revoke,
    /// Leave them.
    Retain,
    /// A value newer than this program: the object is held until a program that knows it runs.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What the operator last saw and did.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CustomerPurchasePermissionStatus {
    /// The generation of the spec that this status describes; -1 before the first pass.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,
    /// Entra tenant id of the customer that this status is about. What is shown of one customer is never taken for
    /// another's, whatever the Customer of that name has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub tenant_id: Option<String>,
    /// What Partner Center holds, and since when the operator has seen it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switches")]
    pub effective: Option<Switches>,
    /// What the operator last applied, or found already so while enforcing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Switches")]
    pub last_applied: Option<Switches>,
    /// Id of the customer's policy in Partner Center, while one exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub policy_id: Option<String>,
    /// The policy that Partner Center had before this object did anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Adopted")]
    pub adopted: Option<Adopted>,
    /// The switches that somebody else has turned, and that are not as declared now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["switch".into()]))]
    pub drift: Vec<Drift>,
    /// When the newest five corrections turned a switch on again, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub corrections: Vec<Time>,
    /// Why what the spec allows is denied, until the spec changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["reason".into()]))]
    pub latched: Vec<Latch>,
    /// Since when readings of Partner Center and Azure have said that a prerequisite does not hold; only with
    /// `onPrerequisiteLost: Revoke`. A second reading that says so, a minute later, turns everything off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub prerequisite_lost_since: Option<Time>,
    /// The writes that are due, in words; in mode `Observe`, those that `Enforce` would make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub plan: Vec<String>,
    /// The newest 20 activity records of the customer's purchase permissions, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub recent_activity: Vec<Activity>,
    /// The newest value of the annotation `csp-operator.dev/reconcile` that has been handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub last_handled_reconcile_at: Option<String>,
    /// When everything was last read anew because that annotation asked for it. What another installation of the operator
    /// wrote before then keeps nothing off any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub read_anew_at: Option<Time>,
    /// CustomerResolved, PartnerAuthorized, AzureSubscriptionVerified, OwnerRoleVerified, Synced, ActivityRecorded, and
    /// the summary Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl Default for CustomerPurchasePermissionStatus {
    fn default() -> Self {
        Self {
            observed_generation: NEVER_OBSERVED,
            tenant_id: None,
            effective: None,
            last_applied: None,
            policy_id: None,
            adopted: None,
            drift: Vec::new(),
            corrections: Vec::new(),
            latched: Vec::new(),
            prerequisite_lost_since: None,
            plan: Vec::new(),
            recent_activity: Vec::new(),
            last_handled_reconcile_at: None,
            read_anew_at: None,
            conditions: Vec::new(),
        }
    }
}

/// Both switches, as far as they are known.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Switches {
    /// Azure reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SwitchStatus")]
    pub azure_reservations: Option<SwitchStatus>,
    /// Azure savings plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SwitchStatus")]
    pub azure_savings_plans: Option<SwitchStatus>,
}

/// One switch, and since when it has been so.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SwitchStatus {
    /// `Allow` or `Deny`.
    pub state: SwitchState,
    /// When the operator first saw or applied this state, to the second.
    pub since: Time,
}

/// A policy that existed at first contact.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Adopted {
    /// Azure reservations then.
    pub azure_reservations: SwitchState,
    /// Azure savings plans then.
    pub azure_savings_plans: SwitchState,
    /// When it was first read, to the second.
    pub at: Time,
    /// Who had last changed it, if the activity log tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub by: Option<String>,
}

/// A switch that somebody else has turned.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// `azureReservations` or `azureSavingsPlans`.
    pub switch: String,
    /// When the operator first saw it, to the second.
    pub since: Time,
    /// What it should be.
    pub expected: SwitchState,
    /// What it is.
    pub actual: SwitchState,
    /// Who did it, if the activity log tells; it may tell later. Two names with `or` where it does not tell which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub actor: Option<String>,
    /// Correlation id of the request that did it, if the activity log tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub correlation_id: Option<String>,
}

/// Why what the spec allows is denied.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Latch {
    /// `Expired`: `validUntil` has come. `PrerequisiteLost`: a prerequisite failed after the grant.
    pub reason: LatchReason,
    /// When the operator saw it, to the second.
    pub since: Time,
    /// The generation of the spec that it holds for.
    pub generation: i64,
    /// The `validUntil` that has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub valid_until: Option<Time>,
    /// What had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub message: Option<String>,
}

/// Why what the spec allows is denied.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatchReason {
    /// `validUntil` has come.
    Expired,
    /// A prerequisite failed after the grant.
    PrerequisiteLost,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// What one switch is.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SwitchState {
    /// The customer may buy.
    Allow,
    /// The customer may not buy.
    Deny,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// One activity record of Partner Center.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Id of the record in Partner Center.
    pub record_id: String,
    /// When it happened, to the second.
    pub time: Time,
    /// What happened, as the portal's activity log names it.
    pub operation: String,
    /// Who did it: a sign-in name or an application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub actor: Option<String>,
    /// `Operator` (this installation), `RivalOperator` (another installation) or `Other` (a person or another program).
    pub origin: ActivityOrigin,
    /// Correlation id of the request that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub correlation_id: Option<String>,
    /// How it ended, in Partner Center's own word.
    pub result: String,
}

/// Whose request an activity record tells of.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityOrigin {
    /// This installation of the operator.
    Operator,
    /// Another installation of the operator that acts for the same partner.
    RivalOperator,
    /// A person, or another program.
    Other,
    /// A value newer than this program.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
