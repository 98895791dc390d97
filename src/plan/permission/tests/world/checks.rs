//! What must hold at every step, and in the end.

use super::*;
use crate::api::{LatchReason, SwitchState};
use crate::plan::testing::assert_no_object_is_empty;

impl World {
    // What must hold at every step.

    pub(super) fn check_plan(
        desired: &Desired,
        facts: &Facts,
        before: &Status,
        planned: &PermissionPlan,
        now: Timestamp,
    ) {
        assert_eq!(&plan(desired, facts, before, INTERVALS, now), planned, "the same arguments give the same plan");
        if !planned.needs.is_empty() {
            assert_eq!(planned.actions, [], "nothing is done while something must be read");
        }
        if desired.mode == Mode::Suspend {
            let calls_nobody = |action: &Action| matches!(action, Action::Claim { .. } | Action::Release { .. });
            assert!(planned.actions.iter().all(calls_nobody));
        }
    }

    pub(super) fn check_write(
        &self,
        index: usize,
        view: &[Option<Object>; OBJECTS],
        target: TenantId,
        write: &Write,
        now: Timestamp,
    ) {
        let me = view[index].as_ref().unwrap();
        assert_eq!(me.desired.mode, Mode::Enforce, "only Enforce writes");
        assert_eq!(me.desired.claim().unwrap_or(target), target);
        let is_entitled = self.entitled.contains(&(me.desired.identity.uid.clone(), target));
        assert!(is_entitled, "a claim made by hand writes nothing");
        // With an old view it may just have been released or replaced: nothing but a fresh look would tell, which a
        // revoke does not wait for.
        assert!(me.desired.has_finalizer, "the finalizer comes before any write");
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
            let has_ended = me.desired.valid_until.is_some_and(|end| end <= now);
            let may_be_lost = me.desired.on_prerequisite_lost == OnPrerequisiteLost::Revoke;
            let is_wished = wish == Allow && !me.desired.is_deleting && !has_ended;
            assert!(!granted(&switch) || is_wished, "only what is wished is granted");
            assert!(
                !granted(&switch) || !Self::has_latched(me),
                "what has latched is granted again only by a changed spec"
            );
            let may_end = me.desired.is_deleting || has_ended || may_be_lost;
            assert!(!revoked(&switch) || wish == Deny || (wish == Allow && may_end));
            if revoked(&switch) && wish == Allow && !me.desired.is_deleting && !has_ended && !Self::has_latched(me) {
                let first = me.status.prerequisite_lost_since.as_ref().map(|since| since.0);
                assert!(first.is_some_and(|first| first < now), "lost only by a second reading");
            }
            // What was drift from another wish says nothing of this one.
            let expected = if wish == Allow { SwitchState::Allow } else { SwitchState::Deny };
            let drifts = me.status.drift.iter().any(|it| it.switch == switch.to_string() && it.expected == expected);
            let is_left = match me.desired.drift_policy {
                DriftPolicy::Report => true,
                DriftPolicy::CorrectDown => granted(&switch),
                _ => false,
            };
            let is_due = me.desired.is_deleting || has_ended || may_be_lost;
            assert!(
                !(granted(&switch) || revoked(&switch)) || !(drifts && is_left) || is_due,
                "drift that driftPolicy leaves is left"
            );
        }
        let older_claim = view.iter().flatten().any(|other| {
            let is_proven = other.customer == CustomerRef::Found(target) || other.desired.record.tenant == Some(target);
            let claims = other.desired.claim() == Some(target) && other.desired.mode != Mode::Observe && is_proven;
            let rank = |one: &Object| {
                let (identity, is_named) = (&one.desired.identity, one.customer == CustomerRef::Found(target));
                (!one.desired.has_acted_for(target), !is_named, identity.created, identity.uid.clone())
            };
            claims && rank(other) < rank(me)
        });
        assert!(!older_claim, "only the owner writes");
        if is_grant {
            self.check_grant(me, target, now);
        }
    }

    /// What a write turns on that its object has not reached before is a first grant, and needs room.
    pub(super) fn check_brake(&self, index: usize, me: &Object, target: TenantId, write: &Write, is_first_grant: bool) {
        let stored = &self.objects[index].as_ref().unwrap().desired;
        if me.desired.identity.generation != stored.identity.generation {
            return; // Such a grant is not sent: a fresh look comes before it.
        }
        let (read, next) = match write {
            Write::Create { permissions } => (PermissionSet::default(), permissions),
            Write::Update { read, permissions } => (read.permissions.clone(), permissions),
            Write::Delete { .. } => return assert!(!is_first_grant),
        };
        let uid = &me.desired.identity.uid;
        let is_new = |switch: &Switch| !self.reached.contains(&(uid.clone(), target, switch.to_string()));
        let granted: Vec<_> = Switch::ALL.into_iter().filter(|it| next.allows(*it) && !read.allows(*it)).collect();
        let is_first = granted.iter().any(is_new);
        assert!(!is_first || is_first_grant, "a first grant is counted: {write:?}");
        assert!(!is_first_grant || self.has_room, "nothing is granted for the first time without room: {write:?}");
    }

    /// After a pass has come to its end: what its object wishes, and Partner Center holds for all that is known.
    pub(super) fn note_reached(&mut self, me: &Object) {
        let Some(tenant) = Self::meant(me) else { return };
        let permissions = self.customer(tenant).permissions();
        let known = self.memory.policies.get(&tenant).cloned().unwrap_or(Fact::NOT_READ);
        for switch in Switch::ALL {
            let key = (me.desired.identity.uid.clone(), tenant, switch.to_string());
            if me.desired.mode != Mode::Enforce {
                continue;
            }
            let is_known_off = known.known().is_some_and(|known| !known.allows(switch));
            if me.desired.wishes.of(switch) != Allow {
                // Until it has been seen off, it is on for all that the object knows.
                if is_known_off {
                    self.reached.remove(&key);
                }
            } else if permissions.allows(switch) || known.known().is_some_and(|known| known.allows(switch)) {
                self.reached.insert(key);
            }
        }
    }

    pub(super) fn check_grant(&self, me: &Object, target: TenantId, now: Timestamp) {
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
        let day = now - SignedDuration::from_hours(24);
        let is_settled = |at| me.status.read_anew_at.as_ref().is_some_and(|anew| at <= anew.0);
        let has_rival = |seen: &SeenRecord| {
            !is_settled(to_second(seen.record.at).0)
                && seen.origin == Origin::Rival
                && seen.record.customer == target
                && seen.record.at > day
                && seen.seen_at <= now
        };
        let is_asked_anew = me.desired.identity.reconcile_request != me.status.last_handled_reconcile_at;
        assert!(
            is_asked_anew || !self.memory.records.iter().any(has_rival),
            "nothing is granted for a day after another installation has written"
        );
        let partner = &self.memory.partner;
        assert_eq!(partner.authorization(now).denial(), None, "nothing is tried that is known to be refused");
        assert!(partner.needs(now, false).is_empty(), "whom the partner may ask is asked before");
    }

    /// Whether the status says that what the present spec allows has ended.
    fn has_latched(me: &Object) -> bool {
        me.status.latched.iter().any(|latch| match latch.reason {
            LatchReason::Expired => latch.valid_until.as_ref().map(|end| end.0) == me.desired.valid_until,
            LatchReason::PrerequisiteLost => latch.generation == me.desired.identity.generation,
            LatchReason::Unknown => false,
        })
    }

    /// Nobody is let go while its switches are on, unless somebody answers for them or a person said so.
    pub(super) fn check_release(&mut self, index: usize, view: &[Option<Object>; OBJECTS], why: &str) {
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

    pub(super) fn check_status(desired: &Desired, facts: &Facts, status: &Status, now: Timestamp) {
        assert_no_object_is_empty(status);
        let again = plan(desired, facts, status, INTERVALS, now);
        assert_eq!(
            (&again.status, again.events.as_slice()),
            (status, &[][..]),
            "a plan of its own status changes nothing"
        );
        let second_later = plan(desired, facts, status, INTERVALS, now + SignedDuration::from_secs(1));
        let is_partner_same = {
            let partner = &facts.partner;
            partner.authorization(now) == partner.authorization(now + SignedDuration::from_secs(1))
        };
        let second = now + SignedDuration::from_secs(1);
        let ends = desired.valid_until.is_some_and(|end| now < end && end <= second);
        if second_later.needs.is_empty() && is_partner_same && !ends && second_later.status.latched == status.latched {
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
        let is_left = shows(&status.conditions, "Ready") == "False/Drifted" && is("Reconciling") == "False";
        if (desired.mode != Mode::Suspend || desired.is_deleting) && !is_left {
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
                let is_on = wish == Allow && status.latched.is_empty();
                assert!(wish == Unmanaged || is_on == value.allows(switch), "{switch} {wish:?} {value:?}");
            }
        }
        assert!(status.recent_activity.len() <= 20 && status.plan.len() <= 10);
    }

    // What must hold in the end.

    /// Faults are over, records arrive, and everybody has some turns.
    pub(super) fn settle(&mut self) {
        self.is_forbidden = false;
        self.is_reseller = false;
        self.lagging = self.objects.clone();
        self.has_room = true;
        // As when the credentials change.
        self.memory.partner = PartnerFacts::UNKNOWN;
        if self.is_sweep_due {
            self.now += INTERVALS.resync;
        }
        // Nothing ends while everything settles.
        let soon = self.now + SignedDuration::from_mins(30);
        let ends = self.objects.iter().flatten().filter_map(|object| object.desired.valid_until);
        self.now = ends.filter(|end| *end <= soon).max().map_or(self.now, |end| end.max(self.now));
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

    pub(super) fn round(&mut self) {
        for index in 0..OBJECTS {
            self.now += SignedDuration::from_secs(11);
            assert!(self.pass(index, Faults::default()).is_ok());
            self.keep_statuses();
        }
    }

    pub(super) fn statuses(&self) -> Vec<Option<Status>> {
        self.objects.iter().map(|object| object.as_ref().map(|it| it.status.clone())).collect()
    }

    /// Every status tells the truth, and everything that can be as wished is.
    pub(super) fn check_end(&mut self) {
        for object in self.objects.clone().into_iter().flatten() {
            let desired = &object.desired;
            let ready = shows(&object.status.conditions, "Ready");
            let context = format!("{ready} {desired:?}");
            if desired.is_deleting {
                let is_told = ["False/TenantForgotten", "False/ClaimUnproven"].contains(&ready.as_str());
                assert!(desired.mode == Mode::Suspend || is_told, "only what says so is held: {context}");
                continue;
            }
            if desired.mode == Mode::Suspend {
                continue;
            }
            let claimed = desired.claim();
            let is_barred = matches!(object.customer, CustomerRef::NotAllowed { .. });
            let is_barred_and_unproven = is_barred
                && ready == "False/NamespaceNotAllowed"
                && claimed.is_some_and(|it| object.status.tenant_id != Some(it.to_string()));
            if ready == "False/ClaimUnproven" || is_barred_and_unproven {
                assert!(claimed.is_some_and(|claimed| object.customer != CustomerRef::Found(claimed)), "{context}");
                assert_ne!(object.status.tenant_id, claimed.map(|claimed| claimed.to_string()), "{context}");
                continue;
            }
            let Some(meant) = Self::meant(&object) else {
                let expected = if is_barred { "False/NamespaceNotAllowed" } else { "False/CustomerNotFound" };
                assert_eq!(ready, expected, "{context}");
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
            let is_over = !object.status.latched.is_empty();
            let holds = |switch: Switch| match desired.wishes.of(switch) {
                Allow if is_over => !state.allows(switch),
                Allow => state.allows(switch),
                Deny => !state.allows(switch),
                _ => true,
            };
            assert!(
                desired.valid_until.is_none_or(|end| end > self.now) || is_over || !desired.wishes.allow_anything(),
                "what has ended is over: {context}"
            );
            let all_hold = Switch::ALL.into_iter().all(holds);
            if desired.mode == Mode::Observe {
                let is_synced = shows(&object.status.conditions, "Synced").starts_with("True");
                assert!(is_synced == all_hold || !customer.is_ours, "{context}");
                continue;
            }
            for switch in Switch::ALL {
                let is_left = desired.drift_policy == DriftPolicy::Report
                    && (ready == "False/TenantChanged"
                        || object.status.drift.iter().any(|drift| drift.switch == switch.to_string()));
                let wish = desired.wishes.of(switch);
                let is_off = wish == Deny || (wish == Allow && is_over);
                assert!(!is_off || is_left || holds(switch), "a revoke never waits: {context}");
            }
            let is_sound = customer.is_ours
                && customer.is_active
                && customer.has_owner
                && object.customer == CustomerRef::Found(meant);
            let is_left = !object.status.drift.is_empty() && desired.drift_policy != DriftPolicy::Correct;
            let is_stalled = ["False/Flapping", "False/RivalOperator"].contains(&ready.as_str());
            assert!(all_hold || !is_sound || is_left || is_stalled, "what may be granted is granted: {context}");
            if ready.starts_with("True") {
                assert!(all_hold, "Ready tells the truth: {context}");
            } else if all_hold && customer.is_ours {
                assert!(ready == "False/TenantChanged" || ready == "False/PrerequisiteLost", "{context}");
            }
            let shown = object.status.effective.as_ref();
            for switch in Switch::ALL {
                let shown = shown.and_then(|shown| crate::plan::permission::switches::state(shown, switch));
                let is_on = state.allows(switch);
                assert!(
                    !customer.is_ours || shown.is_none_or(|it| (it == SwitchState::Allow) == is_on),
                    "effective tells the truth: {context} {:?}",
                    object.status
                );
            }
        }
    }
}
