//! What people may do: the three `ClusterRole`s that are named after Partner Center's, as Kubernetes enforces them.

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use k8s_openapi::api::rbac::v1::{ClusterRole, RoleBinding};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene, permission};
use crate::stages::{eventually, run, shared};

const KINDS: [&str; 3] = ["customers", "azuresubscriptions", "customerpurchasepermissions"];
const CHANGES: [&str; 4] = ["create", "update", "patch", "delete"];

/// A member of a group to which a `ClusterRole` is bound in a scene's namespace, and nothing else.
struct Person<'a> {
    scene: &'a Scene,
    group: String,
}

impl<'a> Person<'a> {
    fn with(scene: &'a Scene, role: &str) -> Self {
        let group = format!("{}-{role}", scene.namespace);
        let binding: RoleBinding = serde_json::from_value(json!({
            "metadata": { "name": role },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }],
        }))
        .unwrap();
        let api = Api::namespaced(scene.view.client.clone(), &scene.namespace);
        run(api.create(&PostParams::default(), &binding)).unwrap();
        Self { scene, group }
    }

    fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let me = ["--as", "ada", "--as-group", &self.group, "--namespace", &self.scene.namespace];
        let all: Vec<_> = arguments.iter().chain(&me).copied().collect();
        shared().0.kubectl_with_input(&all, input).map_err(|error| error.to_string())
    }

    fn may(&self, verb: &str, resource: &str) -> bool {
        let (name, part) = resource.split_once('/').unwrap_or((resource, ""));
        let name = if KINDS.contains(&name) { format!("{name}.csp-operator.dev") } else { name.to_owned() };
        let subresource = format!("--subresource={part}");
        self.kubectl(&["auth", "can-i", verb, &name, &subresource, "--quiet"], "").is_ok()
    }
}

fn with_versions(manifests: &str) -> String {
    manifests.replace("---\n", "---\napiVersion: csp-operator.dev/v1alpha1\n")
}

/// What may be done to the three kinds: only by those who may change them.
fn check(person: &Person<'_>, may_change: bool) {
    for kind in KINDS {
        for verb in ["get", "list", "watch"] {
            assert!(person.may(verb, kind), "{verb} {kind}");
        }
        for verb in CHANGES {
            assert_eq!(person.may(verb, kind), may_change, "{verb} {kind}");
            for part in ["status", "finalizers"] {
                assert!(!person.may(verb, &format!("{kind}/{part}")), "{verb} {kind}/{part}");
            }
        }
        assert!(!person.may("deletecollection", kind));
    }
    assert!(person.may("list", "events") && person.may("list", "events.events.k8s.io"));
    for verb in CHANGES {
        assert!(!person.may(verb, "namespaces"), "{verb} namespaces");
        assert!(!person.may(verb, "rolebindings.rbac.authorization.k8s.io"), "{verb} rolebindings");
    }
    assert!(!person.may("get", "secrets"));
}

fn everything(scene: &Scene) -> String {
    with_versions(&(scene.customer() + &scene.subscription() + &permission(PERMISSION, ALLOW_RESERVATIONS)))
}

#[test]
fn an_admin_agent_turns_permissions_on_and_off_and_writes_no_status_and_no_namespace() {
    let scene = Scene::new(shared().1);
    let person = Person::with(&scene, "csp-admin-agent");
    check(&person, true);
    person.kubectl(&["apply", "--server-side", "--filename", "-"], &everything(&scene)).unwrap();
    scene.until_verdict("Ready", "True InSync");
    let status = "{\"status\":{\"lastApplied\":null}}";
    let refused = ["patch", "cpp", PERMISSION, "--subresource=status", "--type=merge", "--patch", status];
    let refusal = person.kubectl(&refused, "").unwrap_err();
    assert!(refusal.contains("forbidden"), "{refusal}");
    let annotate = ["annotate", "namespace", &scene.namespace, "csp-operator.dev/allowed-customers=*"];
    let refusal = person.kubectl(&annotate, "").unwrap_err();
    assert!(refusal.contains("forbidden"), "{refusal}");
    person.kubectl(&["delete", "cpp", PERMISSION, "--wait=false"], "").unwrap();
    scene.until_gone::<CustomerPurchasePermission>(PERMISSION);
    assert_eq!(scene.attempts(), ["create", "delete"]);
}

/// Sees everything, and is refused every change by name.
fn check_sees_only(role: &str) {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    let person = Person::with(&scene, role);
    check(&person, false);
    for kind in KINDS {
        let seen = person.kubectl(&["get", kind, "--output", "name"], "").unwrap();
        assert_eq!(seen.lines().count(), 1, "{seen}");
    }
    eventually("the events are seen", || {
        let events = person.kubectl(&["get", "events.events.k8s.io", "--output", "name"], "").unwrap();
        (!events.is_empty()).then_some(())
    });
    let off = everything(&scene).replace("Allow", "Deny");
    let refusal =
        person.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", "-"], &off).unwrap_err();
    assert!(refusal.contains("forbidden"), "{refusal}");
    for kind in KINDS {
        let refusal = person.kubectl(&["delete", kind, "--all"], "").unwrap_err();
        assert!(refusal.contains("forbidden"), "{refusal}");
    }
    let mode = "{\"spec\":{\"mode\":\"Suspend\"}}";
    let refusal = person.kubectl(&["patch", "cpp", PERMISSION, "--type=merge", "--patch", mode], "").unwrap_err();
    assert!(refusal.contains("forbidden"), "{refusal}");
    assert!(scene.get::<Customer>("contoso").is_some() && scene.get::<AzureSubscription>("azure").is_some());
    assert_eq!(scene.attempts(), ["create"]);
}

#[test]
fn a_sales_agent_sees_everything_and_changes_nothing() {
    check_sees_only("csp-sales-agent");
}

#[test]
fn a_helpdesk_agent_sees_everything_and_changes_nothing() {
    check_sees_only("csp-helpdesk-agent");
}

#[test]
fn who_may_edit_a_namespace_may_not_permit_anything_in_it() {
    let scene = Scene::new(shared().1);
    for role in ["view", "edit", "admin"] {
        let person = Person::with(&scene, role);
        for verb in CHANGES {
            for kind in KINDS {
                assert!(!person.may(verb, kind), "{role}: {verb} {kind}");
            }
        }
        let refusal = person.kubectl(&["apply", "--server-side", "--filename", "-"], &everything(&scene)).unwrap_err();
        assert!(refusal.contains("forbidden"), "{refusal}");
    }
    let roles: Api<ClusterRole> = Api::all(scene.view.client.clone());
    let ours = run(roles.list(&ListParams::default().labels("app.kubernetes.io/name=csp-operator"))).unwrap();
    assert_eq!(ours.items.len(), 4);
    let aggregated = "rbac.authorization.k8s.io/aggregate-to-";
    for role in ours {
        let labels = role.metadata.labels.unwrap_or_default();
        assert!(!labels.keys().any(|label| label.starts_with(aggregated)), "{labels:?}");
        assert!(role.rules.unwrap_or_default().iter().all(|rule| rule.verbs.iter().all(|verb| verb != "*")));
    }
}
