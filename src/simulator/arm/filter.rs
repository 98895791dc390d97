//! The `$filter` of role assignments:
//! <https://learn.microsoft.com/en-us/azure/role-based-access-control/role-assignments-list-rest>.

use std::collections::HashSet;

use axum::http::StatusCode;
use uuid::Uuid;

use super::refusal::refuse;
use crate::simulator::directory::Directory;
use crate::simulator::exchange::{Answer, Request};
use crate::simulator::world::{RoleAssignment, Scope};

/// Which role assignments a request wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// Leave out what is assigned below the subscription.
    at_scope: bool,
    /// Leave out every other principal.
    principals: Option<HashSet<Uuid>>,
}

impl Filter {
    pub(super) fn of(request: &Request, directory: &Directory) -> Result<Self, Answer> {
        let text = request.query("$filter").unwrap_or_default();
        let mut filter = Self { at_scope: false, principals: None };
        for term in text.split(" and ").map(str::trim).filter(|term| !term.is_empty()) {
            if term.eq_ignore_ascii_case("atScope()") {
                filter.at_scope = true;
            } else if let Some(principal) = quoted(term, "assignedTo(", ")") {
                if directory.group(principal).is_some() {
                    return Err(unsupported(term));
                }
                filter.principals = Some(with_groups(directory, principal));
            } else if let Some(principal) = quoted(term, "principalId eq ", "") {
                filter.principals = Some(HashSet::from([principal]));
            } else {
                return Err(unsupported(term));
            }
        }
        Ok(filter)
    }

    pub(super) fn accepts(&self, assignment: &RoleAssignment) -> bool {
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
fn with_groups(directory: &Directory, principal: Uuid) -> HashSet<Uuid> {
    std::iter::once(principal).chain(directory.groups_of(principal).iter().map(|group| group.id)).collect()
}
