//! The shapes in which Partner Center refuses. Codes are those of
//! <https://learn.microsoft.com/en-us/partner-center/developer/error-codes> and of the self-serve policy pages.

use axum::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::simulator::exchange::Answer;

/// The usual shape. `data` is an array even when empty: without it Microsoft's .NET SDK loses the fault.
pub(crate) fn fault(status: StatusCode, code: &str, description: &str) -> Answer {
    Answer::json(status, &json!({ "code": code, "description": description, "data": [], "source": "PartnerFD" }))
}

/// The shape of throttling, which has neither `code` nor `description`.
pub(crate) fn throttled(status: StatusCode, message: &str) -> Answer {
    Answer::json(status, &json!({ "statusCode": status.as_u16(), "message": message }))
}

/// The shape of requests that the web framework could not bind, such as a malformed date.
pub(super) fn unbindable() -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &json!({ "message": "The request is invalid." }))
}

pub(super) fn invalid_property(description: &str) -> Answer {
    fault(StatusCode::BAD_REQUEST, "3000", description)
}

/// The answer about a customer that is not (or no longer) the partner's.
pub(super) fn no_relationship(partner: Uuid, customer: Uuid) -> Answer {
    fault(
        StatusCode::FORBIDDEN,
        "20002",
        &format!("The partner ID {partner} has no commerce relationship with the customer ID {customer}."),
    )
}
