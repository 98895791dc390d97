//! What must hold before anything is allowed of the Azure subscription: it is active and the customer's.
//! Whether its key users own it, [`super::owners`] judges.
//!
//! The same functions serve `AzureSubscription`, which shows the verdicts, and `CustomerPurchasePermission`, which acts
//! on them, so the two can never disagree.

use std::collections::BTreeSet;

use super::conditions::Verdict;
use crate::api::{AzureKind, OwnerRole};
use crate::model::{AzureEstate, AzurePlanKind, AzureUse, Fact, OwnerName, PlanSubscription, SubscriptionId};

/// An `AzureSubscription`'s wish, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionWish {
    /// Name of its Customer.
    pub customer: String,
    /// The Azure subscription.
    pub subscription: SubscriptionId,
    /// What to do about Owner.
    pub owner_role: OwnerRole,
    /// Who must hold it; empty: anybody of the customer's.
    pub owners: BTreeSet<OwnerName>,
}

/// Whether a subscription is an active Azure plan or Azure Global subscription of the customer, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionVerdict {
    /// For the condition `AzureSubscriptionVerified`.
    pub verdict: Verdict,
    /// Kind of the plan it was found in.
    pub kind: Option<AzureKind>,
    /// Id in Partner Center of the plan it was found in.
    pub plan_id: Option<String>,
    /// Status that decides, in Partner Center's own word.
    pub status: Option<String>,
}

/// Judges one subscription by what the customer has of Azure.
pub fn subscription(wanted: SubscriptionId, estate: &Fact<AzureEstate>) -> SubscriptionVerdict {
    let without_detail = |verdict| SubscriptionVerdict { verdict, kind: None, plan_id: None, status: None };
    let estate = match estate {
        Fact::Known { value, .. } => value,
        Fact::Unknown { why } => {
            return without_detail(Verdict::ignorance(why, "what the customer has of Azure"));
        }
    };
    let Some((plan, subscription)) = locate(wanted, estate) else {
        return without_detail(not_found(wanted, estate));
    };
    let verdict = if !plan.is_active() {
        Verdict::no(
            "SubscriptionNotActive",
            format!("{} {} is {} in Partner Center; only an active one counts", noun(plan.kind), plan.id, plan.status),
        )
    } else if subscription.is_active() {
        Verdict::yes("Active", format!("Azure subscription {wanted} is active, {} {}", noun(plan.kind), plan.id))
    } else {
        Verdict::no(
            "SubscriptionNotActive",
            format!(
                "Azure subscription {wanted} is {} in Partner Center; only an active one counts",
                subscription.status
            ),
        )
    };
    SubscriptionVerdict {
        verdict,
        kind: Some(match plan.kind {
            AzurePlanKind::AzurePlan => AzureKind::AzurePlan,
            AzurePlanKind::AzureGlobal => AzureKind::AzureGlobal,
        }),
        plan_id: Some(plan.id.clone()),
        status: Some(if plan.is_active() { subscription.status.clone() } else { plan.status.clone() }),
    }
}

/// Where the subscription is. A customer that has moved to an Azure plan may still show it below a dead one: active wins.
fn locate(wanted: SubscriptionId, estate: &AzureEstate) -> Option<(&PlanSubscription, &AzureUse)> {
    let mut places = estate
        .plans
        .iter()
        .flat_map(|plan| plan.uses.iter().map(move |subscription| (plan, subscription)))
        .filter(|(_, subscription)| subscription.id == wanted);
    let first = places.clone().next();
    places.find(|(plan, subscription)| plan.is_active() && subscription.is_active()).or(first)
}

fn not_found(wanted: SubscriptionId, estate: &AzureEstate) -> Verdict {
    if estate.plans.is_empty() {
        return Verdict::no(
            "NoAzureSubscription",
            "the customer has neither an Azure plan nor an Azure Global (MS-AZR-0145P) subscription from this partner; buy an Azure plan for it in Partner Center",
        );
    }
    if let Some(plan) = estate.plans.iter().find(|plan| plan.id == wanted.to_string()) {
        return Verdict::no(
            "IsAzurePlanId",
            format!(
                "{wanted} is the id of the {} in Partner Center, not of an Azure subscription; {}",
                noun(plan.kind),
                match plan.uses.as_slice() {
                    [] => "there is no Azure subscription below it yet".to_owned(),
                    uses => format!("below it are: {}", list(uses.iter().map(|subscription| subscription.id))),
                }
            ),
        );
    }
    if !estate.plans.iter().any(PlanSubscription::is_active) {
        let plans = list(estate.plans.iter().map(|plan| format!("{} {} is {}", noun(plan.kind), plan.id, plan.status)));
        return Verdict::no(
            "SubscriptionNotActive",
            format!("the customer has no active Azure plan or Azure Global subscription: {plans}"),
        );
    }
    Verdict::no(
        "SubscriptionNotFound",
        format!(
            "Azure subscription {wanted} is not one that the customer has through this partner; compare spec.subscriptionId with the subscription's id in the Azure portal"
        ),
    )
}

fn noun(kind: AzurePlanKind) -> &'static str {
    match kind {
        AzurePlanKind::AzurePlan => "Azure plan",
        AzurePlanKind::AzureGlobal => "Azure Global subscription",
    }
}

/// At most five, so that a message stays one.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    match items.len() {
        0..=5 => items.join(", "),
        count => format!("{} and {} more", items[..5].join(", "), count - 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ignorance;
    use crate::plan::conditions::Truth;
    use jiff::Timestamp;

    const PLAN: &str = "b0000000-0000-4000-8000-000000000001";
    const AZURE: &str = "a0000000-0000-4000-8000-000000000001";
    const OTHER: &str = "a0000000-0000-4000-8000-000000000002";

    fn known<T>(value: T) -> Fact<T> {
        Fact::Known { value, at: Timestamp::UNIX_EPOCH }
    }

    fn plan(id: &str, status: &str, uses: &[(&str, &str)]) -> PlanSubscription {
        PlanSubscription {
            id: id.into(),
            kind: AzurePlanKind::AzurePlan,
            status: status.into(),
            uses: uses
                .iter()
                .map(|(id, status)| AzureUse { id: id.parse().unwrap(), status: (*status).into() })
                .collect(),
        }
    }

    fn check_subscription(wanted: &str, plans: Vec<PlanSubscription>, reason: &str) {
        let found = subscription(wanted.parse().unwrap(), &known(AzureEstate { plans }));
        assert_eq!(found.verdict.reason, reason, "{}", found.verdict.message);
        assert_eq!(found.verdict.holds(), reason == "Active");
    }

    #[test]
    fn only_an_active_subscription_of_an_active_plan_counts() {
        check_subscription(AZURE, vec![plan(PLAN, "active", &[(AZURE, "Active")])], "Active");
        check_subscription(AZURE, vec![], "NoAzureSubscription");
        check_subscription(AZURE, vec![plan(PLAN, "suspended", &[(AZURE, "active")])], "SubscriptionNotActive");
        check_subscription(AZURE, vec![plan(PLAN, "active", &[(AZURE, "inactive")])], "SubscriptionNotActive");
        check_subscription(AZURE, vec![plan(PLAN, "suspended", &[])], "SubscriptionNotActive");
        check_subscription(OTHER, vec![plan(PLAN, "active", &[(AZURE, "active")])], "SubscriptionNotFound");
        check_subscription(PLAN, vec![plan(PLAN, "active", &[(AZURE, "active")])], "IsAzurePlanId");
        let moved = vec![plan("old", "deleted", &[(AZURE, "active")]), plan(PLAN, "active", &[(AZURE, "active")])];
        check_subscription(AZURE, moved, "Active");
    }

    #[test]
    fn the_plans_id_is_told_apart_and_the_right_ids_are_named() {
        let estate = known(AzureEstate { plans: vec![plan(PLAN, "active", &[(AZURE, "active")])] });
        assert_eq!(
            subscription(PLAN.parse().unwrap(), &estate).verdict.message,
            format!(
                "{PLAN} is the id of the Azure plan in Partner Center, not of an Azure subscription; below it are: {AZURE}"
            )
        );
    }

    #[test]
    fn an_unreadable_estate_is_unknown_and_says_why() {
        let failed =
            Fact::Unknown { why: Ignorance::Failed { reason: "Throttled", message: "wait".into(), last_read: None } };
        let verdict = subscription(AZURE.parse().unwrap(), &failed).verdict;
        assert_eq!((verdict.truth, verdict.reason, verdict.message.as_str()), (Truth::Unknown, "Throttled", "wait"));
    }
}
