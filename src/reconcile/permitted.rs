//! From permissions to their Customers: since when one is on. The Customer's status keeps that, for a permission may be gone
//! before its purchases are looked for.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::context::Context;
use super::customer::reference;
use super::driver::Pass;
use super::permission::Permission;
use crate::api::{
    CustomerPurchasePermission, CustomerPurchasePermissionStatus, Mode, PurchasesPermitted, SwitchState, SwitchStatus,
};
use crate::model::TenantId;
use crate::plan::customer::Permitted;
use crate::plan::customer::purchases::tells;
use crate::plan::permission::Desired;
use crate::plan::{CustomerRef, ObjectName};

/// How long a permission that is deleted may be held until its Customer tells of it. That takes one write to the API server;
/// when it takes longer, only a process that ends before it is done loses anything.
const HELD_MAX: Duration = Duration::from_secs(5);

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
    fn turned(&self, uid: &str, is_on: bool) -> bool {
        let on = &mut self.state().on;
        if is_on { on.insert(uid.to_owned()) } else { on.remove(uid) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether any permission that names this Customer is on for its tenant.
pub(super) fn permitted(context: &Context, customer: &ObjectName, tenant: TenantId) -> Permitted {
    let names = context.index().permissions_of_customer(customer);
    let (mut on, mut off) = (None::<Timestamp>, None::<Timestamp>);
    let (mut is_suspended, mut is_unknown) = (false, false);
    for object in names.iter().filter_map(|name| context.permissions.get(name)) {
        let status = object.status.clone().unwrap_or_default();
        if status.tenant_id.is_some_and(|other| other != tenant.to_string()) {
            continue;
        }
        if object.spec.mode == Mode::Suspend {
            is_suspended = true;
            continue;
        }
        let effective = status.effective.unwrap_or_default();
        let switches: Vec<SwitchStatus> =
            [effective.azure_reservations, effective.azure_savings_plans].into_iter().flatten().collect();
        is_unknown |= switches.is_empty() || switches.iter().any(|switch| switch.state == SwitchState::Unknown);
        for switch in switches {
            let since = switch.since.0;
            match switch.state {
                SwitchState::Allow => on = Some(on.map_or(since, |on| on.min(since))),
                SwitchState::Deny => off = Some(off.map_or(since, |off| off.max(since))),
                SwitchState::Unknown => {}
            }
        }
    }
    match (on, off) {
        (Some(since), _) => Permitted::Since(since),
        _ if is_unknown => Permitted::Unknown,
        _ if is_suspended => Permitted::Suspended,
        (None, Some(since)) => Permitted::Until(since),
        (None, None) => Permitted::Never,
    }
}

/// Since when a permission with this status is on; `None`: it is not, as far as is known.
pub(super) fn on_since(status: &CustomerPurchasePermissionStatus) -> Option<Timestamp> {
    let effective = status.effective.clone().unwrap_or_default();
    let switches = [effective.azure_reservations, effective.azure_savings_plans].into_iter().flatten();
    switches.filter(|switch| switch.state == SwitchState::Allow).map(|switch| switch.since.0).min()
}

/// Takes in what a permission's status tells, and has its Customer looked at when that must tell something else now.
pub(super) fn permission_reported(context: &Context, desired: &Desired, status: &CustomerPurchasePermissionStatus) {
    let since = on_since(status);
    if let Some(since) = since {
        seen_on(context, desired, since);
    }
    if context.permits.turned(&desired.identity.uid, since.is_some()) {
        wake_if_behind(context, &customer_of(desired));
    }
}

/// Notes that a permission was on at `since`, whatever becomes of it now.
pub(super) fn seen_on(context: &Context, desired: &Desired, since: Timestamp) {
    let name = customer_of(desired);
    if is_to_be_told(context, &name, since) {
        context.permits.state().untold.insert(name, since);
    }
}

/// Has the Customer of a permission looked at when its status tells otherwise than its permissions.
pub(super) fn wake_if_behind(context: &Context, customer: &ObjectName) {
    let Some(object) = context.customers.get(customer) else { return };
    let CustomerRef::Found(tenant) = reference(context, Some(&object)) else { return };
    let window = object.status.as_ref().and_then(|status| status.purchases_permitted.as_ref());
    let is_open = window.is_some_and(|window| window.until.is_none());
    let is_behind = match permitted(context, customer, tenant) {
        Permitted::Since(_) => !is_open,
        Permitted::Until(_) | Permitted::Never => is_open || context.permits.seen_on(customer).is_some(),
        Permitted::Unknown | Permitted::Suspended => false,
    };
    if is_behind {
        context.customers.wake(customer);
    }
}

/// Waits a moment for the Customer to tell that the permission was on, before it is let go: then nothing else tells.
pub(super) async fn until_told(pass: &Pass<'_, Permission>) {
    let object: &CustomerPurchasePermission = &pass.object;
    let (context, Some(desired)) = (pass.context, Desired::of(object)) else { return };
    let name = customer_of(&desired);
    let Some(since) = object.status.as_ref().and_then(on_since).or_else(|| context.permits.seen_on(&name)) else {
        return;
    };
    seen_on(context, &desired, since);
    let _wait = pass.errand().wait();
    let told = async {
        loop {
            let mut told = std::pin::pin!(context.permits.told.notified());
            told.as_mut().enable();
            if !is_to_be_told(context, &name, since) {
                return;
            }
            context.customers.wake(&name);
            told.await;
        }
    };
    if tokio::time::timeout(HELD_MAX, told).await.is_err() {
        tracing::warn!(
            namespace = name.namespace,
            customer = name.name,
            "the Customer does not tell yet that a permission was on; the permission is let go all the same"
        );
    }
}

/// Whether there is a Customer that must tell it and does not.
fn is_to_be_told(context: &Context, name: &ObjectName, since: Timestamp) -> bool {
    let Some(customer) = context.customers.get(name) else { return false };
    let window = customer.status.as_ref().and_then(|status| status.purchases_permitted.as_ref());
    matches!(reference(context, Some(&customer)), CustomerRef::Found(_)) && !tells(window, since)
}

fn customer_of(desired: &Desired) -> ObjectName {
    ObjectName { namespace: desired.identity.name.namespace.clone(), name: desired.customer.clone() }
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

    #[test]
    fn what_was_seen_is_remembered_until_the_customer_tells_it() {
        let permits = Permits::default();
        let name = ObjectName { namespace: "ns".into(), name: "fabrikam".into() };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let since = at("2026-03-02T12:00:00.5Z");
        permits.state().untold.insert(name.clone(), since);
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
        permits.state().untold.insert(name.clone(), since);
        permits.told(&name, Some(&window(Some("2026-03-02T12:00:00Z"))));
        assert_eq!(permits.seen_on(&name), None, "to the second");
    }
}
