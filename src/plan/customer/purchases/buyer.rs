//! Who bought something. Nothing that Microsoft documents says it outright, so it is told on what evidence, and that it is
//! not known where there is none.

use std::collections::BTreeSet;

use super::SeenOrder;
use crate::api::{Purchase, PurchaseKind, PurchasedBy};
use crate::model::{OrderHolder, PrincipalKind, SeenPurchases};

/// What may tell.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) orders: &'a [SeenOrder],
    pub(super) partner_domains: &'a BTreeSet<String>,
    /// In lower case.
    pub(super) customer_domains: BTreeSet<String>,
    /// `None`: the lists have not been read in this process.
    pub(super) seen: Option<&'a SeenPurchases>,
}

/// Says who bought it. An activity record, however late, tells more than a role; what was found once is kept.
pub(super) fn judge(purchase: &mut Purchase, evidence: &Evidence<'_>) {
    let found = by_record(purchase, evidence);
    let is_settled = purchase.purchased_by != PurchasedBy::Unknown;
    let found = match found {
        Some((PurchasedBy::Unknown, _)) | None if is_settled => return,
        Some(found) => found,
        None => match evidence.seen {
            Some(seen) => match by_lists(purchase, seen) {
                Some(found) => found,
                None => return,
            },
            None if purchase.evidence.is_empty() => (PurchasedBy::Unknown, NO_RECORD.to_owned()),
            None => return,
        },
    };
    (purchase.purchased_by, purchase.evidence) = found;
}

const NO_RECORD: &str = "no activity record tells who ordered it";

/// What Partner Center's activity log says of its order.
fn by_record(purchase: &Purchase, evidence: &Evidence<'_>) -> Option<(PurchasedBy, String)> {
    let order = purchase.order_id.as_deref()?;
    let is_it = |one: &&SeenOrder| one.record.order.eq_ignore_ascii_case(order);
    let actor = evidence.orders.iter().find(is_it)?.record.actor.as_deref()?;
    let domain = actor.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase()).unwrap_or_default();
    // A guest signs in from elsewhere, under a name in this tenant's domain.
    let is_guest = actor.to_ascii_lowercase().contains("#ext#");
    let is_customer = evidence.customer_domains.contains(&domain);
    let (by, whose) = match () {
        () if is_guest || domain.is_empty() => (PurchasedBy::Unknown, "it is not known whose user that is"),
        () if evidence.partner_domains.contains(&domain) => (PurchasedBy::Partner, "a user of the partner"),
        () if is_customer => (PurchasedBy::Customer, "a user of the customer"),
        () => (PurchasedBy::Unknown, "it is not known whose user that is"),
    };
    Some((by, format!("ordered by {actor}, by Partner Center's activity log: {whose}")))
}

/// What the lists tell; `None`: what was found before stands, since what it came from cannot be read now.
fn by_lists(purchase: &Purchase, seen: &SeenPurchases) -> Option<(PurchasedBy, String)> {
    let is_first = purchase.evidence.is_empty();
    if purchase.kind == PurchaseKind::SavingsPlan {
        // Where no savings plan is shown any more, orders are not read either.
        let is_told =
            seen.orders.as_ref().is_some_and(|orders| orders.as_ref().err().is_none_or(|unseen| !unseen.passes));
        let is_open = is_first || seen.savings_plans.is_ok() && is_told;
        return is_open.then(|| (PurchasedBy::Unknown, savings_plan(seen)));
    }
    let asked = seen.holders.iter().find(|(order, _)| order.to_string() == purchase.azure_order_id);
    let evidence = match asked.map(|(_, holders)| holders) {
        Some(Ok(holders)) => return Some(by_role(holders)),
        Some(Err(unseen)) if is_first || !unseen.passes => {
            format!("who has a role on it cannot be read ({}); {NO_RECORD}", unseen.reason)
        }
        None if is_first => NO_RECORD.to_owned(),
        Some(Err(_)) | None => return None,
    };
    Some((PurchasedBy::Unknown, evidence))
}

/// Azure makes the buyer Owner of the reservation order. The partner's staff are there only through a group.
fn by_role(holders: &[OrderHolder]) -> (PurchasedBy, String) {
    let user = holders.iter().find(|one| one.kind == PrincipalKind::User);
    let has_partner = holders.iter().any(|one| one.kind == PrincipalKind::ForeignGroup);
    match user {
        Some(user) if !has_partner => (
            PurchasedBy::Customer,
            format!(
                "user {} of the customer's tenant is Owner of the reservation order itself, as Azure makes the buyer; {NO_RECORD}",
                user.principal
            ),
        ),
        Some(_) => (
            PurchasedBy::Unknown,
            format!(
                "a user of the customer's tenant is Owner of the reservation order itself, and the partner has a role on it too; {NO_RECORD}"
            ),
        ),
        None => (
            PurchasedBy::Unknown,
            format!("no user of the customer's tenant is Owner of the reservation order itself; {NO_RECORD}"),
        ),
    }
}

fn savings_plan(seen: &SeenPurchases) -> String {
    let text = match &seen.orders {
        Some(Ok(orders)) if !orders.iter().any(|order| order.is_savings_plan) => {
            "Partner Center has no order for a savings plan, so it was bought in the Azure portal, where the customer can buy and the partner's staff too"
        }
        Some(Err(unseen)) => {
            return format!(
                "Partner Center's orders, which might tell who bought it, cannot be read ({})",
                unseen.reason
            );
        }
        Some(Ok(_)) | None => "nothing that can be read tells who bought a savings plan",
    };
    text.to_owned()
}
