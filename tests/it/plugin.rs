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

/// A reader of the demo, or of these pages, is never sent to Microsoft with simulated credentials.
#[test]
fn every_address_that_a_plan_asks_is_set_where_the_simulator_is_to_be_asked() {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-csp")).env_clear().args(["plan", "--help"]).output();
    let help = String::from_utf8(output.unwrap().stdout).unwrap();
    let variables = help.split("[env: ").skip(1).filter_map(|rest| rest.split('=').next());
    let addresses: Vec<_> = variables.filter(|name| name.ends_with("_URL")).collect();
    assert_eq!(addresses.len(), 4, "{addresses:?}");
    for path in ["examples/demo/story.rs", "docs/quick-start.md", "docs/simulator.md"] {
        let text = std::fs::read_to_string(stage::root().join(path)).unwrap();
        let line = text.lines().find(|line| line.contains("export ") && line.contains("_URL=$SIM")).unwrap();
        assert!(addresses.iter().all(|name| line.contains(&format!(" {name}=$SIM"))), "{path}: {line}");
    }
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
