//! `kubectl csp lint`: its verdict, without a cluster, is the API server's.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::plugin::{Said, kubectl_csp_alone};
use crate::stages::shared;

fn lint(path: &Path, more: &[&str]) -> Said {
    let path = path.display().to_string();
    kubectl_csp_alone(shared().0, &[&["lint", "-f", &path][..], more].concat())
}

/// Whether the API server takes it, as a pipeline would send it.
fn is_taken(path: &Path) -> Result<(), String> {
    let path = path.display().to_string();
    let dry_run = ["apply", "--dry-run=server", "--validate=strict", "-f", &path];
    shared().0.kubectl(&dry_run).map(|_| ()).map_err(|error| error.to_string())
}

const TENANT: &str = "10000000-0000-4000-8000-000000000001";

fn customer(rest: &str) -> String {
    format!("apiVersion: csp-operator.dev/v1alpha1\nkind: Customer\nmetadata:\n  name: lint\n{rest}")
}

fn subscription(spec: &str) -> String {
    format!(
        "apiVersion: csp-operator.dev/v1alpha1\nkind: AzureSubscription\nmetadata: {{name: lint}}\nspec:\n  customerRef: {{name: a}}\n  {spec}\n"
    )
}

fn permission(spec: &str) -> String {
    format!(
        "apiVersion: csp-operator.dev/v1alpha1\nkind: CustomerPurchasePermission\nmetadata: {{name: lint}}\nspec:\n  customerRef: {{name: a}}\n  {spec}\n"
    )
}

/// Manifests, and in which line of them lint finds what; `None` where there is nothing to be found.
fn table() -> Vec<(String, Option<(usize, &'static str)>)> {
    let good = format!("spec:\n  tenantId: {TENANT}\n");
    let id = "subscriptionId: 30000000-0000-4000-8000-000000000001";
    let owners = |owners: &str| subscription(&format!("{id}\n  owners: {owners}"));
    vec![
        (customer(&good), None),
        (customer(&format!("{good}  azurePlan: Verify\n  costManagement: Hidden\n")), None),
        (customer(&format!("{good}  costManagement: null\n")), None),
        (customer(&format!("{good}status: {{companyName: x}}\n")), None),
        (customer(&format!("{good}  azurePLan: Verify\n")), Some((7, "spec.azurePLan: there is no such field"))),
        (customer(&format!("sepc: {{}}\n{good}")), Some((5, "sepc: there is no such field"))),
        (customer(&format!("  lables: {{}}\n{good}")), Some((5, "metadata.lables: there is no such field"))),
        (customer(&format!("  labels: {{a: 1}}\n{good}")), Some((5, "metadata.labels: must hold texts only"))),
        (customer(&format!("  labels: {{a: 'b c'}}\n{good}")), Some((5, "metadata.labels.a: must be at most 63"))),
        (customer(&format!("  annotations: {{'a b': x}}\n{good}")), Some((5, "is no name that an annotation"))),
        (customer("spec: {}\n"), Some((5, "spec: tenantId is required"))),
        (customer(""), Some((1, "spec is required"))),
        (customer("spec:\n  tenantId: 5\n"), Some((6, "spec.tenantId: must be of type string, and is 5"))),
        (customer("spec:\n  tenantId: contoso\n"), Some((6, "spec.tenantId: must be"))),
        (customer(&format!("spec:\n  tenantId: {}\n", TENANT.replace('8', "A"))), Some((6, "spec.tenantId: must be"))),
        (customer("spec: [1]\n"), Some((5, "spec: must be of type object"))),
        (customer(&good).replace("name: lint", "name: Lint_1"), Some((4, "metadata.name: must be at most 253"))),
        (customer(&good).replace("name: lint", "labels: {}"), Some((3, "metadata: metadata.name is required"))),
        (customer(&good).replace("v1alpha1", "v9"), Some((2, "kind: there is no Customer of csp-operator.dev/v9"))),
        (customer(&good).replace("Customer", "Costumer"), Some((2, "there is no Costumer"))),
        (
            customer(&good).replace("tenantId", "<<: {costManagement: Sometimes}\n  tenantId"),
            Some((5, "costManagement: must be one of")),
        ),
        (customer(&good).replace("name: lint", "name: y"), Some((4, "metadata.name: must hold text"))),
        (customer(&good).replace("name: lint", "name: 017"), Some((4, "metadata.name: must hold text"))),
        (subscription(id), None),
        (owners("[{userPrincipalName: ada.o'neill@fabrikam.com}]"), None),
        (owners("[{userPrincipalName: ada}]"), Some((7, "spec.owners[0].userPrincipalName: must be what a user"))),
        (owners("[{}]"), Some((7, "spec.owners[0]: must have exactly one of"))),
        (owners("[{objectId: null}]"), Some((7, "spec.owners[0].objectId: must be of type string"))),
        (
            owners(&format!("[{}]", "{userPrincipalName: a@b.cd},".repeat(21))),
            Some((7, "spec.owners: must have at most 20")),
        ),
        (subscription(&format!("{id}\n  ownerRole: Maybe")), Some((7, "spec.ownerRole: must be one of"))),
        (permission("azureReservations: Deny"), None),
        (
            permission(
                "azureReservations: Allow\n  azureSubscriptionRefs: [{name: a}]\n  acceptBillingResponsibility: yes",
            ),
            None,
        ),
        (
            permission(
                "azureReservations: Allow\n  azureSubscriptionRefs: [{name: a}]\n  acceptBillingResponsibility: 'yes'",
            ),
            Some((8, "must be of type boolean")),
        ),
        (
            permission("azureReservations: Allow\n  azureSubscriptionRefs: [{name: a}]"),
            Some((4, "the partner pays for whatever the customer then buys")),
        ),
        (
            permission("azureReservations: Allow\n  acceptBillingResponsibility: true"),
            Some((4, "must name at least one AzureSubscription")),
        ),
        (permission("azureReservations: Allow\n  azureSubscriptionRefs: [{name: a}]\n  mode: Observe"), None),
        (
            permission("azureSubscriptionRefs: [{name: a}, {name: b}, {name: a}]"),
            Some((6, "spec.azureSubscriptionRefs[2]: stands in the list already")),
        ),
        (
            permission("azureSubscriptionRefs: [{name: ''}]"),
            Some((6, "spec.azureSubscriptionRefs[0].name: must not be empty")),
        ),
        (
            permission("azureSubscriptionRefs: [{name: \"a\\nb\"}]"),
            Some((6, "spec.azureSubscriptionRefs[0].name: must be the name of an object")),
        ),
        (
            permission("mode: Observe").replace("{name: a}", "{name: A_b}"),
            Some((5, "spec.customerRef.name: must be the name of an object")),
        ),
        (permission("azureSubscriptionRefs: [{name: a.b-c.0}]"), None),
        (permission("validUntil: 2027-01-01T00:00:00Z"), None),
        (permission("validUntil: 2027-01-01T00:00:00.5+02:00"), None),
        (permission("validUntil: 2027-01-01"), Some((6, "spec.validUntil: must be a time"))),
        (permission("validUntil: tomorrow"), Some((6, "spec.validUntil: must be a time"))),
        (permission("mode: enforce"), Some((6, "spec.mode: must be one of"))),
        (permission("mode: Suspend\n  azureReservations:"), None),
    ]
}

#[test]
fn what_lint_finds_the_api_server_refuses_and_nothing_else() {
    let directory = shared().0.directory().join("lint");
    fs::create_dir_all(&directory).unwrap();
    let mut different = Vec::new();
    for (number, (text, expected)) in table().into_iter().enumerate() {
        let path = directory.join(format!("{number}.yaml"));
        fs::write(&path, &text).unwrap();
        let (said, taken) = (lint(&path, &[]), is_taken(&path));
        let is_found = expected.is_none_or(|(line, what)| {
            let place = format!("{}:{line}: error: document 1, ", path.display());
            said.stdout.lines().any(|told| told.starts_with(&place) && told.contains(what))
        });
        if said.success != expected.is_none() || taken.is_ok() != said.success || !is_found {
            different.push(format!("{text}lint: {}{}API server: {taken:?}\n", said.stdout, said.stderr));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    fs::remove_dir_all(directory).unwrap();
}

fn yaml_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { yaml_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_example_is_well_formed_and_all_of_them_together_say_nothing_wrong_of_each_other() {
    let examples = stage::root().join("examples");
    let mut count = 0;
    for path in yaml_files(&examples) {
        if fs::read_to_string(&path).unwrap().contains("apiVersion: csp-operator.dev/") {
            let said = lint(&path, &[]);
            assert!(said.success, "{}: {}{}", path.display(), said.stdout, said.stderr);
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
    let [quickstart, situations] =
        ["quickstart", "situations"].map(|folder| examples.join(folder).display().to_string());
    let said = kubectl_csp_alone(shared().0, &["lint", "--strict", "-f", &quickstart, "-f", &situations]);
    assert!(said.success && said.stdout.ends_with(" objects are well formed\n"), "{}{}", said.stdout, said.stderr);
}

#[test]
fn what_comes_to_nothing_together_is_warned_of() {
    let directory = shared().0.directory().join("lint-together");
    fs::create_dir_all(&directory).unwrap();
    let all = [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ns, annotations: {csp-operator.dev/allowed-customers: ''}}\n"
            .to_owned(),
        customer(&format!("spec: {{tenantId: {TENANT}}}\n")).replace("name: lint", "name: a"),
        permission("azureReservations: Deny\n  azureSubscriptionRefs: [{name: gone}]"),
        permission("azureReservations: Unmanaged").replace("name: lint", "name: other"),
    ];
    let path = directory.join("all.yaml");
    fs::write(&path, all.join("---\n")).unwrap();
    let said = lint(&path, &["-n", "ns", "-o", "json"]);
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    let found: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["severity"].as_str().unwrap().to_owned(),
                one["document"].as_u64().unwrap(),
                one["field"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let warning = |document, field: &str| ("Warning".to_owned(), document, field.to_owned());
    assert_eq!(
        found,
        [
            warning(2, "spec.tenantId"),
            warning(3, "spec.customerRef.name"),
            warning(3, "spec.azureSubscriptionRefs[0].name"),
            warning(4, "spec.customerRef.name"),
        ],
        "{}",
        said.stdout
    );
    assert!(said.success && said.stdout.contains("with other wishes") && said.stdout.contains("does not list it"));
    assert_eq!(lint(&path, &["-n", "ns", "--strict"]).code, Some(1));
    fs::remove_dir_all(directory).unwrap();
}
