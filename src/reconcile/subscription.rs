//! `AzureSubscription` in the shell.

use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::context::Context;
use super::decision::Decision;
use super::driver::{Kind, Pass, Progress};
use super::error::Error;
use super::grant::GRANT_SENT_WITHIN;
use super::objects::Objects;
use super::references::reference;
use super::sight::Sight as _;
use super::slots::Slots;
use super::wishes;
use crate::api::{self, AzureSubscriptionStatus};
use crate::model::{Assignee, Fact, SubscriptionId, TenantId, Urgency};
use crate::plan::azure_subscription::{Action, Facts, SubscriptionPlan, plan};
use crate::plan::owners::OwnerFacts;
use crate::plan::permission::Attempt;
use crate::plan::urgency::urgency;
use crate::plan::{CustomerRef, Identity, Need, ObjectName};

/// The kind.
#[derive(Debug)]
pub(super) struct Subscription;

impl Kind for Subscription {
    type Object = api::AzureSubscription;
    type Status = AzureSubscriptionStatus;
    type Action = Action;

    fn objects(context: &Context) -> &Objects<Self::Object> {
        &context.subscriptions
    }

    fn status(object: &Self::Object) -> Option<&AzureSubscriptionStatus> {
        object.status.as_ref()
    }

    fn conditions(status: &AzureSubscriptionStatus) -> &[Condition] {
        &status.conditions
    }

    fn handled_request(status: &AzureSubscriptionStatus) -> Option<&str> {
        status.last_handled_reconcile_at.as_deref()
    }

    fn slots(context: &Context) -> &Slots {
        &context.subscription_slots
    }

    fn urgency(object: &Self::Object) -> Urgency {
        let status = object.status.clone().unwrap_or_default();
        let request = status.last_handled_reconcile_at.as_deref();
        Identity::of(&object.metadata).map_or(Urgency::Drift, |identity| {
            urgency(&identity, status.observed_generation, request, &status.conditions)
        })
    }

    fn tenant(_: &Context, _: &Self::Object) -> Option<TenantId> {
        None
    }

    fn plan(pass: &Pass<'_, Self>, before: &AzureSubscriptionStatus) -> Result<SubscriptionPlan, Error> {
        let identity = Identity::of(&pass.object.metadata).ok_or(Error::Anonymous)?;
        let wish = wishes::of_subscription(&pass.object);
        let customer =
            ObjectName { namespace: identity.name.namespace.clone(), name: pass.object.spec.customer_ref.name.clone() };
        let customer = reference(pass.context, pass.context.customers.get(&customer).as_deref());
        let inventory = &pass.context.inventory;
        let (profile, estate, owners) = match (&customer, &wish) {
            (CustomerRef::Found(tenant), Ok(wish)) => (
                pass.fact(&Need::Customer(*tenant), || inventory.profile(*tenant)),
                pass.fact(&Need::Estate(*tenant), || inventory.estate(*tenant)),
                pass.owners(*tenant, wish),
            ),
            _ => (Fact::NOT_READ, Fact::NOT_READ, OwnerFacts::NOT_READ),
        };
        let facts = Facts {
            customer,
            profile,
            estate,
            owners,
            may_assign: pass.context.may_assign_owners,
            is_deleting: pass.object.metadata.deletion_timestamp.is_some(),
            assigned: inventory.assigned(&identity.uid, identity.generation),
            attempt: pass.attempt.clone(),
            started: pass.context.started,
        };
        Ok(plan(&identity, &wish, &facts, before, pass.context.intervals, pass.now))
    }

    fn execute<'a>(pass: &'a mut Pass<'_, Self>, action: &'a Action) -> BoxFuture<'a, Result<Progress, Error>> {
        Box::pin(async move {
            let Action::AssignOwner { tenant, subscription, assignees } = action;
            assign(pass, *tenant, *subscription, assignees).await
        })
    }

    fn reported(context: &Context, object: &Self::Object, status: &AzureSubscriptionStatus) {
        let Some(uid) = &object.metadata.uid else { return };
        context.inventory.assignments_shown(uid, |principal| {
            let principal = principal.to_string();
            status.owner_assignments.iter().any(|shown| shown.object_id == principal)
        });
    }
}

/// Assigns Owner to one after the other, and notes what has come of it.
async fn assign(
    pass: &mut Pass<'_, Subscription>,
    tenant: TenantId,
    subscription: SubscriptionId,
    assignees: &[Assignee],
) -> Result<Progress, Error> {
    let context = pass.context;
    let identity = Identity::of(&pass.object.metadata).ok_or(Error::Anonymous)?;
    for assignee in assignees {
        let planned = &*pass;
        let sure =
            planned.remote.azure.once_sure(tenant, subscription, GRANT_SENT_WITHIN, || planned.make_sure(tenant));
        let assigned = match sure.await {
            Ok(azure) => azure.assign_owner(tenant, subscription, assignee).await.map_err(Error::from),
            Err(error) => Err(error),
        };
        assigned.map_err(|error| pass.ended_by(error))?;
        let what = format!("assigned Owner on {subscription} to {}", assignee.principal);
        pass.decided(Decision::AssignOwner, "OwnerAssigned", Some(tenant), None, what);
        context.inventory.owner_assigned(tenant, &identity.uid, identity.generation, assignee.principal);
        pass.has_acted = true;
    }
    pass.attempt = Attempt::Accepted;
    // Whether it shows already is seen by reading again.
    context.inventory.owners_changed(tenant, subscription);
    Ok(Progress::LookAgain)
}
