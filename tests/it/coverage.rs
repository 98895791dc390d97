//! `docs/partner-center.md` maps every fact about Microsoft's services to the tests that prove it,
//! `docs/help-article-coverage.md` every statement of Microsoft's help, `docs/deletion.md` every end of a permission, and
//! `docs/gitops.md` every accident: each row names tests, and each test that is named exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const FACTS: &str = "docs/partner-center.md";
const HELP: &str = "docs/help-article-coverage.md";
const DELETION: &str = "docs/deletion.md";
const GITOPS: &str = "docs/gitops.md";

/// A row of one of the page's tables: its number, and the tests of its last cell.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    number: String,
    tests: Vec<String>,
}

/// The numbered rows of `page`.
fn rows(page: &str) -> Vec<Row> {
    page.lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
            let number = *cells.first()?;
            number.starts_with(|first: char| first.is_ascii_digit()).then(|| Row {
                number: number.to_owned(),
                tests: cells.last().map_or_else(Vec::new, |cell| quoted(cell)),
            })
        })
        .collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The tests in one source file, each after the module that it is in: `remote::reading::some_test`. The modules `tests`
/// are left out of the name, since they say nothing.
fn tests_in(module: &str, source: &str) -> BTreeSet<String> {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let mut found = BTreeSet::new();
    for (index, line) in lines.iter().enumerate() {
        if !(line.starts_with("#[test]") || line.starts_with("#[tokio::test")) {
            continue;
        }
        let function = lines[index + 1..].iter().take(6).find_map(|line| {
            let line = line.strip_prefix("async ").unwrap_or(line);
            line.strip_prefix("fn ")?.split_once('(').map(|(name, _)| name)
        });
        found.extend(function.map(|name| format!("{module}::{name}")));
    }
    let go = lines.iter().filter_map(|line| line.strip_prefix("func Test")?.split_once('('));
    found.extend(go.map(|(name, _)| format!("{module}::Test{name}")));
    found
}

/// The name of the module in a file: `src/remote/tests/reading.rs` is `remote::reading`, `tests/it/drift.rs` is
/// `it::drift`, and a Go file is named by its folder.
fn module_of(path: &Path) -> String {
    let is_go = path.extension().is_some_and(|extension| extension == "go");
    let path = if is_go { path.parent().unwrap_or(path).to_owned() } else { path.with_extension("") };
    let segments = path.iter().skip(1).map(|segment| segment.to_string_lossy().replace('-', "_"));
    segments.filter(|segment| !["tests", "mod", "main"].contains(&segment.as_str())).collect::<Vec<_>>().join("::")
}

/// The sources below `directory`.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "go") {
            found.push(path);
        }
    }
}

/// Every test of the project.
fn all_tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in ["src", "tests"] {
        sources(&root.join(directory), &mut files);
    }
    files
        .iter()
        .flat_map(|path| tests_in(&module_of(path.strip_prefix(root).unwrap()), &fs::read_to_string(path).unwrap()))
        .collect()
}

/// What is wrong with the rows of a page that has at least so many.
fn check(page: &str, rows_min: usize) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let rows = rows(&text);
    let known = all_tests();
    let mut wrong = Vec::new();
    for Row { number, tests } in &rows {
        if tests.is_empty() {
            wrong.push(format!("{number} names no test"));
        }
        let missing = tests.iter().filter(|test| !known.contains(*test));
        wrong.extend(missing.map(|test| format!("{number} names `{test}`, which does not exist")));
    }
    let numbers: BTreeSet<_> = rows.iter().map(|row| &row.number).collect();
    assert!(rows.len() >= rows_min && numbers.len() == rows.len(), "rows are missing, or two have the same number");
    assert!(wrong.is_empty(), "{page}:\n{}", wrong.join("\n"));
}

#[test]
fn every_row_names_tests_that_exist() {
    check(FACTS, 150);
    check(HELP, 26);
    check(DELETION, 25);
    check(GITOPS, 9);
}

/// The texts of the program's sources, without their tests.
fn program() -> Vec<String> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root, &mut files);
    // The plugin, and what it foresees, tell of reasons and write no events.
    let others = ["tests", "tests.rs", "simulator", "cli", "outlook.rs"];
    files.retain(|path| {
        let is_the_operators = path.ends_with("src/operator/credentials/outlook.rs");
        // Whatever the folders are called that the checkout is in.
        let path = path.strip_prefix(&root).unwrap();
        is_the_operators || !path.iter().any(|part| others.iter().any(|other| part == *other))
    });
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What `texts` have in quotes right after `mark`, where `end` follows it.
fn quoted_between(texts: &[String], mark: &str, end: &str) -> BTreeSet<String> {
    let after = texts.iter().flat_map(|text| text.split(mark).skip(1));
    let found = after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split_once('"'));
    found.filter(|(_, rest)| rest.starts_with(end)).map(|(name, _)| name.to_owned()).collect()
}

/// Nobody can filter or alert by a name that stands nowhere.
#[test]
fn every_metric_and_every_event_of_its_own_stands_in_the_runbook() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = ["docs/operations.md", "docs/monitoring.md"].map(|page| fs::read_to_string(root.join(page)).unwrap());
    let rows: Vec<_> = pages.iter().flat_map(|page| page.lines()).filter(|line| line.starts_with("| `")).collect();
    let names: BTreeSet<_> = rows
        .iter()
        .flat_map(|row| quoted(row))
        .map(|name| name.strip_prefix("csp_operator_").unwrap_or(&name).to_owned())
        .collect();

    let program = program();
    let registered = ["registry.register(", "registry.register_with_unit(", "encoder.encode_descriptor("];
    let metrics: BTreeSet<_> = registered.iter().flat_map(|mark| quoted_between(&program, mark, ",")).collect();
    let events = quoted_between(&program, "reason: ", ".to_owned()");
    assert!(metrics.len() >= 20 && events.len() >= 5, "{metrics:?} {events:?}");
    let is_told =
        |name: &&String| ["", "_total", "_seconds", "_info"].iter().any(|end| names.contains(&format!("{name}{end}")));
    let untold: Vec<_> = metrics.iter().chain(&events).filter(|name| !is_told(name)).collect();
    assert!(untold.is_empty(), "in no table: {untold:?}");
}

/// No test can show what Azure's own pages make of it, or what a partner asks for; but whoever wonders reads it there.
#[test]
fn what_only_words_can_tell_is_written_where_somebody_looks() {
    let customers = "crds/csp-operator.dev_customers.yaml";
    let helping = "docs/helping-customers.md";
    for (page, told) in [
        (customers, "at pay-as-you-go retail rates"),
        (customers, "in the customer's billing currency"),
        (customers, "at the scope of its subscriptions and resource groups"),
        (customers, "not what the partner charges, and reservations and savings plans do not show in that cost data"),
        (helping, "Exchanging, cancelling, renewing and changing the scope of what it bought is the partner's job"),
        (helping, "Partner Center notifies nobody"),
        (helping, "The partner is billed for everything the customer buys"),
        (
            helping,
            "the partner sets the price, and it may differ from what Microsoft asks of customers who buy directly",
        ),
        (helping, "spreads the discount over all subscriptions bought for this customer"),
        (helping, "Without the role Owner on the subscription, the Azure portal refuses the purchase"),
    ] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(told), "{page} does not say: {told}");
    }
}

#[test]
fn rows_and_tests_are_recognised() {
    let page = "| # | fact | tests |\n|---|---|---|\n| 1.1 | `GET` it | `a::b`, `c::d` |\n| 1.2 | no | |\n";
    let row = |number: &str, tests: &[&str]| Row {
        number: number.to_owned(),
        tests: tests.iter().map(|test| (*test).to_owned()).collect(),
    };
    assert_eq!(rows(page), [row("1.1", &["a::b", "c::d"]), row("1.2", &[])]);

    let source = "#[test]\nfn one() {}\n    #[tokio::test(start_paused = true)]\n    async fn two() {}\nfn helper() {}";
    assert_eq!(tests_in("m", source), ["m::one".to_owned(), "m::two".to_owned()].into());
    assert_eq!(tests_in("m", "func TestThree(t *testing.T) {"), ["m::TestThree".to_owned()].into());

    for (path, module) in [
        ("src/remote/tests/reading.rs", "remote::reading"),
        ("src/remote/page.rs", "remote::page"),
        ("src/remote/tests/mod.rs", "remote"),
        ("tests/it/drift.rs", "it::drift"),
        ("tests/contract/main.rs", "contract"),
        ("tests/microsoft-clients/clients_test.go", "microsoft_clients"),
    ] {
        assert_eq!(module_of(Path::new(path)), module);
    }
}
