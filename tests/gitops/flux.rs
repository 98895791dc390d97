//! A real kustomize-controller, with a source that is a folder here: it applies, waits, and prunes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use local_cluster::Process;
use serde::Deserialize as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stage::Stage;

use crate::built;
use crate::theatre::{eventually, get, take, until_established, writes};

const NAMESPACE: &str = "flux-system";

/// Revisions have numbers of their own: one that is known already is not applied again.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// kustomize-controller on a stage, and the files that it gets.
struct Flux<'a> {
    stage: &'a Stage,
    folder: PathBuf,
    server: Server,
    process: Process,
}

/// Serves what is in memory by HTTP, as source-controller serves artifacts.
#[derive(Clone)]
struct Server {
    address: String,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = Self { address: listener.local_addr().unwrap().to_string(), files: Arc::default() };
        let serving = server.clone();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                // A client that goes away is its own business.
                let _ = serving.answer(connection);
            }
        });
        server
    }

    fn answer(&self, mut connection: TcpStream) -> std::io::Result<()> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
            connection.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let found = self.files.lock().unwrap().get(&path).cloned();
        let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
        let body = found.unwrap_or_default();
        write!(connection, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
        connection.write_all(&body)
    }
}

impl<'a> Flux<'a> {
    fn start(stage: &'a Stage) -> Self {
        stage.cluster.apply_path(built("kustomizations-crd.yaml")).unwrap();
        stage.cluster.apply_path(stage::root().join("tests/gitops/flux/source-crds.yaml")).unwrap();
        until_established(stage);
        stage.apply(&format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {NAMESPACE}}}}}")).unwrap();
        let folder = stage.cluster.directory().join("flux");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("source")).unwrap();
        let mut command = Command::new(built("kustomize-controller"));
        command
            .env_clear()
            .env("KUBECONFIG", stage.cluster.kubeconfig())
            .env("RUNTIME_NAMESPACE", NAMESPACE)
            .env("HOME", &folder)
            .env("TMPDIR", &folder)
            .args(["--metrics-addr=0", "--health-addr=127.0.0.1:0", "--requeue-dependency=1s", "--log-level=info"]);
        let process = Process::spawn(command, folder.join("kustomize-controller.log")).unwrap();
        Self { stage, folder, server: Server::start(), process }
    }

    fn source(&self) -> PathBuf {
        self.folder.join("source")
    }

    /// Puts a file into the source.
    fn write(&self, path: &str, text: &str) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes what is in the source a revision that Flux is told of; gives its name.
    fn publish(&self) -> String {
        self.publish_as("source")
    }

    /// The same, as that of the `GitRepository` of this name.
    fn publish_as(&self, name: &str) -> String {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let archive = self.folder.join("source.tar.gz");
        let tar = |command: &mut Command| assert!(command.status().unwrap().success());
        tar(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(self.source()).arg("."));
        let bytes = fs::read(archive).unwrap();
        let digest: String =
            Sha256::digest(&bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        let path = format!("/{number}.tar.gz");
        let revision = format!("main@sha1:{number:040x}");
        let status = json!({ "status": {
            "observedGeneration": 1,
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored",
                "observedGeneration": 1, "lastTransitionTime": "2026-03-02T08:00:00Z",
            }],
            "artifact": {
                "digest": format!("sha256:{digest}"), "size": bytes.len(), "path": path.trim_start_matches('/'),
                "lastUpdateTime": "2026-03-02T08:00:00Z", "revision": revision,
                "url": format!("http://{}{path}", self.server.address),
            },
        } });
        self.server.files.lock().unwrap().insert(path, bytes);
        self.stage
            .apply(&format!(
                "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n\
                 metadata: {{name: {name}, namespace: {NAMESPACE}}}\n\
                 spec: {{interval: 1h, url: \"https://git.example/customers\"}}\n"
            ))
            .unwrap();
        self.stage
            .kubectl(&[
                "patch",
                "gitrepository",
                name,
                "--namespace",
                NAMESPACE,
                "--subresource=status",
                "--type=merge",
                "--patch",
                &status.to_string(),
            ])
            .unwrap();
        revision
    }

    /// Applies a Kustomization of a folder of the source, with our health checks, and more in its spec.
    fn follow(&self, name: &str, spec: &Value) {
        let rules = stage::root().join("manifests/gitops/flux/health-check-exprs.yaml");
        let rules: Value = serde_yaml::from_str(&fs::read_to_string(rules).unwrap()).unwrap();
        let mut kustomization = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": {
                "interval": "1h", "retryInterval": "1s", "timeout": "90s", "prune": true, "wait": true,
                "path": format!("./{name}"), "sourceRef": { "kind": "GitRepository", "name": "source" },
                "healthCheckExprs": rules["spec"]["healthCheckExprs"],
            },
        });
        for (key, value) in spec.as_object().unwrap() {
            kustomization["spec"][key] = value.clone();
        }
        self.stage.apply(&kustomization.to_string()).unwrap();
    }

    fn kustomization(&self, name: &str) -> Option<Value> {
        get(self.stage, &["kustomization", name, "--namespace", NAMESPACE])
    }

    /// Waits until what Flux says of this revision in `Ready` is so, such as `True ReconciliationSucceeded`.
    fn until(&self, name: &str, revision: &str, expected: &str) -> Value {
        let look = || {
            let found = self.kustomization(name)?;
            let ready = condition(&found, "Ready");
            let said = format!("{} {}", text(&ready["status"]), text(&ready["reason"]));
            // What could not be unpacked does not count as attempted.
            let is_of_it =
                found["status"]["lastAttemptedRevision"] == revision || text(&ready["reason"]) == "ArtifactFailed";
            (is_of_it && said == expected).then_some(found)
        };
        eventually(&format!("{name} is {expected}"), look, || self.explain(name))
    }

    fn explain(&self, name: &str) -> String {
        let found = self.kustomization(name).map(|found| found["status"].to_string()).unwrap_or_default();
        format!("{found}\n{}", self.process.log_tail(30))
    }

    /// Deletes the Kustomization, which prunes unless it says otherwise, and waits until it is gone.
    fn forget(&self, name: &str) {
        self.stage.kubectl(&["delete", "kustomization", name, "--namespace", NAMESPACE, "--timeout=120s"]).unwrap();
    }
}

impl Drop for Flux<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kustomize-controller said:\n{}", self.process.log_tail(60));
        }
        let _ = self.process.kill();
    }
}

fn condition(object: &Value, type_: &str) -> Value {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.clone().find(|condition| condition["type"] == type_).cloned().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The example's files, by their names.
fn quickstart() -> Vec<(String, String)> {
    let folder = stage::root().join("examples/quickstart");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), read(path))).collect()
}

fn permission(stage: &Stage) -> Option<Value> {
    get(stage, &["cpp", "fabrikam", "--namespace", "csp-customers"])
}

/// The part of the quickstart without the permission itself.
fn without_permission(text: &str) -> String {
    let documents = text.split("\n---\n").filter(|document| !document.contains("kind: CustomerPurchasePermission"));
    documents.collect::<Vec<_>>().join("\n---\n")
}

#[test]
fn it_applies_the_quickstart_waits_until_it_holds_and_prunes_it_with_one_revoke() {
    let stage = take();
    let flux = Flux::start(&stage);
    for (name, text) in quickstart() {
        flux.write(&format!("customers/{name}"), &text);
    }
    let first = flux.publish();
    flux.follow("customers", &json!({}));
    flux.until("customers", &first, "True ReconciliationSucceeded");
    let granted = permission(&stage).unwrap();
    assert_eq!(condition(&granted, "Ready")["status"], "True", "Flux has waited for it");
    assert_eq!(writes(&stage, 1), ["create"]);

    // The same again changes nothing.
    let again = flux.publish();
    flux.until("customers", &again, "True ReconciliationSucceeded");
    let same = permission(&stage).unwrap();
    assert_eq!(same["metadata"]["resourceVersion"], granted["metadata"]["resourceVersion"]);
    assert_eq!(writes(&stage, 1), ["create"]);

    // What leaves the source leaves the cluster, and Partner Center.
    for (name, text) in quickstart() {
        flux.write(&format!("customers/{name}"), &without_permission(&text));
    }
    let pruned = flux.publish();
    flux.until("customers", &pruned, "True ReconciliationSucceeded");
    eventually("it is gone", || permission(&stage).is_none().then_some(()), || flux.explain("customers"));
    assert_eq!(writes(&stage, 1), ["create", "delete"]);
    flux.forget("customers");
    eventually(
        "its namespace is gone",
        || get(&stage, &["namespace", "csp-customers"]).is_none().then_some(()),
        || flux.explain("customers"),
    );
    assert_eq!(writes(&stage, 1), ["create", "delete"]);
}

#[test]
fn without_prune_what_leaves_the_source_stays_as_it_is() {
    let stage = take();
    let flux = Flux::start(&stage);
    for (name, text) in quickstart() {
        flux.write(&format!("customers/{name}"), &text);
    }
    let first = flux.publish();
    flux.follow("customers", &json!({ "prune": false }));
    flux.until("customers", &first, "True ReconciliationSucceeded");
    for (name, text) in quickstart() {
        flux.write(&format!("customers/{name}"), &without_permission(&text));
    }
    let second = flux.publish();
    flux.until("customers", &second, "True ReconciliationSucceeded");
    flux.forget("customers");
    assert_eq!(condition(&permission(&stage).unwrap(), "Ready")["status"], "True");
    assert_eq!(writes(&stage, 1), ["create"]);
    stage.kubectl(&["delete", "namespace", "csp-customers", "--timeout=120s"]).unwrap();
}

#[test]
fn it_fails_at_once_where_a_person_must_act_and_waits_for_what_may_come() {
    let stage = take();
    let flux = Flux::start(&stage);
    for (name, text) in quickstart() {
        // A namespace that may act for nobody.
        let barred = text.replace("10000000-0000-4000-8000-000000000001,", "").replace("csp-customers", "barred");
        flux.write(&format!("barred/{name}"), &barred);
        // A customer that nobody knows, in one that may act for it.
        let unknown = text.replace("10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-0000000000ff");
        flux.write(&format!("waiting/{name}"), &unknown.replace("csp-customers", "waiting"));
    }
    let revision = flux.publish();
    flux.follow("barred", &json!({}));
    let failed = flux.until("barred", &revision, "False HealthCheckFailed");
    let message = condition(&failed, "Ready")["message"].clone();
    assert!(text(&message).contains("failed early") && text(&message).contains("status: 'Failed'"), "{message}");
    flux.follow("waiting", &json!({ "timeout": "5s" }));
    let waited = flux.until("waiting", &revision, "False HealthCheckFailed");
    let message = condition(&waited, "Ready")["message"].clone();
    assert!(text(&message).contains("timeout") && text(&message).contains("status: 'InProgress'"), "{message}");
    assert_eq!(writes(&stage, 1), Vec::<String>::new());
    for name in ["barred", "waiting"] {
        flux.forget(name);
        eventually(
            "its namespace is gone",
            || get(&stage, &["namespace", name]).is_none().then_some(()),
            || flux.explain(name),
        );
    }
}

const OTHER_CRD: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: others.csp-operator.example}
spec:
  group: csp-operator.example
  names: {kind: Other, plural: others}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";

#[test]
fn it_prunes_no_crd_and_so_nothing_is_revoked_by_accident() {
    let stage = take();
    let flux = Flux::start(&stage);
    for (name, text) in quickstart() {
        flux.write(&format!("customers/{name}"), &text);
    }
    for entry in fs::read_dir(stage::root().join("crds")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        flux.write(&format!("crds/{name}"), &fs::read_to_string(path).unwrap());
    }
    // One without our annotation goes.
    flux.write("crds/beside.yaml", OTHER_CRD);
    let mut kustomization = fs::read_to_string(stage::root().join("crds/kustomization.yaml")).unwrap();
    kustomization.push_str("  - beside.yaml\n");
    flux.write("crds/kustomization.yaml", &kustomization);
    let revision = flux.publish();
    flux.follow("crds", &json!({}));
    flux.until("crds", &revision, "True ReconciliationSucceeded");
    flux.follow("customers", &json!({ "prune": false, "dependsOn": [{ "name": "crds" }] }));
    flux.until("customers", &revision, "True ReconciliationSucceeded");

    let beside = || get(&stage, &["crd", "others.csp-operator.example"]);
    assert!(beside().is_some());
    flux.forget("crds");
    eventually("the other CRD is pruned", || beside().is_none().then_some(()), || flux.explain("crds"));
    let crds = get(&stage, &["crd", "customerpurchasepermissions.csp-operator.dev"]).unwrap();
    assert!(crds["metadata"]["deletionTimestamp"].is_null());
    assert_eq!(condition(&permission(&stage).unwrap(), "Ready")["status"], "True");
    assert_eq!(writes(&stage, 1), ["create"]);
    flux.forget("customers");
    stage.kubectl(&["delete", "namespace", "csp-customers", "--timeout=120s"]).unwrap();
}

#[test]
fn the_example_works_with_the_rights_that_it_names_and_an_empty_folder_revokes_where_a_missing_one_does_not() {
    let stage = take();
    let flux = Flux::start(&stage);
    let files = quickstart();
    let (namespace, customer) = (&files[0].1, &files[1].1);
    stage.apply(namespace).unwrap();
    let example = fs::read_to_string(stage::root().join("examples/gitops/flux/customers.yaml")).unwrap();
    for document in serde_yaml::Deserializer::from_str(&example) {
        let mut object = Value::deserialize(document).unwrap();
        if object["kind"] == "Kustomization" {
            // The operator is installed otherwise here, and nobody waits for a minute.
            object["spec"].as_object_mut().unwrap().remove("dependsOn");
            object["spec"]["retryInterval"] = "1s".into();
        }
        stage.apply(&object.to_string()).unwrap();
    }
    flux.write("customers/fabrikam.yaml", customer);
    let granted = flux.publish_as("csp-customers");
    flux.until("csp-customers", &granted, "True ReconciliationSucceeded");
    assert_eq!(writes(&stage, 1), ["create"]);

    // It may not say for whom the namespace may act.
    flux.write("customers/namespace.yaml", &namespace.replace("10000000-0000-4000-8000-000000000001,", "\"*\","));
    let refused = flux.publish_as("csp-customers");
    let found = flux.until("csp-customers", &refused, "False ReconciliationFailed");
    let message = condition(&found, "Ready")["message"].clone();
    assert!(text(&message).contains("forbidden"), "{message}");

    // A folder that is not there loses nothing, and neither does the Kustomization, which leaves what it has applied.
    fs::remove_dir_all(flux.source().join("customers")).unwrap();
    let missing = flux.publish_as("csp-customers");
    flux.until("csp-customers", &missing, "False ArtifactFailed");
    flux.forget("csp-customers");
    assert_eq!(condition(&permission(&stage).unwrap(), "Ready")["status"], "True", "deletionPolicy: Orphan");
    assert_eq!(writes(&stage, 1), ["create"]);

    // One that is there and has no manifests is taken at its word.
    flux.write("customers/fabrikam.yaml", customer);
    let again = flux.publish();
    flux.follow("customers", &json!({}));
    flux.until("customers", &again, "True ReconciliationSucceeded");
    fs::remove_file(flux.source().join("customers/fabrikam.yaml")).unwrap();
    flux.write("customers/README.md", "Nothing here.");
    let empty = flux.publish();
    flux.until("customers", &empty, "True ReconciliationSucceeded");
    eventually("it is gone", || permission(&stage).is_none().then_some(()), || flux.explain("customers"));
    assert_eq!(writes(&stage, 1), ["create", "delete"]);
    flux.forget("customers");
    stage.kubectl(&["delete", "namespace", "csp-customers", "--timeout=120s"]).unwrap();
}
