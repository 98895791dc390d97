//! Role assignments of Azure.

use serde::{Deserialize, Serialize};

use crate::model::{Assignment, AssignmentScope, ObjectId, OrderHolder, PrincipalKind, SubscriptionId};

use super::{Defect, id, non_empty, required, text};

/// Id of Azure's built-in role Owner, the same in every tenant.
const OWNER_ROLE: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

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
    condition: Option<String>,
}

/// What is sent to assign Owner.
#[derive(Debug, Serialize)]
pub(in crate::remote) struct NewAssignment {
    properties: NewProperties,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NewProperties {
    role_definition_id: String,
    principal_id: String,
    principal_type: &'static str,
}

impl NewAssignment {
    /// Owner of `subscription` for `principal`, which Azure then takes only if it is of that kind.
    pub(in crate::remote) fn owner(subscription: SubscriptionId, principal: ObjectId, kind: NewPrincipal) -> Self {
        Self {
            properties: NewProperties {
                role_definition_id: format!(
                    "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}"
                ),
                principal_id: principal.to_string(),
                principal_type: match kind {
                    NewPrincipal::User => "User",
                    NewPrincipal::Group => "Group",
                },
            },
        }
    }
}

/// What Owner is ever assigned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::remote) enum NewPrincipal {
    User,
    Group,
}

impl AssignmentWire {
    /// The principal that the answer to a new assignment names, if it names one.
    pub(in crate::remote) fn principal(&self) -> Option<&str> {
        self.properties.as_ref()?.principal_id.as_deref()
    }

    /// To whom the role is assigned, if that may tell who bought this reservation order; `None` if it tells nothing.
    ///
    /// Azure makes the buyer Owner of the order itself. Whoever reads or manages reservations has other roles, or inherits
    /// them from the tenant. Groups of another tenant count with any: they are there to cast doubt.
    pub(in crate::remote) fn holder(self, order: &str) -> Option<OrderHolder> {
        let properties = self.properties?;
        let kind = kind(&non_empty(properties.principal_type)?);
        let is_owner = is_owner_role(&non_empty(properties.role_definition_id)?);
        let scope = properties.scope?.trim_end_matches('/').to_ascii_lowercase();
        let is_its_own =
            scope == format!("/providers/microsoft.capacity/reservationorders/{}", order.to_ascii_lowercase());
        if kind != PrincipalKind::ForeignGroup && !(is_owner && is_its_own) {
            return None;
        }
        Some(OrderHolder { kind, principal: non_empty(properties.principal_id)?.to_ascii_lowercase() })
    }

    /// The assignment of Owner of `subscription` that this is; `None` for other roles and narrower scopes.
    ///
    /// It says to what kind of principal, since only the customer's users and groups count.
    pub(in crate::remote) fn owner_of(self, subscription: SubscriptionId) -> Result<Option<Assignment>, Defect> {
        let properties = required(self.properties, "roleAssignment properties")?;
        let role = text(properties.role_definition_id, "roleDefinitionId")?;
        let scope = text(properties.scope, "roleAssignment scope")?;
        let kind = kind(&text(properties.principal_type, "principalType")?);
        let is_owner = is_owner_role(&role);
        let Some(scope) = scope_of(&scope, subscription).filter(|_| is_owner) else { return Ok(None) };
        let principal = match id(properties.principal_id, "principalId") {
            Ok(principal) => principal,
            Err(defect) if kind.counts() => return Err(defect),
            // Nobody whose id could matter.
            Err(_) => return Ok(None),
        };
        let is_conditional = properties.condition.is_some_and(|condition| !condition.trim().is_empty());
        Ok(Some(Assignment { principal, kind, scope, is_conditional }))
    }
}

fn is_owner_role(role: &str) -> bool {
    role.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(OWNER_ROLE))
}

fn kind(word: &str) -> PrincipalKind {
    match word.to_ascii_lowercase().as_str() {
        "user" => PrincipalKind::User,
        "group" => PrincipalKind::Group,
        "foreigngroup" => PrincipalKind::ForeignGroup,
        _ => PrincipalKind::Other,
    }
}

/// Where an assignment at `scope` is, if it holds for the whole subscription: made on it, on a management group, or on the
/// root.
fn scope_of(scope: &str, subscription: SubscriptionId) -> Option<AssignmentScope> {
    let trimmed = scope.trim_end_matches('/');
    let lower = trimmed.to_ascii_lowercase();
    if lower == format!("/subscriptions/{subscription}") {
        return Some(AssignmentScope::Subscription);
    }
    if lower.is_empty() {
        return Some(AssignmentScope::Above("/".to_owned()));
    }
    let group = lower.strip_prefix("/providers/microsoft.management/managementgroups/")?;
    (!group.is_empty() && !group.contains('/')).then(|| AssignmentScope::Above(trimmed.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SUBSCRIPTION: &str = "50b50b50-3333-4c33-8c33-00000000000a";
    const PRINCIPAL: &str = "0b1e0b1e-4444-4d44-8d44-000000000004";

    /// What an assignment to `PRINCIPAL` with some properties replaced comes to.
    fn owner(changes: &Value) -> Result<Option<Assignment>, Defect> {
        let mut properties = json!({
            "roleDefinitionId": format!("/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}"),
            "principalId": PRINCIPAL, "principalType": "User", "scope": format!("/subscriptions/{SUBSCRIPTION}")
        });
        for (field, value) in changes.as_object().unwrap() {
            properties[field] = value.clone();
        }
        let wire: AssignmentWire = serde_json::from_value(json!({ "properties": properties })).unwrap();
        let owner = wire.owner_of(SUBSCRIPTION.parse().unwrap())?;
        assert!(owner.as_ref().is_none_or(|owner| owner.principal == PRINCIPAL.parse().unwrap()));
        Ok(owner)
    }

    fn owns(changes: &Value) -> Result<bool, Defect> {
        Ok(owner(changes)?.is_some_and(|owner| owner.kind.counts()))
    }

    #[test]
    fn only_the_customers_people_own() {
        for (kind, expected) in
            [("User", true), ("group", true), ("ForeignGroup", false), ("ServicePrincipal", false), ("Device", false)]
        {
            assert_eq!(owns(&json!({ "principalType": kind })), Ok(expected), "{kind}");
        }
        let partners = owner(&json!({ "principalType": "FOREIGNGROUP" })).unwrap().unwrap();
        assert_eq!(partners.kind, PrincipalKind::ForeignGroup);
    }

    #[test]
    fn only_the_owner_of_the_order_itself_may_have_bought_it() {
        let order = "a0a0a0a0-5555-4e55-8e55-000000000001";
        let own = format!("/providers/Microsoft.Capacity/reservationOrders/{}", order.to_uppercase());
        let reader = "/providers/Microsoft.Authorization/roleDefinitions/582fc458-8989-419f-a480-75249bc5db7e";
        let owner = format!("/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}");
        for (role, scope, kind, expected) in [
            (owner.as_str(), own.as_str(), "User", Some(PrincipalKind::User)),
            (&owner, &format!("{own}/"), "User", Some(PrincipalKind::User)),
            (reader, &own, "User", None),
            (&owner, "/providers/Microsoft.Capacity", "User", None),
            (&owner, "/", "User", None),
            (&owner, "", "User", None),
            (reader, "/providers/Microsoft.Capacity", "User", None),
            (reader, "/providers/Microsoft.Capacity", "ForeignGroup", Some(PrincipalKind::ForeignGroup)),
        ] {
            let wire: AssignmentWire = serde_json::from_value(json!({ "properties": {
                "roleDefinitionId": role, "principalId": PRINCIPAL, "principalType": kind, "scope": scope
            } }))
            .unwrap();
            assert_eq!(wire.holder(order).map(|holder| holder.kind), expected, "{role} {scope} {kind}");
        }
    }

    #[test]
    fn only_the_role_owner_counts() {
        let upper = format!("/providers/Microsoft.Authorization/roleDefinitions/{}", OWNER_ROLE.to_uppercase());
        assert_eq!(owns(&json!({ "roleDefinitionId": upper })), Ok(true));
        assert_eq!(owns(&json!({ "roleDefinitionId": format!("/{OWNER_ROLE}/b24988ac") })), Ok(false));
        let purchaser = "/providers/Microsoft.Authorization/roleDefinitions/f7b75c60-3036-4b75-91c3-6b41c27c1689";
        assert_eq!(owns(&json!({ "roleDefinitionId": purchaser })), Ok(false), "Reservation Purchaser");
    }

    #[test]
    fn only_the_whole_subscription_counts_and_what_it_inherits_is_told() {
        let root = "/providers/Microsoft.Management/managementGroups/Root";
        let above = |scope: &str| Some(AssignmentScope::Above(scope.to_owned()));
        for (scope, expected) in [
            (format!("/SUBSCRIPTIONS/{}/", SUBSCRIPTION.to_uppercase()), Some(AssignmentScope::Subscription)),
            ("/".to_owned(), above("/")),
            (root.to_owned(), above(root)),
            (format!("{root}/"), above(root)),
            (format!("{root}/more"), None),
            (format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"), None),
            ("/subscriptions/50b50b50-3333-4c33-8c33-00000000000b".to_owned(), None),
            ("/providers/Microsoft.Capacity/reservationOrders/x".to_owned(), None),
        ] {
            assert_eq!(owner(&json!({ "scope": scope })).map(|it| it.map(|it| it.scope)), Ok(expected), "{scope}");
        }
        assert_eq!(owner(&json!({ "scope": null })).unwrap_err(), "roleAssignment scope is missing");
        assert_eq!(owner(&json!({ "principalId": null })).unwrap_err(), "principalId is missing");
        assert_eq!(owner(&json!({ "principalId": null, "principalType": "Device" })), Ok(None));
    }

    #[test]
    fn a_condition_is_told() {
        for (condition, expected) in
            [(json!("@Request[x] StringEquals 'y'"), true), (json!(null), false), (json!(""), false)]
        {
            let found = owner(&json!({ "condition": condition, "conditionVersion": "2.0" })).unwrap().unwrap();
            assert_eq!(found.is_conditional, expected, "{condition}");
        }
    }

    #[test]
    fn a_new_assignment_names_the_role_the_principal_and_its_kind() {
        let new = |kind| NewAssignment::owner(SUBSCRIPTION.parse().unwrap(), PRINCIPAL.parse().unwrap(), kind);
        let role =
            format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{OWNER_ROLE}");
        for (kind, word) in [(NewPrincipal::User, "User"), (NewPrincipal::Group, "Group")] {
            let properties = json!({ "roleDefinitionId": role, "principalId": PRINCIPAL, "principalType": word });
            assert_eq!(serde_json::to_value(new(kind)).unwrap(), json!({ "properties": properties }));
        }
    }
}
