//! `SelfServePolicy`: the one object that holds a customer's switches.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{OtherPermission, PermissionSet, Policy, Switch, TenantId};

use super::{Defect, id, non_empty, required, text};

const RESERVATIONS: &str = "AzureReservedInstances";
const SAVINGS_PLANS: &str = "AzureSavingsPlan";
const PURCHASE: &str = "Purchase";

/// `SelfServePolicy`, read and written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct PolicyWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    self_serve_entity: Option<EntityWire>,
    grantor: Option<GrantorWire>,
    permissions: Option<Vec<PermissionWire>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<AttributesWire>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntityWire {
    self_serve_entity_type: Option<String>,
    #[serde(rename = "tenantID")]
    tenant_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GrantorWire {
    grantor_type: Option<String>,
    #[serde(rename = "tenantID")]
    tenant_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PermissionWire {
    resource: Option<String>,
    action: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributesWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_type: Option<String>,
}

/// Whom a policy is between. An answer about anybody else is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::remote) struct Terms {
    pub(in crate::remote) customer: TenantId,
    pub(in crate::remote) partner: TenantId,
}

impl PolicyWire {
    /// Body of a create.
    pub(in crate::remote) fn to_create(terms: Terms, permissions: &PermissionSet) -> Self {
        Self {
            id: None,
            self_serve_entity: Some(EntityWire {
                self_serve_entity_type: Some("customer".to_owned()),
                tenant_id: Some(terms.customer.to_string()),
            }),
            grantor: Some(GrantorWire {
                grantor_type: Some("billToPartner".to_owned()),
                tenant_id: Some(terms.partner.to_string()),
            }),
            permissions: Some(to_wire(permissions)),
            attributes: None,
        }
    }

    /// Body that replaces `read`: it carries the etag as it was read, with its quotes.
    pub(in crate::remote) fn to_replace(terms: Terms, read: &Policy, permissions: &PermissionSet) -> Self {
        Self {
            id: Some(read.id.clone()),
            attributes: Some(AttributesWire {
                etag: read.etag.clone(),
                object_type: Some("SelfServePolicy".to_owned()),
            }),
            ..Self::to_create(terms, permissions)
        }
    }

    /// The policy, which must be one between `terms`.
    pub(in crate::remote) fn translate(self, terms: Terms) -> Result<Policy, Defect> {
        let entity = required(self.self_serve_entity, "selfServeEntity")?;
        let grantor = required(self.grantor, "grantor")?;
        expect_type(entity.self_serve_entity_type, "customer", "selfServeEntityType")?;
        expect_type(grantor.grantor_type, "billToPartner", "grantorType")?;
        if id::<TenantId>(entity.tenant_id, "selfServeEntity.tenantID")? != terms.customer {
            return Err("a policy of another customer".to_owned());
        }
        if id::<TenantId>(grantor.tenant_id, "grantor.tenantID")? != terms.partner {
            return Err("a policy of another partner".to_owned());
        }
        let policy_id = text(self.id, "policy id")?;
        if !is_policy_id(&policy_id) {
            return Err("policy id cannot stand in an address".to_owned());
        }
        Ok(Policy {
            id: policy_id,
            etag: self.attributes.and_then(|attributes| non_empty(attributes.etag)),
            permissions: from_wire(required(self.permissions, "permissions")?)?,
        })
    }
}

/// Whether `id` names one policy when it stands in an address. Dots alone, or nothing, would name the list.
pub(in crate::remote) fn is_policy_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 256 && id.chars().any(|letter| letter != '.') && !id.contains(['/', '\\'])
}

fn expect_type(found: Option<String>, expected: &str, field: &str) -> Result<(), Defect> {
    if text(found, field)?.eq_ignore_ascii_case(expected) { Ok(()) } else { Err(format!("{field} is not {expected}")) }
}

fn to_wire(permissions: &PermissionSet) -> Vec<PermissionWire> {
    let known = permissions.allowed().map(|switch| {
        let resource = match switch {
            Switch::Reservations => RESERVATIONS,
            Switch::SavingsPlans => SAVINGS_PLANS,
        };
        PermissionWire { resource: Some(resource.to_owned()), action: Some(PURCHASE.to_owned()) }
    });
    let others = permissions
        .others()
        .iter()
        .map(|other| PermissionWire { resource: Some(other.resource.clone()), action: Some(other.action.clone()) });
    known.chain(others).collect()
}

fn from_wire(entries: Vec<PermissionWire>) -> Result<PermissionSet, Defect> {
    let (mut allowed, mut others) = (BTreeSet::new(), Vec::new());
    for entry in entries {
        let resource = text(entry.resource, "permissions[].resource")?;
        let action = text(entry.action, "permissions[].action")?;
        match switch(&resource, &action) {
            Some(switch) => {
                allowed.insert(switch);
            }
            None => others.push(OtherPermission { resource, action }),
        }
    }
    Ok(PermissionSet::new(allowed, others))
}

fn switch(resource: &str, action: &str) -> Option<Switch> {
    if !action.eq_ignore_ascii_case(PURCHASE) {
        None
    } else if resource.eq_ignore_ascii_case(RESERVATIONS) {
        Some(Switch::Reservations)
    } else if resource.eq_ignore_ascii_case(SAVINGS_PLANS) {
        Some(Switch::SavingsPlans)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CUSTOMER: &str = "c1a0c1a0-1111-4a11-8a11-000000000001";
    const PARTNER: &str = "aaaa0000-2222-4b22-9b22-000000000002";

    fn terms() -> Terms {
        Terms { customer: CUSTOMER.parse().unwrap(), partner: PARTNER.parse().unwrap() }
    }

    fn sample() -> Value {
        json!({
            "id": "aaaa_c1a0",
            "selfServeEntity": { "selfServeEntityType": "Customer", "tenantID": CUSTOMER.to_uppercase() },
            "grantor": { "grantorType": "BillToPartner", "tenantID": PARTNER },
            "permissions": [
                { "resource": "AzureSomething", "action": "Purchase" },
                { "resource": "azurereservedinstances", "action": "purchase" },
                { "resource": "AzureSavingsPlan", "action": "Cancel" }
            ],
            "attributes": { "etag": "\"3b0e\"", "objectType": "SelfServePolicy" },
            "newField": [1]
        })
    }

    fn translate(body: Value) -> Result<Policy, Defect> {
        serde_json::from_value::<PolicyWire>(body).unwrap().translate(terms())
    }

    fn other(resource: &str, action: &str) -> OtherPermission {
        OtherPermission { resource: resource.to_owned(), action: action.to_owned() }
    }

    #[test]
    fn reads_a_policy_in_any_case_and_keeps_what_it_does_not_know() {
        let policy = translate(sample()).unwrap();
        assert_eq!(policy.id, "aaaa_c1a0");
        assert_eq!(policy.etag.as_deref(), Some("\"3b0e\""));
        let others = vec![other("AzureSomething", "Purchase"), other("AzureSavingsPlan", "Cancel")];
        assert_eq!(policy.permissions, PermissionSet::new([Switch::Reservations], others));
    }

    #[test]
    fn writes_what_is_documented() {
        let permissions =
            PermissionSet::new([Switch::SavingsPlans, Switch::Reservations], vec![other("AzureSomething", "Rent")]);
        let create = serde_json::to_value(PolicyWire::to_create(terms(), &permissions)).unwrap();
        let mut expected = json!({
            "selfServeEntity": { "selfServeEntityType": "customer", "tenantID": CUSTOMER },
            "grantor": { "grantorType": "billToPartner", "tenantID": PARTNER },
            "permissions": [
                { "resource": "AzureReservedInstances", "action": "Purchase" },
                { "resource": "AzureSavingsPlan", "action": "Purchase" },
                { "resource": "AzureSomething", "action": "Rent" }
            ]
        });
        assert_eq!(create, expected);
        let read = translate(sample()).unwrap();
        let replace = serde_json::to_value(PolicyWire::to_replace(terms(), &read, &permissions)).unwrap();
        expected["id"] = json!("aaaa_c1a0");
        expected["attributes"] = json!({ "etag": "\"3b0e\"", "objectType": "SelfServePolicy" });
        assert_eq!(replace, expected);
    }

    #[test]
    fn a_policy_of_somebody_else_or_half_a_policy_is_none() {
        let check = |path: &str, value: Value, expected: &str| {
            let mut body = sample();
            *body.pointer_mut(path).unwrap() = value;
            assert_eq!(translate(body).unwrap_err(), expected);
        };
        check("/selfServeEntity/tenantID", json!(PARTNER), "a policy of another customer");
        check("/grantor/tenantID", json!(CUSTOMER), "a policy of another partner");
        check("/grantor/grantorType", json!("reseller"), "grantorType is not billToPartner");
        check("/selfServeEntity/selfServeEntityType", json!("reseller"), "selfServeEntityType is not customer");
        check("/selfServeEntity/tenantID", json!("x"), "selfServeEntity.tenantID is not a GUID");
        check("/selfServeEntity", Value::Null, "selfServeEntity is missing");
        check("/grantor", Value::Null, "grantor is missing");
        check("/permissions", Value::Null, "permissions is missing");
        check("/permissions/0/resource", Value::Null, "permissions[].resource is missing");
        check("/permissions/0/action", json!(""), "permissions[].action is missing");
        check("/id", Value::Null, "policy id is missing");
        for id in ["..", "a/b"] {
            check("/id", json!(id), "policy id cannot stand in an address");
        }
        let mut body = sample();
        body["attributes"] = Value::Null;
        assert_eq!(translate(body).unwrap().etag, None);
    }
}
