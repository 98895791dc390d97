//! The operator and the simulator on a real control plane, as an installation would have them: CRDs and RBAC applied from
//! this repository, the operator under its own ServiceAccount, the credentials in their Secret.
//!
//! * [`Stage`] puts everything up and takes everything down;
//! * [`Installation`] is what somebody has installed in a cluster, from image and chart;
//! * [`Reach`] is how either is reached from outside: with kubectl, and by the simulator's address;
//! * [`Simulator`] is the simulator as a process, [`Control`] its control API;
//! * [`Operator`] is the operator as a process, to be stopped, killed and started again.
//!
//! Never found here: types of the operator. What is on stage is looked at as a user would, with kubectl, and with the
//! simulator's own log.

mod error;
mod installation;
mod operator;
mod proxy;
mod reach;
mod simulator;

use std::path::{Path, PathBuf};

use local_cluster::{ControlPlane, Options};

pub use error::Error;
pub use installation::{Installation, SIMULATOR_NAMESPACE};
pub use operator::Operator;
pub use proxy::Proxy;
pub use reach::Reach;
pub use simulator::{Control, Simulator, World};

/// Namespace of the operator's own objects.
pub const NAMESPACE: &str = "csp-operator";

/// The ServiceAccount that the operator runs under.
pub const SERVICE_ACCOUNT: &str = "csp-operator";

/// How the API server's audit log names the operator.
pub const OPERATOR_USER: &str = "system:serviceaccount:csp-operator:csp-operator";

/// Where the two programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `csp-operator`
    pub operator: PathBuf,
    /// `csp-simulator`
    pub simulator: PathBuf,
}

impl Programs {
    /// The programs that Cargo has built beside `executable`: in its directory or the one above.
    pub fn beside(executable: &Path) -> Option<Self> {
        executable.ancestors().skip(1).take(2).find_map(|directory| {
            let found = Self { operator: directory.join("csp-operator"), simulator: directory.join("csp-simulator") };
            (found.operator.is_file() && found.simulator.is_file()).then_some(found)
        })
    }
}

/// A control plane with everything installed. Dropping it ends all processes and removes all files.
#[derive(Debug)]
pub struct Stage {
    /// Partner Center, Entra and Azure.
    pub simulator: Simulator,
    /// The operator; [`Stage::start`] leaves it to be started.
    pub operator: Operator,
    /// Kubernetes.
    pub cluster: ControlPlane,
}

impl Stage {
    /// Puts up everything but the operator itself. `name` appears in the names of files and in messages.
    pub fn start(name: &str, programs: &Programs, world: &World) -> Result<Self, Error> {
        let cluster = ControlPlane::start(&Options::named(name))?;
        let root = root();
        cluster.apply_path(root.join("crds"))?;
        cluster.kubectl_output(&["apply", "-k", &root.join("manifests/rbac").display().to_string()])?;
        cluster.kubectl_output(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"])?;
        let logs = logs(name, cluster.directory())?;
        let simulator = Simulator::start(&programs.simulator, world, &logs)?;
        cluster.apply(&credentials(simulator::SEED_REFRESH_TOKEN))?;
        let kubeconfig = cluster.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)?;
        let operator = Operator::new(&programs.operator, &kubeconfig, simulator.url(), &logs);
        Ok(Self { simulator, operator, cluster })
    }

    /// The way in from outside.
    pub fn reach(&self) -> Reach {
        let kubectl = self.cluster.kubectl();
        Reach::new(kubectl.get_program(), self.cluster.kubeconfig(), (*self.simulator).clone())
    }

    /// Applies manifests, as a pipeline would.
    pub fn apply(&self, manifests: &str) -> Result<String, Error> {
        Ok(self.cluster.apply(manifests)?)
    }

    /// Runs kubectl and gives what it printed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Error> {
        Ok(self.cluster.kubectl_output(arguments)?)
    }
}

/// Where the two programs write: in the directory that `CSP_TEST_LOGS` names, to be looked at afterwards, or in the cluster's
/// own, which goes with it.
fn logs(name: &str, cluster: &Path) -> Result<PathBuf, Error> {
    let Some(kept) = std::env::var_os("CSP_TEST_LOGS").filter(|directory| !directory.is_empty()) else {
        return Ok(cluster.to_owned());
    };
    let path = Path::new(&kept).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&path).map_err(|source| Error::Log { path: path.clone(), source })?;
    Ok(path)
}

/// The root of this repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The Secret with the simulated partner's sign-in.
pub fn credentials(refresh_token: &str) -> String {
    let (tenant, client, secret) = (simulator::PARTNER_TENANT, simulator::CLIENT_ID, simulator::CLIENT_SECRET);
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: csp-operator-credentials, namespace: {NAMESPACE}}}\n\
         stringData:\n  partnerTenantId: {tenant}\n  clientId: {client}\n  clientSecret: {secret}\n  \
         refreshToken: {refresh_token}\n"
    )
}
