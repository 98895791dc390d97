//! `kubectl csp login` as the partner's user meets it: the real program, a browser that follows where it is sent, and an
//! operator that goes on by itself once there is a sign-in.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;
use stage::NAMESPACE;

use crate::scene::{ALLOW_RESERVATIONS, Scene, verdict};
use crate::secrets::has_secret;
use crate::stages::{Exclusive, QUICK, run};

const TENANT: &str = "aaaa0000-2222-4b22-9b22-000000000002";
const CLIENT: &str = "11112222-3333-4444-8555-666677778888";
const CLIENT_SECRET: &str = "simulated-client-secret";
const CREDENTIALS: &str = "csp-operator-credentials";
const USER: &str = "operator@contosopartner.onmicrosoft.com";

/// What the program has said, and whether it ended well.
struct Said {
    success: bool,
    stdout: String,
    stderr: String,
}

/// Runs `kubectl csp login` with these arguments, and does in the browser what it says.
fn login(exclusive: &Exclusive, arguments: &[&str], stdin: &str) -> Said {
    login_at(exclusive, &exclusive.stage.cluster.kubeconfig(), arguments, stdin)
}

/// The same with the cluster of this kubeconfig.
fn login_at(exclusive: &Exclusive, kubeconfig: &Path, arguments: &[&str], stdin: &str) -> Said {
    let url = exclusive.view.simulator.url();
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-csp"))
        .env_clear()
        // As variables, which the arguments win over.
        .envs([("CSP_LOGIN_URL", url), ("CSP_PARTNER_CENTER_URL", url)])
        .args(["login", "--kubeconfig"])
        .arg(kubeconfig)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let mut stderr = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.contains("/authorize?") {
            // Nobody waits here for the page: the program goes on as soon as the browser has come back.
            run(async { reqwest::get(line.trim()).await }).unwrap();
        }
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    let said = Said { success: child.wait().unwrap().success(), stdout, stderr };
    // By the marks, and not by what is stored: a dry run is issued a token as well.
    assert!(!has_secret(&said.stdout) && !has_secret(&said.stderr), "a secret is shown");
    said
}

fn secrets(exclusive: &Exclusive) -> Api<Secret> {
    Api::namespaced(exclusive.view.client.clone(), NAMESPACE)
}

fn stored(exclusive: &Exclusive) -> Option<Secret> {
    run(secrets(exclusive).get_opt(CREDENTIALS)).unwrap()
}

fn refresh_token(exclusive: &Exclusive) -> Option<String> {
    String::from_utf8(stored(exclusive)?.data?.get("refreshToken")?.0.clone()).ok()
}

fn without_credentials() -> Exclusive {
    let exclusive = Exclusive::take();
    for name in [CREDENTIALS, "csp-operator-tokens"] {
        let _ = run(secrets(&exclusive).delete(name, &DeleteParams::default()));
    }
    exclusive
}

const FIRST: [&str; 7] = ["--no-browser", "--tenant", TENANT, "--client-id", CLIENT, "--client-secret-file", "-"];

#[test]
fn a_first_login_makes_the_secret_and_a_waiting_operator_goes_on_without_a_restart() {
    let mut exclusive = without_credentials();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.declare(ALLOW_RESERVATIONS);
    scene.until("it waits for a sign-in", |found| verdict(found, "Ready") == "False CredentialsInvalid");

    let rehearsal = login(&exclusive, &[&FIRST[..], &["--dry-run"]].concat(), CLIENT_SECRET);
    assert!(rehearsal.success, "{}", rehearsal.stderr);
    let keys = "clientId, clientSecret, partnerTenantId, refreshToken";
    assert!(rehearsal.stdout.contains(&format!("would be written (dry run): {keys}")), "{}", rehearsal.stdout);
    assert!(stored(&exclusive).is_none());

    let said = login(&exclusive, &FIRST, CLIENT_SECRET);
    let expected = format!(
        "signed in as {USER} of Contoso Partner; Partner Center accepts it\n\
         Secret {NAMESPACE}/{CREDENTIALS} created: {keys}\n"
    );
    assert!(said.success, "{}", said.stderr);
    assert_eq!(said.stdout, expected);
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.writes(), ["create"]);
    assert!(exclusive.stage.operator.is_running().unwrap());
}

#[test]
fn a_login_after_the_refresh_token_was_revoked_clears_the_condition_and_needs_no_options() {
    let mut exclusive = without_credentials();
    assert!(login(&exclusive, &FIRST, CLIENT_SECRET).success);
    // What else people and their tools have put there.
    let more = json!({ "metadata": { "labels": { "team": "csp" } }, "stringData": { "note": "ours" } });
    run(secrets(&exclusive).patch(CREDENTIALS, &PatchParams::default(), &Patch::Merge(more))).unwrap();
    run(exclusive.view.simulator.post("partner/user/sign-out", json!({ "upn": USER }))).unwrap();
    exclusive.start(&QUICK);
    let scene = Scene::new(&exclusive.view);
    scene.declare(ALLOW_RESERVATIONS);
    scene.until("it waits for a sign-in", |found| verdict(found, "Ready") == "False CredentialsInvalid");

    let old = refresh_token(&exclusive);
    let said = login(&exclusive, &["--no-browser"], "");
    assert!(said.success, "{}", said.stderr);
    let expected = format!("Secret {NAMESPACE}/{CREDENTIALS} renewed: clientId, partnerTenantId, refreshToken\n");
    assert!(said.stdout.ends_with(&expected), "{}", said.stdout);
    assert_ne!(refresh_token(&exclusive), old);
    let data = stored(&exclusive).unwrap().data.unwrap();
    assert_eq!((&data["note"].0[..], &data["clientSecret"].0[..]), (&b"ours"[..], CLIENT_SECRET.as_bytes()));
    assert_eq!(stored(&exclusive).unwrap().metadata.labels.unwrap()["team"], "csp");
    scene.until_verdict("Ready", "True InSync");
    assert_eq!(scene.writes(), ["create"]);
}

#[test]
fn a_login_that_cannot_work_leaves_the_secret_as_it_is() {
    let exclusive = Exclusive::take();
    let before = stored(&exclusive).unwrap().metadata.resource_version;
    let check = |arguments: &[&str], sentence: &str| {
        let said = login(&exclusive, arguments, "");
        assert!(!said.success && said.stdout.is_empty(), "{}", said.stdout);
        let last = said.stderr.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(sentence), "{sentence}\nsaid: {}", said.stderr);
        assert_eq!(stored(&exclusive).unwrap().metadata.resource_version, before, "{sentence}");
    };
    check(&["--namespace", "nowhere"], "name it with --tenant; the Secret nowhere/csp-operator-credentials has no");
    let named = ["--tenant", TENANT, "--client-id", CLIENT, "--public-client"];
    check(
        &[&["--namespace", "nowhere"][..], &named].concat(),
        "the namespace nowhere does not exist: install the operator first",
    );
    check(&["--client-id", "1"], "\"1\" is no application id: expected a GUID");
    check(&["--tenant", "no tenant"], "\"no tenant\" is no tenant: expected an id");
    check(
        &["--client-id", TENANT],
        "belongs to application 11112222-3333-4444-8555-666677778888: give that of aaaa0000-",
    );
    check(&["--client-secret-file", "/dev/null"], "/dev/null holds no application's secret");
    check(&["--client-secret-file", "/nonexistent"], "cannot read the application's secret from /nonexistent");
    check(&["--context", "elsewhere"], "cannot read the kubeconfig");
    check(&["--ca-file", "/dev/null"], "it holds no certificate: expected PEM");
    check(&["--login-url", "http://login.example"], "would send tokens unencrypted");
    let profile =
        json!({ "operation": "get_organization_profile", "times": 1, "answer": { "kind": "status", "status": 403 } });
    run(exclusive.view.simulator.post("faults", profile)).unwrap();
    check(&["--no-browser"], "Nothing was written; with --no-verify it is not asked");
    run(exclusive.view.simulator.post("partner/user", json!({ "upn": USER, "mfa": false }))).unwrap();
    check(&["--no-browser"], "Partner Center accepts nobody without it: require MFA for that user");
}

#[test]
fn a_login_for_an_operator_with_a_federated_credential_leaves_no_client_secret_behind() {
    let exclusive = without_credentials();
    let once = [&FIRST[..], &["--no-store-client-secret"]].concat();
    for written in ["created", "renewed"] {
        let said = login(&exclusive, &once, CLIENT_SECRET);
        let expected = format!("{CREDENTIALS} {written}: clientId, partnerTenantId, refreshToken\n");
        assert!(said.success && said.stdout.ends_with(&expected), "{}{}", said.stdout, said.stderr);
        assert!(!stored(&exclusive).unwrap().data.unwrap().contains_key("clientSecret"));
    }
    let said = login(&exclusive, &["--no-browser"], "");
    assert!(said.stderr.contains("add --no-store-client-secret where the operator runs with --federated-token-file"));
    assert!(!said.success);
}

#[test]
fn a_refusal_of_the_api_server_is_told_in_its_own_words() {
    let exclusive = Exclusive::take();
    let _ = run(secrets(&exclusive).delete("immutable", &DeleteParams::default()));
    let immutable = Secret {
        metadata: ObjectMeta { name: Some("immutable".to_owned()), ..ObjectMeta::default() },
        immutable: Some(true),
        ..Secret::default()
    };
    run(secrets(&exclusive).create(&PostParams::default(), &immutable)).unwrap();
    let mut kubeconfig = Kubeconfig::read_from(exclusive.stage.cluster.kubeconfig()).unwrap();
    kubeconfig.auth_infos[0].auth_info.as_mut().unwrap().impersonate = Some("ada".to_owned());
    let as_ada = exclusive.stage.cluster.directory().join("ada.kubeconfig");
    std::fs::write(&as_ada, serde_json::to_string(&kubeconfig).unwrap()).unwrap();

    let said = login(&exclusive, &[&FIRST[..], &["--secret", "immutable"]].concat(), CLIENT_SECRET);
    let expected = format!(
        "error: cannot patch the Secret {NAMESPACE}/immutable: Secret \"immutable\" is invalid: data: Forbidden: field is \
         immutable when `immutable` is set\n"
    );
    assert_eq!((said.success, said.stderr), (false, expected));
    let said = login_at(&exclusive, &as_ada, &FIRST, CLIENT_SECRET);
    let expected = format!(
        "error: not permitted to get the Secret {NAMESPACE}/{CREDENTIALS}: ask for that right, or use another --context \
         (secrets \"{CREDENTIALS}\" is forbidden: User \"ada\" cannot get resource \"secrets\" in API group \"\" in the \
         namespace \"{NAMESPACE}\")\n"
    );
    assert_eq!((said.success, said.stderr), (false, expected));
}

#[test]
fn a_dry_run_needs_no_cluster_where_nothing_has_to_be_read_from_it() {
    let exclusive = Exclusive::take();
    let nowhere = exclusive.stage.cluster.directory().join("nowhere.kubeconfig");
    let text = "{apiVersion: v1, kind: Config, current-context: a, users: [{name: a, user: {}}],
                 clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}],
                 contexts: [{name: a, context: {cluster: a, user: a}}]}";
    std::fs::write(&nowhere, text).unwrap();
    let said = login_at(&exclusive, &nowhere, &[&FIRST[..], &["--dry-run"]].concat(), CLIENT_SECRET);
    assert!(said.success, "{}", said.stderr);
    assert!(said.stdout.contains("would be written (dry run): clientId, clientSecret,"), "{}", said.stdout);
    assert!(said.stderr.contains("nobody has looked whether the Secret can be written"), "{}", said.stderr);

    let named = ["--tenant", TENANT, "--client-id", CLIENT, "--public-client"];
    for arguments in [&["--dry-run"][..], &named, &[&named[2..], &["--dry-run"]].concat()] {
        let said = login_at(&exclusive, &nowhere, arguments, "");
        let expected = format!(
            "error: cannot get the Secret {NAMESPACE}/{CREDENTIALS}: the cluster cannot be reached (Connection refused \
             (os error 111)); name another with --kubeconfig or --context\n"
        );
        assert!(!said.success && said.stdout.is_empty(), "{}", said.stdout);
        assert_eq!(said.stderr, expected);
    }
}

#[test]
fn help_says_what_the_application_needs_and_offers_no_option_for_a_secret() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_kubectl-csp")).env_clear().args(["login", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && help.contains("Usage: kubectl csp login [OPTIONS]"), "{help}");
    for words in ["Microsoft Partner Center > user_impersonation", "http://localhost", "--device-code", "--context"] {
        assert!(help.contains(words), "{words}: {help}");
    }
    let long: Vec<_> = help.lines().filter(|line| line.chars().count() > 110).collect();
    assert!(long.is_empty(), "too wide for a terminal: {long:#?}");
}
