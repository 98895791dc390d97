//! The control API under `/simulator/`: what a test or a demo does that no client of Microsoft's APIs can.
//!
//! Only the router comes in here, through [`answer`]. `changes` holds what alters the world, `views` what looks at it.
//! Neither latency nor faults apply here, and the request log does not list these calls.

mod call;
mod changes;
mod directory;
mod purchases;
mod views;

use axum::http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::json;
use uuid::Uuid;

use super::exchange::{Answer, Outcome, Request, segments};
use super::faults::Fault;
use super::state::State;

pub(crate) use call::make;

/// The first segment of every path of this API.
pub(crate) const PREFIX: &str = "simulator";

/// Answers a call of the control API.
pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    dispatch(state, request).unwrap_or_else(|refusal| refusal)
}

fn dispatch(state: &mut State, request: &Request) -> Outcome {
    find(&request.method, &request.path)?(state, request)
}

/// What carries a call out.
type Call = Box<dyn FnOnce(&mut State, &Request) -> Outcome>;

/// The call at that path, which is looked for without being made.
fn find(method: &Method, path: &str) -> Result<Call, Answer> {
    let segments: Vec<String> = segments(path).iter().skip(1).map(|segment| segment.to_lowercase()).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    Ok(match (method.clone(), segments.as_slice()) {
        (Method::GET, ["state"]) => call(|state, _| Ok(views::all_customers(state))),
        (Method::GET, ["state", tenant]) => about(tenant, |state, _, tenant| views::one_customer(state, tenant))?,
        (Method::GET, ["requests"]) => call(|state, request| views::requests(state, request)),
        (Method::GET, ["requests", "counts"]) => call(|state, _| Ok(views::counts(state))),
        (Method::DELETE, ["requests"]) => call(|state, _| {
            state.log.clear();
            Ok(done())
        }),
        (Method::GET, ["settings"]) => call(|state, _| Ok(views::settings(state))),
        (Method::PATCH, ["settings"]) => call(changes::settings),
        (Method::GET, ["clock"]) => call(|state, _| Ok(views::clock(state))),
        (Method::PUT, ["clock"]) => call(changes::clock),
        (Method::GET, ["faults"]) => call(|state, _| Ok(views::faults(state))),
        (Method::POST, ["faults"]) => call(|state, request| {
            let fault: Fault = body(request)?;
            let checked = fault.calls().iter().try_for_each(call::check).map_err(|said| format!("calls: {said}"));
            checked.and_then(|()| state.faults.add(fault)).map_err(|text| refuse(&text))?;
            Ok(done())
        }),
        (Method::DELETE, ["faults"]) => call(|state, _| {
            state.faults.clear();
            Ok(done())
        }),
        (Method::POST, ["portal", "permission"]) => call(changes::portal_permission),
        (Method::POST, ["customers"]) => call(changes::add_customer),
        (Method::DELETE, ["customers", tenant]) => {
            about(tenant, |state, _, tenant| changes::remove_customer(state, tenant))?
        }
        (Method::POST, ["customers", tenant, "subscriptions"]) => about(tenant, changes::add_subscription)?,
        (Method::PUT, ["customers", tenant, "policy"]) => about(tenant, changes::policy)?,
        (Method::PUT, ["customers", tenant, "relationship"]) => about(tenant, changes::relationship)?,
        (Method::PATCH, ["customers", tenant, "access"]) => about(tenant, directory::access)?,
        (Method::POST, ["customers", tenant, "users"]) => about(tenant, directory::add_user)?,
        (Method::PUT, ["customers", tenant, "groups", group]) => {
            let group = guid(group)?;
            about(tenant, move |state, request, tenant| directory::group(state, request, tenant, group))?
        }
        (Method::POST, ["customers", tenant, "purchases"]) => about(tenant, purchases::buy)?,
        (Method::PUT, ["customers", tenant, "charges"]) => about(tenant, purchases::charges)?,
        (Method::PUT, ["customers", tenant, "agreement"]) => about(tenant, purchases::agreement)?,
        (Method::PATCH, ["purchases", id]) => about(id, purchases::change)?,
        (Method::POST, ["purchases", id, "renew"]) => about(id, purchases::renew)?,
        (Method::PATCH, ["partner"]) => call(directory::partner),
        (Method::POST, ["owners"]) => call(changes::owner),
        (Method::POST, ["subscriptions", "status"]) => call(changes::subscription_status),
        (Method::POST, ["audit"]) => call(changes::audit_record),
        (Method::GET, ["refresh-tokens"]) => call(|state, _| Ok(views::refresh_tokens(state))),
        (Method::POST, ["refresh-tokens"]) => call(changes::sign_in),
        (Method::POST, ["partner", "user"]) => call(changes::partner_user),
        (Method::POST, ["partner", "user", "sign-out"]) => call(changes::sign_out),
        (Method::GET, ["device-codes"]) => call(|state, _| Ok(views::device_codes(state))),
        (Method::POST, ["device-codes", code, "approve"]) => {
            let code = (*code).to_owned();
            call(move |state, request| changes::approve_device_code(state, request, &code))
        }
        (Method::POST, ["device-codes", code, "decline"]) => {
            let code = (*code).to_owned();
            call(move |state, request| changes::decline_device_code(state, request, &code))
        }
        _ => {
            let said = format!("{method} {path} is not a call of the control API");
            return Err(Answer::json(StatusCode::NOT_FOUND, &json!({ "error": said })));
        }
    })
}

fn call(act: impl FnOnce(&mut State, &Request) -> Outcome + 'static) -> Call {
    Box::new(act)
}

/// A call about one thing, whose id stands in the path.
fn about(id: &str, act: impl FnOnce(&mut State, &Request, Uuid) -> Outcome + 'static) -> Result<Call, Answer> {
    let id = guid(id)?;
    Ok(call(move |state, request| act(state, request, id)))
}

fn done() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
}

pub(crate) fn refuse(text: &str) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &json!({ "error": text }))
}

fn unknown(what: &str, id: Uuid) -> Answer {
    Answer::json(StatusCode::NOT_FOUND, &json!({ "error": format!("there is no {what} {id}") }))
}

fn guid(text: &str) -> Result<Uuid, Answer> {
    Uuid::try_parse(text).map_err(|_| refuse(&format!("`{text}` is not a GUID")))
}

/// The body as the call needs it; what is wrong with it otherwise.
fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Answer> {
    serde_json::from_slice(&request.body).map_err(|error| refuse(&format!("the body is not understood: {error}")))
}
