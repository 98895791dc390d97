//! The part of a world that Entra holds: users, groups, and what the tenants have consented to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PartnerRole, yes};

/// A security group of a tenant.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) id: Uuid,
    #[serde(default = "default_group_name")]
    pub(crate) name: String,
    /// Users, service principals or other groups.
    #[serde(default)]
    pub(crate) members: Vec<Uuid>,
    /// Only in the partner's tenant: the groups of Partner Center's roles that this one is nested in.
    #[serde(default)]
    pub(crate) member_of: Vec<PartnerRole>,
}

fn default_group_name() -> String {
    "Group".to_owned()
}

/// A user of a customer tenant.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TenantUser {
    pub(crate) upn: String,
    pub(crate) object_id: Uuid,
    #[serde(default)]
    pub(crate) user_type: UserType,
    #[serde(default = "yes")]
    pub(crate) account_enabled: bool,
    /// When the user was added to a running simulator; the users of the world file are old.
    #[serde(skip)]
    pub(crate) created_at: Option<Timestamp>,
}

/// `userType` of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UserType {
    #[default]
    Member,
    Guest,
}

/// A user of the partner whom no API knows of.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PortalUser {
    pub(crate) upn: String,
    pub(crate) roles: Vec<PartnerRole>,
}

impl PortalUser {
    /// An Admin agent, a Sales agent and a Helpdesk agent.
    pub(super) fn of_each_role(domain: &str) -> Vec<Self> {
        let user = |name: &str, role| Self { upn: format!("{name}@{domain}"), roles: vec![role] };
        vec![user("ada", PartnerRole::Admin), user("grace", PartnerRole::Sales), user("alan", PartnerRole::Helpdesk)]
    }
}

/// What the partner can reach in a customer tenant.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Access {
    /// Without delegated administration (DAP or GDAP) no partner user can sign in to the tenant.
    #[serde(deserialize_with = "negated", rename = "delegatedAdmin")]
    pub(crate) no_delegated_admin: bool,
    /// Without consent the application gets no token for Azure there.
    #[serde(deserialize_with = "negated", rename = "azure")]
    pub(crate) no_azure_consent: bool,
    /// Whether the partner's users may see reservations and savings plans, which subscription roles do not cover.
    #[serde(deserialize_with = "negated", rename = "purchases")]
    pub(crate) no_purchases: bool,
    /// The scopes of Graph that are consented to; none at all means no token. Absent means all that are known.
    pub(crate) graph: Option<Vec<String>>,
}

/// The file says what there is, the default is that everything is there.
fn negated<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    bool::deserialize(deserializer).map(|value| !value)
}

/// The delegated permissions of Graph that the simulator knows.
pub(crate) const GRAPH_SCOPES: [&str; 3] = ["User.Read", "User.Read.All", "GroupMember.Read.All"];

/// The scopes of a tenant that names none, or those that it names.
pub(crate) fn graph_scopes(named: Option<&[String]>) -> Vec<String> {
    named.map_or_else(|| GRAPH_SCOPES.map(str::to_owned).to_vec(), <[String]>::to_vec)
}

/// What kind of partner it is in the Cloud Solution Provider program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PartnerType {
    #[default]
    DirectBill,
    IndirectProvider,
    /// Has no access to the API but for its own profile and relationships.
    IndirectReseller,
}

/// Another partner that this one has a relationship with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RelatedPartner {
    pub(crate) tenant_id: Uuid,
    pub(crate) name: String,
    pub(crate) mpn_id: String,
    #[serde(default = "default_location")]
    pub(crate) location: String,
    /// Free text, so that a client meets words it does not know.
    #[serde(default = "default_state")]
    pub(crate) state: String,
}

fn default_location() -> String {
    "US".to_owned()
}

fn default_state() -> String {
    "Active".to_owned()
}
