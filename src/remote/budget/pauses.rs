//! How long nothing is sent after a service has complained.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::TenantId;

/// Longest pause. A service that asks for more has more likely made a mistake; after it, the next call asks again.
const PAUSE_MAX: Duration = Duration::from_mins(10);

/// What a call is about, as far as services count calls by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    /// The customer, where there is one.
    pub(super) customer: Option<TenantId>,
    /// Which of the service's interfaces it uses.
    pub(super) interface: &'static str,
}

/// Pauses that are not over.
///
/// Partner Center limits calls "per partner or per partner and customer", for each interface, and its answer does not
/// say which it was. So the first complaint is taken for the customer's. When another customer's call is refused while
/// that pause lasts, it was not the customer.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    of_all: Option<Instant>,
    of_one: HashMap<Subject, Instant>,
}

impl Pauses {
    /// Notes a complaint about a call; says whether it concerns all calls.
    pub(super) fn complained(&mut self, subject: Subject, wait: Duration, now: Instant) -> bool {
        self.of_one.retain(|_, until| *until > now);
        let until = now + wait.min(PAUSE_MAX);
        let is_general = subject.customer.is_none()
            || self.of_all.is_some_and(|until| until > now)
            || self.of_one.keys().any(|other| other.customer != subject.customer);
        if is_general {
            let others = self.of_one.drain().map(|(_, until)| until);
            self.of_all = others.chain(self.of_all).chain([until]).max();
        } else {
            let known = self.of_one.entry(subject).or_insert(until);
            *known = until.max(*known);
        }
        is_general
    }

    /// When calls of this kind may be sent again, if not now.
    pub(super) fn end(&self, subject: Subject, now: Instant) -> Option<Instant> {
        let of_one = self.of_one.get(&subject).copied();
        self.of_all.into_iter().chain(of_one).max().filter(|until| *until > now)
    }

    /// Whether nothing at all may be sent.
    pub(super) fn are_general(&self, now: Instant) -> bool {
        self.of_all.is_some_and(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn about(customer: u8, interface: &'static str) -> Subject {
        let tenant = format!("c1a0c1a0-1111-4a11-8a11-0000000000{customer:02x}");
        Subject { customer: Some(tenant.parse().unwrap()), interface }
    }

    #[tokio::test(start_paused = true)]
    async fn one_complaint_pauses_one_customer_and_a_second_customers_pauses_all() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        assert!(!pauses.complained(about(1, "policies"), SECOND * 50, now));
        assert!(!pauses.complained(about(1, "policies"), SECOND * 30, now), "the same once more");
        assert!(!pauses.complained(about(1, "subscriptions"), SECOND * 30, now), "the same customer");
        assert_eq!(pauses.end(about(1, "policies"), now), Some(now + SECOND * 50), "the longer one counts");
        assert_eq!(pauses.end(about(1, "customers"), now), None, "each interface has a count of its own");
        assert_eq!(pauses.end(about(2, "policies"), now), None);
        assert!(!pauses.are_general(now));

        assert!(pauses.complained(about(2, "policies"), SECOND * 20, now));
        for subject in [about(1, "policies"), about(2, "customers"), about(3, "policies")] {
            assert_eq!(pauses.end(subject, now), Some(now + SECOND * 50));
        }
        assert!(pauses.are_general(now));
        assert_eq!(pauses.end(about(3, "policies"), now + SECOND * 50), None);
    }

    #[tokio::test(start_paused = true)]
    async fn complaints_that_do_not_overlap_are_the_customers() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        assert!(!pauses.complained(about(1, "policies"), SECOND * 10, now));
        assert!(!pauses.complained(about(2, "policies"), SECOND * 10, now + SECOND * 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_complaint_about_a_call_without_a_customer_pauses_all_but_not_for_hours() {
        let (mut pauses, now) = (Pauses::default(), Instant::now());
        assert!(pauses.complained(Subject { customer: None, interface: "activity" }, SECOND * 3_600, now));
        assert_eq!(pauses.end(about(1, "policies"), now), Some(now + PAUSE_MAX));
    }
}
