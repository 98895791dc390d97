//! Which operation of Graph a request is.

use axum::http::Method;

use crate::simulator::operation::Operation;

/// What a member of a group can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    User,
    Group,
    ServicePrincipal,
}

/// An operation with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Me,
    MyGroups {
        /// Cast to groups, which leaves out the type of each item.
        is_cast: bool,
    },
    CheckMyGroups,
    User {
        name: String,
    },
    GroupMembers {
        group: String,
        kind: Option<Kind>,
    },
}

impl Route {
    /// The route of a request below `/v1.0`.
    pub(crate) fn of(method: &Method, segments: &[String]) -> Option<Self> {
        let lower: Vec<String> = segments.iter().skip(1).map(|segment| segment.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let id = |index: usize| segments.get(index + 1).cloned().unwrap_or_default();
        match (method, lower.as_slice()) {
            (&Method::GET, ["me"]) => Some(Self::Me),
            (&Method::GET, ["me", "transitivememberof"]) => Some(Self::MyGroups { is_cast: false }),
            (&Method::GET, ["me", "transitivememberof", cast]) if Kind::of_cast(cast) == Some(Kind::Group) => {
                Some(Self::MyGroups { is_cast: true })
            }
            (&Method::POST, ["me", "checkmembergroups" | "microsoft.graph.checkmembergroups"]) => {
                Some(Self::CheckMyGroups)
            }
            (&Method::GET, ["users", _]) => Some(Self::User { name: id(1) }),
            (&Method::GET, ["groups", _, "transitivemembers"]) => Some(Self::GroupMembers { group: id(1), kind: None }),
            (&Method::GET, ["groups", _, "transitivemembers", cast]) => {
                Kind::of_cast(cast).map(|kind| Self::GroupMembers { group: id(1), kind: Some(kind) })
            }
            _ => None,
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Me => Operation::GetMe,
            Self::MyGroups { .. } => Operation::ListMyGroups,
            Self::CheckMyGroups => Operation::CheckMyGroups,
            Self::User { .. } => Operation::GetUser,
            Self::GroupMembers { .. } => Operation::ListGroupMembers,
        }
    }
}
