//! On whose behalf calls are made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::Urgency;
use crate::remote::Service;

use super::Place;

/// What one pass, or one poll, has calls made for: how urgent it is, and how long it has waited for its turns.
///
/// Copies are the same errand.
#[derive(Debug, Clone)]
pub struct Errand(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    urgency: watch::Sender<Urgency>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many waits are under way, and since when there is one.
    waits: usize,
    since: Option<Instant>,
    /// Of the waits that are over.
    total: Duration,
    /// Turns that have been taken and not been used yet.
    reserved: BTreeMap<Service, Turn>,
}

/// A turn that was given at this moment to who stood here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) place: Place,
    pub(super) at: Instant,
}

impl Turn {
    fn is_younger_than(self, age_max: Duration) -> bool {
        self.at.elapsed() <= age_max
    }
}

/// A wait that lasts as long as this lives.
#[derive(Debug)]
pub struct Wait<'a>(&'a Errand);

impl Errand {
    /// A new one.
    pub fn new(urgency: Urgency) -> Self {
        Self(Arc::new(Inner { urgency: watch::Sender::new(urgency), state: Mutex::default() }))
    }

    /// How urgent it is now.
    pub fn urgency(&self) -> Urgency {
        *self.0.urgency.borrow()
    }

    /// Makes it more urgent, also where it waits already. It never becomes less urgent.
    pub fn raise(&self, urgency: Urgency) {
        self.0.urgency.send_if_modified(|now| {
            let is_higher = urgency < *now;
            *now = urgency.min(*now);
            is_higher
        });
    }

    /// Tells of changes of its urgency.
    pub fn follow(&self) -> watch::Receiver<Urgency> {
        self.0.urgency.subscribe()
    }

    /// Notes that it waits for something that is no fault of its own, until the guard is dropped.
    pub fn wait(&self) -> Wait<'_> {
        let mut state = self.state();
        state.waits += 1;
        state.since.get_or_insert_with(Instant::now);
        Wait(self)
    }

    /// Whether it waits now.
    pub fn is_waiting(&self) -> bool {
        self.state().waits > 0
    }

    /// How long it has waited so far; waits side by side count once.
    pub fn waited(&self) -> Duration {
        let state = self.state();
        state.total + state.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Gives what is done for it so much time; `None` when that is over. What it waits for its turns does not count.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        /// Between two looks at an errand that waits.
        const LOOK: Duration = Duration::from_secs(1);
        let (began, waited) = (Instant::now(), self.waited());
        let mut work = std::pin::pin!(work);
        loop {
            let left = (limit + self.waited().saturating_sub(waited)).saturating_sub(began.elapsed());
            let is_waiting = self.is_waiting();
            if left.is_zero() && !is_waiting {
                return None;
            }
            let look = if is_waiting { left.max(LOOK) } else { left };
            if let Ok(done) = tokio::time::timeout(look, &mut work).await {
                return Some(done);
            }
        }
    }

    /// Keeps a turn that has just been taken.
    pub(super) fn reserve(&self, service: Service, turn: Turn) {
        self.state().reserved.insert(service, turn);
    }

    /// Whether a turn is kept that is not older than `age_max`.
    pub(super) fn has_reserved(&self, service: Service, age_max: Duration) -> bool {
        self.state().reserved.get(&service).is_some_and(|turn| turn.is_younger_than(age_max))
    }

    /// Uses the turn that is kept, unless it is older than `age_max`.
    pub(super) fn use_reserved(&self, service: Service, age_max: Duration) -> bool {
        let mut state = self.state();
        let is_usable = state.reserved.get(&service).is_some_and(|turn| turn.is_younger_than(age_max));
        if is_usable {
            state.reserved.remove(&service);
        }
        is_usable
    }

    /// Where it stood for the turn that is kept, usable or not.
    pub(super) fn place(&self, service: Service) -> Option<Place> {
        self.state().reserved.get(&service).map(|turn| turn.place)
    }

    /// Keeps no turn any more, nor the place of one.
    pub(super) fn give_up(&self, service: Service) {
        self.state().reserved.remove(&service);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.waits -= 1;
        if state.waits == 0
            && let Some(since) = state.since.take()
        {
            state.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_side_by_side_count_once() {
        let errand = Errand::new(Urgency::Sweep);
        let second = Duration::from_secs(1);
        let first = errand.wait();
        tokio::time::advance(second).await;
        let other = errand.wait();
        tokio::time::advance(second).await;
        assert!(errand.is_waiting());
        assert_eq!(errand.waited(), second * 2, "also while they last");
        drop(first);
        tokio::time::advance(second).await;
        drop(other);
        tokio::time::advance(second).await;
        assert_eq!((errand.waited(), errand.is_waiting()), (second * 3, false));
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_waits_for_its_turns_is_not_counted_against_it() {
        let (errand, limit, began) = (Errand::new(Urgency::Sweep), Duration::from_secs(10), Instant::now());
        assert_eq!(errand.within(limit, pending::<()>()).await, None);
        assert!(began.elapsed() < limit * 2);
        let work = async {
            let wait = errand.wait();
            tokio::time::sleep(limit * 50).await;
            drop(wait);
            tokio::time::sleep(limit / 2).await;
        };
        assert_eq!(errand.within(limit, work).await, Some(()));
        let work = async {
            let wait = errand.wait();
            tokio::time::sleep(limit).await;
            drop(wait);
            pending::<()>().await;
        };
        assert_eq!(errand.within(limit, work).await, None, "but only that, and not what it waited before");
    }

    #[test]
    fn an_errand_only_becomes_more_urgent() {
        let errand = Errand::new(Urgency::Drift);
        errand.raise(Urgency::Sweep);
        assert_eq!(errand.urgency(), Urgency::Drift);
        errand.clone().raise(Urgency::Revoke);
        assert_eq!(errand.urgency(), Urgency::Revoke);
    }
}
