//! What a customer has bought, whoever bought it: orders, reservations, savings plans and carts.
//!
//! Orders are Partner Center's, reservations and savings plans are Azure's; a purchase makes both, and says how late each
//! side learns of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most purchases, orders and carts that a customer can have.
pub(crate) const KEPT_MAX: usize = 10_000;

/// Everything that was bought for one customer since the simulator started.
#[derive(Debug, Default)]
pub(crate) struct Commerce {
    pub(crate) orders: Vec<Order>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) savings_plans: Vec<SavingsPlan>,
    pub(crate) carts: Vec<Cart>,
    /// Subscriptions registered for buying reservations, and when that was asked for.
    pub(crate) registrations: BTreeMap<Uuid, Timestamp>,
    /// What the customer sees of its costs.
    pub(crate) charges: Charges,
}

/// Who bought something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum BoughtBy {
    Customer,
    Partner,
}

/// The person behind a purchase.
#[derive(Debug, Clone)]
pub(crate) struct Buyer {
    pub(crate) by: BoughtBy,
    pub(crate) principal: Uuid,
    pub(crate) upn: String,
}

/// How long something was bought for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Term {
    #[default]
    P1Y,
    P3Y,
}

impl Term {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P1Y => "P1Y",
            Self::P3Y => "P3Y",
        }
    }

    /// When it ends; a year has 365 days here.
    pub(crate) fn end(self, start: Timestamp) -> Timestamp {
        let days = match self {
            Self::P1Y => 365,
            Self::P3Y => 3 * 365,
        };
        start.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
    }
}

/// An order as Partner Center lists it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) offer_id: String,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    /// None for what is bought without a term, such as an Azure plan.
    pub(crate) term: Option<Term>,
    /// `New` or `renew`.
    pub(crate) line_type: &'static str,
    /// What it is used in, or what it made.
    pub(crate) subscription: Option<Uuid>,
    pub(crate) commitment: Option<f64>,
    pub(crate) created_at: Timestamp,
    pub(crate) visible_at: Timestamp,
}

/// A reservation as Azure lists it.
#[derive(Debug, Clone)]
pub(crate) struct Reservation {
    pub(crate) id: Uuid,
    /// The reservation order, on which the buyer gets a role.
    pub(crate) order: Uuid,
    /// Partner Center's order.
    pub(crate) partner_order: String,
    pub(crate) name: String,
    pub(crate) sku: String,
    pub(crate) location: String,
    pub(crate) quantity: u32,
    pub(crate) term: Term,
    pub(crate) subscription: Option<Uuid>,
    pub(crate) buyer: Buyer,
    pub(crate) renew: bool,
    /// In percent of the last day, week and month.
    pub(crate) utilization: f64,
    pub(crate) purchased_at: Timestamp,
    pub(crate) visible_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// A savings plan as Azure lists it.
#[derive(Debug, Clone)]
pub(crate) struct SavingsPlan {
    pub(crate) id: Uuid,
    pub(crate) order: Uuid,
    /// None when it was bought in the Azure portal.
    pub(crate) partner_order: Option<String>,
    pub(crate) name: String,
    /// An hour's worth, in US dollars.
    pub(crate) commitment: f64,
    pub(crate) term: Term,
    pub(crate) subscription: Option<Uuid>,
    pub(crate) renew: bool,
    pub(crate) utilization: f64,
    pub(crate) purchased_at: Timestamp,
    pub(crate) visible_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// A cart, which becomes an order.
#[derive(Debug, Clone)]
pub(crate) struct Cart {
    pub(crate) id: Uuid,
    pub(crate) lines: Vec<CartLine>,
    pub(crate) created_at: Timestamp,
    pub(crate) is_checked_out: bool,
}

/// One thing in a cart.
#[derive(Debug, Clone)]
pub(crate) struct CartLine {
    pub(crate) catalog_item: String,
    pub(crate) quantity: u32,
    pub(crate) billing_cycle: String,
    /// The partner id of the reseller, which an indirect provider must name.
    pub(crate) reseller: Option<String>,
}

/// Whether a customer sees its charges, and a change of that which is under way.
#[derive(Debug, Default)]
pub(crate) struct Charges {
    view: Option<String>,
    pub(crate) pending: Option<PendingCharges>,
}

/// A change that takes its time.
#[derive(Debug, Clone)]
pub(crate) struct PendingCharges {
    pub(crate) id: Uuid,
    pub(crate) view: String,
    pub(crate) done_at: Timestamp,
}

impl Charges {
    /// `viewCharges` as it is now.
    pub(crate) fn view(&self, now: Timestamp) -> &str {
        match &self.pending {
            Some(pending) if pending.done_at <= now => &pending.view,
            _ => self.view.as_deref().unwrap_or("NotAllowed"),
        }
    }

    /// Sets it at once.
    pub(crate) fn set(&mut self, view: String) {
        self.view = Some(view);
        self.pending = None;
    }

    /// Sets it later; what was under way is finished first.
    pub(crate) fn begin(&mut self, pending: PendingCharges, now: Timestamp) {
        self.view = Some(self.view(now).to_owned());
        self.pending = Some(pending);
    }
}
