//! Who has turned which switch, as far as the activity log tells.
//!
//! Records tell who and when, never which switch. So a record names whoever turned what drifted between two readings, and
//! nothing that had drifted before; what has a name keeps it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::activity::{self, unseen};
use super::super::held::Held;
use super::super::pass::Pass;
use super::super::switches::{get, wished, word};
use super::Report;
use crate::api::{Activity, ActivityOrigin, Drift};
use crate::model::ActivityOperation::{Create, Delete, Update};
use crate::model::Switch;
use crate::plan::to_second;

/// The clocks of a record and of this machine may differ by so much, and a record still count as after another moment.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// One switch that somebody else has turned.
#[derive(Debug, Clone)]
pub(super) struct Turned {
    pub(super) switch: Switch,
    /// As the status shows it.
    pub(super) drift: Drift,
    /// Id of the record that has named the actor in this very pass.
    pub(super) named_by: Option<String>,
    /// Whether the status of before did not have it yet.
    pub(super) is_new: bool,
}

impl Turned {
    fn is_named(&self) -> bool {
        self.drift.actor.is_some() || self.drift.correlation_id.is_some()
    }

    fn who(&self) -> &str {
        match (&self.drift.actor, &self.drift.correlation_id) {
            (Some(actor), _) => actor,
            (None, Some(_)) => "somebody whom the record does not name",
            (None, None) => "somebody whom the activity log does not name yet",
        }
    }
}

/// Who has turned which, in words.
pub(super) fn told(turned: &[Turned]) -> String {
    match turned {
        [first, second] if first.who() != second.who() => {
            format!("{} was turned by {}, {} by {}", first.switch, first.who(), second.switch, second.who())
        }
        [one] => format!("{} was turned by {}", one.switch, one.who()),
        all => format!("{} were turned by {}", names(all), all.first().map_or("nobody", Turned::who)),
    }
}

/// The switches, in words.
pub(super) fn names<'a>(turned: impl IntoIterator<Item = &'a Turned>) -> String {
    turned.into_iter().map(|one| one.switch.to_string()).collect::<Vec<_>>().join(" and ")
}

impl Pass<'_> {
    /// What has drifted, with its actors. `drifted`: the switches that were as wished and are not any more.
    pub(super) fn turned(&self, report: &Report, drifted: &[Switch]) -> Vec<Turned> {
        let describe = |switch: &Switch| {
            let expected = wished(self.latches.wishes.of(*switch))?;
            let actual = word(report.held.allows(*switch)?);
            let known =
                self.before.drift.iter().find(|drift| drift.switch == switch.to_string() && drift.actual == actual);
            let drift = known.map_or_else(
                || Drift {
                    switch: switch.to_string(),
                    since: to_second(self.now),
                    expected,
                    actual,
                    actor: None,
                    correlation_id: None,
                },
                |known| Drift { expected, ..known.clone() },
            );
            Some(Turned { switch: *switch, drift, named_by: None, is_new: known.is_none() })
        };
        let mut turned: Vec<_> = drifted.iter().filter_map(describe).collect();
        // What was seen earlier was turned earlier: its record is not that of what has drifted since.
        let mut taken = BTreeSet::new();
        for is_new in [false, true] {
            self.name(report, &mut turned, is_new, &mut taken);
        }
        turned
    }

    /// Names who has turned what has no name yet, of what is new or of what is not.
    fn name(&self, report: &Report, turned: &mut [Turned], is_new: bool, taken: &mut BTreeSet<String>) {
        let unnamed: Vec<_> =
            turned.iter().filter(|one| one.is_new == is_new && !one.is_named()).map(|one| one.switch).collect();
        // How many were on before and after.
        let is_on = |switch| report.held.allows(switch).unwrap_or_default();
        let is_later = |switch| !is_new && turned.iter().any(|one| one.switch == switch && one.is_new);
        let count = |is_on: &dyn Fn(Switch) -> bool| Switch::ALL.into_iter().filter(|switch| is_on(*switch)).count();
        let after = count(&|switch| is_on(switch) != is_later(switch));
        let before = count(&|switch| is_on(switch) != (is_later(switch) || unnamed.contains(&switch)));
        let found: Vec<_> = turned
            .iter()
            .map(|one| {
                if !unnamed.contains(&one.switch) {
                    return Vec::new();
                }
                let records: Vec<_> =
                    self.candidates(one).into_iter().filter(|record| !taken.contains(&record.record_id)).collect();
                let ways = ways(&records, before, after).filter(|_| !holds_others(&report.held));
                let rivals = unnamed.iter().filter(|switch| is_on(**switch) == is_on(one.switch)).count();
                authors(records, ways.as_deref(), is_on(one.switch), rivals)
            })
            .collect();
        for (one, authors) in turned.iter_mut().zip(found) {
            let Some(newest) = authors.first() else { continue };
            taken.extend(authors.iter().map(|record| record.record_id.clone()));
            one.named_by = Some(newest.record_id.clone());
            let mut actors: Vec<_> = authors.iter().filter_map(|record| record.actor.as_deref()).collect();
            actors.dedup();
            one.drift.actor = (!actors.is_empty()).then(|| actors.join(" or "));
            // Of several requests, nothing tells which it was.
            one.drift.correlation_id = newest.correlation_id.clone().filter(|_| authors.len() == 1);
        }
    }

    /// The records that may tell who has turned a switch, newest first.
    fn candidates(&self, turned: &Turned) -> Vec<Activity> {
        let seen_at = (!turned.is_new).then_some(turned.drift.since.0);
        let applied_since = self
            .before
            .last_applied
            .as_ref()
            .and_then(|applied| get(applied, turned.switch))
            .map(|applied| applied.since.0);
        let news: BTreeSet<_> = unseen(&self.facts.activity, &self.before.recent_activity)
            .into_iter()
            .map(|seen| seen.record.id.as_str())
            .collect();
        // What the status knows besides the switches, the reading that it shows has come after.
        let is_news = |entry: &Activity| self.before.effective.is_none() || news.contains(entry.record_id.as_str());
        activity::merge(&self.before.recent_activity, &self.facts.activity)
            .into_iter()
            .filter(|entry| !entry.result.eq_ignore_ascii_case("failed"))
            .filter(|entry| seen_at.is_none_or(|seen_at| self.may_be_before(entry.time.0, seen_at)))
            // What was put right has been turned again since. A write of ours after the switch was seen like this was about
            // the other one.
            .filter(|entry| {
                entry.origin != ActivityOrigin::Operator || seen_at.is_none_or(|seen_at| entry.time.0 < seen_at)
            })
            .take_while(|entry| entry.origin != ActivityOrigin::Operator)
            .filter(is_news)
            // A record from before the switches were right cannot tell of what has changed since. Its clock is not ours.
            .filter(|entry| {
                applied_since.is_none_or(|since| entry.time.0.saturating_add(CLOCKS_DIFFER).is_ok_and(|at| at >= since))
            })
            .collect()
    }

    /// Whether what a service says happened at `at` may have happened when this machine's clock showed `moment`.
    fn may_be_before(&self, at: Timestamp, moment: Timestamp) -> bool {
        let ahead = self.facts.clock_ahead.unwrap_or_default();
        // Both, and how far the clocks are apart, are known to the second.
        let latest =
            moment.saturating_sub(ahead).and_then(|latest| latest.saturating_add(SignedDuration::from_secs(1)));
        latest.is_ok_and(|latest| at <= latest)
    }
}

fn holds_others(held: &Held) -> bool {
    matches!(held, Held::Read { state, .. } if state.policy().is_some_and(|policy| !policy.permissions.others().is_empty()))
}

/// For each of the records (newest first) whether it has turned a switch on, by how many were on; `None` where that does
/// not add up: one may be missing, or have turned both.
fn ways(records: &[Activity], before: usize, after: usize) -> Option<Vec<bool>> {
    let mut on = before;
    let mut ways = Vec::new();
    for record in records.iter().rev() {
        let operation = record.operation.as_str();
        let next = match on {
            0 if operation == Create.portal_name() => 1,
            1 if operation == Update.portal_name() => 2,
            2 if operation == Update.portal_name() => 1,
            1 | 2 if operation == Delete.portal_name() => 0,
            _ => return None,
        };
        ways.push(next > on);
        on = next;
    }
    ways.reverse();
    (on == after).then_some(ways)
}

/// Which of the records (newest first) tell of the switch that is now on, or off; several where nothing tells which of
/// them. `rivals`: how many switches these records may be about.
fn authors(records: Vec<Activity>, ways: Option<&[bool]>, is_on: bool, rivals: usize) -> Vec<Activity> {
    let fits = |(index, record): (usize, &Activity)| match ways {
        Some(ways) => ways[index] == is_on,
        // What is gone allows nothing, and what is new has denied nothing: the record that tells of it is still to come.
        None => record.operation != if is_on { Delete.portal_name() } else { Create.portal_name() },
    };
    let fitting: Vec<bool> = records.iter().enumerate().map(fits).collect();
    let Some(first) = fitting.iter().position(|fits| *fits) else { return Vec::new() };
    let same = fitting[first..].iter().take_while(|fits| **fits).count();
    records.into_iter().skip(first).take(same.min(rivals)).collect()
}
