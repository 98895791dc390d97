//! What objects wish, in the planner's words.

use crate::api;
use crate::model::OwnerName;
use crate::plan::customer::CustomerWish;
use crate::plan::customer::azure_plan::PlanWish;
use crate::plan::prerequisites::SubscriptionWish;

/// What a `Customer` wishes.
pub(super) fn of_customer(customer: &api::Customer) -> CustomerWish {
    let api::CustomerSpec { tenant_id: _, cost_management, azure_plan, indirect_reseller } = &customer.spec;
    CustomerWish {
        cost_management: *cost_management,
        plan: PlanWish { policy: *azure_plan, reseller: indirect_reseller.clone() },
    }
}

/// What an `AzureSubscription` wishes; an error only with an older CRD than this program's.
pub(super) fn of_subscription(object: &api::AzureSubscription) -> Result<SubscriptionWish, String> {
    let spec = &object.spec;
    let owners = spec
        .owners
        .iter()
        .map(|owner| match (&owner.object_id, &owner.user_principal_name) {
            (Some(id), None) => id.parse().map(OwnerName::Id).map_err(|error| format!("spec.owners: {error}")),
            (None, Some(name)) => name.parse().map(OwnerName::User).map_err(|error| format!("spec.owners: {error}")),
            (Some(_), Some(_)) | (None, None) => {
                Err("spec.owners: each must have exactly one of objectId and userPrincipalName".to_owned())
            }
        })
        .collect::<Result<_, String>>()?;
    Ok(SubscriptionWish {
        customer: spec.customer_ref.name.clone(),
        subscription: spec.subscription_id.parse().map_err(|error| format!("spec.subscriptionId: {error}"))?,
        owner_role: spec.owner_role,
        owners,
    })
}
