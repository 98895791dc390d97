//! `kubectl csp explain`, `tree` and completion: what a person is told about objects in the cluster.

use csp_operator::api::AzureSubscription;
use serde_json::Value;
use stage::root;

use crate::plugin::{kubectl_csp, kubectl_csp_alone, printed};
use crate::scene::{ALLOW_RESERVATIONS, PERMISSION, Scene, is_ready, permission, verdict};
use crate::stages::shared;

fn explain(scene: &Scene, object: &str) -> String {
    printed(shared().0, &["explain", object, "-n", &scene.namespace])
}

#[test]
fn the_chain_leads_from_the_permission_to_the_owner_who_is_missing() {
    let scene = Scene::new(shared().1);
    let nobody = "d0000000-0000-4000-8000-eeeeeeeeeeee";
    let subscription = scene.subscription().replace(&scene.owner_id(), nobody);
    scene.apply(&(scene.customer() + &subscription + &permission(PERMISSION, ALLOW_RESERVATIONS)));
    scene.until_named::<AzureSubscription>("azure", "it misses an owner", |found| {
        verdict(found, "OwnerRoleVerified") == "False OwnerMissing"
    });
    scene.until_verdict("Ready", "False OwnerMissing");
    let told = explain(&scene, "cpp/permission");
    let beginning = format!("CustomerPurchasePermission {}/permission is not Ready (OwnerMissing): ", scene.namespace);
    assert!(told.starts_with(&beginning), "{told}");
    for expected in [
        "  ok  Is the customer known to Partner Center, resold by the partner, and allowed to this namespace?"
            .to_owned(),
        "  no  Do the key users hold Owner on it?".to_owned(),
        format!("AzureSubscription {}/azure: OwnerRoleVerified False OwnerMissing, since 20", scene.namespace),
        format!("{nobody} (Missing)"),
        "What to do: assign Owner in the Azure portal".to_owned(),
        "  az role assignment create --role Owner".to_owned(),
    ] {
        assert!(told.contains(&expected), "{expected}\n{told}");
    }
    assert!(explain(&scene, "customers/contoso").contains("is in order"), "{}", explain(&scene, "customers/contoso"));
    let found: Value =
        serde_json::from_str(&printed(shared().0, &["explain", "azsub/azure", "-n", &scene.namespace, "-o", "json"]))
            .unwrap();
    assert_eq!(found["next"]["command"].as_str().unwrap().split(' ').next(), Some("az"));

    let nothing = kubectl_csp(shared().0, &["explain", "cpp/nothing", "-n", &scene.namespace]);
    assert!(
        nothing.code == Some(1) && nothing.stderr.contains("has no CustomerPurchasePermission \"nothing\""),
        "{}",
        nothing.stderr
    );
    let nonsense = kubectl_csp(shared().0, &["explain", "pod/x"]);
    assert!(nonsense.code == Some(1) && nonsense.stderr.contains("write it as KIND/NAME"), "{}", nonsense.stderr);
}

#[test]
fn the_tree_has_everything_below_its_customer_and_what_leads_nowhere_at_the_end() {
    let scene = Scene::new(shared().1);
    scene.converge(ALLOW_RESERVATIONS);
    scene.apply(&permission("orphan", "azureReservations: Unmanaged").replace("contoso", "gone"));
    scene.until_named::<AzureSubscription>("azure", "it is ready", is_ready);
    scene.until_named::<csp_operator::api::Customer>("contoso", "it is ready", is_ready);
    let told = printed(shared().0, &["tree", "-n", &scene.namespace]);
    let words: Vec<Vec<_>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["NAME", "READY", "REASON", "RESERVATIONS", "SAVINGS-PLANS"]);
    assert_eq!(words[2], ["├─", "AzureSubscription", "azure", "True", "Active"], "{told}");
    assert_eq!(
        words[3],
        ["└─", "CustomerPurchasePermission", "permission", "True", "InSync", "Allow", "Deny"],
        "{told}"
    );
    let orphan =
        format!("  CustomerPurchasePermission {}/orphan names Customer gone, which does not exist", scene.namespace);
    assert!(told.lines().any(|line| line == orphan), "{told}");
    let one = printed(shared().0, &["tree", &scene.tenant(), "-A", "-o", "yaml"]);
    let one: Value = serde_yaml::from_str(&one).unwrap();
    assert_eq!(one["customers"][0]["customerPurchasePermissions"][0]["azureReservations"], "Allow", "{one:#}");
    assert_eq!(kubectl_csp(shared().0, &["tree", "nobody", "-A"]).code, Some(1));
}

#[test]
fn completion_is_there_for_every_shell_and_for_kubectl() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = kubectl_csp_alone(shared().0, &["completion", shell]);
        assert!(
            script.success && script.stdout.contains("kubectl-csp") && script.stdout.contains("explain"),
            "{shell}"
        );
        assert!(!script.stdout.contains("__complete"), "{shell}: what is hidden is suggested");
    }
    let answer = kubectl_csp_alone(shared().0, &["__complete", "tree", "--output", ""]);
    assert_eq!(answer.stdout, "table\njson\nyaml\n:4\n");
    // As kubectl runs it, found in PATH beside the plugin.
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_kubectl-csp"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let output = std::process::Command::new(root().join("manifests/krew/kubectl_complete-csp"))
        .args(["expl"])
        .env("PATH", path)
        .output();
    assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), "explain\n:4\n");
}

/// The platforms that `.ci/release/plugin.sh` builds for.
const PLATFORMS: [&str; 5] = ["darwin-amd64", "darwin-arm64", "linux-amd64", "linux-arm64", "windows-amd64"];

#[test]
fn the_krew_manifest_has_this_version_and_every_platform_of_the_release() {
    let text = std::fs::read_to_string(root().join("manifests/krew/csp.yaml")).unwrap();
    let manifest: Value = serde_yaml::from_str(&text).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!((&manifest["kind"], &manifest["metadata"]["name"]), (&"Plugin".into(), &"csp".into()));
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], format!("v{version}"));
    // What krew's index asks for.
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 50 && !short.ends_with('.'), "{short}");
    let mut found = Vec::new();
    for platform in spec["platforms"].as_array().unwrap() {
        let labels = &platform["selector"]["matchLabels"];
        let name = format!("{}-{}", labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
        let uri = format!(
            "https://github.com/${{REPOSITORY}}/releases/download/v{version}/kubectl-csp-{version}-{name}.tar.gz"
        );
        assert_eq!(platform["uri"], uri);
        assert_eq!(platform["sha256"], format!("${{SHA256_{}}}", name.replace('-', "_").to_uppercase()));
        assert_eq!(platform["bin"], if name.starts_with("windows") { "kubectl-csp.exe" } else { "kubectl-csp" });
        found.push(name);
    }
    found.sort();
    assert_eq!(found, PLATFORMS);
    let workflow = std::fs::read_to_string(root().join(".github/workflows/release.yaml")).unwrap();
    let mut built: Vec<_> = workflow.lines().filter_map(|line| line.trim().strip_prefix("- platform: ")).collect();
    built.sort_unstable();
    assert_eq!(built, PLATFORMS, "krew is told of what the release builds, and of nothing else");
    let script = std::fs::read_to_string(root().join(".ci/release/plugin.sh")).unwrap();
    assert!(script.contains("kubectl-csp-$version-$platform.tar.gz"), "the archives have other names");
}
