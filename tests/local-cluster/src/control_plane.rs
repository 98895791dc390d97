//! Starting the control plane, waiting until it is usable, using it, and stopping it.

use std::ffi::OsStr;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::assets::to_stderr;
use crate::components::{APISERVER, CONTROLLER_MANAGER, ETCD, Layout, Ports};
use crate::directory::Directory;
use crate::process::tail;
use crate::{Assets, Error, Process};

/// How long a component may take to become usable. About two seconds are usual; a busy machine takes many times that.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(100);

/// How often a start is tried when another process takes one of the chosen ports first.
const ATTEMPTS: u32 = 3;

/// How much of a component's log a failure shows, in lines.
const LOG_LINES: usize = 20;

/// How long a service account's token is good for: longer than any test or demonstration runs.
const TOKEN_DURATION: &str = "24h";

/// What may be chosen about a control plane.
#[derive(Debug, Clone)]
pub struct Options {
    /// Appears in the name of its directory, so that leftovers and processes can be told apart.
    pub name: String,
    /// Leaves the directory with logs, data and audit log behind, for looking at after a failure.
    pub keep: bool,
}

impl Options {
    /// The defaults, with this name (letters, digits, hyphens).
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), keep: false }
    }
}

/// A running control plane. Dropping it stops everything and removes its directory; so does the end of this process,
/// even by SIGKILL.
#[derive(Debug)]
pub struct ControlPlane {
    // Fields are dropped in this order: no component loses what it depends on, and the directory goes last.
    controller_manager: Process,
    apiserver: Option<Process>,
    etcd: Process,
    layout: Layout,
    assets: Assets,
    directory: Directory,
}

impl ControlPlane {
    /// Finds or builds the binaries (progress on standard error), starts everything and waits until it is usable:
    /// about five seconds once the binaries exist.
    ///
    /// # Errors
    /// Those of [`Assets::find`]; [`Error::Ended`] or [`Error::NotReady`] with the end of the component's log.
    pub fn start(options: &Options) -> Result<Self, Error> {
        Self::start_with(&Assets::find(&mut to_stderr)?, options)
    }

    /// The same with these binaries.
    pub fn start_with(assets: &Assets, options: &Options) -> Result<Self, Error> {
        let mut attempt = 1;
        loop {
            match Self::try_start(assets, options, Ports::choose()?) {
                Err(Error::Ended { output, .. }) if is_port_taken(&output) && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    fn try_start(assets: &Assets, options: &Options, ports: Ports) -> Result<Self, Error> {
        let directory = Directory::create(&options.name, options.keep)?;
        let layout = Layout::prepare(directory.path(), ports)?;
        let mut etcd = Process::spawn(layout.etcd(assets), layout.log(ETCD))?;
        wait_until(ETCD, &mut etcd, "etcd does not listen", || is_listening(ports.etcd))?;
        let apiserver = Process::spawn(layout.apiserver(assets), layout.log(APISERVER))?;
        let apiserver = wait_until_ready(&layout, assets, apiserver)?;
        // Only now: it trusts a certificate that the API server writes, and ends by itself when the API server takes
        // more than half a minute, which a busy machine does.
        let controller_manager = Process::spawn(layout.controller_manager(assets), layout.log(CONTROLLER_MANAGER))?;
        let mut cluster =
            Self { controller_manager, apiserver: Some(apiserver), etcd, layout, assets: assets.clone(), directory };
        cluster.wait_for_default_service_account()?;
        // Had another process taken etcd's port, that would have answered in its place until now.
        check_running(ETCD, &mut cluster.etcd)?;
        Ok(cluster)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig()
    }

    /// The API server's URL.
    pub fn server(&self) -> String {
        self.layout.server()
    }

    /// The API server's audit log, for [`crate::audit::read`]. It grows until the end.
    pub fn audit_log(&self) -> PathBuf {
        self.layout.audit_log()
    }

    /// Holds everything this control plane writes: logs under `logs/`, data, kubeconfigs.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process ids of the running components.
    pub fn pids(&self) -> Vec<u32> {
        let apiserver = self.apiserver.as_ref().map(Process::pid);
        [self.etcd.pid(), self.controller_manager.pid()].into_iter().chain(apiserver).collect()
    }

    /// kubectl as the administrator. It sees nothing of the caller's environment and never touches the caller's home.
    pub fn kubectl(&self) -> Command {
        self.layout.kubectl(&self.assets)
    }

    /// Runs kubectl as the administrator; returns what it printed on standard output.
    ///
    /// # Errors
    /// [`Error::Kubectl`] with what it printed on standard error, unless it succeeded.
    pub fn kubectl_output<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String, Error> {
        let mut command = self.kubectl();
        command.args(arguments);
        run(command, "")
    }

    /// `kubectl apply` of YAML or JSON documents; returns what kubectl said.
    pub fn apply(&self, manifests: &str) -> Result<String, Error> {
        self.kubectl_with_input(&["apply", "--filename=-"], manifests)
    }

    /// `kubectl apply` of a file, a directory of files, or a directory with a `kustomization.yaml`.
    pub fn apply_path(&self, path: impl AsRef<Path>) -> Result<String, Error> {
        let path = path.as_ref();
        let option = if path.join("kustomization.yaml").is_file() { "--kustomize" } else { "--filename" };
        self.kubectl_output(&[OsStr::new("apply"), OsStr::new(option), path.as_os_str()])
    }

    /// The same as [`ControlPlane::kubectl_output`], with `input` on standard input.
    pub fn kubectl_with_input<A: AsRef<OsStr>>(&self, arguments: &[A], input: &str) -> Result<String, Error> {
        let mut command = self.kubectl();
        command.args(arguments);
        run(command, input)
    }

    /// A kubeconfig with a token of this existing service account, good for a day, also across a restart of the API
    /// server. Its default namespace is the account's own.
    pub fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf, Error> {
        let duration = format!("--duration={TOKEN_DURATION}");
        let token = self.kubectl_output(&["create", "token", name, "--namespace", namespace, &duration])?;
        let path = self.directory.path().join(format!("{namespace}.{name}.kubeconfig"));
        self.layout.write_kubeconfig(&path, name, token.trim(), namespace)?;
        Ok(path)
    }

    /// Kills the API server, as a crash of its machine would: connections break, new ones are refused. Nothing that it
    /// has acknowledged is lost. Nothing happens when it is stopped already.
    pub fn stop_apiserver(&mut self) -> Result<(), Error> {
        match self.apiserver.take() {
            Some(mut apiserver) => apiserver.kill(),
            None => Ok(()),
        }
    }

    /// Starts the API server again, on the same port with the same certificate and keys, and waits until it is usable.
    /// Nothing happens when it is running.
    pub fn start_apiserver(&mut self) -> Result<(), Error> {
        let apiserver = match self.apiserver.take() {
            Some(running) => running,
            None => Process::spawn(self.layout.apiserver(&self.assets), self.layout.log(APISERVER))?,
        };
        self.apiserver = Some(wait_until_ready(&self.layout, &self.assets, apiserver)?);
        Ok(())
    }

    /// [`ControlPlane::stop_apiserver`] and [`ControlPlane::start_apiserver`].
    pub fn restart_apiserver(&mut self) -> Result<(), Error> {
        self.stop_apiserver()?;
        self.start_apiserver()
    }

    /// Waits, for ever, until a component ends by itself, and says which. None does unless it is killed or fails.
    pub fn wait_for_failure(&mut self) -> Error {
        loop {
            thread::sleep(Duration::from_secs(1));
            let apiserver = self.apiserver.as_mut().map(|process| (APISERVER, process));
            let others = [(ETCD, &mut self.etcd), (CONTROLLER_MANAGER, &mut self.controller_manager)];
            for (component, process) in others.into_iter().chain(apiserver) {
                if let Err(error) = check_running(component, process) {
                    return error;
                }
            }
        }
    }

    /// Stops everything and removes the directory: what dropping does, in a word.
    pub fn stop(self) {
        drop(self);
    }

    /// The last thing to appear. Without it nothing can be created in the default namespace that has an account.
    fn wait_for_default_service_account(&mut self) -> Result<(), Error> {
        let kubectl = || self.layout.kubectl(&self.assets);
        let what = "the default service account does not exist";
        wait_until(CONTROLLER_MANAGER, &mut self.controller_manager, what, || {
            let mut command = kubectl();
            command.args(["get", "serviceaccount", "default", "--namespace=default", "--request-timeout=5s"]);
            run(command, "").is_ok()
        })
    }
}

/// Waits until the API server is usable; one that does not become so is killed.
fn wait_until_ready(layout: &Layout, assets: &Assets, mut apiserver: Process) -> Result<Process, Error> {
    wait_until(APISERVER, &mut apiserver, "kube-apiserver is not ready", || {
        let mut command = layout.kubectl(assets);
        command.args(["get", "--raw", "/readyz", "--request-timeout=5s"]);
        is_listening(layout.ports.apiserver) && run(command, "").is_ok()
    })?;
    Ok(apiserver)
}

/// Waits until `ready`. `what` says in a failure what is missing.
fn wait_until(
    component: &'static str,
    process: &mut Process,
    what: &str,
    ready: impl Fn() -> bool,
) -> Result<(), Error> {
    let deadline = Instant::now() + READY_WITHIN;
    while !ready() {
        check_running(component, process)?;
        if Instant::now() >= deadline {
            return Err(Error::NotReady {
                what: what.to_owned(),
                seconds: READY_WITHIN.as_secs(),
                component,
                output: tail(process.log(), LOG_LINES),
            });
        }
        thread::sleep(POLL);
    }
    // Something else may have answered on a port that this process failed to get.
    check_running(component, process)
}

fn check_running(component: &'static str, process: &mut Process) -> Result<(), Error> {
    match process.wait(Duration::ZERO)? {
        None => Ok(()),
        Some(status) => Err(Error::Ended { component, status, output: process.log_tail(LOG_LINES) }),
    }
}

fn is_listening(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

fn is_port_taken(log: &str) -> bool {
    log.contains("address already in use")
}

/// Runs a kubectl command with `input` on standard input; returns what it printed on standard output.
///
/// # Errors
/// [`Error::Kubectl`] with what it printed on standard error, unless it succeeded.
pub fn run(mut command: Command, input: &str) -> Result<String, Error> {
    let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let arguments = arguments.join(" ");
    let Output { status, stdout, stderr } = output(&mut command, input).map_err(|source| Error::Process {
        action: "run",
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    Err(Error::Kubectl { arguments, status, stderr: String::from_utf8_lossy(&stderr).trim().to_owned() })
}

fn output(command: &mut Command, input: &str) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // kubectl reads all of its input before it prints anything, so this cannot block. One that ends without reading
    // says why on standard error, which is more telling than the broken pipe.
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{for_test, stand_in};

    /// Starts with a stand-in for etcd that runs this shell script.
    fn start(etcd: &str) -> Error {
        let bin = for_test();
        let absent = bin.path().join("absent");
        let assets = Assets {
            etcd: stand_in(bin.path(), "etcd", etcd),
            kube_apiserver: absent.clone(),
            kube_controller_manager: absent.clone(),
            kubectl: absent,
        };
        ControlPlane::start_with(&assets, &Options::named("stand-ins")).unwrap_err()
    }

    #[test]
    fn a_component_that_ends_is_shown_with_its_last_words() {
        let error = start("echo 'no such disk' >&2; exit 4").to_string();
        assert!(error.contains("etcd ended") && error.contains("no such disk"), "{error}");
    }

    #[test]
    fn a_port_taken_meanwhile_is_tried_again_elsewhere() {
        let counts = for_test();
        let runs = counts.path().join("runs");
        let error = start(&format!("echo \"$3\" >> {}; echo 'bind: address already in use'; exit 1", runs.display()));
        assert!(matches!(error, Error::Ended { .. }), "{error}");
        let tried = std::fs::read_to_string(runs).unwrap();
        let mut urls: Vec<_> = tried.lines().collect();
        urls.dedup();
        assert_eq!(urls.len(), 3, "{tried}");
    }
}
