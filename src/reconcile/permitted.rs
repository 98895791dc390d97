//! From permissions to their Customers: since when one is on. The Customer's status keeps that, for a permission may be gone
//! before its purchases are looked for.

use std::time::Duration;

use jiff::Timestamp;

use super::context::Context;
use super::driver::{Kind, Pass};
use super::references::reference;
use crate::api::{CustomerPurchasePermission, CustomerPurchasePermissionStatus};
use crate::model::TenantId;
use crate::plan::customer::Permitted;
use crate::plan::customer::purchases::{is_about, on_since, tells};
use crate::plan::permission::Desired;
use crate::plan::{CustomerRef, ObjectName};

/// How long a permission that is deleted may be held until its Customer tells of it. That takes one write to the API server;
/// when it takes longer, only a process that ends before it is done loses anything.
const HELD_MAX: Duration = Duration::from_secs(5);

/// Whether any permission that names this Customer is on for its tenant.
pub(super) fn permitted(context: &Context, customer: &ObjectName, tenant: TenantId) -> Permitted {
    let names = context.index().permissions_of_customer(customer);
    let objects: Vec<_> = names.iter().filter_map(|name| context.permissions.get(name)).collect();
    Permitted::by(objects.iter().map(|object| (object.spec.mode, object.status.as_ref())), tenant)
}

/// Takes in what a permission's status tells, and has its Customer looked at when that must tell something else now.
pub(super) fn permission_reported(context: &Context, desired: &Desired, status: &CustomerPurchasePermissionStatus) {
    let since = on_since(status);
    if let Some(since) = since {
        remember(context, &customer_of(desired), since, |tenant| is_about(status, tenant));
    }
    if context.permits.turned(&desired.identity.uid, since.is_some()) {
        wake_if_behind(context, &customer_of(desired));
    }
}

/// Notes that a permission was on for this tenant at `since`, whatever becomes of it now.
pub(super) fn seen_on(context: &Context, desired: &Desired, tenant: TenantId, since: Timestamp) {
    remember(context, &customer_of(desired), since, |found| found == tenant);
}

/// Notes that there is something for a Customer to tell, if it means such a tenant.
fn remember(context: &Context, name: &ObjectName, since: Timestamp, is_its: impl Fn(TenantId) -> bool) {
    if is_to_be_told(context, name, since, is_its) {
        context.permits.remember(name.clone(), since);
    }
}

/// Has the Customer of a permission looked at when its status tells otherwise than its permissions.
pub(super) fn wake_if_behind(context: &Context, customer: &ObjectName) {
    let Some(object) = context.customers.get(customer) else { return };
    let CustomerRef::Found(tenant) = reference(context, Some(&object)) else { return };
    let window = object.status.as_ref().and_then(|status| status.purchases_permitted.as_ref());
    let is_open = window.is_some_and(|window| window.until.is_none());
    let is_behind = match permitted(context, customer, tenant) {
        Permitted::Since(_) => !is_open,
        Permitted::Until(_) | Permitted::Never => is_open || context.permits.seen_on(customer).is_some(),
        Permitted::Unknown | Permitted::Suspended => false,
    };
    if is_behind {
        context.customers.wake(customer);
    }
}

/// Waits a moment for the Customer to tell that the permission was on, before it is let go: then nothing else tells. For one
/// that is abandoned, nobody waits.
pub(super) async fn until_told<K: Kind<Object = CustomerPurchasePermission>>(pass: &Pass<'_, K>) {
    let object: &CustomerPurchasePermission = &pass.object;
    let (context, Some(desired)) = (pass.context, Desired::of(object)) else { return };
    let name = customer_of(&desired);
    let status = object.status.clone().unwrap_or_default();
    let Some(since) = on_since(&status).or_else(|| context.permits.seen_on(&name)) else { return };
    let is_its = |tenant| is_about(&status, tenant);
    if !is_to_be_told(context, &name, since, is_its) {
        return;
    }
    context.permits.remember(name.clone(), since);
    context.customers.wake(&name);
    if desired.is_abandoned {
        return;
    }
    let _wait = pass.errand().wait();
    let told = context.permits.until_told(|| !is_to_be_told(context, &name, since, is_its));
    if tokio::time::timeout(HELD_MAX, told).await.is_err() {
        tracing::warn!(
            namespace = name.namespace,
            customer = name.name,
            "the Customer does not tell yet that a permission was on; the permission is let go all the same"
        );
    }
}

/// Whether there is a Customer, of such a tenant, that must tell it and does not.
fn is_to_be_told(context: &Context, name: &ObjectName, since: Timestamp, is_its: impl Fn(TenantId) -> bool) -> bool {
    let Some(customer) = context.customers.get(name) else { return false };
    let window = customer.status.as_ref().and_then(|status| status.purchases_permitted.as_ref());
    matches!(reference(context, Some(&customer)), CustomerRef::Found(tenant) if is_its(tenant)) && !tells(window, since)
}

fn customer_of(desired: &Desired) -> ObjectName {
    ObjectName { namespace: desired.identity.name.namespace.clone(), name: desired.customer.clone() }
}
