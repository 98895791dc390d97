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

use super::exchange::{Answer, Outcome, Request};
use super::state::State;

pub(crate) use call::{ControlCall, Verb};

/// The first segment of every path of this API.
pub(crate) const PREFIX: &str = "simulator";

/// Answers a call of the control API.
pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    dispatch(state, request).unwrap_or_else(|refusal| refusal)
}

fn dispatch(state: &mut State, request: &Request) -> Outcome {
    let path: Vec<String> = request.segments().iter().skip(1).map(|segment| segment.to_lowercase()).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (request.method.clone(), path.as_slice()) {
        (Method::GET, ["state"]) => Ok(views::all_customers(state)),
        (Method::GET, ["state", tenant]) => views::one_customer(state, guid(tenant)?),
        (Method::GET, ["requests"]) => views::requests(state, request),
        (Method::GET, ["requests", "counts"]) => Ok(views::counts(state)),
        (Method::DELETE, ["requests"]) => {
            state.log.clear();
            Ok(done())
        }
        (Method::GET, ["settings"]) => Ok(views::settings(state)),
        (Method::PATCH, ["settings"]) => changes::settings(state, request),
        (Method::GET, ["clock"]) => Ok(views::clock(state)),
        (Method::PUT, ["clock"]) => changes::clock(state, request),
        (Method::GET, ["faults"]) => Ok(views::faults(state)),
        (Method::POST, ["faults"]) => {
            state.faults.add(body(request)?).map_err(|text| refuse(&text))?;
            Ok(done())
        }
        (Method::DELETE, ["faults"]) => {
            state.faults.clear();
            Ok(done())
        }
        (Method::POST, ["portal", "permission"]) => changes::portal_permission(state, request),
        (Method::POST, ["customers"]) => changes::add_customer(state, request),
        (Method::DELETE, ["customers", tenant]) => changes::remove_customer(state, guid(tenant)?),
        (Method::POST, ["customers", tenant, "subscriptions"]) => {
            changes::add_subscription(state, request, guid(tenant)?)
        }
        (Method::PUT, ["customers", tenant, "policy"]) => changes::policy(state, request, guid(tenant)?),
        (Method::PUT, ["customers", tenant, "relationship"]) => changes::relationship(state, request, guid(tenant)?),
        (Method::PATCH, ["customers", tenant, "access"]) => directory::access(state, request, guid(tenant)?),
        (Method::POST, ["customers", tenant, "users"]) => directory::add_user(state, request, guid(tenant)?),
        (Method::PUT, ["customers", tenant, "groups", group]) => {
            directory::group(state, request, guid(tenant)?, guid(group)?)
        }
        (Method::POST, ["customers", tenant, "purchases"]) => purchases::buy(state, request, guid(tenant)?),
        (Method::PUT, ["customers", tenant, "charges"]) => purchases::charges(state, request, guid(tenant)?),
        (Method::PATCH, ["purchases", id]) => purchases::change(state, request, guid(id)?),
        (Method::POST, ["purchases", id, "renew"]) => purchases::renew(state, request, guid(id)?),
        (Method::PATCH, ["partner"]) => directory::partner(state, request),
        (Method::POST, ["owners"]) => changes::owner(state, request),
        (Method::POST, ["subscriptions", "status"]) => changes::subscription_status(state, request),
        (Method::POST, ["audit"]) => changes::audit_record(state, request),
        (Method::GET, ["refresh-tokens"]) => Ok(views::refresh_tokens(state)),
        (Method::POST, ["refresh-tokens"]) => changes::sign_in(state, request),
        (Method::POST, ["partner", "user"]) => changes::partner_user(state, request),
        (Method::POST, ["partner", "user", "sign-out"]) => changes::sign_out(state, request),
        (Method::GET, ["device-codes"]) => Ok(views::device_codes(state)),
        (Method::POST, ["device-codes", code, "approve"]) => changes::approve_device_code(state, request, code),
        (Method::POST, ["device-codes", code, "decline"]) => changes::decline_device_code(state, request, code),
        _ => Err(Answer::json(
            StatusCode::NOT_FOUND,
            &json!({ "error": format!("{} {} is not a call of the control API", request.method, request.path) }),
        )),
    }
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
