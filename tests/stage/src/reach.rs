//! A cluster as somebody reaches it who holds its kubeconfig, and the simulator's address.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Control, Error};

/// Kubernetes and the simulator, seen from outside.
#[derive(Debug, Clone)]
pub struct Reach {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    simulator: Control,
}

impl Reach {
    pub(crate) fn new(kubectl: impl AsRef<OsStr>, kubeconfig: PathBuf, simulator: Control) -> Self {
        Self { kubectl: kubectl.as_ref().into(), kubeconfig, simulator }
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where files of tests may be, which are nobody's afterwards.
    pub fn directory(&self) -> &Path {
        self.kubeconfig.parent().unwrap_or(&self.kubeconfig)
    }

    /// Partner Center and all that belongs to it.
    pub fn simulator(&self) -> &Control {
        &self.simulator
    }

    /// Runs kubectl as the administrator and gives what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Error> {
        self.kubectl_with_input(arguments, "")
    }

    /// The same, with `input` on standard input.
    pub fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<String, Error> {
        let mut command = kubectl(self.kubectl.as_os_str(), &self.kubeconfig);
        command.args(arguments);
        Ok(local_cluster::run(command, input)?)
    }

    /// Applies manifests, as a pipeline would.
    pub fn apply(&self, manifests: &str) -> Result<String, Error> {
        self.kubectl_with_input(&["apply", "--filename=-"], manifests)
    }
}

/// kubectl as whoever the kubeconfig names, without the caller's preferences, and without a trace in the caller's home. The rest of the
/// environment stays: a kubeconfig may name a program that signs in with it.
pub(crate) fn kubectl(program: &OsStr, kubeconfig: &Path) -> Command {
    let mut command = Command::new(program);
    let cache = kubeconfig.with_extension("cache");
    command.env("KUBECACHEDIR", cache).env("KUBERC", "off").arg("--kubeconfig").arg(kubeconfig);
    command
}
