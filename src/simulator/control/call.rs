//! Calls of the control API that are not made by a request.

use axum::http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use super::PREFIX;
use crate::simulator::control_call::ControlCall;
use crate::simulator::exchange::{Answer, Request};
use crate::simulator::state::State;

/// Whether there is such a call; a sentence when there is none. What its body says counts only when it is made.
pub(super) fn check(call: &ControlCall) -> Result<(), String> {
    let found = super::find(&call.method(), &whole_path(call));
    found.map(drop).map_err(|Answer { body, .. }| refusal(body.unwrap_or_default()))
}

/// Makes the call and gives its answer, null when that is empty; a sentence when it is refused.
pub(crate) fn make(call: &ControlCall, state: &mut State, at: Timestamp) -> Result<Value, String> {
    let request = Request {
        at,
        random: state.random.clone(),
        scheme: "http",
        method: call.method(),
        path: whole_path(call),
        query: Vec::new(),
        headers: HeaderMap::new(),
        body: call.body().to_string().into_bytes(),
    };
    let Answer { status, body, .. } = super::answer(state, &request);
    let body = body.unwrap_or_default();
    if status.is_success() { Ok(serde_json::from_str(&body).unwrap_or_default()) } else { Err(refusal(body)) }
}

fn whole_path(call: &ControlCall) -> String {
    format!("/{PREFIX}/{}", call.path())
}

/// The sentence in the body of a refusal.
fn refusal(body: String) -> String {
    let parsed: Option<Value> = serde_json::from_str(&body).ok();
    parsed.and_then(|parsed| parsed["error"].as_str().map(str::to_owned)).unwrap_or(body)
}
