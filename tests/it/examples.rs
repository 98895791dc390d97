//! Every manifest in `examples/` can be applied as it is, and the installation's settings reach the operator.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::stages::{MADE_HERE, run, shared};

/// The YAML files below a directory, sorted.
fn yaml_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn documents(path: &Path) -> Vec<Value> {
    parsed(&fs::read_to_string(path).unwrap(), &path.display().to_string())
}

/// The documents in this text from `origin`.
fn parsed(text: &str, origin: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{origin}: {error}")))
        .filter(|document| !document.is_null())
        .collect()
}

/// A world file of the simulator, and a kustomization, are not for the API server.
fn is_manifest(document: &Value) -> bool {
    document["apiVersion"].is_string() && document["kind"].is_string() && document["kind"] != "Kustomization"
}

fn is_there_already(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.reason == "AlreadyExists")
}

#[test]
fn every_example_is_accepted_by_the_api_server() {
    let (reach, view) = shared();
    let files: Vec<_> = yaml_files(&stage::root().join("examples"))
        .into_iter()
        // What needs the CRDs of Argo CD and Flux is applied where these are: tests/gitops/examples.rs.
        .filter(|path| !path.starts_with(stage::root().join("examples/gitops")))
        .map(|path| (documents(&path), path))
        .filter(|(documents, _)| documents.iter().any(is_manifest))
        .collect();
    assert!(!files.is_empty(), "there is no example");
    for (documents, path) in files {
        for namespace in documents.iter().filter_map(|document| document["metadata"]["namespace"].as_str()) {
            let namespace: Namespace =
                serde_json::from_value(json!({ "metadata": { "name": namespace, "labels": { MADE_HERE: "true" } } }))
                    .unwrap();
            let made = run(Api::all(view.client.clone()).create(&PostParams::default(), &namespace));
            // One that is there already is left as it is.
            assert!(made.as_ref().map_or_else(is_there_already, |_| true), "{made:?}");
        }
        let said = reach.kubectl(&["apply", "--dry-run=server", "--filename", &path.display().to_string()]);
        let said = said.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(said.lines().count(), documents.len(), "{}: {said}", path.display());
    }
}

/// What `kubectl apply -f examples/quickstart -f examples/situations` comes to, where the admission policy is in force.
#[test]
fn all_situations_can_be_applied_together_in_the_namespace_of_the_quickstart() {
    let examples = stage::root().join("examples");
    let together: Vec<_> = ["quickstart", "situations"]
        .iter()
        .flat_map(|folder| yaml_files(&examples.join(folder)))
        .flat_map(|path| documents(&path).into_iter().map(move |document| (path.clone(), document)))
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // What the demo promises when it ends.
    let world = fs::read_to_string(examples.join("demo/world.yaml")).unwrap();
    let (mut names, mut tenants, mut allowed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (path, document) in &together {
        let (kind, metadata) = (text(&document["kind"]), &document["metadata"]);
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        let other = names.insert((kind.clone(), namespace, name.clone()), path);
        assert!(other.is_none(), "{} and {} both have the {kind} {name}", other.unwrap().display(), path.display());
        if kind == "Namespace" {
            allowed.insert(name, text(&metadata["annotations"]["csp-operator.dev/allowed-customers"]));
        } else if kind == "Customer" {
            let other = tenants.insert(text(&document["spec"]["tenantId"]), path);
            assert!(other.is_none(), "{} and {} are one tenant", other.unwrap().display(), path.display());
        }
        for id in ["tenantId", "subscriptionId"].iter().filter_map(|field| document["spec"][field].as_str()) {
            assert!(world.contains(&format!("d: {id}\n")), "{}: the demo's simulator has no {id}", path.display());
        }
    }
    for (path, customer) in together.iter().filter(|(_, document)| document["kind"] == "Customer") {
        let tenant = text(&customer["spec"]["tenantId"]);
        let listed = &allowed[&text(&customer["metadata"]["namespace"])];
        assert!(listed.split(',').any(|entry| entry.trim() == tenant), "{}: {tenant} is not listed", path.display());
    }
}

#[test]
fn settings_of_the_example_installation_are_added_to_those_of_the_base() {
    let (reach, _) = shared();
    let deployment = |directory: &str| {
        let path = stage::root().join(directory).display().to_string();
        let built = reach.kubectl(&["kustomize", &path]).unwrap();
        reach.kubectl_with_input(&["apply", "--dry-run=server", "--filename=-"], &built).unwrap();
        let deployment = parsed(&built, directory).into_iter().find(|document| document["kind"] == "Deployment");
        deployment.unwrap()["spec"]["template"]["spec"]["containers"][0].take()
    };
    let (base, mut own) = (deployment("manifests/base"), deployment("examples/install"));
    assert_ne!(own["image"], base["image"]);
    let env = own["env"].take();
    for one in base["env"].as_array().unwrap() {
        assert!(env.as_array().unwrap().contains(one), "{one} is lost: {env}");
    }
    assert_eq!(own["args"], base["args"]);
    let operator = |arguments: &[&str]| {
        let mut operator = Command::new(env!("CARGO_BIN_EXE_csp-operator"));
        operator.env_clear().args(arguments);
        operator
    };
    let help = String::from_utf8(operator(&["run", "--help"]).output().unwrap().stdout).unwrap();
    // As the container starts it, but for what makes it end once the variables have been read.
    let mut started = operator(&["run", "--ca-file", "/nonexistent"]);
    for one in env.as_array().unwrap() {
        let (name, value) = (one["name"].as_str().unwrap(), one["value"].as_str().unwrap());
        assert!(help.contains(&format!("[env: {name}=")), "no setting is called {name}");
        started.env(name, value);
    }
    let said = String::from_utf8(started.output().unwrap().stderr).unwrap();
    assert!(said.contains("--ca-file /nonexistent cannot be read"), "the values are not understood: {said}");
}

/// The kustomizations that docs/security.md shows, each built beside the repository's manifests as a reader would.
#[test]
fn the_kustomizations_of_the_book_do_what_it_says() {
    let (reach, _) = shared();
    let result = |directory: &Path| {
        let built = reach.kubectl(&["kustomize", &directory.display().to_string()]).unwrap();
        reach.kubectl_with_input(&["apply", "--dry-run=server", "--filename=-"], &built).unwrap();
        parsed(&built, &directory.display().to_string())
    };
    let name = |document: &Value| format!("{} {}", document["kind"], document["metadata"]["name"]);
    let base = result(&stage::root().join("manifests/base"));
    let page = fs::read_to_string(stage::root().join("docs/security.md")).unwrap();
    let target = stage::root().join("target");
    let mut differences = Vec::new();
    for (number, shown) in page.split("```yaml\n").filter(|block| block.starts_with("resources:")).enumerate() {
        // As deep as what it refers to by a relative path.
        let directory = target.join(format!("page-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("kustomization.yaml"), shown.split("```").next().unwrap()).unwrap();
        let built = result(&directory);
        fs::remove_dir_all(&directory).unwrap();
        let lost = base.iter().map(name).filter(|one| !built.iter().any(|other| name(other) == *one));
        let changed = built.iter().filter(|one| !base.contains(one)).map(name);
        differences.push((lost.collect::<Vec<_>>(), changed.collect::<Vec<_>>()));
    }
    let policy = ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
        .map(|kind| format!("\"{kind}\" \"csp-operator-allowed-customers\""));
    assert_eq!(differences, [(policy.to_vec(), Vec::<String>::new())]);
}
