//! One request on its way: budget, fence, timeout, size limit, retry, count, log. Nothing is sent anywhere else.

use std::sync::Arc;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use hyper::ext::ReasonPhrase;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use reqwest::redirect;
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use tracing::Instrument as _;

use super::answer::Answer;
use super::budget::Budgets;
use super::call::{Body, Call, Undelivered};
use super::trace;
use super::{Calls, Cause, ExtraRoots, Fence, Limits, Server, SetupError};

/// Connections, and what guards them.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    limits: Limits,
    fence: Arc<dyn Fence>,
    calls: Calls,
    budgets: Budgets,
}

impl Transport {
    pub(super) fn new(
        limits: Limits,
        extra_roots: &ExtraRoots,
        fence: Arc<dyn Fence>,
        calls: Calls,
    ) -> Result<Self, SetupError> {
        // Without one the HTTP client would panic instead of failing.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(SetupError::NoCryptoProvider);
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .tls_certs_merge(extra_roots.certificates().map_err(SetupError::Http)?)
            // Its own retries would not ask the fence.
            .retry(reqwest::retry::never())
            .connect_timeout(limits.connect_timeout)
            .build()
            .map_err(SetupError::Http)?;
        let budgets = Budgets::new(limits.partner_center_calls);
        Ok(Self { client, limits, fence, calls, budgets })
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(super) fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends `call`, again if need be, and returns its answer if that is a success; `refused` says what others mean.
    pub(super) async fn deliver(
        &self,
        call: &Call,
        token: Option<&SecretString>,
        refused: impl Fn(&Answer) -> Cause,
    ) -> Result<Answer, Undelivered> {
        let span = trace::of(call);
        let mut sends = 0;
        let result = self.send_until_done(call, token, refused, &mut sends).instrument(span.clone()).await;
        trace::ended(&span, sends, &result);
        result
    }

    async fn send_until_done(
        &self,
        call: &Call,
        token: Option<&SecretString>,
        refused: impl Fn(&Answer) -> Cause,
        sends: &mut u32,
    ) -> Result<Answer, Undelivered> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(self.limits.retry_delay_min)
            .with_max_delay(self.limits.retry_delay_min.saturating_mul(20))
            .with_max_times(self.limits.attempts_max.saturating_sub(1))
            .with_jitter()
            .build();
        let mut may_have_arrived = false;
        let mut before = None;
        loop {
            *sends += 1;
            let cause = match self.send_once(call, token, &refused).await {
                Ok(answer) => return Ok(answer),
                // What went wrong is what it would have been repeated for.
                Err(Cause::Late) => before.unwrap_or(Cause::Late),
                Err(cause) => {
                    may_have_arrived |= cause.leaves_effect_open();
                    if call.may_be_repeated_after(&cause)
                        && let Some(pause) = pauses.next()
                    {
                        tokio::time::sleep(pause).await;
                        before = Some(cause);
                        continue;
                    }
                    cause
                }
            };
            return Err(Undelivered { cause, may_have_arrived });
        }
    }

    async fn send_once(
        &self,
        call: &Call,
        token: Option<&SecretString>,
        refused: &impl Fn(&Answer) -> Cause,
    ) -> Result<Answer, Cause> {
        // Before the fence is asked and the timeout begins: the wait may be long. It is no part of the request.
        self.turn(call).await?;
        let start = Instant::now();
        let answered = self.exchange(call, token).await;
        if let (Some(_), Ok(answer)) = (&call.errand, &answered) {
            self.budgets.learn(call.about(), start, answer);
        }
        let result =
            answered.and_then(|answer| if answer.status.is_success() { Ok(answer) } else { Err(refused(&answer)) });
        let outcome = result.as_ref().map_or_else(Cause::category, |_| "ok");
        self.calls.add(call.operation, outcome, start.elapsed());
        let status = match &result {
            Ok(answer) => Some(answer.status.as_u16()),
            Err(Cause::Refused(refusal)) => Some(refusal.status()),
            Err(_) => None,
        };
        let request_id = call.headers.get("ms-requestid").and_then(|id| id.to_str().ok());
        tracing::debug!(
            operation = call.operation.label(),
            outcome,
            status,
            request_id,
            elapsed_ms = start.elapsed().as_millis(),
            "asked to {}",
            call.operation
        );
        result
    }

    /// Waits until `call` may be sent, unless it is or becomes too late for that.
    async fn turn(&self, call: &Call) -> Result<(), Cause> {
        let Some(errand) = &call.errand else { return Ok(()) };
        if call.is_late() {
            return Err(Cause::Late);
        }
        let turn = self.budgets.turn(errand, call.about());
        match call.not_after {
            // Who gives up leaves the queue, and takes no turn from others.
            Some(last) => tokio::time::timeout_at(last, turn).await.unwrap_or(Err(Cause::Late))?,
            None => turn.await?,
        }
        // The process may have slept.
        if call.is_late() { Err(Cause::Late) } else { Ok(()) }
    }

    async fn exchange(&self, call: &Call, token: Option<&SecretString>) -> Result<Answer, Cause> {
        let request = self.request(call, token)?;
        let timeout = if call.is_read() { self.limits.request_timeout } else { self.limits.write_timeout };
        // A write must have had its effect before another process may hold the lease, so the lease must outlast its
        // timeout. A read has no effect to be late; it waits for no more than a write needs, else the longer timeout
        // of reads would forbid every one of them under a short lease.
        let (remaining, needed) = (self.fence.remaining(), self.limits.write_timeout);
        if remaining < needed {
            return Err(Cause::Fenced { remaining, needed });
        }
        let failed = |error: reqwest::Error| {
            let server = Server::at(call.operation, &call.url);
            if error.is_timeout() {
                Cause::TimedOut { server, limit: timeout }
            } else {
                // Its own address has a path, which contains ids.
                Cause::Unreachable { server, source: error.without_url() }
            }
        };
        let response = request.timeout(timeout).send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        self.calls.clock().compare(&headers, Timestamp::now());
        let reason = response.extensions().get::<ReasonPhrase>();
        let reason = reason.map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
        let body = read_body(response, self.limits.response_bytes_max, failed).await?;
        Ok(Answer { status, reason, headers, body })
    }

    fn request(&self, call: &Call, token: Option<&SecretString>) -> Result<RequestBuilder, Cause> {
        let mut request = self
            .client
            .request(call.method.clone(), call.url.clone())
            .headers(call.headers.clone())
            .header(ACCEPT, "application/json")
            // Nothing here decompresses, and not to say so would mean that anything is welcome.
            .header(ACCEPT_ENCODING, "identity")
            .header(USER_AGENT, concat!("csp-operator/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = token {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
                .map_err(|_| Cause::UnexpectedAnswer("sign-in: access_token is no header value".to_owned()))?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        Ok(match &call.body {
            Body::None => request,
            Body::Json(json) => request.header(CONTENT_TYPE, "application/json").body(json.clone()),
            Body::Form(form) => {
                let form = form.0()?;
                request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.expose_secret().to_owned())
            }
        })
    }
}

async fn read_body(
    mut response: Response,
    bytes_max: usize,
    failed: impl Fn(reqwest::Error) -> Cause,
) -> Result<Vec<u8>, Cause> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(&failed)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(Cause::UnexpectedAnswer(format!("longer than {bytes_max} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
