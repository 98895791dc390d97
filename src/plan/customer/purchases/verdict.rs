//! `PurchasesRecorded`: whether what is shown can be taken for all there is.

use jiff::Timestamp;

use super::super::super::conditions::Verdict;
use super::super::super::schedule::INTERVALS_UNTIL_UNKNOWN;
use super::{PURCHASES_MAX, Pass, PurchaseFacts, is_recorded, known, news};
use crate::api::{Purchase, PurchaseKind};
use crate::model::{Fact, Ignorance, SeenPurchases};

/// What to do about lists that show less than there is.
const REMEDY: &str = "the partner's sign-in sees reservations and savings plans only with a role on each or as the customer's administrator (kubectl csp purchases lists what is known)";

/// What the condition says when nothing that is known is running any more and it is not looked for more.
pub(super) fn over() -> Verdict {
    Verdict::yes(
        "Recorded",
        "Nothing of what is known is running any more, and no permission is on: it is not looked for more".to_owned(),
    )
}

/// What the condition says of all that is known `after`; `None`: what it said before, if anything.
pub(super) fn verdict(
    facts: &PurchaseFacts,
    before: &[Purchase],
    after: &[Purchase],
    pass: Pass<'_>,
) -> Option<Verdict> {
    match &facts.seen {
        Fact::Known { value, .. } => Some(of_lists(value, before, after, pass.now)),
        Fact::Unknown { why: Ignorance::Failed { reason, message, last_read } } => {
            let lasts = pass.intervals.purchases.checked_mul(INTERVALS_UNTIL_UNKNOWN)?;
            let since = last_read.unwrap_or(pass.started);
            let is_remembered = is_recorded(pass.before) && pass.now.duration_since(since) < lasts;
            (!is_remembered).then(|| Verdict::unknown(reason, message.clone()))
        }
        Fact::Unknown { why: Ignorance::NotRead } => None,
    }
}

fn of_lists(seen: &SeenPurchases, before: &[Purchase], after: &[Purchase], now: Timestamp) -> Verdict {
    let rights = match &seen.entitlements {
        Ok(rights) => rights,
        Err(unseen) => return Verdict::unknown(unseen.reason, format!("{} {}", unseen.message, kept(after))),
    };
    let azure = match &seen.azure {
        Ok(azure) => azure,
        Err(unseen) => {
            let message = format!(
                "Azure does not show what was bought: {} Partner Center lists {} without their details, and no savings plans. {}",
                unseen.message,
                count(rights.len(), "reservation"),
                kept(after)
            );
            return Verdict::unknown("AccessMissing", message);
        }
    };
    let is_listed = |order: &uuid::Uuid| azure.held.iter().any(|held| held.order == *order);
    let is_running = |end: Option<Timestamp>| end.is_none_or(|end| end > now);
    let hidden: Vec<String> = rights
        .iter()
        .filter(|right| is_running(right.expires_at) && !is_listed(&right.azure_order))
        .map(|right| right.azure_order.to_string())
        .collect();
    if !hidden.is_empty() {
        let shown: Vec<_> = hidden.iter().take(3).map(String::as_str).collect();
        let message = format!(
            "Partner Center lists {} that Azure does not show (reservation order {}): {REMEDY}. {}",
            count(hidden.len(), "reservation"),
            shown.join(", "),
            kept(after)
        );
        return Verdict::unknown("AccessMissing", message);
    }
    let vanished = known::vanished(before, seen, now);
    if let Some(first) = vanished.first() {
        let message = format!(
            "Azure does not show {} any more that was known before and has not ended (such as order {}): {REMEDY}. {}",
            count(vanished.len(), "purchase"),
            first.azure_order_id,
            kept(after)
        );
        return Verdict::unknown("AccessMissing", message);
    }
    if azure.held.is_empty() {
        return Verdict::unknown(
            "NothingShown",
            format!(
                "Partner Center and Azure list no purchase. Of savings plans, that may also mean that they may not be seen: {REMEDY}"
            ),
        );
    }
    let of = |kind| after.iter().filter(|one| one.kind == kind && news::is_live(one, now)).count();
    let (reservations, plans) = (of(PurchaseKind::Reservation), of(PurchaseKind::SavingsPlan));
    let caution = if plans == 0 { "; savings plans that may not be seen are not among them" } else { "" };
    Verdict::yes(
        "Recorded",
        format!(
            "{} and {} are running{caution}{}",
            count(reservations, "reservation"),
            count(plans, "savings plan"),
            left_out(after)
        ),
    )
}

fn kept(after: &[Purchase]) -> String {
    format!(
        "What is known ({}) stays{}.",
        count(after.len(), "purchase"),
        match left_out(after) {
            all if all.is_empty() => " in status.purchases".to_owned(),
            some => some,
        }
    )
}

fn left_out(after: &[Purchase]) -> String {
    match after.len() {
        all if all > PURCHASES_MAX => format!("; status.purchases shows {PURCHASES_MAX} of {all}"),
        _ => String::new(),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
