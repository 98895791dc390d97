//! Who holds the role Owner on an Azure subscription, and how key users are named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{ObjectId, SubscriptionId};

/// How a manifest names a key user or group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerName {
    /// A user or group, by the object id that it has in the customer's tenant.
    Id(ObjectId),
    /// A user, by the name it signs in with.
    User(UserPrincipalName),
}

impl fmt::Display for OwnerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::User(name) => name.fmt(f),
        }
    }
}

/// The name that a user signs in with, such as `ada@fabrikam.com`, in lower case: Microsoft Entra makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserPrincipalName(String);

/// Text that should have been a user principal name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a user principal name: expected one like ada@fabrikam.com")]
pub struct UserPrincipalNameError {
    text: String,
}

impl UserPrincipalName {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserPrincipalName {
    type Err = UserPrincipalNameError;

    /// Accepts the letters that Microsoft Entra lists for user principal names, among them the `#` of guests
    /// (`ada_contoso.com#EXT#@fabrikam.onmicrosoft.com`).
    fn from_str(text: &str) -> Result<Self, UserPrincipalNameError> {
        let is_local = |letter: char| letter.is_ascii_alphanumeric() || "'._!#^~-".contains(letter);
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        };
        let is_valid = text.len() <= 256
            && text.split_once('@').is_some_and(|(local, domain)| {
                !local.is_empty()
                    && local.chars().all(is_local)
                    && domain.contains('.')
                    && domain.split('.').all(is_label)
            });
        if is_valid {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(UserPrincipalNameError { text: text.chars().take(64).collect() })
        }
    }
}

impl fmt::Display for UserPrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user of a customer's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// Its object id in that tenant.
    pub id: ObjectId,
    /// Whether it was invited from another tenant.
    pub is_guest: bool,
    /// Whether it may sign in; `None` when the directory does not say.
    pub is_enabled: Option<bool>,
}

/// Whom a role can be assigned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalKind {
    /// A user of the customer's tenant, guests included.
    User,
    /// A group of the customer's tenant.
    Group,
    /// A group of another tenant: the partner's `AdminAgents` or `HelpdeskAgents`.
    ForeignGroup,
    /// An application, a device, or something newer than this program.
    Other,
}

impl PrincipalKind {
    /// Whether it can be a key user of the customer.
    pub fn counts(self) -> bool {
        matches!(self, Self::User | Self::Group)
    }
}

/// Where a role is assigned, as far as it holds for the whole subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssignmentScope {
    /// On the subscription itself.
    Subscription,
    /// Above it, on this management group or on the root (`/`); the subscription inherits it.
    Above(String),
}

/// One assignment of Owner that holds for the whole subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// To whom.
    pub principal: ObjectId,
    /// What that is.
    pub kind: PrincipalKind,
    /// Where.
    pub scope: AssignmentScope,
    /// Whether it carries a condition.
    pub is_conditional: bool,
}

impl Assignment {
    /// Whether this one says more for its principal than `other`: without condition, then closer to the subscription.
    fn is_better_than(&self, other: &Self) -> bool {
        (self.is_conditional, &self.scope) < (other.is_conditional, &other.scope)
    }
}

/// Who holds the role Owner on one Azure subscription, at its scope or above, as far as was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerHolders {
    /// The customer's users and groups to whom Owner is assigned, each with its best assignment.
    pub assigned: BTreeMap<ObjectId, Assignment>,
    /// Those of `asked` who hold it through a group, each with the best assignment of one of its groups.
    pub through_groups: BTreeMap<ObjectId, Assignment>,
    /// Whoever else has it assigned and never counts: groups of the partner, applications, devices.
    pub excluded: BTreeMap<ObjectId, PrincipalKind>,
    /// The principals whose group memberships were looked up, or needed no look-up because they are in `assigned`.
    pub asked: BTreeSet<ObjectId>,
}

/// Whether one principal holds Owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding<'a> {
    /// It does, by this assignment: its own, or that of a group it is in.
    Held(&'a Assignment),
    /// It does not, or not in a way that counts.
    NotHeld,
    /// Nobody has asked.
    NotAsked,
}

impl OwnerHolders {
    /// Adds an assignment that was found.
    pub fn add(&mut self, assignment: Assignment) {
        let principal = assignment.principal;
        if assignment.kind.counts() {
            keep_better(&mut self.assigned, principal, assignment);
        } else {
            self.excluded.insert(principal, assignment.kind);
        }
    }

    /// Adds an assignment of a group that `member` is in.
    pub fn add_through(&mut self, member: ObjectId, assignment: Assignment) {
        if assignment.kind.counts() {
            keep_better(&mut self.through_groups, member, assignment);
        }
    }

    /// Whether `principal` holds Owner.
    pub fn holding(&self, principal: ObjectId) -> Holding<'_> {
        let found = self.assigned.get(&principal).or_else(|| self.through_groups.get(&principal));
        match found {
            Some(assignment) => Holding::Held(assignment),
            None if self.asked.contains(&principal) || self.excluded.contains_key(&principal) => Holding::NotHeld,
            None => Holding::NotAsked,
        }
    }
}

fn keep_better(all: &mut BTreeMap<ObjectId, Assignment>, of: ObjectId, assignment: Assignment) {
    if all.get(&of).is_none_or(|known| assignment.is_better_than(known)) {
        all.insert(of, assignment);
    }
}

/// Somebody to assign Owner to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignee {
    /// Whom.
    pub principal: ObjectId,
    /// What it is.
    pub kind: AssigneeKind,
    /// Name of the assignment.
    pub assignment: Uuid,
}

/// What is known of somebody to assign a role to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AssigneeKind {
    /// A user.
    User,
    /// A user or a group: only its object id is known.
    UserOrGroup,
}

impl Assignee {
    /// `principal`, to be given Owner on `subscription`.
    pub fn new(subscription: SubscriptionId, principal: ObjectId, kind: AssigneeKind) -> Self {
        Self { principal, kind, assignment: assignment_name(subscription, principal) }
    }
}

/// Name of the assignment of Owner on `subscription` to `principal` that this program makes: always the same one, so that
/// a repetition, after a crash or by another object, finds it and makes no second.
fn assignment_name(subscription: SubscriptionId, principal: ObjectId) -> Uuid {
    let digest = Sha256::new()
        .chain_update("csp-operator.dev/owner")
        // Both have a fixed length, so no separator is needed.
        .chain_update(subscription.as_bytes())
        .chain_update(principal.as_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "d0000000-0000-4000-8000-000000000001";

    fn id(text: &str) -> ObjectId {
        text.parse().unwrap()
    }

    fn assignment(kind: PrincipalKind, scope: AssignmentScope, is_conditional: bool) -> Assignment {
        Assignment { principal: id(ADA), kind, scope, is_conditional }
    }

    #[test]
    fn user_principal_names_are_read_in_any_case_and_nothing_else_is() {
        let read = |text: &str| text.parse::<UserPrincipalName>();
        assert_eq!(read("Ada@Fabrikam.com").unwrap().as_str(), "ada@fabrikam.com");
        for text in ["o'hara@fabrikam.co.uk", "ada_contoso.com#EXT#@fabrikam.onmicrosoft.com"] {
            assert!(read(text).is_ok(), "{text}");
        }
        let long = format!("{}@fabrikam.com", "a".repeat(256));
        for text in
            ["", "ada", "@fabrikam.com", "ada@", "ada@fabrikam", "a b@c.d", "a@b@c.d", "a/b@c.d", "a@b..c", &long]
        {
            assert!(read(text).unwrap_err().to_string().contains("expected one like ada@fabrikam.com"), "{text}");
        }
    }

    #[test]
    fn of_two_assignments_the_one_counts_that_says_more() {
        use AssignmentScope::{Above, Subscription};
        let best = |all: &[(AssignmentScope, bool)]| {
            let mut holders = OwnerHolders::default();
            for (scope, is_conditional) in all {
                holders.add(assignment(PrincipalKind::User, scope.clone(), *is_conditional));
            }
            let found = holders.assigned.remove(&id(ADA)).unwrap();
            (found.scope, found.is_conditional)
        };
        let root = || Above("/".to_owned());
        assert_eq!(best(&[(Subscription, true), (root(), false)]), (root(), false));
        assert_eq!(best(&[(root(), false), (Subscription, false)]), (Subscription, false));
        assert_eq!(best(&[(Subscription, false), (root(), true)]), (Subscription, false));
    }

    #[test]
    fn who_never_counts_does_not_hold_however_it_is_reached() {
        for kind in [PrincipalKind::ForeignGroup, PrincipalKind::Other] {
            let mut holders = OwnerHolders::default();
            holders.add(assignment(kind, AssignmentScope::Subscription, false));
            assert_eq!(holders.holding(id(ADA)), Holding::NotHeld, "named by its own id");
            let mut holders = OwnerHolders::default();
            holders.add_through(id(ADA), assignment(kind, AssignmentScope::Subscription, false));
            assert_eq!(holders.holding(id(ADA)), Holding::NotAsked, "reached through a membership");
        }
    }

    #[test]
    fn an_assignment_has_one_name_for_ever() {
        let subscription: SubscriptionId = "a0000000-0000-4000-8000-000000000001".parse().unwrap();
        let name = assignment_name(subscription, id(ADA));
        assert_eq!(name, assignment_name(subscription, id(&ADA.to_uppercase())));
        assert_eq!(name.get_version_num(), 8);
        assert_ne!(name, assignment_name(subscription, id("d0000000-0000-4000-8000-000000000002")));
        assert_ne!(name, assignment_name("a0000000-0000-4000-8000-000000000002".parse().unwrap(), id(ADA)));
        // Changing it would make second assignments beside those of older versions.
        assert_eq!(name.to_string(), "85cd2036-4763-86e9-82d9-ffb87cc0aee2");
    }
}
