//! The program as somebody meets it who has not read anything.

use std::process::{Command, Output};

fn csp_operator(arguments: &[&str]) -> Output {
    // Without a cluster, and without whatever the developer has in the environment.
    Command::new(env!("CARGO_BIN_EXE_csp-operator"))
        .env_clear()
        .env("KUBECONFIG", "/nonexistent")
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(arguments: &[&str]) -> String {
    let output = csp_operator(arguments);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_says_what_the_program_is_and_what_it_can_do() {
    let help = stdout(&["--help"]);
    assert!(
        help.starts_with("A Kubernetes operator for the purchase permissions of Microsoft CSP customers"),
        "{help}"
    );
    for word in ["run ", "crds ", "ready ", "Usage: csp-operator"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(stdout(&["--version"]).starts_with("csp-operator "));
}

#[test]
fn help_of_run_explains_every_option_and_its_variable() {
    let help = stdout(&["run", "--help"]);
    for option in ["--namespace", "--credentials-secret", "--lease-duration", "--activity-interval", "--log-format"] {
        assert!(help.contains(option), "{option}: {help}");
    }
    for (option, variable) in [("--namespace", "CSP_NAMESPACE"), ("--resync", "CSP_RESYNC")] {
        assert!(help.contains(&format!("[env: {variable}")), "{option}: {help}");
    }
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("Keys: partnerTenantId, clientId, refreshToken, and clientSecret or else tls.crt"),
        "{help}"
    );
    for sentence in [
        "registered in Partner Center as a web app: Account settings > App management",
        "does not replace the user's sign-in",
    ] {
        assert!(words.contains(sentence), "{sentence}: {help}");
    }
    let long: Vec<_> = help.lines().filter(|line| line.chars().count() > 110).collect();
    assert!(long.is_empty(), "too wide for a terminal: {long:#?}");
}

#[test]
fn crds_prints_what_is_in_the_repository() {
    let printed = stdout(&["crds"]);
    let mut committed = String::new();
    for kind in ["customers", "azuresubscriptions", "customerpurchasepermissions"] {
        let path = stage::root().join(format!("crds/csp-operator.dev_{kind}.yaml"));
        let file = std::fs::read_to_string(&path).unwrap();
        let body = file.trim_start_matches("---\n").trim();
        assert!(printed.contains(body), "{} is not what `csp-operator crds` prints", path.display());
        committed.push_str(body);
    }
    assert_eq!(printed.matches("kind: CustomResourceDefinition").count(), 3);
}

/// Refused with a sentence on standard error that contains `sentence`, and this exit code.
fn check(arguments: &[&str], code: i32, sentence: &str) {
    let output = csp_operator(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(sentence), "{said}");
    assert!(output.stdout.is_empty());
    if code == 1 {
        assert_eq!(said.lines().count(), 1, "one sentence: {said}");
        assert!(said.starts_with("csp-operator: "), "{said}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_in_one_sentence() {
    check(&["run", "--lease-duration", "5s"], 1, "--lease-duration 5s is too short");
    check(&["run", "--partner-center-url", "http://partner.example"], 1, "--allow-insecure-http");
    check(&["run", "--tokens-secret", "csp-operator-credentials"], 1, "name two");
    check(&["run", "--namespace", "No Such"], 1, "\"No Such\" is no name");
    check(&["run", "--ca-file", "/nonexistent.pem"], 1, "--ca-file /nonexistent.pem cannot be read: No such file");
    check(&["run", "--activity-interval", "soon"], 2, "write it like 90s, 1m30s or 24h");
    check(&["run", "--concurrency", "0"], 2, "0 is not in 1..=1000");
    check(&["run", "--no-such-option"], 2, "unexpected argument '--no-such-option'");
    check(&["walk"], 2, "unrecognized subcommand 'walk'");
    check(&[], 2, "Usage: csp-operator");
}

#[test]
fn without_a_cluster_it_says_so_and_ends() {
    let output = csp_operator(&["run", "--health-address", "127.0.0.1:0"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("csp-operator: found no Kubernetes cluster: run inside one, or name a kubeconfig"),
        "{said}"
    );
}
