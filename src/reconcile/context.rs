//! What every pass has at hand.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;

use super::backoff::Backoff;
use super::brake::Brake;
use super::events::Events;
use super::feed::Feed;
use super::index::Index;
use super::inventory::Inventory;
use super::ledger::Ledger;
use super::metrics::Metrics;
use super::namespaces::rules::Namespaces;
use super::objects::Objects;
use super::orders::OrderLog;
use super::permits::Permits;
use super::slots::Slots;
use crate::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use crate::model::{Installation, TenantId, Urgency};
use crate::plan::Need;
use crate::plan::schedule::Intervals;
use crate::remote::Remote;

/// Shared by all passes of all kinds.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) remote: Remote,
    pub(super) inventory: Inventory,
    pub(super) feed: Feed,
    pub(super) orders: OrderLog,
    pub(super) brake: Brake,
    /// Which permissions are on, for their Customers.
    pub(super) permits: Permits,
    pub(super) events: Events,
    pub(super) metrics: Metrics,
    pub(super) installation: Installation,
    pub(super) intervals: Intervals,
    /// Whether Owner may be assigned where an `AzureSubscription` asks for it.
    pub(super) may_assign_owners: bool,
    /// Whether Azure plans may be bought where a `Customer` asks for it.
    pub(super) may_purchase_plans: bool,
    /// What is remembered of buying them.
    pub(super) ledger: Ledger,
    /// Longest time for one pass.
    pub(super) reconcile_timeout: Duration,
    /// When this process began to remember.
    pub(super) started: Timestamp,
    pub(super) backoff: Backoff,
    pub(super) customers: Objects<Customer>,
    pub(super) subscriptions: Objects<AzureSubscription>,
    pub(super) permissions: Objects<CustomerPurchasePermission>,
    /// Places for the passes of each kind.
    pub(super) customer_slots: Slots,
    pub(super) subscription_slots: Slots,
    pub(super) permission_slots: Slots,
    /// For which customers each namespace may act.
    pub(super) namespaces: Namespaces,
    pub(super) index: Mutex<Index>,
    pub(super) tenants: TenantLocks,
}

impl Context {
    /// The references between all objects. Never held across an await.
    pub(super) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has every object looked at soon.
    pub(super) fn wake_everybody(&self) {
        self.customers.wake_all();
        self.subscriptions.wake_all();
        self.permissions.wake_all();
    }

    /// Has the objects looked at soon that show a fact which one pass has just learnt: theirs might not be due for hours.
    /// Permissions follow when their subscriptions do.
    pub(super) fn wake_those_who_show(&self, need: &Need) {
        let (customers, subscriptions) = {
            let index = self.index();
            match need {
                Need::Customer(tenant) | Need::Estate(tenant) => {
                    (index.customers_of_tenant(*tenant), index.subscriptions_of_tenant(*tenant))
                }
                Need::Owners(tenant, ..) | Need::User(tenant, _) => {
                    (BTreeSet::new(), index.subscriptions_of_tenant(*tenant))
                }
                Need::Purchases(tenant, _) => (index.customers_of_tenant(*tenant), BTreeSet::new()),
                Need::Policy(_)
                | Need::Agreement(_)
                | Need::PlanPurchase(_)
                | Need::BillingAccounts
                | Need::Charges(..)
                | Need::ChargesChange(..)
                | Need::Partner(_) => return,
            }
        };
        for name in &customers {
            self.customers.wake(name);
        }
        for name in &subscriptions {
            self.subscriptions.wake(name);
        }
    }

    /// Makes all passes over permissions that mean `tenant` urgent: one that is behind them is.
    pub(super) fn hurry_permissions_of(&self, tenant: TenantId, urgency: Urgency) {
        let names = self.index().permissions_of_tenant(tenant);
        for name in &names {
            self.permission_slots.hurry(name, urgency);
        }
    }

    /// Lets no pass begin any more, and none wait for its turn to call.
    pub(super) fn stop_waiting(&self) {
        for slots in [&self.customer_slots, &self.subscription_slots, &self.permission_slots] {
            slots.close();
        }
        self.namespaces.stop_waiting();
        self.remote.stop_waiting();
    }

    /// Has every permission that means `tenant` looked at soon.
    pub(super) fn wake_permissions_of(&self, tenant: TenantId) {
        let names = self.index().permissions_of_tenant(tenant);
        for name in names {
            self.permissions.wake(&name);
        }
    }
}

/// One pass at a time per customer tenant: two permissions that mean the same one must not both find it unclaimed.
#[derive(Debug, Default)]
pub(super) struct TenantLocks(Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>);

impl TenantLocks {
    /// Waits for the tenant's turn.
    pub(super) async fn lock(&self, tenant: TenantId) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant).or_default());
        lock.lock_owned().await
    }

    /// Forgets the locks that nobody holds or waits for.
    pub(super) fn prune(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, lock| Arc::strong_count(lock) > 1);
    }
}
