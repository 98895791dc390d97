//! What only a cluster can show: pods that are killed, replicas that take over, probes, what the kubelet admits.
//!
//! `make e2e` runs these, one at a time, after the scenes; nothing else does.

use std::time::Instant;

use csp_operator::api::CustomerPurchasePermission;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use stage::NAMESPACE;

use crate::scene::{ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, Scene, is_ready};
use crate::stages::{eventually, eventually_or, run, shared};

const DEPLOYMENT: &str = "csp-operator";

fn kubectl(arguments: &[&str]) -> String {
    shared().0.kubectl(&[&["--namespace", NAMESPACE], arguments].concat()).unwrap()
}

fn pods() -> Api<Pod> {
    Api::namespaced(shared().1.client.clone(), NAMESPACE)
}

/// The operator's pods, without those that are on their way out.
fn replicas() -> Vec<Pod> {
    let all = run(pods().list(&ListParams::default().labels("app.kubernetes.io/name=csp-operator"))).unwrap();
    all.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
}

fn restarts(pod: &Pod) -> i32 {
    pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten()).map(|one| one.restart_count).sum()
}

fn is_pod_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What a pod serves at this path, through the API server. An error says what was answered with another status than 200.
fn served(pod: &str, path: &str) -> Result<String, String> {
    let url = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8081/proxy/{path}");
    let request = axum::http::Request::get(url).body(Vec::new()).unwrap();
    run(shared().1.client.request_text(request)).map_err(|error| format!("{error:?}"))
}

/// Whether a pod says in its metrics that it acts.
fn is_leading(pod: &str) -> Result<bool, String> {
    Ok(served(pod, "metrics")?.lines().any(|line| line == "csp_operator_leading 1"))
}

/// The pod that holds the lease.
fn leader() -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(shared().1.client.clone(), NAMESPACE);
    let lease = run(leases.get_opt("csp-operator")).unwrap()?;
    // The name of the pod, and what tells its lives apart.
    let holder = lease.spec?.holder_identity?;
    holder.split('_').next().filter(|pod| !pod.is_empty()).map(str::to_owned)
}

/// Undoes what a test does to the Deployment, also when it fails, and waits until one replica is there, ready and alone.
struct AsInstalled(Value);

impl AsInstalled {
    fn remember() -> Self {
        let deployment: Api<Deployment> = Api::namespaced(shared().1.client.clone(), NAMESPACE);
        let spec = run(deployment.get(DEPLOYMENT)).unwrap().spec.unwrap();
        Self(json!({ "spec": spec }))
    }
}

impl Drop for AsInstalled {
    fn drop(&mut self) {
        let patch = self.0.to_string();
        in_the_end(&["patch", "deployment", DEPLOYMENT, "--type=merge", "--patch", &patch], "");
        in_the_end(&["rollout", "status", "deployment", DEPLOYMENT, "--timeout=120s"], "");
    }
}

/// The Secret that the operator signs in with. Puts it back, also when the test fails.
struct Credentials(Value);

impl Credentials {
    fn remember() -> Self {
        let mut secret: Value =
            serde_json::from_str(&kubectl(&["get", "secret", "csp-operator-credentials", "--output=json"])).unwrap();
        secret["metadata"] = json!({ "name": "csp-operator-credentials", "namespace": NAMESPACE });
        Self(secret)
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        in_the_end(&["apply", "--filename=-"], &self.0.to_string());
    }
}

/// kubectl at the end of a test. A test that fails already goes on to: what it has to say would be lost.
fn in_the_end(arguments: &[&str], input: &str) {
    let done = shared().0.kubectl_with_input(&[&["--namespace", NAMESPACE], arguments].concat(), input);
    if !std::thread::panicking() {
        done.unwrap();
    }
}

fn rolled_out() {
    kubectl(&["rollout", "status", "deployment", DEPLOYMENT, "--timeout=120s"]);
}

/// Deletes a pod as if its node were lost: nobody tells the operator to stop.
fn lose(pod: &str) {
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    run(pods().delete(pod, &at_once)).unwrap();
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn the_pod_is_admitted_under_the_restricted_standard_and_what_is_not_restricted_is_refused() {
    let label = kubectl(&["get", "namespace", NAMESPACE, "--output=jsonpath={.metadata.labels}"]);
    assert!(label.contains("\"pod-security.kubernetes.io/enforce\":\"restricted\""), "{label}");
    let pod = replicas().remove(0);
    assert!(is_pod_ready(&pod), "{pod:?}");
    let spec = pod.spec.clone().unwrap();
    let container = spec.containers[0].security_context.clone().unwrap();
    assert_eq!(container.read_only_root_filesystem, Some(true));
    assert_eq!(container.capabilities.unwrap().drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(spec.security_context.clone().unwrap().run_as_user, Some(65532));

    // The same pod as root: the namespace does look.
    let mut other = Pod { spec: Some(spec), ..Pod::default() };
    other.metadata.name = Some("as-root".to_owned());
    let mut other = serde_json::to_value(other).unwrap();
    other["spec"]["nodeName"] = Value::Null;
    other["spec"]["securityContext"]["runAsUser"] = 0.into();
    let said = shared().0.kubectl_with_input(
        &["create", "--dry-run=server", "--namespace", NAMESPACE, "--filename=-"],
        &other.to_string(),
    );
    let said = said.unwrap_err().to_string();
    assert!(said.contains("violates PodSecurity") && said.contains("runAsUser=0"), "{said}");
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn a_permission_is_ready_and_every_line_of_the_log_is_json() {
    let scene = Scene::new(shared().1);
    scene.declare(ALLOW_BOTH);
    let waited = ["--namespace", &scene.namespace, "wait", "--for=condition=Ready", "--timeout=60s"];
    let objects = ["cust/contoso", "azsub/azure", "cpp/permission"];
    shared().0.kubectl(&[&waited[..], &objects[..]].concat()).unwrap();
    assert_eq!(scene.attempts(), ["create"]);
    let log = kubectl(&["logs", "deployment/csp-operator"]);
    let about = |line: &Value| line.to_string().contains(&scene.namespace);
    let mut lines = Vec::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        lines.push(line);
    }
    assert!(lines.iter().any(about), "nothing is said about {}", scene.namespace);
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn version_metric_and_log_tell_of_the_same_build() {
    let pod = replicas().remove(0).name_any();
    let metrics = served(&pod, "metrics").unwrap();
    let build = metrics.lines().find(|line| line.starts_with("csp_operator_build_info{")).unwrap();
    let of = |name: &str| build.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(of("version"), env!("CARGO_PKG_VERSION"));
    let log = kubectl(&["logs", &pod]);
    let first: Value = serde_json::from_str(log.lines().find(|line| line.contains("starts")).unwrap()).unwrap();
    assert!(first.to_string().contains(&of("revision")), "{first}");
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn without_credentials_a_new_pod_is_not_ready_and_says_why_until_they_are_there() {
    let credentials = Credentials::remember();
    kubectl(&["delete", "secret", "csp-operator-credentials"]);
    for pod in replicas() {
        kubectl(&["delete", "pod", &pod.name_any()]);
    }
    let said = eventually("a new pod says what it lacks", || {
        let pod = replicas().into_iter().find(|pod| !is_pod_ready(pod))?;
        let said = served(&pod.name_any(), "readyz").err()?;
        said.contains("csp-operator-credentials").then_some((pod.name_any(), said))
    });
    let (pod, said) = said;
    assert!(said.contains("credentials:") && said.contains("crds: ok"), "{said}");

    drop(credentials);
    kubectl(&["wait", "--for=condition=Ready", "pod", &pod, "--timeout=60s"]);
    assert_eq!(replicas().iter().map(restarts).sum::<i32>(), 0, "what is missing is no reason to restart");
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn a_pod_that_is_lost_in_the_middle_of_its_work_is_replaced_and_everything_is_granted_once() {
    let scenes: Vec<_> = (0..8).map(|_| Scene::new(shared().1)).collect();
    for scene in &scenes {
        // Partner Center takes its time to answer what it has done already: the pod is lost while it waits for that.
        scene.fault("create_self_serve_policy", 1, &json!({ "kind": "delay", "delayMs": 500, "applied": true }));
        scene.declare(ALLOW_RESERVATIONS);
    }
    eventually("one is granted", || scenes.iter().any(|scene| !scene.attempts().is_empty()).then_some(()));
    lose(&replicas().remove(0).name_any());
    for scene in &scenes {
        scene.until("the permission is Ready", is_ready);
        assert_eq!(scene.permitted(), [RESERVATIONS]);
        assert_eq!(scene.writes(), ["create"]);
    }
    rolled_out();
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn a_pod_that_is_told_to_stop_gives_its_lease_back() {
    let before = replicas().remove(0).name_any();
    eventually("it leads", || (leader()? == before).then_some(()));
    let begun = Instant::now();
    kubectl(&["delete", "pod", &before]);
    let took = begun.elapsed();
    assert!(took.as_secs() < 20, "the kubelet had to kill it: {took:?}");
    eventually("another one leads", || (leader()? != before).then_some(()));
    rolled_out();
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn of_two_replicas_the_other_takes_over_and_both_are_ready() {
    let _as_installed = AsInstalled::remember();
    kubectl(&["scale", "deployment", DEPLOYMENT, "--replicas=2"]);
    rolled_out();
    let first = eventually("one of them leads", || leader().filter(|leader| is_replica(leader)));
    let other = replicas().into_iter().map(|pod| pod.name_any()).find(|name| *name != first).unwrap();
    eventually("the other one says that it stands by", || {
        served(&other, "readyz").ok()?.contains("lease: standby").then_some(())
    });
    assert_eq!(is_leading(&other), Ok(false));
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    lose(&first);
    eventually("the other one leads", || (leader()? == other).then_some(()));
    scene.change(&json!({ "azureReservations": "Deny", "acceptBillingResponsibility": false }));
    scene.until("it is revoked", |_| scene.permitted().is_empty());
    assert_eq!(scene.writes(), ["create", "delete"]);
    let leading = || {
        let names = replicas().into_iter().filter(is_pod_ready).map(|pod| pod.name_any());
        names.filter(|name| is_leading(name) == Ok(true)).count()
    };
    eventually_or(
        "one leads, and one alone",
        || (replicas().len() == 2 && leading() == 1).then_some(()),
        || {
            let served = |pod: Pod| (pod.name_any(), served(&pod.name_any(), "readyz"));
            format!("{}\n{:#?}", kubectl(&["get", "pods"]), replicas().into_iter().map(served).collect::<Vec<_>>())
        },
    );
}

fn is_replica(name: &str) -> bool {
    replicas().iter().any(|pod| pod.name_any() == name)
}

#[test]
#[ignore = "needs a cluster with everything installed: make e2e"]
fn a_container_that_is_not_live_is_restarted_and_its_work_goes_on() {
    let scene = Scene::new(shared().1);
    let as_installed = AsInstalled::remember();
    let probe = json!({ "httpGet": { "path": "/nowhere" }, "periodSeconds": 2, "failureThreshold": 1 });
    let container = json!({ "name": "csp-operator", "livenessProbe": probe });
    let patch = json!({ "spec": { "template": { "spec": { "containers": [container] } } } }).to_string();
    kubectl(&["patch", "deployment", DEPLOYMENT, "--patch", &patch]);
    scene.declare(ALLOW_RESERVATIONS);
    eventually_or(
        "the kubelet restarts it",
        || replicas().iter().any(|pod| restarts(pod) > 0).then_some(()),
        || kubectl(&["get", "pods"]),
    );
    drop(as_installed);
    scene.until("the permission is Ready", is_ready);
    assert_eq!(scene.writes(), ["create"]);
    scene.delete::<CustomerPurchasePermission>(PERMISSION);
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert!(scene.permitted().is_empty());
}
