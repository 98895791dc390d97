//! What customers have bought: orders and entitlements in Partner Center, reservations and savings plans in Azure.
//!
//! Nothing here is decided upon, it is shown to people: an entry that cannot be read is left out with a warning, and must
//! not hide the others.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::civil::Date;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use uuid::Uuid;

use crate::model::{
    Benefit, Entitlement, Order, OrderHolder, OrderRecord, PurchaseKind, SeenPurchases, TenantId, Unseen,
};

use super::wire::{self, AssignmentWire, BenefitWire, Defect, Item, OrderWire, RecordWire, RightWire};
use super::{Advice, Azure, Cause, Error, Operation, PartnerCenter, Remote, Server};

/// Versions that Microsoft's own clients use.
const RESERVATIONS_VERSION: &str = "2022-11-01";
const SAVINGS_PLANS_VERSION: &str = "2022-11-01";
const ASSIGNMENTS_VERSION: &str = "2022-04-01";

/// Reservation orders that are asked about in one reading, newest first.
const ORDERS_ASKED_MAX: usize = 20;

/// What one reading has brought.
#[derive(Debug)]
pub struct PurchasesRead {
    /// What both sides tell.
    pub seen: SeenPurchases,
    /// Why the lists are missing that may be there another time.
    pub failures: Vec<Error>,
}

impl Remote {
    /// What a customer has bought, as both sides tell it. Who has a role on a reservation order is asked of those that are
    /// not `settled`.
    ///
    /// One request to Partner Center and two to Azure; one more to Partner Center where its orders can tell something that
    /// the others do not, and one to Azure for each reservation order that is asked about. A list that cannot be read, or
    /// not in time, is noted, and the others are read all the same. It is an error when none could be and one may pass by
    /// itself, or when the whole reading is better put off for the moment that a service has asked for.
    pub async fn purchases(&self, customer: TenantId, settled: &BTreeSet<Uuid>) -> Result<PurchasesRead, Error> {
        let mut failures = Vec::new();
        let reservations = Operation::ReadReservations(customer);
        let plans = Operation::ReadSavingsPlans(customer);
        let rights = Operation::ReadEntitlements(customer);
        let reservations = self.in_time(reservations, self.azure.benefits(customer, PurchaseKind::Reservation));
        let savings_plans = self.in_time(plans, self.azure.benefits(customer, PurchaseKind::SavingsPlan));
        let entitlements = self.in_time(rights, self.partner_center.entitlements(customer));
        // In this order, so that nothing is sent for a reading that is put off.
        let (reservations, savings_plans, entitlements) = tokio::try_join!(
            biased;
            async { put_off(reservations.await) },
            async { put_off(savings_plans.await) },
            async { put_off(entitlements.await) },
        )?;
        let reservations = noted(reservations, &mut failures);
        let savings_plans = noted(savings_plans, &mut failures);
        let entitlements = noted(entitlements, &mut failures);
        if reservations.is_err()
            && savings_plans.is_err()
            && entitlements.is_err()
            && let Some(error) = failures.pop()
        {
            return Err(error);
        }
        let open = open_orders(reservations.as_deref().unwrap_or_default(), settled);
        let mut seen = SeenPurchases { entitlements, orders: None, reservations, savings_plans, holders: [].into() };
        let shown: BTreeSet<Uuid> = seen.held().map(|held| held.order).collect();
        let is_missing = |right: &Entitlement| !shown.contains(&right.azure_order);
        let has_plans = seen.savings_plans.iter().flatten().next().is_some();
        // Names and times of what Azure does not show, and whether savings plans have orders at all.
        let is_open = has_plans || seen.entitlements.iter().flatten().any(is_missing);
        let history = self.in_time(Operation::ReadOrders(customer), self.partner_center.orders(customer));
        let history = async { if is_open { Some(history.await) } else { None } };
        let (holders, history) = tokio::join!(self.holders(customer, open), history);
        seen.holders = holders.into_iter().map(|(order, found)| (order, noted(found, &mut failures))).collect();
        seen.orders = history.map(|orders| noted(orders, &mut failures));
        Ok(PurchasesRead { seen, failures })
    }

    /// Who has roles on these reservation orders. After the first that is not answered about, the others are left for
    /// another time; so they are when this takes too long.
    async fn holders(&self, customer: TenantId, orders: Vec<Uuid>) -> Vec<(Uuid, Result<Vec<OrderHolder>, Error>)> {
        let mut found = Vec::new();
        let began = Instant::now();
        let waited = self.errand().waited();
        for order in orders {
            let asked = self.azure.order_holders(customer, order);
            let holders = self.in_time(Operation::ReadOrderHolders(customer), asked).await;
            let is_answered = holders.as_ref().err().is_none_or(|error| !error.is_unanswered());
            found.push((order, holders));
            let spent = began.elapsed().saturating_sub(self.errand().waited().saturating_sub(waited));
            if !is_answered || spent > self.sender.limits().request_timeout {
                break;
            }
        }
        found
    }

    /// Gives one list so much time as one request has, and a little more, so that a request that gets no answer ends by
    /// itself and is counted. Without an end, one service that is silent would hold up what all the others tell.
    fn in_time<'a, T: 'a>(
        &'a self,
        list: Operation,
        read: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Error>> {
        let (request, read) = (self.sender.limits().request_timeout, read.boxed());
        let limited = async move {
            let read = self.errand().within(request + request / 4, read).await;
            read.unwrap_or_else(|| Err(Error::new(list, Cause::TimedOut { server: Server::of(list), limit: request })))
        };
        limited.boxed()
    }
}

/// The newest reservation orders that are not `settled`.
fn open_orders(reservations: &[Benefit], settled: &BTreeSet<Uuid>) -> Vec<Uuid> {
    let mut open: Vec<&Benefit> = reservations.iter().filter(|held| !settled.contains(&held.order)).collect();
    open.sort_by_key(|held| (std::cmp::Reverse(held.purchased_at), held.order));
    open.dedup_by_key(|held| held.order);
    open.into_iter().map(|held| held.order).take(ORDERS_ASKED_MAX).collect()
}

/// A pause that is soon over is waited for by the whole reading, and a process that must stop reads no further.
fn put_off<T>(result: Result<T, Error>) -> Result<Result<T, Error>, Error> {
    const SOON: Duration = Duration::from_mins(2);
    match result {
        Err(error)
            if error.is_paused_for().is_some_and(|wait| wait <= SOON) || error.advice() == Advice::StopOperator =>
        {
            Err(error)
        }
        other => Ok(other),
    }
}

/// Why a list is missing; what may be otherwise another time is also put down as a failure.
fn noted<T>(result: Result<T, Error>, failures: &mut Vec<Error>) -> Result<T, Unseen> {
    result.map_err(|error| {
        let unseen = Unseen { reason: error.reason(), message: error.message(), passes: !is_final(&error) };
        if unseen.passes {
            failures.push(error);
        }
        unseen
    })
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
    /// Reservations or savings plans of a customer's tenant.
    async fn benefits(&self, customer: TenantId, kind: PurchaseKind) -> Result<Vec<Benefit>, Error> {
        let (operation, provider, list, version) = match kind {
            PurchaseKind::Reservation => {
                (Operation::ReadReservations(customer), "Microsoft.Capacity", "reservations", RESERVATIONS_VERSION)
            }
            PurchaseKind::SavingsPlan => (
                Operation::ReadSavingsPlans(customer),
                "Microsoft.BillingBenefits",
                "savingsPlans",
                SAVINGS_PLANS_VERSION,
            ),
        };
        let url = self.url(&["providers", provider, list], version);
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
