//! The operator as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use local_cluster::Process;
use serde_json::Value;

use super::{Error, NAMESPACE, Proxy};

/// The operator, running or not.
#[derive(Debug)]
pub struct Operator {
    program: PathBuf,
    kubeconfig: PathBuf,
    simulator: String,
    name: String,
    log: PathBuf,
    process: Option<Process>,
    starts: u32,
}

impl Operator {
    pub(crate) fn new(program: &Path, kubeconfig: &Path, simulator: &str, directory: &Path) -> Self {
        Self {
            program: program.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            simulator: simulator.to_owned(),
            name: "stage".to_owned(),
            log: directory.join("operator.log"),
            process: None,
            starts: 0,
        }
    }

    /// Another replica of the same installation, not started yet, with a log of its own.
    #[must_use]
    pub fn replica(&self, name: &str) -> Self {
        Self {
            program: self.program.clone(),
            kubeconfig: self.kubeconfig.clone(),
            simulator: self.simulator.clone(),
            name: name.to_owned(),
            log: self.log.with_file_name(format!("{name}.log")),
            process: None,
            starts: 0,
        }
    }

    /// The same replica, not started yet, which reaches the API server through `proxy`.
    pub fn through(&self, proxy: &Proxy) -> Result<Self, Error> {
        let failed = |source| Error::Log { path: self.kubeconfig.clone(), source };
        let text = std::fs::read_to_string(&self.kubeconfig).map_err(failed)?;
        let mut kubeconfig: Value = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        kubeconfig["clusters"][0]["cluster"]["server"] = format!("https://{}", proxy.address()).into();
        let mut replica = self.replica("proxied");
        replica.kubeconfig = self.kubeconfig.with_extension("proxied");
        std::fs::write(&replica.kubeconfig, kubeconfig.to_string()).map_err(failed)?;
        Ok(replica)
    }

    /// Host and port of the API server.
    pub fn api_server(&self) -> Result<String, Error> {
        let failed = |source| Error::Log { path: self.kubeconfig.clone(), source };
        let text = std::fs::read_to_string(&self.kubeconfig).map_err(failed)?;
        let kubeconfig: Value = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap_or_default();
        Ok(server.trim_start_matches("https://").trim_end_matches('/').to_owned())
    }

    /// Starts it, with these arguments, which win over what is set here.
    ///
    /// It looks at the activity log every second, holds its lease for three and has calls and first grants to spare, so that nothing takes
    /// minutes; write
    /// timeout and lease keep the proportion that the operator demands.
    pub fn start(&mut self, arguments: &[&str]) -> Result<(), Error> {
        self.start_with(&[], arguments)
    }

    /// The same, with these environment variables.
    pub fn start_with(&mut self, variables: &[(&str, &str)], arguments: &[&str]) -> Result<(), Error> {
        let pace = [
            ("CSP_ACTIVITY_INTERVAL", "1s"),
            ("CSP_LEASE_DURATION", "3s"),
            ("CSP_WRITE_TIMEOUT", "1s"),
            ("CSP_PARTNER_CENTER_CALLS_PER_MINUTE", "60000"),
            // Else it would be some object's turn in the middle of whatever is counted. Tests ask for it.
            ("CSP_PURCHASE_INTERVAL", "720h"),
            ("CSP_MAX_GRANTS_PER_HOUR", "100000"),
        ];
        self.spawn(&[&pace, variables].concat(), arguments)
    }

    /// Starts it as an installation does: with these arguments, and its defaults for everything else.
    pub fn start_with_defaults(&mut self, arguments: &[&str]) -> Result<(), Error> {
        self.spawn(&[], arguments)
    }

    fn spawn(&mut self, pace: &[(&str, &str)], arguments: &[&str]) -> Result<(), Error> {
        self.starts += 1;
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .args(["run", "--namespace", NAMESPACE])
            .args(["--identity", &format!("{}-{}", self.name, self.starts)])
            .args(["--login-url", &self.simulator, "--partner-center-url", &self.simulator])
            .args(["--azure-url", &self.simulator, "--graph-url", &self.simulator])
            // As variables, which the arguments win over.
            .envs(pace.iter().copied())
            .env("CSP_HEALTH_ADDRESS", "127.0.0.1:0")
            .args(arguments);
        self.process = Some(Process::spawn(command, &self.log)?);
        Ok(())
    }

    /// Asks it to end, as Kubernetes does, and waits until it has.
    pub fn stop(&mut self) -> Result<Option<ExitStatus>, Error> {
        let Some(mut process) = self.process.take() else { return Ok(None) };
        process.terminate()?;
        Ok(process.wait(Duration::from_secs(15))?)
    }

    /// Ends it at once, in the middle of whatever it does.
    pub fn kill(&mut self) -> Result<(), Error> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Waits, for at most this long, until it ends by itself. `None`: it still runs.
    pub fn wait(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        match &mut self.process {
            Some(process) => Ok(process.wait(timeout)?),
            None => Ok(None),
        }
    }

    /// Stops it in its tracks, as a long pause of its machine would, until [`Operator::resume`].
    pub fn pause(&mut self) -> Result<(), Error> {
        self.process.as_mut().map_or(Ok(()), |process| Ok(process.pause()?))
    }

    /// Lets it go on after [`Operator::pause`].
    pub fn resume(&mut self) -> Result<(), Error> {
        self.process.as_mut().map_or(Ok(()), |process| Ok(process.resume()?))
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> Result<bool, Error> {
        match &mut self.process {
            Some(process) => Ok(process.is_running()?),
            None => Ok(false),
        }
    }

    /// Id of its process, while it has one.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// All it has said so far, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where that is.
    pub fn log_path(&self) -> &Path {
        &self.log
    }
}
