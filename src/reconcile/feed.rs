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
mod tests {
    use super::*;
    use crate::api::ActivityOrigin;
    use crate::model::ActivityOperation;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn tenant() -> TenantId {
        "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap()
    }

    fn name() -> ObjectName {
        ObjectName { namespace: "ns".into(), name: "fabrikam".into() }
    }

    fn record(id: &str, when: &str, correlation: Option<Uuid>) -> ActivityRecord {
        ActivityRecord {
            id: id.into(),
            customer: tenant(),
            at: at(when),
            operation: ActivityOperation::Create,
            actor: None,
            correlation_id: correlation.map(|id| id.to_string()),
            status: "succeeded".into(),
        }
    }

    fn shown(id: &str, when: &str) -> Activity {
        Activity {
            record_id: id.into(),
            time: Time(at(when)),
            operation: String::new(),
            actor: None,
            origin: ActivityOrigin::Other,
            correlation_id: None,
            result: String::new(),
        }
    }

    fn feed(watermark: Option<&str>, is_proven: bool, now: &str) -> Feed {
        let remembered = Remembered { watermark: watermark.map(at), is_proven };
        Feed::new(Installation::new("ours"), remembered, at(now))
    }

    #[test]
    fn nobody_waits_for_an_object_that_will_not_show_a_record() {
        let now = "2026-03-02T08:00:00Z";
        let feed = feed(Some("2026-03-01T08:00:00Z"), true, now);
        let customers = feed.polled(vec![record("r", "2026-03-02T07:59:00Z", None)], at(now));
        feed.woke(*customers.iter().next().unwrap(), [(name(), Vec::new())]);
        assert_eq!(feed.to_save(at(now), |_| true), None);
        feed.will_not_report(&name());
        assert_eq!(feed.to_save(at(now), |_| true).unwrap().watermark, Some(at("2026-03-02T07:59:00Z")));
    }

    #[test]
    fn whoever_turns_permissions_is_the_partners() {
        let now = "2026-03-31T12:00:00Z";
        let feed = feed(None, false, now);
        let by = |id: &str, actor: &str| ActivityRecord { actor: Some(actor.into()), ..record(id, now, None) };
        let records = vec![
            by("a", "ada@Contoso.example"),
            by("b", "FulfillmentService"),
            by("c", "eve_evil.example#EXT#@fabrikam.example"),
            record("d", now, None),
        ];
        feed.polled(records, at(now));
        assert_eq!(feed.partner_domains(), BTreeSet::from(["contoso.example".to_owned()]));
    }

    fn window(watermark: Option<&str>) -> (String, String) {
        let now = "2026-03-31T12:00:00Z";
        let (from, to) = feed(watermark, true, now).window(at(now));
        (from.to_string(), to.to_string())
    }

    #[test]
    fn reads_from_a_day_before_the_watermark_or_all_that_is_kept() {
        let to = || "2026-03-31".to_owned();
        assert_eq!(window(Some("2026-03-30T12:00:00Z")), ("2026-03-29".to_owned(), to()));
        assert_eq!(window(None), ("2026-01-01".to_owned(), to()));
        // Older than Partner Center's memory: there is a gap, so it counts as none.
        assert_eq!(window(Some("2025-06-01T00:00:00Z")), ("2026-01-01".to_owned(), to()));
    }

    #[test]
    fn a_record_is_news_once() {
        let feed = feed(None, false, "2026-03-01T08:00:00Z");
        let poll = || feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], at("2026-03-01T08:00:00Z")).len();
        assert_eq!((poll(), poll()), (1, 0));
        assert_eq!(feed.of(tenant(), at("2026-03-01T08:00:00Z")).records.len(), 1);
    }

    #[test]
    fn what_comes_half_an_hour_late_twice_or_out_of_order_is_read_and_is_news_once() {
        let now = at("2026-03-01T08:00:00Z");
        let feed = feed(Some("2026-03-01T07:59:00Z"), true, "2026-03-01T08:00:00Z");
        let newest = || record("newest", "2026-03-01T07:59:30Z", None);
        assert_eq!(feed.polled(vec![newest()], now).len(), 1);
        let saved = feed.to_save(now, |_| true).unwrap();
        assert_eq!(saved.watermark, Some(at("2026-03-01T07:59:30Z")));
        // Late, out of order, on two pages, of an operation that is newer than this program.
        let strange = ActivityRecord {
            operation: ActivityOperation::Other("approve_self_serve_policy".into()),
            ..record("late", "2026-03-01T07:30:00Z", None)
        };
        let (from, to) = feed.window(now);
        let day = strange.at.to_zoned(TimeZone::UTC).date();
        assert!((from..=to).contains(&day), "not asked for any more");
        let again = vec![strange.clone(), newest(), strange.clone()];
        assert_eq!(feed.polled(again.clone(), now).len(), 1);
        assert_eq!(feed.polled(again, now).len(), 0);
        let ids: Vec<_> = feed.of(tenant(), now).records.into_iter().map(|seen| seen.record.id).collect();
        assert_eq!(ids, ["newest", "late"]);
        // It holds the watermark up like any other until it is shown, and does not take it back.
        feed.woke(tenant(), [(name(), vec![shown("newest", "2026-03-01T07:59:30Z")])]);
        assert_eq!(feed.to_save(now, |_| true), Some(saved), "what is not saved yet");
        feed.saved(saved);
        feed.reported(&name(), &[shown("newest", "2026-03-01T07:59:30Z"), shown("late", "2026-03-01T07:30:00Z")]);
        assert_eq!(feed.to_save(now, |_| true), None);
    }

    #[test]
    fn the_watermark_waits_until_the_record_is_shown() {
        let now = at("2026-03-01T08:00:00Z");
        let feed = feed(Some("2026-03-01T06:00:00Z"), true, "2026-03-01T08:00:00Z");
        let customers = feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], now);
        for customer in customers {
            feed.woke(customer, [(name(), Vec::new())]);
        }
        assert_eq!(feed.to_save(now, |_| true), None);
        feed.reported(&name(), &[shown("another", "2026-03-01T07:30:00Z")]);
        assert_eq!(feed.to_save(now, |_| true), None);
        feed.reported(&name(), &[shown("a", "2026-03-01T07:00:00Z")]);
        let saved = feed.to_save(now, |_| true).unwrap();
        assert_eq!(saved.watermark, Some(at("2026-03-01T07:00:00Z")));
        feed.saved(saved);
        assert_eq!(feed.to_save(now, |_| true), None);
    }

    #[test]
    fn nobody_waits_for_an_object_that_is_gone() {
        let now = at("2026-03-01T08:00:00Z");
        let feed = feed(Some("2026-03-01T06:00:00Z"), true, "2026-03-01T08:00:00Z");
        feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], now);
        feed.woke(tenant(), [(name(), Vec::new())]);
        assert!(feed.to_save(now, |_| false).is_some());
    }

    #[test]
    fn a_quiet_feed_moves_its_watermark_once_a_day() {
        let feed = feed(Some("2026-03-01T08:00:00Z"), true, "2026-03-01T08:00:00Z");
        let moved = |now| {
            feed.polled(Vec::new(), at(now));
            let what = feed.to_save(at(now), |_| true);
            what.inspect(|what| feed.saved(*what)).and_then(|what| what.watermark)
        };
        assert_eq!(moved("2026-03-02T07:00:00Z"), None);
        assert_eq!(moved("2026-03-02T20:00:00Z"), None);
        assert_eq!(moved("2026-03-03T08:00:00Z"), Some(at("2026-03-02T08:00:00Z")));
    }

    #[test]
    fn a_write_of_ours_proves_the_feed_and_a_missing_one_refutes_it() {
        let now = at("2026-03-01T08:00:00Z");
        let feed = feed(Some("2026-03-01T06:00:00Z"), false, "2026-03-01T08:00:00Z");
        let correlation = Installation::new("ours").correlation_id(tenant(), [1; 10]);
        feed.expect(tenant(), correlation, now);
        assert!(feed.of(tenant(), now).is_record_pending);
        assert!(!feed.is_trusted(now));
        feed.polled(vec![record("a", "2026-03-01T08:00:00Z", Some(correlation))], now);
        assert!(!feed.of(tenant(), now).is_record_pending);
        assert!(feed.is_trusted(now));
        assert_eq!(feed.of(tenant(), now).records[0].origin, Origin::Own);

        let lost = Installation::new("ours").correlation_id(tenant(), [2; 10]);
        feed.expect(tenant(), lost, now);
        feed.confirm(tenant(), lost);
        feed.polled(Vec::new(), at("2026-03-01T08:29:00Z"));
        assert!(feed.is_trusted(at("2026-03-01T08:29:00Z")));
        feed.polled(Vec::new(), at("2026-03-01T08:31:00Z"));
        assert!(!feed.is_trusted(at("2026-03-01T08:31:00Z")));
    }

    #[test]
    fn a_feed_without_watermark_or_answers_is_not_trusted() {
        let start = "2026-03-01T08:00:00Z";
        let without = feed(None, true, start);
        without.polled(Vec::new(), at(start));
        assert!(!without.is_trusted(at("2026-03-01T08:59:00Z")));
        assert!(without.is_trusted(at("2026-03-01T09:00:00Z")));

        let with = feed(Some("2026-03-01T06:00:00Z"), true, start);
        assert!(!with.is_trusted(at(start)), "nothing has been read since the watermark");
        with.polled(Vec::new(), at(start));
        assert!(with.is_trusted(at(start)));
        for _ in 0..FAILURES_MAX {
            with.poll_failed();
        }
        assert!(!with.is_trusted(at(start)));
        with.polled(Vec::new(), at(start));
        assert!(with.is_trusted(at(start)));
    }

    #[test]
    fn only_a_write_that_was_confirmed_tells_nothing_new() {
        let now = at("2026-03-01T08:00:00Z");
        let feed = feed(None, false, "2026-03-01T08:00:00Z");
        let write = |number| {
            let correlation = Installation::new("ours").correlation_id(tenant(), [number; 10]);
            feed.expect(tenant(), correlation, now);
            correlation
        };
        let (confirmed, lost, faster) = (write(1), write(2), write(3));
        feed.confirm(tenant(), confirmed);
        let written = |id: &str, correlation| record(id, "2026-03-01T08:00:00Z", Some(correlation));
        feed.polled(vec![written("c", confirmed), written("b", lost), written("a", faster)], now);
        feed.confirm(tenant(), faster);
        let told: Vec<_> =
            feed.of(tenant(), now).records.iter().map(|seen| (seen.record.id.clone(), seen.is_confirmed)).collect();
        assert_eq!(told, [("c".into(), true), ("b".into(), false), ("a".into(), true)]);
    }

    #[test]
    fn a_write_that_never_arrived_refutes_nothing() {
        let now = at("2026-03-01T08:00:00Z");
        let feed = feed(Some("2026-03-01T06:00:00Z"), true, "2026-03-01T08:00:00Z");
        feed.expect(tenant(), Installation::new("ours").correlation_id(tenant(), [1; 10]), now);
        let later = at("2026-03-01T09:00:00Z");
        feed.polled(Vec::new(), later);
        assert!(feed.is_trusted(later) && !feed.of(tenant(), later).is_record_pending);
    }

    #[test]
    fn a_record_that_ends_later_is_news_again() {
        let now = at("2026-03-01T08:00:00Z");
        let feed = feed(None, false, "2026-03-01T08:00:00Z");
        let in_progress = ActivityRecord { status: "progress".into(), ..record("a", "2026-03-01T07:00:00Z", None) };
        assert_eq!(feed.polled(vec![in_progress], now).len(), 1);
        assert_eq!(feed.polled(vec![record("a", "2026-03-01T07:00:00Z", None)], now).len(), 1);
        let told: Vec<_> = feed.of(tenant(), now).records.into_iter().map(|seen| seen.record.status).collect();
        assert_eq!(told, ["succeeded"]);
    }

    #[test]
    fn a_clock_that_was_ahead_skips_nothing() {
        let now = at("2026-03-31T08:00:00Z");
        let feed = feed(Some("2026-04-07T08:00:00Z"), true, "2026-03-31T08:00:00Z");
        assert_eq!(feed.window(now).0.to_string(), "2026-01-01", "all that is kept");
        feed.polled(Vec::new(), now);
        assert!(!feed.is_trusted(now));
        assert_eq!(feed.to_save(now, |_| true).unwrap().watermark, Some(at("2026-03-30T08:00:00Z")));
        let earlier = at("2026-03-20T08:00:00Z");
        assert_eq!(feed.window(earlier).0.to_string(), "2026-03-19", "set back while it runs");
    }
}
