//! Tables: what is known of the partner, what follows, and what is asked.

use PartnerQuestion::{AdminAgents, Kind};

use super::*;
use crate::model::Ignorance;

fn now() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn known<T>(value: T, minutes: i64) -> Fact<T> {
    Fact::Known { value, at: ago(minutes) }
}

fn failed<T>() -> Fact<T> {
    let why = Ignorance::Failed { reason: "GraphNotConsented", message: "no consent".into(), last_read: None };
    Fact::Unknown { why }
}

fn refused(reason: &'static str, minutes: i64) -> Refused {
    Refused { denial: Denial { reason, message: "what to do".into() }, at: ago(minutes) }
}

fn direct() -> PartnerFacts {
    PartnerFacts { kind: known(PartnerKind::DirectBill, 0), ..PartnerFacts::UNKNOWN }
}

/// What these facts show as `PartnerAuthorized`, and what is asked before a grant.
#[track_caller]
fn check(facts: &PartnerFacts, shown: &str, asked: &[PartnerQuestion]) {
    let verdict = facts.authorization(now()).verdict();
    assert_eq!(format!("{}/{}", verdict.truth.as_str(), verdict.reason), shown, "{facts:?}");
    let asked: Vec<_> = asked.iter().copied().map(Need::Partner).collect();
    assert_eq!(facts.needs(now(), false).into_iter().collect::<Vec<_>>(), asked, "{facts:?}");
}

#[test]
fn a_direct_bill_partner_and_an_indirect_provider_may_grant_with_an_admin_agent() {
    for kind in [PartnerKind::DirectBill, PartnerKind::IndirectProvider] {
        let facts = PartnerFacts { kind: known(kind, 0), is_admin_agent: known(true, 0), ..PartnerFacts::UNKNOWN };
        check(&facts, "True/AdminAgent", &[]);
    }
}

#[test]
fn an_indirect_reseller_may_not_grant_whatever_its_user_is() {
    for is_admin_agent in [Fact::NOT_READ, known(true, 0), known(false, 0), failed()] {
        let kind = known(PartnerKind::IndirectReseller, 59);
        let facts = PartnerFacts { kind, is_admin_agent, ..PartnerFacts::UNKNOWN };
        check(&facts, "False/IndirectReseller", &[]);
        assert_eq!(facts.authorization(now()), denied_until(reseller(), 1));
    }
    let facts = PartnerFacts { kind: known(PartnerKind::IndirectReseller, 60), ..PartnerFacts::UNKNOWN };
    check(&facts, "False/IndirectReseller", &[Kind, AdminAgents]);
}

fn denied_until(denial: Denial, minutes: i64) -> PartnerAuthorization {
    PartnerAuthorization::Denied { denial, until: ago(-minutes) }
}

#[test]
fn who_is_no_admin_agent_may_not_grant_and_is_looked_at_again_in_ten_minutes() {
    let facts = |minutes| PartnerFacts { is_admin_agent: known(false, minutes), ..direct() };
    check(&facts(0), "False/NotAdminAgent", &[]);
    check(&facts(9), "False/NotAdminAgent", &[]);
    check(&facts(10), "False/NotAdminAgent", &[AdminAgents]);
    assert_eq!(facts(4).authorization(now()), denied_until(no_admin_agent(), 6));
}

#[test]
fn what_cannot_be_asked_blocks_nothing_and_is_not_asked_again_at_once() {
    check(&PartnerFacts::UNKNOWN, "Unknown/Unverified", &[Kind, AdminAgents]);
    let facts = PartnerFacts { kind: failed(), is_admin_agent: failed(), ..PartnerFacts::UNKNOWN };
    check(&facts, "Unknown/Unverified", &[]);
    let message = facts.authorization(now()).verdict().message;
    assert!(message.ends_with("the next one will. It cannot be told beforehand: no consent"), "{message}");
    check(&PartnerFacts { is_admin_agent: known(true, 0), ..facts }, "True/AdminAgent", &[]);
}

#[test]
fn what_was_asked_is_asked_again_in_its_time_or_when_a_person_wants_it() {
    let facts = |kind, member| PartnerFacts {
        kind: known(PartnerKind::DirectBill, kind),
        is_admin_agent: known(true, member),
        ..PartnerFacts::UNKNOWN
    };
    check(&facts(60, 59), "True/AdminAgent", &[]);
    check(&facts(60, 60), "True/AdminAgent", &[AdminAgents]);
    check(&facts(24 * 60, 0), "True/AdminAgent", &[Kind]);
    let asked_anew = |facts: PartnerFacts| facts.needs(now(), true).into_iter().collect::<Vec<_>>();
    assert_eq!(asked_anew(facts(1, 1)), [Kind, AdminAgents].map(Need::Partner));
    assert_eq!(asked_anew(facts(0, 0)), []);
}

#[test]
fn a_write_says_more_than_anything_that_was_asked() {
    let member = PartnerFacts { is_admin_agent: known(true, 0), ..direct() };
    // Refused, although Graph says that the user is a member.
    for reason in ["NotAdminAgent", "AppOnlyToken"] {
        let refused = PartnerFacts { write_refused: Some(refused(reason, 59)), ..member.clone() };
        check(&refused, &format!("False/{reason}"), &[]);
    }
    let decayed = PartnerFacts { write_refused: Some(refused("NotAdminAgent", 60)), ..member };
    check(&decayed, "True/AdminAgent", &[]);
    let unknown = PartnerFacts { write_refused: Some(refused("NotAdminAgent", 60)), ..PartnerFacts::UNKNOWN };
    check(&unknown, "Unknown/Unverified", &[Kind, AdminAgents]);

    // Accepted, although the answers say that it could not be.
    let accepted = PartnerFacts {
        kind: known(PartnerKind::IndirectReseller, 0),
        is_admin_agent: known(false, 0),
        accepted_at: Some(ago(59)),
        ..PartnerFacts::UNKNOWN
    };
    check(&accepted, "True/WriteAccepted", &[]);
    check(&PartnerFacts { accepted_at: Some(ago(59)), ..PartnerFacts::UNKNOWN }, "True/WriteAccepted", &[]);
}

#[test]
fn a_role_that_was_taken_away_is_noticed_an_hour_after_the_last_accepted_write() {
    let since = |is_admin_agent| PartnerFacts { is_admin_agent, accepted_at: Some(ago(70)), ..PartnerFacts::UNKNOWN };
    check(&since(Fact::NOT_READ), "True/WriteAccepted", &[AdminAgents]);
    check(&since(known(true, 1)), "True/WriteAccepted", &[]);
    check(&since(failed()), "True/WriteAccepted", &[]);
    check(&since(known(false, 9)), "False/NotAdminAgent", &[]);
    // What was asked too soon after the write does not count against it.
    check(&since(known(false, 11)), "True/WriteAccepted", &[AdminAgents]);
}

#[test]
fn a_sign_in_that_does_not_work_goes_before_everything() {
    for reason in ["CredentialsInvalid", "MfaRequired"] {
        let facts = PartnerFacts {
            sign_in_refused: Some(refused(reason, 0)),
            write_refused: Some(refused("NotAdminAgent", 0)),
            accepted_at: Some(ago(1)),
            ..PartnerFacts::UNKNOWN
        };
        check(&facts, &format!("False/{reason}"), &[]);
        assert!(facts.authorization(now()).denial().is_some_and(|denial| denial.reason == reason));
    }
}

#[test]
fn a_wrong_clock_denies_whatever_has_worked_and_asks_nothing() {
    let accepted = PartnerFacts { accepted_at: Some(ago(0)), is_admin_agent: known(true, 0), ..direct() };
    for facts in [accepted, PartnerFacts::UNKNOWN] {
        check(&PartnerFacts { is_clock_off: true, ..facts }, "False/ClockSkewed", &[]);
    }
}

#[test]
fn an_indirect_reseller_to_whom_everything_is_refused_is_told_why() {
    let refused = PartnerFacts { write_refused: Some(refused("ProgramNotActive", 0)), ..PartnerFacts::UNKNOWN };
    check(&refused, "False/ProgramNotActive", &[]);
    let explained = |facts: &PartnerFacts| facts.needs_to_explain(now(), false);
    assert_eq!(explained(&refused), Some(Need::Partner(Kind)));
    for (kind, shown, asked) in [
        (known(PartnerKind::IndirectReseller, 0), "False/IndirectReseller", None),
        (known(PartnerKind::IndirectReseller, 60), "False/IndirectReseller", Some(Kind)),
        (known(PartnerKind::DirectBill, 0), "False/ProgramNotActive", None),
        (failed(), "False/ProgramNotActive", None),
    ] {
        let facts = PartnerFacts { kind, ..refused.clone() };
        check(&facts, shown, &[]);
        assert_eq!(explained(&facts), asked.map(Need::Partner), "{facts:?}");
    }
    let read = PartnerFacts { write_refused: None, read_refused: refused.write_refused, ..PartnerFacts::UNKNOWN };
    check(&read, "False/ProgramNotActive", &[]);
    assert_eq!(explained(&read), Some(Need::Partner(Kind)));
    assert_eq!(explained(&PartnerFacts::UNKNOWN), None);
}
