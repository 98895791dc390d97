//! How long the API server may take over a Secret, a `ConfigMap` or an event.

use std::time::Duration;

/// Limit of one request to the API server.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
