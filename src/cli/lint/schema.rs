//! One object against the schema of its kind: structure, strictness, and the rules in CEL.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube_cel::{CompiledSchema, RootContext, Validator, compile_schema};
use serde_json::Value;

use super::super::manifests::{Manifest, escaped};
use super::metadata::{self, Found};
use super::{GROUP, Problem, Severity};
use crate::api::crds;

/// The schemas of the three kinds, as they are in the CRDs of this program.
pub(super) struct Schemas {
    /// By group and version, and kind.
    by_kind: BTreeMap<(String, String), Schema>,
    validator: Validator,
}

struct Schema {
    schema: Value,
    rules: CompiledSchema,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let mut by_kind = BTreeMap::new();
        for crd in crds() {
            for version in &crd.spec.versions {
                let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
                let Some(Ok(schema)) = schema.map(serde_json::to_value) else { continue };
                let key = (format!("{}/{}", crd.spec.group, version.name), crd.spec.names.kind.clone());
                by_kind.insert(key, Schema { rules: compile_schema(&schema), schema });
            }
        }
        Self { by_kind, validator: Validator::new() }
    }

    /// What the API server would refuse `manifest` for; nothing of objects of other groups.
    pub(super) fn check(&self, manifest: &Manifest) -> Vec<Problem> {
        if !manifest.api_version().starts_with(GROUP) {
            return Vec::new();
        }
        let key = (manifest.api_version().to_owned(), manifest.kind().to_owned());
        let Some(schema) = self.by_kind.get(&key) else {
            let known: Vec<_> = self.by_kind.keys().map(|(version, kind)| format!("{kind} of {version}")).collect();
            let what = format!("there is no {} of {}; this program knows {}", key.1, key.0, known.join(", "));
            return vec![Problem::new(Severity::Error, manifest, "/kind", what)];
        };
        let mut found = metadata::check(manifest.value());
        found.extend(manifest.repeated().map(|pointer| (pointer, "stands here a second time".to_owned())));
        let mut value = manifest.value().clone();
        if let Some(object) = value.as_object_mut() {
            for (key, _) in object
                .iter()
                .filter(|(key, _)| !["apiVersion", "kind", "metadata", "spec", "status"].contains(&key.as_str()))
            {
                found.push((format!("/{}", escaped(key)), "there is no such field".to_owned()));
            }
            // What is said of the status is not taken from a manifest.
            object.remove("status");
        }
        let spec = &schema.schema["properties"]["spec"];
        match value.get("spec") {
            None => found.push((String::new(), "spec is required".to_owned())),
            Some(value) => structure(spec, value, "/spec", &mut found),
        }
        if found.is_empty() {
            let (group, _) = manifest.api_version().split_once('/').unwrap_or_default();
            let root = RootContext {
                api_version: manifest.api_version().to_owned(),
                api_group: group.to_owned(),
                kind: manifest.kind().to_owned(),
            };
            let verdict = self.validator.validate_compiled_with_context(&schema.rules, &value, None, Some(&root));
            let errors = verdict.err().map(kube_cel::ValidationErrors::into_vec).unwrap_or_default();
            found.extend(errors.into_iter().map(|error| (pointer(&error.field_path), error.message)));
        }
        found.into_iter().map(|(pointer, what)| Problem::new(Severity::Error, manifest, &pointer, what)).collect()
    }
}

/// A path such as `spec.owners[0].objectId` as a JSON pointer. No name in our schemas has a dot.
fn pointer(path: &str) -> String {
    let steps = path.split(['.', '[']).filter(|step| !step.is_empty());
    steps.fold(String::new(), |pointer, step| format!("{pointer}/{}", step.trim_end_matches(']')))
}

/// What our schemas use of `OpenAPI`, as the API server checks it.
fn structure(schema: &Value, value: &Value, pointer: &str, found: &mut Vec<Found>) {
    // The API server takes a null for nothing where there is a default.
    if value.is_null() && !schema["default"].is_null() {
        return;
    }
    let mut wrong = |what: String| found.push((pointer.to_owned(), what));
    let wanted = schema["type"].as_str().unwrap_or_default();
    let is_of_type = match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    if !is_of_type {
        return wrong(format!("must be of type {wanted}, and is {}", shown(value)));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        let allowed: Vec<_> = allowed.iter().map(shown).collect();
        wrong(format!("must be one of {}, and is {}", allowed.join(", "), shown(value)));
    }
    match value {
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if schema["minLength"].as_u64().is_some_and(|min| length < min) {
                wrong("must not be empty".to_owned());
            }
            if let Some(max) = schema["maxLength"].as_u64().filter(|max| length > *max) {
                wrong(format!("must have at most {max} characters, and has {length}"));
            }
            if schema["format"] == "date-time" && text.parse::<Timestamp>().is_err() {
                wrong(format!("must be a time such as 2027-01-31T12:00:00Z, and is {}", shown(value)));
            }
        }
        Value::Array(items) => {
            if let Some(max) = schema["maxItems"].as_u64().filter(|max| items.len() as u64 > *max) {
                wrong(format!("must have at most {max} entries, and has {}", items.len()));
            }
            for (index, item) in items.iter().enumerate() {
                structure(&schema["items"], item, &format!("{pointer}/{index}"), found);
            }
            repeated(schema, items, pointer, found);
        }
        Value::Object(entries) => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for name in required.filter(|name| !entries.contains_key(*name)) {
                wrong(format!("{name} is required"));
            }
            for (name, value) in entries {
                let pointer = format!("{pointer}/{}", escaped(name));
                match schema["properties"].get(name) {
                    Some(schema) => structure(schema, value, &pointer, found),
                    None => found.push((pointer, "there is no such field".to_owned())),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Entries of a list that stands for a map may not have the same key.
fn repeated(schema: &Value, items: &[Value], pointer: &str, found: &mut Vec<Found>) {
    if schema["x-kubernetes-list-type"] != "map" {
        return;
    }
    let keys: Vec<_> =
        schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let key_of = |item: &Value| keys.iter().map(|key| item[*key].clone()).collect::<Vec<_>>();
    for (index, item) in items.iter().enumerate() {
        if items[..index].iter().any(|before| key_of(before) == key_of(item)) {
            found.push((format!("{pointer}/{index}"), "stands in the list already".to_owned()));
        }
    }
}

/// A value in a message, not endless.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string().chars().take(80).collect(),
    }
}
