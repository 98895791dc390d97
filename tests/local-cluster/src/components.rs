//! The three servers: the files they share and the flags they run with.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::directory::random_token;
use crate::error::file;
use crate::kubeconfig::Kubeconfig;
use crate::{Assets, Error, ports};

pub(crate) const ETCD: &str = "etcd";
pub(crate) const APISERVER: &str = "kube-apiserver";
pub(crate) const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// Every request once, with who, what and the outcome, but no bodies. Not the stage at which a request arrives: its
/// outcome follows. A watch has a line at its start and one at its end.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
";

/// The controllers that run: what garbage collection, namespace deletion and service accounts need.
const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,serviceaccount-controller,\
root-ca-certificate-publisher-controller,serviceaccount-token-controller";

/// The ports of one control plane, on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    etcd_peer: u16,
    pub(crate) apiserver: u16,
    controller_manager: u16,
}

impl Ports {
    pub(crate) fn choose() -> Result<Self, Error> {
        Ok(Self {
            etcd: ports::free()?,
            etcd_peer: ports::free()?,
            apiserver: ports::free()?,
            controller_manager: ports::free()?,
        })
    }
}

/// What the components of one control plane share.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
    pub(crate) ports: Ports,
}

impl Layout {
    /// Writes the files that must exist before anything starts: credentials, audit policy, the kubeconfigs of the
    /// administrator and of kube-controller-manager.
    pub(crate) fn prepare(root: &Path, ports: Ports) -> Result<Self, Error> {
        let layout = Self { root: root.to_owned(), ports };
        for directory in [layout.home(), layout.root.join("logs")] {
            fs::create_dir(&directory).map_err(file("create the directory", &directory))?;
        }
        let (admin, controllers) = (random_token()?, random_token()?);
        // A user of its own, so that the audit log tells kube-controller-manager's requests from the administrator's.
        let tokens = format!(
            "{admin},admin,admin,system:masters\n\
             {controllers},system:kube-controller-manager,system:kube-controller-manager,system:masters\n"
        );
        for (path, content) in [(layout.tokens(), tokens.as_str()), (layout.audit_policy(), AUDIT_POLICY)] {
            fs::write(&path, content).map_err(file("write", &path))?;
        }
        layout.write_kubeconfig(&layout.kubeconfig(), "admin", &admin, "default")?;
        let path = layout.controller_manager_kubeconfig();
        layout.write_kubeconfig(&path, "system:kube-controller-manager", &controllers, "kube-system")?;
        Ok(layout)
    }

    pub(crate) fn write_kubeconfig(&self, path: &Path, user: &str, token: &str, namespace: &str) -> Result<(), Error> {
        let server = self.server();
        Kubeconfig { server: &server, authority: &self.certificate(), user, token, namespace }.write(path)
    }

    /// The API server's URL.
    pub(crate) fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.apiserver)
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("admin.kubeconfig")
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.root.join("audit.log")
    }

    /// Stands in for the user's home directory, so that kubectl neither reads nor writes the real one.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The log of a component.
    pub(crate) fn log(&self, component: &str) -> PathBuf {
        self.root.join("logs").join(format!("{component}.log"))
    }

    /// The API server's certificate and the authority that signed it. The API server makes both at its first start and
    /// finds them at the next ones.
    fn certificate(&self) -> PathBuf {
        self.certificates().join("apiserver.crt")
    }

    /// The API server's private key, which also signs the tokens of service accounts here: one key less to make, and
    /// tokens stay good when it is restarted.
    fn key(&self) -> PathBuf {
        self.certificates().join("apiserver.key")
    }

    fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    fn tokens(&self) -> PathBuf {
        self.root.join("tokens.csv")
    }

    fn audit_policy(&self) -> PathBuf {
        self.root.join("audit-policy.yaml")
    }

    fn controller_manager_kubeconfig(&self) -> PathBuf {
        self.root.join("controller-manager.kubeconfig")
    }

    /// etcd, not waiting for the disk: nothing here must survive a power failure.
    pub(crate) fn etcd(&self, assets: &Assets) -> Command {
        let clients = format!("http://127.0.0.1:{}", self.ports.etcd);
        let peers = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        let mut command = bare(&assets.etcd);
        command
            .arg("--unsafe-no-fsync")
            .arg(flag("data-dir", self.root.join("etcd")))
            .arg(flag("listen-client-urls", &clients))
            .arg(flag("advertise-client-urls", &clients))
            .arg(flag("listen-peer-urls", &peers))
            .arg(flag("initial-advertise-peer-urls", &peers))
            .arg(flag("initial-cluster", format!("default={peers}")));
        command
    }

    pub(crate) fn apiserver(&self, assets: &Assets) -> Command {
        let mut command = bare(&assets.kube_apiserver);
        command
            .arg(flag("etcd-servers", format!("http://127.0.0.1:{}", self.ports.etcd)))
            .arg(flag("bind-address", "127.0.0.1"))
            .arg(flag("advertise-address", "127.0.0.1"))
            .arg(flag("secure-port", self.ports.apiserver.to_string()))
            .arg(flag("cert-dir", self.certificates()))
            .arg(flag("service-account-issuer", "https://kubernetes.default.svc"))
            .arg(flag("service-account-key-file", self.key()))
            .arg(flag("service-account-signing-key-file", self.key()))
            .arg(flag("service-cluster-ip-range", "10.0.0.0/24"))
            .arg(flag("authorization-mode", "RBAC"))
            .arg(flag("token-auth-file", self.tokens()))
            .arg(flag("audit-policy-file", self.audit_policy()))
            .arg(flag("audit-log-path", self.audit_log()))
            // In megabytes. Readers remember an offset, so the file must never be rotated away.
            .arg(flag("audit-log-maxsize", "1000000"));
        command
    }

    pub(crate) fn controller_manager(&self, assets: &Assets) -> Command {
        let mut command = bare(&assets.kube_controller_manager);
        command
            .arg(flag("kubeconfig", self.controller_manager_kubeconfig()))
            .arg(flag("service-account-private-key-file", self.key()))
            .arg(flag("root-ca-file", self.certificate()))
            .arg(flag("leader-elect", "false"))
            .arg(flag("bind-address", "127.0.0.1"))
            .arg(flag("secure-port", self.ports.controller_manager.to_string()))
            .arg(flag("cert-dir", self.root.join("controller-manager-certificates")))
            .arg(flag("controllers", CONTROLLERS));
        command
    }

    /// kubectl as this control plane's administrator, whatever is configured for the person running it.
    pub(crate) fn kubectl(&self, assets: &Assets) -> Command {
        let mut command = bare(&assets.kubectl);
        command.env("HOME", self.home()).env("KUBECONFIG", self.kubeconfig());
        command
    }
}

/// A command that sees nothing of the caller's environment (`ETCD_…`, `KUBECONFIG`, proxies) but where programs are.
fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

fn flag(name: &str, value: impl Into<OsString>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value.into());
    flag
}
