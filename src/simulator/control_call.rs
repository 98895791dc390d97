//! A call of the control API that is made later, by a fault or by a scenario. It says what, and knows nothing of how.

use axum::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

    pub(crate) fn body(&self) -> &Value {
        &self.body
    }
}
