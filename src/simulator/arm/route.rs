//! Which operation of Azure Resource Manager a request is.

use axum::http::Method;
use uuid::Uuid;

use crate::simulator::routes::Operation;

/// An operation with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    ListRoleAssignments { subscription: String },
    GetRoleAssignment { subscription: String, name: String },
    CreateRoleAssignment { subscription: String, name: String },
    DeleteRoleAssignment { subscription: String, name: String },
}

impl Route {
    pub(crate) fn of(method: &Method, segments: &[String]) -> Option<Self> {
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let id = |index: usize| segments.get(index).cloned().unwrap_or_default();
        match (method, lower.as_slice()) {
            (_, ["subscriptions", _, "providers", "microsoft.authorization", "roleassignments", rest @ ..]) => {
                let (subscription, name) = (id(1), id(5));
                match (method, rest) {
                    (&Method::GET, []) => Some(Self::ListRoleAssignments { subscription }),
                    (&Method::GET, [_]) => Some(Self::GetRoleAssignment { subscription, name }),
                    (&Method::PUT, [_]) => Some(Self::CreateRoleAssignment { subscription, name }),
                    (&Method::DELETE, [_]) => Some(Self::DeleteRoleAssignment { subscription, name }),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::ListRoleAssignments { .. } => Operation::ListRoleAssignments,
            Self::GetRoleAssignment { .. } => Operation::GetRoleAssignment,
            Self::CreateRoleAssignment { .. } => Operation::CreateRoleAssignment,
            Self::DeleteRoleAssignment { .. } => Operation::DeleteRoleAssignment,
        }
    }

    /// The subscription that the path names.
    pub(crate) fn subscription(&self) -> Option<Uuid> {
        match self {
            Self::ListRoleAssignments { subscription }
            | Self::GetRoleAssignment { subscription, .. }
            | Self::CreateRoleAssignment { subscription, .. }
            | Self::DeleteRoleAssignment { subscription, .. } => Uuid::try_parse(subscription).ok(),
        }
    }
}
