//! Microsoft Entra's words: the redemption of a refresh token, its answer and its refusals.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::model::TenantId;

use super::answer::Answer;
use super::endpoints::below;
use super::fault::Fault;
use super::refusal::word;
use super::retry_after::retry_after;
use super::wire::without_mark;
use super::{Cause, ClientCertificate, CredentialError, Credentials, OutOfDate, Proof, Service};

/// Microsoft Entra refused to issue a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRefusal {
    fault: Fault,
    status: u16,
    error: Option<String>,
    code: Option<u32>,
    retry_after: Option<Duration>,
    /// What this machine's clock says of the certificate that was presented, where that explains the refusal.
    certificate: Option<OutOfDate>,
}

impl SignInRefusal {
    /// Number of the `AADSTS` error, which Microsoft's documentation explains.
    pub fn code(&self) -> Option<u32> {
        self.code
    }

    pub(super) fn fault(&self) -> Fault {
        self.fault
    }

    /// Whether it is the refresh token itself that is not accepted: a newer one may be.
    pub(super) fn is_about_refresh_token(&self) -> bool {
        self.error.as_deref() == Some("invalid_grant")
            && matches!(self.code, None | Some(50_173 | 70_000 | 70_008 | 700_082 | 700_084 | 9_002_313))
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Adds, where Entra has refused the application's proof, that its certificate is out of date.
    ///
    /// Only afterwards: whether a certificate is valid is for Entra's clock to say, and this machine's may be wrong.
    pub(super) fn explained_by(self, proof: &Proof, now: Timestamp) -> Self {
        let certificate = match proof {
            Proof::Certificate(certificate) if self.fault == Fault::ApplicationRefused => certificate.out_of_date(now),
            _ => None,
        };
        Self { certificate, ..self }
    }

    /// What may stand in a condition message: codes only, for Entra's texts carry trace ids and times.
    pub(super) fn detail(&self) -> String {
        let said = match (self.code, &self.error) {
            (Some(code), _) => format!("AADSTS{code}"),
            (None, Some(error)) => error.clone(),
            (None, None) => format!("status {}", self.status),
        };
        match self.certificate {
            Some(out_of_date) => format!("{said}: the certificate {out_of_date}"),
            None => said,
        }
    }
}

impl fmt::Display for SignInRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Microsoft Entra answered {}", self.status)?;
        if let Some(error) = &self.error {
            write!(f, " {error}")?;
        }
        if let Some(code) = self.code {
            write!(f, " AADSTS{code}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SignInRefusal {}

/// Whose tenant a sign-in is made in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tenancy {
    Partner,
    Customer,
}

/// Where a refresh token is redeemed.
///
/// This is the v1 endpoint, which names the service as `resource`: it is the one that Microsoft documents for the
/// Secure Application Model. Its tokens also name the service by its address in `aud`, so they can be checked.
pub(super) fn token_url(login: &Url, tenant: TenantId) -> Url {
    below(login, &[&tenant.to_string(), "oauth2", "token"])
}

/// What the application proves itself with in one sign-in.
pub(super) enum Presented {
    Secret(SecretString),
    Certificate(Arc<ClientCertificate>),
    /// A token that was read just now.
    Federated(SecretString),
}

/// The longest federated token that is read, in bytes; a service account's has about one thousand.
const FEDERATED_BYTES_MAX: u64 = 64 << 10;

/// What `proof` has to present now.
pub(super) async fn present(proof: &Proof) -> Result<Presented, Cause> {
    match proof {
        Proof::Secret(secret) => Ok(Presented::Secret(secret.clone())),
        Proof::Certificate(certificate) => Ok(Presented::Certificate(Arc::clone(certificate))),
        Proof::Federated(path) => {
            let path = path.clone();
            let read = tokio::task::spawn_blocking(move || federated(&path)).await;
            let token = read.map_err(|error| Cause::Credentials(CredentialError::Unavailable(Box::new(error))))?;
            token.map(Presented::Federated).map_err(|message| Cause::Credentials(CredentialError::Invalid { message }))
        }
    }
}

/// The token in the file; what is wrong otherwise.
fn federated(path: &Path) -> Result<SecretString, String> {
    let shown = path.display();
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(FEDERATED_BYTES_MAX).read_to_string(&mut text)).map_err(|error| {
        let kind = error.kind();
        format!(
            "the federated token file {shown} cannot be read ({kind}): put it there, or correct --federated-token-file"
        )
    })?;
    let token = text.trim();
    let looks_like_one = token.split('.').count() == 3 && !token.contains(|letter: char| !letter.is_ascii_graphic());
    if !looks_like_one {
        return Err(format!(
            "the federated token file {shown} does not hold a token (a JWT): put one there, or correct --federated-token-file"
        ));
    }
    Ok(token.into())
}

/// In whose name a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The user whose refresh token the credentials hold.
    User,
    /// The application itself.
    Application,
}

/// Form by which `credentials` are redeemed for an access token of `resource`. A statement in it serves only once, so it
/// is made anew for every send.
pub(super) fn redemption(
    credentials: &Credentials,
    presented: &Presented,
    subject: Subject,
    resource: &str,
    token_url: &Url,
) -> Result<SecretString, Cause> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let grant_type = match subject {
        Subject::User => "refresh_token",
        Subject::Application => "client_credentials",
    };
    form.append_pair("grant_type", grant_type).append_pair("client_id", &credentials.client_id);
    let mut assert = |statement: &SecretString| {
        form.append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", statement.expose_secret());
    };
    match presented {
        Presented::Secret(secret) => {
            form.append_pair("client_secret", secret.expose_secret());
        }
        Presented::Federated(token) => assert(token),
        Presented::Certificate(certificate) => {
            let statement = certificate.statement(&credentials.client_id, token_url.as_str(), Timestamp::now());
            let unsigned = || CredentialError::Unavailable("the system offers no randomness to sign with".into());
            assert(&statement.ok_or_else(|| Cause::Credentials(unsigned()))?);
        }
    }
    if subject == Subject::User {
        form.append_pair("refresh_token", credentials.refresh_token.expose_secret());
    }
    form.append_pair("resource", resource);
    if subject == Subject::User {
        form.append_pair("scope", "openid");
    }
    Ok(form.finish().into())
}

/// A granted token.
pub(super) struct Grant {
    pub(super) access_token: SecretString,
    /// Absent when the old one stays in use.
    pub(super) refresh_token: Option<SecretString>,
    pub(super) lifetime: Duration,
}

#[derive(Deserialize)]
struct GrantWire {
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<Seconds>,
}

/// v1 sends text, v2 a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

/// No access token of Microsoft's lives longer.
const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// Reads a successful answer.
pub(super) fn granted(body: &[u8]) -> Result<Grant, Cause> {
    let unexpected = |what: &str| Cause::UnexpectedAnswer(format!("sign-in: {what}"));
    let wire: GrantWire =
        serde_json::from_slice(without_mark(body)).map_err(|_| unexpected("not the JSON expected"))?;
    let access_token =
        wire.access_token.filter(|token| !token.is_empty()).ok_or_else(|| unexpected("access_token is missing"))?;
    let seconds = match wire.expires_in {
        Some(Seconds::Number(seconds)) => Some(seconds),
        Some(Seconds::Text(text)) => text.trim().parse().ok(),
        None => None,
    };
    let seconds = seconds.ok_or_else(|| unexpected("expires_in is missing or no number"))?;
    Ok(Grant {
        access_token: access_token.into(),
        refresh_token: wire.refresh_token.filter(|token| !token.is_empty()).map(Into::into),
        lifetime: Duration::from_secs(seconds).min(LIFETIME_MAX),
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefusalWire {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Vec<u32>,
}

/// Says what an answer other than success means.
pub(super) fn refused(tenancy: Tenancy, service: Service, answer: &Answer) -> Cause {
    if answer.status.is_informational() || answer.status.is_redirection() {
        return Cause::UnexpectedAnswer(format!("sign-in: status {}", answer.status.as_u16()));
    }
    let wire: RefusalWire = serde_json::from_slice(without_mark(&answer.body)).unwrap_or_default();
    let code = wire.error_codes.first().copied().or_else(|| aadsts(wire.error_description.as_deref()?));
    let fault = match (answer.status.as_u16(), wire.error.as_deref()) {
        (429, _) => Fault::Throttled,
        (408, _) => Fault::TimedOut,
        (500.., _) | (_, Some("temporarily_unavailable" | "server_error")) => Fault::ServerError,
        // An answer that is not Entra's, as a proxy or a wrong address would give: it says nothing of the credentials.
        (_, None) => return Cause::UnexpectedAnswer(format!("sign-in: status {}", answer.status.as_u16())),
        (_, Some(_)) => by_code(tenancy, service, wire.error.as_deref(), code),
    };
    Cause::SignIn(SignInRefusal {
        fault,
        status: answer.status.as_u16(),
        error: wire.error.map(|error| word(&error)),
        code,
        retry_after: retry_after(&answer.headers),
        certificate: None,
    })
}

/// What a refused redemption says of the partner or of the customer, by Microsoft's `AADSTS` numbers.
fn by_code(tenancy: Tenancy, service: Service, error: Option<&str>, code: Option<u32>) -> Fault {
    match (tenancy, code) {
        // Graph is optional: that nobody has consented to it says nothing of the sign-in.
        (Tenancy::Partner, Some(65_001 | 65_004 | 650_057 | 500_011)) if service == Service::Graph => {
            Fault::GraphNotConsented
        }
        // A wrong or expired secret, certificate or federated credential is wrong in every tenant.
        (_, Some(7_000_215 | 7_000_222 | 700_021..=700_027 | 700_211..=700_213 | 50_013 | 50_027)) => {
            Fault::ApplicationRefused
        }
        // A customer's tenant has its own consents, policies and relationships.
        (Tenancy::Customer, _) => Fault::CustomerSignInRefused,
        (Tenancy::Partner, Some(50_072 | 50_074 | 50_076 | 50_079)) => Fault::MfaRequired,
        (Tenancy::Partner, Some(53_000..=53_003)) => Fault::ConditionalAccess,
        (Tenancy::Partner, _) => match error {
            Some("invalid_client" | "unauthorized_client") => Fault::ApplicationRefused,
            Some("invalid_grant" | "interaction_required") => Fault::LoginNeeded,
            _ => Fault::CredentialsInvalid,
        },
    }
}

fn aadsts(description: &str) -> Option<u32> {
    let (_, rest) = description.split_once("AADSTS")?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn refusal(tenancy: Tenancy, status: u16, body: &str) -> Cause {
        refusal_of(Service::PartnerCenter, tenancy, status, body)
    }

    fn refusal_of(service: Service, tenancy: Tenancy, status: u16, body: &str) -> Cause {
        let status = StatusCode::from_u16(status).unwrap();
        refused(
            tenancy,
            service,
            &Answer { status, reason: None, headers: HeaderMap::new(), body: body.as_bytes().to_vec() },
        )
    }

    fn check(tenancy: Tenancy, status: u16, error: &str, code: u32, fault: Fault) {
        let texts = [
            format!(r#"{{"error":"{error}","error_description":"AADSTS{code}: x","error_codes":[{code}]}}"#),
            format!(r#"{{"error":"{error}","error_description":"AADSTS{code}: Trace ID: 4b7f"}}"#),
        ];
        for text in texts {
            assert_eq!(refusal(tenancy, status, &text).fault(), fault, "{tenancy:?} {text}");
        }
    }

    #[test]
    fn a_refused_sign_in_of_the_partner_says_what_to_mend() {
        for code in [50_072, 50_074, 50_076, 50_079] {
            check(Tenancy::Partner, 400, "interaction_required", code, Fault::MfaRequired);
            check(Tenancy::Partner, 400, "invalid_grant", code, Fault::MfaRequired);
        }
        check(Tenancy::Partner, 400, "invalid_grant", 53_003, Fault::ConditionalAccess);
        check(Tenancy::Partner, 400, "invalid_grant", 700_082, Fault::LoginNeeded);
        check(Tenancy::Partner, 401, "invalid_client", 7_000_215, Fault::ApplicationRefused);
        check(Tenancy::Partner, 400, "invalid_grant", 65_001, Fault::LoginNeeded);
        check(Tenancy::Partner, 400, "unauthorized_client", 700_016, Fault::ApplicationRefused);
        check(Tenancy::Partner, 400, "invalid_resource", 500_011, Fault::CredentialsInvalid);
        for code in [7_000_222, 700_021, 700_024, 700_027, 700_211, 700_212, 700_213, 50_013] {
            check(Tenancy::Partner, 401, "invalid_client", code, Fault::ApplicationRefused);
        }
    }

    #[test]
    fn a_refused_sign_in_in_a_customers_tenant_is_the_customers() {
        for code in [65_001, 700_016, 50_076, 53_003, 700_082] {
            check(Tenancy::Customer, 400, "invalid_grant", code, Fault::CustomerSignInRefused);
        }
        // Except for the client secret, which is the same everywhere.
        check(Tenancy::Customer, 401, "invalid_client", 7_000_215, Fault::ApplicationRefused);
        check(Tenancy::Customer, 401, "invalid_client", 7_000_222, Fault::ApplicationRefused);
    }

    #[test]
    fn only_graph_may_do_without_a_consent() {
        for code in [65_001, 65_004, 650_057, 500_011] {
            let body = format!(r#"{{"error":"invalid_grant","error_codes":[{code}]}}"#);
            let fault = |service| refusal_of(service, Tenancy::Partner, 400, &body).fault();
            assert_eq!(fault(Service::Graph), Fault::GraphNotConsented, "{code}");
            assert_eq!(fault(Service::PartnerCenter), Fault::LoginNeeded, "{code}");
        }
    }

    #[test]
    fn what_passes_is_no_refusal() {
        check(Tenancy::Partner, 429, "temporarily_unavailable", 90_033, Fault::Throttled);
        check(Tenancy::Partner, 400, "temporarily_unavailable", 90_033, Fault::ServerError);
        assert_eq!(refusal(Tenancy::Partner, 503, "").fault(), Fault::ServerError);
        for (status, body) in [(400, ""), (401, "<html>"), (404, "{}"), (302, "")] {
            assert_eq!(refusal(Tenancy::Partner, status, body).fault(), Fault::UnexpectedAnswer, "{status} {body}");
        }
    }

    #[test]
    fn a_grant_may_count_its_life_in_text_or_numbers() {
        let lifetime = |expires_in: &str| {
            granted(format!(r#"{{"access_token":"a","expires_in":{expires_in}}}"#).as_bytes())
                .map(|grant| grant.lifetime.as_secs())
                .map_err(|cause| cause.to_string())
        };
        assert_eq!(lifetime(r#""3599""#), Ok(3_599));
        assert_eq!(lifetime("3599"), Ok(3_599));
        assert_eq!(lifetime("99999999999"), Ok(86_400));
        for expires_in in ["null", r#""soon""#] {
            let error = lifetime(expires_in).unwrap_err();
            assert!(error.ends_with("expires_in is missing or no number"), "{error}");
        }
        assert!(granted(br#"{"access_token":"","expires_in":1}"#).is_err());
    }
}
