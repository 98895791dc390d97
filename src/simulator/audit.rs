//! What Partner Center remembers of what was done: the activity log, without its HTTP side.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How long records are kept: <https://learn.microsoft.com/en-us/partner-center/developer/get-a-record-of-partner-center-activity-by-user>.
pub(crate) const RETENTION: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Records kept at most; beyond it the oldest go early, so that a simulator that runs for months stays small.
const RECORDS_MAX: usize = 200_000;

/// .NET counts ticks of 100 ns from the year 1; this is the count at the Unix epoch.
const UNIX_EPOCH_TICKS: i128 = 621_355_968_000_000_000;

/// The resolution of the log.
const TICKS_PER_SECOND: i128 = 10_000_000;

/// One entry of the activity log.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) customer: Uuid,
    pub(crate) customer_name: String,
    pub(crate) user: Option<String>,
    pub(crate) application: String,
    pub(crate) resource_type: String,
    pub(crate) operation: String,
    pub(crate) status: String,
    pub(crate) old_value: Option<String>,
    pub(crate) new_value: Option<String>,
    /// What `customizedData` says.
    pub(crate) customized: Vec<(String, String)>,
    pub(crate) correlation_id: String,
    pub(crate) at: Timestamp,
    /// Until then the record cannot be read.
    pub(crate) visible_at: Timestamp,
}

/// A record's place in the order of the log: by time, then by arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Position {
    at: Timestamp,
    arrival: u64,
}

/// The records of all customers.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    records: BTreeMap<Position, Record>,
    by_id: HashMap<String, Position>,
    arrivals: u64,
    last_ticks: i128,
}

impl Trail {
    /// A moment for a new record: `now`, cut to the log's resolution and later than the record before, unless the clock was
    /// set back since.
    ///
    /// Ids contain the moment, so two records never share one.
    pub(crate) fn moment(&mut self, now: Timestamp) -> Timestamp {
        let ticks = ticks(now);
        let is_set_back = self.last_ticks - ticks > TICKS_PER_SECOND;
        let ticks = if is_set_back { ticks } else { ticks.max(self.last_ticks + 1) };
        self.last_ticks = ticks;
        from_ticks(ticks).unwrap_or(now)
    }

    /// Adds a record; one with a known id replaces the earlier one.
    pub(crate) fn add(&mut self, record: Record) {
        self.arrivals += 1;
        let position = Position { at: record.at, arrival: self.arrivals };
        if let Some(earlier) = self.by_id.insert(record.id.clone(), position) {
            self.records.remove(&earlier);
        }
        self.records.insert(position, record);
        if self.records.len() > RECORDS_MAX
            && let Some((_, oldest)) = self.records.pop_first()
        {
            self.by_id.remove(&oldest.id);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The record of that id, when it can be read at `now`.
    pub(crate) fn get(&self, id: &str, now: Timestamp) -> Option<&Record> {
        let position = self.by_id.get(&id.to_lowercase())?;
        self.records.get(position).filter(|record| is_readable(record, now))
    }

    /// The readable records with `from <= at < until`, newest first, starting below `below`.
    pub(crate) fn newest_first(
        &self,
        from: Timestamp,
        until: Timestamp,
        below: Option<Position>,
        now: Timestamp,
    ) -> impl Iterator<Item = (Position, &Record)> {
        let start = Position { at: from, arrival: 0 };
        let limit = Position { at: until, arrival: 0 };
        let end = below.map_or(limit, |below| below.min(limit)).max(start);
        self.records
            .range((Bound::Included(start), Bound::Excluded(end)))
            .rev()
            .map(|(position, record)| (*position, record))
            .filter(move |(_, record)| is_readable(record, now))
    }
}

fn is_readable(record: &Record, now: Timestamp) -> bool {
    record.visible_at <= now && now.duration_since(record.at) <= RETENTION
}

/// The id of a record, as Partner Center composes it.
pub(crate) fn record_id(partner: Uuid, customer: Uuid, operation: &str, at: Timestamp) -> String {
    format!("{partner}_{customer}_{}_{}", operation.replace('_', ""), ticks(at))
}

fn ticks(at: Timestamp) -> i128 {
    at.as_nanosecond().div_euclid(100) + UNIX_EPOCH_TICKS
}

fn from_ticks(ticks: i128) -> Option<Timestamp> {
    Timestamp::from_nanosecond((ticks - UNIX_EPOCH_TICKS) * 100).ok()
}

/// `operationDate` as Partner Center writes it, with seven fractional digits.
pub(crate) fn operation_date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, at: Timestamp) -> Record {
        Record {
            id: id.to_owned(),
            customer: Uuid::from_u128(1),
            customer_name: "Fabrikam".to_owned(),
            user: None,
            application: String::new(),
            resource_type: "self_serve_policy".to_owned(),
            operation: "create_self_serve_policy".to_owned(),
            status: "succeeded".to_owned(),
            old_value: None,
            new_value: None,
            customized: Vec::new(),
            correlation_id: String::new(),
            at,
            visible_at: at,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn the_id_ends_in_the_ticks_of_the_operation_date() {
        let moment = at("2026-03-01T08:00:00Z");
        let id = record_id(Uuid::nil(), Uuid::max(), "create_self_serve_policy", moment);
        assert!(id.ends_with("_createselfservepolicy_639079488000000000"), "{id}");
        assert_eq!(operation_date(moment), "2026-03-01T08:00:00.0000000Z");
        assert_eq!(operation_date(at("2026-03-01T08:00:00.123456789Z")), "2026-03-01T08:00:00.1234567Z");
    }

    #[test]
    fn moments_never_repeat() {
        let mut trail = Trail::default();
        let now = at("2026-03-01T08:00:00Z");
        let first = trail.moment(now);
        let second = trail.moment(now);
        assert!(first < second);
        // A clock that was set back leaves no later records in the future.
        trail.moment(at("2026-03-01T10:00:00Z"));
        assert_eq!(trail.moment(at("2026-03-01T09:00:00Z")), at("2026-03-01T09:00:00Z"));
        assert!(trail.moment(at("2026-03-01T09:00:00Z")) > at("2026-03-01T09:00:00Z"));
    }

    #[test]
    fn records_become_readable_late_and_disappear_after_the_retention() {
        let mut trail = Trail::default();
        let written = at("2026-03-01T08:00:00Z");
        trail.add(Record { visible_at: at("2026-03-01T08:05:00Z"), ..record("a", written) });
        let seen = |now: &str| trail.get("a", at(now)).is_some();
        assert!(!seen("2026-03-01T08:04:59Z"));
        assert!(seen("2026-03-01T08:05:00Z"));
        assert!(seen("2026-05-30T08:00:00Z"));
        assert!(!seen("2026-05-30T08:00:01Z"));
    }

    #[test]
    fn pages_go_on_below_the_last_position() {
        let mut trail = Trail::default();
        for hour in 1..=5 {
            trail.add(record(&hour.to_string(), at(&format!("2026-03-01T0{hour}:00:00Z"))));
        }
        let now = at("2026-03-02T00:00:00Z");
        let ids = |below| -> Vec<(Position, String)> {
            trail
                .newest_first(at("2026-03-01T02:00:00Z"), at("2026-03-01T05:00:00Z"), below, now)
                .map(|(position, record)| (position, record.id.clone()))
                .collect()
        };
        let all = ids(None);
        assert_eq!(all.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["4", "3", "2"]);
        assert_eq!(ids(Some(all[0].0)).iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["3", "2"]);
    }
}
