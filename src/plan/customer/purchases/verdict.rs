//! `PurchasesRecorded`: whether what is shown can be taken for all there is.

use jiff::Timestamp;

use super::{PURCHASES_MAX, Pass, PurchaseFacts, is_recorded, known, news};
use crate::api::{Purchase, PurchaseKind};
use crate::model::{Benefit, Fact, Ignorance, SeenPurchases, Unseen};
use crate::plan::conditions::Verdict;
use crate::plan::schedule::INTERVALS_UNTIL_UNKNOWN;

/// What to do about lists that show less than there is.
const REMEDY: &str = "the partner's sign-in sees them only with the roles Reservations Reader and Savings plan Reader in the customer's tenant, or with a role on each (kubectl csp purchases lists what is known)";
/// The reason where only suspended permissions may be on.
pub(super) const SUSPENDED: &str = "Suspended";

/// What the condition says when nothing that is known is running any more and it is not looked for more.
pub(super) fn over() -> Verdict {
    Verdict::yes(
        "Recorded",
        "Nothing of what is known is running any more, and no permission is on: it is not looked for more".to_owned(),
    )
}

/// What the condition says when nothing that is known is running any more, and no call is made for what may be bought.
pub(super) fn suspended() -> Verdict {
    Verdict::unknown(
        SUSPENDED,
        "Nothing of what is known is running any more, and a permission that may be on is suspended: nothing is looked for until its mode is Enforce or Observe".to_owned(),
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
    if let Some(verdict) = of_missing(seen, after) {
        return verdict;
    }
    let rights = seen.entitlements.as_deref().unwrap_or_default();
    let is_listed = |order: &uuid::Uuid| seen.held().any(|held| held.order == *order);
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
    if seen.held().next().is_none() {
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

/// What is said when not all lists could be read.
fn of_missing(seen: &SeenPurchases, after: &[Purchase]) -> Option<Verdict> {
    let missing = seen.missing();
    let is_refused = |azure: &Result<Vec<Benefit>, Unseen>| azure.as_ref().is_err_and(|unseen| !unseen.passes);
    let roles = [("Reservations Reader", &seen.reservations), ("Savings plan Reader", &seen.savings_plans)];
    let roles: Vec<_> = roles.into_iter().filter(|(_, azure)| is_refused(azure)).map(|(role, _)| role).collect();
    let by_partner_center = seen.entitlements.as_ref().err().filter(|unseen| !unseen.passes);
    let reason = match by_partner_center {
        Some(unseen) => unseen.reason,
        None if !roles.is_empty() => "AccessMissing",
        None => missing.first()?.1.reason,
    };
    let mut parts: Vec<String> =
        missing.iter().map(|(list, unseen)| format!("{list} are missing: {}", unseen.message)).collect();
    if !roles.is_empty() {
        parts.push(format!(
            "If it is access that is missing: Azure shows them to a user with the role {} in the customer's tenant, or with a role on each.",
            roles.join(" and ")
        ));
    }
    if seen.is_worth_another_look() {
        parts.push("That may pass, and is asked for again soon.".to_owned());
    }
    if let Ok(rights) = &seen.entitlements
        && seen.reservations.is_err()
    {
        parts.push(format!("Partner Center lists {} without their details.", count(rights.len(), "reservation")));
    }
    parts.push(kept(after));
    Some(Verdict::unknown(reason, parts.join(" ")))
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
