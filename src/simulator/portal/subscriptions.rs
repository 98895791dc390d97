//! What the partner has bought for a customer, and who of the customer may use it.

use askama::Template;
use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::account::{About, Item};
use super::shell::{Place, Shell};
use super::{customer, page};
use crate::simulator::directory::Directory;
use crate::simulator::exchange::{Outcome, Request};
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{
    AzureSubscription, PrincipalType, RoleAssignment, RoleDefinition, Scope, Subscription, SubscriptionKind,
    SubscriptionStatus,
};

#[derive(Debug, Template)]
#[template(path = "subscriptions.html")]
struct Subscriptions {
    shell: Shell,
    about: About,
    plans: Vec<Plan>,
    azure: Vec<Azure>,
}

#[derive(Debug)]
struct Plan {
    name: &'static str,
    status: String,
    id: Uuid,
}

#[derive(Debug)]
struct Azure {
    name: String,
    status: String,
    id: Uuid,
    owners: Vec<String>,
}

pub(super) fn list(state: &State, request: &Request, id: &str) -> Outcome {
    let customer = customer(state, request, id)?;
    let shell = Shell::new(state, request, Place::Customers, &format!("{}, Subscriptions", customer.about.name));
    let is_visible = |held: &&Subscription| held.visible_at.is_none_or(|at| at <= request.at);
    let visible: Vec<&Subscription> = customer.about.subscriptions.iter().filter(is_visible).collect();
    let azure = visible.iter().flat_map(|held| &held.azure_subscriptions);
    let page_of = Subscriptions {
        shell,
        about: About::of(customer, Item::Subscriptions),
        azure: azure.map(|subscription| one(customer, subscription)).collect(),
        plans: visible.iter().map(|held| plan(held)).collect(),
    };
    Ok(page(StatusCode::OK, &page_of))
}

fn plan(held: &Subscription) -> Plan {
    let name = match held.kind {
        SubscriptionKind::AzurePlan => "Azure plan",
        SubscriptionKind::AzureGlobal => "Microsoft Azure (MS-AZR-0145P)",
        SubscriptionKind::License => "Licences",
    };
    Plan { name, status: json!(held.status).as_str().unwrap_or_default().to_owned(), id: held.id }
}

fn one(customer: &Customer, subscription: &AzureSubscription) -> Azure {
    let owners = owners(subscription).map(|assignment| named(customer, assignment.principal_id)).collect();
    Azure { name: subscription.name.clone(), status: subscription.status.clone(), id: subscription.id, owners }
}

/// Who of the customer holds Owner on the whole subscription: the partner's own groups do not count.
pub(super) fn owners(subscription: &AzureSubscription) -> impl Iterator<Item = &RoleAssignment> {
    subscription.role_assignments.iter().filter(|held| {
        held.role == RoleDefinition::OWNER
            && [PrincipalType::User, PrincipalType::Group].contains(&held.principal_type)
            && !matches!(held.scope, Some(Scope::ResourceGroup(_)))
    })
}

/// A user or a group by its name; the id of one that is not in the directory.
fn named(customer: &Customer, id: Uuid) -> String {
    let about = &customer.about;
    let user = about.users.iter().find(|user| user.object_id == id).map(|user| user.upn.clone());
    let group = || about.groups.iter().find(|group| group.id == id).map(|group| format!("group {}", group.name));
    user.or_else(group).unwrap_or_else(|| id.to_string())
}

/// The Azure subscriptions that can be used: they are active, and so is the plan that they are under.
pub(super) fn active(customer: &Customer) -> impl Iterator<Item = &AzureSubscription> {
    let plans = customer.about.subscriptions.iter().filter(|plan| plan.status == SubscriptionStatus::Active);
    plans.flat_map(|plan| &plan.azure_subscriptions).filter(|azure| azure.status.eq_ignore_ascii_case("active"))
}

/// Whether a principal of the customer holds Owner on it, directly or through groups.
pub(super) fn is_owner(state: &State, customer: &Customer, principal: Uuid, azure: &AzureSubscription) -> bool {
    let directory = Directory::of(state, customer.about.tenant_id).unwrap_or_default();
    let groups: Vec<Uuid> = directory.groups_of(principal).into_iter().map(|group| group.id).collect();
    owners(azure).any(|held| held.principal_id == principal || groups.contains(&held.principal_id))
}
