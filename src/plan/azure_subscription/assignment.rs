//! Who is to be made an owner (`ownerRole: Assign`), and what is remembered of it.
//!
//! Once: a principal to whom Owner was assigned because of the present spec is not assigned it again, whatever becomes of
//! the assignment. Somebody who takes it away means it, and two who both insist would go on for ever.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Facts;
use crate::api::{OwnerAssignment, OwnerAssignmentState, OwnerRole};
use crate::model::{Assignee, AssigneeKind, Fact, Holding, ObjectId, OwnerName, TenantId};
use crate::plan::conditions::Verdict;
use crate::plan::owners::{self, Finding, Standing};
use crate::plan::permission::{Attempt, Failure};
use crate::plan::prerequisites::{SubscriptionWish, list};
use crate::plan::{Event, Need, Severity};

/// How old the facts behind an assignment may be.
const FACTS_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// To whom Owner was assigned because of the present spec.
pub(super) struct Assignments(Vec<OwnerAssignment>);

/// What follows from somebody's lacking Owner.
pub(super) struct Decision {
    /// What is said of it.
    pub(super) verdict: Verdict,
    /// To whom Owner is assigned now.
    pub(super) assignees: Vec<Assignee>,
    /// Whether nothing more happens until a person acts.
    pub(super) needs_person: bool,
}

impl Decision {
    /// Nothing is assigned.
    pub(super) fn of(verdict: Verdict) -> Self {
        Self { verdict, assignees: Vec::new(), needs_person: false }
    }
}

impl Assignments {
    /// What was remembered, with what this pass has done and with what Azure shows now.
    pub(super) fn new(before: &[OwnerAssignment], generation: i64, facts: &Facts) -> Self {
        let mut all: Vec<_> = before.iter().filter(|one| one.generation == generation).cloned().collect();
        for principal in &facts.assigned {
            let object_id = principal.to_string();
            if !all.iter().any(|one| one.object_id == object_id) {
                all.push(OwnerAssignment { object_id, generation, state: OwnerAssignmentState::Pending });
            }
        }
        if let Fact::Known { value: holders, .. } = &facts.owners.holders {
            for one in &mut all {
                let principal = one.object_id.parse::<ObjectId>();
                if principal.is_ok_and(|principal| matches!(holders.holding(principal), Holding::Held(_))) {
                    one.state = OwnerAssignmentState::Visible;
                }
            }
        }
        all.sort_by(|a, b| a.object_id.cmp(&b.object_id));
        Self(all)
    }

    /// For the status.
    pub(super) fn into_status(self) -> Vec<OwnerAssignment> {
        self.0
    }

    fn state_of(&self, finding: &Finding<'_>) -> Option<OwnerAssignmentState> {
        let id = finding.id?.to_string();
        self.0.iter().find(|one| one.object_id == id).map(|one| one.state)
    }

    /// One event for each assignment that `before` does not know of.
    pub(super) fn events(&self, before: &[OwnerAssignment], wish: &SubscriptionWish) -> Vec<Event> {
        let is_known = |new: &OwnerAssignment| {
            before.iter().any(|old| (&old.object_id, old.generation) == (&new.object_id, new.generation))
        };
        let tell = |new: &OwnerAssignment| Event {
            severity: Severity::Normal,
            reason: "OwnerAssigned".to_owned(),
            note: format!("assigned Owner on Azure subscription {} to {}", wish.subscription, new.object_id),
            key: format!("{}/{}", new.generation, new.object_id),
        };
        self.0.iter().filter(|new| !is_known(new)).map(tell).collect()
    }

    /// Who of those without Owner is assigned it now; `missing` says that somebody lacks it.
    pub(super) fn decide(&self, wish: &SubscriptionWish, facts: &Facts, missing: Verdict) -> Decision {
        if wish.owner_role != OwnerRole::Assign {
            return Decision::of(missing);
        }
        if let Attempt::Failed(Failure { reason, message, needs_person }) = &facts.attempt {
            let verdict = Verdict::no(reason, message.clone());
            return Decision { verdict, assignees: Vec::new(), needs_person: *needs_person };
        }
        let findings = owners::find(wish, &facts.owners);
        let lacking: Vec<_> = findings.iter().filter(|finding| finding.standing == Standing::Missing).collect();
        let due: Vec<_> =
            lacking.iter().filter(|finding| finding.is_assignable() && self.state_of(finding).is_none()).collect();
        let subscription = wish.subscription;
        if !due.is_empty() && !facts.is_deleting {
            let names = list(due.iter().map(|finding| finding.name));
            if !facts.may_assign {
                let verdict = Verdict::no(
                    "OwnerAssignmentNotAllowed",
                    format!(
                        "without Owner on Azure subscription {subscription}: {names}; this operator may not assign it: start it with --allow-owner-assignment, or assign Owner in the Azure portal"
                    ),
                );
                return Decision { verdict, assignees: Vec::new(), needs_person: true };
            }
            let assignees = due.iter().filter_map(|finding| {
                let kind = match finding.name {
                    OwnerName::User(_) => AssigneeKind::User,
                    OwnerName::Id(_) => AssigneeKind::UserOrGroup,
                };
                Some((finding.id?, kind))
            });
            // Two names of one principal are one assignee.
            let assignees: BTreeSet<_> = assignees.collect();
            let mut assignees: Vec<_> =
                assignees.into_iter().map(|(id, kind)| Assignee::new(subscription, id, kind)).collect();
            assignees.dedup_by_key(|assignee| assignee.principal);
            let verdict = Verdict::no(
                "AssigningOwner",
                format!("Owner on Azure subscription {subscription} is being assigned to {names}"),
            );
            return Decision { verdict, assignees, needs_person: false };
        }
        if missing.reason == "OwnerMissing" && !lacking.is_empty() && self.waits_for_all(&findings) {
            return Decision::of(Verdict::no(
                "OwnerAssignmentPending",
                format!(
                    "assigned Owner on Azure subscription {subscription} to {}; waiting for Azure to show it. If that takes longer than half an hour, somebody has taken it away: assign it in the Azure portal",
                    list(lacking.iter().map(|finding| finding.name))
                ),
            ));
        }
        let hints = self.hints(&lacking);
        Decision::of(Verdict { message: missing.message + &hints, ..missing })
    }

    /// Whether everybody who lacks Owner has been assigned it just now.
    fn waits_for_all(&self, findings: &[Finding<'_>]) -> bool {
        findings.iter().all(|finding| match finding.standing {
            Standing::Missing => self.state_of(finding) == Some(OwnerAssignmentState::Pending),
            Standing::NeverCounts(_) => false,
            Standing::Holds(_) | Standing::NotFound | Standing::NotRead | Standing::Failed(_) => true,
        })
    }

    /// Why Owner is not assigned to some who lack it.
    fn hints(&self, lacking: &[&Finding<'_>]) -> String {
        let hint = |finding: &&Finding<'_>| {
            let name = finding.name;
            if !finding.is_assignable() {
                return Some(format!("; {name} is a guest or disabled, and is not assigned Owner"));
            }
            (self.state_of(finding)? == OwnerAssignmentState::Visible).then(|| {
                format!("; {name} was assigned Owner and somebody has taken it away: it is not assigned again before the spec changes")
            })
        };
        lacking.iter().filter_map(hint).collect()
    }
}

/// What an assignment rests on and was not read just now: it must be read anew first. One whose reading fails makes the
/// verdict unknown, and nothing is assigned.
pub(super) fn stale(tenant: TenantId, wish: &SubscriptionWish, facts: &Facts, now: Timestamp) -> BTreeSet<Need> {
    let mut needs = BTreeSet::new();
    if is_stale(&facts.profile, now) {
        needs.insert(Need::Customer(tenant));
    }
    if is_stale(&facts.estate, now) {
        needs.insert(Need::Estate(tenant));
    }
    let are_holders_stale = is_stale(&facts.owners.holders, now);
    needs.extend(owners::needs(tenant, wish, &facts.owners, |user| is_stale(user, now), are_holders_stale));
    needs
}

/// One whose reading has just failed is not asked for again in the same pass.
fn is_stale<T>(fact: &Fact<T>, now: Timestamp) -> bool {
    fact.fresh(now, FACTS_AGE_MAX).is_none() && fact.failure().is_none()
}
