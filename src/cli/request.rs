//! One request to the Kubernetes API, for a person who waits for it.

use std::time::Duration;

use super::cluster::root;
use super::terminal::printable;

/// Limit of one request to the API server.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a request to the API server brought nothing. `what` is what was wanted: "get the Secret a/b".
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    #[error("not permitted to {what}: ask for that right, or use another --context ({said})")]
    Forbidden { what: String, said: String },
    #[error("cannot {what}: the cluster cannot be reached ({cause}); name another with --kubeconfig or --context")]
    Unreachable { what: String, cause: String },
    #[error("cannot {what}: no answer of the API server within {REQUEST_TIMEOUT:?}")]
    TimedOut { what: String },
    /// The API server's own words: they say what is wrong, such as a Secret that is immutable.
    #[error("cannot {what}: {said}")]
    Refused { what: String, code: u16, said: String },
    #[error("cannot {what}")]
    Failed { what: String, source: Box<kube::Error> },
}

/// The answer to `request`, if it comes in time; `what` says what is wanted.
pub(super) async fn within<T>(
    what: impl Fn() -> String,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, RequestError> {
    let what = || printable(&what());
    match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(kube::Error::Api(status))) => {
            let said = printable(&status.message);
            Err(match status.code {
                403 => RequestError::Forbidden { what: what(), said },
                code => RequestError::Refused { what: what(), code, said },
            })
        }
        Ok(Err(error @ (kube::Error::Service(_) | kube::Error::HyperError(_)))) => {
            Err(RequestError::Unreachable { what: what(), cause: printable(&root(&error)) })
        }
        Ok(Err(error)) => Err(RequestError::Failed { what: what(), source: Box::new(error) }),
        Err(_) => Err(RequestError::TimedOut { what: what() }),
    }
}
