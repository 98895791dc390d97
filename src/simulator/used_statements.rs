//! The statements by which an application has proven itself: each serves once.

use std::collections::HashMap;

/// How far the clocks of a client and of Entra may be apart, in seconds.
pub(crate) const SKEW_SECONDS: i64 = 300;

/// Statements that have been used, by their id, and until when they could be used again.
#[derive(Debug, Default)]
pub(crate) struct UsedStatements(HashMap<String, i64>);

impl UsedStatements {
    /// Whether the id is new; it is not from now on.
    pub(crate) fn first_use(&mut self, id: &str, expires: i64, now: i64) -> bool {
        self.0.retain(|_, expires| *expires + SKEW_SECONDS >= now);
        self.0.insert(id.to_owned(), expires).is_none()
    }
}
