//! The activity feed: one poll tells of every customer whose purchase permissions were touched, by whomever.
//!
//! It is what makes the steady state cheap: a permission's policy is read again only when a record calls for it. It is
//! trusted to that extent only while it proves itself: see [`Feed::is_trusted`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::watermark::Remembered;
use crate::api::Activity;
use crate::model::{ActivityRecord, Installation, Origin, TenantId};
use crate::plan::ObjectName;
use crate::plan::permission::SeenRecord;

/// Newest records kept per customer: as many as a status shows.
const RECORDS_MAX: usize = 20;
/// What Partner Center keeps is 90 days; one day is left for its clock and its midnight.
const RETENTION: SignedDuration = SignedDuration::from_hours(89 * 24);
/// Read again behind the watermark: records may arrive late.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// A write of ours that the feed has not shown by then makes the feed unproven.
const RECORD_DUE: SignedDuration = SignedDuration::from_mins(30);
/// The watermark moves at least this often, so that a quiet feed does not outlive its retention.
const WATERMARK_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Polls that may fail in a row before the feed counts as broken.
const FAILURES_MAX: u32 = 3;
/// Without a watermark, every policy is read again within this time.
const SWEEP_WITHOUT_WATERMARK: SignedDuration = SignedDuration::from_hours(1);

/// What the feed has seen. Pure but for its lock: time is an argument.
#[derive(Debug)]
pub(super) struct Feed {
    installation: Installation,
    started: Timestamp,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    records: HashMap<TenantId, Vec<SeenRecord>>,
    /// Ids of all records within the window that polls read again.
    seen: BTreeMap<(Timestamp, String), ()>,
    /// Records that woke an object whose status does not show them yet.
    unreported: HashMap<ObjectName, HashSet<String>>,
    /// Writes of ours whose records have not appeared, by correlation id.
    expected: HashMap<String, (TenantId, Timestamp)>,
    remembered: Remembered,
    /// What is remembered outside the process.
    saved: Remembered,
    had_watermark: bool,
    failures: u32,
}

/// What the feed says of one customer.
#[derive(Debug, Default)]
pub(super) struct OfCustomer {
    pub(super) records: Vec<SeenRecord>,
    pub(super) is_record_pending: bool,
    pub(super) is_trusted: bool,
}

impl Feed {
    /// A feed that goes on where `remembered` ends.
    pub(super) fn new(installation: Installation, remembered: Remembered, now: Timestamp) -> Self {
        let reachable = now.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
        let had_watermark = remembered.watermark.is_some_and(|watermark| watermark >= reachable);
        let state = State {
            records: HashMap::new(),
            seen: BTreeMap::new(),
            unreported: HashMap::new(),
            expected: HashMap::new(),
            remembered: Remembered { watermark: remembered.watermark.filter(|_| had_watermark), ..remembered },
            saved: remembered,
            had_watermark,
            failures: 0,
        };
        Self { installation, started: now, state: Mutex::new(state) }
    }

    /// The days to ask for now, both included: from a day before the watermark, or all that is kept.
    pub(super) fn window(&self, now: Timestamp) -> (Date, Date) {
        let earliest = now.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
        let from = match self.state().remembered.watermark {
            Some(watermark) => watermark.saturating_sub(OVERLAP).unwrap_or(earliest).max(earliest),
            None => earliest,
        };
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        (day(from), day(now))
    }

    /// Takes in what a poll has read; gives the customers of whom it is news.
    pub(super) fn polled(&self, records: Vec<ActivityRecord>, now: Timestamp) -> HashSet<TenantId> {
        let mut state = self.state();
        state.failures = 0;
        let mut touched = HashSet::new();
        for record in records {
            if state.seen.insert((record.at, record.id.clone()), ()).is_some() {
                continue;
            }
            let origin = match &record.correlation_id {
                Some(id) => self.installation.origin(record.customer, id),
                None => Origin::Other,
            };
            if let Some(id) = &record.correlation_id
                && state.expected.remove(id).is_some()
            {
                state.remembered.is_proven = true;
            }
            let customer = record.customer;
            let records = state.records.entry(customer).or_default();
            records.push(SeenRecord { record, origin, seen_at: now });
            records.sort_by(|a, b| (b.record.at, &b.record.id).cmp(&(a.record.at, &a.record.id)));
            records.truncate(RECORDS_MAX);
            touched.insert(customer);
        }
        let overdue = now.saturating_sub(RECORD_DUE).unwrap_or(Timestamp::MIN);
        let missing = state.expected.values().filter(|(_, at)| *at < overdue).count();
        if missing > 0 {
            tracing::warn!(
                missing,
                "writes of this operator have not appeared in the activity log within 30 minutes; policies are read hourly until they do"
            );
            state.expected.retain(|_, (_, at)| *at >= overdue);
            state.remembered.is_proven = false;
        }
        touched
    }

    /// Notes that a poll has failed.
    pub(super) fn poll_failed(&self) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
    }

    /// Notes which objects a record was passed on to.
    pub(super) fn woke(&self, customer: TenantId, objects: impl IntoIterator<Item = (ObjectName, Vec<Activity>)>) {
        let mut state = self.state();
        let ids: Vec<_> = state
            .records
            .get(&customer)
            .into_iter()
            .flatten()
            .map(|seen| (seen.record.id.clone(), seen.record.at))
            .collect();
        for (name, shown) in objects {
            let horizon = (shown.len() >= RECORDS_MAX).then(|| shown.last().map(|oldest| oldest.time.0)).flatten();
            let new = ids
                .iter()
                .filter(|(_, at)| horizon.is_none_or(|horizon| *at >= horizon))
                .filter(|(id, _)| shown.iter().all(|entry| entry.record_id != *id))
                .map(|(id, _)| id.clone());
            state.unreported.entry(name).or_default().extend(new);
        }
        state.unreported.retain(|_, ids| !ids.is_empty());
    }

    /// Notes that an object's status shows `shown`. What a full log has pushed out counts as shown.
    pub(super) fn reported(&self, name: &ObjectName, shown: &[Activity]) {
        let mut state = self.state();
        if let Some(ids) = state.unreported.get_mut(name) {
            ids.retain(|id| shown.len() < RECORDS_MAX && shown.iter().all(|entry| entry.record_id != *id));
            if ids.is_empty() {
                state.unreported.remove(name);
            }
        }
    }

    /// What should be remembered outside the process now; `None` when that is what is remembered already.
    pub(super) fn to_save(&self, now: Timestamp, exists: impl Fn(&ObjectName) -> bool) -> Option<Remembered> {
        let mut state = self.state();
        state.unreported.retain(|name, _| exists(name));
        if state.failures == 0 && state.unreported.is_empty() {
            let newest = state.seen.last_key_value().map(|((at, _), ())| *at);
            let idle = now.saturating_sub(WATERMARK_AGE_MAX).unwrap_or(Timestamp::MIN);
            let watermark = newest.into_iter().chain([idle]).chain(state.remembered.watermark).max();
            state.remembered.watermark = watermark;
            let forgotten = watermark.unwrap_or(now).saturating_sub(OVERLAP * 2).unwrap_or(Timestamp::MIN);
            state.seen.retain(|(at, _), ()| *at >= forgotten);
        }
        let is_due = match (state.saved.watermark, state.remembered.watermark) {
            (Some(saved), Some(ours)) => {
                // A record moves it at once; time alone only once a day.
                let is_record = state.seen.last_key_value().is_some_and(|((at, _), ())| *at == ours);
                saved < ours && (is_record || ours.duration_since(saved) >= WATERMARK_AGE_MAX)
            }
            (None, Some(_)) => true,
            (_, None) => false,
        };
        (is_due || state.saved.is_proven != state.remembered.is_proven).then_some(state.remembered)
    }

    /// Notes what is remembered outside the process.
    pub(super) fn saved(&self, what: Remembered) {
        self.state().saved = what;
    }

    /// Expects a record of a write that is about to be sent.
    pub(super) fn expect(&self, customer: TenantId, correlation: Uuid, now: Timestamp) {
        self.state().expected.insert(correlation.to_string(), (customer, now));
    }

    /// Expects it no more: the write is known not to have been made.
    pub(super) fn expect_no_more(&self, correlation: Uuid) {
        self.state().expected.remove(&correlation.to_string());
    }

    /// What is known of one customer.
    pub(super) fn of(&self, customer: TenantId, now: Timestamp) -> OfCustomer {
        let state = self.state();
        OfCustomer {
            records: state.records.get(&customer).cloned().unwrap_or_default(),
            is_record_pending: state.expected.values().any(|(tenant, _)| *tenant == customer),
            is_trusted: self.is_trusted(&state, now),
        }
    }

    /// Whether what a status remembers is as good as read: the feed has shown a write of ours, answers, and has been
    /// followed without a gap since before this process began, or for so long that every policy has been read since.
    fn is_trusted(&self, state: &State, now: Timestamp) -> bool {
        let is_unbroken = state.had_watermark || now.duration_since(self.started) >= SWEEP_WITHOUT_WATERMARK;
        state.remembered.is_proven && state.failures < FAILURES_MAX && is_unbroken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
