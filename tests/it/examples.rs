//! Every manifest in `examples/` can be applied as it is.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

use crate::stages::shared;

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
    let text = fs::read_to_string(path).unwrap();
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .filter(|document| !document.is_null())
        .collect()
}

/// A world file of the simulator, and a kustomization, are not for the API server.
fn is_manifest(document: &Value) -> bool {
    document["apiVersion"].is_string() && document["kind"].is_string() && document["kind"] != "Kustomization"
}

#[test]
fn every_example_is_accepted_by_the_api_server() {
    let (stage, _) = shared();
    let files: Vec<_> = yaml_files(&stage::root().join("examples"))
        .into_iter()
        .map(|path| (documents(&path), path))
        .filter(|(documents, _)| documents.iter().any(is_manifest))
        .collect();
    assert!(!files.is_empty(), "there is no example");
    for (documents, path) in files {
        for namespace in documents.iter().filter_map(|document| document["metadata"]["namespace"].as_str()) {
            let namespace = format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {namespace}}}}}");
            stage.apply(&namespace).unwrap();
        }
        let said = stage.kubectl(&["apply", "--dry-run=server", "--filename", &path.display().to_string()]);
        let said = said.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(said.lines().count(), documents.len(), "{}: {said}", path.display());
    }
}
