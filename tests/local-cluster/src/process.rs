//! A child process that writes to a log file and cannot outlive this process.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::error::file;
use crate::{Error, watchdog};

/// How often a process that is waited for is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A running child. Dropping it kills it (SIGKILL) together with whatever it started; so does the end of this process,
/// even by SIGKILL. It leads its own process group, so Ctrl-C in a terminal reaches only this process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` without standard input, appending its standard output and error to the file `log`.
    ///
    /// # Errors
    /// [`Error::File`] when the log cannot be opened, [`Error::Process`] when the program cannot be started.
    pub fn spawn(mut command: Command, log: impl Into<PathBuf>) -> Result<Self, Error> {
        let log = log.into();
        let name = command.get_program().to_string_lossy().into_owned();
        let out = OpenOptions::new().create(true).append(true).open(&log).map_err(file("open", &log))?;
        let err = out.try_clone().map_err(file("open", &log))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Process { action: "start", program: name.clone(), source })?;
        // Owned before it is listed: should that fail, dropping kills it.
        let process = Self { name, child, log, status: None };
        watchdog::watch_process(process.pid())?;
        Ok(process)
    }

    /// The process id, which is also its process group's.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds its standard output and error.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last `lines` lines of its log; empty when there is none.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> Result<bool, Error> {
        Ok(self.wait(Duration::ZERO)?.is_none())
    }

    /// Waits until it ends, at most `timeout`. `None`: it is still running.
    pub fn wait(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        let deadline = Instant::now() + timeout;
        loop {
            if self.status.is_some() {
                return Ok(self.status);
            }
            let status = self.child.try_wait().map_err(|source| self.failed("wait for", source))?;
            if let Some(status) = status {
                self.ended(status);
            } else if Instant::now() >= deadline {
                return Ok(None);
            } else {
                thread::sleep(POLL);
            }
        }
    }

    /// Asks it to end (SIGTERM), as Kubernetes does with a pod, and returns at once. Nothing happens if it has ended.
    pub fn terminate(&mut self) -> Result<(), Error> {
        self.signal(Signal::TERM, "terminate")
    }

    /// Stops it in its tracks (SIGSTOP), as a long pause of its machine would, until [`Process::resume`].
    pub fn pause(&mut self) -> Result<(), Error> {
        self.signal(Signal::STOP, "pause")
    }

    /// Lets it run on after [`Process::pause`] (SIGCONT).
    pub fn resume(&mut self) -> Result<(), Error> {
        self.signal(Signal::CONT, "resume")
    }

    /// Kills it and whatever it started (SIGKILL), and waits until it is gone. Nothing happens if it has ended.
    pub fn kill(&mut self) -> Result<(), Error> {
        if !self.is_running()? {
            return Ok(());
        }
        kill_process_group(Pid::from_child(&self.child), Signal::KILL)
            .map_err(|source| self.failed("kill", source.into()))?;
        let status = self.child.wait().map_err(|source| self.failed("wait for", source))?;
        self.ended(status);
        Ok(())
    }

    /// Signals it alone, and only while it has not been waited for: its number is certainly still its own.
    fn signal(&mut self, signal: Signal, action: &'static str) -> Result<(), Error> {
        if !self.is_running()? {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), signal).map_err(|source| self.failed(action, source.into()))
    }

    fn ended(&mut self, status: ExitStatus) {
        self.status = Some(status);
        watchdog::forget_process(self.pid());
    }

    fn failed(&self, action: &'static str, source: io::Error) -> Error {
        Error::Process { action, program: self.name.clone(), source }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What cannot be killed now is left to the watchdog.
        let _ = self.kill();
    }
}

/// The last `lines` lines of a file; empty when it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::for_test;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn exists(pid: u32) -> bool {
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        rustix::process::test_kill_process(pid).is_ok()
    }

    #[test]
    fn keeps_both_outputs_in_the_log_and_reports_the_end() {
        let directory = for_test();
        let mut process =
            Process::spawn(shell("echo out; echo err >&2; exit 3"), directory.path().join("log")).unwrap();
        let status = process.wait(Duration::from_secs(10)).unwrap().unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!(process.log_tail(9), "out\nerr");
        assert_eq!(process.log_tail(1), "err");
        assert!(!process.is_running().unwrap());
        process.terminate().unwrap();
    }

    #[test]
    fn waits_no_longer_than_asked() {
        let directory = for_test();
        let mut process = Process::spawn(shell("sleep 100"), directory.path().join("log")).unwrap();
        assert!(process.wait(Duration::from_millis(20)).unwrap().is_none());
    }

    #[test]
    fn terminate_can_be_answered_and_pause_holds_it_off() {
        let directory = for_test();
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let mut process = Process::spawn(shell(script), directory.path().join("log")).unwrap();
        while process.log_tail(1).is_empty() {
            thread::sleep(POLL);
        }
        process.pause().unwrap();
        process.terminate().unwrap();
        assert!(process.wait(Duration::from_millis(200)).unwrap().is_none(), "it ran while paused");
        process.resume().unwrap();
        assert_eq!(process.wait(Duration::from_secs(10)).unwrap().unwrap().code(), Some(7));
    }

    #[test]
    fn dropping_kills_it_and_what_it_started() {
        let directory = for_test();
        let process = Process::spawn(shell("sleep 100 & echo $!; wait"), directory.path().join("log")).unwrap();
        while process.log_tail(1).is_empty() {
            thread::sleep(POLL);
        }
        let (parent, child) = (process.pid(), process.log_tail(1).parse().unwrap());
        assert!(exists(parent) && exists(child));
        drop(process);
        assert!(!exists(parent), "the process outlived its owner");
        let deadline = Instant::now() + Duration::from_secs(10);
        while exists(child) {
            // Its new parent, init, has yet to collect it.
            assert!(Instant::now() < deadline, "its child outlived its owner");
            thread::sleep(POLL);
        }
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let directory = for_test();
        let error = Process::spawn(Command::new("no-such-program"), directory.path().join("log")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start no-such-program");
    }
}
