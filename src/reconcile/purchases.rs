//! Purchases in the shell: what a Customer's pass knows of them, and how orders are followed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Resource as _;

use super::context::Context;
use super::driver::{Kind, Pass};
use super::orders::{OrderLog, POLLS_PER_LOOK};
use super::permitted::permitted;
use super::sight::Sight as _;
use crate::api::{Customer, CustomerPurchasePermission, CustomerStatus};
use crate::model::{Fact, Urgency};
use crate::plan::customer::purchases::{need, on_since};
use crate::plan::customer::{Permitted, PurchaseFacts};
use crate::plan::{CustomerRef, Event, ObjectName};
use crate::remote::Errand;

/// What is known of a customer's purchases.
pub(super) fn facts<K: Kind>(
    pass: &Pass<'_, K>,
    name: &ObjectName,
    reference: &CustomerRef,
    before: &CustomerStatus,
) -> PurchaseFacts {
    let context = pass.context;
    let CustomerRef::Found(tenant) = reference else {
        return PurchaseFacts {
            permitted: Permitted::Unknown,
            seen_on: None,
            is_clock_off: false,
            seen: Fact::NOT_READ,
            orders: Vec::new(),
            partner_domains: BTreeSet::new(),
        };
    };
    let orders = context.orders.of(*tenant);
    PurchaseFacts {
        permitted: permitted(context, name, *tenant),
        seen_on: context.permits.seen_on(name),
        is_clock_off: context.remote.clock.is_off(),
        seen: pass.fact(&need(*tenant, before, pass.now), || context.inventory.purchases(*tenant)),
        partner_domains: if orders.is_empty() { BTreeSet::new() } else { context.feed.partner_domains() },
        orders,
    }
}

/// Tells the permissions that name this Customer what it is told itself.
pub(super) async fn tell_permissions<K: Kind>(pass: &Pass<'_, K>, event: &Event) {
    let meta = pass.object.meta();
    let (Some(namespace), Some(name)) = (meta.namespace.clone(), meta.name.clone()) else { return };
    let names = pass.context.index().permissions_of_customer(&ObjectName { namespace, name });
    for object in names.iter().filter_map(|name| pass.context.permissions.get(name)) {
        pass.context.events.publish(object.as_ref(), event).await;
    }
}

/// Looks for new orders in the activity log, for ever, as long as anybody may buy, or may have bought a moment ago.
///
/// In a task of its own, and not urgent: it must not hold up the feed, which finds what is to be revoked.
pub(super) async fn follow_orders(context: Arc<Context>, activity_interval: Duration) {
    let is_on =
        |object: &CustomerPurchasePermission| object.status.as_ref().is_some_and(|status| on_since(status).is_some());
    let was_on = |object: &Customer| object.status.as_ref().is_some_and(|status| status.purchases_permitted.is_some());
    loop {
        if context.permissions.any(is_on) || context.customers.any(was_on) {
            look(&context).await;
        }
        tokio::time::sleep(activity_interval * POLLS_PER_LOOK).await;
    }
}

async fn look(context: &Context) {
    let remote = context.remote.on(&Errand::new(Urgency::Sweep));
    let (from, to) = OrderLog::window(Timestamp::now());
    let records = match remote.partner_center.order_records(from, to).await {
        Ok(records) => records,
        Err(error) => {
            // What customers buy is then found in its turn.
            tracing::info!(category = error.category(), "{}", error.message());
            return;
        }
    };
    let touched = context.orders.looked(records, Timestamp::now(), |tenant| context.index().knows_tenant(tenant));
    for tenant in touched {
        let names = context.index().customers_of_tenant(tenant);
        for name in &names {
            context.customers.wake(name);
        }
    }
}
