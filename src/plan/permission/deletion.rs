//! What happens to a permission that is being deleted.
//!
//! | | `Revoke` | `Retain` |
//! |---|---|---|
//! | `Enforce`, owner | revoke our switches, then release | release |
//! | `Observe`, or not the owner | release, no write | release |
//! | `Suspend` | held: unsuspend or abandon | release |
//!
//! Nothing is released on a guess: only when Partner Center is known to hold none of our switches, when nothing was to
//! be revoked, or when a person abandons the object.

use super::action::{Action, PermissionPlan};
use super::assessment::{GRANT_FACTS_AGE_MAX, assess};
use super::claim::UNPROVEN;
use super::desired::Wishes;
use super::facts::Attempt;
use super::held::Held;
use super::ownership::{Ownership, ownership};
use super::pass::Pass;
use super::report::{Outcome, Report};
use super::switches::state;
use super::target::{Target, convergence};
use crate::api::{DeletionPolicy, Mode, PurchaseSwitch, SwitchState};
use crate::model::{Fact, Ignorance, PolicyState, Switch, TenantId};
use crate::plan::{CustomerRef, Event, Need, Severity};

pub(super) fn plan(pass: &Pass<'_>) -> PermissionPlan {
    let desired = pass.desired;
    if !desired.has_finalizer {
        // It goes as soon as others have let go of it; there is nothing of ours to hold it for.
        return pass.report(Report::stopped("Deleting", "being deleted; nothing of this operator's holds it"));
    }
    if desired.is_abandoned {
        return release(pass, format!("abandoned by annotation; Partner Center is left as it is{}", left_on(pass)));
    }
    if desired.has_unknown_values() {
        return pass.report(Report::stopped(
            "UnknownValue",
            "the spec has a value that this version of the operator does not know, so nothing is revoked and nothing released; upgrade the operator, or set the annotation csp-operator.dev/abandon: \"true\"",
        ));
    }
    if desired.deletion_policy == DeletionPolicy::Retain {
        return release(pass, format!("deletionPolicy Retain leaves Partner Center as it is{}", left_on(pass)));
    }
    match desired.mode {
        Mode::Observe => return release(pass, "mode Observe owns nothing".to_owned()),
        Mode::Suspend => {
            return pass.report(Report::stopped(
                "Suspended",
                "being deleted, but mode Suspend lets nothing be revoked; set mode Enforce to revoke, deletionPolicy Retain to leave Partner Center as it is, or the annotation csp-operator.dev/abandon: \"true\"",
            ));
        }
        Mode::Enforce | Mode::Unknown => {}
    }
    if let Some(claimed) = pass.unproven {
        let leave = "set the annotation csp-operator.dev/abandon: \"true\" to leave Partner Center as it is";
        let name = &desired.customer;
        let remedy = match &pass.facts.prerequisites.customer {
            CustomerRef::NotAllowed { why, .. } => {
                format!("{leave}, or let Customer \"{name}\" count in this namespace, which it does not yet: {why}")
            }
            CustomerRef::Found(_) | CustomerRef::Missing | CustomerRef::Malformed(_) => {
                format!("apply Customer \"{name}\" with that tenantId to have it revoked, or {leave}")
            }
        };
        return pass.report(Report::stopped(
            UNPROVEN,
            format!(
                "being deleted, but nothing shows that this object has ever acted for tenant {claimed}, which its annotation names; {remedy}"
            ),
        ));
    }
    // A tool that replaces objects may have stripped the annotation; the status or the Customer still tells.
    let Some(tenant) = pass.tenant else {
        return pass.report(Report::stopped(
            "TenantForgotten",
            format!(
                "being deleted, but the annotation that remembers the tenant is gone and so is Customer \"{}\"; apply the Customer again to revoke, or set the annotation csp-operator.dev/abandon: \"true\" to leave Partner Center as it is",
                desired.customer
            ),
        ));
    };
    if let Ownership::Of(owner) = ownership(&pass.contender(tenant), &pass.facts.contenders) {
        return release(pass, format!("{owner} manages the tenant; this object owned nothing"));
    }
    if let Some(plan) = hand_over(pass, tenant) {
        return plan;
    }
    revoke(pass, tenant)
}

/// Whether another permission takes over without a revoke in between: only one that wishes the same, is there to stay,
/// and could itself grant it now.
fn hand_over(pass: &Pass<'_>, tenant: TenantId) -> Option<PermissionPlan> {
    let successor = pass.facts.successor.as_ref()?;
    if !successor.desired.wishes_the_same(pass.desired) || !successor.desired.wishes.allow_anything() {
        return None;
    }
    if !pass.latches.latched.is_empty() || successor.desired.valid_until.is_some_and(|end| end <= pass.now) {
        return None;
    }
    let may_act = successor.desired.mode == Mode::Enforce && !successor.desired.has_unknown_values();
    if !may_act || successor.desired.is_deleting {
        return None;
    }
    if pass.partner().denial().is_some() || pass.leaves_a_stall() {
        return None;
    }
    let since = pass.now.saturating_sub(GRANT_FACTS_AGE_MAX).unwrap_or(jiff::Timestamp::MIN);
    let assessment = assess(&successor.desired, &successor.prerequisites, since);
    if !assessment.needs.is_empty() {
        if !successor.may_be_looked_at {
            return None;
        }
        let mut report = Report::stopped("Deleting", "being deleted; looking whether another object can take over");
        report.needs = assessment.needs;
        report.tenant = Some(tenant);
        return Some(pass.report(report));
    }
    let could_grant =
        assessment.holds() && matches!(successor.prerequisites.customer, CustomerRef::Found(found) if found == tenant);
    could_grant.then(|| {
        let mut plan = release(pass, format!("{} takes over", successor.desired.identity.name));
        if successor.desired.claim() != Some(tenant) || !successor.desired.is_claim_written() {
            let successor = &successor.desired.identity;
            let pass_on = Action::PassOn { successor: successor.name.clone(), uid: successor.uid.clone(), tenant };
            plan.actions.insert(0, pass_on);
        }
        plan
    })
}

fn revoke(pass: &Pass<'_>, tenant: TenantId) -> PermissionPlan {
    let held = match (pass.held(), &pass.facts.policy) {
        // For the last time: the status is not trusted with a release.
        (Held::Remembered { .. }, Fact::Unknown { why: why @ Ignorance::Failed { .. } }) => {
            Held::Unknown { why: why.clone() }
        }
        (Held::Remembered { .. }, _) => Held::Unread,
        (held, _) => held,
    };
    let wishes = Wishes {
        reservations: without_grant(pass.desired.wishes.reservations),
        savings_plans: without_grant(pass.desired.wishes.savings_plans),
    };
    let mut report = Report::stopped("Revoking", "being deleted; what it granted is revoked first");
    report.outcome = Outcome::Enforced { target: None, denial: None, stall: None, brake: None };
    report.tenant = Some(tenant);
    match &held {
        Held::Unread | Held::Remembered { .. } | Held::Read { is_from_this_pass: false, .. } => {
            report.needs.insert(Need::Policy(tenant));
        }
        Held::Unknown { .. } => {
            report.outcome = Outcome::Stopped { reason: "RevokePending", message: pending(pass, &held) };
        }
        Held::Read { state: PolicyState::CustomerNotOurs, .. } => {
            return release(
                pass,
                "Partner Center knows no relationship of the partner to the customer any more".to_owned(),
            );
        }
        Held::Read { state, .. } => {
            let target = Target::new(wishes, |switch| state.allows(switch), |_| false, |_| false);
            if target.is_met() {
                let named = if Switch::ALL.into_iter().any(|switch| wishes.of(switch) == PurchaseSwitch::Deny) {
                    "Partner Center holds none of its switches"
                } else {
                    "it managed no switch"
                };
                return release(pass, named.to_owned());
            }
            let actual = state.policy().map(|policy| policy.permissions.clone()).unwrap_or_default();
            let write = convergence(state.policy(), target.next(&actual));
            report.actions.push(Action::Write { tenant, write, is_grant: false, is_first_grant: false });
            report.outcome = Outcome::Enforced { target: Some(target), denial: None, stall: None, brake: None };
        }
    }
    if let Attempt::Failed(failure) = &pass.facts.attempt {
        report.actions.clear();
        report.outcome = Outcome::Stopped {
            reason: "RevokePending",
            message: format!(
                "being deleted, but the revoke failed: {}. {ABANDON}",
                failure.message.trim_end_matches('.')
            ),
        };
    }
    report.held = held;
    pass.report(report)
}

const ABANDON: &str = "It is tried again; to give up and leave Partner Center as it is, set the annotation csp-operator.dev/abandon: \"true\"";

fn pending(pass: &Pass<'_>, held: &Held) -> String {
    let cause = match (held, pass.partner().denial()) {
        (_, Some(denial)) => denial.message.clone(),
        (Held::Unknown { why: Ignorance::Failed { message, .. } }, _) => message.clone(),
        _ => "the policy could not be read".to_owned(),
    };
    format!("being deleted, but nothing can be revoked: {}. {ABANDON}", cause.trim_end_matches('.'))
}

/// What is left of a wish when its object goes: what it managed is off.
fn without_grant(wish: PurchaseSwitch) -> PurchaseSwitch {
    match wish {
        PurchaseSwitch::Allow | PurchaseSwitch::Deny => PurchaseSwitch::Deny,
        PurchaseSwitch::Unmanaged | PurchaseSwitch::Unknown => PurchaseSwitch::Unmanaged,
    }
}

/// What the partner goes on paying for once nobody looks at it any more, as far as it is known: nothing is read for it.
fn left_on(pass: &Pass<'_>) -> String {
    let (held, shown) = (pass.held(), pass.before.effective.as_ref());
    let is_on = |switch: &Switch| {
        let was_on = || shown.is_some_and(|shown| state(shown, *switch) == Some(SwitchState::Allow));
        held.allows(*switch).unwrap_or_else(was_on)
    };
    let on: Vec<_> = Switch::ALL.into_iter().filter(is_on).map(Switch::field).collect();
    if on.is_empty() {
        return String::new();
    }
    format!(", where the customer was last seen to be allowed {}, and so may go on buying", on.join(" and "))
}

fn release(pass: &Pass<'_>, why: String) -> PermissionPlan {
    let mut report = Report::stopped("Releasing", format!("being deleted; {why}"));
    report.actions.push(Action::Release { why: why.clone() });
    let mut plan = pass.report(report);
    // The object is gone once it is released: its status is not written any more, but its event outlives it.
    plan.status = pass.before.clone();
    plan.events.push(Event {
        severity: Severity::Normal,
        reason: "Released".to_owned(),
        note: why,
        key: "Released".to_owned(),
    });
    plan
}
