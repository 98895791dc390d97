//! Which operation of Azure Resource Manager a request is.

use axum::http::Method;
use uuid::Uuid;

use crate::simulator::operation::Operation;

/// An operation with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    ListRoleAssignments { subscription: String },
    GetRoleAssignment { subscription: String, name: String },
    CreateRoleAssignment { subscription: String, name: String },
    DeleteRoleAssignment { subscription: String, name: String },
    ListReservations,
    ListReservationRoleAssignments { order: String },
    ListSavingsPlans,
    ListBillingAccounts,
    GetBillingPolicy { account: String, customer: String },
    UpdateBillingPolicy { account: String, customer: String },
    GetBillingOutcome { account: String, customer: String, id: String },
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
            (&Method::GET, ["providers", "microsoft.capacity", "reservations"]) => Some(Self::ListReservations),
            (
                &Method::GET,
                [
                    "providers",
                    "microsoft.capacity",
                    "reservationorders",
                    _,
                    "providers",
                    "microsoft.authorization",
                    "roleassignments",
                ],
            ) => Some(Self::ListReservationRoleAssignments { order: id(3) }),
            (&Method::GET, ["providers", "microsoft.billingbenefits", "savingsplans"]) => Some(Self::ListSavingsPlans),
            (&Method::GET, ["providers", "microsoft.billing", "billingaccounts"]) => Some(Self::ListBillingAccounts),
            (
                _,
                [
                    "providers",
                    "microsoft.billing",
                    "billingaccounts",
                    _,
                    "customers",
                    _,
                    "policies",
                    "default",
                    rest @ ..,
                ],
            ) => {
                let (account, customer) = (id(3), id(5));
                match (method, rest) {
                    (&Method::GET, []) => Some(Self::GetBillingPolicy { account, customer }),
                    (&Method::PUT, []) => Some(Self::UpdateBillingPolicy { account, customer }),
                    (&Method::GET, ["operationresults", _]) => {
                        Some(Self::GetBillingOutcome { account, customer, id: id(9) })
                    }
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
            Self::ListReservations => Operation::ListReservations,
            Self::ListReservationRoleAssignments { .. } => Operation::ListReservationRoleAssignments,
            Self::ListSavingsPlans => Operation::ListSavingsPlans,
            Self::ListBillingAccounts => Operation::ListBillingAccounts,
            Self::GetBillingPolicy { .. } => Operation::GetBillingPolicy,
            Self::UpdateBillingPolicy { .. } => Operation::UpdateBillingPolicy,
            Self::GetBillingOutcome { .. } => Operation::GetBillingOutcome,
        }
    }

    /// The subscription that the path names.
    pub(crate) fn subscription(&self) -> Option<Uuid> {
        match self {
            Self::ListRoleAssignments { subscription }
            | Self::GetRoleAssignment { subscription, .. }
            | Self::CreateRoleAssignment { subscription, .. }
            | Self::DeleteRoleAssignment { subscription, .. } => Uuid::try_parse(subscription).ok(),
            _ => None,
        }
    }

    /// The customer that the path names.
    pub(crate) fn customer(&self) -> Option<Uuid> {
        match self {
            Self::GetBillingPolicy { customer, .. }
            | Self::UpdateBillingPolicy { customer, .. }
            | Self::GetBillingOutcome { customer, .. } => Uuid::try_parse(customer).ok(),
            _ => None,
        }
    }
}
