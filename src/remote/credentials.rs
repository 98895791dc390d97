//! The partner's sign-in, as the caller keeps it.

use std::error::Error as StdError;
use std::fmt::Debug;

use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::model::TenantId;

use super::Proof;

/// What the partner signs in with (Microsoft's Secure Application Model).
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The partner's tenant.
    pub partner_tenant: TenantId,
    /// Id of the application registered there.
    pub client_id: String,
    /// What it proves itself with.
    pub proof: Proof,
    /// Refresh token of a user who signed in with MFA: the newest one known.
    pub refresh_token: SecretString,
    /// Changes whenever a person has changed the credentials, so that access tokens of the old ones are dropped.
    /// Does not change when [`CredentialSource::rotated`] stores a newer refresh token.
    pub generation: String,
}

/// Where the credentials are kept. The operator implements it over Kubernetes Secrets.
pub trait CredentialSource: Send + Sync + Debug {
    /// The credentials as they are now. Asked before every request: answer from memory.
    fn current(&self) -> BoxFuture<'_, Result<Credentials, CredentialError>>;

    /// Keeps the refresh token that came with an access token, in place of the one in `used`, whichever tenant issued it:
    /// a refresh token belongs to the user and the application, and the one it was exchanged for may have been spent.
    ///
    /// The access token is handed out only after this has succeeded: else the partner could be locked out after 90 days
    /// although every sign-in worked.
    fn rotated<'a>(
        &'a self,
        used: &'a Credentials,
        refresh_token: SecretString,
    ) -> BoxFuture<'a, Result<(), CredentialError>>;

    /// Hears how a sign-in in the partner's tenant ended with these credentials. One that failed for a passing reason is
    /// not told of.
    fn judged(&self, used: &Credentials, judgement: Judgement<'_>) {
        let _ = (used, judgement);
    }
}

/// What came of a sign-in. The reasons say what to do, without the last stop, and stay until somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// There is a token that can be used.
    Accepted,
    /// Microsoft Entra refuses to issue one, for this reason.
    Refused(&'a str),
    /// Microsoft Entra was not asked, or has issued a token that cannot work, for this reason.
    Unusable(&'a str),
}

/// The credentials cannot be had, or not be kept.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// They are missing or incomplete: a person must act.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what to do; always the same text for the same defect, and no secret in it.
        message: String,
    },
    /// They are another partner's than the one whose objects these are: a person must act.
    #[error("{message}")]
    OtherPartner {
        /// Whose they are, and what to do.
        message: String,
    },
    /// They could not be read or written at the moment.
    #[error("the credentials cannot be read or written at the moment")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
}
