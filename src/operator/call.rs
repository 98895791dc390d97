//! One request to the Kubernetes API: its time limit, and what its failure tells people.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use kube::core::Status;

/// What a request wanted of which object, in the words of RBAC: `update leases.coordination.k8s.io a/b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The verb, as a Role names it.
    pub verb: &'static str,
    /// The resource with its group, as a Role names it.
    pub resource: Cow<'static, str>,
    /// Namespace and name, as far as there are any.
    pub object: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.object)
    }
}

/// Why a request to the Kubernetes API brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A Role is missing or too narrow.
    #[error("not permitted to {call}: give the operator's service account that right (see manifests/)")]
    Forbidden {
        /// What was wanted.
        call: Box<Call>,
        /// The API server's words.
        source: Box<Status>,
    },
    /// The object, or the whole resource, does not exist.
    #[error("could not {call}: it does not exist")]
    NotFound {
        /// What was wanted.
        call: Box<Call>,
        /// The API server's words.
        source: Box<Status>,
    },
    /// Somebody else changed or created the object in the meantime.
    #[error("could not {call}: it has been changed in the meantime")]
    Conflict {
        /// What was wanted.
        call: Box<Call>,
        /// The API server's words.
        source: Box<Status>,
    },
    /// The API server refused for another reason.
    #[error("could not {call}: the API server refused it")]
    Refused {
        /// What was wanted.
        call: Box<Call>,
        /// The API server's words.
        source: Box<Status>,
    },
    /// No answer in time. Whether a change was made is not known.
    #[error("could not {call}: no answer within {limit:?}")]
    TimedOut {
        /// What was wanted.
        call: Box<Call>,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The API server was not reached, or answered something else. Whether a change was made is not known.
    #[error("could not {call}")]
    Failed {
        /// What was wanted.
        call: Box<Call>,
        /// The cause.
        source: Box<kube::Error>,
    },
}

impl CallError {
    /// `error`, as the outcome of `call`.
    pub(super) fn new(call: Call, error: kube::Error) -> Self {
        let call = Box::new(call);
        // By the code rather than the reason: for a resource that is not served the API server answers a bare "404 page
        // not found", which has none.
        match error {
            kube::Error::Api(source) => match source.code {
                403 => Self::Forbidden { call, source },
                404 => Self::NotFound { call, source },
                409 => Self::Conflict { call, source },
                _ => Self::Refused { call, source },
            },
            other => Self::Failed { call, source: Box::new(other) },
        }
    }
}

/// Waits for `request`, at most for `limit`. The client retries nothing by itself.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl FnOnce() -> Call,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limit, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(CallError::new(call(), error)),
        Err(_) => Err(CallError::TimedOut { call: Box::new(call()), limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::telemetry::Chain;
    use super::*;

    fn call() -> Call {
        Call { verb: "update", resource: "leases.coordination.k8s.io".into(), object: "csp/csp-operator".to_owned() }
    }

    fn status(code: u16) -> kube::Error {
        kube::Error::Api(Status::failure("the server's words", "Failed to parse error data").with_code(code).boxed())
    }

    #[test]
    fn a_failure_says_what_was_wanted_and_what_to_do() {
        for (code, text) in [
            (
                403,
                "not permitted to update leases.coordination.k8s.io csp/csp-operator: give the operator's service account that right (see manifests/)",
            ),
            (404, "could not update leases.coordination.k8s.io csp/csp-operator: it does not exist"),
            (409, "could not update leases.coordination.k8s.io csp/csp-operator: it has been changed in the meantime"),
            (500, "could not update leases.coordination.k8s.io csp/csp-operator: the API server refused it"),
        ] {
            let error = CallError::new(call(), status(code));
            assert_eq!(error.to_string(), text);
            assert!(Chain(&error).to_string().contains("the server's words"), "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_answer_ends() {
        let limit = Duration::from_secs(3);
        let error = within(limit, call, std::future::pending::<Result<(), _>>()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not update leases.coordination.k8s.io csp/csp-operator: no answer within 3s"
        );
    }
}
