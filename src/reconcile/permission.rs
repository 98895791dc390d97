//! `CustomerPurchasePermission` in the shell.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::time::Instant;

use super::brake::Ticket;
use super::context::Context;
use super::decision::Decision;
use super::driver::{Kind, Pass, Progress};
use super::error::Error;
use super::grant::GRANT_SENT_WITHIN;
use super::metrics::{Author, Way};
use super::objects::Objects;
use super::partner::Trial;
use super::patches;
use super::permitted;
use super::references::reference;
use super::sight::Sight as _;
use super::slots::Slots;
use crate::api::{self, CustomerPurchasePermissionStatus};
use crate::model::{Fact, Origin, PolicyState, Switch, TenantId, Urgency};
use crate::plan::partner::PartnerFacts;
use crate::plan::permission::{
    Action, Attempt, Desired, Facts, PermissionPlan, Successor, Write, is_waiting_for_room, plan, urgency,
};
use crate::plan::{Identity, Need, ObjectName};
use crate::remote::PartnerCenter;

/// The kind.
#[derive(Debug)]
pub(super) struct Permission;

impl Kind for Permission {
    type Object = api::CustomerPurchasePermission;
    type Status = CustomerPurchasePermissionStatus;
    type Action = Action;

    fn objects(context: &Context) -> &Objects<Self::Object> {
        &context.permissions
    }

    fn status(object: &Self::Object) -> Option<&CustomerPurchasePermissionStatus> {
        object.status.as_ref()
    }

    fn conditions(status: &CustomerPurchasePermissionStatus) -> &[Condition] {
        &status.conditions
    }

    fn handled_request(status: &CustomerPurchasePermissionStatus) -> Option<&str> {
        status.last_handled_reconcile_at.as_deref()
    }

    fn slots(context: &Context) -> &Slots {
        &context.permission_slots
    }

    fn changed_by(context: &Context, status: &CustomerPurchasePermissionStatus) -> Author {
        let Some(drift) = status.drift.iter().find(|drift| drift.actor.is_some() || drift.correlation_id.is_some())
        else {
            return Author::Unknown;
        };
        let tenant = status.tenant_id.as_deref().and_then(|tenant| tenant.parse().ok());
        let origin =
            tenant.zip(drift.correlation_id.as_deref()).map(|(tenant, id)| context.installation.origin(tenant, id));
        Author::Of(origin.unwrap_or(Origin::Other))
    }

    fn urgency(object: &Self::Object) -> Urgency {
        let status = object.status.clone().unwrap_or_default();
        Desired::of(object).map_or(Urgency::Drift, |desired| urgency(&desired, &status, Timestamp::now()))
    }

    fn holds_back_revoke(object: &Self::Object) -> bool {
        // It would be gone, or without our finalizer.
        object.metadata.deletion_timestamp.is_some() && Self::urgency(object) == Urgency::Revoke
    }

    fn tenant(context: &Context, object: &Self::Object) -> Option<TenantId> {
        tenant(context, &Desired::of(object)?)
    }

    /// A revoke does not, unless another object may be who owns the tenant or takes over.
    fn needs_namespaces(context: &Context, object: &Self::Object) -> bool {
        let Some(desired) = Desired::of(object) else { return true };
        let is_alone =
            |tenant| context.index().permissions_of_tenant(tenant).iter().all(|name| *name == desired.identity.name);
        Self::urgency(object) != Urgency::Revoke || !tenant(context, &desired).is_some_and(is_alone)
    }

    fn plan(pass: &Pass<'_, Self>, before: &CustomerPurchasePermissionStatus) -> Result<PermissionPlan, Error> {
        let desired = Desired::of(&pass.object).ok_or(Error::Anonymous)?;
        let facts = observe(pass, &desired);
        let plan = plan(&desired, &facts, before, pass.context.intervals, pass.now);
        if let Some(waits) = waits_for_room(&plan) {
            pass.context.brake.waits(&desired.identity, waits);
        }
        Ok(plan)
    }

    fn execute<'a>(pass: &'a mut Pass<'_, Self>, action: &'a Action) -> BoxFuture<'a, Result<Progress, Error>> {
        Box::pin(async move {
            match action {
                Action::Claim { tenant } => {
                    let at = Instant::now();
                    let written = patches::claim(&pass.context.client, &pass.object, *tenant).await?;
                    pass.wrote(written);
                    pass.claimed_at = Some(at);
                    pass.decided(Decision::Claim, "Claimed", Some(*tenant), None, "the object remembers the tenant");
                    Ok(Progress::GoesOn)
                }
                Action::Write { tenant, write, is_grant: true, is_first_grant } => {
                    grant(pass, *tenant, write, *is_first_grant).await
                }
                Action::Write { tenant, write, is_grant: false, .. } => revoke(pass, *tenant, write).await,
                Action::PassOn { successor, uid, tenant } => {
                    pass_on(pass.context, successor, uid, *tenant).await?;
                    let what = format!("{successor} takes over");
                    pass.decided(Decision::PassOn, "Released", Some(*tenant), None, what);
                    Ok(Progress::GoesOn)
                }
                Action::Release { why } => {
                    if Desired::of(&pass.object).is_some_and(|desired| desired.is_deleting && desired.is_abandoned) {
                        pass.context.metrics.abandoned();
                    }
                    let about = Self::tenant(pass.context, &pass.object);
                    pass.decided(Decision::Release, "Released", about, None, why);
                    if pass.object.metadata.deletion_timestamp.is_some() {
                        permitted::until_told(pass).await;
                    }
                    let written = patches::release(&pass.context.client, &pass.object).await?;
                    pass.wrote(written);
                    let is_gone = pass.object.metadata.deletion_timestamp.is_some();
                    Ok(if is_gone { Progress::Released } else { Progress::GoesOn })
                }
            }
        })
    }

    fn reported(context: &Context, object: &Self::Object, status: &CustomerPurchasePermissionStatus) {
        let Some(desired) = Desired::of(object) else { return };
        let is_about = tenant(context, &desired).map(|tenant| tenant.to_string());
        if is_about == status.tenant_id {
            context.feed.reported(&desired.identity.name, &status.recent_activity);
        } else {
            // It tells of another customer, or of none: nobody waits for it.
            context.feed.will_not_report(&desired.identity.name);
        }
        permitted::permission_reported(context, &desired, status);
    }
}

/// Whether the object waits for room for its first grant; `None` while that is open, or it is about to use it.
fn waits_for_room(plan: &PermissionPlan) -> Option<bool> {
    let is_open = !plan.needs.is_empty()
        || plan.actions.iter().any(|action| matches!(action, Action::Write { is_first_grant: true, .. }));
    (!is_open).then(|| is_waiting_for_room(&plan.status))
}

/// Everything that is known about a permission.
fn observe(pass: &Pass<'_, Permission>, desired: &Desired) -> Facts {
    let context = pass.context;
    let tenant = tenant(context, desired);
    let feed = tenant.map(|tenant| context.feed.of(tenant, pass.now)).unwrap_or_default();
    let (contenders, heir) = tenant.map(|tenant| pass.rivals(desired, tenant, &feed.records)).unwrap_or_default();
    Facts {
        prerequisites: pass.prerequisites(desired),
        partner: partner(pass),
        policy: tenant
            .map_or(Fact::NOT_READ, |tenant| pass.fact(&Need::Policy(tenant), || context.inventory.policy(tenant))),
        activity: feed.records,
        is_record_pending: feed.is_record_pending,
        is_feed_trusted: feed.is_trusted,
        contenders,
        successor: heir.map(|heir| Successor {
            prerequisites: pass.prerequisites(&heir),
            desired: heir,
            may_be_looked_at: !context.backoff.has_failed(&desired.identity.uid),
        }),
        clock_ahead: context.remote.clock.ahead(),
        started: context.started,
        grant_budget: context.brake.budget(&desired.identity),
        attempt: pass.attempt.clone(),
    }
}

/// What is known of the partner in whose name something may be granted.
fn partner(pass: &Pass<'_, Permission>) -> PartnerFacts {
    let known = pass.context.inventory.partner.facts(pass.now, pass.is_asked_anew());
    PartnerFacts { is_clock_off: pass.context.remote.clock.is_off(), ..known }
}

/// The tenant that a permission means.
fn tenant(context: &Context, desired: &Desired) -> Option<TenantId> {
    let customer = ObjectName { namespace: desired.identity.name.namespace.clone(), name: desired.customer.clone() };
    desired.tenant(&reference(context, context.customers.get(&customer).as_deref()))
}

/// Sends a write that raises what the partner may have to pay: not without its turn, and not long after it was made sure
/// of.
async fn grant(
    pass: &mut Pass<'_, Permission>,
    tenant: TenantId,
    write: &Write,
    is_first_grant: bool,
) -> Result<Progress, Error> {
    let _trial = trial(pass).await;
    let planned = &*pass;
    let sure = planned.remote.partner_center.once_sure(tenant, GRANT_SENT_WITHIN, || planned.make_sure(tenant));
    let client = match sure.await {
        Ok(client) => client,
        Err(error) => return Err(pass.ended_by(error)),
    };
    if partner(pass).authorization(pass.now).denial().is_some() {
        // One that went before was refused, as this one would be: that is shown without trying.
        return Ok(Progress::LookAgain);
    }
    if !is_first_grant {
        return send(pass, &client, tenant, write, Direction::Grant(None)).await;
    }
    let identity = Identity::of(&pass.object.metadata).ok_or(Error::Anonymous)?;
    match pass.context.brake.take(&identity).await? {
        Some(ticket) => send(pass, &client, tenant, write, Direction::Grant(Some(ticket))).await,
        // Others were faster: that is shown without trying.
        None => Ok(Progress::LookAgain),
    }
}

/// Sends a write that lowers it: before all others, and however long that takes.
async fn revoke(pass: &mut Pass<'_, Permission>, tenant: TenantId, write: &Write) -> Result<Progress, Error> {
    pass.errand().raise(Urgency::Revoke);
    pass.context.metrics.revoke_due(pass.object.metadata.uid.as_deref().unwrap_or_default());
    let client = pass.remote.partner_center.clone();
    if let Err(error) = client.await_turn(tenant).await {
        return Err(pass.ended_by(error.into()));
    }
    send(pass, &client, tenant, write, Direction::Revoke).await
}

/// Waits until no other grant finds out for the first time whether grants are accepted. It may itself wait for its turn.
async fn trial<'a>(pass: &Pass<'a, Permission>) -> Trial<'a> {
    let _wait = pass.errand().wait();
    pass.context.inventory.partner.trial().await
}

/// Puts the claim on another object: the very one that was planned with, or none.
async fn pass_on(context: &Context, name: &ObjectName, uid: &str, tenant: TenantId) -> Result<(), Error> {
    let successor = context
        .permissions
        .get(name)
        .filter(|successor| successor.metadata.uid.as_deref() == Some(uid))
        .ok_or_else(|| Error::SuccessorGone(name.clone()))?;
    let written = patches::claim(&context.client, &successor, tenant).await?;
    context.permissions.wrote(Arc::new(written));
    Ok(())
}

/// Which way a write goes.
enum Direction {
    /// Counted, if it is the first.
    Grant(Option<Ticket>),
    Revoke,
}

impl Direction {
    fn way(&self) -> Way {
        match self {
            Self::Grant(_) => Way::Grant,
            Self::Revoke => Way::Revoke,
        }
    }
}

/// Sends one write, and notes what has come of it.
async fn send(
    pass: &mut Pass<'_, Permission>,
    partner_center: &PartnerCenter,
    tenant: TenantId,
    write: &Write,
    direction: Direction,
) -> Result<Progress, Error> {
    let context = pass.context;
    let correlation = context.installation.correlation_id(tenant, std::array::from_fn(|_| fastrand::u8(..)));
    let at = Timestamp::now();
    // Whatever becomes of this pass, what Partner Center holds is unknown until the answer is there.
    let before = context.inventory.write_begins(tenant);
    if Switch::ALL.into_iter().any(|switch| before.allows(switch))
        && let Some(desired) = Desired::of(&pass.object)
    {
        // A process that was killed may have turned it on and not said so.
        permitted::seen_on(context, &desired, tenant, at);
    }
    // Noted before the request leaves: its record may be there before its answer.
    context.feed.expect(tenant, correlation, at);
    let way = direction.way();
    let result = match write {
        Write::Create { permissions } => {
            partner_center.create_policy(tenant, permissions, correlation).await.map(PolicyState::Present)
        }
        Write::Update { read, permissions } => {
            partner_center.update_policy(tenant, read, permissions, correlation).await.map(PolicyState::Present)
        }
        Write::Delete { id } => {
            partner_center.delete_policy(tenant, id, correlation).await.map(|was_there| {
                if !was_there {
                    // Nothing happened, so nothing will be recorded.
                    context.feed.expect_no_more(tenant, correlation);
                }
                PolicyState::Absent
            })
        }
    };
    let error = match result {
        Ok(state) => {
            pass.decided(Decision::of(way), "WriteAccepted", Some(tenant), Some(correlation), write);
            context.metrics.wrote(way, "ok");
            if way == Way::Revoke {
                context.metrics.revoke_made(pass.object.metadata.uid.as_deref().unwrap_or_default());
            }
            context.inventory.write_accepted(tenant, before, state, at);
            context.feed.confirm(tenant, correlation);
            pass.attempt = Attempt::Accepted;
            pass.has_acted = true;
            return Ok(Progress::GoesOn);
        }
        Err(error) => error,
    };
    context.metrics.wrote(way, error.category());
    pass.decided(Decision::Refused, error.reason(), Some(tenant), Some(correlation), error.message());
    let is_grant = way == Way::Grant;
    context.inventory.partner.write_failed(tenant, is_grant, &error, at);
    if !error.may_have_arrived() {
        context.feed.expect_no_more(tenant, correlation);
        if let Direction::Grant(Some(ticket)) = direction {
            context.brake.give_back(ticket);
        }
    }
    if error.policy_exists() || error.policy_missing() || error.is_stale() {
        tracing::debug!(%tenant, "the policy has changed since it was read: {error}");
        context.inventory.write_contradicted(tenant, before, at);
        pass.attempt = Attempt::Contradicted;
        return Ok(Progress::LookAgain);
    }
    Err(pass.ended_by(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_that_is_held_for_a_person_is_a_revoke_that_is_due() {
        let permission =
            |wish: &str, policy: &str, finalizers: &[&str], deleted: Option<&str>| -> api::CustomerPurchasePermission {
                serde_json::from_value(serde_json::json!({
                "apiVersion": "csp-operator.dev/v1alpha1",
                "kind": "CustomerPurchasePermission",
                "metadata": {
                    "namespace": "ns", "name": "fabrikam", "uid": "uid", "resourceVersion": "1", "generation": 1,
                    "finalizers": finalizers, "deletionTimestamp": deleted,
                },
                "spec": { "customerRef": { "name": "fabrikam" }, "azureReservations": wish, "deletionPolicy": policy },
            }))
            .unwrap()
            };
        let now = Some("2026-01-01T00:00:00Z");
        let is_due = |wish, policy, finalizers: &[&str], deleted| {
            Permission::holds_back_revoke(&permission(wish, policy, finalizers, deleted))
        };
        let held = [api::FINALIZER];
        assert!(is_due("AllowSomeDay", "Revoke", &held, now), "a value that is unknown here");
        assert!(!is_due("AllowSomeDay", "Revoke", &held, None), "not deleted");
        assert!(!is_due("AllowSomeDay", "Retain", &held, now), "nothing is to be revoked");
        assert!(!is_due("Allow", "Revoke", &["example.com/other"], now), "released, and held by others");
    }
}
