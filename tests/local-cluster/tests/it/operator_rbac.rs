//! The operator's own permissions (`manifests/rbac`) are exactly what it needs: every verb on everything near its work
//! is asked of the authorizer, and what is not expected must be refused.

use std::collections::BTreeSet;

use serde_json::{Deserializer, Value, json};

use crate::{SHARED, eventually};

const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// `group/resource[/subresource]`, namespace, name, and the verbs allowed. No name: all of them.
type Row = (&'static str, &'static str, &'static str, &'static str);

const OWN: &str = "csp-operator";
const OTHER: &str = "shop";
const CLUSTER: &str = "";

const EXPECTED: &[Row] = &[
    ("csp-operator.dev/customers", OTHER, "", "get list watch"),
    ("csp-operator.dev/azuresubscriptions", OTHER, "", "get list watch"),
    ("csp-operator.dev/customerpurchasepermissions", OTHER, "", "get list watch patch"),
    ("csp-operator.dev/customers/status", OTHER, "", "patch"),
    ("csp-operator.dev/azuresubscriptions/status", OTHER, "", "patch"),
    ("csp-operator.dev/customerpurchasepermissions/status", OTHER, "", "patch"),
    ("csp-operator.dev/customerpurchasepermissions/finalizers", OTHER, "", ""),
    ("csp-operator.dev/others", OTHER, "", ""),
    ("events.k8s.io/events", OTHER, "", "create"),
    ("/events", OTHER, "", ""),
    ("/namespaces", CLUSTER, "", "get list watch"),
    ("/secrets", OTHER, "", ""),
    ("/secrets", OTHER, "csp-operator-credentials", ""),
    ("/configmaps", OTHER, "csp-operator-state", ""),
    ("/configmaps", OTHER, "csp-operator-state-plans", ""),
    ("coordination.k8s.io/leases", OTHER, "csp-operator", ""),
    ("coordination.k8s.io/leases", OWN, "csp-operator", "get create update"),
    ("coordination.k8s.io/leases", OWN, "other", "create"),
    ("coordination.k8s.io/leases", OWN, "", "create"),
    ("/configmaps", OWN, "csp-operator-state", "get create patch"),
    ("/configmaps", OWN, "csp-operator-state-plans", "get create patch"),
    ("/configmaps", OWN, "other", "create"),
    ("/configmaps", OWN, "", "create"),
    ("/secrets", OWN, "csp-operator-credentials", "get list watch create"),
    ("/secrets", OWN, "csp-operator-tokens", "get create patch"),
    ("/secrets", OWN, "other", "create"),
    ("/secrets", OWN, "", "create"),
    ("/pods", OWN, "", ""),
    ("/serviceaccounts/token", OWN, "csp-operator", ""),
    ("apps/deployments", OWN, "csp-operator", ""),
    ("rbac.authorization.k8s.io/roles", OWN, "csp-operator", ""),
    ("rbac.authorization.k8s.io/clusterroles", CLUSTER, "csp-operator", ""),
    ("apiextensions.k8s.io/customresourcedefinitions", CLUSTER, "customers.csp-operator.dev", ""),
];

/// The question whether the operator may do this.
fn review(&(object, namespace, name, _): &Row, verb: &str) -> Value {
    let mut parts = object.split('/');
    let mut part = || parts.next().unwrap_or_default();
    let (group, resource, subresource) = (part(), part(), part());
    json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:csp-operator:csp-operator",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:csp-operator", "system:authenticated"],
            "resourceAttributes": {
                "group": group, "resource": resource, "subresource": subresource,
                "namespace": namespace, "name": name, "verb": verb,
            },
        },
    })
}

/// Asks all at once: what `kubectl auth can-i` asks, without a kubectl for each.
fn allowed() -> BTreeSet<String> {
    let questions: Vec<_> = EXPECTED.iter().flat_map(|row| VERBS.map(|verb| (row, verb))).collect();
    let items: Vec<_> = questions.iter().map(|(row, verb)| review(row, verb)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let answers = SHARED.kubectl_with_input(&["create", "--filename=-", "--output=json"], &list).unwrap();
    let answers: Vec<Value> = Deserializer::from_str(&answers).into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.len(), questions.len());
    let yes = questions.iter().zip(&answers).filter(|(_, answer)| answer["status"]["allowed"] == true);
    yes.map(|((row, verb), _)| sentence(row, verb)).collect()
}

fn sentence((object, namespace, name, _): &Row, verb: &str) -> String {
    format!("{verb} {object} {name:?} in {namespace:?}")
}

#[test]
fn the_operator_may_do_what_it_needs_and_nothing_else() {
    SHARED.apply_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../manifests/rbac")).unwrap();
    let verbs = |row: &'static Row| row.3.split_whitespace().map(|verb| sentence(row, verb));
    let expected: BTreeSet<_> = EXPECTED.iter().flat_map(verbs).collect();
    // The authorizer learns of the bindings a moment after they are made.
    eventually("the bindings count", || {
        let can_i = ["auth", "can-i", "list", "namespaces", "--as=system:serviceaccount:csp-operator:csp-operator"];
        SHARED.kubectl_output(&can_i).is_ok()
    });
    let allowed = allowed();
    let missing: Vec<_> = expected.difference(&allowed).collect();
    let superfluous: Vec<_> = allowed.difference(&expected).collect();
    assert!(missing.is_empty() && superfluous.is_empty(), "missing: {missing:#?}\nsuperfluous: {superfluous:#?}");
}
