//! The operator as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use local_cluster::Process;

use super::{Error, NAMESPACE};

/// The operator, running or not.
#[derive(Debug)]
pub struct Operator {
    program: PathBuf,
    kubeconfig: PathBuf,
    simulator: String,
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
            log: directory.join("operator.log"),
            process: None,
            starts: 0,
        }
    }

    /// Starts it, with these arguments after its own.
    ///
    /// It looks at the activity log every second and holds its lease for three, so that nothing takes minutes; write
    /// timeout and lease keep the proportion that the operator demands.
    pub fn start(&mut self, arguments: &[&str]) -> Result<(), Error> {
        self.spawn(&["--activity-interval", "1s", "--lease-duration", "3s", "--write-timeout", "1s"], arguments)
    }

    /// Starts it as an installation does: with these arguments, and its defaults for everything else.
    pub fn start_with_defaults(&mut self, arguments: &[&str]) -> Result<(), Error> {
        self.spawn(&[], arguments)
    }

    fn spawn(&mut self, pace: &[&str], arguments: &[&str]) -> Result<(), Error> {
        self.starts += 1;
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("KUBECONFIG", &self.kubeconfig)
            .args(["run", "--namespace", NAMESPACE])
            .args(["--identity", &format!("stage-{}", self.starts)])
            .args(["--login-url", &self.simulator, "--partner-center-url", &self.simulator])
            .args(["--azure-url", &self.simulator])
            .args(pace)
            .args(["--health-address", "127.0.0.1:0"])
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
