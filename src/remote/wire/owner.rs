//! Role assignments of Azure.

use serde::Deserialize;

use crate::model::{ObjectId, SubscriptionId};

use super::{Defect, id, required, text};

/// Id of Azure's built-in role Owner, the same in every tenant.
const OWNER_ROLE: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

/// One page of role assignments.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct AssignmentPage {
    value: Option<Vec<AssignmentWire>>,
    next_link: Option<String>,
}

/// `RoleAssignment`
#[derive(Debug, Deserialize)]
pub(in crate::remote) struct AssignmentWire {
    properties: Option<AssignmentProperties>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssignmentProperties {
    role_definition_id: Option<String>,
    principal_id: Option<String>,
    principal_type: Option<String>,
    scope: Option<String>,
}

impl AssignmentPage {
    /// The assignments and the address of the next page.
    pub(in crate::remote) fn open(self) -> Result<(Vec<AssignmentWire>, Option<String>), Defect> {
        Ok((required(self.value, "value")?, self.next_link.filter(|link| !link.is_empty())))
    }
}

impl AssignmentWire {
    /// The customer's user or group to whom this assigns Owner of `subscription`; `None` for other roles, narrower
    /// scopes, service principals, and the partner's own groups (`ForeignGroup`), which hold Owner everywhere.
    pub(in crate::remote) fn owner_of(self, subscription: SubscriptionId) -> Result<Option<ObjectId>, Defect> {
        let properties = required(self.properties, "roleAssignment properties")?;
        let role = text(properties.role_definition_id, "roleDefinitionId")?;
        let scope = text(properties.scope, "roleAssignment scope")?;
        let kind = text(properties.principal_type, "principalType")?;
        let is_owner = role.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(OWNER_ROLE));
        let is_person = kind.eq_ignore_ascii_case("User") || kind.eq_ignore_ascii_case("Group");
        if !is_owner || !is_person || !covers(&scope, subscription) {
            return Ok(None);
        }
        id(properties.principal_id, "principalId").map(Some)
    }
}

/// Whether an assignment at `scope` holds for the whole subscription: made on it, on a management group, or on the root.
fn covers(scope: &str, subscription: SubscriptionId) -> bool {
    let scope = scope.trim_end_matches('/').to_ascii_lowercase();
    scope.is_empty()
        || scope == format!("/subscriptions/{subscription}")
        || scope
            .strip_prefix("/providers/microsoft.management/managementgroups/")
            .is_some_and(|group| !group.is_empty() && !group.contains('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SUBSCRIPTION: &str = "50b50b50-3333-4c33-8c33-00000000000a";
    const PRINCIPAL: &str = "0b1e0b1e-4444-4d44-8d44-000000000004";

    /// Whether an assignment with some properties replaced makes `PRINCIPAL` an owner.
    fn owner(changes: &Value) -> Result<bool, Defect> {
        let mut properties = json!({
            "roleDefinitionId": format!("/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}"),
            "principalId": PRINCIPAL, "principalType": "User", "scope": format!("/subscriptions/{SUBSCRIPTION}")
        });
        for (field, value) in changes.as_object().unwrap() {
            properties[field] = value.clone();
        }
        let wire: AssignmentWire = serde_json::from_value(json!({ "properties": properties })).unwrap();
        let owner = wire.owner_of(SUBSCRIPTION.parse().unwrap())?;
        assert!(owner.is_none_or(|owner| owner == PRINCIPAL.parse().unwrap()));
        Ok(owner.is_some())
    }

    #[test]
    fn only_the_customers_people_own() {
        for (kind, expected) in
            [("User", true), ("group", true), ("ForeignGroup", false), ("ServicePrincipal", false), ("Device", false)]
        {
            assert_eq!(owner(&json!({ "principalType": kind })), Ok(expected), "{kind}");
        }
    }

    #[test]
    fn only_the_role_owner_counts() {
        let upper = format!("/providers/Microsoft.Authorization/roleDefinitions/{}", OWNER_ROLE.to_uppercase());
        assert_eq!(owner(&json!({ "roleDefinitionId": upper })), Ok(true));
        assert_eq!(owner(&json!({ "roleDefinitionId": format!("/{OWNER_ROLE}/b24988ac") })), Ok(false));
    }

    #[test]
    fn only_the_whole_subscription_counts() {
        for (scope, expected) in [
            (format!("/SUBSCRIPTIONS/{}/", SUBSCRIPTION.to_uppercase()), true),
            ("/".to_owned(), true),
            ("/providers/Microsoft.Management/managementGroups/root".to_owned(), true),
            (format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"), false),
            ("/subscriptions/50b50b50-3333-4c33-8c33-00000000000b".to_owned(), false),
            ("/providers/Microsoft.Capacity/reservationOrders/x".to_owned(), false),
        ] {
            assert_eq!(owner(&json!({ "scope": scope })), Ok(expected), "{scope}");
        }
        assert_eq!(owner(&json!({ "scope": null })).unwrap_err(), "roleAssignment scope is missing");
        assert_eq!(owner(&json!({ "principalId": null })).unwrap_err(), "principalId is missing");
    }
}
