//! The shape of a refusal.

use axum::http::StatusCode;
use serde_json::json;

use crate::simulator::exchange::{Answer, Request};

/// A refusal in Graph's shape.
pub(crate) fn refuse(request: &Request, status: StatusCode, code: &str, message: &str) -> Answer {
    let id = request.random.uuid();
    let client = request.header("client-request-id").map_or_else(|| id.to_string(), str::to_owned);
    let date = request.at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let inner = json!({ "date": date, "request-id": id, "client-request-id": client });
    Answer::json(status, &json!({ "error": { "code": code, "message": message, "innerError": inner } }))
}
