//! Who may use whom in `src/`: `api → model → plan ← reconcile → remote`, `operator` on top, `cli` beside it, `simulator`
//! on its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the others that it may use.
const MAY_USE: [(&str, &[&str]); 8] = [
    ("api", &[]),
    ("model", &[]),
    ("plan", &["api", "model"]),
    ("remote", &["model"]),
    ("reconcile", &["api", "model", "plan", "remote"]),
    ("operator", &["api", "model", "plan", "reconcile", "remote"]),
    ("cli", &["api", "model", "plan", "reconcile", "remote", "operator"]),
    ("simulator", &[]),
];

/// What a room must not mention, because it is pure or has no business there.
const NEVER_IN: [(&str, &[&str]); 6] = [
    (
        "plan",
        &[
            "kube::",
            "tokio",
            "reqwest",
            "std::env",
            "std::fs",
            "std::net",
            "SystemTime",
            "Instant",
            "Timestamp::now",
            "Zoned::now",
            "rand::",
            "fastrand",
            "Uuid::new",
            "println!",
            "tracing::",
        ],
    ),
    ("model", &["kube::", "tokio", "reqwest", "std::env", "SystemTime", "Instant", "Timestamp::now", "fastrand"]),
    ("api", &["tokio", "reqwest", "axum", "std::env", "Timestamp::now", "fastrand"]),
    ("remote", &["kube::", "k8s_openapi"]),
    ("reconcile", &["reqwest", "axum"]),
    ("simulator", &["kube::", "k8s_openapi", "reqwest"]),
];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation(String);

/// Judges the source text of one file of a room.
fn violations(room: &str, file: &str, source: &str) -> Vec<Violation> {
    let source = without_comments_and_strings(source);
    let allowed = MAY_USE.iter().find(|(name, _)| *name == room).map_or(&[] as &[&str], |(_, others)| others);
    let mut found: Vec<_> = used(&source)
        .into_iter()
        .filter(|other| other != room && !allowed.contains(&other.as_str()))
        .map(|other| Violation(format!("{file}: {room} uses {other}")))
        .collect();
    let never = NEVER_IN.iter().find(|(name, _)| *name == room).map_or(&[] as &[&str], |(_, words)| words);
    found.extend(
        never
            .iter()
            .filter(|word| mentions(&source, word))
            .map(|word| Violation(format!("{file}: {room} mentions {word}"))),
    );
    found
}

/// Names after `crate::` or `csp_operator::`, also those in braces.
fn used(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for root in ["crate::", "csp_operator::"] {
        for (at, _) in source.match_indices(root) {
            let before = source[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
                continue;
            }
            let rest = &source[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => names.extend(top_level(group)),
                None => names.extend(identifier(rest)),
            }
        }
    }
    names
}

/// The first names in a group of imports, up to its closing brace.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut is_start) = (0, Vec::new(), true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            letter if is_start && !letter.is_whitespace() => {
                names.extend(identifier(&group[at..]));
                is_start = false;
            }
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    // What begins in upper case is an item of the crate's root, of which there is none.
    (!name.is_empty()).then_some(name)
}

/// Whether a word stands in the source, not as the end of a longer one.
fn mentions(source: &str, word: &str) -> bool {
    source.match_indices(word).any(|(at, _)| {
        let before = source[..at].chars().next_back();
        let after = source[at + word.len()..].chars().next();
        let is_name = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
        !is_name(before) && (word.ends_with(':') || word.ends_with('!') || !is_name(after))
    })
}

/// Comments and the insides of strings tell, they do not use.
fn without_comments_and_strings(source: &str) -> String {
    let mut kept = String::new();
    for line in source.lines() {
        let (mut in_string, mut is_escaped) = (false, false);
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            if in_string {
                in_string = is_escaped || letter != '"';
                is_escaped = letter == '\\' && !is_escaped;
            } else if letter == '"' {
                in_string = true;
            } else if letter == '/' && letters.peek() == Some(&'/') {
                break;
            } else {
                kept.push(letter);
            }
        }
        kept.push('\n');
    }
    kept
}

/// Test code may reach further: files called `tests.rs` or `test_*.rs`, folders called `tests`, and what follows
/// `#[cfg(test)] mod … {` in a file, which is always at its end.
fn production(path: &Path) -> Option<String> {
    let is_test = path.iter().any(|part| part == "tests")
        || path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name == "tests.rs" || name.starts_with("test_")
        });
    let source = fs::read_to_string(path).unwrap();
    (!is_test).then(|| match source.find("#[cfg(test)]\nmod tests {") {
        Some(end) => source[..end].to_owned(),
        None => source,
    })
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_module_uses_only_those_below_it() {
    let src = stage::root().join("src");
    let mut found = Vec::new();
    let mut files: BTreeMap<&str, usize> = BTreeMap::new();
    for (room, _) in MAY_USE {
        for path in rust_files(&src.join(room)) {
            let Some(source) = production(&path) else { continue };
            *files.entry(room).or_default() += 1;
            found.extend(violations(room, &path.strip_prefix(&src).unwrap().display().to_string(), &source));
        }
    }
    assert_eq!(found, []);
    assert_eq!(files.len(), MAY_USE.len(), "a room is empty: {files:?}");
}

#[test]
fn every_module_is_known_here() {
    let src = stage::root().join("src");
    let mut rooms: Vec<_> = fs::read_dir(src)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("bin"))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    rooms.sort();
    let mut known: Vec<_> = MAY_USE.iter().map(|(room, _)| (*room).to_owned()).collect();
    known.sort();
    assert_eq!(rooms, known, "say in this file whom a new module may use");
}

#[test]
fn what_is_forbidden_is_noticed() {
    let check = |room: &str, source: &str, expected: &[&str]| {
        let found: Vec<_> = violations(room, "f", source).into_iter().map(|violation| violation.0).collect();
        assert_eq!(found, expected, "{source}");
    };
    check("plan", "use crate::remote::Error;", &["f: plan uses remote"]);
    check("plan", "fn f(x: &crate::reconcile::Context) {}", &["f: plan uses reconcile"]);
    check(
        "plan",
        "use crate::{api::{Mode, remote}, remote::Error,\n    operator};",
        &["f: plan uses operator", "f: plan uses remote"],
    );
    check("remote", "use crate::api::Mode;", &["f: remote uses api"]);
    check("simulator", "use crate::model::TenantId;", &["f: simulator uses model"]);
    check("reconcile", "use crate::operator::Settings;", &["f: reconcile uses operator"]);
    check("model", "use crate::plan::Need;", &["f: model uses plan"]);
    check("plan", "let now = jiff::Timestamp::now();", &["f: plan mentions Timestamp::now"]);
    check("plan", "use kube::Api;", &["f: plan mentions kube::"]);
    check("plan", "use std::time::{Duration, Instant};", &["f: plan mentions Instant"]);
    check("api", "use kube::CustomResource;", &[]);
    check("plan", "// crate::remote, kube::Api\nlet x = \"crate::remote\"; use crate::model::TenantId;", &[]);
    check("plan", "use crate::plan::Need; let instance = Instance::new();", &[]);
    check("reconcile", "use mycrate::operator;", &[]);
}
