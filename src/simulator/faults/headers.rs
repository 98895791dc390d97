//! The headers that a fault asks for.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue, header};

/// Headers by name, as a fault gives them.
pub(super) type Headers = BTreeMap<String, String>;

/// Whether an answer can have these headers; else a sentence with the one in the way.
pub(super) fn check(headers: &Headers) -> Result<(), String> {
    headers.iter().try_for_each(|(name, value)| {
        let known = HeaderName::try_from(name.as_str()).map_err(|_| {
            format!("headers: `{name}` is no header's name, which has letters, digits and hyphens and no spaces")
        })?;
        // Whatever else they said, the HTTP library would take for a mistake of the simulator's.
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(&known) {
            return Err(format!("headers.{name}: it follows from how the body is sent, which `cut` and `drip` alter"));
        }
        check_value(value).map_err(|said| format!("headers.{name}: {said}"))
    })
}

/// Whether a header can have this value.
pub(super) fn check_value(value: &str) -> Result<(), String> {
    HeaderValue::try_from(value)
        .map(drop)
        .map_err(|_| "a header's value has no line break and no other control character".to_owned())
}
