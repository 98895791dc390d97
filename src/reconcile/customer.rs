//! `Customer` in the shell.

use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::context::Context;
use super::driver::{Kind, Pass, Progress};
use super::error::Error;
use super::objects::Objects;
use super::slots::Slots;
use crate::api::{self, CustomerStatus};
use crate::model::{Fact, TenantId, Urgency};
use crate::plan::customer::{Facts, NoAction, plan};
use crate::plan::urgency::urgency;
use crate::plan::{CustomerRef, Identity, Need, Plan};

/// The kind.
#[derive(Debug)]
pub(super) struct Customer;

impl Kind for Customer {
    type Object = api::Customer;
    type Status = CustomerStatus;
    type Action = NoAction;

    fn objects(context: &Context) -> &Objects<Self::Object> {
        &context.customers
    }

    fn status(object: &Self::Object) -> Option<&CustomerStatus> {
        object.status.as_ref()
    }

    fn conditions(status: &CustomerStatus) -> &[Condition] {
        &status.conditions
    }

    fn handled_request(status: &CustomerStatus) -> Option<&str> {
        status.last_handled_reconcile_at.as_deref()
    }

    fn slots(context: &Context) -> &Slots {
        &context.customer_slots
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

    fn plan(pass: &Pass<'_, Self>, before: &CustomerStatus) -> Result<Plan<CustomerStatus, NoAction>, Error> {
        let identity = Identity::of(&pass.object.metadata).ok_or(Error::Anonymous)?;
        let reference = reference(Some(&pass.object));
        let profile = match &reference {
            CustomerRef::Found(tenant) => {
                pass.fact(&Need::Customer(*tenant), || pass.context.inventory.profile(*tenant))
            }
            CustomerRef::Missing | CustomerRef::Malformed(_) => Fact::NOT_READ,
        };
        let facts = Facts { profile, started: pass.context.started };
        Ok(plan(&identity, &reference, &facts, before, pass.context.intervals, pass.now))
    }

    fn execute<'a>(_: &'a mut Pass<'_, Self>, action: &'a NoAction) -> BoxFuture<'a, Result<Progress, Error>> {
        match *action {}
    }

    fn reported(_: &Context, _: &Self::Object, _: &CustomerStatus) {}
}

/// What a Customer says to those who refer to it.
pub(super) fn reference(customer: Option<&api::Customer>) -> CustomerRef {
    match customer {
        None => CustomerRef::Missing,
        Some(customer) => match customer.spec.tenant_id.parse() {
            Ok(tenant) => CustomerRef::Found(tenant),
            Err(error) => CustomerRef::Malformed(format!("spec.tenantId: {error}")),
        },
    }
}

impl<K: Kind + ?Sized> Pass<'_, K> {
    /// A fact as this pass sees it: one whose reading has just failed is unknown, whatever was known before.
    pub(super) fn fact<T>(&self, need: &Need, known: impl FnOnce() -> Fact<T>) -> Fact<T> {
        match self.failures.get(need) {
            Some(why) => Fact::Unknown { why: why.clone() },
            None => known(),
        }
    }
}
