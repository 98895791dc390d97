//! How the sign-in's requests reach Microsoft Entra: the `oauth2` crate says what is sent, this sends it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use oauth2::http::{Response, StatusCode};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Client;
use secrecy::ExposeSecret as _;
use url::form_urlencoded;

use super::application::Application;
use crate::remote::Proof;

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest answer that is read, in bytes. Answers with tokens have some ten thousand.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How RFC 7523 names a statement that proves the application.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Connections to Microsoft Entra, on which an application that has a certificate proves itself.
#[derive(Debug)]
pub(super) struct EntraHttp<'a> {
    client: Client,
    application: &'a Application,
    /// What became of the last request: whoever polls for a token goes on, and is not told.
    last_failure: Mutex<Option<HttpError>>,
}

/// No answer came that could be read.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::cli) enum HttpError {
    /// No connection, or it broke, or it took too long.
    #[error("the connection to {address} failed")]
    Unreachable {
        /// Whom it was to: scheme, host, and the port if it is no usual one.
        address: String,
        /// What is wrong with it.
        source: Arc<reqwest::Error>,
    },
    /// Entra, or something before it, cannot or does not want to answer now.
    #[error("the answer has the status {0}")]
    Unavailable(StatusCode),
    /// Nothing that a sign-in could be answered with.
    #[error("the answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    /// The machine has no randomness to offer.
    #[error("the certificate's statement cannot be signed")]
    Unsigned,
}

impl<'a> EntraHttp<'a> {
    /// On these connections, as this application.
    pub(super) fn new(client: Client, application: &'a Application) -> Self {
        Self { client, application, last_failure: Mutex::default() }
    }

    /// Why the last request brought no answer, if it brought none.
    pub(super) fn last_failure(&self) -> Option<HttpError> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A redemption with a new statement: a statement serves once, and device codes are asked for many times.
    fn proven(&self, mut request: HttpRequest) -> Result<HttpRequest, HttpError> {
        if let Some(Proof::Certificate(certificate)) = &self.application.proof
            && request.uri().path().ends_with("/token")
        {
            let audience = request.uri().to_string();
            let statement = certificate
                .statement(&self.application.client_id, &audience, Timestamp::now())
                .ok_or(HttpError::Unsigned)?;
            let proof = form_urlencoded::Serializer::new(String::new())
                .append_pair("client_assertion_type", ASSERTION_TYPE)
                .append_pair("client_assertion", statement.expose_secret())
                .finish();
            request.body_mut().push(b'&');
            request.body_mut().extend_from_slice(proof.as_bytes());
        }
        Ok(request)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = self.proven(request)?;
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        // What comes behind it may hold a code.
        let address = format!("{}://{authority}", request.uri().scheme_str().unwrap_or("https"));
        let unreachable = |error: reqwest::Error| HttpError::Unreachable {
            address: address.clone(),
            source: Arc::new(error.without_url()),
        };
        let mut request = reqwest::Request::try_from(request).map_err(unreachable)?;
        *request.timeout_mut() = Some(REQUEST_TIMEOUT);
        let mut answer = self.client.execute(request).await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpError::Unavailable(status));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(HttpError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for EntraHttp<'_> {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            let outcome = self.send(request).await;
            *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = outcome.as_ref().err().cloned();
            outcome
        })
    }
}
