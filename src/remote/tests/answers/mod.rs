//! Every answer that can go wrong, through the clients against the simulator: what becomes of it, and at what cost.
//!
//! A row says: this call, answered like this for as long as it takes, fails like that, or not at all; whether a write may
//! have had its effect; and how many requests were sent. Every documented code is a row, and every kind of failure that
//! an answer can cause occurs in one.

mod contents;
mod paging;
mod refusals;
mod transport;

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::Method;
use uuid::Uuid;

use super::simulated::{Simulated, azure, both, tenant};
use super::*;
use crate::remote::fault::Fault;
use crate::remote::{Advice, Allowance, Error};
use crate::simulator::World;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Customers,
    Customer,
    Subscriptions,
    Entitlements,
    Policy,
    Create,
    Update,
    Delete,
    Activity,
    Owners,
    /// A sign-in for Partner Center.
    SignIn,
    /// A sign-in to the customer's tenant.
    CustomerSignIn,
    /// A sign-in for Microsoft Graph.
    GraphSignIn,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Works,
    Fails(Fault, &'static str, Advice),
}

/// Whether a failed write may have had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Open,
}

/// Call, the fault's answer, what becomes of it, and the number of requests.
type Row = (Call, Value, End, Effect, u64);

/// A failure that a person has to see to.
fn person(fault: Fault, reason: &'static str) -> End {
    End::Fails(fault, reason, Advice::AwaitChange)
}

/// A failure that passes.
fn soon(fault: Fault, reason: &'static str) -> End {
    End::Fails(fault, reason, Advice::RetrySoon)
}

/// A failure that passes after so many seconds.
fn after(fault: Fault, reason: &'static str, seconds: u64) -> End {
    End::Fails(fault, reason, Advice::RetryAfter(Duration::from_secs(seconds)))
}

/// All rows.
fn rows() -> Vec<Row> {
    [refusals::rows(), transport::rows(), contents::rows(), paging::rows()].concat()
}

impl Call {
    /// The simulator's name of the operation whose requests are answered so and counted.
    fn operation(self) -> &'static str {
        match self {
            Self::Customers => "list_customers",
            Self::Customer => "get_customer",
            Self::Subscriptions => "list_subscriptions",
            Self::Entitlements => "list_azure_entitlements",
            Self::Policy => "list_self_serve_policies",
            Self::Create => "create_self_serve_policy",
            Self::Update => "update_self_serve_policy",
            Self::Delete => "delete_self_serve_policy",
            Self::Activity => "list_audit_records",
            Self::Owners => "list_role_assignments",
            Self::SignIn | Self::CustomerSignIn | Self::GraphSignIn => "token",
        }
    }

    async fn make(self, remote: &Remote, index: u32, read: Option<&crate::model::Policy>) -> Result<(), Error> {
        let Remote { partner_center, azure: arm, graph, .. } = remote;
        let customer = tenant(index);
        let id = Uuid::new_v4();
        match self {
            Self::Customers | Self::SignIn => partner_center.customers().await.map(drop),
            Self::Customer => partner_center.customer(customer).await.map(drop),
            Self::Subscriptions | Self::Entitlements => partner_center.azure_estate(customer).await.map(drop),
            Self::Policy => partner_center.policy(customer).await.map(drop),
            Self::Create => partner_center.create_policy(customer, &reservations(), id).await.map(drop),
            Self::Update => partner_center.update_policy(customer, read.unwrap(), &both(), id).await.map(drop),
            Self::Delete => partner_center.delete_policy(customer, &read.unwrap().id, id).await.map(drop),
            Self::Activity => {
                let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
                partner_center.activity(today, today).await.map(drop)
            }
            Self::Owners | Self::CustomerSignIn => arm.owners(customer, azure(index), &BTreeSet::new()).await.map(drop),
            Self::GraphSignIn => graph.own_groups().await.map(drop),
        }
    }
}

/// Plays rows, each with a customer of its own.
async fn check(rows: Vec<Row>) {
    // Two pages of customers.
    let stage = Simulated::start_with(World::generated(600), limits()).await;
    for (index, row) in (0..).zip(rows) {
        // Who is told to wait does so before the next call, whatever it is.
        let is_told_to_wait = matches!(row.2, End::Fails(_, _, Advice::RetryAfter(_)));
        let remote = if is_told_to_wait { stage.clients(limits()) } else { stage.remote.clone() };
        drop(check_row(&stage, &remote, index, row).await);
    }
}

fn limits() -> Limits {
    Limits {
        // Far more than an answer takes here.
        request_timeout: Duration::from_secs(20),
        write_timeout: Duration::from_secs(20),
        retry_delay_min: Duration::from_millis(1),
        response_bytes_max: 1 << 20,
        partner_center_calls: Allowance::per_minute(NonZeroU16::MAX),
        ..Limits::default()
    }
}

/// Plays one row, the call itself with these clients; gives what came of it.
async fn check_row(
    stage: &Simulated,
    remote: &Remote,
    index: u32,
    (call, answer, end, effect, requests): Row,
) -> Result<(), Error> {
    let what = format!("{call:?} {answer}");
    let read = match call {
        Call::Update | Call::Delete => {
            let partner_center = &stage.remote.partner_center;
            Some(partner_center.create_policy(tenant(index), &reservations(), Uuid::new_v4()).await.unwrap())
        }
        // A token at hand, so that only the call itself is counted.
        _ => {
            stage.remote.partner_center.policy(tenant(index)).await.unwrap();
            None
        }
    };
    if matches!(call, Call::SignIn | Call::CustomerSignIn | Call::GraphSignIn) {
        stage.renew_credentials();
    }
    stage.control(Method::DELETE, "requests", Value::Null).await;
    // `times` beside the answer ends it; the simulator would refuse it there.
    let mut answer = answer;
    let times = answer.as_object_mut().unwrap().remove("times");
    let mut fault = json!({ "operation": call.operation(), "answer": answer });
    if let Some(times) = times {
        fault["times"] = times;
    }
    stage.control(Method::POST, "faults", fault).await;
    let result = call.make(remote, index, read.as_ref()).await;
    stage.control(Method::DELETE, "faults", Value::Null).await;
    let found = match &result {
        Ok(()) => End::Works,
        Err(error) => End::Fails(error.cause().fault(), error.reason(), error.advice()),
    };
    assert_eq!(found, end, "{what}: {result:?}");
    assert_eq!(stage.counted(call.operation()).await.0, requests, "{what}: requests");
    if let Err(error) = &result {
        let has_arrived = error.may_have_arrived() && error.operation().is_write();
        assert_eq!(has_arrived, effect == Effect::Open, "{what}: {error:?}");
        assert!(error.message().len() < 600 && error.message().ends_with('.'), "{}", error.message());
    }
    if matches!(call, Call::SignIn | Call::CustomerSignIn | Call::GraphSignIn) {
        // A refused sign-in is remembered.
        stage.renew_credentials();
    }
    result
}

/// All kinds of failure.
pub(super) fn faults() -> Vec<Fault> {
    use Fault::*;
    // A new kind must be given its place here, else this does not compile.
    let next = |fault: &Fault| {
        Some(match fault {
            Fenced => Paused,
            Paused => Late,
            Late => CredentialsUnavailable,
            CredentialsUnavailable => CredentialsInvalid,
            CredentialsInvalid => OtherPartner,
            OtherPartner => LoginNeeded,
            LoginNeeded => ApplicationRefused,
            ApplicationRefused => TokenExpired,
            TokenExpired => ConditionalAccess,
            ConditionalAccess => MfaRequired,
            MfaRequired => AppOnlyToken,
            AppOnlyToken => NotAdminAgent,
            NotAdminAgent => Unauthorized,
            Unauthorized => WrongAudience,
            WrongAudience => CustomerSignInRefused,
            CustomerSignInRefused => GraphNotConsented,
            GraphNotConsented => Throttled,
            Throttled => TimedOut,
            TimedOut => Unreachable,
            Unreachable => ServerError,
            ServerError => Forbidden,
            Forbidden => PartnerAgreementMissing,
            PartnerAgreementMissing => ProgramNotActive,
            ProgramNotActive => ResellerAgreementMissing,
            ResellerAgreementMissing => CustomerAgreementMissing,
            CustomerAgreementMissing => CustomerNotOurs,
            CustomerNotOurs => Busy,
            Busy => StaleEtag,
            StaleEtag => StaleAnswer,
            StaleAnswer => PolicyExists,
            PolicyExists => PolicyNotFound,
            PolicyNotFound => RoleAssigned,
            RoleAssigned => PrincipalUnknown,
            PrincipalUnknown => OtherPrincipal,
            OtherPrincipal => AssignmentForbidden,
            AssignmentForbidden => NotFound,
            NotFound => InvalidRequest,
            InvalidRequest => InvalidProperty,
            InvalidProperty => UnexpectedAnswer,
            UnexpectedAnswer => return None,
        })
    };
    std::iter::successors(Some(Fenced), next).collect()
}

#[test]
fn every_kind_of_failure_that_an_answer_can_cause_occurs_in_a_row() {
    let rows = rows();
    let occurs = |fault: Fault| rows.iter().any(|row| matches!(row.2, End::Fails(found, ..) if found == fault));
    // The lease, the budget, a token's claims, the Secrets and whose they are, what only a comparison of two answers shows, and the assignment
    // of a role: the tests of their own parts have them.
    let elsewhere = [
        Fault::Fenced,
        Fault::Paused,
        Fault::Late,
        Fault::TokenExpired,
        Fault::CredentialsUnavailable,
        Fault::OtherPartner,
        Fault::StaleAnswer,
        Fault::RoleAssigned,
        Fault::PrincipalUnknown,
        Fault::OtherPrincipal,
        Fault::AssignmentForbidden,
    ];
    let missing: Vec<_> = faults().into_iter().filter(|fault| !elsewhere.contains(fault) && !occurs(*fault)).collect();
    assert_eq!(missing, []);
}
