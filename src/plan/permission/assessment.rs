//! All prerequisites of one permission together.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::desired::Desired;
use crate::model::{AzureEstate, CustomerProfile, Fact};
use crate::plan::conditions::{Truth, Verdict, customer_verdict};
use crate::plan::owners::{self, OwnerFacts};
use crate::plan::prerequisites::{self, SubscriptionWish};
use crate::plan::{CustomerRef, Need};

/// How old the facts behind a grant may be.
pub(super) const GRANT_FACTS_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What is known about a permission's customer and subscriptions.
#[derive(Debug, Clone, PartialEq)]
pub struct PrerequisiteFacts {
    /// The Customer it names.
    pub customer: CustomerRef,
    /// What Partner Center says of that customer.
    pub profile: Fact<Option<CustomerProfile>>,
    /// What that customer has of Azure.
    pub estate: Fact<AzureEstate>,
    /// The subscriptions it names, in its order.
    pub subscriptions: Vec<SubscriptionFacts>,
}

/// What is known about one subscription that a permission names.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionFacts {
    /// Name of the `AzureSubscription`.
    pub name: String,
    /// What it says; `None` when there is none of that name, an error when it cannot be what the CRD allows.
    pub wish: Option<Result<SubscriptionWish, String>>,
    /// Who owns the subscription.
    pub owners: OwnerFacts,
}

/// Verdict on each prerequisite, and what must be read for a better one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assessment {
    pub(super) customer: Verdict,
    pub(super) subscriptions: Verdict,
    pub(super) owners: Verdict,
    pub(super) needs: BTreeSet<Need>,
}

impl Assessment {
    /// Whether every prerequisite is known to hold.
    pub(super) fn holds(&self) -> bool {
        self.first_failing().is_none()
    }

    /// Whether all that is missing is to know the owners, who could not be read.
    pub(super) fn misses_only_unreadable_owners(&self) -> bool {
        let all_else_holds = self.customer.holds() && self.subscriptions.holds();
        all_else_holds && self.owners.truth == Truth::Unknown && self.needs.is_empty()
    }

    /// Whether a prerequisite is known not to hold.
    pub(super) fn is_known_to_fail(&self) -> bool {
        [&self.customer, &self.subscriptions, &self.owners].into_iter().any(|verdict| verdict.truth == Truth::False)
    }

    /// The one to put right first.
    pub(super) fn first_failing(&self) -> Option<&Verdict> {
        [&self.customer, &self.subscriptions, &self.owners].into_iter().find(|verdict| !verdict.holds())
    }
}

/// Judges all prerequisites by what was read at `since` or later.
pub(super) fn assess(desired: &Desired, facts: &PrerequisiteFacts, since: Timestamp) -> Assessment {
    let mut needs = BTreeSet::new();
    let profile = recent(&facts.profile, since);
    let customer = customer_verdict(&facts.customer, &desired.customer, &profile);
    let CustomerRef::Found(tenant) = facts.customer else {
        let waits = || Verdict::unknown("CustomerNotResolved", "looked at once CustomerResolved is True");
        return Assessment { customer, subscriptions: waits(), owners: waits(), needs };
    };
    if profile.is_unread() {
        needs.insert(Need::Customer(tenant));
    }
    // Where the customer stands in the way, nothing more is asked, and so nothing more grows too old to be shown.
    let since = if customer.truth == Truth::False { Timestamp::MIN } else { since };
    let estate = recent(&facts.estate, since);
    // What can be said without Partner Center is said first: a reference to nothing, or to somebody else's.
    let malformed = facts.subscriptions.iter().find_map(|one| reference_error(desired, one));
    if malformed.is_none() && !facts.subscriptions.is_empty() && estate.is_unread() && customer.truth != Truth::False {
        needs.insert(Need::Estate(tenant));
    }
    let mut verified = Vec::new();
    let mut owned = Vec::new();
    for (wish, owners) in facts.subscriptions.iter().filter_map(well_formed) {
        let found = prerequisites::subscription(wish.subscription, &estate).verdict;
        let owners = recent_owners(owners, wish, since);
        let (verdict, _) = owners::owners(wish, found.holds(), &owners);
        if verdict.reason == "OwnerUnknown" && customer.truth != Truth::False {
            needs.extend(owners::needs(tenant, wish, &owners, Fact::is_unread, owners.holders.is_unread()));
        }
        verified.push(found);
        owned.push(verdict);
    }
    let subscriptions = malformed.clone().unwrap_or_else(|| all(verified, "Active", "Azure subscriptions are active"));
    let owners = match malformed {
        Some(_) => Verdict::unknown("SubscriptionNotVerified", "looked at once AzureSubscriptionVerified is True"),
        None => all(owned, "OwnerHeld", "Azure subscriptions have their Owners"),
    };
    Assessment { customer, subscriptions, owners, needs }
}

/// Whether the reference itself is wrong, so that it says nothing of Azure.
pub(super) fn is_reference_error(desired: &Desired, one: &SubscriptionFacts) -> bool {
    reference_error(desired, one).is_some()
}

fn well_formed(one: &SubscriptionFacts) -> Option<(&SubscriptionWish, &OwnerFacts)> {
    match &one.wish {
        Some(Ok(wish)) => Some((wish, &one.owners)),
        Some(Err(_)) | None => None,
    }
}

fn reference_error(desired: &Desired, one: &SubscriptionFacts) -> Option<Verdict> {
    let name = &one.name;
    match &one.wish {
        None => Some(Verdict::no(
            "SubscriptionNotFound",
            format!(
                "there is no AzureSubscription \"{name}\" in this namespace; apply it, and this object goes on by itself"
            ),
        )),
        Some(Err(why)) => Some(Verdict::no("SubscriptionNotFound", format!("AzureSubscription \"{name}\": {why}"))),
        Some(Ok(wish)) if wish.customer != desired.customer => Some(Verdict::no(
            "SubscriptionOfOtherCustomer",
            format!(
                "AzureSubscription \"{name}\" belongs to Customer \"{}\", this object to \"{}\"; only the customer's own subscriptions count",
                wish.customer, desired.customer
            ),
        )),
        Some(Ok(_)) => None,
    }
}

/// A fact, unless it is older than `since`.
fn recent<T: Clone>(fact: &Fact<T>, since: Timestamp) -> Fact<T> {
    match fact {
        Fact::Known { at, .. } if *at < since => Fact::NOT_READ,
        Fact::Known { .. } | Fact::Unknown { .. } => fact.clone(),
    }
}

/// The same of all that is known of owners; holders that do not answer for everybody named count as not read.
fn recent_owners(facts: &OwnerFacts, wish: &SubscriptionWish, since: Timestamp) -> OwnerFacts {
    let users = facts.users.iter().map(|(name, user)| (name.clone(), recent(user, since))).collect();
    let holders = match recent(&facts.holders, since) {
        Fact::Known { value, .. } if !owners::answers(&value, wish, &users) => Fact::NOT_READ,
        holders => holders,
    };
    OwnerFacts { users, holders }
}

/// One verdict for all: the first that is false, else the first that is unknown, else all hold.
fn all(verdicts: Vec<Verdict>, reason: &'static str, what: &str) -> Verdict {
    let count = verdicts.len();
    if count == 0 {
        return Verdict::unknown("NotNeeded", "no AzureSubscription is named, and nothing is to be allowed");
    }
    let worst = [Truth::False, Truth::Unknown]
        .into_iter()
        .find_map(|truth| verdicts.iter().find(|verdict| verdict.truth == truth))
        .cloned();
    match (worst, verdicts.into_iter().next()) {
        (Some(worst), _) => worst,
        (None, Some(only)) if count == 1 => only,
        (None, _) => Verdict::yes(reason, format!("all {count} {what}")),
    }
}
