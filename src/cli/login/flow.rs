//! A person signs in: with a browser on this machine, or with a code that is entered on another.

use std::fmt::Display;
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::http::StatusCode;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl, EndpointNotSet,
    EndpointSet, ErrorResponseType, PkceCodeChallenge, RedirectUrl, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse, StandardErrorResponse, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::application::Application;
use super::entra::{EntraHttp, HttpError};
use super::loopback::{BindError, Comeback, Loopback};
use super::printable;
use super::refusal::{self, Circumstances, Refusal};
use crate::remote::Proof;
use crate::remote::interactive::{Authority, Interactive};

/// Longest wait for the next time that a device code is asked for, after Entra has not answered.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// How the person signs in.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// With a browser on this machine.
    Browser {
        /// Whether to open it. Its address is shown in any case.
        open: bool,
        /// Who is to sign in; absent: the page asks.
        user: Option<String>,
    },
    /// With a browser anywhere.
    DeviceCode,
}

/// What Entra issued.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) access_token: SecretString,
    pub(super) refresh_token: SecretString,
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum SignInError {
    #[error("{0}")]
    Refused(String),
    #[error("nobody has signed in within {after:?}: run this again. {hint}")]
    TimedOut { after: Duration, hint: String },
    #[error("cannot receive the browser's answer on this machine: try --device-code")]
    Loopback(#[from] BindError),
    #[error(
        "Microsoft Entra cannot be reached: check the connection, and --login-url or CSP_LOGIN_URL, which says where it is"
    )]
    Unreachable(#[source] HttpError),
    #[error(
        "Microsoft Entra has a problem of its own, or limits the rate of requests (status {0}): run this again later"
    )]
    Unavailable(StatusCode),
    #[error("the answer to the sign-in is not Microsoft Entra's: check --login-url or CSP_LOGIN_URL")]
    UnexpectedAnswer,
    #[error("Microsoft Entra issued no refresh token: let the application use offline_access, and run this again")]
    NoRefreshToken,
}

impl From<HttpError> for SignInError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Unavailable(status) => Self::Unavailable(status),
            other => Self::Unreachable(other),
        }
    }
}

type Client = BasicClient<EndpointSet, EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Has a person sign in, and says through `tell` what they are to do.
pub(super) async fn sign_in(
    interactive: &Interactive,
    application: &Application,
    way: Way,
    timeout: Duration,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<Issued, SignInError> {
    let authority = interactive.authority(&application.authority);
    let http = EntraHttp::new(interactive.http(), application);
    let person = Person {
        http: &http,
        client: client(application, &authority),
        scopes: interactive.scopes().map(Scope::new),
        circumstances: Circumstances {
            tenant: &application.authority,
            client_id: &application.client_id,
            admin_consent: &authority.admin_consent,
            device_code: matches!(way, Way::DeviceCode),
        },
        timeout,
        tell,
    };
    match way {
        Way::Browser { open, user } => person.by_browser(open, user.as_deref()).await,
        Way::DeviceCode => person.by_device_code().await,
    }
}

fn client(application: &Application, authority: &Authority) -> Client {
    let client = BasicClient::new(ClientId::new(application.client_id.clone()))
        // Entra takes both, and documents this one.
        .set_auth_type(AuthType::RequestBody)
        .set_auth_uri(AuthUrl::from_url(authority.authorize.clone()))
        .set_token_uri(TokenUrl::from_url(authority.token.clone()))
        .set_device_authorization_url(DeviceAuthorizationUrl::from_url(authority.device_code.clone()));
    match &application.proof {
        Some(Proof::Secret(secret)) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
        // Its statements serve once, so they are made when something is sent.
        Some(Proof::Certificate(_) | Proof::Federated(_)) | None => client,
    }
}

struct Person<'a> {
    http: &'a EntraHttp<'a>,
    client: Client,
    scopes: [Scope; 3],
    circumstances: Circumstances<'a>,
    timeout: Duration,
    tell: &'a (dyn Fn(&str) + Sync),
}

impl Person<'_> {
    /// Authorization code with PKCE, on a loopback address (RFC 8252).
    async fn by_browser(&self, open: bool, user: Option<&str>) -> Result<Issued, SignInError> {
        let loopback = Loopback::bind().await?;
        let redirect = RedirectUrl::new(loopback.redirect_uri()).map_err(|_| SignInError::UnexpectedAnswer)?;
        let client = self.client.clone().set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes.clone())
            .add_extra_param("response_mode", "query")
            .set_pkce_challenge(challenge);
        let request = match user {
            Some(user) => request.add_extra_param("login_hint", user),
            // Else the browser's last user would be taken without a question.
            None => request.add_extra_param("prompt", "select_account"),
        };
        let (address, state) = request.url();
        let opened = open && open::that_detached(address.as_str()).is_ok();
        let what = if opened { "A browser opens. If it does not, open" } else { "To sign in, open this address" };
        (self.tell)(&format!("{what} in a browser on this machine:\n\n  {address}\n"));
        let comeback = tokio::time::timeout(self.timeout, loopback.wait_for(state.secret())).await;
        let code = match comeback {
            Ok(Comeback::Code(code)) => code,
            Ok(Comeback::Refused(refusal)) => return Err(self.refused(&refusal)),
            Err(_) => {
                let hint = refusal::hint_for_a_page(&self.circumstances);
                return Err(SignInError::TimedOut { after: self.timeout, hint });
            }
        };
        let answer = client
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(verifier)
            .request_async(self.http)
            .await
            .map_err(|error| self.failed(error))?;
        issued(&answer)
    }

    /// Device authorization (RFC 8628).
    async fn by_device_code(&self) -> Result<Issued, SignInError> {
        let begun: StandardDeviceAuthorizationResponse = self
            .client
            .exchange_device_code()
            .add_scopes(self.scopes.clone())
            .request_async(self.http)
            .await
            .map_err(|error| self.failed(error))?;
        let page = printable(begun.verification_uri());
        let code = printable(begun.user_code().secret());
        (self.tell)(&format!(
            "To sign in, open {page} in a browser on any machine and enter the code {code}\n\
             Enter it only because you have just run this command; never one that somebody sent you."
        ));
        // Until the code expires; requests that bring no answer are repeated.
        let polling = self
            .client
            .exchange_device_access_token(&begun)
            .set_max_backoff_interval(BACKOFF_MAX)
            .request_async(self.http, tokio::time::sleep, None);
        let ended = match tokio::time::timeout(self.timeout, polling).await {
            Ok(Ok(answer)) => return issued(&answer),
            Ok(Err(error)) => self.failed(error),
            Err(_) => {
                let hint = "With a longer --timeout it waits for as long as the code can be used.".to_owned();
                SignInError::TimedOut { after: self.timeout, hint }
            }
        };
        // Without an answer at the end, whether anybody has signed in is not known.
        Err(self.http.last_failure().map_or(ended, SignInError::from))
    }

    fn refused(&self, refusal: &Refusal) -> SignInError {
        SignInError::Refused(refusal::sentence(refusal, &self.circumstances))
    }

    /// The crate's error without its texts: one of them holds the whole answer.
    fn failed<T>(&self, error: RequestTokenError<HttpError, StandardErrorResponse<T>>) -> SignInError
    where
        T: ErrorResponseType + Display + 'static,
    {
        match error {
            RequestTokenError::ServerResponse(answer) => {
                let description = answer.error_description().map(String::as_str).unwrap_or_default();
                self.refused(&Refusal::new(&answer.error().to_string(), description))
            }
            RequestTokenError::Request(error) => error.into(),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => SignInError::UnexpectedAnswer,
        }
    }
}

fn issued(answer: &BasicTokenResponse) -> Result<Issued, SignInError> {
    let refresh_token = answer.refresh_token().ok_or(SignInError::NoRefreshToken)?;
    Ok(Issued {
        access_token: answer.access_token().secret().as_str().into(),
        refresh_token: refresh_token.secret().as_str().into(),
    })
}
