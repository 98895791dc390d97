//! The operator and the simulator as Deployments in a cluster, put there by `tests/e2e/run.sh`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use local_cluster::Process;

use super::reach::kubectl;
use super::simulator::{self, Control};
use super::{Error, NAMESPACE, Reach};

/// Namespace of the simulator in a cluster.
pub const SIMULATOR_NAMESPACE: &str = "csp-simulator";

/// Program that is looked up in PATH.
const KUBECTL: &str = "kubectl";

/// What is installed in a cluster. Dropping it leaves that as it is.
#[derive(Debug)]
pub struct Installation {
    reach: Reach,
    operator_log: PathBuf,
    /// End with it: the way to the simulator, and the copying of the log.
    _helpers: [Process; 2],
}

impl Installation {
    /// Finds the way to what is installed in the cluster of a kubeconfig. Logs go to `directory`.
    pub fn find(kubeconfig: &Path, directory: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Log { path: directory.to_owned(), source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        let kubeconfig = std::path::absolute(kubeconfig).map_err(failed)?;
        let program = OsStr::new(KUBECTL);

        let mut forward = kubectl(program, &kubeconfig);
        // A port of this machine that is free.
        forward.args(["--namespace", SIMULATOR_NAMESPACE, "port-forward", "service/csp-simulator", ":8085"]);
        let mut forward = Process::spawn(forward, directory.join(format!("port-forward-{}.log", std::process::id())))?;
        let said = simulator::wait_for(&mut forward, "kubectl port-forward", "Forwarding from 127.0.0.1:")?;
        let port = said.split(' ').next().unwrap_or_default();
        let control = Control::at(format!("http://127.0.0.1:{port}"));

        let mut follow = kubectl(program, &kubeconfig);
        follow.args(["--namespace", NAMESPACE, "logs", "deployment/csp-operator", "--follow", "--tail=-1"]);
        let operator_log = directory.join(format!("operator-{}.log", std::process::id()));
        let follow = Process::spawn(follow, &operator_log)?;
        Ok(Self { reach: Reach::new(program, kubeconfig, control), operator_log, _helpers: [forward, follow] })
    }

    /// The way in from outside.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// What the operator says, as long as its first pod lives.
    pub fn operator_log(&self) -> &Path {
        &self.operator_log
    }
}
