//! Every reason that the page of errors has, wherever a status can show it.

use super::support::*;
use crate::model::Denial;
use crate::plan::partner::{PartnerFacts, Refused};
use crate::plan::permission::{Attempt, Failure};

const PAGE: &str = include_str!("../../../../docs/errors.md");

fn reasons() -> impl Iterator<Item = &'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(reason, _)| reason)
}

/// The status says in `Ready` what has failed.
#[track_caller]
fn check(reason: &str, expected: &str, case: &Case) {
    assert_eq!(case.shows("Ready"), expected, "{reason}");
}

#[test]
fn what_fails_is_told_by_its_reason() {
    assert!(reasons().count() > 20);
    for reason in reasons() {
        let known = |change: fn(&mut Case, &'static str)| {
            Case::new(Allow, Deny).claimed().holding(policy(&[])).with(|case| change(case, reason))
        };
        let waits = format!("False/{reason}");
        check(reason, &waits, &known(|case, reason| case.facts.policy = failed(reason)));
        check(reason, &waits, &known(|case, reason| case.facts.prerequisites.estate = failed(reason)));
        check(reason, &waits, &known(|case, reason| case.facts.prerequisites.profile = failed(reason)));
        check(
            reason,
            "False/OwnerUnknown",
            &known(|case, reason| {
                case.facts.prerequisites.subscriptions[0].owners.holders = failed(reason);
            }),
        );
        let fails = |needs_person| {
            move |case: &mut Case| {
                case.facts.attempt = Attempt::Failed(Failure { reason, message: "failed".into(), needs_person });
            }
        };
        check(reason, &waits, &known(|_, _| ()).with(fails(false)));
        check(reason, "False/WriteRefused", &known(|_, _| ()).with(fails(true)));
        let left_on = Case::new(Allow, Deny).claimed().holding(policy(&[Reservations]));
        check(reason, "False/RevokePending", &left_on.deleting().with(fails(true)));
        check(
            reason,
            &waits,
            &known(|_, _| ()).with(|case| {
                let denial = Denial { reason, message: "denied".into() };
                case.facts.partner =
                    PartnerFacts { write_refused: Some(Refused { denial, at: case.now }), ..unasked() };
            }),
        );
    }
}
