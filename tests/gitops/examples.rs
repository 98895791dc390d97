//! The examples stay as they were applied, and those for Argo CD and Flux are what their CRDs want.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize as _;
use serde_json::Value;
use stage::Stage;

use crate::built;
use crate::theatre::{ARGUMENTS, eventually, get, take, until_established};

/// The folders whose objects the operator acts on.
fn folders() -> [String; 2] {
    ["quickstart", "situations"].map(|folder| stage::root().join("examples").join(folder).display().to_string())
}

/// All objects of the three kinds, by kind and name.
fn objects(stage: &Stage) -> BTreeMap<String, Value> {
    let list = get(stage, &["csp", "--all-namespaces"]).unwrap_or_default();
    let all = list["items"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|it| (format!("{} {}", it["kind"], it["metadata"]["name"]), it)).collect()
}

fn is_looked_at(object: &Value) -> bool {
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
}

fn is_ready(object: &Value) -> bool {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.clone().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn versions(stage: &Stage) -> BTreeMap<String, (Value, Value)> {
    let version = |it: &Value| (it["metadata"]["generation"].clone(), it["metadata"]["resourceVersion"].clone());
    objects(stage).iter().map(|(name, it)| (name.clone(), version(it))).collect()
}

/// kubectl with the examples' files.
fn kubectl(stage: &Stage, arguments: &[&str]) -> Result<String, stage::Error> {
    let [quickstart, situations] = folders();
    stage.kubectl(&[arguments, &["--filename", &quickstart, "--filename", &situations]].concat())
}

#[test]
fn what_has_converged_is_as_it_was_applied() {
    let mut stage = take();
    for way in [&["--server-side"][..], &[]] {
        let (apply, diff) = ([&["apply"], way].concat(), [&["diff"], way].concat());
        // The namespace may not be known yet when the rest comes: then the API server refuses, and a pipeline repeats.
        kubectl(&stage, &apply).unwrap();
        let is_done = || {
            let objects = objects(&stage);
            let (looked_at, ready) =
                (objects.values().all(is_looked_at), objects.values().filter(|it| is_ready(it)).count());
            (looked_at && ready * 4 > objects.len() * 3).then_some(ready)
        };
        let explain = || {
            let waiting = objects(&stage).into_iter().filter(|(_, it)| !is_ready(it));
            waiting
                .map(|(name, it)| format!("{name}: {}", it["status"]["conditions"][0]))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let ready = eventually("most of the examples are Ready", is_done, explain);
        println!("{ready} of {} objects are Ready; applied by {apply:?}", objects(&stage).len());
        kubectl(&stage, &diff).unwrap_or_else(|error| panic!("{diff:?} shows a difference: {error}"));
        // Nobody else writes meanwhile, so that what changes has been changed by kubectl.
        stage.operator.stop().unwrap();
        let before = versions(&stage);
        kubectl(&stage, &apply).unwrap();
        assert_eq!(versions(&stage), before, "{apply:?} changes something");
        kubectl(&stage, &diff).unwrap_or_else(|error| panic!("{diff:?} shows a difference: {error}"));
        // Else none of this would tell anything.
        let denied = r#"{"spec":{"azureReservations":"Deny"}}"#;
        stage.kubectl(&["patch", "cpp", "fabrikam", "-n", "csp-customers", "--type=merge", "--patch", denied]).unwrap();
        assert!(kubectl(&stage, &diff).is_err(), "{diff:?} shows nothing of what somebody has changed");
        stage.operator.start(&ARGUMENTS).unwrap();
        kubectl(&stage, &["delete", "--timeout=120s", "--ignore-not-found"]).unwrap();
    }
}

#[test]
fn the_examples_for_both_tools_are_what_their_crds_want() {
    let stage = take();
    for crds in ["kustomizations-crd.yaml", "argocd-crds"] {
        stage.kubectl(&["apply", "--server-side", "--filename", &built(crds).display().to_string()]).unwrap();
    }
    stage.cluster.apply_path(stage::root().join("tests/gitops/flux/source-crds.yaml")).unwrap();
    until_established(&stage);
    for namespace in ["argocd", "flux-system", "csp-customers"] {
        stage.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}")).unwrap();
    }
    for folder in ["argocd", "flux"] {
        let folder = stage::root().join("examples/gitops").join(folder).display().to_string();
        // Strict: a field that is none is an error.
        stage.kubectl(&["apply", "--dry-run=server", "--validate=strict", "--filename", &folder]).unwrap();
    }
    stage.kubectl(&["delete", "namespace", "csp-customers"]).unwrap();
}

#[test]
fn each_health_check_is_shipped_in_one_wording() {
    let read = |path: &str| fs::read_to_string(stage::root().join(path)).unwrap();
    let documents = |path: &str| {
        let text = read(path);
        let all = serde_yaml::Deserializer::from_str(&text).map(|it| Value::deserialize(it).unwrap());
        all.collect::<Vec<_>>()
    };
    let script = read("manifests/gitops/argocd/resource_customizations/csp-operator.dev/_/health.lua");
    let patch = &documents("manifests/gitops/argocd/argocd-cm.yaml")[0];
    let scripts = patch["data"].as_object().unwrap();
    assert_eq!(scripts.len(), 3);
    assert!(scripts.values().all(|it| *it == script), "argocd-cm.yaml has another script than health.lua");
    let flux = &documents("manifests/gitops/flux/health-check-exprs.yaml")[0]["spec"]["healthCheckExprs"];
    let example = documents("examples/gitops/flux/customers.yaml");
    let example = example.iter().find(|it| it["kind"] == "Kustomization").unwrap();
    assert_eq!(example["spec"]["healthCheckExprs"], *flux);
}
