//! The part of a world that Azure holds: subscriptions and who has which role on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An Azure subscription, by the id that Azure itself shows.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AzureSubscription {
    pub(crate) id: Uuid,
    #[serde(default = "default_name")]
    pub(crate) name: String,
    /// Free text in Partner Center; `active` and `inactive` have been seen.
    #[serde(default = "default_status")]
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) role_assignments: Vec<RoleAssignment>,
}

pub(super) fn default_name() -> String {
    "Microsoft Azure".to_owned()
}

pub(super) fn default_status() -> String {
    "active".to_owned()
}

/// One role assignment that concerns an Azure subscription.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RoleAssignment {
    pub(crate) principal_id: Uuid,
    #[serde(default)]
    pub(crate) principal_type: PrincipalType,
    pub(crate) role: RoleDefinition,
    /// A management group or a resource group; none is the subscription itself.
    #[serde(default)]
    pub(crate) scope: Option<Scope>,
    #[serde(default)]
    pub(crate) condition: Option<String>,
    /// The name it was created under; one made from its content when absent.
    #[serde(default)]
    pub(crate) name: Option<Uuid>,
    /// Until then lists do not show it.
    #[serde(skip)]
    pub(crate) visible_at: Option<Timestamp>,
}

impl RoleAssignment {
    /// Owner of the whole subscription.
    pub(crate) fn owner(principal_id: Uuid, principal_type: PrincipalType) -> Self {
        Self {
            principal_id,
            principal_type,
            role: RoleDefinition::OWNER,
            scope: None,
            condition: None,
            name: None,
            visible_at: None,
        }
    }
}

/// The kinds of principal a role can be assigned to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PrincipalType {
    #[default]
    User,
    Group,
    ServicePrincipal,
    ForeignGroup,
    Device,
}

/// The id of a role definition; written by name or as a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RoleDefinition(pub(crate) Uuid);

impl RoleDefinition {
    pub(crate) const OWNER: Self = Self(Uuid::from_u128(0x8e3a_f657_a8ff_443c_a75c_2fe8_c4bc_b635));
    const CONTRIBUTOR: Self = Self(Uuid::from_u128(0xb249_88ac_6180_42a0_ab88_20f7_382d_d24c));
    const READER: Self = Self(Uuid::from_u128(0xacdd_72a7_3385_48ef_bd42_f606_fba8_1ae7));
    const RESERVATION_PURCHASER: Self = Self(Uuid::from_u128(0xf7b7_5c60_3036_4b75_91c3_6b41_c27c_1689));
}

impl TryFrom<String> for RoleDefinition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "Owner" => Ok(Self::OWNER),
            "Contributor" => Ok(Self::CONTRIBUTOR),
            "Reader" => Ok(Self::READER),
            "Reservation Purchaser" => Ok(Self::RESERVATION_PURCHASER),
            other => Uuid::try_parse(other).map(Self).map_err(|_| {
                format!(
                    "role `{other}` is neither Owner, Contributor, Reader, Reservation Purchaser nor the GUID of a role definition"
                )
            }),
        }
    }
}

/// The scope of a role assignment other than the subscription itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Scope {
    /// Above the subscription, so it is inherited.
    ManagementGroup(String),
    /// Below the subscription.
    ResourceGroup(String),
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some(("managementGroups", name)) if is_plain(name) => Ok(Self::ManagementGroup(name.to_owned())),
            Some(("resourceGroups", name)) if is_plain(name) => Ok(Self::ResourceGroup(name.to_owned())),
            _ => Err(format!(
                "scope `{text}` is neither `managementGroups/NAME` nor `resourceGroups/NAME` (leave it out for the subscription itself)"
            )),
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_scopes_are_read_by_name() {
        let role = |text: &str| RoleDefinition::try_from(text.to_owned());
        assert_eq!(role("Owner"), Ok(RoleDefinition::OWNER));
        assert_eq!(role("8E3AF657-A8FF-443C-A75C-2FE8C4BCB635"), Ok(RoleDefinition::OWNER));
        assert!(role("Boss").expect_err("refused").contains("role `Boss`"));
        let scope = |text: &str| Scope::try_from(text.to_owned());
        assert_eq!(scope("managementGroups/root"), Ok(Scope::ManagementGroup("root".to_owned())));
        assert!(scope("/subscriptions/x").is_err());
    }
}
