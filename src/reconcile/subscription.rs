//! `AzureSubscription` in the shell.

use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::context::Context;
use super::customer::reference;
use super::driver::{Kind, Pass, Progress};
use super::error::Error;
use super::objects::Objects;
use super::slots::Slots;
use crate::api::{self, AzureSubscriptionStatus};
use crate::model::{Fact, OwnerHolders, TenantId, Urgency};
use crate::plan::azure_subscription::{Facts, plan};
use crate::plan::customer::NoAction;
use crate::plan::prerequisites::SubscriptionWish;
use crate::plan::urgency::urgency;
use crate::plan::{CustomerRef, Identity, Need, ObjectName, Plan};

/// The kind.
#[derive(Debug)]
pub(super) struct Subscription;

impl Kind for Subscription {
    type Object = api::AzureSubscription;
    type Status = AzureSubscriptionStatus;
    type Action = NoAction;

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

    fn plan(
        pass: &Pass<'_, Self>,
        before: &AzureSubscriptionStatus,
    ) -> Result<Plan<AzureSubscriptionStatus, NoAction>, Error> {
        let identity = Identity::of(&pass.object.metadata).ok_or(Error::Anonymous)?;
        let wish = wish(&pass.object);
        let customer =
            ObjectName { namespace: identity.name.namespace.clone(), name: pass.object.spec.customer_ref.name.clone() };
        let customer = reference(pass.context.customers.get(&customer).as_deref());
        let inventory = &pass.context.inventory;
        let facts = match (&customer, &wish) {
            (CustomerRef::Found(tenant), Ok(wish)) => Facts {
                profile: pass.fact(&Need::Customer(*tenant), || inventory.profile(*tenant)),
                estate: pass.fact(&Need::Estate(*tenant), || inventory.estate(*tenant)),
                holders: pass.holders(*tenant, wish),
                customer,
                started: pass.context.started,
            },
            _ => Facts {
                profile: Fact::NOT_READ,
                estate: Fact::NOT_READ,
                holders: Fact::NOT_READ,
                customer,
                started: pass.context.started,
            },
        };
        Ok(plan(&identity, &wish, &facts, before, pass.context.intervals, pass.now))
    }

    fn execute<'a>(_: &'a mut Pass<'_, Self>, action: &'a NoAction) -> BoxFuture<'a, Result<Progress, Error>> {
        match *action {}
    }

    fn reported(_: &Context, _: &Self::Object, _: &AzureSubscriptionStatus) {}
}

/// What an `AzureSubscription` wishes; an error only with an older CRD than this program's.
pub(super) fn wish(object: &api::AzureSubscription) -> Result<SubscriptionWish, String> {
    let spec = &object.spec;
    let owners = spec
        .owners
        .iter()
        .map(|owner| owner.object_id.parse().map_err(|error| format!("spec.owners: {error}")))
        .collect::<Result<_, String>>()?;
    Ok(SubscriptionWish {
        customer: spec.customer_ref.name.clone(),
        subscription: spec.subscription_id.parse().map_err(|error| format!("spec.subscriptionId: {error}"))?,
        owner_role: spec.owner_role,
        owners,
    })
}

impl<K: Kind + ?Sized> Pass<'_, K> {
    /// Who owns the subscription that `wish` names.
    pub(super) fn holders(&self, tenant: TenantId, wish: &SubscriptionWish) -> Fact<OwnerHolders> {
        let need = Need::Owners(tenant, wish.subscription, wish.owners.clone());
        self.fact(&need, || self.context.inventory.holders(tenant, wish.subscription))
    }
}
