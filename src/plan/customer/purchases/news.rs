//! What is told of purchases, once each: a new one, and one that ends soon.

use jiff::{SignedDuration, Timestamp};

use super::{PURCHASES_MAX, is_recorded};
use crate::api::{CustomerStatus, Purchase, PurchaseKind, PurchasedBy};
use crate::plan::{Event, Identity, Severity, to_second};

/// So many days before something ends, it is told.
pub const EXPIRY_NOTICES_DAYS: [i32; 3] = [30, 7, 1];

/// States, in Azure's words, of what gives no discount any more.
const OVER: [&str; 6] = ["Cancelled", "Expired", "Failed", "BillingFailed", "Split", "Merged"];

/// Whether it still gives its discount, as far as is known.
pub(super) fn is_live(purchase: &Purchase, now: Timestamp) -> bool {
    let is_over = OVER.iter().any(|word| purchase.state.eq_ignore_ascii_case(word));
    !is_over && purchase.expires_at.as_ref().is_none_or(|end| end.0 > now)
}

/// The smallest of [`EXPIRY_NOTICES_DAYS`] within which it ends; `None` when that is later, or past.
pub fn days_left(purchase: &Purchase, now: Timestamp) -> Option<i32> {
    let end = purchase.expires_at.as_ref()?.0;
    if !is_live(purchase, now) {
        return None;
    }
    let is_within = |days: &i32| end.duration_since(now) <= of_days(*days);
    EXPIRY_NOTICES_DAYS.into_iter().rev().find(is_within)
}

fn of_days(days: i32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

/// One event for each order that was not known before. What was bought before the object was created is no news; nor is, where
/// the status shows less than there is, what was bought no later than the newest that it shows.
pub(super) fn of_purchases(identity: &Identity, before: &CustomerStatus, after: &[Purchase]) -> Vec<Event> {
    let created = to_second(identity.created).0;
    let newest = before.purchases.iter().filter_map(|one| one.purchased_at.as_ref()).map(|at| at.0).max();
    let newest = newest.filter(|_| before.purchases.len() >= PURCHASES_MAX);
    let mut told = Vec::new();
    let mut events = Vec::new();
    for purchase in after {
        let order = &purchase.azure_order_id;
        let is_known = before.purchases.iter().any(|one| one.azure_order_id == *order) || told.contains(&order);
        let is_recent = match purchase.purchased_at.as_ref().map(|at| at.0) {
            Some(at) => at >= created && newest.is_none_or(|newest| at > newest),
            None => is_recorded(before) && newest.is_none(),
        };
        if !is_known && is_recent {
            told.push(order);
            events.push(bought(purchase));
        }
    }
    events
}

fn bought(purchase: &Purchase) -> Event {
    let by = match purchase.purchased_by {
        PurchasedBy::Customer => "bought by the customer",
        PurchasedBy::Partner => "bought by the partner",
        PurchasedBy::Unknown => "it is not known who bought it",
    };
    let evidence = &purchase.evidence;
    Event {
        severity: Severity::Normal,
        reason: format!("{}Purchased", word(purchase.kind)),
        note: format!("{}: {by} ({evidence}); the partner is billed for it", described(purchase)),
        key: purchase.azure_order_id.clone(),
    }
}

/// The event of its end coming nearer, if that has not been told; notes that it has.
pub(super) fn of_expiry(purchase: &mut Purchase, now: Timestamp) -> Option<Event> {
    let end = purchase.expires_at.clone()?;
    let Some(days) = days_left(purchase, now) else {
        if end.0 > now {
            // It ends later than it was thought to.
            purchase.expiry_notice_days = None;
        }
        return None;
    };
    let is_told = purchase.expiry_notice_days.is_some_and(|told| told <= days);
    purchase.expiry_notice_days = Some(days);
    if is_told {
        return None;
    }
    let (severity, what) = match purchase.renews {
        Some(true) => (Severity::Normal, "Azure then buys the same again; only the partner can turn that off"),
        Some(false) => (Severity::Warning, "it does not renew, and the customer cannot renew it: only the partner can"),
        None => (Severity::Warning, "whether it renews is not known; only the partner can renew it"),
    };
    Some(Event {
        severity,
        reason: format!("{}Expiring", word(purchase.kind)),
        note: format!("{} ends on {}: {what}", described(purchase), end.0),
        key: format!("{}/{}/{days}", purchase.id, end.0),
    })
}

/// When the next of these is due, for each purchase.
pub(super) fn moments(purchases: &[Purchase]) -> impl Iterator<Item = Timestamp> + '_ {
    let ends = purchases.iter().filter_map(|purchase| purchase.expires_at.as_ref()).map(|end| end.0);
    ends.flat_map(|end| {
        let notices = EXPIRY_NOTICES_DAYS.into_iter().chain([0]);
        notices.filter_map(move |days| end.saturating_sub(of_days(days)).ok())
    })
}

fn word(kind: PurchaseKind) -> &'static str {
    match kind {
        PurchaseKind::Reservation => "Reservation",
        PurchaseKind::SavingsPlan => "SavingsPlan",
        PurchaseKind::Unknown => "Benefit",
    }
}

/// In a few words, for people.
fn described(purchase: &Purchase) -> String {
    let kind = match purchase.kind {
        PurchaseKind::Reservation => "reservation",
        PurchaseKind::SavingsPlan => "savings plan",
        PurchaseKind::Unknown => "purchase",
    };
    let name = purchase.display_name.as_deref().unwrap_or(&purchase.id);
    let quantity = purchase.quantity.map(|quantity| format!("quantity {quantity}"));
    let order = purchase.order_id.as_ref().map(|order| format!("order {order}"));
    let parts = [quantity, purchase.commitment.clone(), purchase.term.clone(), order];
    parts.into_iter().flatten().fold(format!("{kind} \"{name}\""), |text, part| format!("{text}, {part}"))
}
