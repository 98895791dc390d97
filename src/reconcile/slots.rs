//! Places for passes: so many run side by side, and the most urgent ones begin first.
//!
//! A pass may wait long for its turn to call Partner Center. A thousand new permissions would so stand in the way of a
//! revoke that needs two calls, if passes began in the order in which they came. So whoever has no place yet waits in a
//! queue by urgency, and revokes have as many places again for themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::Urgency;
use crate::plan::ObjectName;
use crate::remote::{Errand, Place, Queue};

/// The places for the passes of one kind.
#[derive(Debug)]
pub(super) struct Slots {
    /// For all.
    common: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    queue: Queue<Arc<Notify>>,
    /// Of the passes that run or wait; never two of one object.
    errands: HashMap<ObjectName, Errand>,
    is_closed: bool,
}

/// A place that is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    name: ObjectName,
}

impl Slots {
    /// So many for all, and as many for revokes only.
    pub(super) fn new(common: u16) -> Self {
        Self { common: common.into(), state: Mutex::default() }
    }

    /// Waits for a place. `None` once no work shall begin any more.
    pub(super) async fn enter(&self, name: &ObjectName, errand: &Errand) -> Option<Slot<'_>> {
        let mut raised = errand.follow();
        let standing = Standing::join(self, name, errand);
        loop {
            let asked = self.state().ask(standing.place, self.common);
            match asked {
                Asked::Granted => return Some(Slot { slots: self, name: name.clone() }),
                Asked::Refused => return None,
                Asked::Later => {}
            }
            tokio::select! {
                () = standing.wake.notified() => {}
                Ok(()) = raised.changed() => self.state().queue.raise(standing.place, *raised.borrow_and_update()),
            }
        }
    }

    /// Makes the pass of this object as urgent, whether it waits for a place or runs already.
    pub(super) fn hurry(&self, name: &ObjectName, urgency: Urgency) {
        let errand = self.state().errands.get(name).cloned();
        if let Some(errand) = errand {
            errand.raise(urgency);
        }
    }

    /// Lets no pass begin any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        for wake in state.queue.iter() {
            wake.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.running -= 1;
        state.errands.remove(&self.name);
        state.wake_next(self.slots.common);
    }
}

enum Asked {
    Granted,
    Later,
    Refused,
}

impl State {
    fn ask(&mut self, place: Place, common: usize) -> Asked {
        if self.is_closed {
            return Asked::Refused;
        }
        if self.next(common).is_none_or(|(next, _)| next != place) {
            return Asked::Later;
        }
        self.queue.serve(place);
        self.running += 1;
        Asked::Granted
    }

    fn next(&self, common: usize) -> Option<(Place, &Arc<Notify>)> {
        let running = self.running;
        self.queue.next(|urgency, _| running < common || (urgency == Urgency::Revoke && running < 2 * common))
    }

    fn wake_next(&self, common: usize) {
        if let Some((_, wake)) = self.next(common) {
            wake.notify_one();
        }
    }
}

/// A place in the queue, which is left when this is dropped.
struct Standing<'a> {
    slots: &'a Slots,
    name: &'a ObjectName,
    place: Place,
    wake: Arc<Notify>,
}

impl<'a> Standing<'a> {
    fn join(slots: &'a Slots, name: &'a ObjectName, errand: &Errand) -> Self {
        let wake = Arc::new(Notify::new());
        let mut state = slots.state();
        let place = state.queue.join(errand.urgency(), Arc::clone(&wake));
        state.errands.insert(name.clone(), errand.clone());
        Self { slots, name, place, wake }
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        if state.queue.leave(self.place).is_some() {
            // Dropped while it waited: there will be no pass.
            state.errands.remove(self.name);
        }
        // Served or not: there may be room for another one.
        state.wake_next(self.slots.common);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use Urgency::{Change, Revoke, Sweep};
    use tokio::task::{JoinHandle, LocalSet};

    use super::*;

    fn name(name: &str) -> ObjectName {
        ObjectName { namespace: "ns".to_owned(), name: name.to_owned() }
    }

    #[derive(Clone)]
    struct Scene {
        slots: Rc<Slots>,
        begun: Rc<RefCell<Vec<&'static str>>>,
    }

    impl Scene {
        fn new(common: u16) -> Self {
            Self { slots: Rc::new(Slots::new(common)), begun: Rc::default() }
        }

        /// A pass that ends when it is aborted.
        fn pass(&self, object: &'static str, urgency: Urgency) -> JoinHandle<()> {
            let scene = self.clone();
            tokio::task::spawn_local(async move {
                let errand = Errand::new(urgency);
                let Some(_slot) = scene.slots.enter(&name(object), &errand).await else { return };
                scene.begun.borrow_mut().push(object);
                std::future::pending::<()>().await;
            })
        }

        fn check(&self, expected: &[&str]) {
            assert_eq!(*self.begun.borrow(), expected);
        }
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_revoke_needs_no_place_that_others_hold_and_others_follow_by_urgency() {
        LocalSet::new()
            .run_until(async {
                let scene = Scene::new(2);
                let first = scene.pass("s1", Sweep);
                for (object, urgency) in [("s2", Sweep), ("s3", Sweep), ("c1", Change), ("r1", Revoke)] {
                    scene.pass(object, urgency);
                    settle().await;
                }
                scene.check(&["s1", "s2", "r1"]);
                let revoke = scene.pass("r2", Revoke);
                scene.pass("r3", Revoke);
                settle().await;
                scene.check(&["s1", "s2", "r1", "r2"]);
                first.abort();
                settle().await;
                scene.check(&["s1", "s2", "r1", "r2", "r3"]);
                revoke.abort();
                settle().await;
                scene.check(&["s1", "s2", "r1", "r2", "r3"]);
            })
            .await;
    }

    #[tokio::test]
    async fn a_pass_that_waits_is_hurried_when_its_object_becomes_urgent() {
        LocalSet::new()
            .run_until(async {
                let scene = Scene::new(1);
                for object in ["running", "s1", "s2"] {
                    scene.pass(object, Sweep);
                    settle().await;
                }
                scene.slots.hurry(&name("s2"), Revoke);
                scene.slots.hurry(&name("unknown"), Revoke);
                settle().await;
                scene.check(&["running", "s2"]);
            })
            .await;
    }

    #[tokio::test]
    async fn nobody_holds_a_place_after_being_dropped_and_nobody_begins_after_the_end() {
        LocalSet::new()
            .run_until(async {
                let scene = Scene::new(1);
                let running = scene.pass("running", Sweep);
                settle().await;
                let waiting = scene.pass("dropped", Sweep);
                let last = scene.pass("last", Sweep);
                settle().await;
                waiting.abort();
                settle().await;
                running.abort();
                settle().await;
                scene.check(&["running", "last"]);
                let late = scene.pass("late", Revoke);
                let later = scene.pass("later", Sweep);
                settle().await;
                scene.slots.close();
                later.await.unwrap();
                scene.check(&["running", "last", "late"]);
                last.abort();
                late.abort();
                settle().await;
                assert!(scene.slots.state().errands.is_empty());
                assert_eq!(scene.slots.state().running, 0);
            })
            .await;
    }
}
