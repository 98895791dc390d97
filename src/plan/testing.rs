//! What every kind's plan is checked for.

use serde::Serialize;
use serde_json::Value;

/// No object within a status is empty: once server-side apply has taken its last field away, the API server sees `null`
/// where the schema says object, and refuses the status in every pass from then on.
#[track_caller]
pub(super) fn assert_no_object_is_empty(status: &impl Serialize) {
    fn is_empty_within(value: &Value) -> bool {
        let is_bad = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty) || is_empty_within(value);
        match value {
            Value::Object(fields) => fields.values().any(is_bad),
            Value::Array(items) => items.iter().any(is_bad),
            _ => false,
        }
    }
    let status = serde_json::to_value(status).unwrap();
    assert!(!is_empty_within(&status), "{status}");
}
