//! What can be done with a running control plane.

use std::fs;

use local_cluster::assets::ASSETS_VARIABLE;
use local_cluster::audit::{self, Counts};
use local_cluster::{ControlPlane, Error};

use crate::{SHARED, eventually};

/// A fresh namespace with a service account `tester`, and that account's kubeconfig as an option for kubectl.
fn namespace(name: &str) -> (&'static ControlPlane, String) {
    let cluster = &*SHARED;
    cluster.kubectl_output(&["create", "namespace", name]).unwrap();
    cluster.kubectl_output(&["create", "serviceaccount", "tester", "--namespace", name]).unwrap();
    let kubeconfig = cluster.service_account_kubeconfig(name, "tester").unwrap();
    (cluster, format!("--kubeconfig={}", kubeconfig.display()))
}

fn is_forbidden<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Kubectl { stderr, .. }) if stderr.contains("Forbidden"))
}

#[test]
fn manifests_are_applied_and_a_refusal_says_why() {
    let said = SHARED.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: applied}}").unwrap();
    assert_eq!(said, "configmap/applied created\n");
    let error = SHARED.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: Not_A_Name}}").unwrap_err();
    assert!(error.to_string().contains("RFC 1123"), "{error}");
}

#[test]
fn client_and_server_tell_the_version_that_is_pinned() {
    if std::env::var_os(ASSETS_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return; // Somebody else's programs, of another version.
    }
    let pinned = include_str!("../../go.mod").lines().find_map(|line| line.strip_prefix("require k8s.io/kubernetes "));
    let version = pinned.unwrap().split_whitespace().next().unwrap();
    let said = SHARED.kubectl_output(&["version"]).unwrap();
    assert!(said.contains(&format!("Client Version: {version}\n")), "{said}");
    assert!(said.contains(&format!("Server Version: {version}\n")), "{said}");
}

#[test]
fn a_path_may_be_a_file_or_a_kustomization() {
    let directory = SHARED.directory().join("manifests");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("map.yaml"), "{apiVersion: v1, kind: ConfigMap, metadata: {name: mapped}}").unwrap();
    assert_eq!(SHARED.apply_path(directory.join("map.yaml")).unwrap(), "configmap/mapped created\n");
    fs::write(directory.join("kustomization.yaml"), "{resources: [map.yaml], namePrefix: also-}").unwrap();
    assert_eq!(SHARED.apply_path(&directory).unwrap(), "configmap/also-mapped created\n");
}

#[test]
fn kubectl_keeps_its_cache_out_of_the_users_home() {
    SHARED.kubectl_output(&["get", "namespaces"]).unwrap();
    assert!(SHARED.directory().join("home/.kube/cache").is_dir());
}

#[test]
fn a_service_account_may_do_only_what_it_is_allowed() {
    let (cluster, tester) = namespace("rbac");
    let list = || cluster.kubectl_output(&["get", "configmaps", &tester]);
    assert!(is_forbidden(&list()), "{:?}", list());
    cluster.kubectl_output(&["create", "role", "r", "-n=rbac", "--verb=list", "--resource=configmaps"]).unwrap();
    let subject = "--serviceaccount=rbac:tester";
    cluster.kubectl_output(&["create", "rolebinding", "r", "-n=rbac", "--role=r", subject]).unwrap();
    // In its own namespace, which its kubeconfig names; the authorizer learns of the binding a moment later.
    eventually("the binding counts", || list().is_ok());
    assert!(is_forbidden(&cluster.kubectl_output(&["get", "configmaps", &tester, "--namespace=default"])));
}

#[test]
fn a_deleted_namespace_goes_with_its_contents() {
    let (cluster, _) = namespace("doomed");
    cluster.kubectl_output(&["create", "configmap", "content", "--namespace=doomed"]).unwrap();
    cluster.kubectl_output(&["delete", "namespace", "doomed", "--wait", "--timeout=60s"]).unwrap();
    let error = cluster.kubectl_output(&["get", "configmap", "content", "--namespace=doomed"]).unwrap_err();
    assert!(error.to_string().contains("NotFound"), "{error}");
}

#[test]
fn what_an_owner_leaves_is_collected() {
    let (cluster, _) = namespace("owned");
    cluster.kubectl_output(&["create", "configmap", "owner", "--namespace=owned"]).unwrap();
    let get = ["get", "configmap", "owner", "--namespace=owned", "--output=jsonpath={.metadata.uid}"];
    let uid = cluster.kubectl_output(&get).unwrap();
    let owner = format!("{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}}}");
    cluster
        .apply(&format!(
            "{{apiVersion: v1, kind: ConfigMap,
               metadata: {{name: dependent, namespace: owned, ownerReferences: [{owner}]}}}}"
        ))
        .unwrap();
    cluster.kubectl_output(&["delete", "configmap", "owner", "--namespace=owned"]).unwrap();
    eventually("the dependent is collected", || {
        cluster.kubectl_output(&["get", "configmap", "dependent", "--namespace=owned"]).is_err()
    });
}

#[test]
fn requests_are_counted_by_who_made_them() {
    let (cluster, tester) = namespace("counted");
    cluster.kubectl_output(&["create", "role", "r", "-n=counted", "--verb=get", "--resource=configmaps"]).unwrap();
    let subject = "--serviceaccount=counted:tester";
    cluster.kubectl_output(&["create", "rolebinding", "r", "-n=counted", "--role=r", subject]).unwrap();
    let get = |name: &str| cluster.kubectl_output(&["get", "configmap", name, &tester]);
    eventually("the binding counts", || get("kube-root-ca.crt").is_ok());
    let user = "system:serviceaccount:counted:tester";
    let config_maps = |counts: &Counts| counts.of(user).only(|request| request.resource == "configmaps");
    // Every line of what has happened so far must have been written before the measurement begins.
    cluster.kubectl_output(&["create", "configmap", "mark", "--namespace=counted"]).unwrap();
    let counts = || audit::read(cluster.audit_log(), 0).unwrap().counts;
    let mark = |counts: &Counts| counts.only(|request| request.verb == "create" && request.namespace == "counted");
    eventually("the mark is in the log", || {
        mark(&counts()).only(|request| request.resource == "configmaps").of("admin").total() == 1
    });
    let start = audit::read(cluster.audit_log(), 0).unwrap().end;

    get("mark").unwrap();
    get("mark").unwrap();
    get("absent").unwrap_err();
    cluster.kubectl_output(&["create", "configmap", "refused", &tester]).unwrap_err();

    let since = || config_maps(&audit::read(cluster.audit_log(), start).unwrap().counts);
    eventually("all four are in the log", || since().total() >= 4);
    let expected = "\
COUNT  USER                                  VERB    RESOURCE    NAMESPACE  CODE
1      system:serviceaccount:counted:tester  create  configmaps  counted    403
2      system:serviceaccount:counted:tester  get     configmaps  counted    200
1      system:serviceaccount:counted:tester  get     configmaps  counted    404
";
    assert_eq!(since().to_string(), expected);
    assert_eq!((since().writes().total(), since().forbidden().total()), (1, 1));
}
