//! From what is listed now and what was known before to what is shown.

use std::cmp::Reverse;

use jiff::Timestamp;

use super::{PURCHASES_MAX, news};
use crate::api::{self, Purchase, PurchasedBy};
use crate::model::{Benefit, Entitlement, Order, PurchaseKind, SeenPurchases};
use crate::plan::to_second;

/// The state of what Partner Center lists and Azure does not show.
const NOT_SHOWN: &str = "NotShown";
/// Names are given by people, who may write as much as they like.
const TEXT_CHARS_MAX: usize = 120;
/// Most scopes of one purchase that are shown.
const SCOPES_MAX: usize = 10;

/// Of what is shown, so many are the newest, whatever has become of them: what is bought later than these is news.
const NEWEST_SHOWN: usize = 10;

/// All purchases, newest first. What is not listed any more is kept: an empty list may mean that the caller may not see what
/// there is.
pub(super) fn merged(before: &[Purchase], seen: Option<&SeenPurchases>, now: Timestamp) -> Vec<Purchase> {
    let mut purchases: Vec<Purchase> = match seen {
        Some(seen) => with(before, seen),
        None => before.to_vec(),
    };
    for purchase in &mut purchases {
        let is_over = purchase.expires_at.as_ref().is_some_and(|end| end.0 <= now);
        if is_over && ["Succeeded", NOT_SHOWN].contains(&purchase.state.as_str()) {
            "Expired".clone_into(&mut purchase.state);
        }
    }
    sort(&mut purchases);
    purchases
}

fn sort(purchases: &mut [Purchase]) {
    purchases.sort_by_key(|purchase| (Reverse(purchase.purchased_at.as_ref().map(|at| at.0)), purchase.id.clone()));
}

/// As many of `all`, which are sorted, as a status shows: the newest few, then what gives a discount, soonest end first, so
/// that no end goes by untold, and then what is over.
pub(super) fn shown(mut all: Vec<Purchase>, now: Timestamp) -> Vec<Purchase> {
    if all.len() > PURCHASES_MAX {
        all[NEWEST_SHOWN..].sort_by_key(|purchase| {
            let end = purchase.expires_at.as_ref().map_or(Timestamp::MAX, |end| end.0);
            (!news::is_live(purchase, now), end)
        });
        all.truncate(PURCHASES_MAX);
        sort(&mut all);
    }
    all
}

fn with(before: &[Purchase], seen: &SeenPurchases) -> Vec<Purchase> {
    let rights = seen.entitlements.as_deref().unwrap_or_default();
    let orders = seen.orders.as_ref().and_then(|orders| orders.as_deref().ok()).unwrap_or_default();
    let mut shown: Vec<Purchase> = seen
        .held()
        .map(|benefit| {
            let right = rights.iter().find(|right| right.azure_order == benefit.order);
            of_benefit(benefit, right.and_then(|right| right.order.clone()))
        })
        .collect();
    for right in rights {
        let azure_order = right.azure_order.to_string();
        let has_details = |one: &Purchase| one.azure_order_id == azure_order && one.id != azure_order;
        if shown.iter().chain(before).any(has_details) {
            continue;
        }
        let order = orders.iter().find(|order| Some(order.id.as_str()) == right.order.as_deref());
        shown.push(of_right(right, order));
    }
    for purchase in &mut shown {
        let of_order = |one: &&Purchase| one.azure_order_id == purchase.azure_order_id;
        let earlier = before.iter().find(|one| one.id == purchase.id).or(before.iter().find(of_order));
        if let Some(earlier) = earlier {
            inherit(purchase, earlier);
        }
    }
    let mut all = shown;
    for earlier in before {
        let is_replaced = all.iter().any(|one| {
            one.id == earlier.id || earlier.id == earlier.azure_order_id && one.azure_order_id == earlier.azure_order_id
        });
        if !is_replaced {
            all.push(earlier.clone());
        }
    }
    all
}

/// Keeps what only earlier readings have told.
fn inherit(purchase: &mut Purchase, earlier: &Purchase) {
    purchase.purchased_by = earlier.purchased_by;
    purchase.evidence.clone_from(&earlier.evidence);
    purchase.expiry_notice_days = earlier.expiry_notice_days;
    purchase.order_id = purchase.order_id.take().or_else(|| earlier.order_id.clone());
    purchase.purchased_at = purchase.purchased_at.take().or_else(|| earlier.purchased_at.clone());
    purchase.expires_at = purchase.expires_at.take().or_else(|| earlier.expires_at.clone());
    purchase.display_name = purchase.display_name.take().or_else(|| earlier.display_name.clone());
    purchase.term = purchase.term.take().or_else(|| earlier.term.clone());
    purchase.scope_type = purchase.scope_type.take().or_else(|| earlier.scope_type.clone());
}

fn of_benefit(benefit: &Benefit, order_id: Option<String>) -> Purchase {
    Purchase {
        id: benefit.id.to_string(),
        kind: match benefit.kind {
            PurchaseKind::Reservation => api::PurchaseKind::Reservation,
            PurchaseKind::SavingsPlan => api::PurchaseKind::SavingsPlan,
        },
        display_name: short(benefit.display_name.as_deref()),
        product: short(benefit.product.as_deref()),
        order_id,
        azure_order_id: benefit.order.to_string(),
        scope_type: short(benefit.scope_type.as_deref()),
        scopes: benefit.scopes.iter().take(SCOPES_MAX).cloned().collect(),
        term: short(benefit.term.as_deref()),
        quantity: benefit.quantity,
        commitment: short(benefit.commitment.as_deref()),
        region: short(benefit.region.as_deref()),
        purchased_at: benefit.purchased_at.map(to_second),
        expires_at: benefit.expires_at.map(to_second),
        renews: benefit.renews,
        utilization_percent: benefit.utilization_percent.map(i32::from),
        state: short(benefit.state.as_deref()).unwrap_or_else(|| "Unknown".to_owned()),
        purchased_by: PurchasedBy::Unknown,
        evidence: String::new(),
        expiry_notice_days: None,
    }
}

fn of_right(right: &Entitlement, order: Option<&Order>) -> Purchase {
    let scope_type = order.and_then(|order| order.scope_type.as_deref());
    let subscription = order.and_then(|order| order.subscription.as_ref());
    // With a shared scope, the subscription is the one that is billed.
    let is_single = scope_type.is_some_and(|word| word.eq_ignore_ascii_case("single"));
    Purchase {
        id: right.azure_order.to_string(),
        kind: api::PurchaseKind::Reservation,
        display_name: short(order.and_then(|order| order.name.as_deref())),
        product: short(right.product.as_deref()),
        order_id: right.order.clone(),
        azure_order_id: right.azure_order.to_string(),
        scope_type: short(scope_type),
        scopes: subscription.filter(|_| is_single).map(|id| format!("/subscriptions/{id}")).into_iter().collect(),
        term: short(order.and_then(|order| order.term.as_deref())),
        quantity: right.quantity,
        commitment: None,
        region: None,
        purchased_at: order.and_then(|order| order.created_at).map(to_second),
        expires_at: right.expires_at.map(to_second),
        renews: None,
        utilization_percent: None,
        state: NOT_SHOWN.to_owned(),
        purchased_by: PurchasedBy::Unknown,
        evidence: String::new(),
        expiry_notice_days: None,
    }
}

fn short(text: Option<&str>) -> Option<String> {
    text.map(|text| text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect())
}

/// The live purchases of before that the list they belong on does not show now, as far as it could be read.
pub(super) fn vanished<'a>(before: &'a [Purchase], seen: &SeenPurchases, now: Timestamp) -> Vec<&'a Purchase> {
    let is_read = |one: &Purchase| match one.kind {
        api::PurchaseKind::Reservation => seen.reservations.is_ok(),
        api::PurchaseKind::SavingsPlan => seen.savings_plans.is_ok(),
        api::PurchaseKind::Unknown => seen.reservations.is_ok() && seen.savings_plans.is_ok(),
    };
    let is_listed = |one: &Purchase| seen.held().any(|benefit| benefit.order.to_string() == one.azure_order_id);
    before.iter().filter(|one| news::is_live(one, now) && is_read(one) && !is_listed(one)).collect()
}
