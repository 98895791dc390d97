//! A scenario: calls of the control API that are made at the start, or later, in order.

use std::future::Future;

use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::clock::Duration;
use super::control_call::{ControlCall, Verb};
use super::server::Simulator;
use super::world::World;

/// Calls at most, so that a scenario cannot keep the simulator from answering.
const STEPS_MAX: usize = 10_000;

/// Why a scenario was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is not YAML, or not a list of calls. The message names the place.
    #[error("the scenario is not understood: {0}")]
    Shape(#[from] serde_yaml::Error),
    /// A script has written it, most likely by mistake.
    #[error("the scenario has {0} calls; {STEPS_MAX} are possible")]
    TooLong(usize),
    /// The control API refuses a call.
    #[error("line {line}, {method} {path}: {why}")]
    Refused {
        /// Where the call begins, counted from 1.
        line: usize,
        /// Its method.
        method: String,
        /// Its path.
        path: String,
        /// What the control API said.
        why: String,
    },
    /// A delay cannot go back.
    #[error("line {0}: `after` is a delay, so it is not negative")]
    Negative(usize),
}

/// Calls of the control API in order, each with the time to wait before it.
#[derive(Debug, Clone)]
pub struct Scenario(Vec<Step>);

#[derive(Debug, Clone)]
struct Step {
    line: usize,
    after: std::time::Duration,
    call: ControlCall,
}

/// One entry of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    after: Option<Duration>,
    method: Verb,
    path: String,
    #[serde(default)]
    body: Value,
}

impl Scenario {
    /// Reads a scenario: a YAML (or JSON) list of `method`, `path` below `/simulator/`, `body`, and `after`.
    pub fn from_yaml(text: &str) -> Result<Self, ScenarioError> {
        if text.trim().is_empty() {
            return Ok(Self(Vec::new()));
        }
        // A file of comments is null.
        let entries: Vec<Entry> = serde_yaml::from_str::<Option<Vec<Entry>>>(text)?.unwrap_or_default();
        if entries.len() > STEPS_MAX {
            return Err(ScenarioError::TooLong(entries.len()));
        }
        let lines = lines_of_entries(text).chain(std::iter::repeat(1));
        let steps = entries.into_iter().zip(lines).map(|(entry, line)| Step::new(entry, line));
        steps.collect::<Result<_, _>>().map(Self)
    }

    /// Makes all calls at once in a simulator of this world that nobody sees, to find out whether one is refused.
    pub fn rehearse(&self, world: World) -> Result<(), ScenarioError> {
        let simulator = Simulator::new(world);
        self.0.iter().try_for_each(|step| step.take(&simulator))
    }
}

impl Simulator {
    /// Makes the calls before the first delay, and gives back what makes the others, each in its time. Either ends with
    /// the first call that is refused.
    pub fn begin(
        &self,
        scenario: Scenario,
    ) -> Result<impl Future<Output = Result<(), ScenarioError>> + Send + use<>, ScenarioError> {
        let mut later = scenario.0;
        let first_delay = later.iter().position(|step| !step.after.is_zero()).unwrap_or(later.len());
        for step in later.drain(..first_delay) {
            step.take(self)?;
        }
        let simulator = self.clone();
        Ok(async move {
            for step in later {
                sleep(step.after).await;
                step.take(&simulator)?;
            }
            Ok(())
        })
    }
}

impl Simulator {
    /// Begins the scenario in this text, and goes on with it by itself.
    pub(super) fn play(&self, text: &[u8]) -> Result<(), ScenarioError> {
        let later = self.begin(Scenario::from_yaml(&String::from_utf8_lossy(text))?)?;
        tokio::spawn(async move {
            if let Err(error) = later.await {
                tracing::error!("the scenario ends: {error}");
            }
        });
        Ok(())
    }
}

impl Step {
    fn new(entry: Entry, line: usize) -> Result<Self, ScenarioError> {
        let Entry { after, method, path, body } = entry;
        let after = after.map_or(Ok(std::time::Duration::ZERO), |Duration(after)| after.try_into());
        let after = after.map_err(|_| ScenarioError::Negative(line))?;
        Ok(Self { line, after, call: ControlCall::new(method, path, body) })
    }

    fn take(&self, simulator: &Simulator) -> Result<(), ScenarioError> {
        simulator.make(&self.call).map_err(|why| ScenarioError::Refused {
            line: self.line,
            method: self.call.method().to_string(),
            path: self.call.path().to_owned(),
            why,
        })
    }
}

/// The lines on which the entries of a block list begin; the YAML library does not tell.
fn lines_of_entries(text: &str) -> impl Iterator<Item = usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_entry = |line: &str| line.trim_start().starts_with("- ") || line.trim() == "-";
    let outer = text.lines().find(|line| is_entry(line)).map_or(0, indent);
    let lines = text.lines().enumerate().filter(move |(_, line)| is_entry(line) && indent(line) == outer);
    lines.map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let path = "- method: POST\n  path: portal/permission\n";
        for (text, sentence) in [
            ("customers: []".to_owned(), "expected a sequence"),
            ("- method: POST".to_owned(), "missing field `path`"),
            (format!("{path}- method: BREW\n  path: tea"), "[1].method: unknown variant `BREW`"),
            (format!("{path}  when: now"), "unknown field `when`"),
            (format!("{path}  after: soon"), "`soon` is no duration: write it like 90s"),
            (format!("# Twice.\n{path}{path}  after: -5s"), "line 4: `after` is a delay"),
        ] {
            let said = Scenario::from_yaml(&text).expect_err("refused").to_string();
            assert!(said.contains(sentence), "{text}\nsaid: {said}");
        }
    }

    #[test]
    fn a_call_that_would_be_refused_is_found_before_its_time() {
        let text = "
- method: PUT
  path: clock
  body: { now: 2026-03-01T08:00:00Z }

- after: 1h
  method: PUT
  path: customers/c0000000-0000-4000-8000-000000000007/relationship
  body:
    relationship: none
";
        let scenario = Scenario::from_yaml(text).expect("understood");
        scenario.rehearse(World::generated(8)).expect("possible");
        let said = scenario.rehearse(World::generated(7)).expect_err("nobody is number 7").to_string();
        assert_eq!(
            said,
            "line 6, PUT customers/c0000000-0000-4000-8000-000000000007/relationship: there is no customer c0000000-0000-4000-8000-000000000007"
        );
    }

    #[test]
    fn nothing_is_a_scenario_too() {
        for text in ["", "# Later.\n", "[]"] {
            Scenario::from_yaml(text).expect("understood").rehearse(World::default()).expect("nothing to refuse");
        }
    }
}
