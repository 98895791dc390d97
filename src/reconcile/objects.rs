//! The objects of one kind as they are now: the watch's view, and our own writes that it does not show yet.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        let written = self.written();
        let seen = self.store.get(&ObjectRef::new(&name.name).within(&name.namespace))?;
        Some(newer(&written, &seen))
    }

    /// `object` as new as we know it now.
    pub(super) fn newest(&self, object: Arc<K>) -> Arc<K> {
        // The lock is held while the store is asked, and taken before: a write of ours is forgotten once the store has
        // it, and in between it would be in neither.
        let written = self.written();
        let seen = self.store.get(&ObjectRef::from_obj(object.as_ref()));
        let is_later =
            |seen: &Arc<K>| seen.meta().uid == object.meta().uid && version(seen.as_ref()) > version(object.as_ref());
        newer(&written, &seen.filter(is_later).unwrap_or(object))
    }

    /// Notes what the API server answered to a write of ours.
    pub(super) fn wrote(&self, object: Arc<K>) {
        let Some(uid) = object.meta().uid.clone() else { return };
        let mut written = self.written();
        // The watch may have been faster than the answer: it has shown this already, or that the object is gone.
        let seen = self.store.get(&ObjectRef::from_obj(object.as_ref()));
        if seen.is_some_and(|seen| version(seen.as_ref()) < version(object.as_ref())) {
            written.insert(uid, object);
        }
    }

    /// Notes what the watch shows. Says whether it is news: not just the echo of our own last write.
    pub(super) fn is_news(&self, seen: &K) -> bool {
        let Some(uid) = seen.meta().uid.as_ref() else { return true };
        let mut written = self.written();
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
        self.written().remove(uid);
    }

    /// Has an object looked at soon.
    pub(super) fn wake(&self, name: &ObjectName) {
        // The receiver goes only at shutdown, when nobody is to be woken any more.
        let _ = self.wake.unbounded_send(ObjectRef::new(&name.name).within(&name.namespace));
    }

    /// Whether any object is so, as the watch shows them.
    pub(super) fn any(&self, is_so: impl Fn(&K) -> bool) -> bool {
        self.store.state().iter().any(|object| is_so(object))
    }

    /// Has all objects looked at soon.
    pub(super) fn wake_all(&self) {
        for object in self.store.state() {
            let _ = self.wake.unbounded_send(ObjectRef::from_obj(object.as_ref()));
        }
    }

    /// Has all objects of a namespace looked at soon; gives their names.
    pub(super) fn wake_in(&self, namespace: &str) -> Vec<ObjectName> {
        let all = self.store.state();
        let there = all.iter().filter(|object| object.meta().namespace.as_deref() == Some(namespace));
        there
            .map(|object| {
                let name = ObjectName { namespace: namespace.to_owned(), name: object.name_any() };
                self.wake(&name);
                name
            })
            .collect()
    }

    fn written(&self) -> MutexGuard<'_, HashMap<String, Arc<K>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What we have written of `seen` since, or `seen`.
fn newer<K: Resource>(written: &HashMap<String, Arc<K>>, seen: &Arc<K>) -> Arc<K> {
    let ours = seen.meta().uid.as_ref().and_then(|uid| written.get(uid));
    ours.filter(|ours| version(ours.as_ref()) > version(seen.as_ref())).map_or_else(|| Arc::clone(seen), Arc::clone)
}

/// Resource versions of one kind grow; Kubernetes has promised so since 1.35. One that is no number counts as oldest, so
/// that the watch is believed.
fn version<K: Resource>(object: &K) -> Option<u64> {
    object.meta().resource_version.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use kube::runtime::reflector::store;
    use kube::runtime::watcher::Event;

    use super::*;
    use crate::api::{AzurePlanPolicy, CostManagement, Customer, CustomerSpec};

    fn customer(version: u32) -> Customer {
        let spec = CustomerSpec {
            tenant_id: "c1a0c1a0-1111-4a11-8a11-000000000001".into(),
            cost_management: CostManagement::Unmanaged,
            azure_plan: AzurePlanPolicy::Verify,
            indirect_reseller: None,
        };
        let mut customer = Customer::new("fabrikam", spec);
        customer.metadata.namespace = Some("ns".into());
        customer.metadata.uid = Some("uid".into());
        customer.metadata.resource_version = Some(version.to_string());
        customer
    }

    fn newest(objects: &Objects<Customer>, held: u32) -> Option<String> {
        objects.newest(Arc::new(customer(held))).resource_version()
    }

    #[test]
    fn a_write_is_known_from_its_answer_on_whatever_the_watch_shows_when() {
        let (reader, mut writer) = store();
        let objects = Objects::new(reader, mpsc::unbounded().0);
        let mut show = |version| {
            writer.apply_watcher_event(&Event::Apply(customer(version)));
            objects.is_news(&customer(version))
        };
        assert!(show(8));
        objects.wrote(Arc::new(customer(10)));
        assert_eq!(newest(&objects, 8).as_deref(), Some("10"), "not shown yet");
        assert!(!show(9), "older than our own write");
        assert!(!show(10), "the echo of our own write");
        // A pass that began before the echo still holds what it was given.
        assert_eq!(newest(&objects, 8).as_deref(), Some("10"), "shown");
        assert!(show(11));
        objects.wrote(Arc::new(customer(11)));
        assert!(objects.written().is_empty(), "the watch was faster than the answer");
    }
}
