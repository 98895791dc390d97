//! `ownerRole: Assign`: to whom, when, and never twice.

use super::*;
use crate::api::OwnerAssignmentState;
use crate::model::{AssigneeKind, DirectoryUser};
use crate::plan::permission::Failure;

const GROUP: &str = "e0000000-0000-4000-8000-000000000001";
const ADA_NAME: &str = "ada@fabrikam.com";

/// Ada is to own, does not, and may be made an owner; everything has just been read.
fn lacking() -> Case {
    sound().with(|case| {
        case.wish().owner_role = OwnerRole::Assign;
        case.wish().owners = [id(ADA)].into();
        case.facts.may_assign = true;
        case.shown(&[]);
    })
}

impl Case {
    /// Azure shows these as the owners, now.
    fn shown(&mut self, owners: &[&str]) {
        let mut holders = held_by(owners);
        holders.asked = [ADA, BOB, GROUP].map(|id| id.parse().unwrap()).into();
        self.facts.owners.holders = Fact::Known { value: holders, at: self.now };
    }

    /// Ada is named by what she signs in with, and looked up.
    fn named_user(&mut self, is_guest: bool, is_enabled: Option<bool>) {
        let user = DirectoryUser { id: ADA.parse().unwrap(), is_guest, is_enabled };
        self.wish().owners = [OwnerName::User(ADA_NAME.parse().unwrap())].into();
        let user = Fact::Known { value: Some(user), at: self.now };
        self.facts.owners.users = [(ADA_NAME.parse().unwrap(), user)].into();
    }

    /// Azure has accepted what the plan does; the next round of the same pass.
    fn assigned(mut self) -> Self {
        let plan = self.plan();
        for Action::AssignOwner { assignees, .. } in plan.actions {
            self.facts.assigned.extend(assignees.iter().map(|assignee| assignee.principal));
        }
        self.before = plan.status;
        self.facts.attempt = Attempt::Accepted;
        self
    }

    /// The pass has written its status; another one, so many minutes later, reads what Azure shows then.
    fn next_pass(self, minutes: i64, shown: &[&str]) -> Self {
        let mut case = self.later(minutes);
        case.facts.assigned.clear();
        case.facts.attempt = Attempt::None;
        case.facts.profile = Fact::Known { value: profile(Relationship::Reseller), at: case.now };
        case.facts.estate = Fact::Known { value: estate("active"), at: case.now };
        case.shown(shown);
        case
    }

    /// Object ids to which the plan assigns Owner, and the reason it shows.
    fn does(&self) -> (Vec<String>, String) {
        let plan = self.plan();
        let assignees = plan.actions.into_iter().flat_map(|Action::AssignOwner { assignees, .. }| assignees);
        let reason = plan.status.conditions.iter().find(|condition| condition.type_ == "OwnerRoleVerified");
        let reason = reason.map(|condition| condition.reason.clone()).unwrap_or_default();
        (assignees.map(|assignee| assignee.principal.to_string()).collect(), reason)
    }

    fn message(&self) -> String {
        let conditions = self.plan().status.conditions;
        conditions.into_iter().find(|condition| condition.type_ == "OwnerRoleVerified").unwrap().message
    }
}

/// What is done about Ada's missing Owner role, and what is shown, when one thing is different.
fn check_assigns(change: impl FnOnce(&mut Case), assignees: &[&str], reason: &str) {
    let (found, shown) = lacking().with(change).does();
    assert_eq!((found.iter().map(String::as_str).collect::<Vec<_>>(), shown.as_str()), (assignees.to_vec(), reason));
}

#[test]
fn owner_is_assigned_only_where_it_is_asked_for_allowed_and_lacking() {
    check_assigns(|_| {}, &[ADA], "AssigningOwner");
    check_assigns(|case| case.shown(&[ADA]), &[], "OwnerHeld");
    check_assigns(|case| case.facts.may_assign = false, &[], "OwnerAssignmentNotAllowed");
    check_assigns(|case| case.facts.is_deleting = true, &[], "OwnerMissing");
    for role in [OwnerRole::Verify, OwnerRole::Skip, OwnerRole::Unknown] {
        let (assignees, _) = lacking().with(|case| case.wish().owner_role = role).does();
        assert!(assignees.is_empty(), "{role:?}");
    }
    check_assigns(|case| case.wish().owners = BTreeSet::new(), &[], "OwnerMissing");
    check_assigns(|case| case.wish().owners = [id(ADA), id(BOB)].into(), &[ADA, BOB], "AssigningOwner");
    let one_of_two = |case: &mut Case| {
        case.wish().owners = [id(ADA), id(BOB)].into();
        case.shown(&[ADA]);
    };
    check_assigns(one_of_two, &[BOB], "AssigningOwner");
}

#[test]
fn owner_is_assigned_only_on_a_verified_subscription_of_the_partners_customer() {
    let missing = lacking().with(|case| case.facts.customer = CustomerRef::Missing);
    assert_eq!(missing.does().0, Vec::<String>::new());
    let unknown = |case: &mut Case| case.facts.profile = Fact::Known { value: None, at: case.now };
    check_assigns(unknown, &[], "OwnerMissing");
    let not_reseller = |case: &mut Case| {
        case.facts.profile = Fact::Known { value: profile(Relationship::Other("none".into())), at: case.now };
    };
    check_assigns(not_reseller, &[], "OwnerMissing");
    let suspended = |case: &mut Case| case.facts.estate = Fact::Known { value: estate("suspended"), at: case.now };
    check_assigns(suspended, &[], "SubscriptionNotVerified");
    check_assigns(|case| case.facts.estate = failed(None), &[], "SubscriptionNotVerified");
    check_assigns(|case| case.facts.profile = failed(None), &[], "OwnerMissing");
    check_assigns(|case| case.facts.owners.holders = failed(None), &[], "OwnerUnknown");
}

#[test]
fn owner_is_assigned_to_no_guest_no_disabled_account_nobody_unknown_and_nothing_foreign() {
    check_assigns(|case| case.named_user(false, Some(true)), &[ADA], "AssigningOwner");
    check_assigns(|case| case.named_user(false, None), &[ADA], "AssigningOwner");
    check_assigns(|case| case.named_user(true, Some(true)), &[], "OwnerMissing");
    check_assigns(|case| case.named_user(false, Some(false)), &[], "OwnerMissing");
    let unresolved = |fact: Fact<Option<DirectoryUser>>| {
        move |case: &mut Case| {
            case.named_user(false, None);
            case.facts.owners.users = [(ADA_NAME.parse().unwrap(), fact)].into();
        }
    };
    check_assigns(unresolved(Fact::Known { value: None, at: sound().now }), &[], "OwnerNotFound");
    check_assigns(unresolved(failed(None)), &[], "OwnerUnknown");
    for kind in [PrincipalKind::ForeignGroup, PrincipalKind::Other] {
        let foreign = |case: &mut Case| {
            case.wish().owners = [id(GROUP)].into();
            let mut holders = OwnerHolders::default();
            holders.excluded.insert(GROUP.parse().unwrap(), kind);
            case.facts.owners.holders = Fact::Known { value: holders, at: case.now };
        };
        check_assigns(foreign, &[], "OwnerMissing");
    }
    let kinds = |case: Case| {
        let Action::AssignOwner { assignees, .. } = &case.plan().actions[0];
        assignees.iter().map(|assignee| assignee.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(lacking()), [AssigneeKind::UserOrGroup]);
    assert_eq!(kinds(lacking().with(|case| case.named_user(false, None))), [AssigneeKind::User]);
    let twice = lacking().with(|case| {
        case.named_user(false, None);
        case.wish().owners.insert(id(ADA));
    });
    assert_eq!(kinds(twice), [AssigneeKind::User], "two names of one user");
}

#[test]
fn owner_is_assigned_only_on_facts_of_the_last_ten_minutes() {
    for stale in 0..4 {
        let aged = |minutes| {
            lacking().with(|case| {
                case.named_user(false, None);
                let at = case.now - SignedDuration::from_mins(minutes);
                let age = |user: &mut Fact<Option<DirectoryUser>>| {
                    if let Fact::Known { at: read_at, .. } = user {
                        *read_at = at;
                    }
                };
                match stale {
                    0 => case.facts.profile = Fact::Known { value: profile(Relationship::Reseller), at },
                    1 => case.facts.estate = Fact::Known { value: estate("active"), at },
                    2 => case.facts.owners.holders = Fact::Known { value: asked_all(), at },
                    _ => case.facts.owners.users.values_mut().for_each(age),
                }
                // A status that tells of this spec, and just now: nothing is read anew for its own sake.
                case.before.observed_generation = 1;
                case.before.conditions = case.plan().status.conditions;
                case.before.conditions.retain(|condition| condition.type_ == "Ready");
                case.before.conditions[0].last_transition_time.0 = case.now - SignedDuration::from_hours(9);
            })
        };
        assert_eq!((aged(9).does().0, aged(9).needs()), (vec![ADA.to_owned()], String::new()), "{stale}");
        assert!(aged(11).plan().actions.is_empty() && !aged(11).needs().is_empty(), "{stale}");
    }
}

fn asked_all() -> OwnerHolders {
    OwnerHolders { asked: [ADA, BOB].map(|id| id.parse().unwrap()).into(), ..OwnerHolders::default() }
}

#[test]
fn an_accepted_assignment_waits_for_azure_and_is_not_made_again() {
    let accepted = lacking().assigned();
    let plan = accepted.plan();
    assert_eq!(accepted.does(), (vec![], "OwnerAssignmentPending".to_owned()));
    assert!(accepted.message().contains("waiting for Azure to show it"));
    let events: Vec<_> = plan.events.iter().map(|event| (event.reason.as_str(), event.key.clone())).collect();
    assert_eq!(events, [("OwnerAssigned", format!("1/{ADA}"))]);
    assert_eq!(plan.status.owner_assignments[0].state, OwnerAssignmentState::Pending);

    let waiting = accepted.next_pass(1, &[]);
    assert_eq!(waiting.does(), (vec![], "OwnerAssignmentPending".to_owned()));
    assert_eq!(waiting.plan().events, []);
    let visible = waiting.next_pass(1, &[ADA]);
    assert_eq!(visible.does(), (vec![], "OwnerHeld".to_owned()));
    assert_eq!(visible.plan().status.owner_assignments[0].state, OwnerAssignmentState::Visible);
}

#[test]
fn what_somebody_takes_away_is_assigned_again_only_for_a_changed_spec() {
    let taken = lacking().assigned().next_pass(1, &[ADA]).next_pass(60, &[]);
    assert_eq!(taken.does(), (vec![], "OwnerMissing".to_owned()));
    assert!(taken.message().contains("somebody has taken it away"), "{}", taken.message());
    let changed = taken.with(|case| case.identity.generation += 1);
    assert_eq!(changed.does(), (vec![ADA.to_owned()], "AssigningOwner".to_owned()));
    assert_eq!(changed.assigned().plan().events[0].key, format!("2/{ADA}"));
}

#[test]
fn a_crash_between_the_assignment_and_the_status_repeats_it_under_the_same_name() {
    let names = |case: &Case| {
        let Action::AssignOwner { assignees, .. } = &case.plan().actions[0];
        assignees.iter().map(|assignee| assignee.assignment).collect::<Vec<_>>()
    };
    let before = lacking();
    // No status was written, and the list of assignments is behind.
    let after = lacking().with(|case| case.now += SignedDuration::from_mins(1));
    assert_eq!(names(&before), names(&after));
}

#[test]
fn a_refused_assignment_is_told_and_not_tried_again_in_the_same_pass() {
    let failure = |reason, needs_person| Attempt::Failed(Failure { reason, message: "No.".into(), needs_person });
    let refused =
        |needs_person| lacking().with(|case| case.facts.attempt = failure("OwnerAssignmentRefused", needs_person));
    assert_eq!(refused(true).does(), (vec![], "OwnerAssignmentRefused".to_owned()));
    let stalled = |case: Case| {
        let conditions = case.plan().status.conditions;
        conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap().status.clone()
    };
    assert_eq!((stalled(refused(true)), stalled(refused(false))), ("True".to_owned(), "False".to_owned()));
    assert_eq!(stalled(lacking().with(|case| case.facts.may_assign = false)), "True");
    // What was accepted before the refusal is remembered all the same.
    let half = lacking().with(|case| {
        case.wish().owners = [id(ADA), id(BOB)].into();
        case.facts.assigned = [ADA.parse().unwrap()].into();
        case.facts.attempt = failure("PrincipalNotFound", false);
    });
    assert_eq!(half.plan().status.owner_assignments.len(), 1);
    assert_eq!(half.next_pass(1, &[]).does().0, [BOB]);
}

/// Years of one subscription in a small world: people take Owner away, Azure's list lags, writes are refused or lose
/// their answer, the process dies anywhere, the spec changes.
#[derive(Debug)]
struct World {
    /// Truth: who owns.
    owners: BTreeSet<&'static str>,
    /// What the list of assignments shows.
    shown: BTreeSet<&'static str>,
    status: AzureSubscriptionStatus,
    generation: i64,
    now: Timestamp,
    /// Who was made an owner, for which generation of the spec.
    made: Vec<(i64, &'static str)>,
}

/// What goes wrong in one pass.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    write: Write,
    /// Before it can write its status.
    dies: bool,
    lags: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Accepted,
    Refused,
    /// Accepted, and nobody is told.
    AnswerLost,
}

impl World {
    fn new() -> Self {
        Self {
            owners: BTreeSet::new(),
            shown: BTreeSet::new(),
            status: AzureSubscriptionStatus::default(),
            generation: 1,
            now: sound().now,
            made: Vec::new(),
        }
    }

    fn shown(&self) -> Vec<&'static str> {
        self.shown.iter().copied().collect()
    }

    fn case(&self) -> Case {
        let mut case = lacking();
        case.now = self.now;
        case.identity.generation = self.generation;
        case.wish().owners = [id(ADA), id(BOB)].into();
        case.facts.profile = Fact::Known { value: profile(Relationship::Reseller), at: self.now };
        case.facts.estate = Fact::Known { value: estate("active"), at: self.now };
        case.before = self.status.clone();
        case.shown(&self.shown());
        case
    }

    fn pass(&mut self, trouble: Trouble) {
        let lost = || Attempt::Failed(Failure { reason: "Unreachable", message: "wait".into(), needs_person: false });
        let mut case = self.case();
        for round in 0.. {
            assert!(round < 4, "a pass ends");
            let plan = case.plan();
            assert_eq!(plan.needs, BTreeSet::new(), "all is fresh");
            case.before = plan.status;
            let Some(Action::AssignOwner { assignees, .. }) = plan.actions.first() else { break };
            for assignee in assignees {
                if trouble.write == Write::Refused {
                    case.facts.attempt = lost();
                    break;
                }
                let who = [ADA, BOB].into_iter().find(|who| who.parse() == Ok(assignee.principal)).unwrap();
                if self.owners.insert(who) {
                    self.made.push((self.generation, who));
                }
                if trouble.write == Write::AnswerLost {
                    case.facts.attempt = lost();
                    break;
                }
                case.facts.assigned.insert(assignee.principal);
            }
            if !trouble.lags {
                self.shown.clone_from(&self.owners);
            }
            case.shown(&self.shown());
        }
        if !trouble.dies {
            self.status = case.before;
        }
    }
}

#[test]
fn in_a_random_world_nobody_is_made_an_owner_twice_for_one_spec_unless_no_status_told_of_the_first_time() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..500 {
        let mut world = World::new();
        for _ in 0..40 {
            world.now += SignedDuration::from_secs(random.i64(1..7_200));
            match random.u8(0..10) {
                0 => {
                    world.owners.remove([ADA, BOB][random.usize(0..2)]);
                    world.shown.clone_from(&world.owners);
                }
                1 => world.generation += 1,
                2 => world.shown.clone_from(&world.owners),
                _ => {
                    let mut in_hundred = |chance| random.u8(0..100) < chance;
                    let write = match (in_hundred(10), in_hundred(10)) {
                        (true, _) => Write::Refused,
                        (false, true) => Write::AnswerLost,
                        (false, false) => Write::Accepted,
                    };
                    let trouble = Trouble { write, dies: in_hundred(10), lags: in_hundred(40) };
                    let made = world.made.len();
                    world.pass(trouble);
                    let distinct: BTreeSet<_> = world.made.iter().collect();
                    assert_eq!(distinct.len(), world.made.len(), "{trouble:?} {world:?}");
                    if trouble.dies || write == Write::AnswerLost {
                        // No status tells of these.
                        world.made.truncate(made);
                    }
                }
            }
        }
        // Left in peace, with a new spec, both own in the end, and nothing more is done.
        let peace = Trouble { write: Write::Accepted, dies: false, lags: false };
        world.generation += 1;
        world.pass(peace);
        assert_eq!(world.shown(), [ADA, BOB]);
        assert!(is_true(&world.status.conditions, ConditionType::Ready), "{world:?}");
        let (status, made) = (world.status.clone(), world.made.len());
        world.now += SignedDuration::from_mins(1);
        world.pass(peace);
        assert_eq!((&world.status, world.made.len()), (&status, made));
    }
}
