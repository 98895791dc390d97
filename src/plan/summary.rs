//! `Ready`, `Reconciling` and `Stalled`: the three conditions that kstatus, Argo CD and Flux read.

use super::conditions::{ConditionType, Conditions, Truth, Verdict};
use super::{Event, Severity};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Reason of a permission whose first grant waits for room.
pub(super) const GRANT_BUDGET_EXCEEDED: &str = "GrantBudgetExceeded";

/// How an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situation {
    /// Every wish holds for this generation.
    Holds,
    /// A write is due, or waits for something that may come by itself.
    InProgress,
    /// Nothing goes on until a person acts.
    PersonMustAct,
    /// Somebody else has changed something, and it is left so as declared.
    Drifted,
    /// `Observe`: what is seen is current.
    Observed,
    /// `Suspend`: nobody looks.
    Suspended,
}

/// The three conditions of a situation. `None` leaves `Ready` as it was.
///
/// The table:
///
/// | situation | Ready | Reconciling | Stalled |
/// |---|---|---|---|
/// | holds | True | False | False |
/// | in progress | False | True | False |
/// | a person must act | False | False | True |
/// | drift that is left in place | False | False | False |
/// | observed | True | False | False |
/// | suspended | as before | False | False |
const TABLE: [(Situation, Option<Truth>, Truth, Truth); 6] = [
    (Situation::Holds, Some(Truth::True), Truth::False, Truth::False),
    (Situation::InProgress, Some(Truth::False), Truth::True, Truth::False),
    (Situation::PersonMustAct, Some(Truth::False), Truth::False, Truth::True),
    (Situation::Drifted, Some(Truth::False), Truth::False, Truth::False),
    (Situation::Observed, Some(Truth::True), Truth::False, Truth::False),
    (Situation::Suspended, None, Truth::False, Truth::False),
];

impl Situation {
    /// Ready (`None`: as before), Reconciling and Stalled.
    pub fn summary(self) -> (Option<Truth>, Truth, Truth) {
        TABLE
            .into_iter()
            .find(|(situation, ..)| *situation == self)
            .map_or((Some(Truth::False), Truth::True, Truth::False), |(_, ready, reconciling, stalled)| {
                (ready, reconciling, stalled)
            })
    }
}

/// Sets the three conditions. kstatus prints the message of `Reconciling` or `Stalled`, not that of `Ready`, so the cause
/// stands in both.
pub(super) fn summarize(conditions: &mut Conditions<'_>, situation: Situation, reason: &'static str, message: &str) {
    let (ready, reconciling, stalled) = situation.summary();
    match ready {
        Some(truth) => {
            conditions.set(ConditionType::Ready, Verdict { truth, reason, message: message.to_owned() });
        }
        None => suspend(conditions, reason),
    }
    let when = |truth| match truth {
        Truth::True => (reason, message.to_owned()),
        Truth::False | Truth::Unknown => ("Idle", "nothing is under way".to_owned()),
    };
    let (progress, what) = when(reconciling);
    conditions.set(ConditionType::Reconciling, Verdict { truth: reconciling, reason: progress, message: what });
    let (stall, why) = match stalled {
        Truth::True => (reason, message.to_owned()),
        Truth::False | Truth::Unknown => ("NotStalled", "it goes on by itself as soon as it can".to_owned()),
    };
    conditions.set(ConditionType::Stalled, Verdict { truth: stalled, reason: stall, message: why });
}

/// `Ready` keeps its status; its message tells what that was, once.
fn suspend(conditions: &mut Conditions<'_>, reason: &'static str) {
    match conditions.before(ConditionType::Ready) {
        Some(before) if before.reason == reason => conditions.keep(ConditionType::Ready),
        Some(before) => {
            let truth = if before.status == Truth::True.as_str() { Truth::True } else { Truth::False };
            let message = format!(
                "suspended; before, Ready was {} since {} ({}): {}",
                before.status, before.last_transition_time.0, before.reason, before.message
            );
            conditions.set(ConditionType::Ready, Verdict { truth, reason, message });
        }
        None => conditions.set(ConditionType::Ready, Verdict::no(reason, "suspended before it was ever looked at")),
    }
}

/// The event of a change of `Ready` between two statuses, if it changed: at most one for a whole pass.
pub fn transition(before: &[Condition], after: &[Condition]) -> Option<Event> {
    let ready = super::conditions::find(after, ConditionType::Ready)?;
    let was = super::conditions::find(before, ConditionType::Ready);
    if was.is_some_and(|was| (&was.status, &was.reason) == (&ready.status, &ready.reason)) {
        return None;
    }
    // What is said of the brake is said once, on the operator: behind it there may be thousands.
    if ready.reason == GRANT_BUDGET_EXCEEDED {
        return None;
    }
    // Suspending is what somebody asked for, and what is just being done is what it was asked for.
    let is_as_asked = ["Suspended", "PendingWrite", "Changing"].contains(&ready.reason.as_str());
    let is_warning = ready.status != Truth::True.as_str() && !is_as_asked;
    Some(Event {
        severity: if is_warning { Severity::Warning } else { Severity::Normal },
        reason: ready.reason.clone(),
        note: ready.message.clone(),
        key: format!(
            "{}/{}/{}/{}",
            ready.status,
            ready.reason,
            ready.observed_generation.unwrap_or_default(),
            was.map(|was| was.last_transition_time.0.to_string()).unwrap_or_default()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_situation_has_its_row() {
        use Situation::{Holds, InProgress, Observed, PersonMustAct, Suspended};
        for (situation, expected) in [
            (Holds, "Ready=True Reconciling=False Stalled=False"),
            (InProgress, "Ready=False Reconciling=True Stalled=False"),
            (PersonMustAct, "Ready=False Reconciling=False Stalled=True"),
            (Observed, "Ready=True Reconciling=False Stalled=False"),
            (Suspended, "Ready=False Reconciling=False Stalled=False"),
        ] {
            let mut conditions = Conditions::new(&[], 1, jiff::Timestamp::UNIX_EPOCH);
            summarize(&mut conditions, situation, "Why", "because");
            let text: Vec<_> = conditions.finish().iter().map(|c| format!("{}={}", c.type_, c.status)).collect();
            assert_eq!(text.join(" "), expected, "{situation:?}");
        }
    }

    #[test]
    fn suspending_keeps_ready_and_tells_since_when_just_once() {
        let pass = |before: &[Condition], now: &str, situation, reason| {
            let mut conditions = Conditions::new(before, 1, now.parse().unwrap());
            summarize(&mut conditions, situation, reason, "all well");
            conditions.finish()
        };
        let ready = pass(&[], "2026-03-01T08:00:00Z", Situation::Holds, "InSync");
        let first = pass(&ready, "2026-03-01T09:00:00Z", Situation::Suspended, "Suspended");
        assert_eq!(first[0].status, "True");
        assert_eq!(first[0].message, "suspended; before, Ready was True since 2026-03-01T08:00:00Z (InSync): all well");
        assert_eq!(pass(&first, "2026-03-01T10:00:00Z", Situation::Suspended, "Suspended"), first);
    }

    #[test]
    fn a_pass_that_changes_nothing_has_no_event() {
        let pass = |reason| {
            let mut conditions = Conditions::new(&[], 1, jiff::Timestamp::UNIX_EPOCH);
            summarize(&mut conditions, Situation::InProgress, reason, "because");
            conditions.finish()
        };
        assert_eq!(transition(&pass("A"), &pass("A")), None);
        assert_eq!(transition(&pass("A"), &pass("B")).unwrap().reason, "B");
        assert_eq!(transition(&[], &pass("A")).unwrap().severity, Severity::Warning);
        for under_way in ["PendingWrite", "Changing"] {
            assert_eq!(transition(&[], &pass(under_way)).unwrap().severity, Severity::Normal);
        }
    }
}
