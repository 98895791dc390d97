//! `docs/errors.md` tells of every kind of failure as the program does.

use super::answers::faults;
use crate::remote::Advice;
use crate::remote::codes::{At, CODES};
use crate::remote::fault::Fault;

const PAGE: &str = include_str!("../../../docs/errors.md");

fn row(fault: Fault) -> String {
    let meaning = fault.meaning();
    let mut letters = meaning.explanation.chars();
    let first = letters.next().unwrap().to_uppercase();
    let again = match meaning.advice {
        Advice::RetrySoon => "soon".to_owned(),
        Advice::RetryAfter(wait) => format!("as told, else after {} min", wait.as_secs() / 60),
        Advice::AwaitChange => "after a change".to_owned(),
        Advice::StopOperator => "by another replica".to_owned(),
    };
    let codes: Vec<_> = CODES
        .iter()
        .filter(|(.., meaning)| *meaning == fault)
        .map(|(status, code, at, _)| {
            let only = match at {
                At::Anywhere => "",
                At::BelowCustomer => " (of a customer)",
                At::Writes => " (of a write)",
            };
            format!("{status} `{code}`{only}")
        })
        .collect();
    let (reason, category, codes) = (meaning.reason, meaning.category, codes.join(", "));
    format!("| `{reason}` | `{category}` | {first}{}. | {again} | {codes} |", letters.as_str())
}

#[test]
fn the_page_of_errors_has_every_failure_in_the_words_of_the_program() {
    let expected: Vec<_> = faults().into_iter().map(row).collect();
    let found: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(found == expected, "docs/errors.md should have these rows:\n{}", expected.join("\n"));
}
