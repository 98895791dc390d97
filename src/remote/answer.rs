//! What came back for a request.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

/// A whole answer. Not `Debug`: the body of a sign-in is secret.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The status line's phrase where it is not the usual one. HTTP/2 has none.
    pub(super) reason: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}
