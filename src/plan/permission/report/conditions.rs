//! The conditions beside `Synced` and the summary.

use super::super::activity;
use super::super::facts::Attempt;
use super::super::pass::Pass;
use super::standing::Standing;
use super::{Outcome, Report};
use crate::api::CustomerPurchasePermissionStatus;
use crate::plan::conditions::{ConditionType, Conditions, Truth, Verdict};
use crate::plan::summary::Situation;

impl Pass<'_> {
    pub(super) fn show_prerequisites(&self, report: &Report, standing: &Standing, conditions: &mut Conditions<'_>) {
        let Some(assessment) = &report.assessment else {
            for type_ in [
                ConditionType::CustomerResolved,
                ConditionType::PartnerAuthorized,
                ConditionType::AzureSubscriptionVerified,
                ConditionType::OwnerRoleVerified,
            ] {
                conditions.keep(type_);
            }
            return;
        };
        let is_pending = !matches!(standing.situation, Situation::Holds | Situation::Observed);
        let not_needed = || Verdict::unknown("NotNeeded", "not looked at: nothing is to be allowed");
        let is_needed = self.latches.wishes.allow_anything();
        let verdicts = [
            (ConditionType::CustomerResolved, assessment.customer.clone()),
            (
                ConditionType::AzureSubscriptionVerified,
                if is_needed { assessment.subscriptions.clone() } else { not_needed() },
            ),
            (ConditionType::OwnerRoleVerified, if is_needed { assessment.owners.clone() } else { not_needed() }),
        ];
        for (type_, verdict) in verdicts {
            let is_remembered = verdict.truth == Truth::Unknown
                && verdict.reason != "NotNeeded"
                && self.is_current()
                && conditions.before(type_).is_some()
                && (!is_pending
                    || report.brake().is_some()
                    || verdict.reason == "NotRead"
                    || verdict.reason == "OwnerUnknown" && report.needs.is_empty());
            if is_remembered {
                conditions.keep(type_);
            } else {
                conditions.set(type_, verdict);
            }
        }
        self.show_partner(is_pending && matches!(report.outcome, Outcome::Enforced { .. }), conditions);
    }

    /// Facts about the partner as a whole change only objects that have something to do with them: ten thousand
    /// converged objects do not turn red for one expired sign-in.
    fn show_partner(&self, is_pending: bool, conditions: &mut Conditions<'_>) {
        let is_concerned = is_pending || self.facts.attempt != Attempt::None;
        if !is_concerned && conditions.before(ConditionType::PartnerAuthorized).is_some() {
            conditions.renew(ConditionType::PartnerAuthorized);
            return;
        }
        conditions.set(ConditionType::PartnerAuthorized, self.partner().verdict());
    }

    pub(super) fn show_activity(&self, status: &CustomerPurchasePermissionStatus, conditions: &mut Conditions<'_>) {
        let was_pending =
            conditions.before(ConditionType::ActivityRecorded).is_some_and(|before| before.reason == "RecordPending");
        let is_new = self.before.recent_activity != status.recent_activity;
        // A restart forgets which writes wait for their record; the status remembers, until a record comes.
        let is_pending = self.facts.is_record_pending || (was_pending && !is_new);
        conditions.set(ConditionType::ActivityRecorded, activity::verdict(&status.recent_activity, is_pending));
    }
}
