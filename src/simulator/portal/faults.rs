//! Faults on and off: what the simulated APIs do wrong, on purpose. Not a page of Partner Center's.

use askama::Template;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::fault_words::{self, ANSWERS, OPERATIONS, Preset};
use super::form::{Form, asked};
use super::shell::{Place, Shell};
use super::{page, see_other};
use crate::simulator::control;
use crate::simulator::control_call::{ControlCall, Verb};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;

const PATH: &str = "/portal/faults";

#[derive(Debug, Template)]
#[template(path = "faults.html")]
struct Faults {
    shell: Shell,
    waiting: Vec<Waiting>,
    answers: &'static [Preset],
    operations: &'static [&'static str],
    wanted: Wanted,
}

/// A fault that is on.
#[derive(Debug)]
struct Waiting {
    said: String,
    /// By which its button names it.
    json: String,
}

/// The form, as it was sent.
#[derive(Debug)]
struct Wanted {
    answer: String,
    own: String,
    operation: String,
    customer: String,
    skip: String,
    times: String,
}

impl Wanted {
    /// A form that nobody has filled in yet: a customer's page may have named its customer.
    fn new(customer: &str) -> Self {
        Self {
            answer: ANSWERS[0].name.to_owned(),
            own: String::new(),
            operation: String::new(),
            customer: customer.to_owned(),
            skip: String::new(),
            times: "1".to_owned(),
        }
    }

    fn of(form: &Form) -> Self {
        let text = |name| form.get(name).unwrap_or_default().to_owned();
        Self {
            answer: text("answer"),
            own: text("own"),
            operation: text("operation"),
            customer: text("customer"),
            skip: text("skip"),
            times: text("times"),
        }
    }

    /// The fault in the words of the control API; a sentence when a field is not understood.
    fn fault(&self, state: &State) -> Result<Value, String> {
        let mut fault = json!({ "answer": self.asked()? });
        if !self.operation.is_empty() {
            fault["operation"] = json!(self.operation);
        }
        if !self.customer.is_empty() {
            fault["customer"] = json!(customer(state, &self.customer)?);
        }
        for (name, value) in [("skip", &self.skip), ("times", &self.times)] {
            if !value.is_empty() {
                let number: u32 = value.parse().map_err(|_| format!("`{value}` is no number of requests."))?;
                fault[name] = json!(number);
            }
        }
        Ok(fault)
    }

    fn asked(&self) -> Result<Value, String> {
        if !self.own.is_empty() {
            return serde_json::from_str(&self.own).map_err(|error| format!("The answer is not JSON: {error}."));
        }
        let known = ANSWERS.iter().find(|preset| preset.name == self.answer);
        let preset = known.ok_or("Say what is to happen.")?;
        Ok(serde_json::from_str(preset.answer).unwrap_or_default())
    }
}

/// A customer by its id or its name.
fn customer(state: &State, named: &str) -> Result<Uuid, String> {
    if let Ok(tenant) = Uuid::try_parse(named) {
        return Ok(tenant);
    }
    let mut found = state.customers.values().filter(|customer| customer.about.name.eq_ignore_ascii_case(named));
    match (found.next(), found.next()) {
        (Some(customer), None) => Ok(customer.about.tenant_id),
        (None, _) => Err(format!("There is no customer called {named}: give its name in full, or its Microsoft ID.")),
        (Some(_), Some(_)) => Err(format!("Several customers are called {named}: give the Microsoft ID.")),
    }
}

pub(super) fn show(state: &State, request: &Request) -> Answer {
    let wanted = Wanted::new(asked(request, "customer").unwrap_or_default());
    page(StatusCode::OK, &faults(state, request, wanted, None))
}

fn faults(state: &State, request: &Request, wanted: Wanted, refusal: Option<&str>) -> Faults {
    let mut shell = Shell::new(state, request, Place::Faults, "Faults");
    if let Some(said) = refusal {
        shell = shell.refused(said, PATH);
    }
    let waiting = waiting(state).into_iter();
    let waiting = waiting.map(|fault| Waiting { said: fault_words::told(state, &fault), json: fault.to_string() });
    Faults { shell, waiting: waiting.collect(), answers: &ANSWERS, operations: &OPERATIONS, wanted }
}

/// What is on, in the words of the control API.
fn waiting(state: &State) -> Vec<Value> {
    state.faults.waiting().iter().map(|fault| json!(fault)).collect()
}

/// Turns one on.
pub(super) fn add(state: &mut State, request: &Request) -> Outcome {
    let wanted = Wanted::of(&Form::of(request));
    let made = wanted.fault(state).and_then(|fault| add_one(state, fault, request.at));
    made.map(|()| see_other("/portal/faults?done=fault-on"))
        .map_err(|said| page(StatusCode::BAD_REQUEST, &faults(state, request, wanted, Some(&said))))
}

fn add_one(state: &mut State, fault: Value, at: Timestamp) -> Result<(), String> {
    control::make(&ControlCall::new(Verb::Post, "faults".to_owned(), fault), state, at).map(drop)
}

/// Turns all off, or the one that its button names.
pub(super) fn remove(state: &mut State, request: &Request) -> Outcome {
    let form = Form::of(request);
    let mut left = Vec::new();
    if let Some(named) = form.get("fault") {
        left = waiting(state);
        let named: Value = serde_json::from_str(named).unwrap_or_default();
        let Some(index) = left.iter().position(|fault| is_same(fault, &named)) else {
            let said = "That fault is no longer on.";
            return Err(page(StatusCode::CONFLICT, &faults(state, request, Wanted::new(""), Some(said))));
        };
        left.remove(index);
    }
    let all_off = ControlCall::new(Verb::Delete, "faults".to_owned(), Value::Null);
    let made = control::make(&all_off, state, request.at);
    let made = made.and_then(|_| left.into_iter().try_for_each(|fault| add_one(state, fault, request.at)));
    made.map(|()| see_other("/portal/faults?done=fault-off")).map_err(|said| refused(state, request, &said))
}

fn refused(state: &State, request: &Request, said: &str) -> Answer {
    page(StatusCode::BAD_REQUEST, &faults(state, request, Wanted::new(""), Some(said)))
}

/// Whether both are one fault, which counts down while it is on.
fn is_same(one: &Value, other: &Value) -> bool {
    ["operation", "customer", "answer"].iter().all(|field| one[field] == other[field])
        && one["times"].is_null() == other["times"].is_null()
}
