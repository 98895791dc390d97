//! First contact with a policy that somebody else has made: it is recorded, and then handled as the mode says.

use jiff::{SignedDuration, Timestamp};

use super::activity;
use super::facts::Attempt;
use super::held::Held;
use super::pass::Pass;
use super::report::{Outcome, Report};
use super::switches::word;
use crate::api::{ActivityOrigin, Adopted, CustomerPurchasePermissionStatus};
use crate::model::{PolicyState, Switch};
use crate::plan::conditions::{ConditionType, find};
use crate::plan::to_second;

/// How far Partner Center's clock may be ahead of this machine's.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

impl Pass<'_> {
    /// Records what Partner Center held before this object did anything. It is no event: whoever takes over what a
    /// thousand customers have would get a thousand of them.
    pub(super) fn adopt(&self, report: &Report, status: &mut CustomerPurchasePermissionStatus) {
        if let Some(adopted) = &mut status.adopted {
            // The record may come later than the reading.
            if adopted.by.is_none() {
                adopted.by = self.author_before(adopted.at.0);
            }
            return;
        }
        let Held::Read { state: PolicyState::Present(policy), .. } = &report.held else { return };
        let is_managed = matches!(report.outcome, Outcome::Enforced { .. } | Outcome::Observed { .. });
        if !is_managed || !self.is_first_look() {
            return;
        }
        let [azure_reservations, azure_savings_plans] =
            [Switch::Reservations, Switch::SavingsPlans].map(|switch| word(policy.permissions.allows(switch)));
        let at = to_second(self.now);
        let by = self.author_before(at.0);
        status.adopted = Some(Adopted { azure_reservations, azure_savings_plans, at, by });
    }

    /// Whether nobody has ever looked at the policy for this object, as far as its status and the activity log tell.
    fn is_first_look(&self) -> bool {
        let has_looked = find(&self.before.conditions, ConditionType::Synced).is_some_and(|synced| {
            matches!(synced.reason.as_str(), "InSync" | "PendingWrite" | "Drifted" | "PrerequisitesNotMet")
        });
        let log = activity::merge(&self.before.recent_activity, &self.facts.activity);
        let is_ours = log
            .iter()
            .find(|entry| !entry.result.eq_ignore_ascii_case("failed"))
            .is_some_and(|newest| newest.origin == ActivityOrigin::Operator);
        !has_looked
            && !is_ours
            && self.before.last_applied.is_none()
            && self.before.effective.is_none()
            && self.facts.attempt != Attempt::Accepted
    }

    /// Who had changed the policy last at this moment.
    fn author_before(&self, at: Timestamp) -> Option<String> {
        let latest = at.saturating_add(CLOCKS_APART).unwrap_or(at);
        activity::merge(&self.before.recent_activity, &self.facts.activity)
            .into_iter()
            .find(|entry| {
                !entry.result.eq_ignore_ascii_case("failed")
                    && entry.origin != ActivityOrigin::Operator
                    && entry.time.0 <= latest
            })?
            .actor
    }
}
