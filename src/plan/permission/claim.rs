//! What a claim is worth: a finalizer and an annotation can be written by anybody who may write the object.
//!
//! So a claim counts only where something else bears it out, which only the operator or Partner Center can have written.
//! Otherwise whoever may write one permission could have any customer's grant revoked, and read its activity log.

use super::action::{Action, PermissionPlan};
use super::activity::SeenRecord;
use super::desired::Desired;
use super::pass::Pass;
use super::report::Report;
use crate::api::{Mode, TENANT_ANNOTATION};
use crate::model::{Origin, TenantId};
use crate::plan::CustomerRef;

/// Reason of an object whose claim nothing bears out.
pub(super) const UNPROVEN: &str = "ClaimUnproven";

impl Desired {
    /// The tenant that it claims while nothing bears that out. `activity`: the records of that tenant.
    ///
    /// A claim is borne out by the Customer, which names the tenant; by the status, which has said so before; or, where a
    /// crash came before the first status, by the record of a write of ours since the object was made.
    pub fn unproven_claim(&self, customer: &CustomerRef, activity: &[SeenRecord]) -> Option<TenantId> {
        let claimed = self.claim()?;
        let is_ours = |seen: &SeenRecord| {
            seen.origin == Origin::Own && seen.record.customer == claimed && self.identity.created <= seen.record.at
        };
        let is_proven = *customer == CustomerRef::Found(claimed)
            || self.record.tenant == Some(claimed)
            || (self.record.is_untold && activity.iter().any(is_ours));
        (!is_proven).then_some(claimed)
    }
}

impl Pass<'_> {
    /// Nothing is done for a claim that nothing bears out.
    pub(super) fn disbelieve(&self, claimed: TenantId) -> PermissionPlan {
        if self.desired.mode == Mode::Observe {
            let mut report = Report::stopped(UNPROVEN, "its claim is taken off: mode Observe owns nothing");
            report.actions.push(Action::Release { why: "mode Observe owns nothing".to_owned() });
            return self.report(report);
        }
        self.report(Report::stopped(
            UNPROVEN,
            format!(
                "this object carries the finalizer and the annotation of one that acts for tenant {claimed}, but Customer \"{}\" does not name that tenant, and neither the status nor the activity log shows that this object has ever acted there; so nothing is done. If it has, as before a backup was restored, apply the Customer with that tenantId; otherwise take the annotation {TENANT_ANNOTATION} off",
                self.desired.customer
            ),
        ))
    }
}
