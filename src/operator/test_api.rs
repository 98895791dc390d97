//! For tests: an API server in this process that knows one object, whatever its kind.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use kube::Client;
use serde_json::{Value, json};

/// An API server that keeps one object, answers with `fault` instead while there is one, and tells what it
/// was asked.
#[derive(Debug, Clone, Default)]
pub(super) struct ApiServer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    object: Option<Value>,
    version: u64,
    fault: Option<StatusCode>,
    requests: Vec<Method>,
}

impl ApiServer {
    pub(super) fn client(&self) -> Client {
        let server = self.clone();
        let answer = move |method: Method, body: Bytes| async move { server.answer(method, &body) };
        Client::new(Router::new().fallback(answer), "csp")
    }

    fn answer(&self, method: Method, body: &[u8]) -> Response {
        let mut state = self.0.lock().unwrap();
        state.requests.push(method.clone());
        if let Some(code) = state.fault {
            return failure(code);
        }
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        let found = state.object.clone();
        let next = match (method, found) {
            (Method::GET | Method::PATCH | Method::PUT, None) => return failure(StatusCode::NOT_FOUND),
            (Method::GET, Some(found)) => return axum::Json(found).into_response(),
            (Method::POST, None) => sent,
            (Method::PATCH | Method::PUT, Some(found))
                if sent["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"] =>
            {
                sent
            }
            _ => return failure(StatusCode::CONFLICT),
        };
        state.store(next)
    }

    pub(super) fn fail_with(&self, fault: Option<StatusCode>) {
        self.0.lock().unwrap().fault = fault;
    }

    /// The object as it is now.
    pub(super) fn object(&self) -> Option<Value> {
        self.0.lock().unwrap().object.clone()
    }

    /// Somebody else writes the object, or deletes it.
    pub(super) fn set_object(&self, object: Option<Value>) {
        let mut state = self.0.lock().unwrap();
        match object {
            Some(object) => drop(state.store(object)),
            None => state.object = None,
        }
    }

    /// What was asked since the last time this was.
    pub(super) fn requests(&self) -> Vec<Method> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }
}

impl State {
    fn store(&mut self, mut object: Value) -> Response {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.object = Some(object.clone());
        axum::Json(object).into_response()
    }
}

fn failure(code: StatusCode) -> Response {
    let reason = match code {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::FORBIDDEN => "Forbidden",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "status": "Failure", "code": code.as_u16(), "reason": reason, "message": "no",
    });
    (code, axum::Json(body)).into_response()
}
