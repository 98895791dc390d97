//! The brake: who may send a first grant, and who waits.
//!
//! The planner hears only whether there is room. The shell takes a ticket right before the grant is sent; it counts from
//! then on, whatever becomes of this process, unless Partner Center has refused the grant for certain.

mod ledger;
mod queue;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;

use super::context::Context;
use super::error::{Error, SetupError};
use super::outage::Operator;
use crate::plan::permission::GrantBudget;
use crate::plan::{Identity, ObjectName};

pub(super) use ledger::Ticket;
use ledger::{Ledger, Moment};
use queue::Queue;
use store::Store;

/// Between two looks at who may go on.
const LOOK: Duration = Duration::from_secs(1);
/// Times that a reservation is tried while others write to the same `ConfigMap`.
const TRIES_MAX: usize = 8;

/// First grants of the last hour, and who waits for the next.
#[derive(Debug)]
pub(super) struct Brake {
    state: Mutex<State>,
    /// One reservation at a time. With it, what was last seen outside the process.
    remembered: tokio::sync::Mutex<Option<String>>,
    store: Store,
}

#[derive(Debug)]
struct State {
    ledger: Ledger,
    queue: Queue,
}

impl Brake {
    /// With what earlier processes have counted.
    pub(super) async fn load(
        client: Client,
        namespace: &str,
        config_map: &str,
        limit: u32,
    ) -> Result<Self, SetupError> {
        let store = Store::new(client, namespace, config_map);
        let found = store.get().await.map_err(|source| SetupError::State {
            namespace: namespace.to_owned(),
            name: config_map.to_owned(),
            source: Box::new(source),
        })?;
        let mut ledger = Ledger::new(limit);
        ledger.absorb(found.text.as_deref(), Moment::now());
        let state = Mutex::new(State { ledger, queue: Queue::default() });
        Ok(Self { state, remembered: tokio::sync::Mutex::new(found.text), store })
    }

    /// Whether there is room for a first grant of this object.
    pub(super) fn budget(&self, identity: &Identity) -> GrantBudget {
        let now = Moment::now();
        let mut state = self.state();
        let free = state.ledger.free(now);
        GrantBudget { limit: state.ledger.limit(), has_room: state.queue.has_room(identity, free, now.steady) }
    }

    /// Notes whether an object waits for room.
    pub(super) fn waits(&self, identity: &Identity, waits: bool) {
        let queue = &mut self.state().queue;
        if waits {
            queue.join(identity);
        } else {
            queue.leave(identity);
        }
    }

    /// Counts a first grant that is about to be sent. `None`: there is no room any more.
    pub(super) async fn take(&self, identity: &Identity) -> Result<Option<Ticket>, Error> {
        let failed = |source| Error::Kubernetes { what: "count a first grant", source: Box::new(source) };
        let mut remembered = self.remembered.lock().await;
        for _ in 0..TRIES_MAX {
            let taken = self.state().take(identity);
            if taken.is_some() {
                return Ok(taken);
            }
            let found = self.store.get().await.map_err(failed)?;
            let next = {
                let (mut state, now) = (self.state(), Moment::now());
                if found.text != *remembered {
                    state.ledger.absorb(found.text.as_deref(), now);
                    remembered.clone_from(&found.text);
                }
                state.ledger.reserving(now)
            };
            let Some(next) = next else { return Ok(None) };
            let text = next.text();
            if self.store.put(&found, &text).await.map_err(failed)? {
                *remembered = Some(text);
                self.state().ledger.adopt(next);
            }
        }
        Ok(None)
    }

    /// Counts a grant no longer that has certainly had no effect.
    pub(super) fn give_back(&self, ticket: Ticket) {
        self.state().ledger.give_back(ticket);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, identity: &Identity) -> Option<Ticket> {
        let ticket = self.ledger.take(Moment::now())?;
        self.queue.leave(identity);
        Some(ticket)
    }
}

/// Has those who wait go on as soon as there is room, and tells once that there is none; for ever.
pub(super) async fn follow(context: Arc<Context>, operator: Arc<Operator>) {
    let mut is_told = false;
    loop {
        let exists = |name: &ObjectName, uid: &str| {
            context.permissions.get(name).is_some_and(|object| object.metadata.uid.as_deref() == Some(uid))
        };
        let (limit, used, waiting, due) = {
            let (mut state, now) = (context.brake.state(), Moment::now());
            state.queue.prune(exists);
            let free = state.ledger.free(now);
            let due = state.queue.offer(free, now.steady);
            (state.ledger.limit(), state.ledger.used(now), state.queue.len(), due)
        };
        context.metrics.brake(limit, used, waiting);
        for name in &due {
            context.permissions.wake(name);
        }
        if waiting > 0 && !is_told {
            let note = format!(
                "More first grants are due than --max-grants-per-hour ({limit}) lets out; those that wait say GrantBudgetExceeded, and revokes and corrections go on. If somebody has merged what was not meant, take it back now. If it is meant and cannot wait, start the operator with a higher number."
            );
            tracing::warn!(limit, waiting, "{note}");
            operator.tell(&context, "GrantBudgetExceeded", note).await;
        }
        is_told = waiting > 0;
        tokio::time::sleep(LOOK).await;
    }
}
