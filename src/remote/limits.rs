//! Bounds on everything a service could make us do.

use std::num::NonZeroU16;
use std::time::Duration;

use super::Allowance;

/// Bounds on requests and their answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long one read may take, its body included.
    pub request_timeout: Duration,
    /// How long one write or sign-in may take, its body included. Every request is refused unless the lease lasts
    /// at least this long.
    pub write_timeout: Duration,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// Longest accepted body of an answer, in bytes.
    pub response_bytes_max: usize,
    /// Most pages of one list.
    pub pages_max: usize,
    /// Most sends of one request, the first included; at least 1.
    pub attempts_max: usize,
    /// Shortest pause before a request is sent again; it doubles and is jittered.
    pub retry_delay_min: Duration,
    /// The most calls that Partner Center is sent.
    pub partner_center_calls: Allowance,
    /// Most access tokens kept at a time.
    pub tokens_max: usize,
}

/// What Microsoft publishes for customers, subscriptions and orders of one partner. For policies and the activity log it
/// publishes nothing but that they are limited too.
/// <https://learn.microsoft.com/partner-center/developer/api-throttling-guidance>
pub(crate) const PARTNER_CENTER_CALLS_PER_MINUTE: NonZeroU16 = NonZeroU16::new(500).unwrap();

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            // 500 activity records with their old and new values are well below 8 MiB.
            response_bytes_max: 16 << 20,
            // At 500 per page: half a million customers or records.
            pages_max: 1_000,
            attempts_max: 3,
            retry_delay_min: Duration::from_millis(500),
            partner_center_calls: Allowance::per_minute(PARTNER_CENTER_CALLS_PER_MINUTE),
            // Some 2 KiB each.
            tokens_max: 4_096,
        }
    }
}
