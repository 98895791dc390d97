//! No secret in anything that people or programs read: `tests/no-secrets.sh` looks through what `make test` has written, and
//! every scene looks through the API server when it ends.

use std::process::Command;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stage::NAMESPACE;

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};

use crate::outside::credentials;
use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene};
use crate::stages::{Exclusive, View, eventually, run, shared};

/// How the secrets of tests are recognised, one on each line.
const MARKS: &str = include_str!("../secrets.txt");

/// Whether one of them is in this text.
pub(crate) fn has_secret(text: &str) -> bool {
    MARKS.lines().any(|mark| text.contains(mark))
}

/// Asserts that no object of the operator, but for the two Secrets, and none of this namespace holds a secret.
pub(crate) fn assert_none(view: &View, namespace: &str) {
    for (name, text) in written(view, namespace) {
        assert!(!has_secret(&text), "a secret is in {name}");
    }
}

/// Every object of the operator, but for the two Secrets, and of this namespace: its name, and it as JSON.
pub(crate) fn written(view: &View, namespace: &str) -> Vec<(String, String)> {
    let mut found = objects::<Customer>(view, namespace);
    found.extend(objects::<AzureSubscription>(view, namespace));
    found.extend(objects::<CustomerPurchasePermission>(view, namespace));
    for namespace in [namespace, NAMESPACE] {
        found.extend(objects::<Event>(view, namespace));
        found.extend(objects::<ConfigMap>(view, namespace));
        found.extend(objects::<Lease>(view, namespace));
    }
    found
}

fn objects<K>(view: &View, namespace: &str) -> Vec<(String, String)>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(view.client.clone(), namespace);
    let list = run(api.list(&ListParams::default())).unwrap();
    let told = |object: &K| {
        let name = object.meta().name.clone().unwrap_or_default();
        (format!("{} {namespace}/{name}", K::kind(&())), serde_json::to_string(object).unwrap())
    };
    list.items.iter().map(told).collect()
}

#[test]
fn a_secret_in_an_object_is_found() {
    let scene = Scene::new(shared().1);
    scene.declare(ALLOW_RESERVATIONS);
    assert_none(&scene.view, &scene.namespace);
    let note = |value: Option<&str>| {
        let patch = serde_json::json!({ "metadata": { "annotations": { "note": value } } });
        scene.patch::<CustomerPurchasePermission>("permission", &patch);
    };
    for mark in MARKS.lines() {
        note(Some(&format!("a {mark} b")));
        let looked =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| assert_none(&scene.view, &scene.namespace)));
        assert!(looked.is_err());
    }
    note(None);
}

#[test]
fn the_most_detailed_log_of_a_sign_in_a_grant_and_a_revoke_tells_no_secret() {
    let mut exclusive = Exclusive::take();
    let secrets: Api<Secret> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
    let _ = run(secrets.delete("csp-operator-tokens", &DeleteParams::default()));
    let before = exclusive.stage.operator.log().len();
    exclusive.start(&["--log-filter", "trace"]);
    let scene = Scene::new(&exclusive.view);
    scene.converge(ALLOW_RESERVATIONS);
    // A sign-in that is refused, and one that works again.
    credentials(&exclusive, "clientSecret: simulated-client-secret", "clientSecret: simulated-client-secret-2");
    eventually("it is refused", || {
        exclusive.served("metrics").contains("partner_denied{reason=\"CredentialsInvalid\"} 1").then_some(())
    });
    credentials(&exclusive, "", "");
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    exclusive.stage.operator.stop().unwrap();
    let log = exclusive.stage.operator.log();
    let log = &log[before..];
    for target in ["TRACE hyper", "TRACE kube_runtime", "DEBUG csp_operator"] {
        let (level, target) = target.split_once(' ').unwrap();
        let is_so = |line: &str| line.contains(&format!(" {level} ")) && line.contains(target);
        assert!(log.lines().any(is_so), "no {level} of {target}");
    }
    let told = log.lines().filter(|line| has_secret(line)).count();
    assert_eq!(told, 0, "lines with a secret");
}

/// What the script says of a directory with these files.
fn searched(name: &str, files: &[(&str, &str)]) -> Option<i32> {
    let directory = std::env::temp_dir().join(format!("csp-operator-no-secrets-{name}-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("below")).unwrap();
    for (file, text) in files {
        std::fs::write(directory.join(file), text).unwrap();
    }
    let output = Command::new(stage::root().join("tests/no-secrets.sh")).arg(&directory).output().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(!has_secret(&String::from_utf8_lossy(&output.stderr)), "it does not say it again");
    output.status.code()
}

#[test]
fn a_planted_secret_in_what_was_written_fails_make_test() {
    assert_eq!(searched("clean", &[("output.log", "test a_secret_is_named ... ok")]), Some(0));
    for (index, mark) in MARKS.lines().enumerate() {
        let planted = format!("2026-01-01 INFO signed in with \"{mark}\"\n");
        let files = [("output.log", "ok"), ("below/operator.log", planted.as_str())];
        assert_eq!(searched(&index.to_string(), &files), Some(1), "mark {index}");
    }
    assert_eq!(searched("empty", &[("output.log", "")]), Some(2), "nothing was collected");
}
