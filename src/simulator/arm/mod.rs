//! Azure Resource Manager: roles on subscriptions, reservations and savings plans, and what customers see of their costs.
//!
//! Only the router comes in here, through [`answer`]. Each file serves one resource type; what they share is the token,
//! the api-version, the shape of a refusal and of a page.

mod billing;
mod caller;
mod filter;
mod purchases;
pub(crate) mod refusal;
mod role_assignments;
pub(crate) mod route;

use axum::http::StatusCode;

use self::refusal::refuse;
use self::route::Route;
use super::exchange::{Answer, Outcome, Request};
use super::routes;
use super::state::State;

/// Answers a request to Azure Resource Manager.
pub(crate) fn answer(state: &mut State, request: &Request, route: &routes::Route) -> Answer {
    let outcome = match route {
        routes::Route::Azure(route) => dispatch(state, request, route),
        _ => Err(refuse(StatusCode::NOT_FOUND, "InvalidResourceType", "The resource type could not be found.")),
    };
    outcome.unwrap_or_else(|refusal| refusal)
}

fn dispatch(state: &mut State, request: &Request, route: &Route) -> Outcome {
    match route {
        Route::ListRoleAssignments { subscription } => role_assignments::list(state, request, subscription),
        Route::GetRoleAssignment { subscription, name } => role_assignments::get(state, request, subscription, name),
        Route::CreateRoleAssignment { subscription, name } => {
            role_assignments::create(state, request, subscription, name)
        }
        Route::DeleteRoleAssignment { subscription, name } => {
            role_assignments::delete(state, request, subscription, name)
        }
        Route::ListReservations => purchases::reservations(state, request),
        Route::ListReservationRoleAssignments { order } => purchases::order_role_assignments(state, request, order),
        Route::ListSavingsPlans => purchases::savings_plans(state, request),
        Route::ListBillingAccounts => billing::accounts(state, request),
        Route::GetBillingPolicy { account, customer } => billing::get_policy(state, request, account, customer),
        Route::UpdateBillingPolicy { account, customer } => billing::put_policy(state, request, account, customer),
        Route::GetBillingOutcome { account, customer, id } => billing::operation(state, request, account, customer, id),
    }
}
