//! A call of the control API that is made later: by a fault, or by a scenario.

use axum::http::{HeaderMap, Method};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PREFIX;
use crate::simulator::exchange::{Answer, Request};
use crate::simulator::state::State;

/// What is called, and with what.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlCall {
    method: Verb,
    /// Below `/simulator/`.
    path: String,
    #[serde(default)]
    body: Value,
}

/// The methods that change something.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Verb {
    Post,
    Put,
    Patch,
    Delete,
}

impl ControlCall {
    pub(crate) fn new(method: Verb, path: String, body: Value) -> Self {
        Self { method, path, body }
    }

    pub(crate) fn method(&self) -> Method {
        match self.method {
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.trim_start_matches('/')
    }

    /// Whether there is such a call; a sentence when there is none. What its body says counts only when it is made.
    pub(crate) fn check(&self) -> Result<(), String> {
        let found = super::find(&self.method(), &self.whole_path());
        found.map(drop).map_err(|Answer { body, .. }| refusal(body.unwrap_or_default()))
    }

    fn whole_path(&self) -> String {
        format!("/{PREFIX}/{}", self.path())
    }

    /// Makes the call; a sentence when it is refused.
    pub(crate) fn make(&self, state: &mut State, at: Timestamp) -> Result<(), String> {
        let request = Request {
            at,
            random: state.random.clone(),
            scheme: "http",
            method: self.method(),
            path: self.whole_path(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: self.body.to_string().into_bytes(),
        };
        let Answer { status, body, .. } = super::answer(state, &request);
        if status.is_success() { Ok(()) } else { Err(refusal(body.unwrap_or_default())) }
    }
}

/// The sentence in the body of a refusal.
fn refusal(body: String) -> String {
    let parsed: Option<Value> = serde_json::from_str(&body).ok();
    parsed.and_then(|parsed| parsed["error"].as_str().map(str::to_owned)).unwrap_or(body)
}
