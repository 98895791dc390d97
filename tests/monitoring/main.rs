//! Metrics, rules, dashboard and runbook speak of the same things. Nothing here runs anything: it reads the files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "csp_operator_";

/// Literals in `src/plan` that look like reasons and are none: words of Microsoft's, types and statuses of conditions.
const NO_REASONS: [&str; 27] = [
    "ActivityRecorded",
    "AzurePlanVerified",
    "AzureSubscriptionVerified",
    "Benefit",
    "BillingFailed",
    "Cancelled",
    "CostManagementSynced",
    "CustomerResolved",
    "Failed",
    "False",
    "Merged",
    "OwnerRoleVerified",
    "PartnerAuthorized",
    "Purchase",
    "PurchasesRecorded",
    "Ready",
    "Reconciling",
    "Reservation",
    "SavingsPlan",
    "Split",
    "Stalled",
    "Succeeded",
    "Synced",
    "True",
    "Unknown",
    "Unmanaged",
    "AzureMarketplace",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The production source below a folder: no files or modules of tests.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if is_production(&path, &name) {
                let text = fs::read_to_string(&path).expect("a source file");
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                found.push(
                    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n"),
                );
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no source");
    found
}

fn is_production(path: &Path, name: &str) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
        && name != "tests.rs"
        && name != "testing.rs"
        && !name.starts_with("test_")
        // It repeats what the others say.
        && name != "catalogue.rs"
}

/// The string literal with which `text` begins, blanks aside.
fn literal(text: &str) -> Option<&str> {
    let (literal, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    Some(literal)
}

/// The metrics that the source registers, as a scrape names their families.
fn registered() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in ["src/operator", "src/reconcile", "src/remote"].into_iter().flat_map(sources) {
        for (call, has_unit) in [(".register(", false), (".register_with_unit(", true), (".encode_descriptor(", false)]
        {
            for rest in source.split(call).skip(1) {
                let Some(name) = literal(rest) else { continue };
                let is_in_seconds = has_unit || call == ".encode_descriptor(" && rest.contains("Unit::Seconds");
                let unit = if is_in_seconds { "_seconds" } else { "" };
                names.insert(format!("{PREFIX}{name}{unit}"));
            }
        }
    }
    assert!(names.len() > 20, "{names:?}");
    names
}

/// The metrics in the first column of the table in docs/monitoring.md.
fn documented() -> BTreeSet<String> {
    let page = read("docs/monitoring.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `csp_operator_"));
    let names = rows.map(|row| row.split(['`', '{']).next().unwrap_or_default());
    names.map(|name| format!("{PREFIX}{}", family(name))).collect()
}

/// The family of a name as a query has it.
fn family(name: &str) -> String {
    let name = ["_total", "_bucket", "_count", "_sum", "_info"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    name.to_owned()
}

/// Names of metrics in a text, as queries have them.
fn mentioned(text: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    text.split(|letter| !is_name(letter))
        .filter(|word| word.starts_with(PREFIX) && word.len() > PREFIX.len())
        .map(str::to_owned)
        .collect()
}

/// What stands after `key: ` at the beginning of lines.
fn values(text: &str, key: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned()).collect()
}

fn headings(page: &str) -> BTreeSet<String> {
    page.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect()
}

fn is_camel_case(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && word.len() > 3
        && word.chars().all(|letter| letter.is_ascii_alphanumeric())
        && word.chars().any(|letter| letter.is_ascii_lowercase())
}

/// Every reason that a condition or event may have.
fn reasons() -> BTreeSet<String> {
    let mut sources = sources("src/plan");
    let files = ["src/remote/fault.rs", "src/model/activity.rs"];
    sources.extend(files.map(|file| read(file).split("#[cfg(test)]").next().unwrap_or_default().to_owned()));
    let mut found = BTreeSet::new();
    for source in sources {
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let words = line.split('"').skip(1).step_by(2).filter(|word| is_camel_case(word));
            found.extend(words.map(str::to_owned));
        }
    }
    // Those of the shell itself.
    for (file, reason) in [
        ("src/reconcile/error.rs", "PurchaseRecordUnwritable"),
        ("src/reconcile/error.rs", "NamespaceTerminating"),
        ("src/reconcile/error.rs", "NamespaceUnreadable"),
        ("src/reconcile/ledger.rs", "PurchaseRecordUnreadable"),
        ("src/reconcile/outage.rs", "ActivityLogUnreachable"),
        ("src/reconcile/partner.rs", "GroupNamesHidden"),
    ] {
        assert!(read(file).contains(&format!("\"{reason}\"")), "{file} does not know {reason} any more");
        found.insert(reason.to_owned());
    }
    for word in NO_REASONS {
        found.remove(word);
    }
    found
}

fn missing(from: &BTreeSet<String>, is_in: &BTreeSet<String>) -> Vec<String> {
    from.difference(is_in).cloned().collect()
}

#[test]
fn every_metric_has_its_row_and_every_row_its_metric() {
    let (registered, documented) = (registered(), documented());
    assert_eq!(missing(&registered, &documented), [] as [&str; 0], "not in docs/monitoring.md");
    assert_eq!(missing(&documented, &registered), [] as [&str; 0], "in docs/monitoring.md only");
}

#[test]
fn names_follow_the_conventions() {
    for name in registered() {
        assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
        for suffix in ["_total", "_count", "_sum", "_bucket", "_info", "_ms", "_minutes"] {
            assert!(!name.ends_with(suffix), "{name}: {suffix} is added by the format, or is no base unit");
        }
        assert!(!name.contains("duration") || name.ends_with("_seconds"), "{name} has no unit");
        assert!(!name.contains("timestamp") || name.ends_with("_timestamp_seconds"), "{name} has no unit");
    }
}

#[test]
fn rules_dashboard_and_pages_name_metrics_that_exist() {
    let rules = read("manifests/chart/files/rules.yaml");
    let recorded: BTreeSet<String> = values(&rules, "record:").into_iter().collect();
    assert!(recorded.len() > 5);
    let registered = registered();
    let mut files = vec!["manifests/chart/files/rules.yaml", "manifests/chart/files/dashboard.json"];
    files.extend(["docs/runbook.md", "docs/operations.md", "docs/monitoring.md", "docs/scale.md", "README.md"]);
    for file in files {
        for name in mentioned(&read(file)) {
            assert!(registered.contains(&name) || registered.contains(&family(&name)), "{file}: there is no {name}");
        }
    }
    let words = |text: &str| {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
        text.split(|letter| !is_name(letter))
            .filter(|word| word.starts_with("csp_operator:"))
            .map(str::to_owned)
            .collect()
    };
    for file in ["manifests/chart/files/rules.yaml", "manifests/chart/files/dashboard.json", "docs/monitoring.md"] {
        let used: BTreeSet<String> = words(&read(file));
        assert_eq!(missing(&used, &recorded), [] as [&str; 0], "{file} uses what is not recorded");
    }
}

/// A word that no pass ends with any more would let its failures wake somebody up.
#[test]
fn the_results_that_rules_choose_are_those_of_the_source() {
    let rules = read("manifests/chart/files/rules.yaml");
    let sources = [sources("src/reconcile"), sources("src/remote")].concat();
    let mut count = 0;
    for rest in rules.split("result").skip(1).filter(|rest| rest.starts_with("!~") || rest.starts_with("=~")) {
        for word in rest[2..].split('"').nth(1).unwrap_or_default().split('|') {
            let literal = format!("\"{word}\"");
            assert!(sources.iter().any(|source| source.contains(&literal)), "no pass ends as {word}");
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_alert_has_its_texts_its_section_and_its_place_in_the_runbook() {
    let rules = read("manifests/chart/files/rules.yaml");
    let sections = headings(&read("docs/runbook.md"));
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 20);
    for alert in &alerts {
        let name = alert.lines().next().unwrap_or_default();
        let anchor = format!("runbook: docs/runbook.md#{}", name.to_lowercase());
        for part in ["severity: ", "summary: ", "description: ", &anchor] {
            assert!(alert.contains(part), "{name} has no \"{part}\"");
        }
        assert!(sections.contains(name), "docs/runbook.md has no section {name}");
    }
    let names: BTreeSet<_> = values(&rules, "alert:").into_iter().collect();
    let extra: Vec<_> =
        sections.iter().filter(|name| name.starts_with("CspOperator") && !names.contains(*name)).collect();
    assert_eq!(extra, [] as [&String; 0], "sections of alerts that there are not");
}

#[test]
fn every_alert_is_shown_to_fire_and_to_be_silent_and_every_record_to_be_right() {
    let rules = read("manifests/chart/files/rules.yaml");
    let cases =
        |subject: &str| [subject, "hours"].map(|name| read(&format!("tests/monitoring/{name}_test.yaml"))).concat();
    let alerts = cases("alerts");
    for name in values(&rules, "alert:") {
        for outcome in [format!("name: '{name} fires'"), format!("name: '{name} is silent")] {
            assert!(alerts.contains(&outcome), "tests/monitoring/alerts_test.yaml has no case {outcome}");
        }
    }
    let records = cases("records");
    for name in values(&rules, "record:") {
        let is_used = records.lines().any(|line| line.contains("expr: ") && mentions(line, &name));
        assert!(is_used, "tests/monitoring/records_test.yaml has no {name}");
    }
}

/// Whether a word stands there as a whole.
fn mentions(line: &str, word: &str) -> bool {
    line.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == ':')).any(|it| it == word)
}

#[test]
fn every_reason_has_its_section() {
    let (reasons, sections) = (reasons(), headings(&read("docs/runbook.md")));
    assert!(reasons.len() > 80, "{reasons:?}");
    assert_eq!(missing(&reasons, &sections), [] as [&str; 0], "docs/runbook.md has no sections for");
    // Those of the events about purchases are put together from two words.
    let composed = ["ReservationPurchased"].map(str::to_owned);
    let sections: BTreeSet<_> =
        sections.into_iter().filter(|name| !name.starts_with("CspOperator") && !composed.contains(name)).collect();
    assert_eq!(missing(&sections, &reasons), [] as [&str; 0], "sections of reasons that there are not");
}

/// Reasons of events and of the operator's Lease, and words of other fields: no condition shows them.
const NOT_OF_CONDITIONS: [&str; 10] = [
    "ActivityLogUnreachable",
    "AzurePlanPurchased",
    "CostManagementChanged",
    "CostManagementDrifted",
    "GroupNamesHidden",
    "NotShown",
    "OwnerAssigned",
    "Released",
    "Remembered",
    "ReservationPurchased",
];

#[test]
fn every_reason_of_a_condition_stands_in_the_reference() {
    let reference = read("docs/reference.md");
    let linked: BTreeSet<String> = reference
        .split("[`")
        .filter_map(|rest| rest.split_once("`](runbook.md#"))
        .map(|(reason, _)| reason.to_owned())
        .collect();
    let reasons: BTreeSet<_> =
        reasons().into_iter().filter(|reason| !NOT_OF_CONDITIONS.contains(&reason.as_str())).collect();
    assert_eq!(missing(&reasons, &linked), [] as [&str; 0], "src/plan/catalogue.rs lacks");
    assert_eq!(missing(&linked, &reasons), [] as [&str; 0], "src/plan/catalogue.rs has what no condition says");
}

#[test]
fn every_link_to_a_section_of_the_runbook_leads_somewhere() {
    let runbook = read("docs/runbook.md");
    let anchors: BTreeSet<String> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"))
        .collect();
    let mut places = vec![("docs/runbook.md".to_owned(), runbook.replace("](#", "](runbook.md#"))];
    for file in ["manifests/chart/files/rules.yaml", "docs/monitoring.md", "docs/operations.md", "docs/reference.md"] {
        places.push((file.to_owned(), read(file)));
    }
    for folder in ["src/operator", "src/reconcile", "src/remote"] {
        places.extend(sources(folder).into_iter().map(|source| (folder.to_owned(), source)));
    }
    let mut count = 0;
    for (place, text) in places {
        for rest in text.split("runbook.md#").skip(1) {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
            let anchor = rest.split(|letter| !is_part(letter)).next().unwrap_or_default();
            assert!(anchors.contains(anchor), "{place}: docs/runbook.md has no section #{anchor}");
            count += 1;
        }
    }
    assert!(count > 50);
}
