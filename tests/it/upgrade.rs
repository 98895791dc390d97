//! What each released version has declared and written (`tests/released/VERSION`) is valid, means the same, and causes no write.
//! docs/upgrade.md promises it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission, crds};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::scene::{PORTAL_USER, RESERVATIONS, SAVINGS_PLANS};
use crate::stages::{Exclusive, NO_SCENES_CUSTOMER, QUICK, eventually, run, shared};
use crate::uninstall::Restored;

const NAMESPACE: &str = "released";

/// A released version.
struct Release {
    version: String,
    directory: PathBuf,
}

fn releases() -> Vec<Release> {
    let entries = fs::read_dir(stage::root().join("tests/released")).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = entries
        .filter(|path| path.is_dir())
        .map(|directory| Release { version: directory.file_name().unwrap().display().to_string(), directory })
        .collect();
    assert!(!found.is_empty(), "no release is recorded");
    found
}

impl Release {
    fn crds(&self) -> Vec<Value> {
        let files = fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| is_crd(path)).map(|path| yaml(&fs::read_to_string(path).unwrap())).collect()
    }

    fn objects(&self) -> Vec<Value> {
        let list = yaml(&fs::read_to_string(self.directory.join("objects.yaml")).unwrap());
        list["items"].as_array().unwrap().clone()
    }
}

fn is_crd(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.display().to_string().starts_with("csp-operator.dev_"))
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn no_name_field_or_value_of_a_release_is_gone_and_nothing_new_is_demanded() {
    let now: Vec<Value> = crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    for release in releases() {
        let before = release.crds();
        assert_eq!(before.len(), 3, "{}", release.version);
        for crd in before {
            let name = &crd["metadata"]["name"];
            let successor = now.iter().find(|crd| crd["metadata"]["name"] == *name).unwrap_or(&Value::Null);
            let mut broken = incompatibilities(&crd, successor);
            broken.retain(|one| !STRICTER.iter().any(|(stricter, _)| one.starts_with(stricter)));
            assert!(broken.is_empty(), "{name} since {}:\n{}", release.version, broken.join("\n"));
        }
    }
}

/// Where a release is stricter than one before, and why nobody misses what it refuses.
const STRICTER: [(&str, &str); 2] = [
    (
        "v1alpha1.spec.customerRef.name: not asked before: self.matches('^[a-z0-9](",
        "no object can have another name, so that such a reference never led anywhere",
    ),
    ("v1alpha1.spec.azureSubscriptionRefs[].name: not asked before: self.matches('^[a-z0-9](", "the same"),
];

/// What somebody who relies on `before` would miss in `now`; both are CRDs.
fn incompatibilities(before: &Value, now: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for name in ["plural", "singular", "kind"] {
        if before["spec"]["names"][name] != now["spec"]["names"][name] {
            broken.push(format!("names.{name} has changed"));
        }
    }
    for list in ["shortNames", "categories"] {
        gone(&format!("names.{list}"), &before["spec"]["names"][list], &now["spec"]["names"][list], &mut broken);
    }
    for version in before["spec"]["versions"].as_array().unwrap() {
        let name = version["name"].as_str().unwrap();
        let versions = now["spec"]["versions"].as_array().map_or(&[] as &[Value], Vec::as_slice);
        match versions.iter().find(|version| version["name"] == name && version["served"] == true) {
            None => broken.push(format!("{name} is not served any more")),
            Some(now) => {
                gone(name, &version["selectableFields"], &now["selectableFields"], &mut broken);
                let schema = |version: &Value| version["schema"]["openAPIV3Schema"].clone();
                fields(name, &schema(version), &schema(now), &mut broken);
            }
        }
    }
    broken
}

/// Elements of the first list that the second one lacks.
fn gone(what: &str, before: &Value, now: &Value, broken: &mut Vec<String>) {
    let elements = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let kept = elements(now);
    broken.extend(
        elements(before).iter().filter(|element| !kept.contains(element)).map(|gone| format!("{what}: {gone} is gone")),
    );
}

fn fields(path: &str, before: &Value, now: &Value, broken: &mut Vec<String>) {
    if before["type"] != now["type"] || before["default"] != now["default"] {
        broken.push(format!("{path}: type or default has changed"));
    }
    gone(path, &before["enum"], &now["enum"], broken);
    gone(&format!("{path}: not demanded before:"), &now["required"], &before["required"], broken);
    if before.get("enum").is_none() && now.get("enum").is_some() {
        broken.push(format!("{path}: any value was good"));
    }
    limits(path, before, now, broken);
    for (name, field) in before["properties"].as_object().into_iter().flatten() {
        match now["properties"].get(name) {
            None => broken.push(format!("{path}.{name} is gone")),
            Some(now) => fields(&format!("{path}.{name}"), field, now, broken),
        }
    }
    for inside in ["items", "additionalProperties"] {
        if before[inside].is_object() {
            fields(&format!("{path}[]"), &before[inside], &now[inside], broken);
        }
    }
}

/// What `now` asks of a value that `before` did not.
fn limits(path: &str, before: &Value, now: &Value, broken: &mut Vec<String>) {
    for limit in
        ["pattern", "format", "multipleOf", "uniqueItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"]
    {
        if now.get(limit).is_some() && now[limit] != before[limit] {
            broken.push(format!("{path}: {limit} is {} and was {}", now[limit], before[limit]));
        }
    }
    for (limits, is_stricter) in [
        (["maxLength", "maxItems", "maxProperties", "maximum"], f64::lt as fn(&f64, &f64) -> bool),
        (["minLength", "minItems", "minProperties", "minimum"], f64::gt),
    ] {
        for limit in limits {
            let Some(new) = now[limit].as_f64() else { continue };
            if before[limit].as_f64().is_none_or(|old| is_stricter(&new, &old)) {
                broken.push(format!("{path}: {limit} is {new} and was {}", before[limit]));
            }
        }
    }
    let rules = |schema: &Value| -> BTreeSet<String> {
        let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
        rules.map(|rule| rule["rule"].as_str().unwrap().to_owned()).collect()
    };
    broken.extend(rules(now).difference(&rules(before)).map(|rule| format!("{path}: not asked before: {rule}")));
}

#[test]
fn what_a_release_would_refuse_that_was_good_is_found() {
    let before = serde_json::to_value(&crds()[0]).unwrap();
    let tighten = |limit: &str, value: Value| {
        let mut now = before.clone();
        let spec = &mut now["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let field = spec["properties"].as_object_mut().unwrap().values_mut().next().unwrap();
        field[limit] = value;
        let broken = incompatibilities(&before, &now);
        assert_eq!(broken.len(), 1, "{limit}: {broken:?}");
        assert!(incompatibilities(&now, &before).iter().all(|one| one.contains("not asked before")), "{limit}");
    };
    for limit in ["pattern", "format"] {
        tighten(limit, json!("x"));
    }
    for limit in ["maxLength", "maxItems"] {
        tighten(limit, json!(1));
    }
    for limit in ["minLength", "minItems"] {
        tighten(limit, json!(9));
    }
    tighten("x-kubernetes-validations", json!([{ "rule": "self == 'x'" }]));
}

#[test]
fn every_object_of_a_release_could_be_created_today() {
    let client = &shared().1.client;
    let try_out = PostParams { dry_run: true, ..PostParams::default() };
    for release in releases() {
        for object in release.objects() {
            let mut created: DynamicObject = serde_json::from_value(object.clone()).unwrap();
            created.metadata.namespace = Some("default".to_owned());
            let taken =
                run(Api::namespaced_with(client.clone(), "default", &resource(&object)).create(&try_out, &created));
            assert!(taken.is_ok(), "{} of {}: {taken:?}", object["metadata"]["name"], release.version);
        }
    }
}

#[test]
fn what_a_release_would_miss_is_found() {
    let mut before = serde_json::to_value(&crds()[0]).unwrap();
    assert_eq!(incompatibilities(&before, &before), [] as [&str; 0]);
    let now = before.clone();
    let schema = &mut before["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let spec = &mut schema["properties"]["spec"];
    spec["properties"]["formerly"] = json!({ "type": "string" });
    spec["properties"].as_object_mut().unwrap().values_mut().for_each(|field| {
        if let Some(values) = field.get_mut("enum").and_then(Value::as_array_mut) {
            values.push("Formerly".into());
        }
    });
    spec["required"] = json!([]);
    before["spec"]["names"]["shortNames"].as_array_mut().unwrap().push("formerly".into());
    let broken = incompatibilities(&before, &now).join("\n");
    for expected in ["formerly is gone", "\"Formerly\" is gone", "not demanded before", "names.shortNames"] {
        assert!(broken.contains(expected), "{expected}:\n{broken}");
    }
}

#[test]
fn a_status_that_a_release_wrote_is_read_whole() {
    for release in releases() {
        for object in release.objects() {
            let kind = object["kind"].as_str().unwrap().to_owned();
            let read = match kind.as_str() {
                "Customer" => reread::<Customer>(&object),
                "AzureSubscription" => reread::<AzureSubscription>(&object),
                "CustomerPurchasePermission" => reread::<CustomerPurchasePermission>(&object),
                other => panic!("{other} is none of the kinds"),
            };
            let name = object["metadata"]["name"].as_str().unwrap();
            for part in ["spec", "status"] {
                let lost = lost(part, &object[part], &read[part]);
                assert!(lost.is_empty(), "{kind} {name} of {}: {lost:?}", release.version);
            }
        }
    }
}

fn reread<K: DeserializeOwned + Serialize>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<K>(object.clone()).unwrap()).unwrap()
}

/// Paths of the values that are not the same any more.
fn lost(path: &str, before: &Value, after: &Value) -> Vec<String> {
    match (before, after) {
        (Value::Object(fields), Value::Object(_)) => {
            fields.iter().flat_map(|(name, value)| lost(&format!("{path}.{name}"), value, &after[name])).collect()
        }
        (Value::Array(items), Value::Array(read)) if items.len() == read.len() => {
            items.iter().zip(read).flat_map(|(before, after)| lost(&format!("{path}[]"), before, after)).collect()
        }
        _ if before == after => Vec::new(),
        _ => vec![format!("{path}: {before} was read as {after}")],
    }
}

/// What is recorded is of the customers of examples/; here it is of as many generated ones, from this one on.
const FIRST_CUSTOMER: u32 = NO_SCENES_CUSTOMER;

/// The same manifests with the ids of generated customers, whose number is the last part of every id; and what was to end in the
/// future then ends in the future now.
fn with_ids_of_the_stage(text: &str) -> String {
    let mut text = text.replace("csp-customers", NAMESPACE).replace("2027-06-30T22:00:00Z", "2999-12-31T00:00:00Z");
    for number in 1..0x40 {
        for (of_example, generated) in [('1', 'c'), ('2', 'b'), ('3', 'a'), ('4', 'd')] {
            let old = format!("{of_example}0000000-0000-4000-8000-{number:012x}");
            text = text.replace(&old, &format!("{generated}0000000-0000-4000-8000-{:012x}", FIRST_CUSTOMER + number));
        }
    }
    text
}

/// Objects that say something else here because the generated customers are not those of the examples: one of its users
/// is named by what it signs in with, and a plan would be bought.
const OTHERWISE: [&str; 2] = ["vanarsdel", "coho-vineyard"];

#[test]
fn the_objects_of_a_release_stay_as_they_are_and_nothing_is_written_to_partner_center() {
    for release in releases() {
        let mut exclusive = Exclusive::take();
        let restored = Restored(&exclusive.stage);
        let text = fs::read_to_string(release.directory.join("objects.yaml")).unwrap();
        let objects = yaml(&with_ids_of_the_stage(&text))["items"].as_array().unwrap().clone();
        for crd in
            fs::read_dir(&release.directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| is_crd(path))
        {
            exclusive.stage.cluster.apply_path(crd).unwrap();
        }
        declare(&exclusive, &objects);
        restored.restore();
        drop(restored);
        run(exclusive.view.simulator.forget_requests()).unwrap();

        // A lease as an installation has it: on a busy machine a short one is nearly lost now and then, and conditions say so.
        exclusive.start(&[QUICK[0], QUICK[1], "--lease-duration", "30s"]);
        for object in &objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            let handled = json!({ "metadata": { "annotations": { "csp-operator.dev/reconcile": "upgraded" } } });
            run(api(&exclusive, object).patch(name, &PatchParams::default(), &Patch::Merge(handled))).unwrap();
        }
        let mut compared = 0;
        for before in &objects {
            let name = before["metadata"]["name"].as_str().unwrap();
            let after = eventually(&format!("{name} is read anew"), || {
                let now = run(api(&exclusive, before).get(name)).unwrap();
                (now.data["status"]["lastHandledReconcileAt"] == "upgraded").then_some(now.data)
            });
            if !OTHERWISE.contains(&name) {
                compared += 1;
                assert_eq!(summary(&after), summary(before), "{} {name} of {}", before["kind"], release.version);
            }
        }
        assert!(compared > 30, "{compared}");
        assert_eq!(run(exclusive.view.simulator.writes()).unwrap(), []);
    }
}

/// What must not change by itself.
fn summary(object: &Value) -> Value {
    let status = &object["status"];
    let ready =
        status["conditions"].as_array().and_then(|conditions| conditions.iter().find(|it| it["type"] == "Ready"));
    let ready = ready.cloned().unwrap_or_default();
    let purchases: BTreeSet<_> =
        status["purchases"].as_array().into_iter().flatten().map(|purchase| purchase["id"].to_string()).collect();
    json!({
        "spec": object["spec"],
        "ready": [ready["status"], ready["reason"], ready["lastTransitionTime"]],
        "effective": status["effective"],
        "lastApplied": status["lastApplied"],
        "adopted": status["adopted"],
        "latched": status["latched"],
        "drift": status["drift"],
        "purchases": purchases,
    })
}

fn api(exclusive: &Exclusive, object: &Value) -> Api<DynamicObject> {
    Api::namespaced_with(exclusive.view.client.clone(), NAMESPACE, &resource(object))
}

fn resource(object: &Value) -> ApiResource {
    match object["kind"].as_str().unwrap() {
        "Customer" => ApiResource::erase::<Customer>(&()),
        "AzureSubscription" => ApiResource::erase::<AzureSubscription>(&()),
        _ => ApiResource::erase::<CustomerPurchasePermission>(&()),
    }
}

/// Puts the objects there with their statuses, and Partner Center into the state that they tell of.
fn declare(exclusive: &Exclusive, objects: &[Value]) {
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": {
        "name": NAMESPACE, "annotations": { "csp-operator.dev/allowed-customers": "*" },
    } }))
    .unwrap();
    let _ = run(Api::all(exclusive.view.client.clone()).create(&PostParams::default(), &namespace));
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let created: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        run(api(exclusive, object).create(&PostParams::default(), &created)).unwrap();
        // A new object has generation 1, and what is recorded tells of the generation that it had then.
        let status = json!({ "status": at_generation_one(&object["status"]) });
        run(api(exclusive, object).patch_status(name, &PatchParams::default(), &Patch::Merge(status))).unwrap();
        let simulator = &exclusive.view.simulator;
        let Some(tenant) = object["status"]["tenantId"].as_str().or(object["spec"]["tenantId"].as_str()) else {
            continue;
        };
        for (switch, resource) in [("azureReservations", RESERVATIONS), ("azureSavingsPlans", SAVINGS_PLANS)] {
            if object["status"]["effective"][switch]["state"] == "Allow" {
                run(simulator.portal(tenant, resource, true, PORTAL_USER)).unwrap();
            }
        }
        if let Some(charges) = object["status"]["costManagement"]["applied"].as_str() {
            let shown = json!({ "viewCharges": if charges == "Visible" { "Allowed" } else { "NotAllowed" } });
            run(simulator.call(reqwest::Method::PUT, &format!("customers/{tenant}/charges"), Some(shown))).unwrap();
        }
    }
}

fn at_generation_one(status: &Value) -> Value {
    match status {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match name.as_str() {
                "observedGeneration" | "generation" => (name.clone(), json!(1)),
                _ => (name.clone(), at_generation_one(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(at_generation_one).collect(),
        other => other.clone(),
    }
}
