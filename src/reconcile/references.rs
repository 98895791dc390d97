//! What a Customer says to those who refer to it.

use super::context::Context;
use super::sight::refer;
use crate::api;
use crate::model::TenantId;
use crate::plan::CustomerRef;

/// Whom a Customer means, and whether its namespace may act for it.
pub(super) fn reference(context: &Context, customer: Option<&api::Customer>) -> CustomerRef {
    let Some(customer) = customer else { return CustomerRef::Missing };
    refer(customer, |namespace| context.namespaces.rule(namespace))
}

/// The tenant that a Customer names, whether its namespace may act for it or not.
pub(super) fn named_tenant(customer: &api::Customer) -> Option<TenantId> {
    customer.spec.tenant_id.parse().ok()
}
