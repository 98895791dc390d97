//! One log line for each decision: what was done for which object or is not done, and why. The fields are documented in
//! docs/monitoring.md; programs read them.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource as _, ResourceExt as _};
use uuid::Uuid;

use super::driver::{Kind, Pass};
use super::metrics::Way;
use crate::model::TenantId;
use crate::plan::conditions::{ConditionType, find, is_true};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// The object remembers the tenant from now on, and may write for it.
    Claim,
    /// A switch was turned on.
    Grant,
    /// A switch was turned off.
    Revoke,
    /// A write was sent and not accepted.
    Refused,
    /// The object was let go of.
    Release,
    /// The tenant was handed to another object without a revoke in between.
    PassOn,
    /// Owner was assigned.
    AssignOwner,
    /// An Azure plan was bought.
    BuyPlan,
    /// What the customer sees of its charges was changed.
    ShowCharges,
    /// Everything is as declared.
    Settle,
    /// Something is not done yet, and comes by itself.
    Wait,
    /// Something is not done until a person acts.
    Hold,
    /// Drift is left as it is.
    Leave,
    /// Nobody looks.
    Suspend,
}

impl Decision {
    fn label(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Refused => "refused",
            Self::Release => "release",
            Self::PassOn => "pass_on",
            Self::AssignOwner => "assign_owner",
            Self::BuyPlan => "buy_plan",
            Self::ShowCharges => "show_charges",
            Self::Settle => "settle",
            Self::Wait => "wait",
            Self::Hold => "hold",
            Self::Leave => "leave",
            Self::Suspend => "suspend",
        }
    }

    pub(super) fn of(way: Way) -> Self {
        match way {
            Way::Grant => Self::Grant,
            Way::Revoke => Self::Revoke,
        }
    }

    /// What has become of an object whose conditions were `before` and are `after`, if that is another situation.
    fn between<'a>(before: &[Condition], after: &'a [Condition]) -> Option<(Self, &'a Condition)> {
        let ready = find(after, ConditionType::Ready)?;
        let was = find(before, ConditionType::Ready);
        if was.is_some_and(|was| (&was.status, &was.reason) == (&ready.status, &ready.reason)) {
            return None;
        }
        let decision = match () {
            () if ready.reason == "Suspended" => Self::Suspend,
            () if is_true(after, ConditionType::Ready) => Self::Settle,
            () if is_true(after, ConditionType::Stalled) => Self::Hold,
            () if is_true(after, ConditionType::Reconciling) => Self::Wait,
            () => Self::Leave,
        };
        Some((decision, ready))
    }
}

impl<K: Kind> Pass<'_, K> {
    /// Writes the line of one decision; `what` is a sentence for people.
    pub(super) fn decided(
        &self,
        decision: Decision,
        reason: &str,
        tenant: Option<TenantId>,
        correlation: Option<Uuid>,
        what: impl fmt::Display,
    ) {
        tracing::info!(
            kind = %K::Object::kind(&()),
            namespace = self.object.namespace(),
            object = self.object.name_any(),
            tenant = tenant.map(display),
            decision = decision.label(),
            reason,
            correlationId = correlation.map(display),
            "{what}"
        );
    }

    /// Writes the line of a new situation, if it is one.
    pub(super) fn situation(&self, before: &K::Status, after: &K::Status) {
        if let Some((decision, ready)) = Decision::between(K::conditions(before), K::conditions(after)) {
            let tenant = K::tenant(self.context, &self.object);
            self.decided(decision, &ready.reason, tenant, None, &ready.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(ready: &str, reason: &str, reconciling: &str, stalled: &str) -> Vec<Condition> {
        [("Ready", ready), ("Reconciling", reconciling), ("Stalled", stalled)]
            .map(|(type_, status)| {
                serde_json::from_value(serde_json::json!({
                    "type": type_, "status": status, "reason": reason, "message": "",
                    "lastTransitionTime": "2026-03-01T08:00:00Z",
                }))
                .unwrap()
            })
            .to_vec()
    }

    #[test]
    fn a_line_is_due_only_where_ready_has_changed() {
        let ready = conditions("True", "InSync", "False", "False");
        let between = |before: &[Condition], after: &[Condition]| Decision::between(before, after).map(|it| it.0);
        assert_eq!(between(&ready, &ready), None);
        assert_eq!(between(&[], &ready), Some(Decision::Settle));
        for (after, expected) in [
            (conditions("False", "PendingWrite", "True", "False"), Decision::Wait),
            (conditions("False", "Conflict", "False", "True"), Decision::Hold),
            (conditions("False", "Drifted", "False", "False"), Decision::Leave),
            (conditions("True", "Suspended", "False", "False"), Decision::Suspend),
        ] {
            assert_eq!(between(&ready, &after), Some(expected));
        }
    }
}
