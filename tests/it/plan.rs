//! `kubectl csp plan`: what it foresees is what the operator then does, and it writes nothing.

use csp_operator::api::CustomerPurchasePermission;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use reqwest::Method;
use serde_json::{Value, json};
use stage::{NAMESPACE, root};

use crate::plugin::{Said, kubectl_csp, kubectl_csp_alone};
use crate::scene::{
    ALLOW_BOTH, ALLOW_RESERVATIONS, PERMISSION, RESERVATIONS, SAVINGS_PLANS, Scene, permission, verdict,
};
use crate::stages::{Exclusive, run, shared};

/// The manifests of a scene in a file, as they stand in Git.
struct Files {
    directory: std::path::PathBuf,
}

impl Files {
    fn new(scene: &Scene, manifests: &str) -> Self {
        let directory = shared().0.directory().join(format!("plan-{}", scene.namespace));
        std::fs::create_dir_all(&directory).unwrap();
        let files = Self { directory };
        files.write("manifests.yaml", &typed(manifests));
        files.write("namespace.yaml", &namespace(scene, "*"));
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.join(name), text).unwrap();
    }

    fn path(&self) -> &str {
        self.directory.to_str().unwrap()
    }

    fn plan(&self, scene: &Scene, more: &[&str]) -> Said {
        let arguments = ["plan", "-f", self.path(), "-n", &scene.namespace];
        kubectl_csp(shared().0, &[&arguments, more].concat())
    }

    fn json(&self, scene: &Scene) -> (Value, Option<i32>) {
        let said = self.plan(scene, &["-o", "json"]);
        (serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}{}", said.stdout, said.stderr)), said.code)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn namespace(scene: &Scene, allowed: &str) -> String {
    let name = &scene.namespace;
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  annotations: {{csp-operator.dev/allowed-customers: '{allowed}'}}\n"
    )
}

/// The same with what the scene's manifests leave to its own way of applying them.
fn typed(manifests: &str) -> String {
    manifests.replace("\nkind: ", "\napiVersion: csp-operator.dev/v1alpha1\nkind: ")
}

fn hold(scene: &Scene, resources: &[&str]) {
    let entries: Vec<_> = resources.iter().map(|name| json!({ "resource": name, "action": "Purchase" })).collect();
    let path = format!("customers/{}/policy", scene.tenant());
    run(scene.view.simulator.call(Method::PUT, &path, Some(json!({ "permissions": entries })))).unwrap();
}

/// What comes of the two switches, such as `Grant`, or `Blocked OwnerMissing`.
fn changes(plan: &Value) -> Vec<String> {
    let switches = plan["permissions"][0]["switches"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    switches.iter().map(|one| format!("{} {}", text(&one["change"]), text(&one["reason"])).trim().to_owned()).collect()
}

/// Plans, sees that nothing was written, has the operator do it, and compares.
fn check(held: &[&str], spec: &str, expected: [&str; 2], code: i32, writes: &[&str]) {
    let scene = Scene::new(shared().1);
    hold(&scene, held);
    let manifests = scene.customer() + &scene.subscription() + &permission(PERMISSION, spec);
    let files = Files::new(&scene, &manifests);
    let (plan, found) = files.json(&scene);
    assert_eq!((changes(&plan), found), (expected.map(str::to_owned).to_vec(), Some(code)), "{spec}: {plan:#}");
    assert_eq!(scene.attempts(), [] as [&str; 0], "a plan has written");
    let planned: Vec<_> = plan["permissions"][0]["writes"].as_array().unwrap().clone();
    let verbs: Vec<_> = planned.iter().map(|words| words.as_str().unwrap().split(':').next().unwrap()).collect();
    assert_eq!(verbs, writes, "{spec}");

    scene.apply(&manifests);
    let synced = plan["permissions"][0]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == "Ready");
    let synced = synced.map(|one| format!("{} {}", one["status"].as_str().unwrap(), one["reason"].as_str().unwrap()));
    scene.until("it has come to what was foreseen", |found| Some(verdict(found, "Ready")) == synced);
    let done: Vec<_> =
        scene.writes().iter().map(|verb| if verb == "update" { "change".to_owned() } else { verb.clone() }).collect();
    assert_eq!(done, writes, "{spec}");
    // What is done is as declared from then on.
    let (plan, _) = files.json(&scene);
    assert_eq!(plan["permissions"][0]["writes"], json!([]), "{spec}: {plan:#}");
}

#[test]
fn what_is_foreseen_is_what_the_operator_then_does() {
    check(&[], ALLOW_BOTH, ["Grant", "Grant"], 2, &["create"]);
    check(&[SAVINGS_PLANS], ALLOW_RESERVATIONS, ["Grant", "Revoke"], 2, &["delete", "create"]);
    check(&[RESERVATIONS], ALLOW_RESERVATIONS, ["Unchanged", "Unchanged"], 0, &[]);
    check(&[RESERVATIONS, SAVINGS_PLANS], ALLOW_RESERVATIONS, ["Unchanged", "Revoke"], 2, &["change"]);
    check(&[RESERVATIONS], "azureReservations: Deny", ["Revoke", "Unchanged"], 2, &["delete"]);
    check(&[RESERVATIONS], "azureReservations: Unmanaged", ["Left Unmanaged", "Unchanged"], 0, &[]);
    let observe = "mode: Observe, azureReservations: Allow";
    check(&[SAVINGS_PLANS], observe, ["Left Observed", "Left Observed"], 0, &[]);
    let over = format!("{ALLOW_RESERVATIONS}, validUntil: '2020-01-01T00:00:00Z'");
    check(&[RESERVATIONS], &over, ["Revoke", "Unchanged"], 2, &["delete"]);
}

#[test]
fn what_stands_in_the_way_is_said_in_the_words_of_the_conditions() {
    let scene = Scene::new(shared().1);
    let subscription = scene.subscription().replace(&scene.owner_id(), "d0000000-0000-4000-8000-ffffffffffff");
    let files = Files::new(&scene, &(scene.customer() + &subscription + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    let (plan, code) = files.json(&scene);
    assert_eq!((changes(&plan), code), (vec!["Blocked OwnerMissing".to_owned(), "Unchanged".to_owned()], Some(2)));
    let said = files.plan(&scene, &["--fail-on", "blocked"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("1 of the switches are to change and are held up"), "{}", said.stderr);
    assert!(said.stdout.contains("without Owner on Azure subscription"), "{}", said.stdout);
    assert!(!said.stdout.contains('\u{1b}'), "colours for what is no terminal");
    assert!(
        said.stdout.contains("Plan: 0 to turn on, 0 to turn off, 1 held up, 1 as declared. No switch would be turned.")
    );

    let comment = files.plan(&scene, &["-o", "markdown"]);
    assert_eq!(comment.code, Some(2));
    let row = "| ⛔ held up <code>OwnerMissing</code> | <code>";
    assert!(
        comment.stdout.starts_with("<!-- kubectl csp plan -->\n### Purchase permissions: 0 to turn on"),
        "{}",
        comment.stdout
    );
    assert!(comment.stdout.contains(row), "{}", comment.stdout);

    // Whom the namespace may act for is said by the Namespace in the files, and by nothing else.
    files.write("namespace.yaml", &namespace(&scene, ""));
    assert_eq!(changes(&files.json(&scene).0)[0], "Blocked NamespaceNotAllowed");
    std::fs::remove_file(files.directory.join("namespace.yaml")).unwrap();
    let (plan, _) = files.json(&scene);
    assert!(plan.to_string().contains("the Namespace is not among the manifests"), "{plan:#}");
    let said = files.plan(&scene, &["-o", "json", "--allow-all-namespaces"]);
    assert!(said.stdout.contains("OwnerMissing"), "{}", said.stdout);

    // Two that want different things hold up each other.
    files.write("namespace.yaml", &namespace(&scene, "*"));
    files.write("second.yaml", &typed(&permission("other", "azureReservations: Deny")));
    let (plan, _) = files.json(&scene);
    assert!(changes(&plan).iter().all(|one| one == "Blocked Conflict"), "{plan:#}");
    assert_eq!(scene.attempts(), [] as [&str; 0]);
}

#[test]
fn a_file_cannot_say_what_only_a_server_can() {
    let scene = Scene::new(shared().1);
    let manifests = scene.customer() + &scene.subscription() + &permission(PERMISSION, ALLOW_RESERVATIONS);
    let files = Files::new(&scene, &manifests);
    let (plan, code) = files.json(&scene);
    assert_eq!((changes(&plan), code), (vec!["Grant".to_owned(), "Unchanged".to_owned()], Some(2)));
    let since = "2026-01-01T00:00:00Z";
    let status = json!({
        "tenantId": scene.tenant(),
        "lastApplied": { "azureReservations": { "state": "Allow", "since": since } },
        "latched": [{ "reason": "Expired", "since": since, "message": "over", "generation": 1 }],
    });
    let named = format!("{{name: {PERMISSION}");
    let server = format!("{named}, uid: x, generation: 9, creationTimestamp: {since}, deletionTimestamp: {since}");
    for (old, new) in
        [(named.as_str(), server.as_str()), ("spec: {customerRef", &format!("status: {status}\nspec: {{customerRef"))]
    {
        let told = typed(&manifests).replace(old, new);
        assert_ne!(told, typed(&manifests));
        files.write("manifests.yaml", &told);
        assert_eq!(files.json(&scene), (plan.clone(), code), "{told}");
    }

    // Nor which of two that wish the same is older.
    let pair = [(PERMISSION, typed(&manifests)), ("second", typed(&permission("second", ALLOW_RESERVATIONS)))];
    let write =
        |name: &str, text: &str| files.write(if name == PERMISSION { "manifests.yaml" } else { "second.yaml" }, text);
    for (name, text) in &pair {
        write(name, text);
    }
    let told = files.json(&scene);
    for (name, text) in &pair {
        let aged = text.replace(&format!("{{name: {name}}}"), &format!("{{name: {name}, creationTimestamp: {since}}}"));
        assert_ne!(aged, *text);
        write(name, &aged);
        assert_eq!(files.json(&scene), told, "{aged}");
        write(name, text);
    }
}

#[test]
fn what_is_no_longer_declared_is_to_be_turned_off() {
    let scene = Scene::new(shared().1);
    let permissions = permission(PERMISSION, ALLOW_RESERVATIONS)
        + &permission("gone", &format!("{ALLOW_RESERVATIONS}, azureSavingsPlans: Deny"))
        + &permission("kept", &format!("{ALLOW_BOTH}, deletionPolicy: Retain"))
        + &permission("seen", &format!("{ALLOW_BOTH}, mode: Observe"));
    let before = Files::new(&scene, &(scene.customer() + &scene.subscription() + &permissions));
    let now = before.directory.join("now");
    std::fs::create_dir_all(&now).unwrap();
    let manifests = scene.customer() + &scene.subscription() + &permission(PERMISSION, "azureReservations: Deny");
    std::fs::write(now.join("now.yaml"), typed(&manifests) + "---\n" + &namespace(&scene, "*")).unwrap();
    let arguments = ["plan", "-n", &scene.namespace, "-f", now.to_str().unwrap()];
    let plan = |more: &[&str]| kubectl_csp(shared().0, &[&arguments, more].concat());
    assert_eq!(plan(&[]).code, Some(0));
    let said = plan(&["--previous", before.path(), "-o", "json"]);
    let removed = json!([{ "namespace": scene.namespace, "name": "gone", "switches": ["azureReservations"] }]);
    assert_eq!(serde_json::from_str::<Value>(&said.stdout).unwrap()["removed"], removed, "{}", said.stderr);
    assert_eq!(said.code, Some(2));
    let line = format!("<code>{}/gone</code> azureReservations\n", scene.namespace);
    for (output, what) in
        [("text", "/gone   no longer declared"), ("markdown", "1 to turn off by deletion"), ("markdown", &line)]
    {
        let said = plan(&["--previous", before.path(), "-o", output]);
        assert!(said.stdout.contains(what) && !said.stdout.contains("No switch"), "{}", said.stdout);
    }
    assert_eq!(plan(&["--previous", before.path(), "--fail-on", "changes"]).code, Some(1));
}

#[test]
fn where_everything_is_deleted_a_plan_tells_of_all_of_it() {
    let scene = Scene::new(shared().1);
    let manifests = scene.customer() + &scene.subscription() + &permission(PERMISSION, ALLOW_RESERVATIONS);
    let before = Files::new(&scene, &manifests);
    let now = before.directory.join("now");
    std::fs::create_dir_all(now.join("below")).unwrap();
    let plan = |more: &[&str]| {
        let arguments = ["plan", "-n", &scene.namespace, "-f", now.to_str().unwrap()];
        kubectl_csp(shared().0, &[&arguments, more].concat())
    };
    let expected = json!([{ "namespace": scene.namespace, "name": PERMISSION, "switches": ["azureReservations"] }]);
    let all_are_told = |note: &str| {
        let said = plan(&["--previous", before.path(), "-o", "json"]);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        let told: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((&told["removed"], &told["permissions"]), (&expected, &json!([])));
        assert_eq!(told["notes"].to_string().contains("does not exist: nothing is declared there"), !note.is_empty());
        assert!(told["notes"].to_string().contains(note) && !told["notes"].to_string().contains("have been deleted"));
        let said = plan(&["--previous", before.path(), "-o", "markdown"]);
        assert!(said.code == Some(2) && said.stdout.contains("1 to turn off by deletion"), "{}", said.stdout);
    };
    let wrong = |more: &[&str], words: &str| {
        let said = plan(more);
        assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""));
        assert!(said.stderr.contains(words), "{}", said.stderr);
    };
    // An empty directory alone may be a mistake.
    wrong(
        &[],
        "holds no file that ends in .yaml, .yml or .json; with -R, those in the directories below it are read too; if they have all been deleted, name those of before with --previous",
    );
    all_are_told("");
    // What is no longer there does not count, and the Namespace alone is nothing.
    std::fs::write(now.join("namespace.yaml"), namespace(&scene, "*")).unwrap();
    wrong(&[], "v1alpha1: name those that do with -f; if all have been deleted, name those of before with --previous");
    all_are_told("");
    // Git keeps no directory without files.
    std::fs::remove_dir_all(&now).unwrap();
    wrong(&[], "No such file or directory");
    all_are_told(now.to_str().unwrap());

    // Nothing before, and nothing now.
    let nothing = before.directory.join("nothing");
    std::fs::create_dir_all(&nothing).unwrap();
    wrong(&["--previous", nothing.to_str().unwrap()], "and neither do those of --previous: name those that do with -f");
    wrong(&["--previous", "/nonexistent"], "where nothing was declared before, name an empty directory");
    let first = ["plan", "-n", &scene.namespace, "-f", before.path(), "--previous", nothing.to_str().unwrap()];
    let said = kubectl_csp(shared().0, &first);
    assert!(said.code == Some(2) && said.stdout.contains("1 to turn on"), "the first: {}{}", said.stdout, said.stderr);
}

#[test]
fn what_cannot_be_reached_is_named_with_what_says_where_it_is() {
    let scene = Scene::new(shared().1);
    let subscription = scene.subscription();
    // Somebody has to be looked up in Graph, too.
    let number = u64::from_str_radix(&scene.owner_id()[24..], 16).unwrap();
    let name = format!("userPrincipalName: owner@customer{number}.onmicrosoft.com");
    let named = subscription.replace(&format!("objectId: {}", scene.owner_id()), &name);
    assert_ne!(named, subscription);
    let files = Files::new(&scene, &(scene.customer() + &named + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let check = |option: &str, who: &str| {
        let said = files.plan(&scene, &[&format!("--{option}"), &nobody]);
        assert_eq!(said.code, Some(1), "{}", said.stdout);
        let variable = format!("CSP_{}", option.replace('-', "_").to_uppercase());
        let expected = format!(
            "{who} at {nobody} cannot be reached. If that lasts, check network policies and proxies, and --{option} or {variable}, which says where it is."
        );
        assert!(said.stdout.contains(&expected), "{expected}\n{}", said.stdout);
        let lines: Vec<_> = said.stdout.lines().filter(|line| line.contains(&nobody)).collect();
        let told: std::collections::BTreeSet<_> = lines.iter().collect();
        assert_eq!(lines.len(), told.len(), "the same is said twice: {}", said.stdout);
    };
    // Each is asked several times, with pauses.
    std::thread::scope(|scope| {
        let check = &check;
        for (option, who) in [
            ("login-url", "Microsoft Entra"),
            ("partner-center-url", "Partner Center"),
            ("azure-url", "Azure Resource Manager"),
            ("graph-url", "Microsoft Graph"),
        ] {
            scope.spawn(move || check(option, who));
        }
    });
}

#[test]
fn the_steps_of_the_quick_start_plan_what_was_exported() {
    let scene = Scene::new(shared().1);
    hold(&scene, &[RESERVATIONS]);
    let said = kubectl_csp(shared().0, &["export", &scene.tenant(), "-n", &scene.namespace]);
    let files = Files::new(&scene, "");
    files.write("manifests.yaml", &said.stdout);
    let (plan, code) = files.json(&scene);
    assert_eq!((changes(&plan), code), (["Unchanged"; 2].map(str::to_owned).to_vec(), Some(0)), "{plan:#}");
    assert_eq!(files.plan(&scene, &[]).code, Some(0));
    // Without the Namespace it would be another answer.
    let steps = std::fs::read_to_string(root().join("docs/quick-start.md")).unwrap();
    let plans: Vec<_> = steps.lines().filter(|line| line.contains("kubectl csp plan")).collect();
    // The examples have one of their own.
    let has_one = |line: &&str| line.contains("-f namespace.yaml -f ") || line.ends_with("-f examples/quickstart");
    assert!(!plans.is_empty() && plans.iter().all(has_one), "{plans:?}");
}

#[test]
fn what_may_be_written_without_being_planned_is_no_exit_code_0() {
    let scene = Scene::new(shared().1);
    let customer = scene.customer().replace("tenantId", "costManagement: Visible, tenantId");
    let files =
        Files::new(&scene, &(customer + &scene.subscription() + &permission(PERMISSION, "azureReservations: Deny")));
    let said = files.plan(&scene, &[]);
    assert_eq!(said.code, Some(2), "{}{}", said.stdout, said.stderr);
    assert!(
        said.stdout.contains("No switch would be turned; what may be written beside is in the notes."),
        "{}",
        said.stdout
    );
    let (plan, _) = files.json(&scene);
    assert!(plan["unplanned"][0].as_str().unwrap().starts_with("costManagement"), "{plan:#}");
    assert_eq!(files.plan(&scene, &["--fail-on", "changes"]).code, Some(1));
}

#[test]
fn what_cannot_be_read_or_is_no_manifest_is_an_error() {
    let scene = Scene::new(shared().1);
    let files = Files::new(&scene, &(scene.customer() + &scene.subscription() + &permission(PERMISSION, ALLOW_BOTH)));
    scene.fault("list_self_serve_policies", u32::MAX, &json!({ "kind": "garbage" }));
    let said = files.plan(&scene, &[]);
    assert_eq!(said.code, Some(1), "{}", said.stdout);
    assert!(
        said.stdout.contains("not known") && said.stdout.contains("annot read the purchase permissions"),
        "{}",
        said.stdout
    );
    assert!(said.stderr.ends_with("error: 1 of the permissions could not be planned, for the reasons above\n"));

    files.write("again.yaml", &namespace(&scene, ""));
    let said = files.plan(&scene, &[]);
    assert!(
        said.code == Some(1) && said.stderr.contains("this Namespace stands in the files twice"),
        "{}",
        said.stderr
    );
    std::fs::remove_file(files.directory.join("again.yaml")).unwrap();
    files.write(
        "wrong.yaml",
        "apiVersion: csp-operator.dev/v1alpha1\nkind: Customer\nmetadata:\n  name: x\nspec:\n  tenantId: [1]\n",
    );
    let said = files.plan(&scene, &[]);
    let place = "wrong.yaml:6: error: document 1, Customer x: spec.tenantId: must be of type string";
    assert!(said.code == Some(1) && said.stderr.contains(place), "{}", said.stderr);
    for arguments in [&["plan"][..], &["plan", "-f", "/nonexistent"], &["plan", "-f", files.path(), "--no-such"]] {
        assert_eq!(kubectl_csp(shared().0, arguments).code, Some(1), "2 says that something would change");
    }
}

#[test]
fn a_pipeline_plans_without_a_cluster_and_the_sign_in_is_left_as_it_is() {
    let exclusive = Exclusive::take();
    let versions = || {
        let secrets: Api<Secret> = Api::namespaced(exclusive.view.client.clone(), NAMESPACE);
        ["csp-operator-credentials", "csp-operator-tokens"]
            .map(|name| run(secrets.get_opt(name)).unwrap().and_then(|secret| secret.metadata.resource_version))
    };
    let scene = Scene::new(&exclusive.view);
    let files = Files::new(&scene, &(scene.customer() + &scene.subscription() + &permission(PERMISSION, ALLOW_BOTH)));
    let before = versions();
    let arguments = ["plan", "-f", files.path(), "-n", &scene.namespace];
    let there = kubectl_csp(&exclusive.stage.reach(), &arguments);
    assert_eq!(there.code, Some(2), "{}", there.stderr);
    assert_eq!(versions(), before);

    let alone = kubectl_csp_alone(&exclusive.stage.reach(), &arguments);
    assert_eq!(alone.code, Some(1));
    assert!(alone.stderr.contains("or give a sign-in with --credentials"), "{}", alone.stderr);
    let sign_in = files.directory.join("sign-in.txt");
    let secret = ["get", "secret", "csp-operator-credentials", "-n", NAMESPACE, "-o", "yaml"];
    std::fs::write(&sign_in, exclusive.stage.kubectl(&secret).unwrap()).unwrap();
    let given = kubectl_csp_alone(
        &exclusive.stage.reach(),
        &[&arguments[..], &["--credentials", sign_in.to_str().unwrap()]].concat(),
    );
    assert_eq!((given.code, given.stdout), (Some(2), there.stdout), "{}", given.stderr);
    assert_eq!((scene.attempts(), versions()), (vec![], before));
    assert!(scene.get::<CustomerPurchasePermission>(PERMISSION).is_none(), "a plan has applied something");
}
