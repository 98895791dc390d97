//! The objects of one kind as they are now: the watch's view, and our own writes that it does not show yet.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::mpsc;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt as _};

use crate::plan::ObjectName;

/// All objects of one kind.
///
/// A pass that follows right after a write would else see the object of before the write, and do everything twice.
#[derive(Debug)]
pub(super) struct Objects<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    store: Store<K>,
    /// Our own writes, by UID, until the watch shows them.
    written: Mutex<HashMap<String, Arc<K>>>,
    wake: mpsc::UnboundedSender<ObjectRef<K>>,
}

impl<K> Objects<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    /// Objects of the watch behind `store`; names to look at are sent to `wake`.
    pub(super) fn new(store: Store<K>, wake: mpsc::UnboundedSender<ObjectRef<K>>) -> Self {
        Self { store, written: Mutex::default(), wake }
    }

    /// The object of that name, as new as we know it.
    pub(super) fn get(&self, name: &ObjectName) -> Option<Arc<K>> {
        let object = self.store.get(&ObjectRef::new(&name.name).within(&name.namespace))?;
        Some(self.newest(object))
    }

    /// `object`, or what we have written of it since.
    pub(super) fn newest(&self, object: Arc<K>) -> Arc<K> {
        let Some(uid) = object.meta().uid.as_ref() else { return object };
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.get(uid) {
            Some(ours) if version(ours.as_ref()) > version(object.as_ref()) => Arc::clone(ours),
            Some(_) | None => object,
        }
    }

    /// Notes what the API server answered to a write of ours.
    pub(super) fn wrote(&self, object: Arc<K>) {
        if let Some(uid) = object.meta().uid.clone() {
            self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, object);
        }
    }

    /// Notes what the watch shows. Says whether it is news: not just the echo of our own last write.
    pub(super) fn is_news(&self, seen: &K) -> bool {
        let Some(uid) = seen.meta().uid.as_ref() else { return true };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.get(uid) {
            Some(ours) if version(ours.as_ref()) > version(seen) => false,
            Some(ours) => {
                let is_echo = ours.resource_version() == seen.resource_version();
                written.remove(uid);
                !is_echo
            }
            None => true,
        }
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Has an object looked at soon.
    pub(super) fn wake(&self, name: &ObjectName) {
        // The receiver goes only at shutdown, when nobody is to be woken any more.
        let _ = self.wake.unbounded_send(ObjectRef::new(&name.name).within(&name.namespace));
    }

    /// Has all objects looked at soon.
    pub(super) fn wake_all(&self) {
        for object in self.store.state() {
            let _ = self.wake.unbounded_send(ObjectRef::from_obj(object.as_ref()));
        }
    }
}

/// Resource versions of one kind grow; Kubernetes has promised so since 1.35. One that is no number counts as oldest, so
/// that the watch is believed.
fn version<K: Resource>(object: &K) -> Option<u64> {
    object.meta().resource_version.as_ref()?.parse().ok()
}
