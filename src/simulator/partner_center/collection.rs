//! Collections and their pages.
//!
//! A page that is not the last has `links.next` with a relative uri and the `MS-ContinuationToken` header to send along.
//! The token holds everything the next page needs, so the simulator remembers nothing about it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::refusal::invalid_property;
use crate::simulator::exchange::{Answer, Request};

const CONTINUATION: &str = "MS-ContinuationToken";

/// A collection that is complete in one answer.
pub(super) fn complete(items: &[Value]) -> Value {
    json!({ "totalCount": items.len(), "items": items, "attributes": { "objectType": "Collection" } })
}

/// One page; `next` is the uri of the following page, without host and version, and its token.
pub(super) fn page<Token: Serialize>(items: &[Value], this: &str, next: Option<(String, &Token)>) -> Value {
    let mut body = complete(items);
    body["links"] = json!({ "self": { "uri": this, "method": "GET", "headers": [] } });
    if let Some((uri, token)) = next {
        body["links"]["next"] = json!({
            "uri": uri,
            "method": "GET",
            "headers": [{ "key": CONTINUATION, "value": encoded(token) }],
        });
    }
    body
}

fn encoded(token: &impl Serialize) -> String {
    // Tokens are plain structs, which always serialize.
    STANDARD.encode(serde_json::to_vec(token).unwrap_or_default())
}

/// The token of a request for a following page; `None` when it asks for the first.
pub(super) fn continuation<Token: DeserializeOwned>(request: &Request) -> Result<Option<Token>, Answer> {
    let Some(text) = request.header(CONTINUATION) else {
        return match request.query("seekOperation") {
            None => Ok(None),
            Some(_) => Err(invalid_property(&format!("seekOperation needs the header {CONTINUATION}."))),
        };
    };
    let token = STANDARD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    token.map(Some).ok_or_else(|| invalid_property(&format!("The header {CONTINUATION} is not valid.")))
}

/// The one filter Partner Center knows: a JSON object with `Field`, `Value` and `Operator`.
pub(super) struct Filter {
    pub(super) field: String,
    pub(super) value: String,
    pub(super) operator: String,
}

impl Filter {
    /// The filter of a request, with its words in lower case.
    pub(super) fn of(request: &Request) -> Result<Option<Self>, Answer> {
        use crate::simulator::exchange::text_member;
        let Some(text) = request.query("filter") else {
            return Ok(None);
        };
        let filter: Option<Value> = serde_json::from_str(text).ok();
        let word = |name| filter.as_ref().and_then(|filter| text_member(filter, name)).map(str::to_lowercase);
        match (word("Field"), word("Value"), word("Operator")) {
            (Some(field), Some(value), Some(operator)) => Ok(Some(Self { field, value, operator })),
            _ => Err(invalid_property("filter is a JSON object with Field, Value and Operator.")),
        }
    }
}
