//! Drift: which switches, by whom, and the events that tell of it and of all other news.

use jiff::Timestamp;

use super::super::activity::{self, unseen};
use super::super::drift::CORRECTIONS_MAX;
use super::super::facts::Attempt;
use super::super::held::Held;
use super::super::pass::Pass;
use super::super::switches::{get, wished, word};
use super::super::target::Target;
use super::{Outcome, Report};
use crate::api::{Activity, ActivityOrigin, CustomerPurchasePermissionStatus, Drift, SwitchState};
use crate::model::{Origin, Switch};
use crate::plan::{Event, Severity, to_second};

impl Pass<'_> {
    /// The switches that were as wished when we last looked, and are not any more.
    pub(super) fn drifted(&self, report: &Report) -> Vec<Switch> {
        if !matches!(report.outcome, Outcome::Enforced { .. }) {
            return Vec::new();
        }
        Switch::ALL.into_iter().filter(|switch| self.has_drifted(*switch, &report.held)).collect()
    }

    /// The drift in the status.
    pub(super) fn show_drift(
        &self,
        report: &Report,
        drifted: &[Switch],
        status: &mut CustomerPurchasePermissionStatus,
    ) {
        if self.is_asked_anew() {
            status.corrections.clear();
        }
        if self.facts.attempt == Attempt::Accepted {
            let is_turned_on_again = |drift: &Drift| {
                let switch = Switch::ALL.into_iter().find(|switch| switch.to_string() == drift.switch);
                drift.expected == SwitchState::Allow && switch.and_then(|it| report.held.allows(it)) == Some(true)
            };
            if self.before.drift.iter().any(is_turned_on_again) {
                status.corrections.push(to_second(self.now));
                let surplus = status.corrections.len().saturating_sub(CORRECTIONS_MAX);
                status.corrections.drain(..surplus);
            }
        }
        let is_looked_at = matches!(report.held, Held::Read { .. } | Held::Remembered { .. });
        if matches!(report.outcome, Outcome::Enforced { .. }) && !is_looked_at {
            // Nobody knows better.
            return;
        }
        if matches!(report.outcome, Outcome::Suspended) {
            return;
        }
        let describe = |switch: &Switch| {
            let known = self.before.drift.iter().find(|drift| drift.switch == switch.to_string());
            let expected = wished(self.latches.wishes.of(*switch))?;
            let actual = word(report.held.allows(*switch)?);
            let record = self.newest_foreign(&[*switch]);
            let known = known.filter(|known| known.actual == actual);
            let (actor, correlation_id) = match record {
                Some(record) => (record.actor, record.correlation_id),
                None => known.map_or((None, None), |known| (known.actor.clone(), known.correlation_id.clone())),
            };
            let since = known.map_or_else(|| to_second(self.now), |known| known.since.clone());
            Some(Drift { switch: switch.to_string(), since, expected, actual, actor, correlation_id })
        };
        status.drift = drifted.iter().filter_map(describe).collect();
    }

    /// Who has turned a switch, as far as the activity log tells.
    pub(super) fn culprit(&self, drifted: &[Switch]) -> String {
        match self.newest_foreign(drifted) {
            Some(entry) => {
                let actor = entry.actor.as_deref().unwrap_or("somebody whom the record does not name");
                format!("{actor} at {}", entry.time.0)
            }
            None => "somebody whom the activity log does not name yet".to_owned(),
        }
    }

    /// Since when the status shows that a switch is not as wished.
    fn drifted_since(&self, switch: Switch) -> Option<Timestamp> {
        let status = get(self.before.effective.as_ref()?, switch)?;
        (wished(self.latches.wishes.of(switch)) != Some(status.state)).then_some(status.since.0)
    }

    /// The newest record of somebody else, unless one of ours tells that it was put right afterwards.
    fn newest_foreign(&self, drifted: &[Switch]) -> Option<Activity> {
        let applied_since = self.before.last_applied.as_ref().and_then(|applied| {
            drifted.iter().filter_map(|switch| get(applied, *switch)).map(|status| status.since.0).max()
        });
        // A write of ours after this moment was about the other switch: this one is still as it was then.
        let drifted_since = drifted.iter().filter_map(|switch| self.drifted_since(*switch)).min();
        activity::merge(&self.before.recent_activity, &self.facts.activity)
            .into_iter()
            .filter(|entry| !entry.result.eq_ignore_ascii_case("failed"))
            .find(|entry| {
                entry.origin != ActivityOrigin::Operator || drifted_since.is_none_or(|since| entry.time.0 <= since)
            })
            .filter(|entry| entry.origin != ActivityOrigin::Operator)
            // A record from before the switches were right cannot tell of what has changed since. Its clock is not ours.
            .filter(|entry| {
                applied_since.is_none_or(|since| {
                    entry.time.0.saturating_add(jiff::SignedDuration::from_mins(5)).is_ok_and(|at| at >= since)
                })
            })
    }

    /// An event for every record that is news, and one for a drift that no record tells of.
    pub(super) fn events(&self, report: &Report, drifted: &[Switch]) -> Vec<Event> {
        let news: Vec<_> = unseen(&self.facts.activity, &self.before.recent_activity)
            .into_iter()
            // What happened before the object was made is history, not news.
            .filter(|seen| seen.record.at >= self.desired.identity.created)
            .collect();
        let culprit = news.iter().rposition(|seen| seen.origin != Origin::Own);
        let mut events: Vec<_> = news.iter().map(|seen| seen.event()).collect();
        if drifted.is_empty() {
            return events;
        }
        let what = drifted.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let is_left = report.target().is_some_and(|target| drifted.iter().all(|switch| target.left.contains(switch)));
        let then = if is_left {
            format!("{what} is not as declared any more, and driftPolicy {:?} leaves it so", self.desired.drift_policy)
        } else if report.target().is_some_and(Target::is_due) {
            format!("{what} is not as declared any more; the operator turns it back")
        } else {
            format!("{what} is not as declared any more, and cannot be turned back yet")
        };
        if let Some(index) = culprit {
            events[index].note = format!("{}. {then}", events[index].note);
            return events;
        }
        // Not by `Synced`: a correction that fails hides the drift behind its own reason.
        if drifted.iter().any(|switch| self.drifted_since(*switch).is_none()) {
            // Since when it had been right: the same until the status tells of the drift, another one later.
            let shown = self.before.effective.as_ref();
            let right_since =
                drifted.iter().filter_map(|switch| get(shown?, *switch)).map(|status| status.since.0).max();
            let right_since = right_since.unwrap_or_else(|| to_second(self.now).0);
            events.push(Event {
                severity: Severity::Warning,
                reason: "Drifted".to_owned(),
                note: format!("{then}. By {}", self.culprit(drifted)),
                key: format!("Drifted/{what}/{right_since}"),
            });
        }
        events
    }
}
