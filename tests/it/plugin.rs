//! The kubectl plugin as a person runs it: the real program, at the cluster of a stage and its simulator.

use std::path::Path;
use std::process::Command;

use stage::Reach;

use crate::secrets::has_secret;

/// What the program has said, and whether it ended well.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `kubectl csp` with these arguments. No secret is ever in what it says.
pub(crate) fn kubectl_csp(reach: &Reach, arguments: &[&str]) -> Said {
    said(reach, reach.kubeconfig(), arguments)
}

/// The same where no cluster is to be found, as in a pipeline.
pub(crate) fn kubectl_csp_alone(reach: &Reach, arguments: &[&str]) -> Said {
    said(reach, Path::new("/nonexistent"), arguments)
}

fn said(reach: &Reach, kubeconfig: &Path, arguments: &[&str]) -> Said {
    let url = reach.simulator().url();
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-csp"))
        .env_clear()
        .env("KUBECONFIG", kubeconfig)
        .envs(["CSP_LOGIN_URL", "CSP_PARTNER_CENTER_URL", "CSP_AZURE_URL", "CSP_GRAPH_URL"].map(|name| (name, url)))
        .args(arguments)
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(!has_secret(&stdout) && !has_secret(&stderr), "a secret is shown");
    Said { success: output.status.success(), code: output.status.code(), stdout, stderr }
}

/// The same, where it must work; gives what it printed.
pub(crate) fn printed(reach: &Reach, arguments: &[&str]) -> String {
    let said = kubectl_csp(reach, arguments);
    assert!(said.success, "{arguments:?}: {}", said.stderr);
    said.stdout
}

#[test]
fn help_of_every_command_fits_a_terminal() {
    for command in ["activity", "completion", "explain", "export", "lint", "login", "plan", "purchases", "tree"] {
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-csp")).env_clear().args([command, "--help"]).output();
        let help = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(help.contains(&format!("Usage: kubectl csp {command} ")), "{help}");
        let long: Vec<_> = help.lines().filter(|line| line.chars().count() > 110).collect();
        assert!(long.is_empty(), "too wide for a terminal: {long:#?}");
    }
}
