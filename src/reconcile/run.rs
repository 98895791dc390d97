//! Starts everything, and ends it in order.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use kube::runtime::controller::Config;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{applier, controller};
use kube::{Api, Client};
use tokio::sync::watch;

use super::brake::{self, Brake};
use super::context::{Context, TenantLocks};
use super::customer::Customer;
use super::driver::{Kind, error_policy, reconcile};
use super::error::SetupError;
use super::events::Events;
use super::feed::Feed;
use super::inventory::Inventory;
use super::ledger::Ledger;
use super::metrics::{Metrics, Stores};
use super::namespaces::{self, rules::Namespaces};
use super::objects::Objects;
use super::orders::OrderLog;
use super::outage::{self, Operator, Polls};
use super::permission::Permission;
use super::permits::Permits;
use super::purchases;
use super::slots::Slots;
use super::subscription::Subscription;
use super::watch::{Watched, follow};
use super::watermark::Memory;
use crate::model::{Installation, Origin, TenantId, Urgency};
use crate::plan::schedule::Intervals;
use crate::remote::{Errand, Remote};

/// How long the first poll of the activity feed may hold everything up. Without it, the feed is not trusted yet.
const FIRST_POLL_MAX: Duration = Duration::from_secs(10);

/// How long giving back what is left of the first grants that were reserved may hold up the end.
const CLOSE_MAX: Duration = Duration::from_secs(2);

const RESERVE_LEFT: &str =
    "could not give back the first grants that were reserved and not used; they count for an hour as if they had been";

/// What the controllers are told by the process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Namespace of the operator's own objects.
    pub namespace: String,
    /// Name of the `ConfigMap` that remembers how far the activity feed was followed.
    pub state_config_map: String,
    /// Name of the Lease of the replica that acts; the operator's own events are about it.
    pub lease: String,
    /// Name of this process in events.
    pub instance: String,
    /// By which its own writes are recognised.
    pub installation: Installation,
    /// How often facts are read again.
    pub intervals: Intervals,
    /// First grants within an hour, at most.
    pub grants_per_hour_max: u32,
    /// Whether every namespace may act for every customer, whatever is said on it.
    pub allow_all_namespaces: bool,
    /// Whether Owner may be assigned where an `AzureSubscription` asks for it.
    pub may_assign_owners: bool,
    /// Whether Azure plans may be bought where a `Customer` asks for it.
    pub may_purchase_plans: bool,
    /// Between two polls of the activity feed.
    pub activity_interval: Duration,
    /// Passes that may run side by side, for each kind.
    pub concurrency: u16,
    /// Longest time for one pass.
    pub reconcile_timeout: Duration,
    /// Where to count.
    pub metrics: Metrics,
}

/// Runs the controllers until `shutdown` turns true; then takes no new work, finishes the passes under way and returns.
///
/// `is_complete` turns true once all objects are known; `sign_in_changes` ticks whenever the credentials have changed.
pub async fn run(
    client: Client,
    remote: Remote,
    settings: Settings,
    is_complete: watch::Sender<bool>,
    sign_in_changes: watch::Receiver<u64>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), SetupError> {
    let memory = Memory::new(client.clone(), &settings.namespace, &settings.state_config_map);
    let remembered = memory.load().await?;
    let limit = settings.grants_per_hour_max;
    let brake = Brake::load(client.clone(), &settings.namespace, &settings.state_config_map, limit).await?;
    let started = Timestamp::now();

    let (customers, subscriptions, permissions) = (Plumbing::new(), Plumbing::new(), Plumbing::new());
    settings.metrics.show(Stores::of(&customers.store, &subscriptions.store, &permissions.store));
    let context = Arc::new(Context {
        events: Events::new(client.clone(), &settings.instance, settings.metrics.clone()),
        metrics: settings.metrics,
        brake,
        feed: Feed::new(settings.installation.clone(), remembered, started),
        orders: OrderLog::default(),
        permits: Permits::default(),
        inventory: Inventory::default(),
        installation: settings.installation,
        intervals: settings.intervals,
        may_assign_owners: settings.may_assign_owners,
        may_purchase_plans: settings.may_purchase_plans,
        ledger: Ledger::new(client.clone(), &settings.namespace, &settings.state_config_map),
        reconcile_timeout: settings.reconcile_timeout,
        started,
        backoff: super::backoff::Backoff::default(),
        customers: customers.objects,
        subscriptions: subscriptions.objects,
        permissions: permissions.objects,
        customer_slots: Slots::new(settings.concurrency),
        subscription_slots: Slots::new(settings.concurrency),
        permission_slots: Slots::new(settings.concurrency),
        namespaces: Namespaces::new(settings.allow_all_namespaces),
        index: std::sync::Mutex::default(),
        tenants: TenantLocks::default(),
        remote,
        client: client.clone(),
    });

    // Before anybody asks what is remembered: a status is only as good as the feed since.
    // Not for longer than that: revokes must not wait for the activity log.
    let operator = Arc::new(Operator::find(client.clone(), &settings.namespace, &settings.lease).await);
    let mut polls = Polls::default();
    let first = poll(&context, &operator, &mut polls);
    let touched = tokio::time::timeout(FIRST_POLL_MAX, first).await.unwrap_or_default();

    let watches = [watch::channel(false), watch::channel(false), watch::channel(false), watch::channel(false)];
    let [namespaces_complete, customers_complete, subscriptions_complete, permissions_complete] = watches;
    let followers = [
        tokio::spawn(namespaces::follow::follow(client.clone(), Arc::clone(&context), namespaces_complete.0)),
        tokio::spawn(follow::<Customer>(
            Api::all(client.clone()),
            customers.writer,
            Arc::clone(&context),
            customers_complete.0,
        )),
        tokio::spawn(follow::<Subscription>(
            Api::all(client.clone()),
            subscriptions.writer,
            Arc::clone(&context),
            subscriptions_complete.0,
        )),
        tokio::spawn(follow::<Permission>(
            Api::all(client),
            permissions.writer,
            Arc::clone(&context),
            permissions_complete.0,
        )),
    ];
    // A permission that is looked at before all Customers are known would find that its own is missing. For whom namespaces
    // may act is waited for by the passes themselves, since a revoke need not know it.
    for complete in [customers_complete.1, subscriptions_complete.1, permissions_complete.1] {
        first_list(complete, shutdown.clone()).await;
    }
    // Only now is it known whom they concern.
    for customer in touched {
        pass_on(&context, customer);
    }
    let background = [
        tokio::spawn(tell_when_listed(namespaces_complete.1, shutdown.clone(), is_complete)),
        tokio::spawn(follow_feed(
            Arc::clone(&context),
            memory,
            settings.activity_interval,
            Arc::clone(&operator),
            polls,
        )),
        tokio::spawn(purchases::follow_orders(Arc::clone(&context), settings.activity_interval)),
        tokio::spawn(outage::follow(Arc::clone(&context), Arc::clone(&operator))),
        tokio::spawn(brake::follow::follow(Arc::clone(&context), operator)),
        tokio::spawn(follow_sign_in(Arc::clone(&context), sign_in_changes)),
        tokio::spawn(stop_waiting(Arc::clone(&context), shutdown.clone())),
    ];

    futures::join!(
        control::<Customer>(customers.store, customers.wakes, &context, shutdown.clone()),
        control::<Subscription>(subscriptions.store, subscriptions.wakes, &context, shutdown.clone()),
        control::<Permission>(permissions.store, permissions.wakes, &context, shutdown),
    );
    for task in followers.into_iter().chain(background) {
        task.abort();
    }
    match tokio::time::timeout(CLOSE_MAX, context.brake.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "{RESERVE_LEFT}"),
        Err(_) => tracing::warn!(after = ?CLOSE_MAX, "{RESERVE_LEFT}"),
    }
    Ok(())
}

/// Waits until the first list of a kind is in, or no work shall be begun any more.
async fn first_list(mut complete: watch::Receiver<bool>, mut shutdown: watch::Receiver<bool>) {
    tokio::select! {
        _ = complete.wait_for(|is_complete| *is_complete) => {}
        _ = shutdown.wait_for(|is_down| *is_down) => {}
    }
}

/// Tells that everything is known once the last list is in.
async fn tell_when_listed(
    last: watch::Receiver<bool>,
    shutdown: watch::Receiver<bool>,
    is_complete: watch::Sender<bool>,
) {
    first_list(last, shutdown).await;
    is_complete.send_replace(true);
}

/// Forgets what was read in the name of whoever signed in before.
async fn follow_sign_in(context: Arc<Context>, mut sign_in_changes: watch::Receiver<u64>) {
    while sign_in_changes.changed().await.is_ok() {
        context.inventory.sign_in_changed();
        context.wake_everybody();
    }
}

/// Ends all waits when no new work shall be begun.
async fn stop_waiting(context: Arc<Context>, mut shutdown: watch::Receiver<bool>) {
    // An error means that the process has gone on without us: end as well.
    let _ = shutdown.wait_for(|is_down| *is_down).await;
    context.stop_waiting();
}

type Wakes<K> = mpsc::UnboundedReceiver<ObjectRef<K>>;

/// What one kind's watch, passes and waking are connected by.
struct Plumbing<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    objects: Objects<K>,
    store: Store<K>,
    writer: kube::runtime::reflector::store::Writer<K>,
    wakes: Wakes<K>,
}

impl<K> Plumbing<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    fn new() -> Self {
        let (store, writer) = store();
        let (wake, wakes) = mpsc::unbounded();
        Self { objects: Objects::new(store.clone(), wake), store, writer, wakes }
    }
}

/// Runs the passes of one kind: never two of one object, as many at once as there are places, each in its own task.
async fn control<K: Watched>(
    store: Store<K::Object>,
    wakes: Wakes<K::Object>,
    context: &Arc<Context>,
    mut shutdown: watch::Receiver<bool>,
) where
    K::Object: kube::Resource<DynamicType = ()>,
{
    let ends = async move {
        // An error means that the process has gone on without us: end as well.
        let _ = shutdown.wait_for(|is_down| *is_down).await;
    };
    let queue = wakes.take_until(ends.boxed()).map(Ok::<_, std::convert::Infallible>);
    applier(
        |object, context| reconcile::<K>(object, context).boxed(),
        |object, error, context| error_policy::<K>(&object, error, &context),
        Arc::clone(context),
        store,
        queue,
        // Without a limit, which is what 0 means: passes wait for their places by urgency, not by arrival.
        Config::default().concurrency(0),
    )
    .for_each(|result| async move {
        match result {
            // Both have been logged where they happened.
            Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
            Err(error) => tracing::debug!("{error}"),
        }
    })
    .await;
}

/// Polls the feed, for ever.
async fn follow_feed(
    context: Arc<Context>,
    memory: Memory,
    interval: Duration,
    operator: Arc<Operator>,
    mut polls: Polls,
) {
    loop {
        remember(&context, &memory).await;
        // Passes report within moments: what they have shown by then need not wait for the next poll.
        let report_time = interval.min(Duration::from_secs(5));
        tokio::time::sleep(report_time).await;
        remember(&context, &memory).await;
        tokio::time::sleep(interval.saturating_sub(report_time)).await;
        for customer in poll(&context, &operator, &mut polls).await {
            pass_on(&context, customer);
        }
        context.inventory.prune(|tenant| context.index().knows_tenant(tenant));
        context.orders.prune(|tenant| context.index().knows_tenant(tenant));
        context.tenants.prune();
        context.ledger.prune(|tenant| context.index().knows_tenant(tenant));
    }
}

/// Polls once; gives the customers of whom there is news.
async fn poll(context: &Context, operator: &Operator, polls: &mut Polls) -> HashSet<TenantId> {
    let at = Timestamp::now();
    let (from, to) = context.feed.window(at);
    // It finds what is to be revoked, and while it is trusted nothing else needs to be read. No other call waits for more
    // than one of it, since it makes them one after the other.
    let remote = context.remote.on(&Errand::new(Urgency::Revoke));
    let result = remote.partner_center.activity(from, to).await;
    let touched = match result {
        Ok(records) => {
            if !remote.partner_center.reads_as_application() {
                context.inventory.partner.read(None);
            }
            polls.succeeded(context);
            context.metrics.feed_read(at);
            context.feed.polled(records, Timestamp::now())
        }
        Err(error) => {
            context.feed.poll_failed();
            // Where nothing else is asked for hours, this is where a sign-in that has ended shows.
            context.inventory.partner.read_failed(None, &error, at);
            polls.failed(context, operator, &error).await;
            HashSet::new()
        }
    };
    let is_trusted = context.feed.is_trusted(Timestamp::now());
    if context.metrics.trust_feed(is_trusted) && !is_trusted {
        // Everybody's next turn is up to a day away; from now on it is within the hour.
        context.permissions.wake_all();
    }
    touched
}

fn pass_on(context: &Context, customer: TenantId) {
    for seen in context.feed.of(customer, Timestamp::now()).records {
        if seen.origin != Origin::Own {
            context.inventory.others_wrote(customer, seen.record.at);
        }
    }
    let names = context.index().permissions_of_tenant(customer);
    let shown = names.into_iter().filter_map(|name| {
        let object = context.permissions.get(&name)?;
        let shown = Permission::status(&object).map(|status| status.recent_activity.clone()).unwrap_or_default();
        Some((name, shown))
    });
    context.feed.woke(customer, shown.collect::<Vec<_>>());
    context.wake_permissions_of(customer);
}

async fn remember(context: &Context, memory: &Memory) {
    let what = context.feed.to_save(Timestamp::now(), |name| context.permissions.get(name).is_some());
    let Some(what) = what else { return };
    match memory.save(what).await {
        Ok(()) => context.feed.saved(what),
        Err(error) => tracing::warn!(%error, "cannot remember how far the activity feed was followed"),
    }
}
