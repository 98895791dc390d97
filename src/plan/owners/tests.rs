use jiff::Timestamp;

use super::*;
use crate::model::SubscriptionId;
use crate::plan::conditions::Truth;

const AZURE: &str = "a0000000-0000-4000-8000-000000000001";
const ADA: &str = "d0000000-0000-4000-8000-000000000001";
const BOB: &str = "d0000000-0000-4000-8000-000000000002";
const GROUP: &str = "e0000000-0000-4000-8000-000000000001";
const ADA_NAME: &str = "ada@fabrikam.com";

fn id(text: &str) -> ObjectId {
    text.parse().unwrap()
}

fn known<T>(value: T) -> Fact<T> {
    Fact::Known { value, at: Timestamp::UNIX_EPOCH }
}

fn failed<T>(message: &str) -> Fact<T> {
    Fact::Unknown { why: Ignorance::Failed { reason: "Why", message: message.into(), last_read: None } }
}

fn assignment(principal: &str, kind: PrincipalKind) -> Assignment {
    Assignment { principal: id(principal), kind, scope: AssignmentScope::Subscription, is_conditional: false }
}

/// Who is named, and what is known of them.
struct Case {
    owners: Vec<&'static str>,
    users: Vec<(&'static str, Fact<Option<DirectoryUser>>)>,
    holders: Fact<OwnerHolders>,
    role: OwnerRole,
}

impl Case {
    /// These are named, and all that is asked is answered; nobody holds anything.
    fn of(owners: &[&'static str]) -> Self {
        let asked = [ADA, BOB, GROUP].map(id).into();
        let holders = known(OwnerHolders { asked, ..OwnerHolders::default() });
        Self { owners: owners.to_vec(), users: Vec::new(), holders, role: OwnerRole::Verify }
    }

    fn holding(mut self, assignment: Assignment) -> Self {
        if let Fact::Known { value, .. } = &mut self.holders {
            value.add(assignment);
        }
        self
    }

    fn through_group(mut self, member: &str, assignment: Assignment) -> Self {
        if let Fact::Known { value, .. } = &mut self.holders {
            value.add_through(id(member), assignment);
        }
        self
    }

    fn user(mut self, name: &'static str, user: Fact<Option<DirectoryUser>>) -> Self {
        self.users.push((name, user));
        self
    }

    fn wish(&self) -> SubscriptionWish {
        let name = |text: &&str| match text.parse() {
            Ok(id) => OwnerName::Id(id),
            Err(_) => OwnerName::User(text.parse().unwrap()),
        };
        SubscriptionWish {
            customer: "fabrikam".into(),
            subscription: AZURE.parse().unwrap(),
            owner_role: self.role,
            owners: self.owners.iter().map(name).collect(),
        }
    }

    fn judged(&self) -> (Verdict, Vec<OwnerResult>) {
        let users = self.users.iter().map(|(name, user)| (name.parse().unwrap(), user.clone())).collect();
        owners(&self.wish(), true, &OwnerFacts { users, holders: self.holders.clone() })
    }

    /// Truth and reason, and per owner its result with how it holds.
    fn check(&self, verdict: &str, results: &str) -> String {
        let (found, owners) = self.judged();
        assert_eq!(format!("{}/{}", found.truth.as_str(), found.reason), verdict, "{}", found.message);
        let words = owners.iter().map(|owner| match owner.through {
            Some(through) => format!("{:?} {through:?}", owner.result),
            None => format!("{:?}", owner.result),
        });
        assert_eq!(words.collect::<Vec<_>>().join(", "), results, "{}", found.message);
        found.message
    }
}

fn user(is_guest: bool, is_enabled: Option<bool>) -> Fact<Option<DirectoryUser>> {
    known(Some(DirectoryUser { id: id(ADA), is_guest, is_enabled }))
}

#[test]
fn every_key_user_must_hold_owner() {
    let held = |principal| assignment(principal, PrincipalKind::User);
    Case::of(&[ADA]).holding(held(ADA)).check("True/OwnerHeld", "Holds Direct");
    Case::of(&[ADA]).holding(held(BOB)).check("False/OwnerMissing", "Missing");
    Case::of(&[ADA, BOB]).holding(held(BOB)).check("False/OwnerMissing", "Missing, Holds Direct");
    // That somebody is not seen whom nobody has asked about means nothing.
    let mut unasked = Case::of(&[ADA, BOB]).holding(held(ADA));
    unasked.holders = known(OwnerHolders { asked: BTreeSet::new(), ..unasked.holders.known().unwrap().clone() });
    unasked.check("Unknown/OwnerUnknown", "Holds Direct, Unknown");
}

#[test]
fn a_role_may_come_from_a_group_or_from_above_and_the_status_says_which() {
    let group = || assignment(GROUP, PrincipalKind::Group);
    Case::of(&[ADA]).holding(group()).through_group(ADA, group()).check("True/OwnerHeld", "Holds ThroughGroup");
    Case::of(&[GROUP]).holding(group()).check("True/OwnerHeld", "Holds Direct");
    let root = "/providers/Microsoft.Management/managementGroups/root";
    let above =
        |principal, kind| Assignment { scope: AssignmentScope::Above(root.into()), ..assignment(principal, kind) };
    let inherited = Case::of(&[ADA]).holding(above(ADA, PrincipalKind::User));
    inherited.check("True/OwnerHeld", "Holds Inherited");
    assert_eq!(inherited.judged().1[0].scope.as_deref(), Some(root));
    let both = Case::of(&[ADA]).through_group(ADA, above(GROUP, PrincipalKind::Group));
    both.check("True/OwnerHeld", "Holds ThroughGroup");
    let result = &both.judged().1[0];
    assert_eq!((result.group_id.as_deref(), result.scope.as_deref()), (Some(GROUP), Some(root)));
}

#[test]
fn the_partners_groups_and_applications_never_count_even_if_named() {
    for (kind, word) in [(PrincipalKind::ForeignGroup, "another tenant"), (PrincipalKind::Other, "an application")] {
        let named = Case::of(&[GROUP]).holding(assignment(GROUP, kind));
        let message = named.check("False/OwnerMissing", "Missing");
        assert!(message.contains(word) && message.contains("it never counts"), "{message}");
        Case::of(&[ADA]).through_group(ADA, assignment(GROUP, kind)).check("False/OwnerMissing", "Missing");
        Case::of(&[]).holding(assignment(GROUP, kind)).check("False/OwnerMissing", "");
    }
}

#[test]
fn without_names_anybody_of_the_customers_will_do_and_a_group_is_told_to_be_one() {
    let user = Case::of(&[]).holding(assignment(BOB, PrincipalKind::User));
    let message = user.check("True/OwnerHeld", "");
    assert!(!message.contains("members") && !message.contains("condition"), "{message}");
    let group = Case::of(&[]).holding(assignment(GROUP, PrincipalKind::Group));
    assert!(group.check("True/OwnerHeld", "").contains("only groups, and nobody has looked whether they have members"));
    let conditional = Assignment { is_conditional: true, ..assignment(BOB, PrincipalKind::User) };
    assert!(Case::of(&[]).holding(conditional).check("True/OwnerHeld", "").contains("carries a condition"));
    Case::of(&[]).check("False/OwnerMissing", "");
}

#[test]
fn a_conditional_role_counts_and_warns() {
    let conditional = Assignment { is_conditional: true, ..assignment(ADA, PrincipalKind::User) };
    let case = Case::of(&[ADA]).holding(conditional);
    let message = case.check("True/OwnerHeld", "Holds Direct");
    assert!(message.contains(&format!("{ADA} its Owner role carries a condition")), "{message}");
    assert_eq!(case.judged().1[0].warnings.len(), 1);
}

#[test]
fn a_user_name_is_resolved_and_who_is_not_there_is_told_from_who_cannot_be_looked_up() {
    let held = |case: Case| case.holding(assignment(ADA, PrincipalKind::User));
    held(Case::of(&[ADA_NAME])).user(ADA_NAME, user(false, Some(true))).check("True/OwnerHeld", "Holds Direct");
    held(Case::of(&["ADA@Fabrikam.com"])).user(ADA_NAME, user(false, None)).check("True/OwnerHeld", "Holds Direct");
    Case::of(&[ADA_NAME]).user(ADA_NAME, user(false, None)).check("False/OwnerMissing", "Missing");
    let message = held(Case::of(&[ADA_NAME])).user(ADA_NAME, known(None)).check("False/OwnerNotFound", "NotFound");
    assert!(message.contains(&format!("no user called {ADA_NAME}; correct spec.owners")), "{message}");
    let message =
        held(Case::of(&[ADA_NAME])).user(ADA_NAME, failed("No consent.")).check("Unknown/OwnerUnknown", "Unknown");
    assert_eq!(
        message,
        format!(
            "it is not known who {ADA_NAME} is: No consent. Or name the user by objectId, which needs no look-up in Microsoft Graph"
        )
    );
    held(Case::of(&[ADA_NAME])).check("Unknown/OwnerUnknown", "Unknown");
    // One who certainly lacks Owner decides, whatever is not known of the other.
    held(Case::of(&[ADA_NAME, BOB])).user(ADA_NAME, failed("x")).check("False/OwnerMissing", "Missing, Unknown");
    // Both names of one user are one user.
    held(Case::of(&[ADA, ADA_NAME]))
        .user(ADA_NAME, user(false, None))
        .check("True/OwnerHeld", "Holds Direct, Holds Direct");
}

#[test]
fn guests_and_disabled_accounts_count_and_warn() {
    let held = || Case::of(&[ADA_NAME]).holding(assignment(ADA, PrincipalKind::User));
    let guest = held().user(ADA_NAME, user(true, Some(true))).check("True/OwnerHeld", "Holds Direct");
    assert!(guest.contains(&format!("{ADA_NAME} is a guest")), "{guest}");
    let disabled = held().user(ADA_NAME, user(false, Some(false))).check("True/OwnerHeld", "Holds Direct");
    assert!(disabled.contains("account is disabled"), "{disabled}");
    let sound = held().user(ADA_NAME, user(false, Some(true))).check("True/OwnerHeld", "Holds Direct");
    assert!(!sound.contains("guest") && !sound.contains("disabled"), "{sound}");
}

#[test]
fn whoever_misses_owner_learns_what_cannot_be_seen() {
    for case in [Case::of(&[]), Case::of(&[ADA])] {
        let message = case.judged().0.message;
        assert!(
            message.contains("Privileged Identity Management") && message.contains("Azure Lighthouse"),
            "{message}"
        );
    }
}

#[test]
fn that_the_operator_could_assign_owner_is_told_where_that_would_help() {
    let flag = "set ownerRole: Assign, which needs an operator started with --allow-owner-assignment";
    let check = |case: Case, hint: &str| {
        let message = case.judged().0.message;
        assert_eq!(message.contains(flag), !hint.is_empty(), "{message}");
        assert!(message.contains(hint), "{message}");
    };
    let guest = || user(true, None);
    check(Case::of(&[]), "portal, or name in spec.owners who is to hold it and set");
    check(Case::of(&[ADA, BOB]), "correct spec.owners, or set");
    check(Case::of(&[ADA_NAME, BOB]).user(ADA_NAME, guest()), &format!("correct spec.owners, or, for {BOB}, set"));
    check(Case::of(&[ADA_NAME]).user(ADA_NAME, guest()), "");
    check(Case::of(&[ADA_NAME]).user(ADA_NAME, user(false, Some(false))), "");
    check(Case::of(&[GROUP]).holding(assignment(GROUP, PrincipalKind::ForeignGroup)), "");
    for owners in [&[][..], &[ADA]] {
        check(Case { role: OwnerRole::Assign, ..Case::of(owners) }, "");
    }
}

#[test]
fn an_unreadable_list_is_unknown_and_says_why() {
    for named in [&[][..], &[ADA]] {
        let mut case = Case::of(named);
        case.holders = failed("Azure is away.");
        let (verdict, _) = case.judged();
        assert_eq!((verdict.truth, verdict.message.as_str()), (Truth::Unknown, "Azure is away."));
    }
}

#[test]
fn skipping_holds_without_looking() {
    let mut case = Case::of(&[ADA]);
    case.role = OwnerRole::Skip;
    assert_eq!(
        case.check("True/Skipped", ""),
        "not looked at (ownerRole Skip): the partner vouches for the Owner role"
    );
}

#[test]
fn assigning_does_not_change_what_counts() {
    for owners in [&[][..], &[ADA], &[ADA, BOB]] {
        let verify = Case::of(owners).holding(assignment(ADA, PrincipalKind::User));
        let assign = Case { role: OwnerRole::Assign, ..Case::of(owners) }.holding(assignment(ADA, PrincipalKind::User));
        let counted = |case: &Case| {
            let (verdict, results) = case.judged();
            (verdict.truth, verdict.reason, results)
        };
        assert_eq!(counted(&verify), counted(&assign));
    }
}

#[test]
fn users_are_looked_up_before_anybody_asks_what_they_hold() {
    let tenant: TenantId = "c1a0c1a0-1111-4a11-8a11-000000000001".parse().unwrap();
    let asked = |case: &Case| {
        let users: Users = case.users.iter().map(|(name, user)| (name.parse().unwrap(), user.clone())).collect();
        let facts = OwnerFacts { users, holders: Fact::NOT_READ };
        needs(tenant, &case.wish(), &facts, Fact::is_unread, true).into_iter().collect::<Vec<_>>()
    };
    let azure: SubscriptionId = AZURE.parse().unwrap();
    let case = Case::of(&[ADA_NAME, BOB]);
    assert_eq!(asked(&case), [Need::User(tenant, ADA_NAME.parse().unwrap())]);
    let known = case.user(ADA_NAME, user(false, None));
    assert_eq!(asked(&known), [Need::Owners(tenant, azure, [ADA, BOB].map(id).into())]);
    // One who cannot be looked up holds up nobody else.
    let unknown = Case::of(&[ADA_NAME, BOB]).user(ADA_NAME, failed("x"));
    assert_eq!(asked(&unknown), [Need::Owners(tenant, azure, [id(BOB)].into())]);
}
