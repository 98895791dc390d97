//! Which customer a status is about.

use std::borrow::Cow;

use crate::api::CustomerPurchasePermissionStatus;
use crate::model::TenantId;
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
