//! The role assignments of a subscription: reading, creating and deleting them.
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/role-assignments-rest>

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::caller::{authenticate, check_tenant, check_version, page, unauthorized};
use super::filter::Filter;
use super::refusal::refuse;
use crate::simulator::clock::later;
use crate::simulator::directory::{Directory, has_role};
use crate::simulator::exchange::{Answer, Outcome, Request, member, text_member};
use crate::simulator::state::{Customer, State};
use crate::simulator::tokens::Claims;
use crate::simulator::world::{AzureSubscription, PartnerRole, PrincipalType, RoleAssignment, RoleDefinition, Scope};

const VERSIONS: [&str; 5] =
    ["2015-07-01", "2018-01-01-preview", "2020-04-01-preview", "2020-08-01-preview", "2022-04-01"];

pub(super) fn list(state: &State, request: &Request, subscription: &str) -> Outcome {
    let (customer, azure) = open(state, request, subscription, Action::Read)?;
    let filter = Filter::of(request, &directory(state, customer))?;
    let found: Vec<Value> = azure
        .role_assignments
        .iter()
        .filter(|assignment| assignment.visible_at.is_none_or(|at| at <= request.at))
        .filter(|assignment| filter.accepts(assignment))
        .map(|assignment| to_json(azure, assignment))
        .collect();
    page(state, request, &found)
}

pub(super) fn get(state: &State, request: &Request, subscription: &str, name: &str) -> Outcome {
    let (_, azure) = open(state, request, subscription, Action::Read)?;
    let found = position(azure, name).and_then(|index| azure.role_assignments.get(index));
    found.map(|assignment| Answer::ok(&to_json(azure, assignment))).ok_or_else(|| {
        refuse(StatusCode::NOT_FOUND, "RoleAssignmentNotFound", &format!("The role assignment '{name}' is not found."))
    })
}

/// 201 when it is new, 200 when it is there already under this name.
pub(super) fn create(state: &mut State, request: &Request, subscription: &str, name: &str) -> Outcome {
    let (customer, azure) = open(state, request, subscription, Action::Write)?;
    let name = Uuid::try_parse(name).map_err(|_| {
        invalid("InvalidRoleAssignmentId", &format!("The role assignment ID '{name}' is not valid. It must be a GUID."))
    })?;
    let mut wanted = wanted(state, request, customer)?;
    wanted.name = Some(name);
    wanted.visible_at = Some(later(request.at, state.settings.role_assignment_delay_ms));
    let is_same = |held: &RoleAssignment| {
        held.scope.is_none() && held.principal_id == wanted.principal_id && held.role == wanted.role
    };
    if let Some(held) = position(azure, &name.to_string()).and_then(|index| azure.role_assignments.get(index)) {
        return if is_same(held) {
            Ok(Answer::ok(&to_json(azure, held)))
        } else {
            Err(invalid(
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            ))
        };
    }
    if azure.role_assignments.iter().any(is_same) {
        return Err(refuse(StatusCode::CONFLICT, "RoleAssignmentExists", "The role assignment already exists."));
    }
    let answer = Answer::json(StatusCode::CREATED, &to_json(azure, &wanted)).effective();
    let id = azure.id;
    if let Some(azure) = state.azure_mut(id) {
        azure.role_assignments.push(wanted);
    }
    Ok(answer)
}

/// 200 with what was deleted, 204 when there is nothing to delete.
pub(super) fn delete(state: &mut State, request: &Request, subscription: &str, name: &str) -> Outcome {
    let (_, azure) = open(state, request, subscription, Action::Delete)?;
    let Some(index) = position(azure, name) else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    let id = azure.id;
    let Some(azure) = state.azure_mut(id) else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    let deleted = azure.role_assignments.remove(index);
    Ok(Answer::ok(&to_json(azure, &deleted)).effective())
}

/// What a caller does with role assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Read,
    Write,
    Delete,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "Microsoft.Authorization/roleAssignments/read",
            Self::Write => "Microsoft.Authorization/roleAssignments/write",
            Self::Delete => "Microsoft.Authorization/roleAssignments/delete",
        }
    }
}

/// The subscription, when the caller may do that with its role assignments.
fn open<'a>(
    state: &'a State,
    request: &Request,
    subscription: &str,
    action: Action,
) -> Result<(&'a Customer, &'a AzureSubscription), Answer> {
    let claims = authenticate(state, request, subscription)?;
    let (customer, azure) = find(state, subscription)?;
    check_tenant(request, &claims, customer.about.tenant_id)?;
    if !may(state, &claims, customer, azure, action) {
        return Err(unauthorized(&claims, action.name(), &format!("/subscriptions/{}", azure.id)));
    }
    check_version(request, "roleAssignments", &VERSIONS)?;
    Ok((customer, azure))
}

fn find<'a>(state: &'a State, subscription: &str) -> Result<(&'a Customer, &'a AzureSubscription), Answer> {
    let id = Uuid::try_parse(subscription).map_err(|_| {
        refuse(
            StatusCode::BAD_REQUEST,
            "InvalidSubscriptionId",
            &format!("The provided subscription identifier '{subscription}' is malformed or invalid."),
        )
    })?;
    let customer = state.tenant_of_azure(id).and_then(|tenant| state.customers.get(&tenant));
    customer
        .and_then(|customer| {
            customer.about.azure_subscriptions().find(|azure| azure.id == id).map(|azure| (customer, azure))
        })
        .ok_or_else(|| {
            refuse(
                StatusCode::NOT_FOUND,
                "SubscriptionNotFound",
                &format!("The subscription '{id}' could not be found."),
            )
        })
}

/// Any role lets its holder read; only an Owner changes who has which.
fn may(state: &State, claims: &Claims, customer: &Customer, azure: &AzureSubscription, action: Action) -> bool {
    let mut principals = HashSet::from([claims.oid]);
    principals.extend(directory(state, customer).groups_of(claims.oid).iter().map(|group| group.id));
    // Of the partner's groups, those of its roles appear in customers' subscriptions.
    if let Some(user) = claims.upn.as_deref().and_then(|upn| state.user(upn)) {
        let roles = PartnerRole::ALL.into_iter().filter(|role| has_role(&state.partner, user, *role));
        principals.extend(roles.map(|role| state.partner.role_group(role)));
    }
    azure.role_assignments.iter().any(|assignment| {
        let is_enough = action == Action::Read
            || (assignment.role == RoleDefinition::OWNER && !matches!(assignment.scope, Some(Scope::ResourceGroup(_))));
        is_enough && principals.contains(&assignment.principal_id)
    })
}

fn directory(state: &State, customer: &Customer) -> Directory {
    Directory::of(state, customer.about.tenant_id).unwrap_or_default()
}

fn invalid(code: &str, message: &str) -> Answer {
    refuse(StatusCode::BAD_REQUEST, code, message)
}

/// The role assignment that a body describes.
fn wanted(state: &State, request: &Request, customer: &Customer) -> Result<RoleAssignment, Answer> {
    let missing = |what: &str| {
        invalid(
            "InvalidRequestContent",
            &format!("The request content was invalid: properties.{what} is missing or malformed."),
        )
    };
    let body = request.json().unwrap_or_default();
    let properties = member(&body, "properties").ok_or_else(|| missing("roleDefinitionId"))?;
    let role = text_member(properties, "roleDefinitionId").ok_or_else(|| missing("roleDefinitionId"))?;
    let role = role.rsplit('/').next().and_then(|id| Uuid::try_parse(id).ok());
    let role = role.map(RoleDefinition).ok_or_else(|| {
        invalid("InvalidRoleDefinitionId", "The role definition ID is not valid. It must end in a GUID.")
    })?;
    let principal = text_member(properties, "principalId").and_then(|id| Uuid::try_parse(id).ok());
    let principal = principal.ok_or_else(|| missing("principalId"))?;
    let named: Option<PrincipalType> = member(properties, "principalType")
        .filter(|value| !value.is_null())
        .map(|value| serde_json::from_value(value.clone()).map_err(|_| missing("principalType")))
        .transpose()?;
    let directory = directory(state, customer);
    let replicated = |created| later(created, state.settings.principal_replication_ms) <= request.at;
    let found = match directory.user(&principal.to_string()) {
        Some(user) => user.created_at.is_none_or(replicated).then_some(PrincipalType::User),
        None => directory.group(principal).map(|_| PrincipalType::Group),
    };
    // Service principals and devices are not in the simulated directory, so they are believed.
    let believed = named.filter(|named| matches!(named, PrincipalType::ServicePrincipal | PrincipalType::Device));
    let Some(found) = found.or(believed) else {
        return Err(invalid(
            "PrincipalNotFound",
            &format!(
                "Principal {} does not exist in the directory {}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay.",
                principal.simple(),
                customer.about.tenant_id
            ),
        ));
    };
    if named.is_some_and(|named| named != found) {
        return Err(invalid(
            "UnmatchedPrincipalType",
            &format!(
                "The PrincipalId '{}' has type '{found:?}', which is different from the specified PrincipalType.",
                principal.simple()
            ),
        ));
    }
    let condition = text_member(properties, "condition").map(str::to_owned);
    Ok(RoleAssignment {
        principal_id: principal,
        principal_type: found,
        role,
        scope: None,
        condition,
        name: None,
        visible_at: None,
    })
}

fn position(azure: &AzureSubscription, name: &str) -> Option<usize> {
    let name = Uuid::try_parse(name).ok()?;
    azure.role_assignments.iter().position(|held| assignment_name(&scopes(azure, held).0, held) == name)
}

/// The scope of an assignment, and the prefix under which it names its role definition.
fn scopes(azure: &AzureSubscription, assignment: &RoleAssignment) -> (String, String) {
    let subscription = format!("/subscriptions/{}", azure.id);
    match &assignment.scope {
        None => (subscription.clone(), subscription),
        Some(Scope::ResourceGroup(name)) => (format!("{subscription}/resourceGroups/{name}"), subscription),
        // Inherited assignments name the role definition without a subscription.
        Some(Scope::ManagementGroup(name)) => {
            (format!("/providers/Microsoft.Management/managementGroups/{name}"), String::new())
        }
    }
}

fn to_json(azure: &AzureSubscription, assignment: &RoleAssignment) -> Value {
    let (scope, definitions) = scopes(azure, assignment);
    let role = assignment.role.0;
    let name = assignment_name(&scope, assignment);
    json!({
        "id": format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"),
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("{definitions}/providers/Microsoft.Authorization/roleDefinitions/{role}"),
            "principalId": assignment.principal_id,
            "principalType": assignment.principal_type,
            "scope": scope,
            "condition": assignment.condition,
            "conditionVersion": assignment.condition.as_ref().map(|_| "2.0"),
            "createdOn": "2026-01-10T10:00:00.0000000Z",
            "updatedOn": "2026-01-10T10:00:00.0000000Z",
            "createdBy": assignment.principal_id,
            "updatedBy": assignment.principal_id,
            "delegatedManagedIdentityResourceId": null,
            "description": null,
        },
    })
}

/// The name under which an assignment was created, or one made from its content, so that it is the same in every answer.
fn assignment_name(scope: &str, assignment: &RoleAssignment) -> Uuid {
    if let Some(name) = assignment.name {
        return name;
    }
    let digest = Sha256::new()
        .chain_update(scope)
        .chain_update(assignment.principal_id)
        .chain_update(assignment.role.0)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}
