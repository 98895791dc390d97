//! A request with its sign-in: token, ids, and the one renewal of a refused token.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::model::{TenantId, Urgency};

use super::answer::Answer;
use super::budget::{About, Budgets};
use super::call::Call;
use super::fault::Fault;
use super::refusal::refused;
use super::token::{Realm, Tokens};
use super::transport::Transport;
use super::{Cause, CredentialSource, Endpoints, Errand, Error, Limits, Operation};

/// Idempotency key: Partner Center answers a repeated request as it answered the first.
const REQUEST_ID: HeaderName = HeaderName::from_static("ms-requestid");
/// Comes back as `originalCorrelationId` of the activity record.
const CORRELATION_ID: HeaderName = HeaderName::from_static("ms-correlationid");

/// Sends requests with the right token.
#[derive(Debug)]
pub(super) struct Sender {
    transport: Arc<Transport>,
    tokens: Arc<Tokens>,
    /// What it sends for.
    errand: Errand,
    /// The last moment at which it sends anything.
    not_after: Option<Instant>,
}

/// How often one and the same call is made sure of before it is given up for a while: often enough where a turn takes
/// longer to come than what was made sure of may be relied on.
const LOOKS_MAX: usize = 3;

impl Sender {
    pub(super) fn new(transport: Transport, source: Arc<dyn CredentialSource>, endpoints: &Endpoints) -> Self {
        let tokens = Tokens::new(source, endpoints, transport.limits().tokens_max);
        // Whoever does not say how urgent it is, is not.
        let errand = Errand::new(Urgency::Sweep);
        Self { transport: Arc::new(transport), tokens: Arc::new(tokens), errand, not_after: None }
    }

    /// The same, for another errand.
    pub(super) fn on(&self, errand: &Errand) -> Self {
        let (transport, tokens) = (Arc::clone(&self.transport), Arc::clone(&self.tokens));
        Self { transport, tokens, errand: errand.clone(), not_after: None }
    }

    pub(super) fn errand(&self) -> &Errand {
        &self.errand
    }

    pub(super) fn budgets(&self) -> &Budgets {
        self.transport.budgets()
    }

    /// Waits until a request for `operation`, about this customer, may be sent, and keeps the turn for it.
    pub(super) async fn reserve(&self, operation: Operation, customer: TenantId) -> Result<(), Error> {
        let about = About { operation, customer: Some(customer) };
        self.budgets().reserve(&self.errand, about).await.map_err(|cause| Error::new(operation, cause))
    }

    /// Waits until a request for `operation`, about this customer, may be sent, and then has `look` make sure that it
    /// should be, which gives the moment from which on nobody has looked. The one that is returned sends nothing later
    /// than `lasts` after that moment, repetitions included.
    ///
    /// Looking comes last, because what was seen before a long wait may not be so after it. Where it takes longer than a
    /// turn may be kept, there is a second wait, for the next turn at the same place, and if need be a second look.
    pub(super) async fn once_sure<E: From<Error>, Look: Future<Output = Result<Instant, E>>>(
        &self,
        operation: Operation,
        customer: TenantId,
        lasts: Duration,
        look: impl Fn() -> Look,
    ) -> Result<Self, E> {
        self.reserve(operation, customer).await?;
        for _ in 0..LOOKS_MAX {
            let not_after = look().await? + lasts;
            if Instant::now() > not_after {
                continue;
            }
            if let Ok(reserved) = timeout_at(not_after, self.reserve(operation, customer)).await {
                reserved?;
                return Ok(Self { not_after: Some(not_after), ..self.on(&self.errand) });
            }
        }
        Err(Error::new(operation, Cause::Late).into())
    }

    pub(super) fn limits(&self) -> &Limits {
        self.transport.limits()
    }

    /// The partner's tenant, in whose name policies are granted.
    pub(super) async fn partner_tenant(&self, operation: Operation) -> Result<TenantId, Error> {
        let credentials = self.tokens.credentials().await.map_err(|cause| Error::new(operation, cause))?;
        Ok(credentials.partner_tenant)
    }

    /// Sends `call` and returns its answer if that is a success.
    pub(super) async fn send(&self, realm: Realm, mut call: Call, correlation: Uuid) -> Result<Answer, Error> {
        let operation = call.operation;
        let is_the_users = !matches!(realm, Realm::PartnerCenterAsApplication);
        let failed = |cause: Arc<Cause>| Error::new(operation, cause).of_the_user(is_the_users);
        identify(&mut call.headers, correlation);
        call.errand = Some(self.errand.clone());
        call.not_after = self.not_after;
        call.customer = operation.customer().or(match realm {
            Realm::PartnerCenter | Realm::PartnerCenterAsApplication => None,
            Realm::Azure(tenant) | Realm::Graph(tenant) => Some(tenant),
        });
        let access = self.tokens.access(&self.transport, realm).await.map_err(failed)?;
        let refused_as = |answer: &Answer| refused(operation, answer);
        let first = match self.transport.deliver(&call, Some(&access.token), refused_as).await {
            Ok(answer) => return Ok(answer),
            Err(undelivered) => undelivered,
        };
        // A token can be revoked before it expires. A new one without MFA or for the wrong service is like the old one,
        // so those refusals (900421, 900420) are final, and have kinds of their own.
        if first.cause.fault() != Fault::Unauthorized {
            return Err(failed(first.cause.into()).having_arrived(first.may_have_arrived));
        }
        self.tokens.discard(realm, &access).await;
        let access = self.tokens.access(&self.transport, realm).await;
        let access = access.map_err(|cause| failed(cause).having_arrived(first.may_have_arrived))?;
        // The refusal was a real answer, and a repeated request id would get the same one again.
        call.headers.insert(REQUEST_ID, guid(Uuid::new_v4()));
        self.transport.deliver(&call, Some(&access.token), refused_as).await.map_err(|second| {
            failed(second.cause.into()).having_arrived(first.may_have_arrived || second.may_have_arrived)
        })
    }
}

fn identify(headers: &mut HeaderMap, correlation: Uuid) {
    headers.insert(REQUEST_ID, guid(Uuid::new_v4()));
    headers.insert(CORRELATION_ID, guid(correlation));
    headers.insert(HeaderName::from_static("x-locale"), HeaderValue::from_static("en-US"));
    headers.insert(HeaderName::from_static("ms-partnercenter-application"), HeaderValue::from_static("csp-operator"));
}

fn guid(id: Uuid) -> HeaderValue {
    // Hexadecimal digits and hyphens are always a header value.
    HeaderValue::try_from(id.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}
