//! What a sign-in by a person, in a browser, needs to know of Microsoft Entra and of Partner Center: addresses, scope, and
//! whether what was issued can work.

use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use crate::model::TenantId;

use super::call::Call;
use super::claims::payload;
use super::endpoints::below;
use super::entra::Tenancy;
use super::refusal::refused;
use super::token::{Expected, check};
use super::transport::Transport;
use super::{Calls, Cause, Endpoints, Error, Limits, Operation, Service, SetupError, TokenDefect, Unfenced};

/// Where a person of one tenant signs in. These are the v2 addresses: they are what the flows are documented for, and a
/// refresh token is good for both versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Where a browser is sent.
    pub authorize: Url,
    /// Where codes are redeemed.
    pub token: Url,
    /// Where device codes are had.
    pub device_code: Url,
    /// Where an administrator consents for everybody, once `client_id` is added.
    pub admin_consent: Url,
}

/// Who a token was issued to, as far as it says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The tenant it is for.
    pub tenant: Option<TenantId>,
    /// The user's name, such as `ada@contoso.com`.
    pub user: Option<String>,
}

/// The claims by which a user is named, which differ by the version of the token.
#[derive(Deserialize)]
struct NamesWire {
    tid: Option<String>,
    upn: Option<String>,
    unique_name: Option<String>,
    preferred_username: Option<String>,
}

/// The partner as Partner Center knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its name.
    pub name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationWire {
    company_name: Option<String>,
}

/// One cloud, for a person who signs in.
#[derive(Debug)]
pub struct Interactive {
    endpoints: Endpoints,
    transport: Transport,
}

impl Interactive {
    /// At these addresses. Nothing is sent yet.
    pub fn new(endpoints: Endpoints, limits: Limits) -> Result<Self, SetupError> {
        let transport = Transport::new(limits, endpoints.extra_roots(), Arc::new(Unfenced), Calls::default())?;
        Ok(Self { endpoints, transport })
    }

    /// The connections that everything here uses: they trust whom the endpoints trust, and follow no redirect. For the
    /// requests of the sign-in itself, which a library words.
    pub fn http(&self) -> reqwest::Client {
        self.transport.client()
    }

    /// The addresses of `tenant`, an id or a domain.
    pub fn authority(&self, tenant: &str) -> Authority {
        let login = self.endpoints.login();
        let v2 = |name| below(login, &[tenant, "oauth2", "v2.0", name]);
        Authority {
            authorize: v2("authorize"),
            token: v2("token"),
            device_code: v2("devicecode"),
            admin_consent: below(login, &[tenant, "adminconsent"]),
        }
    }

    /// What a person consents to: that Partner Center is called in their name, also later, when they are away.
    pub fn scopes(&self) -> [String; 3] {
        let resource = self.endpoints.resource(Service::PartnerCenter);
        [format!("{resource}/user_impersonation"), "offline_access".to_owned(), "openid".to_owned()]
    }

    /// Reads who a token of Partner Center was issued to, and refuses one that cannot work: for another tenant than
    /// `expected`, for another service, or without MFA.
    pub fn examine(&self, access_token: &SecretString, expected: Option<TenantId>) -> Result<SignedIn, TokenDefect> {
        let token = access_token.expose_secret();
        let names: Option<NamesWire> = payload(token);
        let tenant = names.as_ref().and_then(|names| names.tid.as_deref()?.parse().ok());
        let service = Service::PartnerCenter;
        if let Some(tenant) = expected.or(tenant) {
            let resource = self.endpoints.resource(service);
            check(token, &Expected { tenant, service, tenancy: Tenancy::Partner, resource }, Timestamp::now())?;
        }
        let user = names.and_then(|names| names.upn.or(names.unique_name).or(names.preferred_username));
        Ok(SignedIn { tenant, user })
    }

    /// Asks Partner Center who the partner is, with the token that was just issued. It answers only a user, and only one
    /// who has used MFA, so the answer shows that the sign-in works.
    /// <https://learn.microsoft.com/partner-center/developer/get-an-organization-profile>
    pub async fn organization(&self, access_token: &SecretString) -> Result<Organization, Error> {
        let operation = Operation::ReadOrganization;
        let url = below(self.endpoints.partner_center(), &["v1", "profiles", "organization"]);
        let answer = self
            .transport
            .deliver(&Call::get(operation, url), Some(access_token), |answer| refused(operation, answer))
            .await
            .map_err(|undelivered| Error::new(operation, undelivered.cause))?;
        let wire: Option<OrganizationWire> = serde_json::from_slice(&answer.body).ok();
        let name = wire.and_then(|wire| wire.company_name);
        let missing = || Error::new(operation, Cause::UnexpectedAnswer("companyName is missing".to_owned()));
        Ok(Organization { name: name.ok_or_else(missing)? })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const TENANT: &str = "aaaa0000-2222-4b22-9b22-000000000002";

    fn global() -> Interactive {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Interactive::new(Endpoints::global().unwrap(), Limits::default()).unwrap()
    }

    fn examined(claims: &str) -> Result<SignedIn, TokenDefect> {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        global().examine(&token.into(), Some(TENANT.parse().unwrap()))
    }

    #[test]
    fn a_person_is_named_by_whichever_claim_there_is() {
        for name in ["upn", "unique_name", "preferred_username"] {
            let claims = format!(r#"{{"{name}":"ada@contoso.com","tid":"{TENANT}","scp":"x","amr":["mfa"]}}"#);
            let signed_in = examined(&claims).unwrap();
            assert_eq!((signed_in.user.as_deref(), signed_in.tenant), (Some("ada@contoso.com"), TENANT.parse().ok()));
        }
        assert_eq!(examined("{}"), Ok(SignedIn { tenant: None, user: None }));
    }

    #[test]
    fn a_token_that_cannot_work_is_refused() {
        let other = r#"{"tid":"bbbb0000-2222-4b22-9b22-000000000002","scp":"x","amr":["mfa"]}"#;
        assert_eq!(examined(other), Err(TokenDefect::NotForPartner));
        assert_eq!(examined(r#"{"scp":"x","amr":["pwd"]}"#), Err(TokenDefect::WithoutMfa));
        let graph = r#"{"aud":"https://graph.microsoft.com","scp":"x","amr":["mfa"]}"#;
        assert_eq!(examined(graph), Err(TokenDefect::NotForPartnerCenter));
    }

    #[test]
    fn addresses_and_scope_are_those_of_the_cloud() {
        let authority = global().authority("contoso.com");
        assert_eq!(authority.token.as_str(), "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token");
        let [scope, ..] = global().scopes();
        assert_eq!(scope, "https://api.partnercenter.microsoft.com/user_impersonation");
    }
}
