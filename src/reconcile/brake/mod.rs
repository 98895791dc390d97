//! The brake: who may send a first grant, and who waits.
//!
//! The planner hears only whether there is room. The shell takes a ticket right before the grant is sent; it counts from
//! then on, whatever becomes of this process, unless Partner Center has refused the grant for certain.

pub(super) mod follow;
mod ledger;
mod queue;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::Client;

use super::error::{Error, SetupError};
use crate::plan::permission::GrantBudget;
use crate::plan::{Identity, ObjectName};

pub(super) use ledger::Ticket;
use ledger::{Ledger, Moment};
use queue::Queue;
use store::Store;

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

/// How the brake stands.
#[derive(Debug)]
pub(super) struct Look {
    /// First grants that may go out within an hour.
    limit: u32,
    /// Those that have.
    used: u32,
    /// Objects that wait for room.
    waiting: usize,
    /// Those of them that may go on now.
    due: Vec<ObjectName>,
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

    /// Lets nothing out any more, and gives back what was reserved and not used. For a process that ends and has no pass
    /// under way; what one leaves reserved that ends otherwise counts for an hour.
    pub(super) async fn close(&self) -> Result<(), kube::Error> {
        let mut remembered = self.remembered.lock().await;
        if !self.state().ledger.close(Moment::now()) {
            return Ok(());
        }
        for _ in 0..TRIES_MAX {
            let found = self.store.get().await?;
            if found.is_nowhere() {
                // It may be gone for good, together with everything else of the operator's.
                return Ok(());
            }
            let text = {
                let mut state = self.state();
                if found.text != *remembered {
                    state.ledger.absorb(found.text.as_deref(), Moment::now());
                    remembered.clone_from(&found.text);
                }
                state.ledger.text()
            };
            if self.store.put(&found, &text).await? {
                *remembered = Some(text);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks at who may go on. `exists`: whether an object, by name and UID, still does.
    pub(super) fn look(&self, exists: impl Fn(&ObjectName, &str) -> bool) -> Look {
        let (mut state, now) = (self.state(), Moment::now());
        state.queue.prune(exists);
        let free = state.ledger.free(now);
        let due = state.queue.offer(free, now.steady);
        Look { limit: state.ledger.limit(), used: state.ledger.used(now), waiting: state.queue.len(), due }
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
