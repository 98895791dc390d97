//! The shape of a refusal.

use axum::http::StatusCode;
use serde_json::json;

use crate::simulator::exchange::Answer;

/// A refusal in Azure's shape.
pub(crate) fn refuse(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": { "code": code, "message": message } }))
}
