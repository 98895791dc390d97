//! Access tokens: redeemed once for everybody, kept until shortly before they expire.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::DATE;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::RwLock;
use tokio::time::Instant;
use tracing::Instrument as _;
use url::Url;

use crate::model::TenantId;

use super::call::{Body, Call, Form};
use super::claims::Claims;
use super::entra::{self, Grant, Subject, Tenancy};
use super::fault::Fault;
use super::retry_after::http_date;
use super::transport::Transport;
use super::{Advice, Cause, CredentialError, CredentialSource, Credentials, Endpoints, Judgement, Operation, Service};

/// A token is renewed this long before it expires, so that it never expires on its way.
const RENEWAL_MARGIN: Duration = Duration::from_mins(5);
/// A refused sign-in is not tried again for this long, unless the credentials change: ten thousand objects would ask.
const REFUSAL_KEPT: Duration = Duration::from_mins(1);
/// A failed one answers those who were waiting for it, and is then tried again.
const FAILURE_KEPT: Duration = Duration::from_secs(1);

/// How far two clocks may be apart, in seconds: what Microsoft's libraries allow.
const CLOCK_SKEW_SECONDS: i64 = 300;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Realm {
    /// Partner Center, in the partner's own tenant.
    PartnerCenter,
    /// The same in the name of the application alone, without a user.
    PartnerCenterAsApplication,
    /// Azure Resource Manager, in this customer's tenant.
    Azure(TenantId),
    /// Microsoft Graph, in this tenant: the partner's own or a customer's.
    Graph(TenantId),
}

/// A token that was issued and cannot work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenDefect {
    /// The claim `amr` has no `mfa`.
    #[error("the access token does not say that the user signed in with MFA")]
    WithoutMfa,
    /// The claim `aud` names another service than Partner Center.
    #[error("the access token is not for Partner Center")]
    NotForPartnerCenter,
    /// The claim `aud` names another service than Azure Resource Manager.
    #[error("the access token is not for Azure")]
    NotForAzure,
    /// The claim `aud` names another service than Microsoft Graph.
    #[error("the access token is not for Microsoft Graph")]
    NotForGraph,
    /// The claim `tid` names another tenant than the partner's.
    #[error("the access token is for another tenant than partnerTenantId")]
    NotForPartner,
    /// The claim `tid` names another tenant than the customer's.
    #[error("the access token is for another tenant than the customer's")]
    NotForCustomer,
    /// The claim `exp` is in the past.
    #[error("the access token has expired already")]
    Expired,
    /// The claim `nbf` is in the future.
    #[error("the access token is not valid yet")]
    NotYetValid,
}

impl TokenDefect {
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::WithoutMfa => Fault::MfaRequired,
            Self::NotForPartnerCenter => Fault::WrongAudience,
            Self::NotForPartner => Fault::CredentialsInvalid,
            Self::Expired | Self::NotYetValid => Fault::TokenExpired,
            Self::NotForAzure | Self::NotForGraph | Self::NotForCustomer => Fault::CustomerSignInRefused,
        }
    }
}

/// A token that may be used now.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub(super) token: SecretString,
    /// Tells this token from the ones before and after it.
    issue: u64,
}

/// The cache, one slot per realm.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Arc<dyn CredentialSource>,
    endpoints: Endpoints,
    slots: Mutex<BTreeMap<Realm, Arc<Slot>>>,
    slots_max: usize,
    /// Redemptions go on side by side, but one whose refresh token was refused is repeated alone: then nobody else can
    /// be about to store a newer one.
    redeeming: RwLock<()>,
}

/// Locked during a redemption, so that the others wait for its result instead of signing in themselves.
type Slot = tokio::sync::Mutex<Option<Held>>;

#[derive(Debug)]
struct Held {
    outcome: Result<Access, Arc<Cause>>,
    /// Of the credentials it was redeemed with.
    generation: String,
    until: Instant,
    issue: u64,
}

impl Tokens {
    pub(super) fn new(source: Arc<dyn CredentialSource>, endpoints: &Endpoints, slots_max: usize) -> Self {
        Self { source, endpoints: endpoints.clone(), slots: Mutex::default(), slots_max, redeeming: RwLock::default() }
    }

    /// The credentials as they are now.
    pub(super) async fn credentials(&self) -> Result<Credentials, Arc<Cause>> {
        self.source.current().await.map_err(|error| Arc::new(Cause::Credentials(error)))
    }

    /// A token for `realm`; redeems the refresh token when there is none.
    ///
    /// In a task of its own: whoever asks may be dropped at any moment, by the time limit of its pass for one, and with
    /// it a refresh token would be lost that Microsoft has just handed out in exchange for one that served once.
    pub(super) async fn access(
        self: &Arc<Self>,
        transport: &Arc<Transport>,
        realm: Realm,
    ) -> Result<Access, Arc<Cause>> {
        let (tokens, transport) = (Arc::clone(self), Arc::clone(transport));
        let task = tokio::spawn(async move { tokens.obtain(&transport, realm).await }.in_current_span());
        task.await.unwrap_or_else(|died| Err(Arc::new(Cause::Credentials(CredentialError::Unavailable(died.into())))))
    }

    async fn obtain(&self, transport: &Transport, realm: Realm) -> Result<Access, Arc<Cause>> {
        let slot = self.slot(realm);
        let mut slot = slot.lock().await;
        // After the wait: the credentials may have rotated meanwhile.
        let credentials = self.credentials().await?;
        if let Some(held) = slot.as_ref()
            && held.generation == credentials.generation
            && Instant::now() < held.until
        {
            return held.outcome.clone();
        }
        let issue = slot.as_ref().map_or(0, |held| held.issue + 1);
        // Time runs from before the request: the answer may have been long under way.
        let asked = Instant::now();
        let (granted, credentials) = self.redeem(transport, realm, credentials).await;
        if realm == Realm::PartnerCenter {
            self.tell(&credentials, granted.as_ref().err());
        }
        let (outcome, kept) = match granted {
            Ok(grant) => (Ok(Access { token: grant.access_token, issue }), Some(kept_for(grant.lifetime))),
            Err(cause) => {
                let kept = match cause.advice() {
                    // Nobody was asked, and a file that is put in place tells nobody.
                    _ if matches!(cause, Cause::Credentials(_)) => Some(FAILURE_KEPT + asked.elapsed()),
                    Advice::AwaitChange => Some(REFUSAL_KEPT),
                    Advice::RetryAfter(wait) => Some(wait.min(REFUSAL_KEPT)),
                    Advice::RetrySoon => Some(FAILURE_KEPT + asked.elapsed()),
                    Advice::StopOperator => None,
                };
                (Err(Arc::new(cause)), kept)
            }
        };
        let generation = credentials.generation;
        *slot = kept.map(|kept| Held { outcome: outcome.clone(), generation, until: asked + kept, issue });
        outcome
    }

    /// Forgets a token that was refused, unless it has been replaced already.
    pub(super) async fn discard(&self, realm: Realm, refused: &Access) {
        let slot = self.slot(realm);
        let mut slot = slot.lock().await;
        if let Some(held) = slot.as_mut()
            && held.issue == refused.issue
        {
            // The number is kept, so that the next token does not look like this one.
            held.until = Instant::now();
        }
    }

    /// Lets the keeper of the credentials know how they were received.
    fn tell(&self, credentials: &Credentials, failure: Option<&Cause>) {
        match failure {
            None => self.source.judged(credentials, Judgement::Accepted),
            Some(cause) if cause.advice() == Advice::AwaitChange => {
                let why = cause.explanation();
                let judgement = match cause {
                    Cause::SignIn(_) => Judgement::Refused(&why),
                    _ => Judgement::Unusable(&why),
                };
                self.source.judged(credentials, judgement);
            }
            Some(_) => {}
        }
    }

    async fn redeem(
        &self,
        transport: &Transport,
        realm: Realm,
        mut credentials: Credentials,
    ) -> (Result<Grant, Cause>, Credentials) {
        let first = {
            let _among_others = self.redeeming.read().await;
            self.redeem_once(transport, realm, &credentials).await
        };
        let Err(Cause::SignIn(refusal)) = &first else { return (first, credentials) };
        if !refusal.is_about_refresh_token() {
            return (first, credentials);
        }
        // Where a refresh token can be redeemed only once, another sign-in may have been faster.
        let _alone = self.redeeming.write().await;
        match self.source.current().await {
            Ok(newest) if newest.refresh_token.expose_secret() != credentials.refresh_token.expose_secret() => {
                credentials = newest;
                (self.redeem_once(transport, realm, &credentials).await, credentials)
            }
            _ => (first, credentials),
        }
    }

    async fn redeem_once(
        &self,
        transport: &Transport,
        realm: Realm,
        credentials: &Credentials,
    ) -> Result<Grant, Cause> {
        let (tenant, service, tenancy) = match realm {
            Realm::PartnerCenter | Realm::PartnerCenterAsApplication => {
                (credentials.partner_tenant, Service::PartnerCenter, Tenancy::Partner)
            }
            Realm::Azure(tenant) => (tenant, Service::Azure, tenancy(tenant, credentials)),
            Realm::Graph(tenant) => (tenant, Service::Graph, tenancy(tenant, credentials)),
        };
        let subject = match realm {
            Realm::PartnerCenterAsApplication => Subject::Application,
            _ => Subject::User,
        };
        let resource = self.endpoints.resource(service);
        let url = entra::token_url(self.endpoints.login(), tenant);
        let presented = entra::present(&credentials.proof).await?;
        let form = {
            let (credentials, url) = (credentials.clone(), url.clone());
            Form(Box::new(move || entra::redemption(&credentials, &presented, subject, resource, &url)))
        };
        let call = Call::post(Operation::SignIn(tenant), url, Body::Form(form));
        let answer = transport.deliver(&call, None, |answer| entra::refused(tenancy, service, answer));
        let answer = answer.await.map_err(|undelivered| match undelivered.cause {
            Cause::SignIn(refusal) => Cause::SignIn(refusal.explained_by(&credentials.proof, Timestamp::now())),
            other => other,
        })?;
        let mut grant = entra::granted(&answer.body)?;
        // First of all, even if the access token turns out to be of no use: the old one may have been spent. Whichever
        // tenant it was redeemed in, a refresh token is the user's and can be redeemed in all of them; Microsoft's own
        // client library keeps one per user, too.
        if let Some(refresh_token) = grant.refresh_token.take()
            && subject == Subject::User
            && refresh_token.expose_secret() != credentials.refresh_token.expose_secret()
        {
            self.source.rotated(credentials, refresh_token).await.map_err(Cause::Credentials)?;
        }
        let expected = Expected { tenant, service, tenancy, resource };
        // By Entra's clock rather than this machine's, which may be wrong: a revoke should go through all the same.
        let now = answer.headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
        check(grant.access_token.expose_secret(), &expected, now.unwrap_or_else(Timestamp::now))
            .map_err(Cause::Token)?;
        Ok(grant)
    }

    fn slot(&self, realm: Realm) -> Arc<Slot> {
        // The map is whole between any two statements, so a panic elsewhere has not harmed it.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&realm) {
            return Arc::clone(slot);
        }
        if slots.len() >= self.slots_max {
            forget_one(&mut slots);
        }
        Arc::clone(slots.entry(realm).or_default())
    }
}

fn tenancy(tenant: TenantId, credentials: &Credentials) -> Tenancy {
    if tenant == credentials.partner_tenant { Tenancy::Partner } else { Tenancy::Customer }
}

/// How long a token is used that lives for `lifetime`: until five minutes before its end, or half of a short life.
fn kept_for(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(RENEWAL_MARGIN.min(lifetime / 2))
}

/// Drops the slot in nobody's hands that expires first.
fn forget_one(slots: &mut BTreeMap<Realm, Arc<Slot>>) {
    let idle = slots.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
    let first = idle.min_by_key(|(_, slot)| slot.try_lock().ok().and_then(|held| held.as_ref().map(|held| held.until)));
    if let Some(realm) = first.map(|(realm, _)| *realm) {
        slots.remove(&realm);
    }
}

/// What a token was asked for.
pub(super) struct Expected {
    pub(super) tenant: TenantId,
    pub(super) service: Service,
    pub(super) tenancy: Tenancy,
    pub(super) resource: &'static str,
}

/// Refuses a token of which we know already that it will be refused, with the better reason.
pub(super) fn check(token: &str, expected: &Expected, now: Timestamp) -> Result<(), TokenDefect> {
    let Some(claims) = Claims::read(token) else { return Ok(()) };
    let Expected { tenant, service, tenancy, resource } = *expected;
    if claims.tid.is_some_and(|tid| !tid.eq_ignore_ascii_case(&tenant.to_string())) {
        return Err(match tenancy {
            Tenancy::Partner => TokenDefect::NotForPartner,
            Tenancy::Customer => TokenDefect::NotForCustomer,
        });
    }
    if claims.exp.is_some_and(|end| end <= now.as_second()) {
        return Err(TokenDefect::Expired);
    }
    if claims.nbf.is_some_and(|begin| begin > now.as_second() + CLOCK_SKEW_SECONDS) {
        return Err(TokenDefect::NotYetValid);
    }
    // Only addresses can be compared: some tokens name their service by the id of an application.
    let for_another = claims.aud.is_some_and(|audience| {
        audience.contains("://") && !same_resource(&audience, resource) && !is_older_name(&audience, service)
    });
    if for_another {
        return Err(match service {
            Service::PartnerCenter => TokenDefect::NotForPartnerCenter,
            Service::Azure => TokenDefect::NotForAzure,
            Service::Graph => TokenDefect::NotForGraph,
        });
    }
    // Microsoft enforces MFA for tokens with a user; that one without a user will not do is for Partner Center to say.
    let with_mfa = claims.amr.is_some_and(|methods| methods.iter().any(|method| method.eq_ignore_ascii_case("mfa")));
    if service == Service::PartnerCenter && claims.scp.is_some() && !with_mfa {
        return Err(TokenDefect::WithoutMfa);
    }
    Ok(())
}

fn same_resource(one: &str, other: &str) -> bool {
    one.trim_end_matches('/').eq_ignore_ascii_case(other.trim_end_matches('/'))
}

/// Azure Resource Manager still accepts, and Entra may still issue, tokens for the service management API.
fn is_older_name(audience: &str, service: Service) -> bool {
    service == Service::Azure
        && Url::parse(audience).is_ok_and(|url| url.host_str().is_some_and(|host| host.starts_with("management.core.")))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const TENANT: &str = "aaaa0000-2222-4b22-9b22-000000000002";
    const PARTNER_CENTER: &str = "https://api.partnercenter.microsoft.com";
    const AZURE: &str = "https://management.azure.com/";

    fn check_claims(service: Service, claims: &str, expected: Result<(), TokenDefect>) {
        let (tenancy, resource) = match service {
            Service::PartnerCenter => (Tenancy::Partner, PARTNER_CENTER),
            Service::Azure => (Tenancy::Customer, AZURE),
            Service::Graph => (Tenancy::Partner, Endpoints::GRAPH),
        };
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let asked = Expected { tenant: TENANT.parse().unwrap(), service, tenancy, resource };
        assert_eq!(check(&token, &asked, Timestamp::from_second(1_000).unwrap()), expected, "{claims}");
    }

    #[test]
    fn a_token_that_cannot_work_is_not_used() {
        use Service::{Azure, Graph, PartnerCenter};
        check_claims(PartnerCenter, r#"{"scp":"user_impersonation","amr":["pwd","MFA"]}"#, Ok(()));
        check_claims(PartnerCenter, r#"{"scp":"user_impersonation","amr":["pwd"]}"#, Err(TokenDefect::WithoutMfa));
        check_claims(PartnerCenter, r#"{"scp":"user_impersonation"}"#, Err(TokenDefect::WithoutMfa));
        check_claims(Azure, r#"{"scp":"user_impersonation"}"#, Ok(()));
        check_claims(PartnerCenter, r#"{"aud":"https://API.partnercenter.microsoft.com/"}"#, Ok(()));
        check_claims(PartnerCenter, r#"{"aud":"fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"}"#, Ok(()));
        check_claims(PartnerCenter, r#"{"aud":"https://graph.windows.net"}"#, Err(TokenDefect::NotForPartnerCenter));
        check_claims(Azure, r#"{"aud":"https://management.core.windows.net/"}"#, Ok(()));
        check_claims(Azure, r#"{"aud":"https://graph.microsoft.com"}"#, Err(TokenDefect::NotForAzure));
        check_claims(Graph, r#"{"aud":"https://graph.microsoft.com/","scp":"User.Read"}"#, Ok(()));
        check_claims(Graph, r#"{"aud":"00000003-0000-0000-c000-000000000000"}"#, Ok(()));
        check_claims(Graph, r#"{"aud":"https://management.azure.com/"}"#, Err(TokenDefect::NotForGraph));
        check_claims(Azure, &format!(r#"{{"tid":"{}"}}"#, TENANT.to_uppercase()), Ok(()));
        check_claims(PartnerCenter, r#"{"nbf":900,"exp":1001}"#, Ok(()));
        check_claims(PartnerCenter, r#"{"exp":1000}"#, Err(TokenDefect::Expired));
        check_claims(Azure, r#"{"exp":7}"#, Err(TokenDefect::Expired));
        check_claims(PartnerCenter, r#"{"nbf":1300}"#, Ok(()));
        check_claims(PartnerCenter, r#"{"nbf":1301}"#, Err(TokenDefect::NotYetValid));
        let other = r#"{"tid":"bbbb0000-2222-4b22-9b22-000000000002"}"#;
        check_claims(PartnerCenter, other, Err(TokenDefect::NotForPartner));
        check_claims(Azure, other, Err(TokenDefect::NotForCustomer));
    }

    #[test]
    fn a_token_is_renewed_before_it_expires_but_not_at_once() {
        for (lifetime_s, kept_s) in [(3_599, 3_299), (600, 300), (60, 30), (0, 0)] {
            assert_eq!(kept_for(Duration::from_secs(lifetime_s)), Duration::from_secs(kept_s));
        }
    }

    #[tokio::test]
    async fn the_cache_is_bounded_and_forgets_what_expires_first() {
        let tenant =
            |last: u8| -> TenantId { format!("c1a0c1a0-1111-4a11-8a11-0000000000{last:02x}").parse().unwrap() };
        let mut slots = BTreeMap::<Realm, Arc<Slot>>::new();
        let now = Instant::now();
        for (last, minutes) in [(1, 9), (2, 3), (3, 6)] {
            let held = Held {
                outcome: Ok(Access { token: "t".into(), issue: 0 }),
                generation: String::new(),
                until: now + Duration::from_mins(minutes),
                issue: 0,
            };
            slots.insert(Realm::Azure(tenant(last)), Arc::new(Slot::new(Some(held))));
        }
        let in_use = Arc::clone(&slots[&Realm::Azure(tenant(2))]);
        forget_one(&mut slots);
        assert!(!slots.contains_key(&Realm::Azure(tenant(3))), "the first to expire of those in nobody's hands");
        drop(in_use);
        forget_one(&mut slots);
        assert_eq!(slots.keys().copied().collect::<Vec<_>>(), [Realm::Azure(tenant(1))]);
    }
}
