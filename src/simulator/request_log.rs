//! What was asked of the simulator and what came of it. The control API is not among it.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::operation::Operation;

/// Requests remembered; the oldest are forgotten first. The counts go on counting.
pub(crate) const ENTRIES_MAX: usize = 100_000;

/// One request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) operation: Operation,
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    pub(crate) customer: Option<Uuid>,
    /// None while unanswered, and for good when the connection ended first.
    pub(crate) status: Option<u16>,
    /// Whether the request changed what Partner Center holds, whatever the answer said.
    pub(crate) effective: bool,
    /// Whether a fault shaped the answer.
    pub(crate) fault: bool,
    pub(crate) request_id: Option<String>,
    pub(crate) correlation_id: Option<String>,
}

/// How often an operation was asked for, and how often it changed something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Count {
    pub(crate) total: u64,
    pub(crate) effective: u64,
}

/// Requests in the order of their arrival.
#[derive(Debug)]
pub(crate) struct RequestLog {
    entries: VecDeque<Entry>,
    counts: BTreeMap<Operation, Count>,
    next_seq: u64,
    forgotten: u64,
    /// Requests below this number came before the log was cleared.
    cleared_below: u64,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { entries: VecDeque::new(), counts: BTreeMap::new(), next_seq: 1, forgotten: 0, cleared_below: 1 }
    }
}

impl RequestLog {
    /// Notes the arrival of a request and returns its number; the entry's own `seq` does not matter.
    pub(crate) fn arrive(&mut self, entry: Entry) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.counts.entry(entry.operation).or_default().total += 1;
        self.entries.push_back(Entry { seq, ..entry });
        if self.entries.len() > ENTRIES_MAX {
            self.entries.pop_front();
            self.forgotten += 1;
        }
        seq
    }

    /// Notes that a request changed something.
    pub(crate) fn took_effect(&mut self, seq: u64, operation: Operation) {
        if seq >= self.cleared_below {
            self.counts.entry(operation).or_default().effective += 1;
        }
        if let Some(entry) = self.entry(seq) {
            entry.effective = true;
        }
    }

    /// Notes the answer to a request.
    pub(crate) fn answered(&mut self, seq: u64, status: u16) {
        if let Some(entry) = self.entry(seq) {
            entry.status = Some(status);
        }
    }

    fn entry(&mut self, seq: u64) -> Option<&mut Entry> {
        let first = self.entries.front()?.seq;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// The remembered requests after number `since`.
    pub(crate) fn since(&self, since: u64) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.seq > since)
    }

    pub(crate) fn counts(&self) -> &BTreeMap<Operation, Count> {
        &self.counts
    }

    /// How many requests were forgotten because there were too many.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets everything but the numbering.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.counts.clear();
        self.forgotten = 0;
        self.cleared_below = self.next_seq;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            seq: 0,
            at: Timestamp::UNIX_EPOCH,
            operation: Operation::Token,
            method: "POST".to_owned(),
            path: "/".to_owned(),
            customer: None,
            status: None,
            effective: false,
            fault: false,
            request_id: None,
            correlation_id: None,
        }
    }

    #[test]
    fn an_entry_learns_its_answer() {
        let mut log = RequestLog::default();
        let first = log.arrive(entry());
        let second = log.arrive(entry());
        log.answered(second, 201);
        log.took_effect(second, Operation::Token);
        let seen: Vec<(u64, Option<u16>, bool)> =
            log.since(0).map(|entry| (entry.seq, entry.status, entry.effective)).collect();
        assert_eq!(seen, [(first, None, false), (second, Some(201), true)]);
        assert_eq!(log.counts()[&Operation::Token], Count { total: 2, effective: 1 });
        assert_eq!(log.since(first).count(), 1);
    }

    #[test]
    fn the_log_is_bounded_and_says_what_it_forgot() {
        let mut log = RequestLog::default();
        for _ in 0..ENTRIES_MAX + 3 {
            log.arrive(entry());
        }
        log.answered(1, 200);
        assert_eq!(log.since(0).count(), ENTRIES_MAX);
        assert_eq!(log.forgotten(), 3);
        assert_eq!(log.counts()[&Operation::Token].total, ENTRIES_MAX as u64 + 3);
    }

    #[test]
    fn clearing_keeps_the_numbering_and_ignores_late_effects() {
        let mut log = RequestLog::default();
        let early = log.arrive(entry());
        log.clear();
        log.took_effect(early, Operation::Token);
        assert!(log.counts().is_empty());
        assert_eq!(log.arrive(entry()), early + 1);
    }
}
