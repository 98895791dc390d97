//! Which permissions are on, as their Customers need to know it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::api::PurchasesPermitted;
use crate::plan::ObjectName;
use crate::plan::customer::purchases::tells;

/// Which permissions are on, and which Customers need not tell so yet.
#[derive(Debug, Default)]
pub(super) struct Permits {
    state: Mutex<State>,
    /// Whenever a Customer's status has been written, or a Customer has gone.
    told: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By UID.
    on: HashSet<String>,
    /// Since when a permission of these Customers was seen to be on.
    untold: HashMap<ObjectName, Timestamp>,
}

impl Permits {
    /// Since when a permission was seen to be on, while its Customer may not tell so.
    pub(super) fn seen_on(&self, customer: &ObjectName) -> Option<Timestamp> {
        self.state().untold.get(customer).copied()
    }

    /// Notes what a Customer tells.
    pub(super) fn told(&self, customer: &ObjectName, window: Option<&PurchasesPermitted>) {
        let mut state = self.state();
        if state.untold.get(customer).is_some_and(|since| tells(window, *since)) {
            state.untold.remove(customer);
        }
        drop(state);
        self.told.notify_waiters();
    }

    /// Forgets a permission or a Customer that is gone.
    pub(super) fn forget(&self, uid: &str, name: &ObjectName, is_customer: bool) {
        let mut state = self.state();
        state.on.remove(uid);
        if is_customer {
            state.untold.remove(name);
        }
        drop(state);
        self.told.notify_waiters();
    }

    /// Notes whether the permission with this UID is on; says whether it was not so before.
    pub(super) fn turned(&self, uid: &str, is_on: bool) -> bool {
        let on = &mut self.state().on;
        if is_on { on.insert(uid.to_owned()) } else { on.remove(uid) }
    }

    /// Keeps that a permission of this Customer was on at `since` until the Customer tells so.
    pub(super) fn remember(&self, customer: ObjectName, since: Timestamp) {
        self.state().untold.insert(customer, since);
    }

    /// Waits until it is told what somebody waits for. Asks whenever any Customer's status has been written, or one has gone:
    /// who waits must not have a Customer looked at each time, or many that wait would keep each other busy.
    pub(super) async fn until_told(&self, is_told: impl Fn() -> bool) {
        loop {
            let mut told = std::pin::pin!(self.told.notified());
            told.as_mut().enable();
            if is_told() {
                return;
            }
            told.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn a_customer_is_woken_once_for_each_time_that_a_permission_is_turned() {
        let permits = Permits::default();
        let turned = [false, true, true, false, false, true].map(|is_on| permits.turned("uid", is_on));
        assert_eq!(turned, [false, true, false, true, false, true]);
    }

    #[tokio::test]
    async fn who_waits_is_done_when_what_it_waits_for_is_told_and_not_before() {
        let permits = Permits::default();
        let names = ["fabrikam", "tailspin"].map(|name| ObjectName { namespace: "ns".into(), name: name.into() });
        let since = "2026-03-02T12:00:00Z".parse().unwrap();
        for name in &names {
            permits.remember(name.clone(), since);
        }
        let open = PurchasesPermitted { since: Time(since), until: None };
        let asked = std::cell::Cell::new(0);
        let mut waits = std::pin::pin!(permits.until_told(|| {
            asked.set(asked.get() + 1);
            permits.seen_on(&names[0]).is_none()
        }));
        for (told, is_done, times) in
            [(None, false, 1), (Some(&names[1]), false, 2), (None, false, 2), (Some(&names[0]), true, 3)]
        {
            if let Some(name) = told {
                permits.told(name, Some(&open));
            }
            assert_eq!((futures::poll!(waits.as_mut()).is_ready(), asked.get()), (is_done, times), "{told:?}");
        }
    }

    #[test]
    fn what_was_seen_is_remembered_until_the_customer_tells_it() {
        let permits = Permits::default();
        let name = ObjectName { namespace: "ns".into(), name: "fabrikam".into() };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let since = at("2026-03-02T12:00:00.5Z");
        permits.remember(name.clone(), since);
        let window = |until: Option<&str>| PurchasesPermitted {
            since: Time(at("2026-03-01T08:00:00Z")),
            until: until.map(|until| Time(at(until))),
        };
        for (told, is_remembered) in
            [(None, true), (Some(window(Some("2026-03-02T11:59:59Z"))), true), (Some(window(None)), false)]
        {
            permits.told(&name, told.as_ref());
            assert_eq!(permits.seen_on(&name).is_some(), is_remembered, "{told:?}");
        }
        permits.remember(name.clone(), since);
        permits.told(&name, Some(&window(Some("2026-03-02T12:00:00Z"))));
        assert_eq!(permits.seen_on(&name), None, "to the second");
    }
}
