//! One request, and what may be done with it.

use std::fmt;

use reqwest::Method;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use crate::model::TenantId;

use super::budget::About;
use super::fault::Fault;
use super::{Cause, Errand, Operation};

/// A request, complete but for its token.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) method: Method,
    pub(super) url: Url,
    /// Beyond those that every request has.
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Whose turn it waits for; a sign-in waits for none.
    pub(super) errand: Option<Errand>,
    /// The customer it is about.
    pub(super) customer: Option<TenantId>,
    /// The last moment at which it may be sent, for the first time or again; without one, it may be at any time.
    pub(super) not_after: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Body {
    None,
    Json(Vec<u8>),
    /// Carries secrets, and is made anew for every send.
    Form(Form),
}

/// Makes the form of a sign-in.
pub(super) struct Form(pub(super) Box<dyn Fn() -> Result<SecretString, Cause> + Send + Sync>);

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Form(..)")
    }
}

/// A request that got no success.
pub(super) struct Undelivered {
    /// How its last send ended.
    pub(super) cause: Cause,
    /// Whether any of its sends may have had its effect.
    pub(super) may_have_arrived: bool,
}

impl Call {
    pub(super) fn get(operation: Operation, url: Url) -> Self {
        Self::new(operation, Method::GET, url, Body::None)
    }

    pub(super) fn post(operation: Operation, url: Url, body: Body) -> Self {
        Self::new(operation, Method::POST, url, body)
    }

    pub(super) fn put(operation: Operation, url: Url, body: Body) -> Self {
        Self::new(operation, Method::PUT, url, body)
    }

    pub(super) fn delete(operation: Operation, url: Url) -> Self {
        Self::new(operation, Method::DELETE, url, Body::None)
    }

    fn new(operation: Operation, method: Method, url: Url, body: Body) -> Self {
        Self { operation, method, url, headers: HeaderMap::new(), body, errand: None, customer: None, not_after: None }
    }

    pub(super) fn about(&self) -> About {
        About { operation: self.operation, customer: self.customer }
    }

    pub(super) fn is_late(&self) -> bool {
        self.not_after.is_some_and(|last| Instant::now() > last)
    }

    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// Whether sending the same once more may help and cannot harm.
    ///
    /// A write may be: it keeps its request id, by which Partner Center recognises it; a create is refused when the
    /// policy exists, a replacement carries the etag it replaces, and a deletion of nothing is done.
    pub(super) fn may_be_repeated_after(&self, cause: &Cause) -> bool {
        if matches!(self.operation, Operation::CheckOutCart(_)) {
            // How Partner Center takes a purchase that is sent twice is not documented.
            return false;
        }
        match cause {
            Cause::TimedOut { .. } | Cause::Unreachable { .. } => true,
            Cause::Refused(refusal) => match refusal.fault() {
                // With a `Retry-After` it is for the caller to wait.
                Fault::ServerError => refusal.retry_after().is_none(),
                Fault::TimedOut => self.is_read(),
                _ => false,
            },
            Cause::SignIn(refusal) => refusal.fault() == Fault::ServerError && refusal.retry_after().is_none(),
            _ => false,
        }
    }
}
