//! Drift: which switches, by whom, and the events that tell of it and of all other news.

use jiff::Timestamp;

use super::super::activity::unseen;
use super::super::drift::CORRECTIONS_MAX;
use super::super::facts::Attempt;
use super::super::held::Held;
use super::super::pass::Pass;
use super::super::switches::{get, wished};
use super::author::{Turned, names, told};
use super::{Outcome, Report};
use crate::api::{CustomerPurchasePermissionStatus, Drift, SwitchState};
use crate::model::Switch;
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
    pub(super) fn show_drift(&self, report: &Report, turned: &[Turned], status: &mut CustomerPurchasePermissionStatus) {
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
        status.drift = turned.iter().map(|one| one.drift.clone()).collect();
    }

    /// What is done about each of the switches, in words.
    fn remedy(&self, report: &Report, turned: &[Turned]) -> String {
        let target = report.target();
        let is_left = |one: &&Turned| target.is_some_and(|it| it.left.contains(&one.switch));
        let is_due = |one: &&Turned| {
            target.is_some_and(|it| it.revokes.contains(&one.switch) || it.grants.contains(&one.switch))
        };
        let left = names(turned.iter().filter(is_left));
        let due = names(turned.iter().filter(is_due));
        let withheld = names(turned.iter().filter(|one| !is_left(one) && !is_due(one)));
        let (are, them) = if turned.len() == 1 { ("is", "it") } else { ("are", "them") };
        let what = format!("{} {are} not as declared any more", names(turned));
        let policy = self.desired.drift_policy;
        match (due.is_empty(), left.is_empty(), withheld.is_empty()) {
            (false, true, true) => format!("{what}; the operator turns {them} back"),
            (true, false, true) => format!("{what}, and driftPolicy {policy:?} leaves {them} so"),
            (true, true, _) => format!("{what}, and cannot be turned back yet"),
            _ => {
                let due = (!due.is_empty()).then(|| format!("the operator turns {due} back"));
                let withheld = (!withheld.is_empty()).then(|| format!("{withheld} cannot be turned back yet"));
                let left = (!left.is_empty()).then(|| format!("driftPolicy {policy:?} leaves {left} so"));
                format!("{what}; {}", [due, withheld, left].into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Since when the status shows that a switch is not as wished.
    fn drifted_since(&self, switch: Switch) -> Option<Timestamp> {
        let status = get(self.before.effective.as_ref()?, switch)?;
        (wished(self.latches.wishes.of(switch)) != Some(status.state)).then_some(status.since.0)
    }

    /// An event for every record that is news, with the drift that it tells of, and one for a drift that no record tells of.
    pub(super) fn events(&self, report: &Report, turned: &[Turned]) -> Vec<Event> {
        let news = unseen(&self.facts.activity, &self.before.recent_activity)
            .into_iter()
            // What happened before the object was made is history, not news.
            .filter(|seen| seen.record.at >= self.desired.identity.created);
        let mut untold = turned.to_vec();
        let mut events = Vec::new();
        for seen in news {
            let mut event = seen.event();
            let (by_it, rest): (Vec<_>, Vec<_>) =
                untold.into_iter().partition(|one| one.named_by.as_ref() == Some(&seen.record.id));
            untold = rest;
            if !by_it.is_empty() {
                event.note = format!("{}. {}", event.note, self.remedy(report, &by_it));
                if by_it.iter().any(|one| one.drift.actor != seen.record.actor) {
                    event.note = format!("{}. {}", event.note, told(&by_it));
                }
            }
            events.push(event);
        }
        // Not by `Synced`: a correction that fails hides the drift behind its own reason.
        untold.retain(|one| self.drifted_since(one.switch).is_none());
        if !untold.is_empty() {
            // Since when it had been right: the same until the status tells of the drift, another one later.
            let shown = self.before.effective.as_ref();
            let right_since =
                untold.iter().filter_map(|one| get(shown?, one.switch)).map(|status| status.since.0).max();
            let right_since = right_since.unwrap_or_else(|| to_second(self.now).0);
            events.push(Event {
                severity: Severity::Warning,
                reason: "Drifted".to_owned(),
                note: format!("{}. {}", self.remedy(report, &untold), told(&untold)),
                key: format!("Drifted/{}/{right_since}", names(&untold)),
            });
        }
        events
    }
}
