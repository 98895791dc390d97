//! Who acts for a customer's tenant when several permissions mean the same one: exactly one, or nobody.

use jiff::Timestamp;

use super::activity::SeenRecord;
use super::desired::{Desired, Wishes};
use crate::api::Mode;
use crate::model::TenantId;
use crate::plan::{CustomerRef, ObjectName};

/// A permission that means the same tenant as the one in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender {
    /// Its name.
    pub name: ObjectName,
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it has claimed the tenant.
    pub has_claimed: bool,
    /// Whether its status tells that it has acted for the tenant.
    pub has_acted: bool,
    /// Whether its Customer names the tenant now.
    pub is_named: bool,
    /// What it wishes.
    pub wishes: Wishes,
    /// Until when.
    pub valid_until: Option<Timestamp>,
}

/// Who owns the tenant, seen from one permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// This one.
    Mine,
    /// Another one.
    Of(ObjectName),
    /// Nobody: these want different things, and a person must decide.
    Contested(Vec<ObjectName>),
}

impl Contender {
    /// `desired` as a contender for `tenant`; `None` if it does not contend: `Observe` never owns, `Suspend` keeps what
    /// it has, and who is leaving takes nothing new. A claim that nothing bears out is none. `activity`: the records of
    /// that tenant.
    pub fn of(desired: &Desired, tenant: TenantId, customer: &CustomerRef, activity: &[SeenRecord]) -> Option<Self> {
        if desired.unproven_claim(customer, activity).is_some() {
            return None;
        }
        if matches!(customer, CustomerRef::NotAllowed { .. }) && desired.claim() != Some(tenant) {
            // What its namespace may not act for stands in nobody's way.
            return None;
        }
        let has_claimed = desired.answers_for(tenant);
        if desired.claim().is_some_and(|claimed| claimed != tenant) {
            // It acts on another tenant, whatever its Customer has become.
            return None;
        }
        let contends = match desired.mode {
            Mode::Enforce => has_claimed || !desired.is_deleting,
            Mode::Suspend | Mode::Unknown => has_claimed,
            Mode::Observe => false,
        };
        contends.then(|| Self {
            name: desired.identity.name.clone(),
            uid: desired.identity.uid.clone(),
            created: desired.identity.created,
            has_claimed,
            has_acted: desired.has_acted_for(tenant),
            is_named: *customer == CustomerRef::Found(tenant),
            wishes: desired.wishes,
            valid_until: desired.valid_until,
        })
    }

    fn wishes_the_same(&self, other: &Self) -> bool {
        (self.wishes, self.valid_until) == (other.wishes, other.valid_until)
    }

    fn seniority(&self) -> (Timestamp, &str) {
        (self.created, &self.uid)
    }
}

/// Decides between `me` and `others`. A recorded claim beats age; without one, equal wishes go to the oldest, and
/// different wishes to nobody.
pub fn ownership(me: &Contender, others: &[Contender]) -> Ownership {
    let everybody = || others.iter().chain([me]);
    // Whoever has acted has something to answer for; another's claim may have been written by hand.
    let rank = |one: &&Contender| (!one.has_acted, !one.is_named, one.created, one.uid.clone());
    if let Some(owner) = everybody().filter(|one| one.has_claimed).min_by_key(rank) {
        return if owner.uid == me.uid { Ownership::Mine } else { Ownership::Of(owner.name.clone()) };
    }
    if !others.iter().all(|other| other.wishes_the_same(me)) {
        let mut names: Vec<_> = others.iter().map(|other| other.name.clone()).collect();
        names.sort();
        return Ownership::Contested(names);
    }
    match others.iter().min_by_key(|other| other.seniority()) {
        Some(oldest) if oldest.seniority() < me.seniority() => Ownership::Of(oldest.name.clone()),
        Some(_) | None => Ownership::Mine,
    }
}

/// Which of `others` takes over when the owner leaves: the oldest, if they all wish the same.
pub fn successor(others: &[Contender]) -> Option<&Contender> {
    let oldest = others.iter().min_by_key(|other| other.seniority())?;
    others.iter().all(|other| other.wishes_the_same(oldest)).then_some(oldest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PurchaseSwitch::{self, Allow, Deny};

    fn contender(name: &str, age: i64, has_claimed: bool, reservations: PurchaseSwitch) -> Contender {
        Contender {
            name: ObjectName { namespace: "ns".into(), name: name.into() },
            uid: name.into(),
            created: Timestamp::from_second(1_000_000 - age).unwrap(),
            has_claimed,
            has_acted: false,
            is_named: true,
            wishes: Wishes { reservations, savings_plans: Deny },
            valid_until: None,
        }
    }

    fn check(me: &Contender, others: &[Contender], expected: &str) {
        let found = match ownership(me, others) {
            Ownership::Mine => "mine".to_owned(),
            Ownership::Of(name) => name.to_string(),
            Ownership::Contested(names) => format!("contested {}", names.len()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn one_owner_per_tenant() {
        let young = contender("young", 1, false, Allow);
        let old = contender("old", 9, false, Allow);
        let other = contender("other", 5, false, Deny);
        let claimed = contender("claimed", 0, true, Deny);
        check(&young, &[], "mine");
        check(&young, std::slice::from_ref(&old), "ns/old");
        check(&old, std::slice::from_ref(&young), "mine");
        check(&old, std::slice::from_ref(&other), "contested 1");
        check(&old, &[young.clone(), other.clone()], "contested 2");
        check(&old, &[young.clone(), claimed.clone()], "ns/claimed");
        check(&claimed, &[old.clone(), young], "mine");
        check(&claimed, &[contender("older claim", 3, true, Allow)], "ns/older claim");
    }

    #[test]
    fn a_claim_that_the_customer_does_not_bear_out_is_worth_less_than_one_that_it_does() {
        let owner = contender("owner", 1, true, Allow);
        let made_by_hand = Contender { is_named: false, ..contender("older", 9, true, Allow) };
        check(&owner, std::slice::from_ref(&made_by_hand), "mine");
        check(&made_by_hand, std::slice::from_ref(&owner), "ns/owner");
        // The Customer may be gone: then the claim is all there is.
        check(&made_by_hand, &[contender("unclaimed", 1, false, Deny)], "mine");
    }

    #[test]
    fn whoever_has_acted_keeps_the_tenant_against_a_claim_that_was_made_by_hand() {
        let owner = Contender { has_acted: true, is_named: false, ..contender("owner", 1, true, Allow) };
        let made_by_hand = contender("older", 9, true, Deny);
        check(&owner, std::slice::from_ref(&made_by_hand), "mine");
        check(&made_by_hand, std::slice::from_ref(&owner), "ns/owner");
    }

    #[test]
    fn of_the_same_age_the_smaller_uid_wins_on_both_sides() {
        let a = contender("a", 1, false, Allow);
        let b = contender("b", 1, false, Allow);
        check(&a, std::slice::from_ref(&b), "mine");
        check(&b, std::slice::from_ref(&a), "ns/a");
    }
}
