//! The activity feed: one poll tells of every customer whose purchase permissions were touched, by whomever.
//!
//! It is what makes the steady state cheap: a permission's policy is read again only when a record calls for it. It is
//! trusted to that extent only while it proves itself: see [`Feed::is_trusted`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
    /// Ids and results of all records within the window that polls read again.
    seen: BTreeSet<(Timestamp, String, String)>,
    /// Records that woke an object whose status does not show them yet.
    unreported: HashMap<ObjectName, HashSet<String>>,
    /// Writes of ours whose records have not appeared, by customer and correlation id. In order, since every plan asks
    /// for those of one customer, and while a fleet is new there is one of each.
    expected: BTreeMap<(TenantId, String), Expected>,
    remembered: Remembered,
    /// What is remembered outside the process.
    saved: Remembered,
    had_watermark: bool,
    failures: u32,
    has_polled: bool,
    /// Of the actors of all records.
    partner_domains: BTreeSet<String>,
}

/// A write of ours whose record has not appeared.
#[derive(Debug)]
struct Expected {
    sent_at: Timestamp,
    /// Whether Partner Center has told of its success. Without that, it may never have arrived.
    is_confirmed: bool,
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
        // One from the future was written by a clock that was wrong: it vouches for nothing.
        let is_sound = |watermark: &Timestamp| (reachable..=now).contains(watermark);
        let remembered = Remembered { watermark: remembered.watermark.filter(is_sound), ..remembered };
        let had_watermark = remembered.watermark.is_some();
        let state = State {
            records: HashMap::new(),
            seen: BTreeSet::new(),
            unreported: HashMap::new(),
            expected: BTreeMap::new(),
            remembered,
            saved: remembered,
            had_watermark,
            failures: 0,
            has_polled: false,
            partner_domains: BTreeSet::new(),
        };
        Self { installation, started: now, state: Mutex::new(state) }
    }

    /// The days to ask for now, both included: from a day before the watermark, or all that is kept.
    pub(super) fn window(&self, now: Timestamp) -> (Date, Date) {
        let earliest = now.saturating_sub(RETENTION).unwrap_or(Timestamp::MIN);
        let from = match self.state().remembered.watermark {
            Some(watermark) => watermark.min(now).saturating_sub(OVERLAP).unwrap_or(earliest).max(earliest),
            None => earliest,
        };
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        (day(from), day(now))
    }

    /// Takes in what a poll has read; gives the customers of whom it is news.
    pub(super) fn polled(&self, records: Vec<ActivityRecord>, now: Timestamp) -> HashSet<TenantId> {
        let mut state = self.state();
        state.failures = 0;
        state.has_polled = true;
        let mut touched = HashSet::new();
        for record in records {
            if !state.seen.insert((record.at, record.id.clone(), record.status.clone())) {
                continue;
            }
            let origin = match &record.correlation_id {
                Some(id) => self.installation.origin(record.customer, id),
                None => Origin::Other,
            };
            let correlation = record.correlation_id.clone().unwrap_or_default();
            let expected = state.expected.remove(&(record.customer, correlation));
            let is_confirmed = expected.is_some_and(|expected| expected.is_confirmed);
            // Also a late one, or one from before a restart: the feed shows what we write.
            state.remembered.is_proven |= origin == Origin::Own;
            state.partner_domains.extend(record.actor.as_deref().and_then(domain_of));
            let customer = record.customer;
            let records = state.records.entry(customer).or_default();
            // One that was in progress may come again with its end.
            records.retain(|seen| seen.record.id != record.id);
            records.push(SeenRecord { record, origin, is_confirmed, seen_at: now });
            records.sort_by(|a, b| (b.record.at, &b.record.id).cmp(&(a.record.at, &a.record.id)));
            records.truncate(RECORDS_MAX);
            touched.insert(customer);
        }
        let overdue = now.saturating_sub(RECORD_DUE).unwrap_or(Timestamp::MIN);
        let is_overdue = |expected: &Expected| expected.sent_at < overdue;
        // One that was never confirmed may never have arrived: its record is missing for a good reason.
        let missing = state.expected.values().filter(|one| is_overdue(one) && one.is_confirmed).count();
        state.expected.retain(|_, one| !is_overdue(one));
        if missing > 0 {
            tracing::warn!(
                missing,
                "writes of this operator have not appeared in the activity log within 30 minutes; policies are read hourly until they do"
            );
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
            let new: HashSet<_> = ids
                .iter()
                .filter(|(_, at)| horizon.is_none_or(|horizon| *at >= horizon))
                .filter(|(id, _)| shown.iter().all(|entry| entry.record_id != *id))
                .map(|(id, _)| id.clone())
                .collect();
            if !new.is_empty() {
                state.unreported.entry(name).or_default().extend(new);
            }
        }
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

    /// Notes that an object's status will not show the records it was woken for.
    pub(super) fn will_not_report(&self, name: &ObjectName) {
        self.state().unreported.remove(name);
    }

    /// What should be remembered outside the process now; `None` when that is what is remembered already.
    pub(super) fn to_save(&self, now: Timestamp, exists: impl Fn(&ObjectName) -> bool) -> Option<Remembered> {
        let mut state = self.state();
        state.unreported.retain(|name, _| exists(name));
        if state.failures == 0 && state.unreported.is_empty() {
            let newest = state.seen.last().map(|(at, ..)| (*at).min(now));
            let idle = now.saturating_sub(WATERMARK_AGE_MAX).unwrap_or(Timestamp::MIN);
            let watermark = newest.into_iter().chain([idle]).chain(state.remembered.watermark).max();
            state.remembered.watermark = watermark;
            let forgotten = watermark.unwrap_or(now).saturating_sub(OVERLAP * 2).unwrap_or(Timestamp::MIN);
            state.seen.retain(|(at, ..)| *at >= forgotten);
        }
        let is_due = match (state.saved.watermark, state.remembered.watermark) {
            (Some(saved), Some(ours)) => {
                // A record moves it at once; time alone only once a day.
                let is_record = state.seen.last().is_some_and(|(at, ..)| (*at).min(now) == ours);
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
        let expected = Expected { sent_at: now, is_confirmed: false };
        self.state().expected.insert((customer, correlation.to_string()), expected);
    }

    /// Notes that the write has succeeded: its record, whenever it comes or came, tells nothing new.
    pub(super) fn confirm(&self, customer: TenantId, correlation: Uuid) {
        let mut state = self.state();
        let correlation = correlation.to_string();
        let records = state.records.get_mut(&customer);
        let shown = records
            .and_then(|all| all.iter_mut().find(|seen| seen.record.correlation_id.as_deref() == Some(&correlation)));
        match shown {
            Some(seen) => seen.is_confirmed = true,
            None => {
                if let Some(expected) = state.expected.get_mut(&(customer, correlation)) {
                    expected.is_confirmed = true;
                }
            }
        }
    }

    /// Expects it no more: the write is known not to have been made.
    pub(super) fn expect_no_more(&self, customer: TenantId, correlation: Uuid) {
        self.state().expected.remove(&(customer, correlation.to_string()));
    }

    /// What is known of one customer.
    pub(super) fn of(&self, customer: TenantId, now: Timestamp) -> OfCustomer {
        let state = self.state();
        OfCustomer {
            records: state.records.get(&customer).cloned().unwrap_or_default(),
            is_record_pending: state
                .expected
                .range((customer, String::new())..)
                .next()
                .is_some_and(|((tenant, _), _)| *tenant == customer),
            is_trusted: self.is_trusted_in(&state, now),
        }
    }

    /// The domains of those who have turned purchase permissions, by portal or API: only the partner's Admin agents may.
    pub(super) fn partner_domains(&self) -> BTreeSet<String> {
        self.state().partner_domains.clone()
    }

    /// Whether the feed is trusted now.
    pub(super) fn is_trusted(&self, now: Timestamp) -> bool {
        self.is_trusted_in(&self.state(), now)
    }

    /// Whether what a status remembers is as good as read: the feed has shown a write of ours, answers, and has been
    /// followed without a gap since before this process began, or for so long that every policy has been read since.
    fn is_trusted_in(&self, state: &State, now: Timestamp) -> bool {
        let is_unbroken = state.had_watermark || now.duration_since(self.started) >= SWEEP_WITHOUT_WATERMARK;
        state.has_polled && state.remembered.is_proven && state.failures < FAILURES_MAX && is_unbroken
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The domain of a sign-in name, in lower case. A guest signs in from elsewhere.
fn domain_of(actor: &str) -> Option<String> {
    let (user, domain) = actor.rsplit_once('@')?;
    (!user.to_ascii_lowercase().contains("#ext#")).then(|| domain.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
