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
