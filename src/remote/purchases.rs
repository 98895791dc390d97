//! What customers have bought: orders and entitlements in Partner Center, reservations and savings plans in Azure.
//!
//! Nothing here is decided upon, it is shown to people: an entry that cannot be read is left out with a warning, and must
//! not hide the others.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use crate::model::{
    Benefit, Benefits, Entitlement, Order, OrderHolder, OrderRecord, PurchaseKind, SeenPurchases, TenantId, Unseen,
};

use super::wire::{self, AssignmentWire, BenefitWire, Defect, Item, OrderWire, RecordWire, RightWire};
use super::{Advice, Azure, Cause, Error, Operation, PartnerCenter, Remote};

/// Versions that Microsoft's own clients use.
const RESERVATIONS_VERSION: &str = "2022-11-01";
const SAVINGS_PLANS_VERSION: &str = "2022-11-01";
const ASSIGNMENTS_VERSION: &str = "2022-04-01";

/// Reservation orders that are asked about in one reading, newest first.
const ORDERS_ASKED_MAX: usize = 20;

impl Remote {
    /// What a customer has bought, as both sides tell it. Who has a role on a reservation order is asked of those that are
    /// not `settled`.
    ///
    /// One request to Partner Center and two to Azure; one more to Partner Center where its orders can tell something that
    /// the others do not, and one to Azure for each reservation order that is asked about. A side that refuses for good is
    /// noted; only what may pass by itself, or concerns the whole partner, is an error.
    pub async fn purchases(&self, customer: TenantId, settled: &BTreeSet<Uuid>) -> Result<SeenPurchases, Error> {
        // Azure first: while it fails, nothing is asked of Partner Center, whose calls are scarce.
        let azure = noted(self.azure.benefits(customer, settled).await)?;
        let entitlements = noted(self.partner_center.entitlements(customer).await)?;
        let shown: BTreeSet<Uuid> = azure.iter().flat_map(|azure| &azure.held).map(|held| held.order).collect();
        let is_missing = |right: &Entitlement| !shown.contains(&right.azure_order);
        let has_plans = azure.iter().flat_map(|azure| &azure.held).any(|held| held.kind == PurchaseKind::SavingsPlan);
        // Names and times of what Azure does not show, and whether savings plans have orders at all.
        let orders = if azure.is_err() || has_plans || entitlements.iter().flatten().any(is_missing) {
            noted(self.partner_center.orders(customer).await)?.ok()
        } else {
            None
        };
        Ok(SeenPurchases { entitlements, orders, azure })
    }
}

/// A refusal that will stay is something to tell of; everything else is to be tried again.
fn noted<T>(result: Result<T, Error>) -> Result<Result<T, Unseen>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if is_final(&error) => Ok(Err(Unseen { reason: error.reason(), message: error.message() })),
        Err(error) => Err(error),
    }
}

fn is_final(error: &Error) -> bool {
    let stays = error.advice() == Advice::AwaitChange || matches!(error.cause(), Cause::UnexpectedAnswer(_));
    stays && error.denial().is_none()
}

impl PartnerCenter {
    /// The customer's rights to reservations.
    async fn entitlements(&self, customer: TenantId) -> Result<Vec<Entitlement>, Error> {
        let mut url = self.url(&["customers", &customer.to_string(), "entitlements"]);
        url.query_pairs_mut().append_pair("entitlementType", "reservedInstance").append_pair("showExpiry", "true");
        let items: Vec<Item<RightWire>> = self.list(Operation::ReadEntitlements(customer), url).await?;
        Ok(readable(items, "an entitlement", RightWire::translate).into_iter().flatten().collect())
    }

    /// The customer's order history.
    async fn orders(&self, customer: TenantId) -> Result<Vec<Order>, Error> {
        let url = self.url(&["customers", &customer.to_string(), "orders"]);
        let items: Vec<Item<OrderWire>> = self.list(Operation::ReadOrders(customer), url).await?;
        Ok(readable(items, "an order", OrderWire::translate))
    }

    /// The activity records about new orders of all customers in these days (UTC). Some may come twice.
    pub async fn order_records(&self, from: Date, to: Date) -> Result<Vec<OrderRecord>, Error> {
        self.records((from, to), wire::orders_filter(), RecordWire::order).await
    }
}

impl Azure {
    /// Reservations and savings plans of a customer's tenant, and who has a role on the reservation orders that are not
    /// `settled`.
    async fn benefits(&self, customer: TenantId, settled: &BTreeSet<Uuid>) -> Result<Benefits, Error> {
        let reservations = self.url(&["providers", "Microsoft.Capacity", "reservations"], RESERVATIONS_VERSION);
        let plans = self.url(&["providers", "Microsoft.BillingBenefits", "savingsPlans"], SAVINGS_PLANS_VERSION);
        let mut found = Benefits::default();
        for (operation, url, kind) in [
            (Operation::ReadReservations(customer), reservations, PurchaseKind::Reservation),
            (Operation::ReadSavingsPlans(customer), plans, PurchaseKind::SavingsPlan),
        ] {
            found.held.extend(self.of_kind(operation, customer, url, kind).await?);
        }
        let mut open: Vec<&Benefit> = found.held.iter().filter(|held| held.kind == PurchaseKind::Reservation).collect();
        open.retain(|held| !settled.contains(&held.order));
        open.sort_by_key(|held| (std::cmp::Reverse(held.purchased_at), held.order));
        open.dedup_by_key(|held| held.order);
        for order in open.into_iter().map(|held| held.order).take(ORDERS_ASKED_MAX).collect::<Vec<_>>() {
            if let Ok(holders) = noted(self.order_holders(customer, order).await)? {
                found.holders.insert(order, holders);
            }
        }
        Ok(found)
    }

    async fn of_kind(
        &self,
        operation: Operation,
        customer: TenantId,
        url: Url,
        kind: PurchaseKind,
    ) -> Result<Vec<Benefit>, Error> {
        let items: Vec<Item<BenefitWire>> = self.list(operation, customer, url).await?;
        Ok(readable(items, "a reservation or savings plan", |item: BenefitWire| item.translate(kind)))
    }

    /// Who may have bought a reservation order, by the roles on it: Azure makes the buyer its Owner.
    async fn order_holders(&self, customer: TenantId, order: Uuid) -> Result<Vec<OrderHolder>, Error> {
        let order = order.to_string();
        let segments = [
            "providers",
            "Microsoft.Capacity",
            "reservationOrders",
            &order,
            "providers",
            "Microsoft.Authorization",
            "roleAssignments",
        ];
        let url = self.url(&segments, ASSIGNMENTS_VERSION);
        let items: Vec<AssignmentWire> = self.list(Operation::ReadOrderHolders(customer), customer, url).await?;
        let mut holders: Vec<OrderHolder> = items.into_iter().filter_map(|item| item.holder(&order)).collect();
        holders.sort();
        Ok(holders)
    }
}

fn readable<W: DeserializeOwned, T>(
    items: Vec<Item<W>>,
    what: &'static str,
    translate: impl Fn(W) -> Result<T, Defect>,
) -> Vec<T> {
    let read = |item: Item<W>| match item.read().and_then(&translate) {
        Ok(value) => Some(value),
        Err(defect) => {
            tracing::warn!(%defect, "skipped {what} that cannot be right");
            None
        }
    };
    items.into_iter().filter_map(read).collect()
}
