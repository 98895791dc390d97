//! What the activity log tells of new orders: it is read beside the feed, less often, and only to find purchases sooner and
//! to tell who made them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::{OrderRecord, TenantId};
use crate::plan::customer::SeenOrder;

/// The feed is polled so many times for each look at orders: an order takes up to a quarter of an hour to show anyway, and
/// this way it costs a fifth more and not twice as much.
pub(super) const POLLS_PER_LOOK: u32 = 5;
/// Records may come late by this much.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// Newest records kept per customer.
const RECORDS_MAX: usize = 20;

/// The newest orders of each customer that has an object.
#[derive(Debug, Default)]
pub(super) struct OrderLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By customer, then by time and id.
    records: HashMap<TenantId, BTreeMap<(Timestamp, String), SeenOrder>>,
    has_looked: bool,
}

impl OrderLog {
    /// The days to ask for now, both included.
    pub(super) fn window(now: Timestamp) -> (Date, Date) {
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        (day(now.saturating_sub(OVERLAP).unwrap_or(now)), day(now))
    }

    /// Takes in what was read, of the customers that matter; gives those of whom it is news.
    ///
    /// What the first look of a process shows is taken to have been known all the time: else a restart would have every
    /// customer read again that has ordered anything since yesterday.
    pub(super) fn looked(
        &self,
        records: Vec<OrderRecord>,
        now: Timestamp,
        matters: impl Fn(TenantId) -> bool,
    ) -> HashSet<TenantId> {
        let mut state = self.state();
        let is_first = !std::mem::replace(&mut state.has_looked, true);
        let mut touched = HashSet::new();
        for record in records.into_iter().filter(|record| matters(record.customer)) {
            let customer = record.customer;
            let of_customer = state.records.entry(customer).or_default();
            let place = (record.at, record.id.clone());
            if of_customer.contains_key(&place) {
                continue;
            }
            let seen_at = if is_first { record.at.min(now) } else { now };
            of_customer.insert(place.clone(), SeenOrder { record, seen_at });
            while of_customer.len() > RECORDS_MAX {
                of_customer.pop_first();
            }
            if of_customer.contains_key(&place) {
                touched.insert(customer);
            }
        }
        touched
    }

    /// What is known of one customer's orders, oldest first.
    pub(super) fn of(&self, customer: TenantId) -> Vec<SeenOrder> {
        self.state().records.get(&customer).map(|all| all.values().cloned().collect()).unwrap_or_default()
    }

    /// Forgets customers that no object means any more.
    pub(super) fn prune(&self, is_meant: impl Fn(TenantId) -> bool) {
        self.state().records.retain(|tenant, _| is_meant(*tenant));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn record(id: &str, when: &str) -> OrderRecord {
        let customer = "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap();
        OrderRecord { id: id.into(), customer, at: at(when), order: format!("order-{id}"), actor: None }
    }

    #[test]
    fn a_record_is_news_once_and_what_the_first_look_shows_is_old() {
        let log = OrderLog::default();
        let now = at("2026-03-02T12:00:00Z");
        let (old, new) = (record("a", "2026-03-02T08:00:00Z"), record("b", "2026-03-02T07:00:00Z"));
        let customer = old.customer;
        let touched = HashSet::from([customer]);
        assert_eq!(log.looked(vec![old.clone()], now, |_| true), touched);
        let later = at("2026-03-02T12:05:00Z");
        assert_eq!(log.looked(vec![old.clone(), new], later, |_| true), touched, "a late one");
        assert!(log.looked(vec![old], later, |_| true).is_empty());
        let seen: Vec<_> = log.of(customer).into_iter().map(|one| (one.record.id, one.seen_at)).collect();
        assert_eq!(seen, [("b".to_owned(), later), ("a".to_owned(), at("2026-03-02T08:00:00Z"))]);
    }

    #[test]
    fn customers_without_an_object_cost_no_memory_and_many_orders_little() {
        let log = OrderLog::default();
        let now = at("2026-03-02T12:00:00Z");
        assert!(log.looked(vec![record("a", "2026-03-02T08:00:00Z")], now, |_| false).is_empty());
        let many = (0..99).map(|i| record(&format!("{i:02}"), "2026-03-02T08:00:00Z")).collect();
        log.looked(many, now, |_| true);
        let kept = log.of(record("", "2026-03-02T08:00:00Z").customer);
        assert_eq!((kept.len(), kept.last().unwrap().record.id.as_str()), (RECORDS_MAX, "98"));
        // Those that were pushed out are no news when they are read again.
        assert!(log.looked(vec![record("00", "2026-03-02T08:00:00Z")], now, |_| true).is_empty());
        log.prune(|_| false);
        assert!(log.of(kept[0].record.customer).is_empty());
    }

    #[test]
    fn yesterday_is_read_again() {
        let (from, to) = OrderLog::window(at("2026-03-01T00:10:00Z"));
        assert_eq!((from.to_string(), to.to_string()), ("2026-02-28".to_owned(), "2026-03-01".to_owned()));
    }
}
