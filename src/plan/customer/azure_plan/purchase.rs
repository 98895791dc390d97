//! `azurePlan: Purchase`: what stands in the way of buying the plan, when it is bought, and what is told of it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{PlanFacts, PlanWish, not_active};
use crate::api::AzurePlanStatus;
use crate::model::{AzureEstate, AzurePlanKind, Fact, PartnerKind, PlanPurchase, PurchaseStage, TenantId};
use crate::plan::conditions::{ConditionType, Truth, Verdict, is_true};
use crate::plan::customer::Action;
use crate::plan::customer::ownership::ownership;
use crate::plan::customer::section::{Scope, Section, is_stale};
use crate::plan::permission::{Attempt, Ownership};
use crate::plan::summary::Situation;
use crate::plan::{Event, Need, PartnerQuestion, Severity, Wait, to_second};

/// Orders appear up to 15 minutes late (Partner Center, "Get all of a customer's orders").
const ORDERS_APPEAR_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// After a refusal, the same cart is tried again.
const TRIED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// A cart lives for a week; an older one is not worth trying.
const CART_LIVES: SignedDuration = SignedDuration::from_hours(6 * 24);
/// From then on a person should look for an order that does not appear.
const ORDER_IS_MISSED_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How long it is believed what kind of partner it is.
const KIND_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);

/// One Customer's purchase.
pub(super) struct Purchase<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) wish: &'a PlanWish,
    pub(super) facts: &'a PlanFacts,
    pub(super) tenant: TenantId,
}

impl Purchase<'_> {
    /// What follows, and what `status` remembers of it.
    pub(super) fn plan(&self, status: &mut AzurePlanStatus) -> Section {
        let Scope { estate, recheck, customer, before, .. } = self.scope;
        let mut estate_needs = BTreeSet::new();
        if customer.truth != Truth::False && recheck.is_due(estate) {
            estate_needs.insert(Need::Estate(self.tenant));
        }
        let mut section = match estate {
            Fact::Known { value, .. } if has_plan(value) => {
                status.none_since = None;
                self.has_one(status)
            }
            _ if recheck.is_remembered(estate) && is_true(before, ConditionType::AzurePlanVerified) => Section::kept(),
            Fact::Unknown { why } => Section::waiting(Verdict::ignorance(why, "what the customer has of Azure")),
            Fact::Known { value, at } => {
                let mut section = match self.way(value) {
                    Ok(record) => {
                        // As good as the first reading, and not before what stood in the way was seen to be gone.
                        let now = self.scope.now;
                        let since = status.none_since.as_ref().map_or(now, |since| since.0.min(now));
                        status.none_since = Some(to_second(since));
                        self.buy(record, *at, since)
                    }
                    Err(section) => {
                        // Whoever sees to it may buy the plan by hand as well: its order has all its time to appear. What is
                        // not known for a moment is nobody's doing.
                        if section.verdict.truth == Truth::False {
                            status.none_since = None;
                        }
                        *section
                    }
                };
                section.events.extend(self.bought(&[PurchaseStage::Bought], status));
                section
            }
        };
        if self.scope.customer.truth == Truth::False && section.situation != Situation::Holds {
            section = Section::waiting((*customer).clone());
        }
        section.needs.extend(estate_needs);
        if !section.needs.is_empty() || self.scope.is_deleting {
            section.actions.clear();
        }
        section
    }

    /// There is an active plan. If it is the one that was bought, that is told once.
    fn has_one(&self, status: &mut AzurePlanStatus) -> Section {
        let mut section = Section::holds(Verdict::yes("AzurePlan", "the customer has an active Azure plan"));
        let is_news = !is_true(self.scope.before, ConditionType::AzurePlanVerified);
        if is_news && status.cart.is_none() {
            match &self.facts.record {
                Fact::Known { .. } => {}
                Fact::Unknown { .. } if self.facts.record.is_unread() => {
                    section.needs.insert(Need::PlanPurchase(self.tenant));
                }
                // It is news only once: whether it was bought is known before it is shown.
                Fact::Unknown { why } => {
                    let verdict = Verdict::ignorance(why, "what is remembered of a purchase");
                    return Section::waiting(verdict);
                }
            }
        }
        if is_news {
            section.events.extend(self.bought(&[PurchaseStage::Bought, PurchaseStage::Sent], status));
        }
        section
    }

    /// One event for the one purchase, if it has come to one of these stages, and what remembers that it was told.
    fn bought(&self, stages: &[PurchaseStage], status: &mut AzurePlanStatus) -> Option<Event> {
        let record = self.facts.record.known()?.as_ref().filter(|record| stages.contains(&record.stage))?;
        if status.cart.is_some() {
            return None;
        }
        status.cart = Some(record.cart.to_string());
        Some(Event {
            severity: Severity::Normal,
            reason: "AzurePlanPurchased".to_owned(),
            note: match record.stage {
                PurchaseStage::Bought => {
                    format!("bought an Azure plan for tenant {} with cart {}", self.tenant, record.cart)
                }
                _ => format!(
                    "an Azure plan has appeared for tenant {}; it may have been bought with cart {}",
                    self.tenant, record.cart
                ),
            },
            key: format!("plan/{}", record.cart),
        })
    }

    /// There is no active plan, and nothing stands in the way of buying one: what is remembered of a purchase. Else what does;
    /// first what a person must see to.
    fn way(&self, estate: &AzureEstate) -> Result<Option<&PlanPurchase>, Box<Section>> {
        if let Some(verdict) = standing_in_the_way(estate) {
            return Err(Box::new(Section::stalled(verdict)));
        }
        if let Some(section) = self.is_anothers() {
            return Err(Box::new(section));
        }
        if !self.facts.may_purchase {
            let text = "the customer has no Azure plan, and this operator may not buy one: start it with --allow-plan-purchase, or buy the plan in Partner Center";
            return Err(Box::new(Section::stalled(Verdict::no("PlanPurchaseNotAllowed", text))));
        }
        if !self.scope.customer.holds() {
            return Err(Box::new(Section::waiting(self.scope.customer.clone())));
        }
        let record = match &self.facts.record {
            Fact::Known { value, at } if *at >= self.scope.now => value.as_ref(),
            Fact::Unknown { why } if self.facts.record.failure().is_some() => {
                let verdict = Verdict::ignorance(why, "what is remembered of a purchase");
                return Err(Box::new(Section::waiting(verdict)));
            }
            Fact::Known { .. } | Fact::Unknown { .. } => {
                return Err(Box::new(asking([Need::PlanPurchase(self.tenant)])));
            }
        };
        let obstacle = record.and_then(|record| self.is_over(record));
        let obstacle = obstacle.or_else(|| self.partner_forbids()).or_else(|| self.is_not_agreed());
        obstacle.map_or(Ok(record), |section| Err(Box::new(section)))
    }

    fn is_anothers(&self) -> Option<Section> {
        let me = self.scope.contender(self.wish.clone());
        let text = match ownership(&me, &self.facts.others) {
            Ownership::Mine => return None,
            Ownership::Of(owner) => format!(
                "{owner} means the same tenant, wishes the same and is older: it sees to the Azure plan; delete one of the two, or set azurePlan: Verify here"
            ),
            Ownership::Contested(others) => {
                let names: Vec<_> = others.iter().map(ToString::to_string).collect();
                format!(
                    "these Customers mean the same tenant and would buy the Azure plan for another reseller, so none is bought: {}; have them agree",
                    names.join(", ")
                )
            }
        };
        Some(Section::stalled(Verdict::no("Conflict", text)))
    }

    /// What is remembered ends it: the plan was bought, or may have been.
    fn is_over(&self, record: &PlanPurchase) -> Option<Section> {
        let now = self.scope.now;
        let missed = after(record.at, ORDER_IS_MISSED_AFTER);
        let cart = &record.cart;
        let is_for_another = record.reseller != self.wish.reseller;
        let unclear = || {
            let text = format!(
                "an Azure plan may have been bought with cart {cart}, and Partner Center shows none: look for an order of {} there. Only if there is none for certain, remove the entry {} from the operator's ConfigMap of purchases, and a new cart is made",
                record.at, self.tenant
            );
            Some(Section::stalled(Verdict::no("PurchaseUnclear", text)))
        };
        match record.stage {
            PurchaseStage::Bought if now > missed => {
                let text = format!(
                    "an Azure plan was bought with cart {cart} more than a day ago, and Partner Center shows none: no second one is bought. Look for the order there"
                );
                Some(Section::stalled(Verdict::no("PlanOrderedNotShown", text)))
            }
            PurchaseStage::Bought => {
                let text = format!(
                    "an Azure plan was bought with cart {cart}; Partner Center shows it within a quarter of an hour, as a rule"
                );
                let mut section = Section::waiting(Verdict::no("PlanOrdered", text));
                section.next = Wait::Until(missed);
                Some(section)
            }
            PurchaseStage::Unclear => unclear(),
            PurchaseStage::Sent if is_for_another => unclear(),
            PurchaseStage::Sent | PurchaseStage::Prepared | PurchaseStage::Refused | PurchaseStage::Expired => None,
        }
    }

    /// The partner cannot buy it, or it is not known who it is.
    fn partner_forbids(&self) -> Option<Section> {
        let (partner, now) = (&self.facts.partner, self.scope.now);
        let is_asked_anew = self.scope.recheck.is_asked_anew();
        let mut needs = partner.needs(now, is_asked_anew);
        if partner.kind.fresh(now, KIND_AGE_MAX).is_none() && partner.kind.failure().is_none() {
            needs.insert(Need::Partner(PartnerQuestion::Kind));
        }
        if !needs.is_empty() {
            return Some(asking(needs));
        }
        // Its denial is about permissions, and would be waited for.
        if let Fact::Known { value: PartnerKind::IndirectReseller, .. } = &partner.kind {
            let text = "an indirect reseller buys nothing in Partner Center: its indirect provider does";
            return Some(Section::stalled(Verdict::no("IndirectReseller", text)));
        }
        if let Some(denial) = partner.authorization(now).denial() {
            return Some(Section::waiting(Verdict::no(denial.reason, denial.message.clone())));
        }
        let stalled = |reason, text: &str| Some(Section::stalled(Verdict::no(reason, text)));
        match (&partner.kind, &self.wish.reseller) {
            (Fact::Unknown { why }, _) => Some(Section::waiting(Verdict::ignorance(why, "what kind of partner it is"))),
            (Fact::Known { value: PartnerKind::IndirectProvider, .. }, None) => stalled(
                "IndirectResellerMissing",
                "an indirect provider buys an Azure plan for an indirect reseller: give its partner id as spec.indirectReseller",
            ),
            (Fact::Known { value: PartnerKind::DirectBill, .. }, Some(_)) => stalled(
                "NotIndirectProvider",
                "spec.indirectReseller is only for indirect providers, and Partner Center shows no relationship to any reseller: remove it",
            ),
            (Fact::Known { value: PartnerKind::IndirectReseller, .. }, _)
            | (Fact::Known { value: PartnerKind::IndirectProvider, .. }, Some(_))
            | (Fact::Known { value: PartnerKind::DirectBill, .. }, None) => None,
        }
    }

    fn is_not_agreed(&self) -> Option<Section> {
        // One that is missing may come any time, and whoever has seen to it asks anew.
        if self.scope.recheck.is_due(&self.facts.agreement) || is_stale(&self.facts.agreement, self.scope.now) {
            return Some(asking([Need::Agreement(self.tenant)]));
        }
        match &self.facts.agreement {
            Fact::Known { value: true, .. } => None,
            Fact::Known { value: false, .. } => {
                let text = "the customer has not accepted the Microsoft Customer Agreement: confirm its acceptance in Partner Center, or have the customer accept it in the Microsoft admin center";
                Some(Section::waiting(Verdict::no("CustomerAgreementMissing", text)))
            }
            Fact::Unknown { why } => Some(Section::waiting(Verdict::ignorance(why, "the customer's agreement"))),
        }
    }

    /// Nothing stands in the way: now it is a matter of time.
    fn buy(&self, record: Option<&PlanPurchase>, read_at: Timestamp, since: Timestamp) -> Section {
        let Scope { now, attempt, .. } = *self.scope;
        // An order from before the first reading, or from what was sent, would show by then.
        let certain_from = match record {
            Some(PlanPurchase { stage: PurchaseStage::Sent | PurchaseStage::Expired, at, .. }) => {
                after(since.max(*at), ORDERS_APPEAR_WITHIN)
            }
            Some(PlanPurchase { stage: PurchaseStage::Refused, at, .. }) => {
                after(since, ORDERS_APPEAR_WITHIN).max(after(*at, TRIED_AGAIN_AFTER))
            }
            _ => after(since, ORDERS_APPEAR_WITHIN),
        };
        if let Some(PlanPurchase { stage: PurchaseStage::Refused, at, refusal, .. }) = record
            && now < after(*at, TRIED_AGAIN_AFTER)
        {
            let text = format!(
                "the purchase of an Azure plan was refused, and is tried again at {}: {}",
                to_second(certain_from).0,
                refusal.as_deref().unwrap_or("see the operator's log for why")
            );
            let mut section = Section::stalled(Verdict::no("PurchaseRefused", text));
            section.next = Wait::Until(certain_from);
            return section;
        }
        if let Attempt::Failed(failure) = attempt {
            let verdict = Verdict::no(failure.reason, failure.message.clone());
            return if failure.needs_person { Section::stalled(verdict) } else { Section::waiting(verdict) };
        }
        if now < certain_from {
            let mut section = Section::waiting(Verdict::no(
                "ConfirmingNoPlan",
                format!(
                    "the customer has no Azure plan, and one is bought if that is still so at {}: orders appear up to a quarter of an hour late",
                    to_second(certain_from).0
                ),
            ));
            section.next = Wait::Until(certain_from);
            return section;
        }
        let mut section = Section::waiting(Verdict::no("PurchasingPlan", "an Azure plan is being bought"));
        if read_at < certain_from || is_stale(self.scope.estate, now) {
            section.needs.insert(Need::Estate(self.tenant));
        }
        if is_stale(self.scope.profile, now) {
            section.needs.insert(Need::Customer(self.tenant));
        }
        if *attempt != Attempt::None {
            return section;
        }
        let tenant = self.tenant;
        section.actions.push(match record {
            Some(record) if self.is_usable(record) => Action::BuyPlan { tenant, record: record.clone() },
            replaced => {
                Action::PreparePlan { tenant, reseller: self.wish.reseller.clone(), replaced: replaced.cloned() }
            }
        });
        section
    }

    /// Whether the cart of the record is the one to check out. One of which it is certain that nothing was bought with it may
    /// be left for another.
    fn is_usable(&self, record: &PlanPurchase) -> bool {
        let is_young = self.scope.now.duration_since(record.at) < CART_LIVES;
        match record.stage {
            PurchaseStage::Prepared | PurchaseStage::Refused => is_young && record.reseller == self.wish.reseller,
            PurchaseStage::Sent | PurchaseStage::Unclear | PurchaseStage::Bought => true,
            PurchaseStage::Expired => false,
        }
    }
}

/// What must be read first.
fn asking(needs: impl IntoIterator<Item = Need>) -> Section {
    let mut section = Section::waiting(Verdict::unknown("NotRead", "what a purchase needs has not been read yet"));
    section.needs.extend(needs);
    section
}

/// Whether there is an active Azure plan.
fn has_plan(estate: &AzureEstate) -> bool {
    estate.plans.iter().any(|plan| plan.kind == AzurePlanKind::AzurePlan && plan.is_active())
}

/// Why no plan can be bought where there is no active one.
fn standing_in_the_way(estate: &AzureEstate) -> Option<Verdict> {
    // A subscription of the old kind that is deleted stays in the list for ever.
    let is_gone = |kind, status: &str| kind == AzurePlanKind::AzureGlobal && status.eq_ignore_ascii_case("deleted");
    let plan = estate.plans.iter().find(|plan| !is_gone(plan.kind, &plan.status))?;
    if plan.kind == AzurePlanKind::AzurePlan {
        return Some(not_active(&plan.status));
    }
    let text = "the customer has a Microsoft Azure (MS-AZR-0145P) subscription, and no Azure plan can be bought beside it: move it to the Azure plan in Partner Center";
    Some(Verdict::no("LegacySubscription", text))
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}
