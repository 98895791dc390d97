//! The activity log in the status, its condition, and its events.

use jiff::Timestamp;

use crate::api::{Activity, ActivityOrigin};
use crate::model::{ActivityRecord, Origin};
use crate::plan::conditions::Verdict;
use crate::plan::{Event, Severity, to_second};

/// Newest records kept in a status.
const RECORDS_MAX: usize = 20;

/// A record as the feed saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRecord {
    /// The record.
    pub record: ActivityRecord,
    /// Whose request it tells of.
    pub origin: Origin,
    /// Whether it tells of a write whose success this process has been told of.
    pub is_confirmed: bool,
    /// When the feed first saw it, on this machine's clock: a policy read before that may not show it.
    pub seen_at: Timestamp,
}

impl SeenRecord {
    fn entry(&self) -> Activity {
        let record = &self.record;
        Activity {
            record_id: record.id.clone(),
            time: to_second(record.at),
            operation: record.operation.portal_name().to_owned(),
            actor: record.actor.clone(),
            origin: match self.origin {
                Origin::Own => ActivityOrigin::Operator,
                Origin::Rival => ActivityOrigin::RivalOperator,
                Origin::Other => ActivityOrigin::Other,
            },
            correlation_id: record.correlation_id.clone(),
            result: record.status.clone(),
        }
    }

    /// Event of the record: the portal's own name, and who, when and by which request.
    pub(super) fn event(&self) -> Event {
        let record = &self.record;
        let severity = match self.origin {
            Origin::Own => Severity::Normal,
            Origin::Rival | Origin::Other => Severity::Warning,
        };
        Event {
            severity,
            reason: record.operation.reason().to_owned(),
            note: describe(&self.entry()),
            key: record.id.clone(),
        }
    }
}

/// The records of `seen` that `before` does not have yet, oldest first.
///
/// A full log has forgotten everything older than its oldest entry, so nothing older than that is new.
pub(super) fn unseen<'a>(seen: &'a [SeenRecord], before: &[Activity]) -> Vec<&'a SeenRecord> {
    let horizon = (before.len() >= RECORDS_MAX)
        .then(|| before.last().map(|oldest| age(oldest.time.0, &oldest.record_id)))
        .flatten();
    let mut new: Vec<_> = seen
        .iter()
        .filter(|seen| horizon.is_none_or(|oldest| age(to_second(seen.record.at).0, &seen.record.id) > oldest))
        // One that was in progress when it was first seen is news again when it has ended.
        .filter(|seen| {
            before.iter().all(|entry| entry.record_id != seen.record.id || entry.result != seen.record.status)
        })
        .collect();
    new.sort_by(|a, b| (a.record.at, &a.record.id).cmp(&(b.record.at, &b.record.id)));
    new
}

/// `before` with what the feed has seen, newest first.
pub(super) fn merge(before: &[Activity], seen: &[SeenRecord]) -> Vec<Activity> {
    let mut log: Vec<_> = unseen(seen, before).into_iter().map(SeenRecord::entry).collect();
    let is_old = |entry: &&Activity| log.iter().all(|new| new.record_id != entry.record_id);
    let kept: Vec<_> = before.iter().filter(is_old).cloned().collect();
    log.extend(kept);
    log.sort_by(|a, b| age(b.time.0, &b.record_id).cmp(&age(a.time.0, &a.record_id)));
    log.truncate(RECORDS_MAX);
    log
}

/// By which entries are ordered. A status keeps whole seconds, but ids end in the moment in ticks of 100 ns, which tells
/// the correction from the drift it corrects within the same second; where they do not, the text decides.
fn age(second: Timestamp, record_id: &str) -> (Timestamp, u64, &str) {
    let ticks = record_id.rsplit('_').next().and_then(|ticks| ticks.parse().ok()).unwrap_or_default();
    (second, ticks, record_id)
}

/// The condition `ActivityRecorded`. `is_pending`: a write of ours has not shown yet.
pub(super) fn verdict(log: &[Activity], is_pending: bool) -> Verdict {
    if is_pending {
        return Verdict::no(
            "RecordPending",
            "the operator's last write has not appeared in Partner Center's activity log yet",
        );
    }
    match log.first() {
        None => {
            Verdict::no("NoRecord", "Partner Center has no activity record of this customer's purchase permissions")
        }
        Some(newest) => Verdict::yes(reason_of(&newest.operation), describe(newest)),
    }
}

fn reason_of(operation: &str) -> &'static str {
    use crate::model::ActivityOperation::{Create, Delete, Other, Update};
    [Create, Update, Delete]
        .into_iter()
        .find(|known| known.portal_name() == operation)
        .unwrap_or(Other(String::new()))
        .reason()
}

fn describe(entry: &Activity) -> String {
    let who = match (entry.origin, entry.actor.as_deref()) {
        (ActivityOrigin::Operator, Some(actor)) => format!("by this operator as {actor}"),
        (ActivityOrigin::Operator, None) => "by this operator".to_owned(),
        (ActivityOrigin::RivalOperator, Some(actor)) => format!("by another installation of the operator as {actor}"),
        (ActivityOrigin::RivalOperator, None) => "by another installation of the operator".to_owned(),
        (_, Some(actor)) => format!("by {actor}"),
        (_, None) => "by somebody whom the record does not name".to_owned(),
    };
    let correlation = entry.correlation_id.as_deref().map(|id| format!(", correlation id {id}")).unwrap_or_default();
    format!("{} at {} {who}: {}{correlation}", entry.operation, entry.time.0, entry.result)
}
