//! The change of a customer's policy, by whichever door it comes: what holds, what is counted and what is recorded.

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::{self, Record};
use super::clock::later;
use super::policy::{Permission, Policy};
use super::state::State;

/// Who changes a policy, and how.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) user: Option<String>,
    pub(crate) application: String,
    pub(crate) correlation_id: String,
    pub(crate) through: Through,
}

/// Where a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    Api,
    Portal,
}

/// Gives a customer these permissions (none: deletes the policy) and records it; `None` when the customer is unknown or
/// when there is neither a policy nor a permission.
pub(crate) fn write(
    state: &mut State,
    tenant: Uuid,
    permissions: Vec<Permission>,
    author: Author,
    now: Timestamp,
) -> Option<&'static str> {
    let partner = state.partner.tenant_id;
    let customer = state.customers.get_mut(&tenant)?;
    customer.remember(now);
    let old = customer.policy.take();
    customer.policy = Policy::new(&state.random, permissions);
    let operation = match (&old, &customer.policy) {
        (None, None) => return None,
        (None, Some(_)) => "create_self_serve_policy",
        (Some(_), Some(_)) => "update_self_serve_policy",
        (Some(_), None) => "delete_self_serve_policy",
    };
    match author.through {
        Through::Api => customer.policy_writes += 1,
        Through::Portal => customer.portal_writes += 1,
    }
    let at = state.audit.moment(now);
    let value = |policy: &Policy| policy.to_audit_value(partner, tenant);
    state.audit.add(Record {
        id: audit::record_id(partner, tenant, operation, at),
        customer: tenant,
        customer_name: customer.about.name.clone(),
        user: author.user,
        application: author.application,
        resource_type: "self_serve_policy".to_owned(),
        operation: operation.to_owned(),
        status: "succeeded".to_owned(),
        old_value: old.as_ref().map(value),
        new_value: customer.policy.as_ref().map(value),
        customized: Vec::new(),
        correlation_id: author.correlation_id,
        at,
        visible_at: later(at, state.settings.audit_delay_ms),
    });
    Some(operation)
}
