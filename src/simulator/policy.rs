//! The self-serve policy of a customer, and the three ways it changes, whoever changes it.
//!
//! A customer has one policy or none; both switches are entries of its `permissions`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::random::Random;

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
    pub(crate) fn to_audit_value(&self, partner: Uuid, customer: Uuid) -> String {
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
