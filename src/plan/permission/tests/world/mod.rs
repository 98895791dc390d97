//! Whole histories: several permissions, a Partner Center, its activity log, people, faults, crashes.
//!
//! [`World::pass`] is a driver in small: read what the plan needs, do what it says, plan again, write the status. Around
//! every step the world checks what must hold at that moment; [`World::settle`] checks what must hold in the end.

mod checks;
mod driver;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::support::*;
use crate::api::{
    CustomerPurchasePermissionStatus as Status, DeletionPolicy, DriftPolicy, Mode, OnPrerequisiteLost, OwnerRole,
    PurchaseSwitch,
};
use crate::model::{
    AzureEstate, CustomerProfile, Denial, Fact, Ignorance, Origin, OwnerHolders, PartnerKind, PermissionSet, Policy,
    PolicyState, Relationship, SubscriptionId, Switch, TenantId,
};
use crate::plan::owners::OwnerFacts;
use crate::plan::partner::{PartnerFacts, Refused};
use crate::plan::permission::{
    Action, Attempt, Contender, Desired, Facts, Failure, GrantBudget, PermissionPlan, PrerequisiteFacts, Record,
    SeenRecord, SubscriptionFacts, Successor, Wishes, Write, plan, successor,
};
use crate::plan::prerequisites::SubscriptionWish;
use crate::plan::{CustomerRef, Identity, Need, ObjectName, PartnerQuestion, to_second};

const OBJECTS: usize = 3;
const TENANTS: u8 = 2;
/// More rounds than any pass may need: five readings, a revoke, a grant, a claim, a release, and one spare each.
const ROUNDS_MAX: usize = 16;

/// One customer as it really is.
#[derive(Debug, Clone)]
struct Customer {
    policy: Option<(u32, PermissionSet)>,
    is_ours: bool,
    is_active: bool,
    has_owner: bool,
}

impl Customer {
    fn state(&self) -> PolicyState {
        match &self.policy {
            _ if !self.is_ours => PolicyState::CustomerNotOurs,
            None => PolicyState::Absent,
            Some((version, permissions)) => PolicyState::Present(Policy {
                id: "policy".into(),
                etag: Some(format!("\"{version}\"")),
                permissions: permissions.clone(),
            }),
        }
    }

    fn permissions(&self) -> PermissionSet {
        self.policy.as_ref().map(|(_, permissions)| permissions.clone()).unwrap_or_default()
    }
}

/// One object as the API server has it.
#[derive(Debug, Clone, PartialEq)]
struct Object {
    desired: Desired,
    status: Status,
    customer: CustomerRef,
}

/// What the process remembers.
#[derive(Debug, Clone)]
struct Memory {
    started: Timestamp,
    profiles: BTreeMap<TenantId, Fact<Option<CustomerProfile>>>,
    estates: BTreeMap<TenantId, Fact<AzureEstate>>,
    holders: BTreeMap<SubscriptionId, Fact<OwnerHolders>>,
    policies: BTreeMap<TenantId, Fact<PolicyState>>,
    records: Vec<SeenRecord>,
    pending: BTreeSet<String>,
    partner: PartnerFacts,
    is_feed_trusted: bool,
}

impl Memory {
    fn new(started: Timestamp) -> Self {
        Self {
            started,
            profiles: BTreeMap::new(),
            estates: BTreeMap::new(),
            holders: BTreeMap::new(),
            policies: BTreeMap::new(),
            records: Vec::new(),
            pending: BTreeSet::new(),
            partner: PartnerFacts::UNKNOWN,
            is_feed_trusted: true,
        }
    }

    /// That a reading failed is known only in the pass that tried it.
    fn forget_failures(&mut self) {
        self.profiles.retain(|_, fact| fact.failure().is_none());
        self.estates.retain(|_, fact| fact.failure().is_none());
        self.holders.retain(|_, fact| fact.failure().is_none());
        self.policies.retain(|_, fact| fact.failure().is_none());
        if self.partner.kind.failure().is_some() {
            self.partner.kind = Fact::NOT_READ;
        }
        if self.partner.is_admin_agent.failure().is_some() {
            self.partner.is_admin_agent = Fact::NOT_READ;
        }
    }
}

/// What goes wrong in one pass.
#[expect(clippy::struct_excessive_bools, reason = "each reading fails by itself")]
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    customer: bool,
    estate: bool,
    owners: bool,
    policy: bool,
    partner: bool,
    /// Writes fail; `Some(true)`: but have their effect.
    write: Option<bool>,
    /// The process dies before this step.
    dies_at: Option<usize>,
    /// The pass sees the objects as they were before the last edit of any.
    is_view_stale: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Pass(usize, Faults),
    Edit(usize, Edit),
    Portal(u8, Switch, bool),
    PortalOther(u8),
    /// Another installation turns a switch.
    Rival(u8, Switch, bool),
    Ours(u8, bool),
    Active(u8, bool),
    Owner(u8, bool),
    Forbid(bool),
    Room(bool),
    Consent(bool),
    Resell(bool),
    Poll,
    Recheck,
    Crash,
    Advance(i64),
}

#[derive(Debug, Clone)]
enum Edit {
    Wishes(PurchaseSwitch, PurchaseSwitch),
    Mode(Mode),
    DeletionPolicy(DeletionPolicy),
    DriftPolicy(DriftPolicy),
    OnPrerequisiteLost(OnPrerequisiteLost),
    /// So many seconds from now.
    ValidUntil(Option<i64>),
    Delete,
    Abandon,
    Apply(u8),
    AskAnew,
    LoseStatus,
    LoseAnnotation,
    /// As by `kubectl replace`: the manifest has neither finalizer nor annotation.
    Replace,
    /// As on a copied manifest: the annotation of another object, without its finalizer.
    CopyAnnotation(u8),
    /// Finalizer and annotation, written by hand.
    ForgeClaim(u8),
    /// Its namespace may not act for its tenant any more, until it refers to another.
    Bar,
    Refer(Option<u8>),
}

#[expect(clippy::struct_excessive_bools, reason = "each can be so by itself")]
#[derive(Debug)]
struct World {
    now: Timestamp,
    customers: BTreeMap<TenantId, Customer>,
    objects: [Option<Object>; OBJECTS],
    /// As a watch that lags behind sees them.
    lagging: [Option<Object>; OBJECTS],
    /// All records there are.
    log: Vec<SeenRecord>,
    memory: Memory,
    /// The signed-in user is no Admin agent.
    is_forbidden: bool,
    /// Graph may be asked.
    has_consent: bool,
    /// The partner is an indirect reseller.
    is_reseller: bool,
    made: u32,
    writes: Vec<(usize, TenantId)>,
    /// Whom an object may act for, by UID: a pass has made the claim, or its Customer has named the tenant.
    entitled: BTreeSet<(String, TenantId)>,
    /// Something has changed that no record tells of.
    is_sweep_due: bool,
    /// Whether there is room for first grants.
    has_room: bool,
    /// What each object has reached by itself or found: UID, tenant and switch.
    reached: BTreeSet<(String, TenantId, String)>,
}

/// The process has died.
struct Died;

impl World {
    fn new() -> Self {
        let now = after_turn("uid-0");
        let customer = Customer { policy: None, is_ours: true, is_active: true, has_owner: true };
        let mut world = Self {
            now,
            customers: (1..=TENANTS).map(|number| (tenant(number), customer.clone())).collect(),
            objects: [const { None }; OBJECTS],
            lagging: [const { None }; OBJECTS],
            log: Vec::new(),
            memory: Memory::new(now),
            is_forbidden: false,
            has_consent: true,
            is_reseller: false,
            made: 0,
            writes: Vec::new(),
            entitled: BTreeSet::new(),
            is_sweep_due: false,
            has_room: true,
            reached: BTreeSet::new(),
        };
        for (index, number) in [(0, 1), (1, 1), (2, 2)] {
            world.step(Step::Edit(index, Edit::Apply(number)));
        }
        world
    }

    fn step(&mut self, step: Step) {
        self.now += SignedDuration::from_millis(1500);
        match step {
            Step::Pass(index, faults) => {
                if self.pass(index, faults).is_err() {
                    self.crash();
                }
            }
            Step::Portal(number, switch, allow) => {
                self.others_write(number, Origin::Other, |set| set.with(switch, allow));
            }
            Step::PortalOther(number) => {
                self.others_write(number, Origin::Other, |set| PermissionSet::new(set.allowed(), vec![marketplace()]));
            }
            Step::Rival(number, switch, allow) => {
                self.others_write(number, Origin::Rival, |set| set.with(switch, allow));
            }
            Step::Ours(number, is_ours) => {
                self.customer(tenant(number)).is_ours = is_ours;
                self.is_sweep_due = true;
            }
            Step::Active(number, is_active) => self.customer(tenant(number)).is_active = is_active,
            Step::Owner(number, has_owner) => self.customer(tenant(number)).has_owner = has_owner,
            Step::Forbid(is_forbidden) => self.is_forbidden = is_forbidden,
            Step::Consent(has_consent) => self.has_consent = has_consent,
            Step::Resell(is_reseller) => self.is_reseller = is_reseller,
            Step::Room(has_room) => self.has_room = has_room,
            Step::Poll => self.poll(),
            Step::Recheck => self.recheck(),
            Step::Crash => self.crash(),
            Step::Advance(seconds) => self.now += SignedDuration::from_secs(seconds),
            Step::Edit(index, edit) => self.edit(index, &edit),
        }
        self.keep_statuses();
    }

    fn edit(&mut self, index: usize, edit: &Edit) {
        self.lagging = self.objects.clone();
        self.made += 1;
        if let (Edit::Apply(number), None) = (edit, &self.objects[index]) {
            self.objects[index] = Some(Self::applied(index, self.made, *number, self.now));
        }
        let Some(object) = &mut self.objects[index] else { return };
        let desired = &mut object.desired;
        let before = desired.clone();
        match edit {
            Edit::Wishes(reservations, savings_plans) => {
                desired.wishes = Wishes { reservations: *reservations, savings_plans: *savings_plans };
            }
            Edit::Mode(mode) => desired.mode = *mode,
            Edit::DeletionPolicy(policy) => desired.deletion_policy = *policy,
            Edit::DriftPolicy(policy) => desired.drift_policy = *policy,
            Edit::OnPrerequisiteLost(policy) => desired.on_prerequisite_lost = *policy,
            Edit::ValidUntil(seconds) => {
                let end = |seconds: &i64| to_second(self.now).0 + SignedDuration::from_secs(*seconds);
                desired.valid_until = seconds.as_ref().map(end);
            }
            Edit::Delete => desired.is_deleting = true,
            Edit::Abandon => desired.is_abandoned = true,
            Edit::AskAnew => desired.identity.reconcile_request = Some(format!("request {}", self.made)),
            Edit::LoseStatus => {
                object.status = Status::default();
                desired.record = Record::NONE;
            }
            Edit::LoseAnnotation => desired.remembered = None,
            Edit::Replace if !desired.is_deleting => {
                desired.has_finalizer = false;
                desired.remembered = None;
            }
            Edit::CopyAnnotation(number) if !desired.has_finalizer => desired.remembered = Some(tenant(*number)),
            Edit::ForgeClaim(number) if !desired.is_deleting => {
                desired.has_finalizer = true;
                desired.remembered = Some(tenant(*number));
            }
            Edit::Apply(_) | Edit::CopyAnnotation(_) | Edit::ForgeClaim(_) | Edit::Replace => {}
            Edit::Bar => {
                object.customer = CustomerRef::NotAllowed { why: "not allowed".into(), is_certain: true };
            }
            Edit::Refer(number) => {
                object.customer = number.map_or(CustomerRef::Missing, |it| CustomerRef::Found(tenant(it)));
            }
        }
        if let CustomerRef::Found(named) = object.customer {
            self.entitled.insert((desired.identity.uid.clone(), named));
        }
        // Annotations have no generation.
        let of_spec = |it: &Desired| {
            let policies = (it.drift_policy, it.on_prerequisite_lost, it.deletion_policy);
            (it.wishes, it.mode, it.valid_until, policies, it.is_deleting)
        };
        if of_spec(desired) != of_spec(&before) {
            desired.identity.generation += 1;
        }
        self.collect(index);
    }

    fn applied(index: usize, made: u32, number: u8, now: Timestamp) -> Object {
        let name = ObjectName { namespace: format!("ns-{index}"), name: "permission".into() };
        let uid = if made as usize <= OBJECTS { format!("uid-{index}") } else { format!("uid-{index}-{made}") };
        let desired = Desired {
            identity: Identity { name, uid, generation: 1, created: now, reconcile_request: None },
            customer: "fabrikam".into(),
            wishes: Wishes { reservations: Allow, savings_plans: Deny },
            subscriptions: vec!["main".into()],
            mode: Mode::Enforce,
            drift_policy: DriftPolicy::Correct,
            on_prerequisite_lost: OnPrerequisiteLost::Keep,
            valid_until: None,
            deletion_policy: DeletionPolicy::Revoke,
            is_deleting: false,
            is_abandoned: false,
            has_finalizer: false,
            remembered: None,
            record: Record::NONE,
        };
        Object { desired, status: Status::default(), customer: CustomerRef::Found(tenant(number)) }
    }

    /// The API server removes what is deleted and held by nobody.
    fn collect(&mut self, index: usize) {
        if self.objects[index].as_ref().is_some_and(|it| it.desired.is_deleting && !it.desired.has_finalizer) {
            self.objects[index] = None;
        }
    }

    fn customer(&mut self, tenant: TenantId) -> &mut Customer {
        self.customers.get_mut(&tenant).unwrap()
    }

    fn others_write(&mut self, number: u8, origin: Origin, change: impl FnOnce(PermissionSet) -> PermissionSet) {
        let permissions = self.customer(tenant(number)).permissions();
        let next = change(permissions.clone());
        if next != permissions {
            self.put(tenant(number), next);
            self.record(tenant(number), origin);
        }
    }

    fn put(&mut self, tenant: TenantId, permissions: PermissionSet) {
        self.made += 1;
        let version = self.made;
        self.customer(tenant).policy = (!permissions.is_empty()).then_some((version, permissions));
    }

    fn record(&mut self, tenant: TenantId, origin: Origin) -> String {
        let id = format!("record-{:04}", self.log.len());
        let mut seen = record(&id, self.now, origin, "ada@fabrikam.example");
        seen.record.customer = tenant;
        self.log.push(seen);
        id
    }

    /// The feed sees what it has not seen yet.
    fn poll(&mut self) {
        let known: BTreeSet<_> = self.memory.records.iter().map(|seen| seen.record.id.clone()).collect();
        for seen in self.log.iter().filter(|seen| !known.contains(&seen.record.id)) {
            self.memory.pending.remove(&seen.record.id);
            self.memory.records.push(SeenRecord { seen_at: self.now, ..seen.clone() });
        }
        let yesterday = self.now - SignedDuration::from_hours(24);
        self.memory.records.retain(|seen| seen.record.at >= yesterday || seen.seen_at >= yesterday);
    }

    fn crash(&mut self) {
        let known: BTreeSet<_> = self.memory.records.iter().map(|seen| seen.record.id.clone()).collect();
        self.memory = Memory::new(self.now);
        // The last day is read again before the feed counts as unbroken; what is newer may still be on its way.
        let now = self.now;
        let again = self.log.iter().filter(|seen| known.contains(&seen.record.id)).cloned();
        self.memory.records = again.map(|seen| SeenRecord { seen_at: now, ..seen }).collect();
    }

    /// The tenant that an object means.
    fn meant(object: &Object) -> Option<TenantId> {
        object.desired.tenant(&object.customer)
    }

    fn prerequisites(&self, object: &Object) -> PrerequisiteFacts {
        let found = match &object.customer {
            CustomerRef::Found(tenant) => Some(*tenant),
            CustomerRef::Missing | CustomerRef::Malformed(_) | CustomerRef::NotAllowed { .. } => None,
        };
        let memory = &self.memory;
        let id = Self::subscription_of(object);
        PrerequisiteFacts {
            customer: object.customer.clone(),
            profile: found.and_then(|it| memory.profiles.get(&it).cloned()).unwrap_or(Fact::NOT_READ),
            estate: found.and_then(|it| memory.estates.get(&it).cloned()).unwrap_or(Fact::NOT_READ),
            subscriptions: vec![SubscriptionFacts {
                name: "main".into(),
                wish: Some(Ok(SubscriptionWish {
                    customer: object.desired.customer.clone(),
                    subscription: id,
                    owner_role: OwnerRole::Verify,
                    owners: BTreeSet::new(),
                })),
                owners: OwnerFacts {
                    holders: memory.holders.get(&id).cloned().unwrap_or(Fact::NOT_READ),
                    ..OwnerFacts::NOT_READ
                },
            }],
        }
    }

    fn subscription_of(object: &Object) -> SubscriptionId {
        match &object.customer {
            CustomerRef::Found(found) if *found == tenant(2) => subscription(2),
            _ => subscription(1),
        }
    }

    fn facts(&self, index: usize, view: &[Option<Object>; OBJECTS], attempt: &Attempt) -> Facts {
        let object = view[index].as_ref().unwrap();
        let meant = Self::meant(object);
        let others: Vec<_> = view
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
            .filter_map(|(_, other)| other.as_ref())
            .filter(|other| meant.is_some() && Self::meant(other) == meant)
            .collect();
        let memory = &self.memory;
        let of_tenant = |seen: &&SeenRecord| meant.is_some_and(|meant| seen.record.customer == meant);
        let activity: Vec<_> = memory.records.iter().filter(of_tenant).cloned().collect();
        let contenders: Vec<_> = meant
            .iter()
            .flat_map(|it| {
                let contender = |other: &&Object| Contender::of(&other.desired, *it, &other.customer, &activity);
                others.iter().copied().filter_map(move |other| contender(&other))
            })
            .collect();
        let successor = successor(&contenders).map(|next| {
            let next = others.iter().find(|other| other.desired.identity.uid == next.uid).unwrap();
            let prerequisites = self.prerequisites(next);
            Successor { desired: next.desired.clone(), prerequisites, may_be_looked_at: true }
        });
        Facts {
            prerequisites: self.prerequisites(object),
            partner: memory.partner.clone(),
            policy: meant.and_then(|it| memory.policies.get(&it).cloned()).unwrap_or(Fact::NOT_READ),
            activity,
            is_record_pending: self.log.iter().filter(of_tenant).any(|seen| memory.pending.contains(&seen.record.id)),
            is_feed_trusted: memory.is_feed_trusted,
            contenders,
            successor,
            clock_ahead: None,
            started: memory.started,
            grant_budget: GrantBudget { limit: 50, has_room: self.has_room },
            attempt: attempt.clone(),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let object = 0..OBJECTS;
    let number = 1..=TENANTS;
    let wish = || prop_oneof![3 => Just(Allow), 2 => Just(Deny), 1 => Just(Unmanaged)];
    let switch = || prop_oneof![Just(Reservations), Just(SavingsPlans)];
    let mode = prop_oneof![3 => Just(Mode::Enforce), 1 => Just(Mode::Observe), 1 => Just(Mode::Suspend)];
    let deletion = prop_oneof![3 => Just(DeletionPolicy::Revoke), 1 => Just(DeletionPolicy::Retain)];
    let drift = prop_oneof![Just(DriftPolicy::Correct), Just(DriftPolicy::CorrectDown), Just(DriftPolicy::Report)];
    let lost = prop_oneof![Just(OnPrerequisiteLost::Keep), Just(OnPrerequisiteLost::Revoke)];
    let seconds = prop_oneof![3 => 1_i64..600, 1 => 600_i64..7200, 1 => 20_000_i64..100_000];
    let edit = prop_oneof![
        4 => (wish(), wish()).prop_map(|(reservations, savings_plans)| Edit::Wishes(reservations, savings_plans)),
        2 => mode.prop_map(Edit::Mode),
        1 => deletion.prop_map(Edit::DeletionPolicy),
        1 => drift.prop_map(Edit::DriftPolicy),
        1 => lost.prop_map(Edit::OnPrerequisiteLost),
        1 => proptest::option::of(prop_oneof![-500_i64..5000, 20_000_i64..100_000]).prop_map(Edit::ValidUntil),
        2 => Just(Edit::Delete),
        2 => number.clone().prop_map(Edit::Apply),
        1 => Just(Edit::Abandon),
        1 => Just(Edit::Bar),
        1 => Just(Edit::AskAnew),
        1 => Just(Edit::LoseStatus),
        1 => Just(Edit::LoseAnnotation),
        2 => Just(Edit::Replace),
        1 => number.clone().prop_map(Edit::CopyAnnotation),
        1 => number.clone().prop_map(Edit::ForgeClaim),
        1 => proptest::option::of(number.clone()).prop_map(Edit::Refer),
    ];
    prop_oneof![
        18 => (object.clone(), faults()).prop_map(|(object, faults)| Step::Pass(object, faults)),
        16 => (object, edit).prop_map(|(object, edit)| Step::Edit(object, edit)),
        5 => (number.clone(), switch(), any::<bool>()).prop_map(|(number, switch, on)| Step::Portal(number, switch, on)),
        1 => (number.clone(), switch(), any::<bool>()).prop_map(|(number, switch, on)| Step::Rival(number, switch, on)),
        1 => number.clone().prop_map(Step::PortalOther),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, it)| Step::Ours(number, it)),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, it)| Step::Active(number, it)),
        1 => (number, any::<bool>()).prop_map(|(number, it)| Step::Owner(number, it)),
        1 => any::<bool>().prop_map(Step::Forbid),
        1 => any::<bool>().prop_map(Step::Consent),
        1 => proptest::bool::weighted(0.3).prop_map(Step::Resell),
        1 => any::<bool>().prop_map(Step::Room),
        4 => Just(Step::Poll),
        1 => Just(Step::Recheck),
        2 => Just(Step::Crash),
        3 => seconds.prop_map(Step::Advance),
    ]
}

fn faults() -> impl Strategy<Value = Faults> {
    let rarely = || proptest::bool::weighted(0.12);
    let write = proptest::option::weighted(0.2, any::<bool>());
    let dies_at = proptest::option::weighted(0.15, 1_usize..8);
    (rarely(), rarely(), rarely(), rarely(), rarely(), write, dies_at, rarely()).prop_map(
        |(customer, estate, owners, policy, partner, write, dies_at, is_view_stale)| Faults {
            customer,
            estate,
            owners,
            policy,
            partner,
            write,
            dies_at,
            is_view_stale,
        },
    )
}

proptest! {
    // More with PROPTEST_CASES; seeds are worth nothing once the steps change.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_it_settles_safely(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.settle();
    }
}
