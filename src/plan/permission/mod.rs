//! The plan of a `CustomerPurchasePermission`: where a grant is decided.
//!
//! [`plan`] reads from top to bottom: whose tenant is it, who owns it, what does Partner Center hold, may anything be
//! granted, what is written next, and what is shown. Two rules stand above all others. What raises the partner's
//! exposure needs every fact to be known, true and recent; what lowers it needs nothing but the policy's present state.
//! And what is not known causes nothing: no write, no "not found", no release.

mod about;
mod action;
mod activity;
mod adoption;
mod assessment;
mod brake;
mod claim;
mod deletion;
mod desired;
mod drift;
mod facts;
mod held;
mod latch;
mod outlook;
mod ownership;
mod pass;
mod report;
mod switches;
mod target;
#[cfg(test)]
mod tests;
mod urgency;

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::conditions::Verdict;
use super::prerequisites::list;
use super::schedule::Intervals;
use super::{CustomerRef, Need, Plan, Wait};
use crate::api::{CustomerPurchasePermissionStatus, Mode, PurchaseSwitch};
use crate::model::{PermissionSet, PolicyState, Switch, TenantId};

pub use action::{Action, PermissionPlan, Write};
pub use activity::SeenRecord;
pub use assessment::{PrerequisiteFacts, SubscriptionFacts};
pub use brake::is_waiting_for_room;
pub use desired::{Desired, Record, Wishes};
pub use facts::{Attempt, Facts, Failure, GrantBudget, Successor};
pub use outlook::{Change, SwitchOutlook, Why, outlook};
pub use ownership::{Contender, Ownership, ownership, successor};
pub use urgency::urgency;

use assessment::{Assessment, assess};
use brake::Room;
use held::Held;
use latch::Latches;
use pass::Pass;
use report::{Outcome, Report};
use target::{Target, convergence};

/// Plans one permission.
pub fn plan(
    desired: &Desired,
    facts: &Facts,
    before: &CustomerPurchasePermissionStatus,
    intervals: Intervals,
    now: Timestamp,
) -> PermissionPlan {
    let unproven = desired.unproven_claim(&facts.prerequisites.customer, &facts.activity);
    // Nothing of a customer is told to whoever only says that it acts for it.
    let facts = &*unproven.map_or(Cow::Borrowed(facts), |_| Cow::Owned(facts.without_tenant()));
    let tenant = desired.tenant(&facts.prerequisites.customer).filter(|_| unproven.is_none());
    let before = &*about::same_tenant(before, tenant);
    let forgotten = about::without_forgotten(before, desired, &facts.policy);
    let (before, has_forgotten) = (forgotten.as_ref().unwrap_or(before), forgotten.is_some());
    let latches = &Latches::new(desired, facts, before, now);
    let pass = Pass { desired, tenant, unproven, latches, facts, before, has_forgotten, intervals, now };
    if desired.is_deleting {
        return deletion::plan(&pass);
    }
    if desired.has_unknown_values() {
        return pass.report(Report::stopped(
            "UnknownValue",
            "the spec has a value that this version of the operator does not know, so nothing is done; upgrade the operator",
        ));
    }
    match desired.mode {
        Mode::Suspend => {
            let mut report = Report::suspended();
            // It keeps what it owns, also when a tool has stripped the claim; that takes no call to Microsoft.
            let stripped = desired.claim().filter(|_| unproven.is_none() && !desired.is_claim_written());
            report.actions.extend(stripped.map(|tenant| Action::Claim { tenant }));
            pass.report(report)
        }
        Mode::Enforce | Mode::Observe | Mode::Unknown => pass.settle(),
    }
}

impl Pass<'_> {
    fn settle(&self) -> PermissionPlan {
        if self.misses_a_reference()
            && self.before.observed_generation < 0
            && let Some(end) = self.desired.identity.grace(self.now)
        {
            return Plan {
                needs: BTreeSet::new(),
                actions: Vec::new(),
                status: self.before.clone(),
                events: Vec::new(),
                next: Wait::Until(end),
            };
        }
        if let Some(claimed) = self.unproven {
            let is_barred = matches!(self.facts.prerequisites.customer, CustomerRef::NotAllowed { .. });
            if is_barred && self.desired.mode != Mode::Observe {
                return self.report(Report::new(self.assess_for_display(Timestamp::MIN)));
            }
            return self.disbelieve(claimed);
        }
        let Some(tenant) = self.tenant else {
            return self.report(Report::new(self.assess_for_display(Timestamp::MIN)));
        };
        if self.desired.mode == Mode::Observe {
            return self.observe(tenant);
        }
        match ownership(&self.contender(tenant), &self.facts.contenders) {
            Ownership::Mine => self.enforce(tenant),
            Ownership::Of(owner) => self.report(Report::conflict(
                self.assess_for_display(Timestamp::MIN),
                format!(
                    "{owner} already manages the purchase permissions of tenant {tenant}; nothing is written for this one. Delete one of the two"
                ),
            )),
            Ownership::Contested(others) => self.report(Report::conflict(
                self.assess_for_display(Timestamp::MIN),
                format!(
                    "tenant {tenant} is also meant, with other wishes, by {}; nothing is written for any of them. Make them equal, or delete all but one",
                    list(&others)
                ),
            )),
        }
    }

    fn enforce(&self, tenant: TenantId) -> PermissionPlan {
        let held = self.held();
        let is_tenant_changed =
            matches!(self.facts.prerequisites.customer, CustomerRef::Found(current) if current != tenant);
        let wanted = self.wanted(&held);
        let wants_grant = !wanted.is_empty();
        let room = self.room(&wanted, &held);
        let mut assessment = if !wants_grant || is_tenant_changed || room == Room::StillNone {
            self.assess_for_display(self.earliest_for_display())
        } else {
            // What nothing can be granted on is not read for a grant.
            let is_for_a_grant = matches!(room, Room::Enough | Room::ForCorrections);
            let since = if is_for_a_grant { self.earliest_for_a_grant() } else { self.earliest_for_display() };
            assess(self.desired, &self.facts.prerequisites, since)
        };
        if matches!(held, Held::Read { state: PolicyState::CustomerNotOurs, .. }) {
            assessment.customer = Verdict::no(
                "NotReseller",
                format!(
                    "Partner Center says that the partner has no relationship to tenant {tenant} any more; nothing can be changed there"
                ),
            );
        }
        let partner = self.partner();
        let is_grant_decided = wants_grant && !is_tenant_changed && assessment.holds();
        let stall = if wants_grant { self.stall(&held) } else { None };
        let may_grant = is_grant_decided && partner.denial().is_none() && stall.is_none();
        let may_grant = |switch| may_grant && (room == Room::Enough || self.is_correction(switch));

        let mut needs = assessment.needs.clone();
        if wants_grant {
            needs.extend(self.facts.partner.needs_to_explain(self.now, self.is_asked_anew()));
        }
        let may_role_explain = wants_grant && !is_tenant_changed && assessment.misses_only_unreadable_owners();
        if (is_grant_decided && !room.is_missing()) || may_role_explain {
            // Last of all, and only here: the partner is asked about when nothing else stands in the way of a grant, or
            // what does may be the role of the signed-in user, which Azure goes by too.
            needs.extend(self.facts.partner.needs(self.now, self.is_asked_anew()));
        }
        needs.extend(self.need_before_a_claim(tenant));
        needs.extend(self.latches.needs.iter().cloned());
        let mut actions = Vec::new();
        let may_read = self.may_read(&assessment);
        let target = match &held {
            Held::Unread if wanted.iter().any(|switch| may_grant(*switch)) && self.is_first_contact() => {
                // Nobody has ever seen a policy: the create is the reading, since the server refuses it if there is one.
                let target = Target::new(self.latches.wishes, |_| false, |_| false, may_grant);
                let write = Write::Create { permissions: target.next(&PermissionSet::default()) };
                actions.push(Action::Write { tenant, write, is_grant: true, is_first_grant: true });
                Some(target)
            }
            Held::Unread => {
                if may_read && (needs.is_empty() || !self.is_first_contact()) {
                    // Before all else: there may be something to revoke, or nothing to grant.
                    needs = BTreeSet::from([Need::Policy(tenant)]);
                }
                None
            }
            Held::Unknown { .. } => None,
            Held::Remembered { .. } | Held::Read { .. } => {
                let target = self.target(&held, may_grant);
                if target.is_due() {
                    match held.writable() {
                        Some(policy) => {
                            let actual = policy.map(|policy| policy.permissions.clone()).unwrap_or_default();
                            let write = convergence(policy, target.next(&actual));
                            let is_grant = target.revokes.is_empty();
                            let is_first_grant = is_grant && !target.grants.iter().all(|one| self.is_correction(*one));
                            actions.push(Action::Write { tenant, write, is_grant, is_first_grant });
                        }
                        None => needs = BTreeSet::from([Need::Policy(tenant)]),
                    }
                }
                Some(target)
            }
        };
        // A revoke is not held up by facts that only a grant needs.
        let is_revoke_ready = target.as_ref().is_some_and(|target| !target.revokes.is_empty())
            && actions.iter().any(|action| matches!(action, Action::Write { .. }));
        if is_revoke_ready {
            needs.clear();
        }
        // Also where only the policy shows that Partner Center knows the tenant: nothing is written without a claim. And
        // where a tool has stripped it, though the Customer may be gone.
        let may_claim = assessment.customer.holds() || !actions.is_empty() || self.desired.claim().is_some();
        if !self.desired.is_claim_written() && may_claim {
            actions.insert(0, Action::Claim { tenant });
        }
        if !needs.is_empty() || matches!(self.facts.attempt, Attempt::Failed(_)) || self.has_forgotten {
            actions.clear();
        }
        let is_all_else_in_order = partner.denial().is_none() && stall.is_none() && room.is_all_that_lacks(&assessment);
        let mut report = Report::new(assessment);
        report.outcome = if is_tenant_changed {
            Outcome::Stopped {
                reason: "TenantChanged",
                message: format!(
                    "this object acts on tenant {tenant}, but Customer \"{}\" now names another one; nothing is granted. Delete this object to revoke what it granted, and apply it anew",
                    self.desired.customer
                ),
            }
        } else {
            let brake = is_all_else_in_order.then_some(self.facts.grant_budget);
            Outcome::Enforced { target, denial: partner.denial().cloned(), stall, brake }
        };
        report.held = held;
        report.tenant = Some(tenant);
        report.needs = needs;
        report.actions = actions;
        self.report(report)
    }

    fn observe(&self, tenant: TenantId) -> PermissionPlan {
        let held = self.held();
        let would_grant = Switch::ALL.into_iter().any(|switch| {
            self.latches.wishes.of(switch) == PurchaseSwitch::Allow && held.allows(switch) == Some(false)
        });
        // What Enforce would do is said from facts, also after a restart.
        let assessment = if would_grant {
            assess(self.desired, &self.facts.prerequisites, self.earliest_for_display())
        } else {
            self.assess_for_display(self.earliest_for_display())
        };
        let mut needs = assessment.needs.clone();
        if matches!(held, Held::Unread) {
            needs.extend(self.need_before_a_claim(tenant));
            if self.may_read(&assessment) {
                needs.insert(Need::Policy(tenant));
            }
        }
        let target = matches!(held, Held::Read { .. } | Held::Remembered { .. })
            .then(|| self.target(&held, |_| assessment.holds()));
        let mut report = Report::new(assessment);
        report.outcome = Outcome::Observed { target };
        report.held = held;
        report.tenant = Some(tenant);
        if needs.is_empty() && self.desired.has_finalizer {
            // It has enforced before; who observes owns nothing.
            report.actions.push(Action::Release { why: "mode Observe owns nothing".to_owned() });
        }
        report.needs = needs;
        self.report(report)
    }

    /// What is to be turned on, unless something stands in its way.
    fn wanted(&self, held: &Held) -> Vec<Switch> {
        let is_wanted = |switch: &Switch| {
            self.latches.wishes.of(*switch) == PurchaseSwitch::Allow
                && held.allows(*switch) != Some(true)
                && !self.is_left(*switch, held)
        };
        Switch::ALL.into_iter().filter(is_wanted).collect()
    }

    /// What follows for the switches from what Partner Center holds.
    fn target(&self, held: &Held, may_grant: impl Fn(Switch) -> bool) -> Target {
        let actual = |switch| held.allows(switch).unwrap_or_default();
        Target::new(self.latches.wishes, actual, |switch| self.is_left(switch, held), may_grant)
    }

    /// Whether an object that this one names does not exist (yet).
    fn misses_a_reference(&self) -> bool {
        let facts = &self.facts.prerequisites;
        facts.customer == CustomerRef::Missing || facts.subscriptions.iter().any(|one| one.wish.is_none())
    }

    /// Whether the policy may be read: it was before, or the tenant is known to be the partner's.
    fn may_read(&self, assessment: &Assessment) -> bool {
        self.desired.claim().is_some() || assessment.customer.holds() || self.facts.policy.known().is_some()
    }

    /// Without a claim, nothing is read or claimed for a customer that nobody has looked at.
    fn need_before_a_claim(&self, tenant: TenantId) -> Option<Need> {
        let is_due = self.desired.claim().is_none() && self.facts.prerequisites.profile.is_unread();
        is_due.then_some(Need::Customer(tenant))
    }

    /// Whether nothing suggests that anybody has ever set a policy for this customer.
    fn is_first_contact(&self) -> bool {
        self.desired.claim().is_none() && self.before.effective.is_none() && self.facts.activity.is_empty()
    }
}
