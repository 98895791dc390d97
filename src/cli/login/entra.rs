//! How the sign-in's requests reach Microsoft Entra: the `oauth2` crate says what is sent, this sends it.

use std::time::Duration;

use futures::future::BoxFuture;
use oauth2::http::Response;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Client;

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest answer that is read, in bytes. Answers with tokens have some ten thousand.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Connections to Microsoft Entra.
#[derive(Debug)]
pub(super) struct EntraHttp(Client);

/// No answer came that could be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum HttpError {
    /// No connection, or it broke, or it took too long.
    #[error("the connection failed")]
    Unreachable(#[source] reqwest::Error),
    /// Nothing that a sign-in could be answered with.
    #[error("the answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

impl EntraHttp {
    /// On these connections.
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let unreachable = |error: reqwest::Error| HttpError::Unreachable(error.without_url());
        let mut request = reqwest::Request::try_from(request).map_err(unreachable)?;
        *request.timeout_mut() = Some(REQUEST_TIMEOUT);
        let mut answer = self.0.execute(request).await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(HttpError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for EntraHttp {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}
