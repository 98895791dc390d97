//! Who is to be looked at when an object has changed that they refer to, or contend with.

use std::collections::BTreeSet;

use super::context::Context;
use super::permitted;
use crate::plan::ObjectName;

/// Those who refer to a Customer, and its rivals.
pub(super) fn others_of_customer(context: &Context, name: &ObjectName) {
    let (subscriptions, permissions, rivals) = {
        let index = context.index();
        (index.subscriptions_of_customer(name), index.permissions_of_customer(name), index.rivals_of_customer(name))
    };
    // They may mean the same tenant, and wait for this one to go or to agree.
    for rival in &rivals {
        context.customers.wake(rival);
    }
    for name in &subscriptions {
        context.subscriptions.wake(name);
    }
    for name in &permissions {
        context.permissions.wake(name);
    }
}

/// Those who refer to an `AzureSubscription`.
pub(super) fn others_of_subscription(context: &Context, name: &ObjectName) {
    let permissions = context.index().permissions_of_subscription(name);
    for name in &permissions {
        context.permissions.wake(name);
    }
}

/// The rivals of a permission, who may mean the same tenant and wait for it to go or to agree; and its Customer, which tells
/// whether it is on.
pub(super) fn others_of_permission(context: &Context, name: &ObjectName) {
    let others: BTreeSet<_> = {
        let index = context.index();
        let tenants = index.tenants_of_permission(name);
        tenants.into_iter().flat_map(|tenant| index.permissions_of_tenant(tenant)).collect()
    };
    let customers = context.index().customers_of_permission(name);
    for customer in &customers {
        permitted::wake_if_behind(context, customer);
    }
    for other in others.iter().filter(|other| *other != name) {
        context.permissions.wake(other);
    }
}
