//! Do the key users hold Owner? Who each of them is, whether and how it holds the role, and what to say about it.
//!
//! The same functions serve `AzureSubscription`, which shows the results and may assign what is missing, and
//! `CustomerPurchasePermission`, which acts on the verdict, so the two can never disagree.

use std::collections::{BTreeMap, BTreeSet};

use super::Need;
use super::conditions::Verdict;
use super::prerequisites::{SubscriptionWish, list};
use crate::api::{OwnerPath, OwnerResult, OwnerRole, OwnerState};
use crate::model::{
    Assignment, AssignmentScope, DirectoryUser, Fact, Holding, Ignorance, ObjectId, OwnerHolders, OwnerName,
    PrincipalKind, TenantId, UserPrincipalName,
};

/// What nobody can see from here, whichever way Owner is said to be missing.
const NOT_SEEN: &str = "not visible here, and not counted: roles that Privileged Identity Management makes somebody only \
                        eligible for, and delegations of Azure Lighthouse";
/// What else helps than the Azure portal, where `Verify` found somebody without Owner who could be assigned it.
const LET_ASSIGN: &str = "set ownerRole: Assign, which needs an operator started with --allow-owner-assignment";

/// What is known of the owners of one subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnerFacts {
    /// The users that are named by what they sign in with; one that is missing here has not been read.
    pub users: Users,
    /// Who holds Owner.
    pub holders: Fact<OwnerHolders>,
}

/// What the customer's directory says of users; `None`: there is no such user.
pub type Users = BTreeMap<UserPrincipalName, Fact<Option<DirectoryUser>>>;

impl OwnerFacts {
    /// Of which nothing is known.
    pub const NOT_READ: Self = Self { users: Users::new(), holders: Fact::NOT_READ };
}

/// What is known of one of `spec.owners`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding<'a> {
    pub(super) name: &'a OwnerName,
    /// Its object id, if it is known who that is.
    pub(super) id: Option<ObjectId>,
    /// As the directory shows it, if it was looked up there.
    pub(super) user: Option<&'a DirectoryUser>,
    pub(super) standing: Standing<'a>,
}

/// Whether one of `spec.owners` holds Owner.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Standing<'a> {
    Holds(&'a Assignment),
    Missing,
    /// It is something that never counts.
    NeverCounts(PrincipalKind),
    /// The directory knows no such user.
    NotFound,
    /// Nobody has asked.
    NotRead,
    /// Asking has failed.
    Failed(Failed<'a>),
}

/// Which reading has failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failed<'a> {
    User(&'a str),
    Holders(&'a str),
}

/// The object ids of those whom `wish` names, as far as it is known who they are.
pub fn ids(wish: &SubscriptionWish, users: &Users) -> BTreeSet<ObjectId> {
    let id = |name: &OwnerName| match name {
        OwnerName::Id(id) => Some(*id),
        OwnerName::User(name) => users.get(name)?.known()?.as_ref().map(|user| user.id),
    };
    wish.owners.iter().filter_map(id).collect()
}

/// The users whom `wish` names by what they sign in with.
pub fn named_users(wish: &SubscriptionWish) -> impl Iterator<Item = &UserPrincipalName> {
    wish.owners.iter().filter_map(|name| match name {
        OwnerName::User(name) => Some(name),
        OwnerName::Id(_) => None,
    })
}

/// Whether `holders` answers for everybody that `wish` asks about, and of whom it is known who that is.
pub(super) fn answers(holders: &OwnerHolders, wish: &SubscriptionWish, users: &Users) -> bool {
    ids(wish, users).into_iter().all(|id| holders.holding(id) != Holding::NotAsked)
}

/// What must be read to judge the owners: first who the users are, then who holds Owner.
pub(super) fn needs(
    tenant: TenantId,
    wish: &SubscriptionWish,
    facts: &OwnerFacts,
    is_user_due: impl Fn(&Fact<Option<DirectoryUser>>) -> bool,
    are_holders_due: bool,
) -> BTreeSet<Need> {
    let is_due = |name: &&UserPrincipalName| is_user_due(facts.users.get(*name).unwrap_or(&Fact::NOT_READ));
    let users: BTreeSet<_> = named_users(wish).filter(is_due).map(|name| Need::User(tenant, name.clone())).collect();
    if users.is_empty() && are_holders_due {
        return BTreeSet::from([Need::Owners(tenant, wish.subscription, ids(wish, &facts.users))]);
    }
    users
}

/// What is known of each of `spec.owners`, in the order of their names.
pub(super) fn find<'a>(wish: &'a SubscriptionWish, facts: &'a OwnerFacts) -> Vec<Finding<'a>> {
    wish.owners
        .iter()
        .map(|name| {
            let nobody = |standing| Finding { name, id: None, user: None, standing };
            let (id, user) = match name {
                OwnerName::Id(id) => (*id, None),
                OwnerName::User(user) => match facts.users.get(user) {
                    Some(Fact::Known { value: Some(user), .. }) => (user.id, Some(user)),
                    Some(Fact::Known { value: None, .. }) => return nobody(Standing::NotFound),
                    Some(Fact::Unknown { why: Ignorance::Failed { message, .. } }) => {
                        return nobody(Standing::Failed(Failed::User(message)));
                    }
                    Some(Fact::Unknown { why: Ignorance::NotRead }) | None => return nobody(Standing::NotRead),
                },
            };
            Finding { name, id: Some(id), user, standing: standing(id, &facts.holders) }
        })
        .collect()
}

fn standing(id: ObjectId, holders: &Fact<OwnerHolders>) -> Standing<'_> {
    let holders = match holders {
        Fact::Known { value, .. } => value,
        Fact::Unknown { why: Ignorance::NotRead } => return Standing::NotRead,
        Fact::Unknown { why: Ignorance::Failed { message, .. } } => return Standing::Failed(Failed::Holders(message)),
    };
    match holders.holding(id) {
        Holding::Held(assignment) => Standing::Holds(assignment),
        Holding::NotAsked => Standing::NotRead,
        Holding::NotHeld => holders.excluded.get(&id).map_or(Standing::Missing, |kind| Standing::NeverCounts(*kind)),
    }
}

impl Finding<'_> {
    /// What somebody should know although, or because, it does not decide.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.is_guest() {
            warnings.push("is a guest of the customer's tenant: guests have been reported to be unable to buy although they are Owner".to_owned());
        }
        if self.is_disabled() {
            warnings.push("its account is disabled: nobody can sign in with it".to_owned());
        }
        match &self.standing {
            Standing::Holds(assignment) if assignment.is_conditional => {
                warnings.push("its Owner role carries a condition: it may allow less than Owner does".to_owned());
            }
            Standing::NeverCounts(PrincipalKind::ForeignGroup) => {
                warnings
                    .push("is a group of another tenant, as the partner's AdminAgents are: it never counts".to_owned());
            }
            Standing::NeverCounts(_) => {
                warnings
                    .push("is neither a user nor a group, but an application or a device: it never counts".to_owned());
            }
            Standing::Holds(_) | Standing::Missing | Standing::NotFound | Standing::NotRead | Standing::Failed(_) => {}
        }
        warnings
    }

    /// Owner is given to nobody who could not use it: it would only be a way in for somebody else.
    pub(super) fn is_assignable(&self) -> bool {
        self.standing == Standing::Missing && !self.is_guest() && !self.is_disabled()
    }

    pub(super) fn is_guest(&self) -> bool {
        self.user.is_some_and(|user| user.is_guest)
    }

    pub(super) fn is_disabled(&self) -> bool {
        self.user.is_some_and(|user| user.is_enabled == Some(false))
    }

    fn result(&self) -> OwnerResult {
        let mut result = OwnerResult {
            name: self.name.to_string(),
            object_id: self.id.map(|id| id.to_string()),
            result: match self.standing {
                Standing::Holds(_) => OwnerState::Holds,
                Standing::Missing | Standing::NeverCounts(_) => OwnerState::Missing,
                Standing::NotFound => OwnerState::NotFound,
                Standing::NotRead | Standing::Failed(_) => OwnerState::Unknown,
            },
            through: None,
            group_id: None,
            scope: None,
            warnings: self.warnings(),
        };
        if let Standing::Holds(assignment) = &self.standing {
            let is_own = Some(assignment.principal) == self.id;
            result.group_id = (!is_own).then(|| assignment.principal.to_string());
            result.scope = match &assignment.scope {
                AssignmentScope::Subscription => None,
                AssignmentScope::Above(scope) => Some(scope.clone()),
            };
            result.through = Some(match (is_own, &result.scope) {
                (false, _) => OwnerPath::ThroughGroup,
                (true, Some(_)) => OwnerPath::Inherited,
                (true, None) => OwnerPath::Direct,
            });
        }
        result
    }
}

/// Judges whether the key users hold Owner.
///
/// `is_verified` says that the subscription itself is in order; nobody is asked about the owners of one that is not.
pub fn owners(wish: &SubscriptionWish, is_verified: bool, facts: &OwnerFacts) -> (Verdict, Vec<OwnerResult>) {
    match wish.owner_role {
        OwnerRole::Skip => {
            return (
                Verdict::yes("Skipped", "not looked at (ownerRole Skip): the partner vouches for the Owner role"),
                Vec::new(),
            );
        }
        OwnerRole::Unknown => {
            return (
                Verdict::unknown(
                    "UnknownValue",
                    "spec.ownerRole has a value that this version of the operator does not know; upgrade the operator",
                ),
                Vec::new(),
            );
        }
        OwnerRole::Verify | OwnerRole::Assign => {}
    }
    if !is_verified {
        return (
            Verdict::unknown("SubscriptionNotVerified", "looked at once AzureSubscriptionVerified is True"),
            Vec::new(),
        );
    }
    if wish.owners.is_empty() {
        let verdict = match &facts.holders {
            Fact::Known { value, .. } => judge_anybody(wish, value),
            Fact::Unknown { why } => {
                let Verdict { message, .. } = Verdict::ignorance(why, "who holds Owner");
                Verdict::unknown("OwnerUnknown", message)
            }
        };
        return (verdict, Vec::new());
    }
    let findings = find(wish, facts);
    (judge(wish, &findings), findings.iter().map(Finding::result).collect())
}

/// Nobody is named: anybody of the customer's will do.
fn judge_anybody(wish: &SubscriptionWish, holders: &OwnerHolders) -> Verdict {
    let subscription = wish.subscription;
    let count = holders.assigned.len();
    if count == 0 {
        let or_assign = match wish.owner_role {
            OwnerRole::Verify => format!(", or name in spec.owners who is to hold it and {LET_ASSIGN}"),
            OwnerRole::Assign | OwnerRole::Skip | OwnerRole::Unknown => String::new(),
        };
        return Verdict::no(
            "OwnerMissing",
            format!(
                "no user or group of the customer holds Owner on Azure subscription {subscription}; assign it in the Azure portal{or_assign} (the partner's own AdminAgents do not count; {NOT_SEEN})"
            ),
        );
    }
    let mut message = if count == 1 {
        format!("a user or group of the customer holds Owner on Azure subscription {subscription}")
    } else {
        format!("{count} of the customer's users and groups hold Owner on Azure subscription {subscription}")
    };
    if holders.assigned.values().all(|assignment| assignment.kind == PrincipalKind::Group) {
        message.push_str(
            "; these are only groups, and nobody has looked whether they have members: name the key users in spec.owners to be sure",
        );
    }
    if holders.assigned.values().all(|assignment| assignment.is_conditional) {
        message.push_str("; every such assignment carries a condition: it may allow less than Owner does");
    }
    Verdict::yes("OwnerHeld", message)
}

/// The first of these that there is decides: somebody who is not there, who lacks Owner, of whom it is not known.
fn judge(wish: &SubscriptionWish, findings: &[Finding<'_>]) -> Verdict {
    let subscription = wish.subscription;
    let named = |is_so: fn(&Standing<'_>) -> bool| -> Vec<&OwnerName> {
        findings.iter().filter(|finding| is_so(&finding.standing)).map(|finding| finding.name).collect()
    };
    let not_found = named(|standing| matches!(standing, Standing::NotFound));
    if !not_found.is_empty() {
        return Verdict::no(
            "OwnerNotFound",
            format!(
                "the customer's tenant has no user called {}; correct spec.owners, or name the user by objectId",
                list(not_found)
            ),
        );
    }
    let missing = named(|standing| matches!(standing, Standing::Missing | Standing::NeverCounts(_)));
    if !missing.is_empty() {
        return Verdict::no(
            "OwnerMissing",
            format!(
                "without Owner on Azure subscription {subscription}: {}; assign it in the Azure portal, or correct spec.owners{}{} ({NOT_SEEN})",
                list(&missing),
                or_assign(wish.owner_role, missing.len(), findings),
                remarks(findings)
            ),
        );
    }
    let failed = findings.iter().find_map(|finding| match &finding.standing {
        Standing::Failed(failed) => Some((finding.name, failed)),
        _ => None,
    });
    match failed {
        Some((name, Failed::User(why))) => {
            return Verdict::unknown(
                "OwnerUnknown",
                format!(
                    "it is not known who {name} is: {why} Or name the user by objectId, which needs no look-up in Microsoft Graph"
                ),
            );
        }
        Some((_, Failed::Holders(why))) => return Verdict::unknown("OwnerUnknown", *why),
        None => {}
    }
    if findings.iter().all(|finding| matches!(finding.standing, Standing::Holds(_))) {
        return Verdict::yes(
            "OwnerHeld",
            format!("all of spec.owners hold Owner on Azure subscription {subscription}{}", remarks(findings)),
        );
    }
    Verdict::unknown("OwnerUnknown", "who holds Owner has not been read yet")
}

/// That the operator could do it, to be put behind what else helps: said only where it is not told to already, and to whom
/// it would assign Owner if not to all of the `missing`.
fn or_assign(role: OwnerRole, missing: usize, findings: &[Finding<'_>]) -> String {
    let assignable: Vec<_> =
        findings.iter().filter(|finding| finding.is_assignable()).map(|finding| finding.name).collect();
    match (role, assignable.len()) {
        (OwnerRole::Assign | OwnerRole::Skip | OwnerRole::Unknown, _) | (OwnerRole::Verify, 0) => String::new(),
        (OwnerRole::Verify, count) if count == missing => format!(", or {LET_ASSIGN}"),
        (OwnerRole::Verify, _) => format!(", or, for {}, {LET_ASSIGN}", list(assignable)),
    }
}

/// The warnings of all, each with the name it is about, to be put behind a sentence.
pub(super) fn remarks(findings: &[Finding<'_>]) -> String {
    let remarks: Vec<_> = findings
        .iter()
        .flat_map(|finding| finding.warnings().into_iter().map(move |warning| format!("{} {warning}", finding.name)))
        .collect();
    if remarks.is_empty() { String::new() } else { format!("; {}", list(remarks)) }
}

#[cfg(test)]
mod tests;
