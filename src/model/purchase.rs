//! What customers have bought, as Partner Center and Azure tell of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::{PrincipalKind, TenantId};

/// What was bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PurchaseKind {
    /// An Azure reservation.
    Reservation,
    /// An Azure savings plan.
    SavingsPlan,
}

/// A reservation or savings plan as Azure lists it in the customer's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benefit {
    /// Which of the two.
    pub kind: PurchaseKind,
    /// Its id.
    pub id: Uuid,
    /// The reservation order or savings plan order that it came with.
    pub order: Uuid,
    /// The name that people gave it.
    pub display_name: Option<String>,
    /// What it is for, in Azure's words: `VirtualMachines Standard_D2s_v5`.
    pub product: Option<String>,
    /// `Single`, `Shared`, `ManagementGroup`, or a newer word.
    pub scope_type: Option<String>,
    /// The subscriptions, resource groups or management groups of the scope.
    pub scopes: Vec<String>,
    /// ISO 8601, such as `P1Y`.
    pub term: Option<String>,
    /// How many were reserved.
    pub quantity: Option<i64>,
    /// What was committed to, such as `0.5 USD Hourly`.
    pub commitment: Option<String>,
    /// Azure region.
    pub region: Option<String>,
    /// When it was bought.
    pub purchased_at: Option<Timestamp>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Whether Azure buys the same again when it ends.
    pub renews: Option<bool>,
    /// How much of it was used in the last seven days, in percent.
    pub utilization_percent: Option<u8>,
    /// In Azure's own word: `Succeeded`, `Expired`, …
    pub state: Option<String>,
}

/// A customer's right to a reservation, as Partner Center lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// Azure's reservation order.
    pub azure_order: Uuid,
    /// Partner Center's order.
    pub order: Option<String>,
    /// What it is for: `virtualmachines`.
    pub product: Option<String>,
    /// How many were reserved.
    pub quantity: Option<i64>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// The first line of an order in Partner Center's order history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// What was ordered, in words.
    pub name: Option<String>,
    /// ISO 8601, such as `P1Y`.
    pub term: Option<String>,
    /// `shared` or `single`.
    pub scope_type: Option<String>,
    /// The subscription that it was ordered for.
    pub subscription: Option<String>,
    /// Whether it is a savings plan: its line has a commitment.
    pub is_savings_plan: bool,
}

/// A record of the activity log about a new order, whatever was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// Id in Partner Center.
    pub id: String,
    /// The customer it was ordered for.
    pub customer: TenantId,
    /// When, on Partner Center's clock.
    pub at: Timestamp,
    /// The order.
    pub order: String,
    /// Who ordered: a sign-in name. Absent for some services.
    pub actor: Option<String>,
}

/// Why one list did not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// A condition reason.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether it may pass by itself, so that it is worth while to ask again soon.
    pub passes: bool,
}

/// An Owner of a reservation order itself, or a group of another tenant with any role that holds for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderHolder {
    /// What it is.
    pub kind: PrincipalKind,
    /// Its object id in the customer's tenant.
    pub principal: String,
}

/// What both sides tell of one customer's purchases, list by list: one that cannot be read hides no other. An empty list of
/// Azure's may mean that the caller may not see what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPurchases {
    /// Partner Center's entitlements.
    pub entitlements: Result<Vec<Entitlement>, Unseen>,
    /// Partner Center's orders; `None` where nothing was to be learnt from them.
    pub orders: Option<Result<Vec<Order>, Unseen>>,
    /// Azure's reservations, in any order.
    pub reservations: Result<Vec<Benefit>, Unseen>,
    /// Azure's savings plans, in any order.
    pub savings_plans: Result<Vec<Benefit>, Unseen>,
    /// Those who may have bought a reservation order by their roles on it, for the orders that were asked about.
    pub holders: BTreeMap<Uuid, Result<Vec<OrderHolder>, Unseen>>,
}

impl SeenPurchases {
    /// All that Azure shows.
    pub fn held(&self) -> impl Iterator<Item = &Benefit> {
        self.reservations.iter().chain(&self.savings_plans).flatten()
    }

    /// The lists of what was bought that could not be read, in words, and why.
    pub fn missing(&self) -> Vec<(&'static str, &Unseen)> {
        let lists = [
            ("Azure's reservations", self.reservations.as_ref().err()),
            ("Azure's savings plans", self.savings_plans.as_ref().err()),
            ("Partner Center's reservations", self.entitlements.as_ref().err()),
        ];
        lists.into_iter().filter_map(|(list, unseen)| Some((list, unseen?))).collect()
    }

    /// Whether one of them may be there when it is asked for again.
    pub fn is_worth_another_look(&self) -> bool {
        self.missing().iter().any(|(_, unseen)| unseen.passes)
    }
}
