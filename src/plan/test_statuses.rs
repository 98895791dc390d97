//! Statuses that tests of the planner have reached, written to the directory that `CSP_STATUSES` names, for the GitOps
//! tools to judge (`make gitops`). Without it, nothing is written.
//!
//! Each status is written with the object around it, as the API server has it, once for every shape: what a tool can go
//! by is how the generations compare, whether the object is being deleted, and type, status and reason of conditions.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use kube::Resource;
use serde::Serialize;
use serde_json::{Value, json};

use super::catalogue;

static DIRECTORY: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let directory = PathBuf::from(std::env::var_os("CSP_STATUSES")?);
    fs::create_dir_all(&directory).unwrap();
    Some(directory)
});

static WRITTEN: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// Keeps a status that an object of this generation has had, as it was, and as it stood before the next pass when the
/// object was edited, or deleted, right afterwards.
pub(super) fn keep<K: Resource<DynamicType = ()>>(generation: i64, is_deleting: bool, status: &impl Serialize) {
    let status = serde_json::to_value(status).unwrap();
    is_catalogued(&K::kind(&()), &status);
    let Some(directory) = DIRECTORY.as_ref() else { return };
    let since = [(generation, is_deleting), (generation + 1, is_deleting), (generation + 1, true)];
    for (generation, is_deleting) in since {
        let hash = shape(&K::kind(&()), generation, is_deleting, &status);
        if !WRITTEN.lock().unwrap().insert(hash) {
            continue;
        }
        let deleted = is_deleting.then_some("2026-03-02T08:00:00Z");
        let mut object = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": { "name": "object", "namespace": "ns", "uid": "uid", "generation": generation },
            "status": status,
        });
        if let Some(deleted) = deleted {
            object["metadata"]["deletionTimestamp"] = deleted.into();
        }
        fs::write(directory.join(format!("{}-{hash:016x}.json", K::kind(&()))), object.to_string()).unwrap();
    }
}

/// Reasons that only tests give.
const MADE_UP: [&str; 3] = ["Refused", "Unavailable", "X"];

/// Every condition says what the catalogue, and so the reference, knows of it.
fn is_catalogued(kind: &str, status: &Value) {
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let [type_, truth, reason] = ["type", "status", "reason"].map(|field| condition[field].as_str().unwrap());
        // Tests have the sign-in refused for any failure, the operator for some.
        let is_any_denial = type_ == "PartnerAuthorized" && catalogue::FAILURES.contains(&reason);
        assert!(
            catalogue::may_say(kind, type_, truth, reason) || is_any_denial || MADE_UP.contains(&reason),
            "src/plan/catalogue.rs does not know that {type_} of a {kind} can be {truth} with the reason {reason}"
        );
    }
}

fn shape(kind: &str, generation: i64, is_deleting: bool, status: &Value) -> u64 {
    let age = |of: &Value| of["observedGeneration"].as_i64().map(|observed| observed.cmp(&generation));
    let mut hasher = DefaultHasher::new();
    (kind, is_deleting, age(status), status["observedGeneration"].as_i64() == Some(-1)).hash(&mut hasher);
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let word = |field: &str| condition[field].as_str().unwrap_or_default();
        (word("type"), word("status"), word("reason"), age(condition)).hash(&mut hasher);
    }
    hasher.finish()
}
