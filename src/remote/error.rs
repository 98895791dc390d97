//! The one error of this module, for its three readers: the program, the manifest's author, and the one on call.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Denial, TenantId};

use super::fault::Fault;
use super::{CredentialError, Operation, Refusal, Server, Service, SignInRefusal, TokenDefect};

/// Something could not be done. `Display` says what; [`source`](std::error::Error::source) says why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {operation}")]
pub struct Error {
    operation: Operation,
    /// Shared, because one failed sign-in fails everybody who waits for it.
    #[source]
    cause: Arc<Cause>,
    may_have_arrived: bool,
    /// Whether it was asked in the name of the signed-in user, and not in the application's own.
    is_the_users: bool,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// Not sent: the lease may end before the answer comes.
    #[error("the lease lasts {remaining:?} more, and a request may take {needed:?}")]
    Fenced {
        /// How long the lease lasts.
        remaining: Duration,
        /// How long it must last.
        needed: Duration,
    },
    /// Not sent: the service has asked for a pause.
    #[error("the service has asked for a pause, which lasts {} s more", .wait.as_secs())]
    Paused {
        /// How long it lasts.
        wait: Duration,
    },
    /// Not sent: what was made sure of before may not hold any more.
    #[error("it could not be sent soon enough after it was made sure of")]
    Late,
    /// The credentials cannot be had, or not be kept.
    #[error("the credentials cannot be used")]
    Credentials(#[source] CredentialError),
    /// Microsoft Entra refused the sign-in.
    #[error(transparent)]
    SignIn(SignInRefusal),
    /// Microsoft Entra issued a token that cannot work.
    #[error(transparent)]
    Token(TokenDefect),
    /// No whole answer came in time.
    #[error("no whole answer of {server} within {limit:?} (set by {})", .server.setting())]
    TimedOut {
        /// Who was asked.
        server: Server,
        /// How long it had.
        limit: Duration,
    },
    /// No connection, or it broke.
    #[error("the connection to {server} failed (set by {})", .server.setting())]
    Unreachable {
        /// Who was asked.
        server: Server,
        /// What is wrong with it.
        source: reqwest::Error,
    },
    /// The service refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The answer is older than what is known already.
    #[error("the answer is behind another one")]
    StaleAnswer,
    /// The service's answer cannot be right.
    #[error("the answer cannot be right: {0}")]
    UnexpectedAnswer(String),
    /// Not sent: it could not have been accepted.
    #[error("the request would be invalid: {0}")]
    InvalidRequest(String),
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Try again with the usual backoff.
    RetrySoon,
    /// Try again, but not before this time has passed.
    RetryAfter(Duration),
    /// Trying again is of no use before something changes: a manifest, a Secret, a role, the other side.
    AwaitChange,
    /// This process must stop working: it no longer holds the lease.
    StopOperator,
}

impl Error {
    /// Of something that came to nothing before a request left, or of a request whose every answer was a refusal.
    pub(super) fn new(operation: Operation, cause: impl Into<Arc<Cause>>) -> Self {
        Self { operation, cause: cause.into(), may_have_arrived: false, is_the_users: true }
    }

    /// Of a reading of a customer's policy that is behind what the caller knows from another answer.
    pub fn stale_policy(customer: TenantId) -> Self {
        Self::new(Operation::ReadPolicy(customer), Cause::StaleAnswer)
    }

    /// The same, after a request that may have had its effect.
    pub(super) fn having_arrived(self, may_have_arrived: bool) -> Self {
        Self { may_have_arrived: self.may_have_arrived || may_have_arrived, ..self }
    }

    /// The same, with whether it was asked in the name of the signed-in user.
    pub(super) fn of_the_user(self, is_the_users: bool) -> Self {
        Self { is_the_users, ..self }
    }

    /// What was being done.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Why it could not be done.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Metric label: one of about twenty words.
    pub fn category(&self) -> &'static str {
        self.cause.category()
    }

    /// What to do now.
    pub fn advice(&self) -> Advice {
        self.cause.advice()
    }

    /// A condition reason.
    pub fn reason(&self) -> &'static str {
        self.cause.fault().meaning().reason
    }

    /// What is wrong and what to do, for a condition. The same failure always reads the same: no request ids, no
    /// times, no counters.
    pub fn message(&self) -> String {
        format!("Cannot {}: {}.", self.operation, self.cause.explanation())
    }

    /// The partner's sign-in as a whole is refused; `None` when the failure concerns one customer, or passes.
    pub fn denial(&self) -> Option<Denial> {
        if !self.is_the_users {
            // The user may do what the application may not, and only the user writes.
            return None;
        }
        if self.operation.service() == Service::Graph {
            // Graph is optional; what else is wrong with the sign-in, Partner Center says too.
            return None;
        }
        let reason = match self.cause.fault() {
            Fault::MfaRequired => "MfaRequired",
            Fault::AppOnlyToken => "AppOnlyToken",
            Fault::NotAdminAgent => "NotAdminAgent",
            Fault::ConditionalAccess => "ConditionalAccess",
            Fault::PartnerAgreementMissing => "PartnerAgreementMissing",
            Fault::ProgramNotActive => "ProgramNotActive",
            Fault::CredentialsInvalid | Fault::LoginNeeded | Fault::ApplicationRefused | Fault::WrongAudience => {
                "CredentialsInvalid"
            }
            Fault::OtherPartner => "OtherPartner",
            // A customer's tenant may refuse a token for reasons of its own.
            Fault::Unauthorized if self.operation.service() == Service::PartnerCenter => "CredentialsInvalid",
            _ => return None,
        };
        let explanation = self.cause.explanation();
        let mut letters = explanation.chars();
        let message =
            letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()));
        Some(Denial { reason, message })
    }

    /// Partner Center says that the tenant is no customer of this partner.
    pub fn customer_not_ours(&self) -> bool {
        self.cause.fault() == Fault::CustomerNotOurs
    }

    /// The policy has changed since it was read: read it again.
    pub fn is_stale(&self) -> bool {
        self.cause.fault() == Fault::StaleEtag
    }

    /// Whether a write may have been applied although it failed: one of its sends got no answer that says otherwise.
    /// The last one may well have been refused, because of what the first one did.
    pub fn may_have_arrived(&self) -> bool {
        self.may_have_arrived
    }

    /// Nothing was sent, because the service has asked for a pause that lasts so much longer.
    pub fn is_paused_for(&self) -> Option<Duration> {
        match &*self.cause {
            Cause::Paused { wait } if !self.may_have_arrived => Some(*wait),
            _ => None,
        }
    }

    /// Nothing was sent, because it was too late for what was made sure of before: make sure once more.
    pub fn is_late(&self) -> bool {
        self.cause.fault() == Fault::Late && !self.may_have_arrived
    }

    /// No answer came, whatever else was said before.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(&*self.cause, Cause::TimedOut { .. } | Cause::Unreachable { .. })
    }

    /// The policy to be created exists already: read it.
    pub fn policy_exists(&self) -> bool {
        self.cause.fault() == Fault::PolicyExists
    }

    /// The role to be assigned is assigned already.
    pub(super) fn is_assigned_already(&self) -> bool {
        self.cause.fault() == Fault::RoleAssigned
    }

    /// Azure knows the principal of a role assignment as another kind than it was told.
    pub(super) fn is_other_kind_of_principal(&self) -> bool {
        self.cause.fault() == Fault::OtherPrincipal
    }

    /// Nothing of it has left: it was held back here, or the sign-in for it failed.
    pub fn was_never_sent(&self) -> bool {
        let is_held_back = match &*self.cause {
            Cause::Fenced { .. }
            | Cause::Paused { .. }
            | Cause::Late
            | Cause::Credentials(_)
            | Cause::SignIn(_)
            | Cause::Token(_)
            | Cause::InvalidRequest(_) => true,
            Cause::TimedOut { .. }
            | Cause::Unreachable { .. }
            | Cause::Refused(_)
            | Cause::StaleAnswer
            | Cause::UnexpectedAnswer(_) => false,
        };
        is_held_back && !self.may_have_arrived
    }

    /// Partner Center knows no such cart: it has expired, or has been checked out.
    pub fn cart_missing(&self) -> bool {
        matches!(self.operation, Operation::CheckOutCart(_)) && self.cause.fault() == Fault::NotFound
    }

    /// The policy to be changed does not exist: read again.
    pub fn policy_missing(&self) -> bool {
        self.cause.fault() == Fault::PolicyNotFound
    }
}

impl Cause {
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::Fenced { .. } => Fault::Fenced,
            Self::Paused { .. } => Fault::Paused,
            Self::Late => Fault::Late,
            Self::Credentials(CredentialError::Invalid { .. }) => Fault::CredentialsInvalid,
            Self::Credentials(CredentialError::OtherPartner { .. }) => Fault::OtherPartner,
            Self::Credentials(CredentialError::Unavailable(_)) => Fault::CredentialsUnavailable,
            Self::SignIn(refusal) => refusal.fault(),
            Self::Token(defect) => defect.fault(),
            Self::TimedOut { .. } => Fault::TimedOut,
            Self::Unreachable { .. } => Fault::Unreachable,
            Self::Refused(refusal) => refusal.fault(),
            Self::StaleAnswer => Fault::StaleAnswer,
            Self::UnexpectedAnswer(_) => Fault::UnexpectedAnswer,
            Self::InvalidRequest(_) => Fault::InvalidRequest,
        }
    }

    /// Whether a request that ended so may have had its effect.
    pub(super) fn leaves_effect_open(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !source.is_connect(),
            _ => matches!(self.fault(), Fault::TimedOut | Fault::ServerError | Fault::UnexpectedAnswer),
        }
    }

    pub(super) fn category(&self) -> &'static str {
        self.fault().meaning().category
    }

    pub(super) fn advice(&self) -> Advice {
        let retry_after = match self {
            Self::SignIn(refusal) => refusal.retry_after(),
            Self::Refused(refusal) => refusal.retry_after(),
            Self::Paused { wait } => Some(*wait),
            _ => None,
        };
        match (self.fault(), retry_after) {
            (Fault::Throttled | Fault::ServerError | Fault::Busy | Fault::Paused, Some(wait)) => {
                Advice::RetryAfter(wait)
            }
            (fault, _) => fault.meaning().advice,
        }
    }

    /// The meaning of the failure with what may be said of this one, without the last stop.
    pub(super) fn explanation(&self) -> String {
        let general = self.fault().meaning().explanation;
        let detail = match self {
            // It says itself what is wrong and what to do, and a new sign-in would not mend most of it.
            Self::Credentials(CredentialError::Invalid { message }) => return message.clone(),
            // Which of the four it is, where, and what to do about that one.
            Self::TimedOut { server, .. } => return format!("{server} did not answer in time. {}", server.advice()),
            Self::Unreachable { server, .. } => return format!("{server} cannot be reached. {}", server.advice()),
            Self::Credentials(CredentialError::OtherPartner { message }) => Some(message.clone()),
            Self::SignIn(refusal) => Some(refusal.detail()),
            Self::Token(defect) => Some(defect.to_string()),
            Self::Refused(refusal) => Some(refusal.detail()),
            Self::UnexpectedAnswer(what) | Self::InvalidRequest(what) => Some(what.clone()),
            Self::Fenced { .. }
            | Self::Paused { .. }
            | Self::Late
            | Self::Credentials(CredentialError::Unavailable(_))
            | Self::StaleAnswer => None,
        };
        match detail {
            Some(detail) => format!("{general} ({detail})"),
            None => general.to_owned(),
        }
    }
}
