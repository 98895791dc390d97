//! The self-serve policy of a customer, and the three ways it changes, whoever changes it.
//!
//! A customer has one policy or none; both switches are entries of its `permissions`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::audit::{self, Record};
use super::random::Random;
use super::state::State;

/// The resources whose purchase can be permitted: <https://learn.microsoft.com/en-us/partner-center/developer/self-serve-policy-resources>.
pub(crate) const RESOURCES: [&str; 2] = ["AzureReservedInstances", "AzureSavingsPlan"];
/// The one action there is.
pub(crate) const PURCHASE: &str = "Purchase";

/// A policy as it is stored. Never without permissions: a policy without any is no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) permissions: Vec<Permission>,
    pub(crate) etag: String,
}

/// One entry of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Permission {
    pub(crate) resource: String,
    pub(crate) action: String,
}

impl Policy {
    /// A policy with these permissions and an etag nobody has seen; none when there are no permissions.
    pub(crate) fn new(random: &Random, permissions: Vec<Permission>) -> Option<Self> {
        // The etag's own quote marks are part of its value.
        (!permissions.is_empty()).then(|| Self { permissions, etag: format!("\"{}\"", random.uuid()) })
    }

    /// A policy that permits the purchase of these resources.
    pub(crate) fn permitting(random: &Random, resources: &[String]) -> Option<Self> {
        Self::new(
            random,
            resources
                .iter()
                .map(|resource| Permission { resource: resource.clone(), action: PURCHASE.to_owned() })
                .collect(),
        )
    }

    /// The policy as the API shows it.
    pub(crate) fn to_json(&self, partner: Uuid, customer: Uuid) -> Value {
        json!({
            "id": policy_id(partner, customer),
            "selfServeEntity": { "selfServeEntityType": "customer", "tenantID": customer },
            "grantor": { "grantorType": "billToPartner", "tenantID": partner },
            "permissions": self.permissions,
            "attributes": { "etag": self.etag, "objectType": "SelfServePolicy" },
        })
    }

    /// The policy as audit records quote it: JSON in a string, with `PascalCase` keys.
    fn to_audit_value(&self, partner: Uuid, customer: Uuid) -> String {
        let permissions: Vec<Value> = self
            .permissions
            .iter()
            .map(|permission| json!({ "Resource": permission.resource, "Action": permission.action }))
            .collect();
        json!({
            "Id": policy_id(partner, customer),
            "SelfServeEntity": { "SelfServeEntityType": "customer", "TenantID": customer },
            "Grantor": { "GrantorType": "billToPartner", "TenantID": partner },
            "Permissions": permissions,
            "Attributes": { "Etag": self.etag, "ObjectType": "SelfServePolicy" },
        })
        .to_string()
    }
}

/// The id of a customer's policy, by the pattern of Microsoft's examples.
pub(crate) fn policy_id(partner: Uuid, customer: Uuid) -> String {
    format!("{partner}_{customer}")
}

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

/// `at` plus so many milliseconds; a delay beyond the end of time means never.
pub(crate) fn later(at: Timestamp, delay_ms: u64) -> Timestamp {
    let delay = SignedDuration::from_millis(i64::try_from(delay_ms).unwrap_or(i64::MAX));
    at.checked_add(delay).unwrap_or(Timestamp::MAX)
}
