//! What is known of every namespace.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::plan::namespace::NamespaceRule;

/// The rules of all namespaces.
#[derive(Debug)]
pub(in crate::reconcile) struct Namespaces {
    pub(super) allow_all: bool,
    state: Mutex<State>,
    /// Whether passes need not wait any more.
    is_settled: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    rules: HashMap<String, NamespaceRule>,
    /// Namespaces whose rule was asked for and not known: their objects are to be looked at again.
    asked_in_vain: HashSet<String>,
    /// Why there is no list, where the API server refuses it.
    why_unlisted: Option<String>,
}

impl Namespaces {
    /// Nothing is known yet. `allow_all`: nor need it be.
    pub(in crate::reconcile) fn new(allow_all: bool) -> Self {
        Self { allow_all, state: Mutex::default(), is_settled: watch::Sender::new(allow_all) }
    }

    /// Waits until all rules are known, or for so long that it is not waited for any more.
    pub(in crate::reconcile) async fn settled(&self) {
        // The sender lives as long as this.
        let _ = self.is_settled.subscribe().wait_for(|is_settled| *is_settled).await;
    }

    /// Lets nobody wait any more.
    pub(in crate::reconcile) fn stop_waiting(&self) {
        self.is_settled.send_replace(true);
    }

    /// For whom a namespace may act.
    pub(in crate::reconcile) fn rule(&self, namespace: &str) -> NamespaceRule {
        if self.allow_all {
            return NamespaceRule::All;
        }
        let mut state = self.state();
        if let Some(rule) = state.rules.get(namespace) {
            return rule.clone();
        }
        if !state.asked_in_vain.contains(namespace) {
            state.asked_in_vain.insert(namespace.to_owned());
        }
        NamespaceRule::Unknown { why: state.why_unlisted.clone() }
    }

    /// Notes the rule of a namespace, or that it is gone. Says whether that is news to anybody.
    pub(super) fn note(&self, namespace: &str, rule: Option<&NamespaceRule>) -> bool {
        let mut state = self.state();
        let was_asked = state.asked_in_vain.remove(namespace);
        let before = match rule {
            Some(rule) => state.rules.insert(namespace.to_owned(), rule.clone()),
            None => state.rules.remove(namespace),
        };
        before.as_ref() != rule && (before.is_some() || was_asked)
    }

    pub(super) fn known(&self) -> Vec<String> {
        self.state().rules.keys().cloned().collect()
    }

    pub(super) fn unlisted(&self, why: Option<String>) {
        self.state().why_unlisted = why;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_asked_in_vain_is_told_and_nobody_else() {
        let namespaces = Namespaces::new(false);
        let all = NamespaceRule::All;
        assert!(!namespaces.note("quiet", Some(&all)), "nobody has looked yet");
        assert!(
            namespaces.note("quiet", Some(&NamespaceRule::of(None))),
            "whoever has looked since has seen the old one"
        );
        assert!(!namespaces.note("quiet", Some(&NamespaceRule::of(None))));
        namespaces.unlisted(Some("forbidden".to_owned()));
        assert_eq!(namespaces.rule("asked"), NamespaceRule::Unknown { why: Some("forbidden".to_owned()) });
        assert!(namespaces.note("asked", Some(&all)));
        assert_eq!(namespaces.rule("asked"), all);
        assert!(namespaces.note("asked", None));
    }
}
