//! The directory of a tenant: its users and groups, and who is in which group through others.
//!
//! The partner's tenant has a group for every role of Partner Center; whoever is in it, also through other groups, has
//! the role.

use std::collections::HashSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::state::State;
use super::world::{Partner, PartnerRole, TenantUser, UserType};

/// A user, wherever it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: Uuid,
    pub(crate) upn: String,
    pub(crate) user_type: UserType,
    pub(crate) account_enabled: bool,
    pub(crate) created_at: Option<Timestamp>,
}

impl From<&TenantUser> for Person {
    fn from(user: &TenantUser) -> Self {
        Self {
            id: user.object_id,
            upn: user.upn.clone(),
            user_type: user.user_type,
            account_enabled: user.account_enabled,
            created_at: user.created_at,
        }
    }
}

/// A group with its direct members.
#[derive(Debug, Clone)]
pub(crate) struct GroupEntry {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) members: Vec<Uuid>,
}

/// The users and groups of one tenant, as they are now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    pub(crate) users: Vec<Person>,
    pub(crate) groups: Vec<GroupEntry>,
}

impl Directory {
    /// The directory of the partner or of a customer.
    pub(crate) fn of(state: &State, tenant: Uuid) -> Option<Self> {
        if tenant == state.partner.tenant_id {
            return Some(Self::of_partner(&state.partner));
        }
        let about = &state.customers.get(&tenant)?.about;
        let groups = about.groups.iter();
        Some(Self {
            users: about.users.iter().map(Person::from).collect(),
            groups: groups
                .map(|group| GroupEntry { id: group.id, name: group.name.clone(), members: group.members.clone() })
                .collect(),
        })
    }

    fn of_partner(partner: &Partner) -> Self {
        let person = |user: &super::world::User| Person {
            id: user.object_id,
            upn: user.upn.clone(),
            user_type: UserType::Member,
            account_enabled: true,
            created_at: None,
        };
        let role_group = |role: PartnerRole| {
            let users = partner.users.iter().filter(|user| user.roles.contains(&role)).map(|user| user.object_id);
            let groups = partner.groups.iter().filter(|group| group.member_of.contains(&role)).map(|group| group.id);
            GroupEntry {
                id: partner.role_group(role),
                name: role.group_name().to_owned(),
                members: users.chain(groups).collect(),
            }
        };
        let others = partner.groups.iter().map(|group| GroupEntry {
            id: group.id,
            name: group.name.clone(),
            members: group.members.clone(),
        });
        Self {
            users: partner.users.iter().map(person).collect(),
            groups: PartnerRole::ALL.into_iter().map(role_group).chain(others).collect(),
        }
    }

    /// The user of that object id or user principal name.
    pub(crate) fn user(&self, name: &str) -> Option<&Person> {
        let id = Uuid::try_parse(name).ok();
        self.users.iter().find(|user| Some(user.id) == id || user.upn.eq_ignore_ascii_case(name))
    }

    pub(crate) fn group(&self, id: Uuid) -> Option<&GroupEntry> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// The groups that a principal is in, directly or through other groups.
    pub(crate) fn groups_of(&self, principal: Uuid) -> Vec<&GroupEntry> {
        let mut seen = HashSet::from([principal]);
        let mut to_visit = vec![principal];
        while let Some(member) = to_visit.pop() {
            for group in &self.groups {
                if group.members.contains(&member) && seen.insert(group.id) {
                    to_visit.push(group.id);
                }
            }
        }
        self.groups.iter().filter(|group| group.id != principal && seen.contains(&group.id)).collect()
    }

    /// Everything in a group, directly or through other groups, in the order in which it is found.
    pub(crate) fn members_of(&self, group: Uuid) -> Vec<Uuid> {
        let mut seen = HashSet::from([group]);
        let mut found = Vec::new();
        let mut to_visit = vec![group];
        while let Some(id) = to_visit.pop() {
            for member in self.group(id).map(|group| group.members.as_slice()).unwrap_or_default() {
                if seen.insert(*member) {
                    found.push(*member);
                    to_visit.push(*member);
                }
            }
        }
        found
    }
}

/// Whether the partner's user has a role, directly or through groups.
pub(crate) fn has_role(partner: &Partner, user: &super::world::User, role: PartnerRole) -> bool {
    user.roles.contains(&role)
        || Directory::of_partner(partner)
            .groups_of(user.object_id)
            .iter()
            .any(|group| group.id == partner.role_group(role))
}
