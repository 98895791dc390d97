//! `azurePlan`: does the customer have an Azure plan, and is it to be bought one?
//!
//! A plan is bought at most once per tenant, ever. What guards that is a record outside of every custom resource, which names
//! the one cart that is checked out, is written before that, and is read from the API server before anything is done. What
//! is not known buys nothing.

mod purchase;

use super::ownership::Contender;
use super::section::{Scope, Section};
use crate::api::{AzurePlanPolicy, AzurePlanStatus};
use crate::model::{AzureEstate, AzurePlanKind, Fact, PlanPurchase};
use crate::plan::conditions::{ConditionType, Truth, Verdict, find};
use crate::plan::partner::PartnerFacts;
use crate::plan::{Event, Need, Severity, Wait};
use purchase::Purchase;

/// What is wished of the Azure plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanWish {
    /// Whether it is only looked at.
    pub policy: AzurePlanPolicy,
    /// For which indirect reseller it is bought.
    pub reseller: Option<String>,
}

/// What is known for `azurePlan`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFacts {
    /// Others that mean the tenant and are to have a plan bought, with all that they wish of it.
    pub others: Vec<Contender<PlanWish>>,
    /// Whether what the customer has of Azure is read for its `AzureSubscription`s: then it is not read for this alone.
    pub is_estate_read_anyway: bool,
    /// Whether the operator may buy Azure plans at all.
    pub may_purchase: bool,
    /// Whether the customer has accepted the Microsoft Customer Agreement.
    pub agreement: Fact<bool>,
    /// Of the partner and its sign-in.
    pub partner: PartnerFacts,
    /// What is remembered of a purchase for this tenant.
    pub record: Fact<Option<PlanPurchase>>,
}

impl PlanFacts {
    /// Of a customer that nobody has looked at.
    pub const UNKNOWN: Self = Self {
        others: Vec::new(),
        is_estate_read_anyway: true,
        may_purchase: false,
        agreement: Fact::NOT_READ,
        partner: PartnerFacts::UNKNOWN,
        record: Fact::NOT_READ,
    };
}

/// Plans it. `None`: there is nothing to be said yet.
pub(super) fn plan(
    scope: &Scope<'_>,
    wish: &PlanWish,
    facts: &PlanFacts,
    before: Option<&AzurePlanStatus>,
) -> Option<(Section, Option<AzurePlanStatus>)> {
    match wish.policy {
        AzurePlanPolicy::Verify => verify(scope, facts).map(|section| (section, None)),
        AzurePlanPolicy::Unknown => {
            let text = "spec.azurePlan has a value that this version of csp-operator does not know: update it, or change the value";
            let status = before.cloned().map(|before| AzurePlanStatus { none_since: None, ..before });
            Some((Section::stalled(Verdict::no("UnknownValue", text)), status))
        }
        AzurePlanPolicy::Purchase => {
            let mut status = before.cloned().unwrap_or_default();
            let section = match scope.tenant {
                Some(tenant) => Purchase { scope, wish, facts, tenant }.plan(&mut status),
                None => Section::waiting(scope.customer.clone()),
            };
            if scope.customer.truth == Truth::False {
                status.none_since = None;
            }
            Some((section, Some(status)))
        }
    }
}

/// What is only looked at holds nothing up.
fn verify(scope: &Scope<'_>, facts: &PlanFacts) -> Option<Section> {
    let tenant = scope.tenant?;
    let has_condition = find(scope.before, ConditionType::AzurePlanVerified).is_some();
    let is_known_to_be_nobodys = scope.customer.truth == Truth::False;
    if scope.estate.is_unread()
        && !facts.is_estate_read_anyway
        && !is_known_to_be_nobodys
        && let Some(end) = scope.identity.grace(scope.now)
    {
        // Its AzureSubscriptions may be on their way; what is read for them need not be read for this.
        let mut section = Section::kept();
        section.next = Wait::Until(end);
        return Some(section);
    }
    let is_new = scope.before.is_empty();
    if scope.estate.is_unread() && facts.is_estate_read_anyway && is_new && scope.customer.holds() {
        // Now rather than in a moment: then one status says it all.
        let mut section = Section::kept();
        section.needs.insert(Need::Estate(tenant));
        return Some(section);
    }
    let mut section = match scope.estate {
        _ if is_known_to_be_nobodys => {
            Section::holds(Verdict::unknown(scope.customer.reason, scope.customer.message.clone()))
        }
        Fact::Known { value, .. } => Section::holds(verdict(value)),
        Fact::Unknown { .. }
            if has_condition && (scope.estate.is_unread() || scope.recheck.is_remembered(scope.estate)) =>
        {
            Section::kept()
        }
        Fact::Unknown { .. } if scope.estate.is_unread() && facts.is_estate_read_anyway => return None,
        Fact::Unknown { why } => {
            let verdict = Verdict::ignorance(why, "what the customer has of Azure");
            // Others may never meet the failure that the first look has met.
            let news = (is_new && scope.estate.failure().is_some()).then(|| Event {
                severity: Severity::Warning,
                reason: verdict.reason.to_owned(),
                note: verdict.message.clone(),
                key: format!("estate/{tenant}/{}", verdict.reason),
            });
            let mut section = Section::holds(verdict);
            section.events.extend(news);
            section
        }
    };
    let is_due = scope.recheck.is_due(scope.estate) || scope.estate.is_unread() && !has_condition;
    if !is_known_to_be_nobodys && !facts.is_estate_read_anyway && is_due {
        section.needs.insert(Need::Estate(tenant));
    }
    Some(section)
}

/// Whether the customer can use Azure through the partner.
fn verdict(estate: &AzureEstate) -> Verdict {
    let active =
        estate.plans.iter().filter(|plan| plan.is_active()).map(|plan| plan.kind).min_by_key(|kind| match kind {
            AzurePlanKind::AzurePlan => 0,
            AzurePlanKind::AzureGlobal => 1,
        });
    match (active, estate.plans.first()) {
        (Some(AzurePlanKind::AzurePlan), _) => Verdict::yes("AzurePlan", "the customer has an active Azure plan"),
        (Some(AzurePlanKind::AzureGlobal), _) => {
            Verdict::yes("AzureGlobal", "the customer has an active Microsoft Azure (MS-AZR-0145P) subscription")
        }
        (None, Some(plan)) => not_active(&plan.status),
        (None, None) => Verdict::no(
            "NoAzureSubscription",
            "the customer has no Azure plan; buy one in Partner Center, or set spec.azurePlan: Purchase",
        ),
    }
}

fn not_active(status: &str) -> Verdict {
    let text = format!(
        "the customer's Azure plan is {status} in Partner Center; have it made active again: no second one is bought"
    );
    Verdict::no("SubscriptionNotActive", text)
}
