//! The kinds of failure, and what each means to the program and to people: the one table.

use std::time::Duration;

use super::Advice;

/// Kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    Fenced,
    Paused,
    Late,
    CredentialsUnavailable,
    CredentialsInvalid,
    OtherPartner,
    LoginNeeded,
    ApplicationRefused,
    TokenExpired,
    ConditionalAccess,
    MfaRequired,
    AppOnlyToken,
    NotAdminAgent,
    Unauthorized,
    WrongAudience,
    CustomerSignInRefused,
    GraphNotConsented,
    Throttled,
    TimedOut,
    Unreachable,
    ServerError,
    Forbidden,
    PartnerAgreementMissing,
    ProgramNotActive,
    ResellerAgreementMissing,
    CustomerAgreementMissing,
    CustomerNotOurs,
    Busy,
    StaleEtag,
    StaleAnswer,
    PolicyExists,
    PolicyNotFound,
    RoleAssigned,
    PrincipalUnknown,
    OtherPrincipal,
    AssignmentForbidden,
    NotFound,
    InvalidRequest,
    InvalidProperty,
    UnexpectedAnswer,
}

/// What a kind of failure means.
pub(super) struct Meaning {
    /// Metric label.
    pub(super) category: &'static str,
    /// Condition reason.
    pub(super) reason: &'static str,
    /// What the program does; a `Retry-After` of the answer wins over it.
    pub(super) advice: Advice,
    /// What is wrong and what a person can do: begins in lower case, is one sentence or more, without the last stop.
    pub(super) explanation: &'static str,
}

/// Wait when a service throttles without saying how long: its limits are counted per minute.
const THROTTLED_DEFAULT: Duration = Duration::from_mins(1);

/// Wait while Partner Center is at work on something: it speaks of minutes for orders and of a day for subscriptions.
const BUSY_DEFAULT: Duration = Duration::from_mins(5);

impl Fault {
    #[expect(clippy::too_many_lines, reason = "a table is read row by row")]
    pub(super) fn meaning(self) -> Meaning {
        use Advice::{AwaitChange, RetryAfter, RetrySoon, StopOperator};
        let (category, reason, advice, explanation) = match self {
            Self::Fenced => (
                "fenced",
                "LeaseEnding",
                StopOperator,
                "this process no longer holds the lease for long enough; another one takes over",
            ),
            Self::Paused => (
                "paused",
                "Throttled",
                RetryAfter(THROTTLED_DEFAULT),
                "the service has asked for a pause between requests, which is not over; this is tried again after it",
            ),
            Self::Late => (
                "not_sent_in_time",
                "NotSentInTime",
                RetrySoon,
                "the grant could not be sent soon enough after it was made sure that it is still wanted; whether it is \
                 and what it has done is looked at first, then this is tried again",
            ),
            Self::CredentialsUnavailable => (
                "credentials_unavailable",
                "CredentialsUnavailable",
                RetrySoon,
                "the Secrets with the credentials cannot be read or written at the moment; this is tried again",
            ),
            Self::OtherPartner => (
                "other_partner",
                "OtherPartner",
                AwaitChange,
                "the credentials are of another partner than the one that this installation acts for, so nothing is \
                 done with them",
            ),
            Self::CredentialsInvalid => (
                "credentials_invalid",
                "CredentialsInvalid",
                AwaitChange,
                "the partner's credentials are not accepted: sign in again and update the credentials Secret",
            ),
            Self::LoginNeeded => (
                "credentials_invalid",
                "CredentialsInvalid",
                AwaitChange,
                "the partner's refresh token is not accepted any more, so a user must sign in again; \
                 run: kubectl csp login",
            ),
            Self::ApplicationRefused => (
                "application_refused",
                "CredentialsInvalid",
                AwaitChange,
                "Microsoft Entra does not accept what the application proves itself with: check its registration, and \
                 update the credentials Secret with its id and a secret, certificate or federated credential that is valid",
            ),
            Self::TokenExpired => (
                "token_expired",
                "TokenExpired",
                AwaitChange,
                "the access token is not valid at the time it was issued: check the clocks of the cluster's nodes, and \
                 any proxy on the way to the sign-in",
            ),
            Self::ConditionalAccess => (
                "conditional_access",
                "ConditionalAccess",
                AwaitChange,
                "a Conditional Access policy of the partner's tenant refuses this sign-in: exempt it from the policy, \
                 or sign in again in a way that the policy accepts",
            ),
            Self::MfaRequired => (
                "mfa_required",
                "MfaRequired",
                AwaitChange,
                "the sign-in was made without multifactor authentication, so a user must sign in again, with MFA; \
                 run: kubectl csp login",
            ),
            Self::AppOnlyToken => (
                "app_only_token",
                "AppOnlyToken",
                AwaitChange,
                "Partner Center wants a user's sign-in here, not an application's, so an Admin agent must sign in, with \
                 MFA; run: kubectl csp login",
            ),
            Self::NotAdminAgent => (
                "not_admin_agent",
                "NotAdminAgent",
                AwaitChange,
                "the signed-in user may not change purchase permissions: make it an Admin agent in Partner Center; \
                 a new role can take an hour to work",
            ),
            Self::Unauthorized => (
                "unauthorized",
                "Unauthorized",
                AwaitChange,
                "the access token is not accepted, not even a new one: check the credentials Secret and the addresses \
                 of the services",
            ),
            Self::WrongAudience => (
                "unauthorized",
                "Unauthorized",
                AwaitChange,
                "the access token was issued for another service: grant the application of the credentials Secret the \
                 permission user_impersonation of Partner Center, then sign in again",
            ),
            Self::CustomerSignInRefused => (
                "customer_sign_in_refused",
                "CustomerSignInRefused",
                AwaitChange,
                "the customer's tenant refuses the partner's sign-in: consent to the application there and check the \
                 delegated administration relationship",
            ),
            Self::GraphNotConsented => (
                "graph_not_consented",
                "GraphNotConsented",
                AwaitChange,
                "the application has no consent for Microsoft Graph: add the delegated permissions User.Read and \
                 GroupMember.Read.All to it and consent in the partner's tenant",
            ),
            Self::Throttled => (
                "throttled",
                "Throttled",
                RetryAfter(THROTTLED_DEFAULT),
                "the service limits the rate of requests; this is tried again when it allows",
            ),
            Self::TimedOut => {
                ("timeout", "Unreachable", RetrySoon, "the service did not answer in time; this is tried again")
            }
            Self::Unreachable => (
                "unreachable",
                "Unreachable",
                RetrySoon,
                "the service cannot be reached. If that lasts, check network policies and proxies, and the setting that says \
                 where it is",
            ),
            Self::ServerError => (
                "server_error",
                "ServerError",
                RetrySoon,
                "the service reports a failure of its own; this is tried again",
            ),
            Self::Forbidden => (
                "forbidden",
                "Forbidden",
                AwaitChange,
                "access is refused: check the roles and agreements of the partner and of the signed-in user",
            ),
            Self::PartnerAgreementMissing => (
                "agreement_missing",
                "PartnerAgreementMissing",
                AwaitChange,
                "the partner has not accepted the Microsoft Partner Agreement: a Global administrator of the partner's \
                 CSP account has to accept it in Partner Center",
            ),
            Self::ProgramNotActive => (
                "program_not_active",
                "ProgramNotActive",
                AwaitChange,
                "the partner's CSP program status is not active: see Account settings in Partner Center, and ask \
                 Microsoft's partner support",
            ),
            Self::ResellerAgreementMissing => (
                "agreement_missing",
                "ResellerAgreementMissing",
                AwaitChange,
                "the indirect reseller of this customer has not accepted the Microsoft Partner Agreement: it has to \
                 accept it in Partner Center",
            ),
            Self::CustomerAgreementMissing => (
                "agreement_missing",
                "CustomerAgreementMissing",
                AwaitChange,
                "the customer has not accepted the Microsoft Customer Agreement: confirm its acceptance in Partner \
                 Center, or have the customer accept it in the Microsoft admin center",
            ),
            Self::CustomerNotOurs => (
                "customer_not_ours",
                "CustomerNotOurs",
                AwaitChange,
                "the tenant is no customer of this partner: check the tenant id and the reseller relationship in \
                 Partner Center",
            ),
            Self::Busy => (
                "busy",
                "Busy",
                RetryAfter(BUSY_DEFAULT),
                "Partner Center is still carrying out another operation here; this is tried again when that may be over",
            ),
            Self::StaleEtag => (
                "conflict",
                "StaleEtag",
                RetrySoon,
                "somebody else changed it at the same time; it is read again first",
            ),
            Self::StaleAnswer => (
                "stale_answer",
                "StaleAnswer",
                RetrySoon,
                "Partner Center's answer is behind what another answer has shown, so nothing is concluded from it; it \
                 is read again soon",
            ),
            Self::PolicyExists => {
                ("conflict", "PolicyExists", RetrySoon, "somebody else created it first; it is read again first")
            }
            Self::PolicyNotFound => {
                ("not_found", "PolicyNotFound", RetrySoon, "somebody else deleted it; it is read again first")
            }
            Self::RoleAssigned => (
                "conflict",
                "RoleAssigned",
                RetrySoon,
                "the role is assigned already; the assignments are read again first",
            ),
            Self::PrincipalUnknown => (
                "principal_unknown",
                "PrincipalNotFound",
                RetrySoon,
                "Azure does not know the user or group: one that was just made takes minutes to be known everywhere, so \
                 this is tried again. If it lasts, compare the object id with the one in the customer's Microsoft Entra",
            ),
            Self::OtherPrincipal => (
                "other_principal",
                "PrincipalNotSuitable",
                AwaitChange,
                "the object id is not that of a user or group of the customer: Owner is assigned to nobody else",
            ),
            Self::AssignmentForbidden => (
                "assignment_forbidden",
                "OwnerAssignmentRefused",
                AwaitChange,
                "the partner's sign-in may not assign roles on the subscription: it needs the role Owner or User Access \
                 Administrator there (the partner's AdminAgents are Owner unless somebody has removed them), or assign \
                 Owner in the Azure portal",
            ),
            Self::NotFound => (
                "not_found",
                "NotFound",
                AwaitChange,
                "the service does not know what was asked for: check the ids, and the addresses of the services",
            ),
            Self::InvalidRequest => (
                "invalid_request",
                "InvalidRequest",
                AwaitChange,
                "the service finds the request invalid; this may be a defect of csp-operator",
            ),
            Self::InvalidProperty => (
                "invalid_request",
                "InvalidProperty",
                AwaitChange,
                "Partner Center does not take a value of the request; this may be a defect of csp-operator",
            ),
            Self::UnexpectedAnswer => (
                "unexpected_answer",
                "UnexpectedAnswer",
                RetrySoon,
                "the service's answer cannot be right, so nothing is concluded from it",
            ),
        };
        Meaning { category, reason, advice, explanation }
    }
}
