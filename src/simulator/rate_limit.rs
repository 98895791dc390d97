//! A rate limiter as Partner Center has one: <https://learn.microsoft.com/en-us/partner-center/developer/api-throttling-guidance>.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::operation::Operation;

/// Over which time requests are counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// How many requests each API of Partner Center takes, which is here each operation. Every one counts, refused or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RateLimit {
    per_minute: u32,
    #[serde(default)]
    keyed_by: KeyedBy,
}

/// Which requests of one operation are counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum KeyedBy {
    /// All.
    #[default]
    Partner,
    /// The requests about each customer, and those about none.
    Customer,
}

/// The requests of the current minutes.
#[derive(Debug, Default)]
pub(crate) struct Limiter(HashMap<(Operation, Option<Uuid>), Window>);

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Timestamp,
    count: u32,
}

impl Limiter {
    /// Counts a request; in how many seconds to come again when it is one too many.
    pub(crate) fn count(
        &mut self,
        limit: RateLimit,
        operation: Operation,
        customer: Option<Uuid>,
        now: Timestamp,
    ) -> Option<i64> {
        let customer = match limit.keyed_by {
            KeyedBy::Partner => None,
            KeyedBy::Customer => customer,
        };
        let window = self.0.entry((operation, customer)).or_insert(Window { began: now, count: 0 });
        let since = now.duration_since(window.began);
        if since >= WINDOW || since.is_negative() {
            *window = Window { began: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        let left = WINDOW - now.duration_since(window.began);
        // Rounded up, so that who waits as long as told is not told again.
        (window.count > limit.per_minute).then(|| left.as_secs() + i64::from(left.subsec_nanos() > 0))
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    #[test]
    fn requests_beyond_the_limit_are_told_when_the_minute_ends() {
        let start: Timestamp = "2026-03-01T08:00:00Z".parse().expect("a time");
        let at = |milliseconds: i64| start + milliseconds.milliseconds();
        let (one, other) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
        for (keyed_by, others) in [(KeyedBy::Partner, Some(30)), (KeyedBy::Customer, None)] {
            let limit = RateLimit { per_minute: 2, keyed_by };
            let mut limiter = Limiter::default();
            let mut count = |operation, customer, now| limiter.count(limit, operation, customer, now);
            assert_eq!(count(Operation::GetCustomer, one, at(0)), None);
            assert_eq!(count(Operation::GetCustomer, one, at(1)), None);
            assert_eq!(count(Operation::GetCustomer, one, at(29_500)), Some(31));
            assert_eq!(count(Operation::ListOrders, one, at(29_600)), None, "another API");
            assert_eq!(count(Operation::GetCustomer, other, at(30_000)), others);
            assert_eq!(count(Operation::GetCustomer, one, at(60_000)), None, "a new minute");
            assert_eq!(count(Operation::GetCustomer, one, at(59_000)), None, "the clock went back");
        }
    }
}
