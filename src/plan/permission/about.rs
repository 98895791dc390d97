//! What of the status of before still says something of this object: which customer it is about, and what it answers for.

use std::borrow::Cow;

use super::desired::Desired;
use super::switches::{get, set};
use crate::api::{CustomerPurchasePermissionStatus, Mode, SwitchState, Switches};
use crate::model::{Fact, PolicyState, Switch, TenantId};
use crate::plan::conditions::ConditionType;

/// The status of before as far as it is about `tenant`. An object may mean another one than it did: its Customer was made
/// anew, or it observes what it enforced for another customer. What was seen there says nothing of this one.
pub(super) fn same_tenant(
    before: &CustomerPurchasePermissionStatus,
    tenant: Option<TenantId>,
) -> Cow<'_, CustomerPurchasePermissionStatus> {
    let (Some(tenant), Some(shown)) = (tenant, &before.tenant_id) else { return Cow::Borrowed(before) };
    if *shown == tenant.to_string() {
        return Cow::Borrowed(before);
    }
    let of_that_customer = [ConditionType::Synced, ConditionType::ActivityRecorded].map(ConditionType::as_str);
    let is_kept = |type_: &str| !of_that_customer.contains(&type_);
    Cow::Owned(CustomerPurchasePermissionStatus {
        observed_generation: before.observed_generation,
        // What has ended has ended by the spec, whoever the customer is.
        latched: before.latched.clone(),
        last_handled_reconcile_at: before.last_handled_reconcile_at.clone(),
        conditions: before.conditions.iter().filter(|condition| is_kept(&condition.type_)).cloned().collect(),
        ..CustomerPurchasePermissionStatus::default()
    })
}

/// The status of before without what an object that has no claim had on once, and has not any more as far as is known;
/// `None` where it tells of nothing of the kind. Whoever let go of it, as Observe does, may have been killed before the
/// status could tell, and it is no reason to turn anything on again. A status of the present spec is not one of those: the
/// claim was taken off by a tool that replaces objects, and what was on is still to be answered for.
pub(super) fn without_forgotten(
    before: &CustomerPurchasePermissionStatus,
    desired: &Desired,
    policy: &Fact<PolicyState>,
) -> Option<CustomerPurchasePermissionStatus> {
    let is_replaced = || before.observed_generation == desired.identity.generation;
    let answers = desired.claim().is_some() && (desired.has_finalizer || is_replaced());
    if answers || desired.is_deleting || desired.mode != Mode::Enforce {
        return None;
    }
    let mut applied = before.last_applied.clone()?;
    let is_on = |switch| policy.known().is_some_and(|policy| policy.allows(switch));
    for switch in Switch::ALL {
        if get(&applied, switch).is_some_and(|one| one.state == SwitchState::Allow) && !is_on(switch) {
            set(&mut applied, switch, None);
        }
    }
    let last_applied = Some(applied).filter(|applied| *applied != Switches::default());
    (last_applied != before.last_applied).then(|| CustomerPurchasePermissionStatus {
        last_applied,
        corrections: Vec::new(),
        ..before.clone()
    })
}
