//! Whole histories: several permissions, a Partner Center, its activity log, people, faults, crashes.
//!
//! [`World::pass`] is a driver in small: read what the plan needs, do what it says, plan again, write the status. Around
//! every step the world checks what must hold at that moment; [`World::settle`] checks what must hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::support::*;
use crate::api::{CustomerPurchasePermissionStatus as Status, DeletionPolicy, Mode, OwnerRole, PurchaseSwitch};
use crate::model::{
    AzureEstate, CustomerProfile, Denial, Fact, Ignorance, Origin, OwnerHolders, PartnerAuthorization, PermissionSet,
    Policy, PolicyState, Relationship, SubscriptionId, Switch, TenantId,
};
use crate::plan::permission::{
    Action, Attempt, Contender, Desired, Facts, Failure, PartnerFacts, PermissionPlan, PrerequisiteFacts, SeenRecord,
    SubscriptionFacts, Successor, Wishes, Write, plan, successor,
};
use crate::plan::prerequisites::SubscriptionWish;
use crate::plan::{CustomerRef, Identity, Need, ObjectName};

const OBJECTS: usize = 3;
const TENANTS: u8 = 2;
/// More rounds than any pass may need: four readings, a revoke, a grant, a claim, a release, and one spare each.
const ROUNDS_MAX: usize = 14;

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
#[derive(Debug, Clone)]
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
    authorization: PartnerAuthorization,
    decays_at: Option<Timestamp>,
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
            authorization: PartnerAuthorization::Unverified,
            decays_at: None,
            is_feed_trusted: true,
        }
    }

    /// That a reading failed is known only in the pass that tried it.
    fn forget_failures(&mut self) {
        self.profiles.retain(|_, fact| fact.failure().is_none());
        self.estates.retain(|_, fact| fact.failure().is_none());
        self.holders.retain(|_, fact| fact.failure().is_none());
        self.policies.retain(|_, fact| fact.failure().is_none());
    }
}

/// What goes wrong in one pass.
#[allow(clippy::struct_excessive_bools, reason = "each reading fails by itself")]
#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    customer: bool,
    estate: bool,
    owners: bool,
    policy: bool,
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
    Ours(u8, bool),
    Active(u8, bool),
    Owner(u8, bool),
    Forbid(bool),
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
    Delete,
    Abandon,
    Apply(u8),
    AskAnew,
    LoseStatus,
    LoseAnnotation,
    Refer(Option<u8>),
}

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
    is_forbidden: bool,
    made: u32,
    writes: Vec<(usize, TenantId)>,
    /// Something has changed that no record tells of.
    is_sweep_due: bool,
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
            made: 0,
            writes: Vec::new(),
            is_sweep_due: false,
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
            Step::Portal(number, switch, allow) => self.portal(number, |set| set.with(switch, allow)),
            Step::PortalOther(number) => {
                self.portal(number, |set| PermissionSet::new(set.allowed(), vec![marketplace()]));
            }
            Step::Ours(number, is_ours) => {
                self.customer(tenant(number)).is_ours = is_ours;
                self.is_sweep_due = true;
            }
            Step::Active(number, is_active) => self.customer(tenant(number)).is_active = is_active,
            Step::Owner(number, has_owner) => self.customer(tenant(number)).has_owner = has_owner,
            Step::Forbid(is_forbidden) => self.is_forbidden = is_forbidden,
            Step::Poll => self.poll(),
            Step::Recheck => self.recheck(),
            Step::Crash => self.crash(),
            Step::Advance(seconds) => self.now += SignedDuration::from_secs(seconds),
            Step::Edit(index, edit) => self.edit(index, &edit),
        }
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
            Edit::Apply(_) => {}
            Edit::Wishes(reservations, savings_plans) => {
                desired.wishes = Wishes { reservations: *reservations, savings_plans: *savings_plans };
            }
            Edit::Mode(mode) => desired.mode = *mode,
            Edit::DeletionPolicy(policy) => desired.deletion_policy = *policy,
            Edit::Delete => desired.is_deleting = true,
            Edit::Abandon => desired.is_abandoned = true,
            Edit::AskAnew => desired.identity.reconcile_request = Some(format!("request {}", self.made)),
            Edit::LoseStatus => object.status = Status::default(),
            Edit::LoseAnnotation => desired.remembered = None,
            Edit::Refer(number) => {
                object.customer = number.map_or(CustomerRef::Missing, |it| CustomerRef::Found(tenant(it)));
            }
        }
        // Annotations have no generation.
        let of_spec = |it: &Desired| (it.wishes, it.mode, it.deletion_policy, it.is_deleting);
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
            deletion_policy: DeletionPolicy::Revoke,
            is_deleting: false,
            is_abandoned: false,
            has_finalizer: false,
            remembered: None,
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

    fn portal(&mut self, number: u8, change: impl FnOnce(PermissionSet) -> PermissionSet) {
        let permissions = self.customer(tenant(number)).permissions();
        let next = change(permissions.clone());
        if next != permissions {
            self.put(tenant(number), next);
            self.record(tenant(number), Origin::Other);
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
        object.desired.claim().or(match &object.customer {
            CustomerRef::Found(tenant) => Some(*tenant),
            CustomerRef::Missing | CustomerRef::Malformed(_) => None,
        })
    }

    fn prerequisites(&self, object: &Object) -> PrerequisiteFacts {
        let found = match &object.customer {
            CustomerRef::Found(tenant) => Some(*tenant),
            CustomerRef::Missing | CustomerRef::Malformed(_) => None,
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
                holders: memory.holders.get(&id).cloned().unwrap_or(Fact::NOT_READ),
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
        let contenders: Vec<_> = meant
            .iter()
            .flat_map(|it| others.iter().filter_map(|other| Contender::of(&other.desired, *it, &other.customer)))
            .collect();
        let successor = successor(&contenders).map(|next| {
            let next = others.iter().find(|other| other.desired.identity.uid == next.uid).unwrap();
            Successor { desired: next.desired.clone(), prerequisites: self.prerequisites(next) }
        });
        let memory = &self.memory;
        let of_tenant = |seen: &&SeenRecord| meant.is_some_and(|meant| seen.record.customer == meant);
        Facts {
            prerequisites: self.prerequisites(object),
            partner: PartnerFacts { authorization: memory.authorization.clone(), decays_at: memory.decays_at },
            policy: meant.and_then(|it| memory.policies.get(&it).cloned()).unwrap_or(Fact::NOT_READ),
            activity: memory.records.iter().filter(of_tenant).cloned().collect(),
            is_record_pending: self.log.iter().filter(of_tenant).any(|seen| memory.pending.contains(&seen.record.id)),
            is_feed_trusted: memory.is_feed_trusted,
            contenders,
            successor,
            started: memory.started,
            attempt: attempt.clone(),
        }
    }

    /// One pass, as the driver makes it.
    fn pass(&mut self, index: usize, faults: Faults) -> Result<(), Died> {
        if self.memory.decays_at.is_some_and(|at| at <= self.now) {
            self.memory.authorization = PartnerAuthorization::Unverified;
            self.memory.decays_at = None;
        }
        self.memory.forget_failures();
        let mut view = if faults.is_view_stale { self.lagging.clone() } else { self.objects.clone() };
        let Some(object) = view[index].clone() else { return Ok(()) };
        let is_same = |one: &Option<Object>| {
            one.as_ref().is_some_and(|one| one.desired.identity.uid == object.desired.identity.uid)
        };
        let mut steps = 0;
        let mut lives = |now: &mut Timestamp| {
            steps += 1;
            *now += SignedDuration::from_millis(20);
            if faults.dies_at == Some(steps) { Err(Died) } else { Ok(()) }
        };
        let now = self.now;
        let mut before = object.status.clone();
        let mut attempt = Attempt::None;
        let mut tried = BTreeSet::new();
        let mut is_settled = false;
        'rounds: for _ in 0..ROUNDS_MAX {
            let facts = self.facts(index, &view, &attempt);
            let desired = &view[index].as_ref().unwrap().desired;
            let planned = plan(desired, &facts, &before, INTERVALS, now);
            Self::check_plan(desired, &facts, &before, &planned, now);
            if let Some(need) = planned.needs.iter().find(|need| !tried.contains(*need)).cloned() {
                assert_ne!(desired.mode, Mode::Suspend, "Suspend reads nothing");
                lives(&mut self.now)?;
                self.read(&need, faults);
                tried.insert(need);
                continue;
            }
            before = planned.status;
            if planned.actions.is_empty() {
                Self::check_status(desired, &facts, &before, now);
                is_settled = true;
                break;
            }
            for action in planned.actions {
                lives(&mut self.now)?;
                match action {
                    Action::Claim { tenant } => {
                        let stored = self.objects[index].as_mut().filter(|it| is_same(&Some((*it).clone())));
                        // The API server takes no new finalizer on what is being deleted.
                        let Some(stored) = stored.filter(|it| !it.desired.is_deleting) else { return Ok(()) };
                        for desired in [&mut stored.desired, &mut view[index].as_mut().unwrap().desired] {
                            desired.has_finalizer = true;
                            desired.remembered = Some(tenant);
                        }
                    }
                    Action::PassOn { successor: _, uid, tenant } => {
                        let is_successor =
                            |one: &&mut Object| one.desired.identity.uid == uid && !one.desired.is_deleting;
                        let Some(stored) = self.objects.iter_mut().flatten().find(is_successor) else { return Ok(()) };
                        stored.desired.has_finalizer = true;
                        stored.desired.remembered = Some(tenant);
                        let seen = view.iter_mut().flatten().find(|one| one.desired.identity.uid == uid);
                        if let Some(seen) = seen {
                            seen.desired.has_finalizer = true;
                            seen.desired.remembered = Some(tenant);
                        }
                    }
                    Action::Release { why } => {
                        if !is_same(&self.objects[index]) {
                            return Ok(());
                        }
                        self.check_release(index, &view, &why);
                        let stored = self.objects[index].as_mut().unwrap();
                        for desired in [&mut stored.desired, &mut view[index].as_mut().unwrap().desired] {
                            desired.has_finalizer = false;
                            desired.remembered = None;
                        }
                        self.collect(index);
                        if self.objects[index].is_none() {
                            return Ok(());
                        }
                    }
                    Action::Write { tenant, write, is_grant: _ } => {
                        if is_same(&self.objects[index]) {
                            self.check_write(index, &view, tenant, &write, now);
                        }
                        attempt = self.write(index, tenant, &write, faults.write);
                        lives(&mut self.now)?;
                        if attempt == Attempt::Contradicted {
                            tried.clear();
                        }
                        if attempt != Attempt::Accepted {
                            continue 'rounds;
                        }
                    }
                }
            }
        }
        assert!(is_settled, "a pass ends after {ROUNDS_MAX} rounds");
        lives(&mut self.now)?;
        if is_same(&self.objects[index]) {
            self.objects[index].as_mut().unwrap().status = before;
        }
        Ok(())
    }

    /// Customers and `AzureSubscription`s have their own turns, at which they read what was read before.
    fn recheck(&mut self) {
        let memory = &self.memory;
        let customers = memory.profiles.keys().map(|tenant| Need::Customer(*tenant));
        let estates = memory.estates.keys().map(|tenant| Need::Estate(*tenant));
        let is_read = |number: &u8| memory.holders.contains_key(&subscription(*number));
        let owners = (1..=TENANTS)
            .filter(is_read)
            .map(|number| Need::Owners(tenant(number), subscription(number), BTreeSet::new()));
        for need in customers.chain(estates).chain(owners).collect::<Vec<_>>() {
            self.read(&need, Faults::default());
        }
    }

    fn read(&mut self, need: &Need, faults: Faults) {
        fn result<T>(now: Timestamp, fails: bool, value: T) -> Fact<T> {
            if fails {
                let why = Ignorance::Failed { reason: "Throttled", message: "wait".into(), last_read: None };
                return Fact::Unknown { why };
            }
            Fact::Known { value, at: now }
        }
        let now = self.now;
        match need {
            Need::Customer(tenant) => {
                let found = self.customer(*tenant).is_ours.then(|| profile(Relationship::Reseller)).flatten();
                self.memory.profiles.insert(*tenant, result(now, faults.customer, found));
            }
            Need::Estate(tenant) => {
                let customer = self.customer(*tenant).clone();
                let found = estate(if customer.is_active { "active" } else { "suspended" });
                self.memory.estates.insert(*tenant, result(now, faults.estate || !customer.is_ours, found));
            }
            Need::Owners(tenant, id, _) => {
                let has_owner = self.customer(*tenant).has_owner;
                let found = if has_owner { holders() } else { OwnerHolders::default() };
                self.memory.holders.insert(*id, result(now, faults.owners, found));
            }
            Need::Policy(tenant) => {
                let found = self.customer(*tenant).state();
                self.memory.policies.insert(*tenant, result(now, faults.policy, found));
            }
        }
    }

    fn write(&mut self, index: usize, tenant: TenantId, write: &Write, fault: Option<bool>) -> Attempt {
        let fail = |reason, needs_person| {
            Attempt::Failed(Failure { reason, message: format!("{reason}: refused"), needs_person })
        };
        let next = match write {
            Write::Create { permissions } | Write::Update { permissions, .. } => permissions.clone(),
            Write::Delete { .. } => PermissionSet::default(),
        };
        let is_accepted = match (write, self.customer(tenant).state()) {
            (_, PolicyState::CustomerNotOurs) => false,
            (Write::Create { .. }, state) => state == PolicyState::Absent,
            (Write::Update { read, .. }, state) => state == PolicyState::Present(read.clone()),
            (Write::Delete { .. }, _) => true,
        };
        let attempt = if self.is_forbidden {
            self.memory.authorization =
                PartnerAuthorization::Denied(Denial { reason: "NotAdminAgent", message: "get it".into() });
            self.memory.decays_at = Some(self.now + SignedDuration::from_hours(1));
            fail("NotAdminAgent", true)
        } else if !is_accepted {
            Attempt::Contradicted
        } else {
            if fault != Some(false) {
                self.writes.push((index, tenant));
                if next != self.customer(tenant).permissions() {
                    self.put(tenant, next);
                    let id = self.record(tenant, Origin::Own);
                    // A write whose answer was lost is not known to have arrived.
                    if let Some(seen) = self.log.last_mut() {
                        seen.is_confirmed = fault.is_none();
                    }
                    if fault.is_none() {
                        self.memory.pending.insert(id);
                    }
                }
            }
            match fault {
                None => Attempt::Accepted,
                Some(_) => fail("Unavailable", false),
            }
        };
        let known = if attempt == Attempt::Accepted {
            self.memory.authorization = PartnerAuthorization::Authorized;
            self.memory.decays_at = None;
            Fact::Known { value: self.customer(tenant).state(), at: self.now }
        } else {
            Fact::NOT_READ
        };
        self.memory.policies.insert(tenant, known);
        attempt
    }

    // What must hold at every step.

    fn check_plan(desired: &Desired, facts: &Facts, before: &Status, planned: &PermissionPlan, now: Timestamp) {
        assert_eq!(&plan(desired, facts, before, INTERVALS, now), planned, "the same arguments give the same plan");
        if !planned.needs.is_empty() {
            assert_eq!(planned.actions, [], "nothing is done while something must be read");
        }
        if desired.mode == Mode::Suspend {
            assert!(planned.actions.iter().all(|action| matches!(action, Action::Release { .. })));
        }
    }

    fn check_write(
        &self,
        index: usize,
        view: &[Option<Object>; OBJECTS],
        target: TenantId,
        write: &Write,
        now: Timestamp,
    ) {
        let me = view[index].as_ref().unwrap();
        let stored = &self.objects[index].as_ref().unwrap().desired;
        assert_eq!(me.desired.mode, Mode::Enforce, "only Enforce writes");
        assert_eq!(me.desired.claim().unwrap_or(target), target);
        // With an old view it may just have been released: nothing but a fresh look would tell.
        if me.desired.identity.generation == stored.identity.generation {
            assert!(stored.has_finalizer, "the finalizer comes before any write");
        }
        let (read, next) = match write {
            Write::Create { permissions } => (PermissionSet::default(), permissions.clone()),
            Write::Update { read, permissions } => (read.permissions.clone(), permissions.clone()),
            Write::Delete { .. } => {
                let Some(Fact::Known { value: PolicyState::Present(policy), at }) = self.memory.policies.get(&target)
                else {
                    panic!("a delete needs a reading")
                };
                assert!(*at >= now, "a delete needs the reading of this pass");
                (policy.permissions.clone(), PermissionSet::default())
            }
        };
        if let Write::Update { .. } = write {
            assert!(matches!(&self.memory.policies[&target], Fact::Known { at, .. } if *at >= now));
        }
        assert_eq!(read.others(), next.others(), "what is not understood survives");
        let granted = |switch: &Switch| next.allows(*switch) && !read.allows(*switch);
        let revoked = |switch: &Switch| !next.allows(*switch) && read.allows(*switch);
        let is_grant = Switch::ALL.iter().any(granted);
        assert!(is_grant != Switch::ALL.iter().any(revoked), "a write grants or revokes, never both, never nothing");
        for switch in Switch::ALL {
            let wish = me.desired.wishes.of(switch);
            assert!(!granted(&switch) || (wish == Allow && !me.desired.is_deleting), "only what is wished is granted");
            assert!(!revoked(&switch) || wish == Deny || (wish == Allow && me.desired.is_deleting));
        }
        let older_claim = view.iter().flatten().any(|other| {
            let claims = other.desired.claim() == Some(target) && other.desired.mode != Mode::Observe;
            let rank = |one: &Object| {
                let identity = &one.desired.identity;
                (one.customer != CustomerRef::Found(target), identity.created, identity.uid.clone())
            };
            claims && rank(other) < rank(me)
        });
        assert!(!older_claim, "only the owner writes");
        if is_grant {
            self.check_grant(me, target, now);
        }
    }

    fn check_grant(&self, me: &Object, target: TenantId, now: Timestamp) {
        let oldest = now - SignedDuration::from_mins(10);
        assert_eq!(me.customer, CustomerRef::Found(target), "granted to the tenant that the Customer names");
        let Some(Fact::Known { value: Some(_), at }) = self.memory.profiles.get(&target) else { panic!("customer") };
        assert!(*at >= oldest);
        let Some(Fact::Known { value, at }) = self.memory.estates.get(&target) else { panic!("estate") };
        assert!(*at >= oldest && *value == estate("active"));
        let Some(Fact::Known { value, at }) = self.memory.holders.get(&Self::subscription_of(me)) else {
            panic!("owners")
        };
        assert!(*at >= oldest && *value == holders());
        assert!(!matches!(self.memory.authorization, PartnerAuthorization::Denied(_)));
    }

    /// Nobody is let go while its switches are on, unless somebody answers for them or a person said so.
    fn check_release(&mut self, index: usize, view: &[Option<Object>; OBJECTS], why: &str) {
        let me = view[index].clone().unwrap();
        if me.desired.is_abandoned
            || me.desired.deletion_policy == DeletionPolicy::Retain
            || me.desired.mode == Mode::Observe
        {
            return;
        }
        assert!(me.desired.is_deleting, "Enforce keeps its claim");
        if why.contains("takes over") || why.contains("owned nothing") {
            return;
        }
        let tenant = Self::meant(&me).unwrap();
        let customer = self.customer(tenant);
        let managed = |switch: &Switch| me.desired.wishes.of(*switch) != Unmanaged;
        let is_off = Switch::ALL.iter().filter(|it| managed(it)).all(|it| !customer.permissions().allows(*it));
        assert!(is_off || !customer.is_ours, "released with its switches on: {why}");
    }

    fn check_status(desired: &Desired, facts: &Facts, status: &Status, now: Timestamp) {
        let again = plan(desired, facts, status, INTERVALS, now);
        assert_eq!(
            (&again.status, again.events.as_slice()),
            (status, &[][..]),
            "a plan of its own status changes nothing"
        );
        let second_later = plan(desired, facts, status, INTERVALS, now + SignedDuration::from_secs(1));
        if second_later.needs.is_empty() {
            assert_eq!(&second_later.status, status, "time alone changes nothing");
        }
        if status.observed_generation < 0 {
            return; // Not looked at yet: within the grace for references.
        }
        assert_eq!(status.observed_generation, desired.identity.generation);
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric();
        for one in &status.conditions {
            let reason = one.reason.as_bytes();
            assert!(one.observed_generation.is_some() && !one.message.is_empty(), "{one:?}");
            assert!(
                reason.first().is_some_and(u8::is_ascii_alphabetic) && reason.last().is_some_and(|it| is_letter(*it))
            );
            assert!(reason.iter().all(|it| is_letter(*it) || b"_,:".contains(it)), "{one:?}");
            assert!(["True", "False", "Unknown"].contains(&one.status.as_str()));
            assert_eq!(one.last_transition_time.0.subsec_nanosecond(), 0);
        }
        let is = |type_: &str| {
            status.conditions.iter().find(|one| one.type_ == type_).map(|one| one.status.as_str()).unwrap_or_default()
        };
        for type_ in ["Ready", "Reconciling", "Stalled", "ActivityRecorded"] {
            assert_ne!(is(type_), "", "{type_} is always there");
        }
        assert!(!(is("Reconciling") == "True" && is("Stalled") == "True"));
        if desired.mode != Mode::Suspend || desired.is_deleting {
            assert_eq!(
                is("Ready") == "True",
                is("Reconciling") == "False" && is("Stalled") == "False",
                "{:?}",
                status.conditions
            );
        }
        if desired.mode == Mode::Enforce && is("Ready") == "True" {
            assert_eq!(is("Synced"), "True");
            // Of what it says to hold, nothing may be known to be otherwise.
            let Fact::Known { value, .. } = &facts.policy else { return };
            for switch in Switch::ALL {
                let wish = desired.wishes.of(switch);
                assert!(wish == Unmanaged || (wish == Allow) == value.allows(switch), "{switch} {wish:?} {value:?}");
            }
        }
        assert!(status.recent_activity.len() <= 20 && status.plan.len() <= 10);
    }

    // What must hold in the end.

    /// Faults are over, records arrive, and everybody has some turns.
    fn settle(&mut self) {
        self.is_forbidden = false;
        self.lagging = self.objects.clone();
        self.memory.authorization = PartnerAuthorization::Unverified;
        self.memory.decays_at = None;
        if self.is_sweep_due {
            self.now += INTERVALS.resync;
        }
        self.poll();
        self.recheck();
        for _ in 0..5 {
            self.round();
            self.poll();
        }
        let (writes, stored) = (self.writes.len(), self.statuses());
        self.round();
        self.poll();
        self.round();
        assert_eq!(self.writes.len(), writes, "no write after everything has settled: {:?}", &self.writes[writes..]);
        assert_eq!(self.statuses(), stored, "no status changes after everything has settled");
        self.check_end();
    }

    fn round(&mut self) {
        for index in 0..OBJECTS {
            self.now += SignedDuration::from_secs(11);
            assert!(self.pass(index, Faults::default()).is_ok());
        }
    }

    fn statuses(&self) -> Vec<Option<Status>> {
        self.objects.iter().map(|object| object.as_ref().map(|it| it.status.clone())).collect()
    }

    /// Every status tells the truth, and everything that can be as wished is.
    fn check_end(&mut self) {
        for object in self.objects.clone().into_iter().flatten() {
            let desired = &object.desired;
            let ready = shows(&object.status.conditions, "Ready");
            let context = format!("{ready} {desired:?}");
            if desired.is_deleting {
                assert!(
                    desired.mode == Mode::Suspend || ready == "False/TenantForgotten",
                    "only what says so is held: {context}"
                );
                continue;
            }
            if desired.mode == Mode::Suspend {
                continue;
            }
            let Some(meant) = Self::meant(&object) else {
                assert_eq!(ready, "False/CustomerNotFound", "{context}");
                continue;
            };
            if ready == "False/Conflict" {
                assert!(
                    self.objects.iter().flatten().filter(|other| Self::meant(other) == Some(meant)).count() > 1,
                    "a conflict has two sides: {context}"
                );
                continue;
            }
            let customer = self.customer(meant).clone();
            let state = customer.state();
            let holds = |switch: Switch| match desired.wishes.of(switch) {
                Allow => state.allows(switch),
                Deny => !state.allows(switch),
                _ => true,
            };
            let all_hold = Switch::ALL.into_iter().all(holds);
            if desired.mode == Mode::Observe {
                let is_synced = shows(&object.status.conditions, "Synced").starts_with("True");
                assert!(is_synced == all_hold || !customer.is_ours, "{context}");
                continue;
            }
            for switch in Switch::ALL {
                assert!(desired.wishes.of(switch) != Deny || holds(switch), "a revoke never waits: {context}");
            }
            let is_sound = customer.is_ours
                && customer.is_active
                && customer.has_owner
                && object.customer == CustomerRef::Found(meant);
            assert!(all_hold || !is_sound, "what may be granted is granted: {context}");
            if ready.starts_with("True") {
                assert!(all_hold, "Ready tells the truth: {context}");
            } else if all_hold && customer.is_ours {
                assert_eq!(ready, "False/TenantChanged", "{context}");
            }
            let shown = object.status.effective.as_ref();
            for switch in Switch::ALL {
                let shown = shown.and_then(|shown| crate::plan::permission::held::state(shown, switch));
                let is_on = state.allows(switch);
                assert!(
                    !customer.is_ours || shown.is_none_or(|it| (it == crate::api::SwitchState::Allow) == is_on),
                    "effective tells the truth: {context} {:?}",
                    object.status
                );
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let object = 0..OBJECTS;
    let number = 1..=TENANTS;
    let wish = || prop_oneof![3 => Just(Allow), 2 => Just(Deny), 1 => Just(Unmanaged)];
    let switch = prop_oneof![Just(Reservations), Just(SavingsPlans)];
    let mode = prop_oneof![3 => Just(Mode::Enforce), 1 => Just(Mode::Observe), 1 => Just(Mode::Suspend)];
    let deletion = prop_oneof![3 => Just(DeletionPolicy::Revoke), 1 => Just(DeletionPolicy::Retain)];
    let seconds = prop_oneof![3 => 1_i64..600, 1 => 600_i64..7200, 1 => 20_000_i64..100_000];
    let edit = prop_oneof![
        4 => (wish(), wish()).prop_map(|(reservations, savings_plans)| Edit::Wishes(reservations, savings_plans)),
        2 => mode.prop_map(Edit::Mode),
        1 => deletion.prop_map(Edit::DeletionPolicy),
        2 => Just(Edit::Delete),
        2 => number.clone().prop_map(Edit::Apply),
        1 => Just(Edit::Abandon),
        1 => Just(Edit::AskAnew),
        1 => Just(Edit::LoseStatus),
        1 => Just(Edit::LoseAnnotation),
        1 => proptest::option::of(number.clone()).prop_map(Edit::Refer),
    ];
    prop_oneof![
        18 => (object.clone(), faults()).prop_map(|(object, faults)| Step::Pass(object, faults)),
        16 => (object, edit).prop_map(|(object, edit)| Step::Edit(object, edit)),
        5 => (number.clone(), switch, any::<bool>()).prop_map(|(number, switch, on)| Step::Portal(number, switch, on)),
        1 => number.clone().prop_map(Step::PortalOther),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, it)| Step::Ours(number, it)),
        1 => (number.clone(), any::<bool>()).prop_map(|(number, it)| Step::Active(number, it)),
        1 => (number, any::<bool>()).prop_map(|(number, it)| Step::Owner(number, it)),
        1 => any::<bool>().prop_map(Step::Forbid),
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
    (rarely(), rarely(), rarely(), rarely(), write, dies_at, rarely()).prop_map(
        |(customer, estate, owners, policy, write, dies_at, is_view_stale)| Faults {
            customer,
            estate,
            owners,
            policy,
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
