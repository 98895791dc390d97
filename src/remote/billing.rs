//! The partner's billing account in Azure, and what customers see of their charges.
//! <https://learn.microsoft.com/en-us/rest/api/billing/policies>

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::model::{BillingAccount, ChargeChange, ChargeProgress, ChargeView, TenantId};

use super::answer::Answer;
use super::call::{Body, Call};
use super::endpoints::below;
use super::page::{Trail, follow_absolute};
use super::retry_after::retry_after;
use super::send::Sender;
use super::token::Realm;
use super::wire::{self, AccountPage, ChargesWire, OperationWire};
use super::{Cause, Error, Operation};

const VERSION: &str = "api-version=2024-04-01";

/// How long to wait between two looks at a change, where Azure does not say.
const WAIT_DEFAULT: Duration = Duration::from_secs(10);

/// The longest address of a change that is remembered.
const OPERATION_LENGTH_MAX: usize = 1024;

/// Azure's billing, in the partner's own tenant.
#[derive(Debug, Clone)]
pub struct Billing {
    sender: Arc<Sender>,
    base: Url,
}

impl Billing {
    pub(super) fn new(sender: Arc<Sender>, base: Url) -> Self {
        Self { sender, base }
    }

    pub(super) fn with(&self, sender: Arc<Sender>) -> Self {
        Self { sender, base: self.base.clone() }
    }

    /// The billing accounts of the Microsoft Partner Agreement that the signed-in user may see.
    pub async fn accounts(&self) -> Result<BTreeSet<BillingAccount>, Error> {
        let operation = Operation::ReadBillingAccounts;
        let realm = self.realm(operation).await?;
        let mut url = below(&self.base, &["providers", "Microsoft.Billing", "billingAccounts"]);
        url.set_query(Some(VERSION));
        let correlation = Uuid::new_v4();
        let mut trail = Trail::new(self.sender.limits().pages_max);
        let mut accounts = BTreeSet::new();
        loop {
            let answer = self.sender.send(realm, Call::get(operation, url), correlation).await?;
            let page: AccountPage = wire::read(&answer.body).map_err(unexpected(operation))?;
            let (items, next) = page.open().map_err(unexpected(operation))?;
            for item in items {
                accounts.extend(item.partners().map_err(unexpected(operation))?);
            }
            let Some(link) = next else { return Ok(accounts) };
            let next = follow_absolute(&self.base, &link).map_err(unexpected(operation))?;
            trail.step(&next).map_err(unexpected(operation))?;
            url = next.url;
        }
    }

    /// Whether a customer sees its charges.
    pub async fn charges(&self, customer: TenantId, account: &BillingAccount) -> Result<ChargeView, Error> {
        let operation = Operation::ReadCharges(customer);
        let realm = self.realm(operation).await?;
        let call = Call::get(operation, self.policy(customer, account));
        let answer = self.sender.send(realm, call, Uuid::new_v4()).await?;
        let policy: ChargesWire = wire::read(&answer.body).map_err(unexpected(operation))?;
        policy.view().map_err(unexpected(operation))
    }

    /// Waits until what a customer sees of its charges may be changed, and then has `look` make sure that it should be.
    /// `look` gives the moment for which it is sure. What is returned sends nothing later than `lasts` after that moment.
    ///
    /// [`Error::is_late`] when that cannot be kept, here or when it is changed.
    pub async fn once_sure<E: From<Error>, Look: Future<Output = Result<Instant, E>>>(
        &self,
        customer: TenantId,
        lasts: Duration,
        look: impl Fn() -> Look,
    ) -> Result<Self, E> {
        let sender = self.sender.once_sure(Operation::ChangeCharges(customer), customer, lasts, look).await?;
        Ok(self.with(Arc::new(sender)))
    }

    /// Shows a customer its charges, or hides them. Azure may take its time over it.
    pub async fn show_charges(
        &self,
        customer: TenantId,
        account: &BillingAccount,
        view: ChargeView,
    ) -> Result<ChargeChange, Error> {
        let operation = Operation::ChangeCharges(customer);
        let realm = self.realm(operation).await?;
        let body = ChargesWire::asking(view).and_then(|policy| serde_json::to_vec(&policy).ok());
        let invalid = || Error::new(operation, Cause::InvalidRequest("charges are shown or hidden".to_owned()));
        let call = Call::put(operation, self.policy(customer, account), Body::Json(body.ok_or_else(invalid)?));
        let answer = self.sender.send(realm, call, Uuid::new_v4()).await?;
        if let Some(operation) = self.operation(&answer.headers) {
            return Ok(ChargeChange::Running { operation, wait: wait(&answer) });
        }
        let is_so = wire::read::<ChargesWire>(&answer.body)
            .is_ok_and(|policy| policy.is_settled() && policy.view() == Ok(view));
        Ok(if is_so { ChargeChange::Done } else { ChargeChange::Unclear })
    }

    /// How a change is getting on. One that Azure does not know any more, or whose address leads elsewhere, is over.
    pub async fn charges_change(&self, customer: TenantId, change: &str) -> Result<ChargeProgress, Error> {
        let operation = Operation::ReadChargesChange(customer);
        let Ok(next) = follow_absolute(&self.base, change) else { return Ok(ChargeProgress::Over) };
        let realm = self.realm(operation).await?;
        let answer = match self.sender.send(realm, Call::get(operation, next.url), Uuid::new_v4()).await {
            Ok(answer) => answer,
            Err(error) if is_unknown(&error) => return Ok(ChargeProgress::Over),
            Err(error) => return Err(error),
        };
        let body: OperationWire = wire::read(&answer.body).unwrap_or_default();
        let is_running = answer.status.as_u16() == 202 || body.is_running();
        Ok(if is_running { ChargeProgress::Running { wait: wait(&answer) } } else { ChargeProgress::Over })
    }

    /// The partner's own tenant: billing is the partner's, whichever customer it is about.
    async fn realm(&self, operation: Operation) -> Result<Realm, Error> {
        self.sender.partner_tenant(operation).await.map(Realm::Azure)
    }

    fn policy(&self, customer: TenantId, account: &BillingAccount) -> Url {
        let (account, customer) = (account.to_string(), customer.to_string());
        let segments = [
            "providers",
            "Microsoft.Billing",
            "billingAccounts",
            &account,
            "customers",
            &customer,
            "policies",
            "default",
        ];
        let mut url = below(&self.base, &segments);
        url.set_query(Some(VERSION));
        url
    }

    /// Where a change that takes its time can be asked about, if the answer says so and it is the same server.
    fn operation(&self, headers: &HeaderMap) -> Option<String> {
        ["azure-asyncoperation", "location"].into_iter().find_map(|name| {
            let address = headers.get(name)?.to_str().ok()?;
            let is_usable = address.len() <= OPERATION_LENGTH_MAX && follow_absolute(&self.base, address).is_ok();
            is_usable.then(|| address.to_owned())
        })
    }
}

fn wait(answer: &Answer) -> Duration {
    retry_after(&answer.headers).unwrap_or(WAIT_DEFAULT)
}

fn is_unknown(error: &Error) -> bool {
    matches!(error.cause(), Cause::Refused(refusal) if matches!(refusal.status(), 404 | 410))
}

fn unexpected(operation: Operation) -> impl Fn(String) -> Error {
    move |defect| Error::new(operation, Cause::UnexpectedAnswer(defect)).having_arrived(true)
}
