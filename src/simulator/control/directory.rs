//! What administrators of the tenants change: access, users, groups, and what the partner is.

use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::{body, done, refuse, unknown};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;
use crate::simulator::world::{FederatedCredential, Group, PartnerType, RelatedPartner, TenantUser};

/// What the partner can reach in a customer tenant; what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewAccess {
    delegated_admin: Option<bool>,
    azure: Option<bool>,
    purchases: Option<bool>,
    graph: Option<Vec<String>>,
}

pub(super) fn access(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let new: NewAccess = body(request)?;
    let customer = state.customers.get_mut(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    let access = &mut customer.about.access;
    access.no_delegated_admin = new.delegated_admin.map_or(access.no_delegated_admin, |has| !has);
    access.no_azure_consent = new.azure.map_or(access.no_azure_consent, |has| !has);
    access.no_purchases = new.purchases.map_or(access.no_purchases, |has| !has);
    access.graph = new.graph.or_else(|| access.graph.take());
    Ok(done())
}

/// A user joins a customer tenant; role assignments know it after the replication delay.
pub(super) fn add_user(state: &mut State, request: &Request, tenant: Uuid) -> Outcome {
    let user: TenantUser = body(request)?;
    let customer = state.customers.get_mut(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    let users = &mut customer.about.users;
    if users.iter().any(|known| known.object_id == user.object_id || known.upn.eq_ignore_ascii_case(&user.upn)) {
        return Err(refuse(&format!("the customer has a user `{}` or with that object id already", user.upn)));
    }
    users.push(TenantUser { created_at: Some(request.at), ..user });
    Ok(Answer::empty(StatusCode::CREATED))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    members: Vec<Uuid>,
    #[serde(default)]
    name: Option<String>,
}

/// The members of a group of a customer tenant, which is made when there is none.
pub(super) fn group(state: &mut State, request: &Request, tenant: Uuid, id: Uuid) -> Outcome {
    let Members { members, name } = body(request)?;
    let customer = state.customers.get_mut(&tenant).ok_or_else(|| unknown("customer", tenant))?;
    let groups = &mut customer.about.groups;
    if let Some(group) = groups.iter_mut().find(|group| group.id == id) {
        group.members = members;
        group.name = name.unwrap_or_else(|| group.name.clone());
    } else {
        let name = name.unwrap_or_else(|| "Group".to_owned());
        groups.push(Group { id, name, members, member_of: Vec::new() });
    }
    Ok(done())
}

/// What the partner is and has consented to, and what its application is known by; what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPartner {
    #[serde(rename = "type")]
    kind: Option<PartnerType>,
    related_partners: Option<Vec<RelatedPartner>>,
    graph: Option<Vec<String>>,
    groups: Option<Vec<Group>>,
    certificates: Option<Vec<String>>,
    federated_credentials: Option<Vec<FederatedCredential>>,
}

pub(super) fn partner(state: &mut State, request: &Request) -> Outcome {
    let new: NewPartner = body(request)?;
    let partner = &mut state.partner;
    partner.kind = new.kind.unwrap_or(partner.kind);
    partner.graph = new.graph.or_else(|| partner.graph.take());
    if let Some(related) = new.related_partners {
        partner.related_partners = related;
    }
    if let Some(groups) = new.groups {
        partner.groups = groups;
    }
    if let Some(certificates) = new.certificates {
        partner.application.certificates = certificates;
    }
    if let Some(credentials) = new.federated_credentials {
        partner.application.federated_credentials = credentials;
    }
    Ok(done())
}
