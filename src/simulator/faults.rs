//! Faults on demand: which requests they hit, and what they do to the answer.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::exchange::{Answer, Request};
use super::routes::{Api, Operation};
use super::{arm, entra, partner_center};

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

/// What happens to a request that a fault hits.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum FaultAnswer {
    /// Another status. Without `code`, `body` and `empty` the body is what that API would send.
    Status {
        #[serde(with = "status_number")]
        status: StatusCode,
        #[serde(default)]
        code: Option<String>,
        #[serde(default)]
        description: Option<String>,
        /// The `Retry-After` header as is, so that it can be nonsense.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body as is.
        #[serde(default)]
        body: Option<String>,
        #[serde(default)]
        empty: bool,
        /// Whether the request takes effect all the same.
        #[serde(default)]
        applied: bool,
    },
    /// The right status with a body that is not JSON. The request takes effect.
    Garbage,
    /// The connection ends without an answer.
    Disconnect { applied: bool },
    /// The right answer, late. A caller who gives up before the effect prevents it.
    Delay { delay_ms: u64, applied: bool },
    /// The request is held up on its way and takes effect later, even when the caller has given up.
    Late { delay_ms: u64 },
}

impl Fault {
    fn meets(&self, operation: Operation, customer: Option<Uuid>) -> bool {
        self.operation.is_none_or(|wanted| wanted == operation)
            && self.customer.is_none_or(|wanted| Some(wanted) == customer)
    }
}

mod status_number {
    use axum::http::StatusCode;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
        let number = u16::deserialize(deserializer)?;
        match StatusCode::from_u16(number) {
            // 1xx is not an answer, and the HTTP library would not send it as one.
            Ok(status) if !status.is_informational() => Ok(status),
            _ => Err(D::Error::custom(format!("{number} is not the status of an answer (200 to 999)"))),
        }
    }
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> Result<(), String> {
        if self.0.len() >= FAULTS_MAX {
            return Err(format!("{FAULTS_MAX} faults are waiting already"));
        }
        if fault.times == Some(0) {
            return Err("times is at least 1; leave it out for a fault without end".to_owned());
        }
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

/// The answer of a status fault, in the shape of the API that was asked.
pub(crate) fn status_answer(
    request: &Request,
    api: Api,
    status: StatusCode,
    code: Option<&str>,
    description: Option<&str>,
) -> Answer {
    let text = description.unwrap_or_else(|| status.canonical_reason().unwrap_or("A simulated fault."));
    match api {
        Api::Entra => {
            let number = code.and_then(|code| code.trim_start_matches("AADSTS").parse().ok()).unwrap_or(90033);
            let error = match status {
                StatusCode::UNAUTHORIZED => "invalid_client",
                StatusCode::BAD_REQUEST => "invalid_grant",
                _ => "temporarily_unavailable",
            };
            entra::refuse(request, status, error, number, text)
        }
        Api::ResourceManager => {
            let code = code.map_or_else(|| text.replace(' ', ""), str::to_owned);
            arm::refuse(status, &code, text)
        }
        Api::PartnerCenter => match code {
            None if status == StatusCode::TOO_MANY_REQUESTS => {
                partner_center::throttled(description.unwrap_or("Rate limit is exceeded. Try again later."))
            }
            code => partner_center::fault(status, code.unwrap_or("800003"), text),
        },
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
