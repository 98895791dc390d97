//! How urgent it is to look at an object, as far as the object itself tells.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Identity;
use super::conditions::{ConditionType, is_true};
use crate::model::Urgency;

/// Of an object whose status tells of this generation and this request, with these conditions.
pub fn urgency(
    identity: &Identity,
    observed_generation: i64,
    last_handled_reconcile_at: Option<&str>,
    conditions: &[Condition],
) -> Urgency {
    if observed_generation != identity.generation {
        return Urgency::Change;
    }
    // A request to read everything anew may be made for ten thousand objects at once: changes go first.
    if identity.is_asked_anew(last_handled_reconcile_at) || !is_true(conditions, ConditionType::Ready) {
        return Urgency::Drift;
    }
    Urgency::Sweep
}
