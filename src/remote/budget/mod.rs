//! How many calls Microsoft is sent, and which go first when there are more.
//!
//! Lives here: one bucket of tokens for each service, which every send takes a token from, repeated and refused ones
//! included, for the services count those too; the [`Queue`] in front of it; and what is learned from an answer of 429.
//! Sign-ins are not counted: Microsoft Entra has limits of its own, far above one redemption an hour for each tenant.
//!
//! May come in: the one send path, which waits here before it asks the fence. The reconciler says by an [`Errand`] how
//! urgent a pass is, and uses the same [`Queue`] for the places of its passes.
//!
//! Never found here: a request, a reason why something is urgent, or a wait that counts as a failure.
//!
//! A wait has no limit of its own: what is waited for comes by itself, and what is more urgent overtakes. Only a pause
//! that a service has asked for is not waited out: whoever would have to is told to come back after it, so that nobody
//! holds a place that others could use. A call that may be sent for a while only stops waiting when that is over.

mod allowance;
mod bucket;
mod errand;
mod metrics;
mod pauses;
mod queue;
#[cfg(test)]
mod tests;

use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::model::{TenantId, Urgency};

use super::answer::Answer;
use super::retry_after::retry_after;
use super::{Cause, Operation, Service};

pub use allowance::Allowance;
pub use errand::Errand;
pub use queue::{Place, Queue};

use allowance::Speed;
use bucket::Bucket;
use errand::Turn;
use metrics::Counters;
use pauses::{Pauses, Subject};

/// Longest pause that is waited out.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long after it was taken a turn may be used: what is added to the window in [`Allowance`] allows for as much. One
/// that was not used in time is lost, and its place in the queue is kept for the next one.
const TURN_LASTS: Duration = Duration::from_secs(1);

/// Pause after a complaint that does not say how long: limits are counted by the minute.
const PAUSE_DEFAULT: Duration = Duration::from_mins(1);

/// What closing leaves to those who come too late; the process ends before.
const AFTER_CLOSING: Duration = Duration::from_secs(10);

/// Azure counts by subscription and caller: 250 reads at once, and 25 a second. A customer's subscription is sent a
/// handful in a day. What is limited here is the sum of all, so that a mistake of ours is no flood.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>
const AZURE: Allowance = Allowance::per_minute(NonZeroU16::new(6_000).unwrap());

/// Graph counts by application and tenant, by what a request costs: 3,500 units in 10 seconds for the smallest tenants.
/// <https://learn.microsoft.com/graph/throttling-limits>
const GRAPH: Allowance = Allowance::per_minute(NonZeroU16::new(3_000).unwrap());

/// The budgets of one partner. Copies are the same.
#[derive(Debug, Clone)]
pub(super) struct Budgets {
    partner_center: Arc<Budget>,
    azure: Arc<Budget>,
    graph: Arc<Budget>,
}

/// What the send path tells of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) operation: Operation,
    pub(super) customer: Option<TenantId>,
}

impl Budgets {
    pub(super) fn new(partner_center: Allowance) -> Self {
        Self {
            partner_center: Arc::new(Budget::new(Service::PartnerCenter, partner_center)),
            azure: Arc::new(Budget::new(Service::Azure, AZURE)),
            graph: Arc::new(Budget::new(Service::Graph, GRAPH)),
        }
    }

    /// Waits until a call may be sent; uses a turn that was reserved, if there is one.
    pub(super) async fn turn(&self, errand: &Errand, about: About) -> Result<(), Cause> {
        let service = about.operation.service();
        if errand.use_reserved(service, TURN_LASTS) {
            return Ok(());
        }
        self.of(about).turn(errand, about.subject()).await?;
        errand.give_up(service);
        Ok(())
    }

    /// Waits until a call may be sent, and keeps the turn for a second. One that is kept already and can still be used
    /// will do.
    pub(super) async fn reserve(&self, errand: &Errand, about: About) -> Result<(), Cause> {
        let service = about.operation.service();
        if !errand.has_reserved(service, TURN_LASTS) {
            let turn = self.of(about).turn(errand, about.subject()).await?;
            errand.reserve(service, turn);
        }
        Ok(())
    }

    /// Takes in how a call that was sent at `sent_at` was answered.
    pub(super) fn learn(&self, about: About, sent_at: Instant, answer: &Answer) {
        let budget = self.of(about);
        if answer.status.as_u16() == 429 {
            let wait = retry_after(&answer.headers).unwrap_or(PAUSE_DEFAULT);
            budget.complained(about.subject(), sent_at, wait);
        } else {
            budget.answered();
        }
    }

    /// Lets nobody wait any more.
    pub(super) fn close(&self) {
        for budget in self.all() {
            budget.close();
        }
    }

    fn all(&self) -> [&Budget; 3] {
        [&self.partner_center, &self.azure, &self.graph]
    }

    fn of(&self, about: About) -> &Budget {
        match about.operation.service() {
            Service::PartnerCenter => &self.partner_center,
            Service::Azure => &self.azure,
            Service::Graph => &self.graph,
        }
    }
}

impl About {
    fn subject(self) -> Subject {
        Subject { customer: self.customer, interface: self.operation.interface() }
    }
}

/// The budget of one service.
#[derive(Debug)]
struct Budget {
    service: Service,
    state: Mutex<State>,
    counters: Counters,
}

#[derive(Debug)]
struct State {
    queue: Queue<Waiter>,
    bucket: Bucket,
    speed: Speed,
    pauses: Pauses,
    /// When the speed was last halved.
    halved_at: Option<Instant>,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiter {
    subject: Subject,
    wake: Arc<Notify>,
}

/// What has come of asking for a turn.
enum Asked {
    Granted,
    /// To be asked for again at this moment, or when woken.
    NotBefore(Instant),
    /// Others are first.
    LaterThanOthers,
    /// Not worth waiting for.
    Refused(Duration),
}

impl Budget {
    fn new(service: Service, allowance: Allowance) -> Self {
        let state = State {
            queue: Queue::default(),
            bucket: Bucket::new(allowance),
            speed: Speed::new(allowance),
            pauses: Pauses::default(),
            halved_at: None,
            is_closed: false,
        };
        Self { service, state: Mutex::new(state), counters: Counters::default() }
    }

    /// Waits for a token. Who is dropped while waiting leaves the queue, and has taken nothing.
    ///
    /// Who has had a turn that ran out before it could be used waits where it stood then, not behind those who came
    /// later: whatever it was that took so long, it would be in vain after each long wait.
    async fn turn(&self, errand: &Errand, subject: Subject) -> Result<Turn, Cause> {
        let mut raised = errand.follow();
        let began = Instant::now();
        let kept = errand.place(self.service);
        let place = Standing::join(self, *raised.borrow_and_update(), kept, subject);
        let _wait = errand.wait();
        loop {
            let asked = place.ask();
            let until = match asked {
                Asked::Granted => {
                    self.counters.waited(errand.urgency(), began.elapsed());
                    return Ok(Turn { place: place.place, at: Instant::now() });
                }
                Asked::Refused(wait) => return Err(Cause::Paused { wait }),
                Asked::NotBefore(at) => Some(at),
                Asked::LaterThanOthers => None,
            };
            let timer = async {
                match until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = place.wake.notified() => {}
                () = timer => {}
                Ok(()) = raised.changed() => place.raise(*raised.borrow_and_update()),
            }
        }
    }

    fn complained(&self, subject: Subject, sent_at: Instant, wait: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        self.counters.throttled();
        if state.pauses.complained(subject, wait, now) {
            // Calls that were under way together complain together: that is one complaint.
            if state.halved_at.is_none_or(|halved_at| sent_at > halved_at) {
                state.speed.halve();
                state.halved_at = Some(now);
                tracing::warn!(
                    service = self.service.label(),
                    pause_s = wait.as_secs(),
                    calls_per_minute = state.speed.calls(),
                    "the service limits the rate of requests; the rate is halved, and grows again with every answer"
                );
            }
        }
        state.wake_all();
    }

    fn answered(&self) {
        self.state().speed.grow();
    }

    fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.wake_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ask(&mut self, place: Place, subject: Subject) -> Asked {
        if self.is_closed {
            return Asked::Refused(AFTER_CLOSING);
        }
        let now = Instant::now();
        if let Some(end) = self.pauses.end(subject, now) {
            let wait = end.duration_since(now);
            return if wait > PATIENCE { Asked::Refused(wait) } else { Asked::NotBefore(end) };
        }
        if self.next(now).is_none_or(|(next, _)| next != place) {
            return Asked::LaterThanOthers;
        }
        match self.bucket.take(self.speed.cost()) {
            Ok(()) => {
                self.queue.serve(place);
                Asked::Granted
            }
            Err(wait) => Asked::NotBefore(now + wait),
        }
    }

    fn next(&self, now: Instant) -> Option<(Place, &Waiter)> {
        self.queue.next(|_, waiter| self.pauses.end(waiter.subject, now).is_none())
    }

    /// Has the next one ask.
    fn wake_next(&self) {
        if let Some((_, waiter)) = self.next(Instant::now()) {
            waiter.wake.notify_one();
        }
    }

    fn wake_all(&self) {
        for waiter in self.queue.iter() {
            waiter.wake.notify_one();
        }
    }

    /// Calls that could be sent now.
    fn available(&self) -> u32 {
        if self.pauses.are_general(Instant::now()) { 0 } else { self.bucket.tokens() / self.speed.cost() }
    }
}

/// A place in the queue, which is left when this is dropped.
struct Standing<'a> {
    budget: &'a Budget,
    place: Place,
    subject: Subject,
    wake: Arc<Notify>,
}

impl<'a> Standing<'a> {
    fn join(budget: &'a Budget, urgency: Urgency, kept: Option<Place>, subject: Subject) -> Self {
        let wake = Arc::new(Notify::new());
        let waiter = Waiter { subject, wake: Arc::clone(&wake) };
        let mut state = budget.state();
        let place = match kept {
            Some(place) => state.queue.rejoin(urgency, place, waiter),
            None => state.queue.join(urgency, waiter),
        };
        drop(state);
        Self { budget, place, subject, wake }
    }

    fn ask(&self) -> Asked {
        self.budget.state().ask(self.place, self.subject)
    }

    fn raise(&self, urgency: Urgency) {
        self.budget.state().queue.raise(self.place, urgency);
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        // Served or not: the next one may have waited for this one.
        state.queue.leave(self.place);
        state.wake_next();
    }
}
