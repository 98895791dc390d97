//! The statuses that are judged show every reason that a condition can have: those of the planner's own source, and those of
//! `docs/errors.md`, which has every failure of a call.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::verdicts::statuses;

/// Words in the planner's source that look like a reason of a condition, and what they are instead.
const OTHERWISE: [(&str, &[&str]); 9] = [
    (
        "types of conditions",
        &[
            "ActivityRecorded",
            "AzurePlanVerified",
            "AzureSubscriptionVerified",
            "CostManagementSynced",
            "CustomerResolved",
            "OwnerRoleVerified",
            "PartnerAuthorized",
            "PurchasesRecorded",
            "Ready",
            "Reconciling",
            "Stalled",
            "Synced",
        ],
    ),
    ("names of kinds", &["AzureSubscription", "Customer", "CustomerPurchasePermission"]),
    (
        "failures of reading and writing in the cluster, which the shell names: they stand as those of any other call",
        &["NamespaceTerminating", "NamespaceUnreadable", "PurchaseRecordUnreadable", "PurchaseRecordUnwritable"],
    ),
    ("the status of a condition", &["False", "True", "Unknown"]),
    ("a value of the spec", &["Unmanaged"]),
    (
        "reasons of events",
        &["AzurePlanPurchased", "CostManagementChanged", "CostManagementDrifted", "OwnerAssigned", "Released"],
    ),
    (
        "how a purchase stands, or what it is",
        &[
            "Benefit",
            "BillingFailed",
            "Cancelled",
            "Failed",
            "Merged",
            "NotShown",
            "Reservation",
            "SavingsPlan",
            "Split",
            "Succeeded",
        ],
    ),
    ("said within a pass, before what it says is done: no status is written then", &["AssigningOwner", "Revoking"]),
    ("never written: the object is gone, or its condition stays as it was", &["Releasing", "Remembered"]),
];

#[test]
fn every_reason_is_among_the_statuses_that_are_judged() {
    let mut seen = BTreeSet::new();
    for object in statuses().values() {
        for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
            seen.insert(condition["reason"].as_str().unwrap().to_owned());
        }
    }
    let page = fs::read_to_string(stage::root().join("docs/errors.md")).unwrap();
    let mut words = BTreeSet::new();
    words_in(&stage::root().join("src/plan"), &mut words);
    assert!(words.len() > 80, "the source was not found: {words:?}");
    for (what, otherwise) in OTHERWISE {
        for word in otherwise {
            assert!(words.remove(*word), "no source has {word} any more");
            assert!(!seen.contains(*word), "{word} is no longer one of the {what}: take it out of this list");
        }
    }
    words
        .extend(page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(it, _)| it.to_owned()));
    let missing: Vec<_> = words.difference(&seen).collect();
    println!("{} reasons are known, {} were seen in conditions", words.len(), seen.len());
    assert!(
        missing.is_empty(),
        "no status that is judged has {missing:?}: have a test of the planner reach them, or say in OTHERWISE what else they are"
    );
}

/// Words in quotes that look like a reason, in what is not a test.
fn words_in(directory: &Path, words: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            words_in(&path, words);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !name.starts_with("test") {
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
                words.extend(line.split('"').skip(1).step_by(2).filter(|word| is_reason(word)).map(str::to_owned));
            }
        }
    }
}

fn is_reason(word: &str) -> bool {
    let is_camel_case = word.starts_with(|first: char| first.is_ascii_uppercase()) && word.len() > 3;
    is_camel_case && word.chars().all(char::is_alphanumeric)
}
