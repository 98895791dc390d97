//! Runs what a person or a pipeline would type, and waits for what follows from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use local_cluster::Process;
use serde_json::{Value, json};
use stage::{Programs, Simulator, Stage};

use crate::failure::Failure;
use crate::screen::Screen;

/// How long anything may take that the demo waits for.
const WITHIN: Duration = Duration::from_secs(90);

/// How often it is looked for.
const POLL: Duration = Duration::from_millis(250);

/// Where the examples put everything.
pub(crate) const NAMESPACE: &str = "csp-customers";

pub(crate) struct Shell<'a> {
    stage: &'a Stage,
    programs: &'a Programs,
}

/// What the condition `Ready` of an object says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) status: String,
    pub(crate) reason: String,
}

impl<'a> Shell<'a> {
    pub(crate) fn new(stage: &'a Stage, programs: &'a Programs) -> Self {
        Self { stage, programs }
    }

    pub(crate) fn simulator(&self) -> &Simulator {
        &self.stage.simulator
    }

    /// Path of the administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.stage.cluster.kubeconfig()
    }

    /// Path of the kubectl in use.
    pub(crate) fn kubectl_program(&self) -> String {
        self.stage.cluster.kubectl().get_program().to_string_lossy().into_owned()
    }

    /// The directory of what Cargo has built, as one types it.
    pub(crate) fn programs(&self) -> String {
        quoted(&self.programs.operator.parent().unwrap_or(Path::new(".")).display().to_string())
    }

    /// Where the operator and the simulator log to.
    pub(crate) fn logs(&self) -> [PathBuf; 2] {
        [self.stage.operator.log_path().to_owned(), self.stage.simulator.log().to_owned()]
    }

    /// Shows a kubectl command and what it prints.
    pub(crate) fn kubectl(&self, screen: &Screen, arguments: &[&str]) -> Result<(), Failure> {
        self.kubectl_trimmed(screen, arguments, "", str::to_owned)
    }

    /// The same, with the part of the output that `trim` leaves; `pipe` is what one would type to the same effect.
    pub(crate) fn kubectl_trimmed(
        &self,
        screen: &Screen,
        arguments: &[&str],
        pipe: &str,
        trim: impl Fn(&str) -> String,
    ) -> Result<(), Failure> {
        screen.command(&format!("{}{pipe}", typed(arguments)))?;
        Ok(screen.output(&trim(&self.run(arguments)?))?)
    }

    /// Shows a call of the simulator's control API that changes something, and makes it.
    pub(crate) async fn post(&self, screen: &Screen, path: &str, body: Value) -> Result<(), Failure> {
        screen.command(&format!("curl -s $SIM/simulator/{path} -d {}", quoted(&body.to_string())))?;
        let answer = self.simulator().post(path, body).await?;
        if answer.is_null() { Ok(()) } else { Ok(screen.output(&answer.to_string())?) }
    }

    /// Shows which purchases Partner Center permits to a customer and how often the operator has written that, and
    /// checks both.
    pub(crate) async fn permissions(
        &self,
        screen: &Screen,
        customer: &str,
        expected: &[&str],
        writes: u64,
    ) -> Result<(), Failure> {
        screen.command(&format!("curl -s $SIM/simulator/state/{customer} | jq -c '{{permissions, policyWrites}}'"))?;
        let state = self.simulator().get(&format!("state/{customer}")).await?;
        let shown = json!({ "permissions": state["permissions"], "policyWrites": state["policyWrites"] });
        screen.output(&shown.to_string())?;
        let found = self.simulator().permissions(customer).await?;
        if found == expected && state["policyWrites"] == writes {
            return Ok(());
        }
        Err(Failure::unmet(format!("expected of {customer}: {expected:?} after {writes} writes of the operator")))
    }

    /// The condition `Ready` of a permission; `None` before it has one.
    pub(crate) fn ready(&self, permission: &str) -> Result<Option<Ready>, Failure> {
        let object = self.json(&["get", "cpp", permission])?;
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(conditions
            .iter()
            .find(|condition| condition["type"] == "Ready")
            .map(|ready| Ready { status: text(&ready["status"]), reason: text(&ready["reason"]) }))
    }

    /// Whether `permission` has an event that says all of this.
    pub(crate) fn has_event(&self, permission: &str, words: &[&str]) -> Result<bool, Failure> {
        let events = self.json(&["get", "events", &format!("--field-selector=involvedObject.name={permission}")])?;
        let events = events["items"].as_array().cloned().unwrap_or_default();
        Ok(events.iter().any(|event| {
            let message = event["message"].as_str().unwrap_or_default();
            words.iter().all(|word| message.contains(word))
        }))
    }

    /// Waits until `is_so`, without showing it.
    pub(crate) async fn until(
        &self,
        what: &str,
        mut is_so: impl AsyncFnMut() -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + WITHIN;
        while !is_so().await? {
            if Instant::now() > deadline {
                return Err(Failure::unmet(format!("{} s have gone by, and not yet: {what}", WITHIN.as_secs())));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    fn json(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let output = self.run(&[arguments, &["-n", NAMESPACE, "-o", "json"]].concat())?;
        serde_json::from_str(&output).map_err(|error| Failure::Command {
            command: typed(arguments),
            how: format!("did not answer in JSON ({error})"),
            said: output,
        })
    }

    /// Runs kubectl as a process that cannot outlive this one, and gives what it printed.
    fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let log = self.stage.cluster.directory().join("kubectl.log");
        // There is none before the first command.
        let _ = fs::remove_file(&log);
        let mut command = self.stage.cluster.kubectl();
        command.args(arguments).current_dir(stage::root());
        let mut process = Process::spawn(command, &log)?;
        let status = process.wait(WITHIN)?;
        let said = fs::read_to_string(&log)?;
        let failed = |how: String| Failure::Command { command: typed(arguments), how, said: said.clone() };
        match status {
            Some(status) if status.success() => Ok(said),
            Some(status) => Err(failed(format!("failed ({status})"))),
            None => Err(failed(format!("did not end within {} s", WITHIN.as_secs()))),
        }
    }
}

/// The command as one would type it.
fn typed(arguments: &[&str]) -> String {
    let words: Vec<_> = arguments.iter().map(|argument| quoted(argument)).collect();
    format!("kubectl {}", words.join(" "))
}

/// For a POSIX shell, and only where it needs it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
