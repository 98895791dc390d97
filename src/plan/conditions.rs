//! Conditions: built anew in every plan, keeping `lastTransitionTime` where the status does not change.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::namespace::NAMESPACE_NOT_ALLOWED;
use super::{CustomerRef, to_second};
use crate::model::{CustomerProfile, Fact, Ignorance, Relationship};

/// The types of conditions, in the order in which `kubectl describe` shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// Everything is as declared.
    Ready,
    /// Work is under way, or waits for something that may come by itself.
    Reconciling,
    /// A person must act.
    Stalled,
    /// The customer is known and resold by the partner.
    CustomerResolved,
    /// The partner's sign-in may change purchase permissions.
    PartnerAuthorized,
    /// The customer has an active Azure plan.
    AzurePlanVerified,
    /// The Azure subscriptions are active and the customer's.
    AzureSubscriptionVerified,
    /// The key users hold Owner.
    OwnerRoleVerified,
    /// The customer sees its charges, or does not, as declared.
    CostManagementSynced,
    /// Partner Center holds what is wished.
    Synced,
    /// The newest activity record.
    ActivityRecorded,
    /// What the customer has bought is known.
    PurchasesRecorded,
}

impl ConditionType {
    /// Its name in `status.conditions[].type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::CustomerResolved => "CustomerResolved",
            Self::PartnerAuthorized => "PartnerAuthorized",
            Self::AzurePlanVerified => "AzurePlanVerified",
            Self::AzureSubscriptionVerified => "AzureSubscriptionVerified",
            Self::OwnerRoleVerified => "OwnerRoleVerified",
            Self::CostManagementSynced => "CostManagementSynced",
            Self::Synced => "Synced",
            Self::ActivityRecorded => "ActivityRecorded",
            Self::PurchasesRecorded => "PurchasesRecorded",
        }
    }
}

/// Status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// That is not known.
    Unknown,
}

impl Truth {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What one condition says, before it is known when it began to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it holds.
    pub truth: Truth,
    /// Reason in CamelCase, one of a bounded set.
    pub reason: &'static str,
    /// What is wrong, where, and what to do; or what is right.
    pub message: String,
}

impl Verdict {
    pub(super) fn yes(reason: &'static str, message: impl Into<String>) -> Self {
        Self { truth: Truth::True, reason, message: message.into() }
    }

    pub(super) fn no(reason: &'static str, message: impl Into<String>) -> Self {
        Self { truth: Truth::False, reason, message: message.into() }
    }

    pub(super) fn unknown(reason: &'static str, message: impl Into<String>) -> Self {
        Self { truth: Truth::Unknown, reason, message: message.into() }
    }

    /// What is said of a fact that is not known; `what` completes "… has not been read yet".
    pub(super) fn ignorance(why: &Ignorance, what: &str) -> Self {
        match why {
            Ignorance::NotRead => Self::unknown("NotRead", format!("{what} has not been read yet")),
            Ignorance::Failed { reason, message, .. } => Self::unknown(reason, message.clone()),
        }
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.truth == Truth::True
    }
}

/// Whether the customer that an object refers to is one of the partner's: the same words on all three kinds.
pub(super) fn customer_verdict(
    reference: &CustomerRef,
    customer_name: &str,
    profile: &Fact<Option<CustomerProfile>>,
) -> Verdict {
    let tenant = match reference {
        CustomerRef::Missing => {
            return Verdict::no(
                "CustomerNotFound",
                format!(
                    "there is no Customer \"{customer_name}\" in this namespace; apply it, and this object goes on by itself"
                ),
            );
        }
        CustomerRef::Malformed(why) => return Verdict::no("TenantUnknown", why.clone()),
        CustomerRef::NotAllowed { why, is_certain: true } => return Verdict::no(NAMESPACE_NOT_ALLOWED, why),
        CustomerRef::NotAllowed { why, is_certain: false } => return Verdict::unknown("NotRead", why),
        CustomerRef::Found(tenant) => tenant,
    };
    match profile {
        Fact::Unknown { why } => Verdict::ignorance(why, "the customer"),
        Fact::Known { value: None, .. } => Verdict::no(
            "TenantUnknown",
            format!(
                "Partner Center knows no customer with tenant {tenant} of this partner; check spec.tenantId of Customer \"{customer_name}\", or accept the customer's reseller relationship first"
            ),
        ),
        Fact::Known { value: Some(CustomerProfile { relationship: Relationship::Other(word), .. }), .. } => {
            Verdict::no(
                "NotReseller",
                format!(
                    "the partner's relationship to tenant {tenant} is \"{word}\"; purchase permissions need \"reseller\""
                ),
            )
        }
        Fact::Known {
            value: Some(CustomerProfile { company_name, relationship: Relationship::Reseller, .. }), ..
        } => {
            let company = company_name.as_deref().unwrap_or("the customer");
            Verdict::yes("Resolved", format!("{company}, tenant {tenant}, is resold by this partner"))
        }
    }
}

/// The conditions of one status in the making.
#[derive(Debug)]
pub(super) struct Conditions<'a> {
    before: &'a [Condition],
    generation: i64,
    now: Timestamp,
    after: Vec<(ConditionType, Condition)>,
}

impl<'a> Conditions<'a> {
    pub(super) fn new(before: &'a [Condition], generation: i64, now: Timestamp) -> Self {
        Self { before, generation, now, after: Vec::new() }
    }

    /// The condition as it was, whichever generation it told of.
    pub(super) fn before(&self, type_: ConditionType) -> Option<&'a Condition> {
        find(self.before, type_)
    }

    /// Sets a condition; the last one set wins.
    pub(super) fn set(&mut self, type_: ConditionType, verdict: Verdict) {
        let status = verdict.truth.as_str();
        let last_transition_time = match self.before(type_) {
            Some(before) if before.status == status => before.last_transition_time.clone(),
            Some(_) | None => to_second(self.now),
        };
        self.put(
            type_,
            Condition {
                type_: type_.as_str().to_owned(),
                status: status.to_owned(),
                reason: verdict.reason.to_owned(),
                message: verdict.message,
                observed_generation: Some(self.generation),
                last_transition_time,
            },
        );
    }

    /// Keeps a condition as it was; does nothing when there was none.
    pub(super) fn keep(&mut self, type_: ConditionType) {
        if let Some(before) = self.before(type_) {
            self.put(type_, before.clone());
        }
    }

    /// Keeps a condition that the spec has no say in, and so tells of the newest generation as well.
    pub(super) fn renew(&mut self, type_: ConditionType) {
        if let Some(before) = self.before(type_) {
            self.put(type_, Condition { observed_generation: Some(self.generation), ..before.clone() });
        }
    }

    fn put(&mut self, type_: ConditionType, condition: Condition) {
        self.after.retain(|(existing, _)| *existing != type_);
        self.after.push((type_, condition));
    }

    /// All that were set or kept, in their fixed order.
    pub(super) fn finish(mut self) -> Vec<Condition> {
        self.after.sort_by_key(|(type_, _)| *type_);
        self.after.into_iter().map(|(_, condition)| condition).collect()
    }
}

/// The condition of that type, if there is one.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

/// Whether there is a condition of that type, and it holds.
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == Truth::True.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn one(before: &[Condition], generation: i64, now: &str, verdict: Verdict) -> Vec<Condition> {
        let mut conditions = Conditions::new(before, generation, at(now));
        conditions.set(ConditionType::Synced, verdict);
        conditions.finish()
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let first = one(&[], 1, "2026-03-01T08:00:00.7Z", Verdict::no("PendingWrite", "one"));
        assert_eq!(first[0].last_transition_time.0, at("2026-03-01T08:00:00Z"));
        let second = one(&first, 2, "2026-03-01T09:00:00Z", Verdict::no("Drifted", "two"));
        assert_eq!(second[0].last_transition_time.0, at("2026-03-01T08:00:00Z"));
        assert_eq!((second[0].reason.as_str(), second[0].observed_generation), ("Drifted", Some(2)));
        let third = one(&second, 2, "2026-03-01T10:00:00Z", Verdict::yes("InSync", "three"));
        assert_eq!(third[0].last_transition_time.0, at("2026-03-01T10:00:00Z"));
    }

    #[test]
    fn the_order_is_fixed_and_the_last_word_counts() {
        let mut conditions = Conditions::new(&[], 1, at("2026-03-01T08:00:00Z"));
        conditions.set(ConditionType::Synced, Verdict::no("A", ""));
        conditions.set(ConditionType::Ready, Verdict::no("B", ""));
        conditions.set(ConditionType::Synced, Verdict::yes("C", ""));
        let types: Vec<_> = conditions.finish().into_iter().map(|c| (c.type_, c.reason)).collect();
        assert_eq!(types, [("Ready".into(), "B".into()), ("Synced".into(), "C".into())]);
    }
}
