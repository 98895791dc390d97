//! A pass as the driver makes it, with what can go wrong on its way.

use super::*;
use crate::api::CustomerPurchasePermission;
use crate::plan::test_statuses;

impl World {
    /// One pass, as the driver makes it.
    pub(super) fn pass(&mut self, index: usize, faults: Faults) -> Result<(), Died> {
        self.memory.forget_failures();
        let mut view = if faults.is_view_stale { self.lagging.clone() } else { self.objects.clone() };
        let Some(object) = view[index].clone() else { return Ok(()) };
        let is_same = |one: &Option<Object>| {
            one.as_ref().is_some_and(|one| one.desired.identity.uid == object.desired.identity.uid)
        };
        self.entitle_after_a_crash(&object.desired);
        let mut steps = 0;
        let mut lives = |now: &mut Timestamp| {
            steps += 1;
            *now += SignedDuration::from_millis(20);
            if faults.dies_at == Some(steps) { Err(Died) } else { Ok(()) }
        };
        let (now, is_behind) = (self.now, self.objects[index] != view[index]);
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
                        self.entitled.insert((object.desired.identity.uid.clone(), tenant));
                    }
                    Action::PassOn { successor: _, uid, tenant } => {
                        let is_successor =
                            |one: &&mut Object| one.desired.identity.uid == uid && !one.desired.is_deleting;
                        let Some(stored) = self.objects.iter_mut().flatten().find(is_successor) else { return Ok(()) };
                        stored.desired.has_finalizer = true;
                        stored.desired.remembered = Some(tenant);
                        self.entitled.insert((uid.clone(), tenant));
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
                        // What it lets go of, it has not had on.
                        self.reached.retain(|(uid, ..)| *uid != object.desired.identity.uid);
                        self.collect(index);
                        if self.objects[index].is_none() {
                            return Ok(());
                        }
                    }
                    Action::Write { tenant, write, is_grant: _, is_first_grant } => {
                        if is_same(&self.objects[index]) {
                            self.check_write(index, &view, tenant, &write, now);
                            self.check_brake(index, &object, tenant, &write, is_first_grant);
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
        if is_same(&self.objects[index]) && !is_behind {
            self.store_status(index, before, view[index].as_ref().unwrap());
        }
        Ok(())
    }

    /// A pass over the object as `seen` has come to its end. One over an object that has changed since does not come here: a
    /// status is written for one version of its object, and refused for any other.
    fn store_status(&mut self, index: usize, status: Status, seen: &Object) {
        let stored = self.objects[index].as_mut().unwrap();
        stored.desired.record = Record::of(&status);
        stored.status = status;
        self.note_reached(seen);
    }

    /// As the API server has them, for the GitOps tools to judge.
    pub(super) fn keep_statuses(&self) {
        for Object { desired, status, .. } in self.objects.iter().flatten() {
            test_statuses::keep::<CustomerPurchasePermission>(desired.identity.generation, desired.is_deleting, status);
        }
    }

    /// What nobody has looked at yet may be what a crash has left, and nothing tells whose write it was.
    fn entitle_after_a_crash(&mut self, desired: &Desired) {
        let has_written =
            |claimed| self.log.iter().any(|seen| seen.origin == Origin::Own && seen.record.customer == claimed);
        if desired.record == Record::NONE
            && let Some(claimed) = desired.claim()
            && has_written(claimed)
        {
            self.entitled.insert((desired.identity.uid.clone(), claimed));
        }
    }

    /// Customers and `AzureSubscription`s have their own turns, at which they read what was read before.
    pub(super) fn recheck(&mut self) {
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

    pub(super) fn read(&mut self, need: &Need, faults: Faults) {
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
            Need::User(..) => unreachable!("nobody is named in this world"),
            Need::Agreement(_)
            | Need::Purchases(..)
            | Need::PlanPurchase(_)
            | Need::BillingAccounts
            | Need::Charges(..)
            | Need::ChargesChange(..) => unreachable!("a Customer's"),
            Need::Policy(tenant) => {
                let found = self.customer(*tenant).state();
                self.memory.policies.insert(*tenant, result(now, faults.policy, found));
            }
            Need::Partner(PartnerQuestion::Kind) => {
                let found =
                    if self.is_reseller { PartnerKind::IndirectReseller } else { PartnerKind::IndirectProvider };
                self.memory.partner.kind = result(now, faults.partner, found);
            }
            Need::Partner(PartnerQuestion::AdminAgents) => {
                let fails = faults.partner || !self.has_consent;
                self.memory.partner.is_admin_agent = result(now, fails, !self.is_forbidden);
            }
        }
    }

    pub(super) fn write(&mut self, index: usize, tenant: TenantId, write: &Write, fault: Option<bool>) -> Attempt {
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
        let attempt = if self.is_forbidden || self.is_reseller {
            let denial = Denial { reason: "NotAdminAgent", message: "get it".into() };
            self.memory.partner.write_refused = Some(Refused { denial, at: self.now });
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
            self.memory.partner.accepted_at = Some(self.now);
            self.memory.partner.write_refused = None;
            Fact::Known { value: self.customer(tenant).state(), at: self.now }
        } else {
            Fact::NOT_READ
        };
        self.memory.policies.insert(tenant, known);
        attempt
    }
}
