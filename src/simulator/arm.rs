//! Azure Resource Manager: the role assignments of a subscription.
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/role-assignments-list-rest>

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::exchange::{Answer, Outcome, Request};
use super::routes::Route;
use super::state::{Customer, State};
use super::tokens::{self, Audience, Claims};
use super::world::{AzureSubscription, PartnerRole, RoleAssignment, Scope};

/// Answers a request to Azure Resource Manager.
pub(crate) fn answer(state: &State, request: &Request, route: &Route) -> Answer {
    let outcome = match route {
        Route::ListRoleAssignments { subscription } => list_role_assignments(state, request, subscription),
        _ => Err(refuse(StatusCode::NOT_FOUND, "InvalidResourceType", "The resource type could not be found.")),
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

/// A refusal in Azure's shape.
pub(crate) fn refuse(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": { "code": code, "message": message } }))
}

fn list_role_assignments(state: &State, request: &Request, subscription: &str) -> Outcome {
    let claims = authenticate(state, request)?;
    let (customer, azure) = find(state, subscription)?;
    authorize(state, request, &claims, customer, azure)?;
    if request.query("api-version").is_none() {
        return Err(refuse(
            StatusCode::BAD_REQUEST,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    }
    let filter = Filter::of(request, customer)?;
    let found: Vec<Value> = azure
        .role_assignments
        .iter()
        .filter(|assignment| filter.accepts(assignment))
        .map(|assignment| to_json(azure, assignment))
        .collect();
    page(state, request, &found)
}

fn authenticate(state: &State, request: &Request) -> Result<Claims, Answer> {
    let unauthorized = |code: &str, message: &str| {
        let tenant = state.partner.tenant_id;
        refuse(StatusCode::UNAUTHORIZED, code, message).with_header(
            "WWW-Authenticate",
            format!(
                r#"Bearer authorization_uri="{}/{tenant}", error="invalid_token", error_description="{message}""#,
                request.base_url()
            ),
        )
    };
    let Some(token) = request.bearer() else {
        return Err(unauthorized(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ));
    };
    let Some(claims) = tokens::decode(token) else {
        return Err(unauthorized("InvalidAuthenticationToken", "The access token is invalid."));
    };
    if !claims.is_current(request.at) {
        return Err(unauthorized("ExpiredAuthenticationToken", "The access token expiry is in the past."));
    }
    if Audience::of(&claims.aud) != Some(Audience::ResourceManager) {
        return Err(unauthorized(
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for the wrong audience or resource.",
        ));
    }
    Ok(claims)
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

/// The token must be of the subscription's tenant, and its user must get in through the partner's group.
fn authorize(
    state: &State,
    request: &Request,
    claims: &Claims,
    customer: &Customer,
    azure: &AzureSubscription,
) -> Result<(), Answer> {
    let tenant = customer.about.tenant_id;
    if claims.tid != tenant {
        return Err(refuse(
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationTokenTenant",
            &format!(
                "The access token is from the wrong issuer '{}'. It must match the tenant '{tenant}' associated with this subscription.",
                claims.iss
            ),
        )
        .with_header(
            "WWW-Authenticate",
            format!(r#"Bearer authorization_uri="{}/{tenant}", error="invalid_token""#, request.base_url()),
        ));
    }
    let user = claims.upn.as_deref().and_then(|upn| state.user(upn));
    let is_admin_agent = user.is_some_and(|user| user.roles.contains(&PartnerRole::Admin));
    let mut principals = HashSet::from([claims.oid]);
    if is_admin_agent {
        principals.insert(state.partner.admin_agents_group_id);
    }
    if azure.role_assignments.iter().any(|assignment| principals.contains(&assignment.principal_id)) {
        return Ok(());
    }
    Err(refuse(
        StatusCode::FORBIDDEN,
        "AuthorizationFailed",
        &format!(
            "The client '{}' with object id '{}' does not have authorization to perform action 'Microsoft.Authorization/roleAssignments/read' over scope '/subscriptions/{}'.",
            claims.upn.as_deref().unwrap_or_default(),
            claims.oid,
            azure.id
        ),
    ))
}

/// Which role assignments a request wants.
#[derive(Debug, PartialEq, Eq)]
struct Filter {
    /// Leave out what is assigned below the subscription.
    at_scope: bool,
    /// Leave out every other principal.
    principals: Option<HashSet<Uuid>>,
}

impl Filter {
    fn of(request: &Request, customer: &Customer) -> Result<Self, Answer> {
        let text = request.query("$filter").unwrap_or_default();
        let mut filter = Self { at_scope: false, principals: None };
        for term in text.split(" and ").map(str::trim).filter(|term| !term.is_empty()) {
            if term.eq_ignore_ascii_case("atScope()") {
                filter.at_scope = true;
            } else if let Some(principal) = quoted(term, "assignedTo(", ")") {
                if customer.about.groups.iter().any(|group| group.id == principal) {
                    return Err(unsupported(term));
                }
                filter.principals = Some(with_groups(customer, principal));
            } else if let Some(principal) = quoted(term, "principalId eq ", "") {
                filter.principals = Some(HashSet::from([principal]));
            } else {
                return Err(unsupported(term));
            }
        }
        Ok(filter)
    }

    fn accepts(&self, assignment: &RoleAssignment) -> bool {
        let is_below = matches!(assignment.scope, Some(Scope::ResourceGroup(_)));
        !(self.at_scope && is_below)
            && self.principals.as_ref().is_none_or(|principals| principals.contains(&assignment.principal_id))
    }
}

fn unsupported(term: &str) -> Answer {
    refuse(StatusCode::BAD_REQUEST, "UnsupportedQuery", &format!("The filter '{term}' is not supported."))
}

/// The GUID in single quotes between a prefix and a suffix.
fn quoted(term: &str, prefix: &str, suffix: &str) -> Option<Uuid> {
    let head = term.get(..prefix.len())?;
    let inner = term.get(prefix.len()..)?.strip_suffix(suffix)?;
    let id = inner.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    head.eq_ignore_ascii_case(prefix).then(|| Uuid::try_parse(id).ok()).flatten()
}

/// A principal with every group it is in, directly or through other groups.
fn with_groups(customer: &Customer, principal: Uuid) -> HashSet<Uuid> {
    let mut found = HashSet::from([principal]);
    let mut to_visit = vec![principal];
    while let Some(member) = to_visit.pop() {
        for group in &customer.about.groups {
            if group.members.contains(&member) && found.insert(group.id) {
                to_visit.push(group.id);
            }
        }
    }
    found
}

/// One page, with an absolute link to the next.
fn page(state: &State, request: &Request, found: &[Value]) -> Outcome {
    let size = state.settings.role_assignment_page_size.get();
    let start = match request.query("$skiptoken").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(start)) => start.min(found.len()),
        Some(Err(_)) => {
            return Err(refuse(StatusCode::BAD_REQUEST, "InvalidSkipToken", "The $skiptoken is not valid."));
        }
    };
    let end = found.len().min(start + size);
    let mut body = json!({ "value": found[start..end] });
    if end < found.len() {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in request.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken")) {
            query.append_pair(name, value);
        }
        query.append_pair("$skiptoken", &end.to_string());
        body["nextLink"] = json!(format!("{}{}?{}", request.base_url(), request.path, query.finish()));
    }
    Ok(Answer::ok(&body))
}

fn to_json(azure: &AzureSubscription, assignment: &RoleAssignment) -> Value {
    let subscription = format!("/subscriptions/{}", azure.id);
    let (scope, definitions) = match &assignment.scope {
        None => (subscription.clone(), subscription),
        Some(Scope::ResourceGroup(name)) => (format!("{subscription}/resourceGroups/{name}"), subscription),
        // Inherited assignments name the role definition without a subscription.
        Some(Scope::ManagementGroup(name)) => {
            (format!("/providers/Microsoft.Management/managementGroups/{name}"), String::new())
        }
    };
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

/// The name of an assignment: made from its content, so it is the same in every answer.
fn assignment_name(scope: &str, assignment: &RoleAssignment) -> Uuid {
    let digest = Sha256::new()
        .chain_update(scope)
        .chain_update(assignment.principal_id)
        .chain_update(assignment.role.0)
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}
