//! Purchases in the shell: what a Customer's pass knows of them, and how orders are followed.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::context::Context;
use super::customer::Customer;
use super::driver::{Kind as _, Pass};
use super::orders::{OrderLog, POLLS_PER_LOOK};
use crate::api::{self, CustomerPurchasePermission, CustomerPurchasePermissionStatus, CustomerStatus, SwitchState};
use crate::model::{Fact, Urgency};
use crate::plan::conditions::{ConditionType, find};
use crate::plan::customer::{Permitted, PurchaseFacts, purchases::need};
use crate::plan::permission::Desired;
use crate::plan::{CustomerRef, Event, ObjectName};
use crate::remote::Errand;

/// What is known of a customer's purchases.
pub(super) fn facts(
    pass: &Pass<'_, Customer>,
    name: &ObjectName,
    reference: &CustomerRef,
    before: &CustomerStatus,
) -> PurchaseFacts {
    let context = pass.context;
    let CustomerRef::Found(tenant) = reference else {
        return PurchaseFacts {
            permitted: Permitted::Never,
            seen: Fact::NOT_READ,
            orders: Vec::new(),
            partner_domains: BTreeSet::new(),
        };
    };
    let orders = context.orders.of(*tenant);
    PurchaseFacts {
        permitted: permitted(context, name),
        seen: pass.fact(&need(*tenant, before, pass.now), || context.inventory.purchases(*tenant)),
        partner_domains: if orders.is_empty() { BTreeSet::new() } else { context.feed.partner_domains() },
        orders,
    }
}

/// Whether any permission that names this Customer is on. One that is suspended says nothing: no call is made for it.
fn permitted(context: &Context, customer: &ObjectName) -> Permitted {
    let names = context.index().permissions_of_customer(customer);
    let objects = names.iter().filter_map(|name| context.permissions.get(name));
    let (mut on, mut off) = (None::<Timestamp>, None::<Timestamp>);
    for object in objects.filter(|object| object.spec.mode != api::Mode::Suspend) {
        let effective = object.status.as_ref().and_then(|status| status.effective.clone()).unwrap_or_default();
        for switch in [effective.azure_reservations, effective.azure_savings_plans].into_iter().flatten() {
            let since = switch.since.0;
            match switch.state {
                SwitchState::Allow => on = Some(on.map_or(since, |on| on.min(since))),
                SwitchState::Deny | SwitchState::Unknown => off = Some(off.map_or(since, |off| off.max(since))),
            }
        }
    }
    match (on, off) {
        (Some(since), _) => Permitted::Since(since),
        (None, Some(since)) => Permitted::Until(since),
        (None, None) => Permitted::Never,
    }
}

/// Tells the permissions that name this Customer what it is told itself.
pub(super) async fn tell_permissions(pass: &Pass<'_, Customer>, event: &Event) {
    let meta = &pass.object.metadata;
    let (Some(namespace), Some(name)) = (meta.namespace.clone(), meta.name.clone()) else { return };
    let names = pass.context.index().permissions_of_customer(&ObjectName { namespace, name });
    for object in names.iter().filter_map(|name| pass.context.permissions.get(name)) {
        pass.context.events.publish(object.as_ref(), event).await;
    }
}

/// Permissions that are on and whose Customer has been looked at for it: once is enough for it to know its turn.
#[derive(Debug, Default)]
pub(super) struct Woken(Mutex<HashSet<String>>);

impl Woken {
    /// Notes whether the permission with this UID is on; says whether its Customer is to be looked at.
    fn note(&self, uid: &str, is_on: bool) -> bool {
        let mut woken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_on {
            return woken.insert(uid.to_owned());
        }
        woken.remove(uid);
        false
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.note(uid, false);
    }
}

/// Has the Customer looked at whose purchases are not followed yet though one of its permissions is on.
pub(super) fn permission_reported(context: &Context, desired: &Desired, status: &CustomerPurchasePermissionStatus) {
    if !context.woken.note(&desired.identity.uid, is_on(status)) {
        return;
    }
    let name = ObjectName { namespace: desired.identity.name.namespace.clone(), name: desired.customer.clone() };
    let is_followed = |customer: &api::Customer| {
        let conditions = Customer::status(customer).map(|status| status.conditions.as_slice()).unwrap_or_default();
        find(conditions, ConditionType::PurchasesRecorded).is_some()
    };
    if context.customers.get(&name).is_some_and(|customer| !is_followed(&customer)) {
        context.customers.wake(&name);
    }
}

fn is_on(status: &CustomerPurchasePermissionStatus) -> bool {
    let effective = status.effective.clone().unwrap_or_default();
    let switches = [effective.azure_reservations, effective.azure_savings_plans];
    switches.into_iter().flatten().any(|switch| switch.state == SwitchState::Allow)
}

/// Looks for new orders in the activity log, for ever, as long as anybody may buy.
///
/// In a task of its own, and not urgent: it must not hold up the feed, which finds what is to be revoked.
pub(super) async fn follow_orders(context: Arc<Context>, activity_interval: Duration) {
    let is_permitted = |object: &CustomerPurchasePermission| object.status.as_ref().is_some_and(is_on);
    loop {
        if context.permissions.any(is_permitted) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_woken_once_for_each_time_that_a_permission_goes_on() {
        let woken = Woken::default();
        let noted = [true, true, false, true, true].map(|is_on| woken.note("uid", is_on));
        assert_eq!(noted, [true, false, false, true, false]);
        woken.forget("uid");
        assert!(woken.note("uid", true));
    }
}
