//! Who acts for a tenant when several Customers mean the same one: exactly one, or nobody.
//!
//! A Customer claims nothing: it holds no grant that would have to be taken back, so there is no finalizer and no claim, and
//! each question is decided among those that wish anything of it.

use jiff::Timestamp;

use crate::plan::ObjectName;
use crate::plan::permission::Ownership;

/// A Customer that wishes something for its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contender<Wish> {
    /// Its name.
    pub name: ObjectName,
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// What it wishes.
    pub wish: Wish,
}

/// Decides between `me` and `others`: where all wish the same, the oldest; else nobody.
pub fn ownership<Wish: PartialEq>(me: &Contender<Wish>, others: &[Contender<Wish>]) -> Ownership {
    let mut names: Vec<_> =
        others.iter().filter(|other| other.wish != me.wish).map(|other| other.name.clone()).collect();
    if !names.is_empty() {
        names.sort();
        return Ownership::Contested(names);
    }
    let seniority = |one: &&Contender<Wish>| (one.created, one.uid.clone());
    match others.iter().min_by_key(seniority) {
        Some(oldest) if seniority(&oldest) < seniority(&me) => Ownership::Of(oldest.name.clone()),
        Some(_) | None => Ownership::Mine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contender(name: &str, age: i64, wish: char) -> Contender<char> {
        Contender {
            name: ObjectName { namespace: "ns".into(), name: name.into() },
            uid: name.into(),
            created: Timestamp::from_second(1_000_000 - age).unwrap(),
            wish,
        }
    }

    #[track_caller]
    fn check(me: &Contender<char>, others: &[&Contender<char>], expected: &str) {
        let others: Vec<_> = others.iter().map(|other| (*other).clone()).collect();
        let found = match ownership(me, &others) {
            Ownership::Mine => "mine".to_owned(),
            Ownership::Of(name) => name.to_string(),
            Ownership::Contested(names) => format!("contested {}", names.len()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_oldest_of_those_who_agree_and_nobody_of_those_who_do_not() {
        let (old, young) = (contender("old", 9, 'a'), contender("young", 1, 'a'));
        let (other, twin) = (contender("other", 5, 'b'), contender("older", 9, 'a'));
        check(&young, &[], "mine");
        check(&young, &[&old], "ns/old");
        check(&old, &[&young], "mine");
        check(&old, &[&other], "contested 1");
        check(&other, &[&old, &young], "contested 2");
        check(&old, &[&young, &other], "contested 1");
        // Of the same age the smaller UID wins, on both sides.
        check(&old, &[&twin], "mine");
        check(&twin, &[&old], "ns/old");
    }
}
