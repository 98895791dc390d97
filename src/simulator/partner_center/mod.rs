//! Partner Center's REST API, as far as self-serve policies, their prerequisites and what is bought under them need it.
//!
//! Only the router comes in here, through [`answer`]. Each file serves one resource; what they share is who the caller is
//! (`caller`), how a refusal looks (`refusal`), how a collection is paged (`collection`) and how a repeated write is
//! recognised (`replay`). Never found here: connections, faults and delays, which happen around an answer, not in it.

mod audit_records;
mod caller;
mod collection;
pub(crate) mod commerce;
mod customers;
mod partners;
mod policies;
mod profiles;
pub(crate) mod refusal;
pub(crate) mod replay;
mod roles;
mod subscriptions;

use axum::http::StatusCode;

pub(crate) use refusal::{fault, throttled};

use caller::Needs;

use super::exchange::{Answer, Outcome, Request};
use super::routes::Route;
use super::state::State;

/// Answers a request to Partner Center.
pub(crate) fn answer(state: &mut State, request: &Request, route: &Route) -> Answer {
    dispatch(state, request, route).unwrap_or_else(|refusal| refusal)
}

fn dispatch(state: &mut State, request: &Request, route: &Route) -> Outcome {
    match route {
        Route::ListCustomers => customers::list(state, request),
        Route::GetCustomer { customer } => customers::get(state, request, customer),
        Route::ListSubscriptions { customer } => subscriptions::list(state, request, customer),
        Route::GetSubscription { customer, subscription } => subscriptions::get(state, request, customer, subscription),
        Route::ListAzureEntitlements { customer, plan } => {
            subscriptions::list_azure_entitlements(state, request, customer, plan)
        }
        Route::GetAzureEntitlement { customer, plan, entitlement } => {
            subscriptions::get_azure_entitlement(state, request, customer, plan, entitlement)
        }
        Route::ListSelfServePolicies => policies::list(state, request),
        Route::GetSelfServePolicy { id } => policies::get(state, request, id),
        Route::CreateSelfServePolicy => replay::once(state, request, Needs::AdminAgent, policies::create),
        Route::UpdateSelfServePolicy { id } => replay::once(state, request, Needs::AdminAgent, |state, request| {
            policies::update(state, request, id.as_deref())
        }),
        Route::DeleteSelfServePolicy { id } => {
            replay::once(state, request, Needs::AdminAgent, |state, request| policies::delete(state, request, id))
        }
        Route::ListAuditRecords => audit_records::list(state, request),
        Route::GetAuditRecord { id } => audit_records::get(state, request, id),
        Route::ListRelationships => partners::list_relationships(state, request),
        Route::ListCustomerRelationships { customer } => partners::of_customer(state, request, customer),
        Route::GetProfile { name } => profiles::get(state, request, name),
        Route::ListRoles => roles::list(state, request),
        Route::ListRoleMembers { role } => roles::members(state, request, role),
        Route::GetMfaAdoption => roles::mfa_adoption(state, request),
        Route::Commerce { customer, route } => commerce::answer(state, request, customer, route),
        Route::MethodNotAllowed(_) => {
            Err(Answer::empty(StatusCode::METHOD_NOT_ALLOWED).with_header("allow", Route::methods_of(request)))
        }
        Route::Token { .. }
        | Route::OpenidConfiguration { .. }
        | Route::InstanceDiscovery
        | Route::SigningKeys { .. }
        | Route::Authorize { .. }
        | Route::DeviceCode { .. }
        | Route::DevicePage
        | Route::Azure(_)
        | Route::Graph(_)
        | Route::Unknown(_) => Err(fault(StatusCode::NOT_FOUND, "1000", "Not found")),
    }
}

/// Adds the headers that every answer of Partner Center carries.
pub(crate) fn with_response_headers(answer: Answer, request: &Request) -> Answer {
    let echo = |name: &str| request.header(name).map_or_else(|| request.random.uuid().to_string(), str::to_owned);
    let vector = request.random.word(1);
    let answer = caller::with_mfa_report(answer, request);
    answer
        .with_header("MS-RequestId", echo("MS-RequestId"))
        .with_header("MS-CorrelationId", echo("MS-CorrelationId"))
        .with_header("MS-CV", format!("{}.0", &vector[..22]))
        .with_header("MS-ServerId", "csp-simulator")
}
