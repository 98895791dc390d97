//! Typed clients for Microsoft Entra, Partner Center, Azure Resource Manager and Microsoft Graph.
//!
//! Lives here: the calls this program makes, the translation between Microsoft's words and the domain's, the cache of
//! access tokens, and the one path on which every request leaves: budget, fence, sign-in, timeout, size limit, retry,
//! classification, count and log.
//!
//! May come in: [`crate::model`], whose types the calls take and return. The reconciler and the command line tools call
//! [`Remote`]; they bring the credentials ([`CredentialSource`]) and the lease ([`Fence`]).
//!
//! Never found here: Kubernetes, a wish or a decision about one, a policy stored for later, or a guess: an answer that
//! cannot be right is an error.

mod answer;
mod azure;
mod billing;
mod budget;
mod call;
mod calls;
mod claims;
mod codes;
mod credentials;
mod endpoints;
mod entra;
mod error;
mod fault;
mod fence;
mod graph;
pub mod interactive;
mod limits;
mod operation;
mod page;
mod pages;
mod partner_center;
mod patience;
mod proof;
mod purchases;
mod refusal;
mod retry_after;
mod roots;
mod send;
mod server;
mod server_clock;
mod token;
mod trace;
mod transport;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

pub use azure::Azure;
pub use billing::Billing;
pub use budget::{Allowance, Errand, Place, Queue};
pub use calls::Calls;
pub use credentials::{CredentialError, CredentialSource, Credentials, Judgement};
pub use endpoints::{EndpointError, Endpoints, PlainHttp};
pub use entra::SignInRefusal;
pub use error::{Advice, Cause, Error};
pub use fence::{Fence, Unfenced};
pub use graph::Graph;
pub use limits::Limits;
pub(crate) use limits::PARTNER_CENTER_CALLS_PER_MINUTE;
pub use operation::{Operation, Service};
pub use partner_center::PartnerCenter;
pub use patience::patiently;
pub use proof::{CertificateDefect, ClientCertificate, OutOfDate, Proof};
pub use purchases::PurchasesRead;
pub use refusal::Refusal;
pub use roots::{ExtraRoots, RootsError};
pub use server::Server;
pub use server_clock::ServerClock;
pub use token::TokenDefect;
pub use trace::TRACES;

use prometheus_client::registry::Registry;

use send::Sender;
use transport::Transport;

/// The clients of one partner. They share connections, tokens and counters; cloning them is cheap.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Customers, subscriptions, policies and the activity log.
    pub partner_center: PartnerCenter,
    /// Role assignments in the customers' Azure subscriptions.
    pub azure: Azure,
    /// The partner's billing account, in Azure.
    pub billing: Billing,
    /// Users and groups of the partner's and the customers' tenants.
    pub graph: Graph,
    /// Whether this machine's clock agrees with the services'.
    pub clock: ServerClock,
    sender: Arc<Sender>,
}

/// The clients could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `main` has not installed a rustls crypto provider.
    #[error("no TLS implementation is installed in this process")]
    NoCryptoProvider,
    /// The HTTP client refused its settings, for example the trust store cannot be read.
    #[error("cannot set up the HTTP client")]
    Http(#[source] reqwest::Error),
}

impl Remote {
    /// Clients that sign in with `credentials`, send only while `fence` holds, and count their requests in `calls`.
    ///
    /// Nothing is sent before the first call. The environment's proxy settings are respected.
    pub fn new(
        endpoints: &Endpoints,
        limits: Limits,
        credentials: Arc<dyn CredentialSource>,
        fence: Arc<dyn Fence>,
        calls: Calls,
    ) -> Result<Self, SetupError> {
        let clock = calls.clock().clone();
        let transport = Transport::new(limits, endpoints.extra_roots(), fence, calls)?;
        let sender = Arc::new(Sender::new(transport, credentials, endpoints));
        Ok(Self {
            partner_center: PartnerCenter::new(Arc::clone(&sender), endpoints.partner_center().clone()),
            azure: Azure::new(Arc::clone(&sender), endpoints.azure().clone()),
            billing: Billing::new(Arc::clone(&sender), endpoints.azure().clone()),
            graph: Graph::new(Arc::clone(&sender), endpoints.graph().clone()),
            clock,
            sender,
        })
    }

    /// The same clients, whose calls are made for `errand`: as urgent as that is at any moment.
    #[must_use]
    pub fn on(&self, errand: &Errand) -> Self {
        let sender = Arc::new(self.sender.on(errand));
        Self {
            partner_center: self.partner_center.with(Arc::clone(&sender)),
            azure: self.azure.with(Arc::clone(&sender)),
            billing: self.billing.with(Arc::clone(&sender)),
            graph: self.graph.with(Arc::clone(&sender)),
            clock: self.clock.clone(),
            sender,
        }
    }

    /// What the calls are made for.
    pub fn errand(&self) -> &Errand {
        self.sender.errand()
    }

    /// Shows the budgets of calls as `request_budget_…` behind the registry's prefix.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.sender.budgets().clone()));
    }

    /// Lets no call wait for its turn any more: those that would have to fail. For the end of the process.
    pub fn stop_waiting(&self) {
        self.sender.budgets().close();
    }

    /// The same, reading in the application's own name, without a user, what Partner Center gives to applications:
    /// customers, subscriptions, Azure entitlements and the activity log.
    #[must_use]
    pub fn with_app_only_reads(mut self, app_only_reads: bool) -> Self {
        self.partner_center.set_app_only_reads(app_only_reads);
        self
    }
}
