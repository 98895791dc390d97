//! Faults on demand: which requests they hit, and what they do to the answer.
//!
//! This file knows which request is hit. `answer` holds the words in which a fault is asked for; `status` makes another
//! answer, `edit` alters the right one, `headers` are what both may ask for. A fault that cannot be carried out is refused
//! before it waits. The server puts them around the APIs, which know nothing of faults.

mod answer;
mod edit;
mod headers;
mod status;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::control_call::ControlCall;
use super::operation::Operation;

pub(crate) use answer::{CutHow, FaultAnswer};

/// Faults waiting at most, so that a script in a loop is noticed.
const FAULTS_MAX: usize = 10_000;

/// A fault and the requests it waits for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    /// Any operation when absent.
    #[serde(default)]
    operation: Option<Operation>,
    /// Any customer, or none, when absent.
    #[serde(default)]
    customer: Option<Uuid>,
    /// Requests to let pass first.
    #[serde(default)]
    skip: u32,
    /// Requests to hit; without end when absent.
    #[serde(default)]
    times: Option<u32>,
    answer: FaultAnswer,
}

impl Fault {
    fn meets(&self, operation: Operation, customer: Option<Uuid>) -> bool {
        self.operation.is_none_or(|wanted| wanted == operation)
            && self.customer.is_none_or(|wanted| Some(wanted) == customer)
    }
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Fault {
    /// The calls of the control API that it makes.
    pub(crate) fn calls(&self) -> &[ControlCall] {
        match &self.answer {
            FaultAnswer::Then { calls } => calls,
            _ => &[],
        }
    }
}

impl Faults {
    /// Has the fault wait; a sentence when there is no room, or when it could not be carried out.
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), String> {
        if self.0.len() >= FAULTS_MAX {
            return Err(format!("{FAULTS_MAX} faults are waiting already"));
        }
        if fault.times == Some(0) {
            return Err("times is at least 1; leave it out for a fault without end".to_owned());
        }
        fault.answer.check()?;
        self.0.push(fault);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn waiting(&self) -> &[Fault] {
        &self.0
    }

    /// The first fault that a request meets, which is then used up by one.
    pub(crate) fn take(&mut self, operation: Operation, customer: Option<Uuid>) -> Option<FaultAnswer> {
        let mut hit = None;
        for (index, fault) in self.0.iter_mut().enumerate() {
            if !fault.meets(operation, customer) {
                continue;
            }
            if fault.skip == 0 {
                hit = Some(index);
                break;
            }
            fault.skip -= 1;
        }
        let index = hit?;
        let fault = self.0.get_mut(index)?;
        let answer = fault.answer.clone();
        match &mut fault.times {
            Some(times) if *times > 1 => *times -= 1,
            Some(_) => drop(self.0.remove(index)),
            None => {}
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fault(value: Value) -> Fault {
        serde_json::from_value(value).expect("a fault")
    }

    #[test]
    fn a_fault_hits_only_what_it_waits_for_and_only_so_often() {
        let customer = Uuid::from_u128(1);
        let mut faults = Faults::default();
        faults
            .add(fault(json!({
                "operation": "get_customer", "customer": customer, "skip": 1, "times": 2, "answer": { "kind": "garbage" }
            })))
            .expect("room");
        let mut hit = |operation, customer| faults.take(operation, customer).is_some();
        assert!(!hit(Operation::ListCustomers, Some(customer)), "another operation");
        assert!(!hit(Operation::GetCustomer, Some(Uuid::from_u128(2))), "another customer");
        assert!(!hit(Operation::GetCustomer, Some(customer)), "skipped");
        assert!(hit(Operation::GetCustomer, Some(customer)));
        assert!(hit(Operation::GetCustomer, Some(customer)));
        assert!(!hit(Operation::GetCustomer, Some(customer)), "used up");
        assert!(faults.waiting().is_empty());
    }

    #[test]
    fn malformed_faults_are_refused() {
        let refused = |value: Value| serde_json::from_value::<Fault>(value).expect_err("refused").to_string();
        assert!(refused(json!({ "answer": { "kind": "status", "status": 42 } })).contains("42"));
        assert!(refused(json!({ "answer": { "kind": "nap" } })).contains("nap"));
        assert!(refused(json!({ "operation": "make_tea", "answer": { "kind": "garbage" } })).contains("make_tea"));
        assert!(refused(json!({ "answer": { "kind": "delay", "delayMs": 5, "applied": true, "x": 1 } })).contains('x'));
    }
}
