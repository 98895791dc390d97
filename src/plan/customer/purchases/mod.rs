//! What a customer has bought: when it is looked for, what is kept, who bought it, and what is told of it.
//!
//! Only customers are followed for which a purchase permission is on, or was until a day ago, or who still hold something:
//! what nobody permitted costs no call, and what somebody did is looked for although the permission is gone. Nothing here grants, revokes or holds up `Ready`.

mod buyer;
mod known;
mod news;
mod permitted;
mod verdict;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use uuid::Uuid;

use super::{Action, CustomerPlan};
use crate::api::{CustomerStatus, Purchase, PurchasedBy, PurchasesPermitted};
use crate::model::{Fact, OrderRecord, SeenPurchases, TenantId};
use crate::plan::conditions::{ConditionType, Conditions, find};
use crate::plan::schedule::{Intervals, latest_turn, next_turn};
use crate::plan::{Identity, Need, Wait};

pub use news::{EXPIRY_NOTICES_DAYS, days_left};
use permitted::FOLLOWED_AFTER_OFF;
pub use permitted::{Permitted, is_about, on_since, tells};

/// As many as a status shows.
pub const PURCHASES_MAX: usize = 100;
/// The first reading comes within this part of the interval, and so does another try for a list that could not be read.
const FIRST_WITHIN: i32 = 6;
/// What an activity record tells of can be read a quarter of an hour later at the latest, by Microsoft's word.
const ORDER_SHOWS_AFTER: SignedDuration = SignedDuration::from_mins(20);
/// When a reading that is due and has not been made is tried again.
const RETRIED_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// A reading that lies further ahead than a pass lasts is from before the clock was set back.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(15);
/// For how long it is asked again who has a role on a reservation order when that has told nothing.
const HOLDERS_ASKED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A record of a new order, and when the feed has shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenOrder {
    /// The record.
    pub record: OrderRecord,
    /// When it is taken to have become known.
    pub seen_at: Timestamp,
}

/// What is known of a customer's purchases.
#[derive(Debug, Clone, PartialEq)]
pub struct PurchaseFacts {
    /// Whether it may buy.
    pub permitted: Permitted,
    /// Since when a permission was seen to be on of which the status need not tell yet, nor any object any more.
    pub seen_on: Option<Timestamp>,
    /// Whether this machine's clock is known to be wrong: then nothing is taken to be over.
    pub is_clock_off: bool,
    /// What Partner Center and Azure list.
    pub seen: Fact<SeenPurchases>,
    /// What the activity log tells of its orders.
    pub orders: Vec<SeenOrder>,
    /// Domains, in lower case, of sign-in names that are the partner's for certain.
    pub partner_domains: BTreeSet<String>,
}

/// The pass that this is part of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) identity: &'a Identity,
    pub(super) before: &'a CustomerStatus,
    pub(super) intervals: Intervals,
    /// When this process began.
    pub(super) started: Timestamp,
    pub(super) now: Timestamp,
}

/// The fact that a customer with this status needs, if it needs any.
pub fn need(tenant: TenantId, before: &CustomerStatus, now: Timestamp) -> Need {
    let since = now.saturating_sub(HOLDERS_ASKED_FOR).unwrap_or(Timestamp::MIN);
    let is_settled = |purchase: &&Purchase| {
        purchase.purchased_by != PurchasedBy::Unknown || purchase.purchased_at.as_ref().is_some_and(|at| at.0 < since)
    };
    let settled = before.purchases.iter().filter(is_settled);
    Need::Purchases(tenant, settled.filter_map(|purchase| Uuid::try_parse(&purchase.azure_order_id).ok()).collect())
}

/// Adds to a plan what the customer's purchases ask for. Its users sign in under one of `custom_domains`, or under the
/// primary domain.
pub(super) fn follow(
    plan: &mut CustomerPlan,
    tenant: TenantId,
    facts: &PurchaseFacts,
    custom_domains: &[String],
    pass: Pass<'_>,
) {
    let Pass { identity, before, now, .. } = pass;
    let window = permitted::window(before.purchases_permitted.as_ref(), facts, now);
    plan.status.purchases_permitted.clone_from(&window);
    let window = window.as_ref();
    if !is_followed(before, window, facts.permitted, now) {
        wind_up(plan, facts.permitted, pass);
        return;
    }
    plan.next = plan.next.or(next(facts, window, pass));
    if is_due(facts, window, pass) {
        plan.needs.insert(need(tenant, before, now));
        // Should it come to nothing, without a failure that says when to try again.
        plan.next = plan.next.or(now.saturating_add(RETRIED_AFTER).map_or(Wait::ForChange, Wait::Until));
    }
    if !plan.needs.is_empty() {
        // It is planned anew when they have been read; until then nothing is shown that has not been told.
        return;
    }
    let mut purchases = known::merged(&before.purchases, facts.seen.known(), now);
    let primary = plan.status.domain.iter().map(|domain| domain.to_ascii_lowercase());
    let customer_domains = primary.chain(custom_domains.iter().cloned()).collect();
    let evidence = buyer::Evidence {
        orders: &facts.orders,
        partner_domains: &facts.partner_domains,
        customer_domains,
        seen: facts.seen.known(),
    };
    for purchase in &mut purchases {
        buyer::judge(purchase, &evidence);
    }
    let mut events = news::of_purchases(identity, before, &purchases);
    let verdict = verdict::verdict(facts, &before.purchases, &purchases, pass);
    let mut purchases = known::shown(purchases, now);
    for purchase in &mut purchases {
        events.extend(news::of_expiry(purchase, now));
    }
    if let Some(verdict) = verdict {
        let mut conditions = Conditions::new(&before.conditions, identity.generation, now);
        conditions.set(ConditionType::PurchasesRecorded, verdict);
        put(&mut plan.status.conditions, conditions.finish());
    }
    plan.next = plan.next.or(soonest(news::moments(&purchases), now));
    plan.status.purchases = purchases;
    let is_last_look = |end: Timestamp| facts.seen.known_since(end).is_some_and(|seen| !seen.is_worth_another_look());
    if !facts.is_clock_off && window.and_then(permitted::end).is_some_and(is_last_look) {
        plan.status.purchases_permitted = None;
        if !plan.status.purchases.iter().any(|purchase| news::is_live(purchase, now)) {
            wind_up(plan, facts.permitted, pass);
        }
    }
    // First: whatever becomes of the others, the status will say that this has been told.
    plan.actions.splice(0..0, events.iter().cloned().map(Action::TellPermissions));
    plan.events.extend(events);
}

/// Shows what has ended since the last look, now that there will be no other for the time being.
fn wind_up(plan: &mut CustomerPlan, permitted: Permitted, pass: Pass<'_>) {
    let Pass { identity, now, .. } = pass;
    let status = &mut plan.status;
    if status.purchases.is_empty() {
        let name = ConditionType::PurchasesRecorded.as_str();
        status.conditions.retain(|condition| condition.type_ != name);
        return;
    }
    status.purchases = known::merged(&status.purchases, None, now);
    let is_outdated = |one: &Condition| one.status == "True" || one.reason == verdict::SUSPENDED;
    if find(&status.conditions, ConditionType::PurchasesRecorded).is_some_and(is_outdated) {
        let verdict = if permitted == Permitted::Suspended { verdict::suspended() } else { verdict::over() };
        let mut conditions = Conditions::new(&pass.before.conditions, identity.generation, now);
        conditions.set(ConditionType::PurchasesRecorded, verdict);
        put(&mut status.conditions, conditions.finish());
    }
}

/// Puts conditions in the place of those of the same types.
fn put(conditions: &mut Vec<Condition>, new: Vec<Condition>) {
    for condition in new {
        match conditions.iter_mut().find(|one| one.type_ == condition.type_) {
            Some(place) => *place = condition,
            None => conditions.push(condition),
        }
    }
}

/// Whether this customer's purchases are looked for.
fn is_followed(
    before: &CustomerStatus,
    window: Option<&PurchasesPermitted>,
    permitted: Permitted,
    now: Timestamp,
) -> bool {
    let holds = || before.purchases.iter().any(|purchase| news::is_live(purchase, now));
    // Statuses of earlier versions do not tell when it was permitted.
    let was_until = match permitted {
        Permitted::Until(until) => now.duration_since(until) < FOLLOWED_AFTER_OFF,
        Permitted::Since(_) | Permitted::Never | Permitted::Unknown | Permitted::Suspended => false,
    };
    window.is_some() && permitted != Permitted::Suspended || is_recorded(before) && (holds() || was_until)
}

fn is_recorded(status: &CustomerStatus) -> bool {
    find(&status.conditions, ConditionType::PurchasesRecorded).is_some()
}

/// Turns of purchases are apart from those of other facts of the same object.
fn key(identity: &Identity) -> String {
    format!("{}/purchases", identity.uid)
}

/// Whether the lists must be read now.
fn is_due(facts: &PurchaseFacts, window: Option<&PurchasesPermitted>, pass: Pass<'_>) -> bool {
    let Pass { identity, before, intervals, started, now } = pass;
    if facts.seen.failure().is_some() {
        return false;
    }
    if identity.is_asked_anew(before.last_handled_reconcile_at.as_deref()) {
        return facts.seen.known_since(now).is_none();
    }
    let read_at = facts.seen.read_at();
    let begun = read_at.unwrap_or(started);
    if begun.duration_since(now) > AHEAD_MAX {
        return true;
    }
    let is_overdue = |at: Timestamp| begun < at && at <= now;
    if moments(facts, before).any(is_overdue) || retry(facts, intervals).is_some_and(is_overdue) {
        return true;
    }
    let is_last = |end: Timestamp| end <= now && read_at.is_none_or(|at| at < end);
    if window.and_then(permitted::end).is_some_and(is_last) {
        return true;
    }
    match (read_at, window) {
        (None, Some(window)) if !is_recorded(before) => {
            latest_turn(&key(identity), intervals.purchases / FIRST_WITHIN, now) > window.since.0
        }
        _ => begun < latest_turn(&key(identity), intervals.purchases, now),
    }
}

/// When it is tried again to read what could not be read.
fn retry(facts: &PurchaseFacts, intervals: Intervals) -> Option<Timestamp> {
    match &facts.seen {
        Fact::Known { value, at } if value.is_worth_another_look() => {
            at.checked_add(intervals.purchases / FIRST_WITHIN).ok()
        }
        Fact::Known { .. } | Fact::Unknown { .. } => None,
    }
}

/// When an order that is not among the purchases calls for a look: as soon as the activity log shows it, and when it
/// can be read for certain. Most orders are for something else.
fn moments<'a>(facts: &'a PurchaseFacts, before: &'a CustomerStatus) -> impl Iterator<Item = Timestamp> + 'a {
    let is_unexplained = |order: &&SeenOrder| {
        let is_it = |purchase: &Purchase| purchase.order_id.as_deref() == Some(order.record.order.as_str());
        !before.purchases.iter().any(is_it)
    };
    let orders = facts.orders.iter().filter(is_unexplained);
    orders.flat_map(|order| {
        [Some(order.seen_at), order.seen_at.saturating_add(ORDER_SHOWS_AFTER).ok()].into_iter().flatten()
    })
}

/// When to look for this customer's purchases again.
fn next(facts: &PurchaseFacts, window: Option<&PurchasesPermitted>, pass: Pass<'_>) -> Wait {
    let Pass { identity, before, intervals, now, .. } = pass;
    let is_first = facts.seen.is_unread() && !is_recorded(before);
    let interval = if is_first { intervals.purchases / FIRST_WITHIN } else { intervals.purchases };
    let end = window.and_then(permitted::end);
    let turn = Wait::Until(next_turn(&key(identity), interval, now));
    turn.or(soonest(moments(facts, before).chain(end).chain(retry(facts, intervals)), now))
}

fn soonest(moments: impl Iterator<Item = Timestamp>, now: Timestamp) -> Wait {
    moments.filter(|at| *at > now).min().map_or(Wait::ForChange, Wait::Until)
}

#[cfg(test)]
pub(crate) use tests::test_purchase;

#[cfg(test)]
mod tests;
