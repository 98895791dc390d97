//! One pass over one object, for every kind: observe, plan, execute, report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::Action as Requeue;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::context::Context;
use super::error::Error;
use super::inventory::{FailedReading, Inventory};
use super::ledger;
use super::metrics::Author;
use super::objects::Objects;
use super::patches::apply_status;
use super::references::reference;
use super::sight::Sight;
use super::slots::Slots;
use super::trace;
use super::wishes;
use crate::model::{Ignorance, TenantId, Urgency};
use crate::plan::conditions::{ConditionType, find, is_true};
use crate::plan::permission::{Attempt, Desired};
use crate::plan::prerequisites::SubscriptionWish;
use crate::plan::{CustomerRef, Event, Need, ObjectName, Plan, Wait, summary};
use crate::remote::{Errand, Remote};

/// Most rounds of one pass: the facts of a permission come in four, each of two writes takes one, and one more ends it.
const ROUNDS_MAX: usize = 12;

/// What one kind adds to the pass that all share.
pub(super) trait Kind: Send + Sync + 'static {
    /// Its custom resource.
    type Object: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// Its status.
    type Status: Clone + Default + PartialEq + Serialize + Debug + Send + Sync + 'static;
    /// What is done for it.
    type Action: Debug + Send + Sync + 'static;

    /// All objects of the kind.
    fn objects(context: &Context) -> &Objects<Self::Object>;
    /// The status of one.
    fn status(object: &Self::Object) -> Option<&Self::Status>;
    /// The conditions in a status.
    fn conditions(status: &Self::Status) -> &[Condition];
    /// The newest request in a status to have everything read anew.
    fn handled_request(status: &Self::Status) -> Option<&str>;
    /// The places for its passes.
    fn slots(context: &Context) -> &Slots;
    /// Who has changed what a status shows as drifted.
    fn changed_by(_: &Context, _: &Self::Status) -> Author {
        Author::Unknown
    }
    /// How urgent it is to look at an object.
    fn urgency(object: &Self::Object) -> Urgency;
    /// Whether it is held, without a failure, although something of it is to be turned off.
    fn holds_back_revoke(_: &Self::Object) -> bool {
        false
    }
    /// The tenant whose other objects must wait while this one's pass runs.
    fn tenant(context: &Context, object: &Self::Object) -> Option<TenantId>;
    /// Whether a pass waits until it is known for whom namespaces may act.
    fn needs_namespaces(_: &Context, _: &Self::Object) -> bool {
        true
    }
    /// Observes and plans.
    fn plan(pass: &Pass<'_, Self>, before: &Self::Status) -> Result<Plan<Self::Status, Self::Action>, Error>;
    /// Carries out one action.
    fn execute<'a>(pass: &'a mut Pass<'_, Self>, action: &'a Self::Action) -> BoxFuture<'a, Result<Progress, Error>>;
    /// Tells whoever waits for it that this status has been written.
    fn reported(context: &Context, object: &Self::Object, status: &Self::Status);
}

/// What an action has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The object is still ours to report on.
    GoesOn,
    /// What was read is not so any more: it is to be read once more in this pass.
    LookAgain,
    /// Its last finalizer of ours is off: there may be nothing to report on.
    Released,
}

/// One pass over one object.
pub(super) struct Pass<'a, K: Kind + ?Sized> {
    pub(super) context: &'a Context,
    /// The clients, for this pass's errand.
    pub(super) remote: Remote,
    /// The object, as new as we know it.
    pub(super) object: Arc<K::Object>,
    /// The time of this pass; it does not go on while the pass runs, so that all its rounds plan alike.
    pub(super) now: Timestamp,
    /// Facts whose reading has failed in this pass.
    pub(super) failures: BTreeMap<Need, Ignorance>,
    /// What has come of this pass so far.
    pub(super) attempt: Attempt,
    /// Whether a service has accepted a write in this pass: then there is something to tell of, whatever comes next.
    pub(super) has_acted: bool,
    /// When a claim was sent that the API server has taken in this pass, bound to the object as it was planned with.
    pub(super) claimed_at: Option<Instant>,
}

/// Looks at one object.
///
/// The controller polls everything that it runs whenever any of it moves. With all objects in line for their slots that
/// would cost the square of their number, so each waits in a task of its own, which it costs next to nothing to poll.
pub(super) async fn reconcile<K: Kind>(object: Arc<K::Object>, context: Arc<Context>) -> Result<Requeue, Error> {
    let task = tokio::spawn(look_at::<K>(object, context).in_current_span());
    AbortOnDropHandle::new(task).await.unwrap_or_else(|panic| Err(Error::Panicked(panic)))
}

/// Waits for a slot and makes a pass, in a task of its own: a panic in it is an error of this object only.
async fn look_at<K: Kind>(object: Arc<K::Object>, context: Arc<Context>) -> Result<Requeue, Error> {
    let span = tracing::Span::current();
    let timeout = context.reconcile_timeout;
    let name = (object.namespace(), object.name_any());
    let uid = object.uid().unwrap_or_default();
    let Some(place) = object_name(object.as_ref()) else { return Err(Error::Anonymous) };
    if K::needs_namespaces(&context, &K::objects(&context).newest(Arc::clone(&object))) {
        context.namespaces.settled().await;
    }
    let errand = Errand::new(K::urgency(&K::objects(&context).newest(Arc::clone(&object))));
    if errand.urgency() == Urgency::Revoke {
        context.metrics.revoke_due(&uid);
    }
    let Some(_slot) = K::slots(&context).enter(&place, &errand).await else { return Ok(Requeue::await_change()) };
    let began = std::time::Instant::now();
    let traced = trace::pass(&K::Object::kind(&()), &place, errand.urgency());
    let handle = tokio::spawn({
        let (context, traced_pass, object) = (Arc::clone(&context), traced.clone(), Arc::clone(&object));
        async move {
            let pass = pass::<K>(&context, object, &errand);
            errand.within(timeout, pass).instrument(traced_pass).await.unwrap_or(Err(Error::TimedOut(timeout)))
        }
        .instrument(span)
    });
    let result = handle.await.unwrap_or_else(|panic| Err(Error::Panicked(panic)));
    let label = result.as_ref().map_or_else(Error::category, |_| "ok");
    context.metrics.passed(&K::Object::kind(&()), label, began.elapsed());
    trace::passed(&traced, label, result.as_ref().is_err_and(|error| !error.is_no_failure()));
    match &result {
        Ok(_) => {
            context.backoff.forget(&uid);
            // What it would have turned off is off, or is not to be; else the pass has failed, or a person must act.
            if !K::holds_back_revoke(&K::objects(&context).newest(object)) {
                context.metrics.revoke_settled(&uid);
            }
        }
        // Somebody has changed the object meanwhile; the next pass sees why.
        Err(error) if error.is_no_failure() => {
            tracing::debug!(kind = %K::Object::kind(&()), namespace = name.0, object = name.1, "{error}");
        }
        Err(error) => {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(kind = %K::Object::kind(&()), namespace = name.0, object = name.1, category = error.category(), cause, "{error}");
        }
    }
    result
}

/// How long an object waits after a pass that failed.
pub(super) fn error_policy<K: Kind>(object: &K::Object, error: &Error, context: &Context) -> Requeue {
    // What has changed meanwhile is seen at once; only the watch may be a moment behind.
    match error {
        Error::Deferred(wait) => {
            // What waited together does not come back together.
            return Requeue::requeue(wait.mul_f64(1.0 + fastrand::f64() / 4.0));
        }
        error if error.is_no_failure() => return Requeue::requeue(Duration::from_millis(200)),
        _ => {}
    }
    Requeue::requeue(context.backoff.failed(&object.uid().unwrap_or_default(), error.advice()))
}

fn object_name<K: Resource>(object: &K) -> Option<ObjectName> {
    let meta = object.meta();
    Some(ObjectName { namespace: meta.namespace.clone()?, name: meta.name.clone()? })
}

async fn pass<K: Kind>(context: &Context, object: Arc<K::Object>, errand: &Errand) -> Result<Requeue, Error> {
    let object = K::objects(context).newest(object);
    let _turn = match K::tenant(context, &object) {
        Some(tenant) => {
            if errand.urgency() == Urgency::Revoke {
                context.hurry_permissions_of(tenant, Urgency::Revoke);
            }
            let _wait = errand.wait();
            Some(context.tenants.lock(tenant).await)
        }
        None => None,
    };
    // While this pass waited for its turn, another may have written.
    let object = K::objects(context).newest(object);
    let start = K::status(&object).cloned().unwrap_or_default();
    let mut pass = Pass::<K> {
        context,
        remote: context.remote.on(errand),
        object,
        now: Timestamp::now(),
        failures: BTreeMap::new(),
        attempt: Attempt::None,
        has_acted: false,
        claimed_at: None,
    };
    let mut before = start.clone();
    let mut events = Vec::new();
    let mut tried = BTreeSet::new();
    let mut first_error = None;
    let mut pause = None;

    for _ in 0..ROUNDS_MAX {
        let plan = K::plan(&pass, &before)?;
        let untried: Vec<_> = plan.needs.difference(&tried).cloned().collect();
        if !untried.is_empty() {
            pass.read(&untried, K::handled_request(&start), &mut first_error, &mut pause).await;
            tried.extend(untried);
            continue;
        }
        if let Some(wait) = pause.filter(|_| plan.actions.is_empty() && !pass.has_acted) {
            // What cannot be known for a moment is not told of.
            return Err(Error::Deferred(wait));
        }
        events.extend(plan.events);
        if has_drifted::<K>(&plan.status) && !has_drifted::<K>(&before) {
            context.metrics.drifted(K::changed_by(context, &plan.status));
        }
        before = plan.status;
        if plan.actions.is_empty() {
            pass.report(&start, &before, events).await?;
            return finish(first_error.or(pause.map(Error::Deferred)), plan.next, pass.now);
        }
        for action in &plan.actions {
            match K::execute(&mut pass, action).await {
                Ok(Progress::GoesOn) => {}
                Ok(Progress::LookAgain) => {
                    tried.clear();
                    break;
                }
                Ok(Progress::Released) => {
                    pass.publish(&events).await;
                    return finish(first_error, Wait::ForChange, pass.now);
                }
                Err(Error::Remote(error)) if !pass.has_acted && is_worth_no_word(&error) => {
                    return Err(Error::Deferred(error.is_paused_for().unwrap_or_default()));
                }
                Err(error) if error.failure().is_some() => {
                    // What follows is shown, not tried: the next pass will see the truth.
                    first_error.get_or_insert(error);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Err(Error::Endless { rounds: ROUNDS_MAX, needs: tried.into_iter().collect() })
}

/// Whether an object need not tell of a pause that a service has asked for, because it will soon be over.
fn is_worth_no_word(error: &crate::remote::Error) -> bool {
    const SOON: Duration = Duration::from_mins(2);
    error.is_paused_for().is_some_and(|wait| wait <= SOON)
}

fn has_drifted<K: Kind>(status: &K::Status) -> bool {
    [ConditionType::Synced, ConditionType::CostManagementSynced]
        .into_iter()
        .any(|type_| find(K::conditions(status), type_).is_some_and(|synced| synced.reason == "Drifted"))
}

fn finish(first_error: Option<Error>, next: Wait, now: Timestamp) -> Result<Requeue, Error> {
    if let Some(error) = first_error {
        return Err(error);
    }
    Ok(match next {
        Wait::ForChange => Requeue::await_change(),
        Wait::Until(at) => {
            // A little late rather than a little early: a pass before its time would find nothing to do.
            let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
            Requeue::requeue(wait + Duration::from_millis(50))
        }
    })
}

impl<K: Kind> Pass<'_, K> {
    /// Reads facts side by side. A pause that is soon over is noted in `pause`: what needs none of these facts, such as a
    /// revoke, does not wait for it.
    async fn read(
        &mut self,
        needs: &[Need],
        handled_request: Option<&str>,
        first_error: &mut Option<Error>,
        pause: &mut Option<Duration>,
    ) {
        // Who asks for a new look does not want what somebody else has just read.
        let is_strict = self.asks_anew(handled_request);
        let (context, remote) = (self.context, &self.remote);
        for need in needs {
            if let Need::PlanPurchase(tenant) = need
                && let Err(error) = context.ledger.read(*tenant).await
            {
                self.failures.insert(need.clone(), ledger::why(&error));
                first_error.get_or_insert(error);
            }
        }
        let readings = needs.iter().map(|need| context.inventory.read(remote, need, self.now, is_strict));
        for (need, result) in needs.iter().zip(join_all(readings).await) {
            match result {
                Ok(true) => context.wake_those_who_show(need),
                Ok(false) => {}
                Err(FailedReading { why, error }) => {
                    self.failures.insert(need.clone(), why);
                    if is_worth_no_word(&error) {
                        *pause = error.is_paused_for().max(*pause);
                    } else {
                        first_error.get_or_insert(Error::Remote(error));
                    }
                }
            }
        }
    }

    /// What this pass is about: how urgent it is, and how long it has waited.
    pub(super) fn errand(&self) -> &Errand {
        self.remote.errand()
    }

    /// Whether a person asks for everything to be read anew, by a request that the status does not tell of.
    fn asks_anew(&self, handled_request: Option<&str>) -> bool {
        let request = self.object.annotations().get(crate::api::RECONCILE_ANNOTATION).map(String::as_str);
        request.is_some() && request != handled_request
    }

    /// The same, by the status in the API server.
    pub(super) fn is_asked_anew(&self) -> bool {
        self.asks_anew(K::status(&self.object).and_then(|status| K::handled_request(status)))
    }

    /// Notes what has ended a write, if that is a failure to be told of.
    pub(super) fn ended_by(&mut self, error: Error) -> Error {
        if let Some(failure) = error.failure() {
            self.attempt = Attempt::Failed(failure);
        }
        error
    }

    /// Notes what the API server answered to a write to the object.
    pub(super) fn wrote(&mut self, object: K::Object) {
        let object = Arc::new(object);
        K::objects(self.context).wrote(Arc::clone(&object));
        self.object = object;
    }

    /// Events first: they are not repeated under a name that is taken, while a status that is written tells that all has
    /// been told.
    async fn report(&mut self, start: &K::Status, end: &K::Status, events: Vec<Event>) -> Result<(), Error> {
        let transition = summary::transition(K::conditions(start), K::conditions(end));
        // What was in order at first sight, and needed nothing to be done, is no news.
        let is_first_sight = find(K::conditions(start), ConditionType::Ready).is_none();
        let is_in_order = is_true(K::conditions(end), ConditionType::Ready) && self.attempt == Attempt::None;
        // Nor is what was told as it happened: drift by its own event or that of its record, an end by that of its latch.
        let is_told =
            |event: &Event| event.reason == "Drifted" || events.iter().any(|told: &Event| told.reason == event.reason);
        let news = transition.filter(|event| !(is_told(event) || is_first_sight && is_in_order));
        self.publish(&events).await;
        self.situation(start, end);
        if let Some(news) = &news {
            self.context.events.publish(self.object.as_ref(), news).await;
        }
        if start != end {
            let written = apply_status(&self.context.client, self.object.as_ref(), end).await?;
            self.wrote(written);
        }
        K::reported(self.context, &self.object, end);
        Ok(())
    }

    /// Tells of what has happened to the object, in the log too.
    pub(super) async fn publish(&self, events: &[Event]) {
        for event in events {
            tracing::info!(
                kind = %K::Object::kind(&()),
                namespace = self.object.namespace(),
                object = self.object.name_any(),
                event = event.reason,
                "{}",
                event.note
            );
            self.context.events.publish(self.object.as_ref(), event).await;
        }
    }
}

impl<K: Kind + ?Sized> Sight for Pass<'_, K> {
    fn customer(&self, name: &ObjectName) -> CustomerRef {
        reference(self.context, self.context.customers.get(name).as_deref())
    }

    fn subscription(&self, name: &ObjectName) -> Option<Result<SubscriptionWish, String>> {
        self.context.subscriptions.get(name).map(|object| wishes::of_subscription(&object))
    }

    fn permissions_of(&self, tenant: TenantId) -> Vec<Desired> {
        let names = self.context.index().permissions_of_tenant(tenant);
        let objects = names.iter().filter_map(|name| self.context.permissions.get(name));
        objects.filter_map(|object| Desired::of(&object)).collect()
    }

    fn inventory(&self) -> &Inventory {
        &self.context.inventory
    }

    fn failures(&self) -> &BTreeMap<Need, Ignorance> {
        &self.failures
    }
}
