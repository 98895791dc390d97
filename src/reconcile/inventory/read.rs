//! How facts are read: each by one pass at a time, for all who wait for it.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{FailedReading, Inventory};
use crate::model::{
    BillingAccount, ChargeProgress, Holding, Ignorance, ObjectId, PolicyState, Relationship, SubscriptionId, TenantId,
    UserPrincipalName,
};
use crate::plan::{Need, PartnerQuestion};
use crate::reconcile::reading::{Reading, put};
use crate::remote::{Error as RemoteError, PurchasesRead, Remote};

/// A fact that somebody else has just read, while this pass waited, is as good as one's own if it is no older than this.
const JUST_READ: SignedDuration = SignedDuration::from_secs(10);

/// Owners that are asked about again with others; more than that have piled up from manifests of long ago.
const ASKED_MAX: usize = 100;

/// From how many waiting at once the customers are read by the page instead of one by one.
const READ_BY_THE_PAGE_FROM: usize = 4;

/// What is read by one pass at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TurnKey {
    /// All customers, by the page.
    Profiles,
    Profile(TenantId),
    Estate(TenantId),
    Holders(TenantId, SubscriptionId),
    User(TenantId, UserPrincipalName),
    Policy(TenantId),
    Agreement(TenantId),
    PlanPurchase(TenantId),
    BillingAccounts,
    Charges(TenantId),
    ChargesChange(TenantId),
    Partner(PartnerQuestion),
    Purchases(TenantId),
}

impl Inventory {
    /// Reads one fact, unless somebody else has done so while this pass waited for its turn.
    ///
    /// `is_strict`: only a reading that began at `since` or later will do. A policy is always read strictly, for its
    /// etag. Says whether it has learnt something that was not known before.
    pub(in crate::reconcile) async fn read(
        &self,
        remote: &Remote,
        need: &Need,
        since: Timestamp,
        is_strict: bool,
    ) -> Result<bool, FailedReading> {
        let earliest = if is_strict { since } else { since.saturating_sub(JUST_READ).unwrap_or(Timestamp::MIN) };
        let _waiting = matches!(need, Need::Customer(_)).then(|| Waiting::begin(&self.waiting_for_profiles));
        let turn = self.turn(need);
        let _turn = in_turn(remote, &turn).await;
        // What was bought, too: what the activity log tells of may have happened since it was read.
        let is_strict =
            matches!(need, Need::Policy(_) | Need::Charges(..) | Need::ChargesChange(..) | Need::Purchases(..));
        if self.is_read(need, if is_strict { since } else { earliest }) {
            return Ok(false);
        }
        // Taken before the request is sent, so that a fact is never taken for newer than it is.
        let at = Timestamp::now();
        let result = match need {
            Need::Customer(customer) => self.read_profile(remote, *customer, earliest, at).await,
            Need::Estate(customer) => self.read_estate(remote, *customer, at).await,
            Need::Owners(customer, subscription, asked) => {
                self.read_holders(remote, (*customer, *subscription), asked, at).await
            }
            Need::User(customer, name) => self.read_user(remote, *customer, name, at).await,
            Need::Policy(customer) => self.read_policy(remote, *customer, at).await,
            Need::Agreement(customer) => self.read_agreement(remote, *customer, at).await,
            // Not read from outside: the pass asks the ledger.
            Need::PlanPurchase(_) => Ok(false),
            Need::BillingAccounts => self.read_billing_accounts(remote, at).await,
            Need::Charges(customer, account) => self.read_charges(remote, *customer, account, at).await,
            Need::ChargesChange(customer, operation) => {
                self.read_charges_change(remote, *customer, operation, at).await
            }
            Need::Purchases(customer, settled) => self.read_purchases(remote, need, (*customer, settled), at).await,
            Need::Partner(question) => {
                let asked = self.partner.ask(remote, *question, at).await;
                if let Err(error) = &asked {
                    // Nobody is held up by that: then the write itself is the test.
                    self.partner.read_failed(Some(need), error, at);
                    tracing::info!(category = error.category(), "{}", error.message());
                    return Ok(false);
                }
                Ok(false)
            }
        };
        match result {
            Ok(is_news) => {
                let is_the_users = match need {
                    Need::Policy(_) | Need::Partner(PartnerQuestion::Kind) => true,
                    Need::Customer(_) | Need::Estate(_) => !remote.partner_center.reads_as_application(),
                    // What Azure and Graph answer says nothing of a token for Partner Center.
                    Need::Owners(..)
                    | Need::User(..)
                    | Need::Agreement(_)
                    | Need::PlanPurchase(_)
                    | Need::BillingAccounts
                    | Need::Charges(..)
                    | Need::ChargesChange(..)
                    | Need::Partner(PartnerQuestion::AdminAgents) => false,
                    // A refusal for good is among what was read.
                    Need::Purchases(customer, _) => self
                        .purchases(*customer)
                        .known()
                        .is_some_and(|seen| seen.entitlements.is_ok() && !seen.is_worth_another_look()),
                };
                if is_the_users {
                    self.partner.read(Some(need));
                }
                Ok(is_news)
            }
            Err(error) => {
                self.partner.read_failed(Some(need), &error, at);
                let last_read = self.read_at(need);
                let why = Ignorance::Failed { reason: error.reason(), message: error.message(), last_read };
                Err(FailedReading { why, error })
            }
        }
    }

    async fn read_profile(
        &self,
        remote: &Remote,
        customer: TenantId,
        earliest: Timestamp,
        at: Timestamp,
    ) -> Result<bool, RemoteError> {
        if self.waiting_for_profiles.load(Ordering::Relaxed) >= READ_BY_THE_PAGE_FROM {
            // One list for all who wait; a customer that hangs by itself holds up nobody else.
            let turn = self.turn_of(TurnKey::Profiles);
            let _turn = in_turn(remote, &turn).await;
            if self.is_read(&Need::Customer(customer), earliest) {
                return Ok(true);
            }
            let at = Timestamp::now();
            let all = remote.partner_center.customers().await?;
            let mut facts = self.facts();
            let mut found = None;
            for (tenant, profile) in all {
                let is_news = put(&mut facts.profiles, tenant, Some(profile), at);
                if tenant == customer {
                    found = Some(is_news);
                }
            }
            // A customer that the list does not have is asked for by itself: the list may be behind.
            if let Some(is_news) = found {
                return Ok(is_news);
            }
        }
        let value = match remote.partner_center.customer(customer).await {
            Ok(profile) => Some(profile),
            Err(error) if error.customer_not_ours() => None,
            Err(error) => return Err(error),
        };
        Ok(put(&mut self.facts().profiles, customer, value, at))
    }

    async fn read_estate(&self, remote: &Remote, customer: TenantId, at: Timestamp) -> Result<bool, RemoteError> {
        let value = remote.partner_center.azure_estate(customer).await?;
        Ok(put(&mut self.facts().estates, customer, value, at))
    }

    /// Asks again about everybody who has been asked about before: two objects may name the same subscription and different
    /// owners, and would else take each other's answers away for ever.
    async fn read_holders(
        &self,
        remote: &Remote,
        key: (TenantId, SubscriptionId),
        asked: &BTreeSet<ObjectId>,
        at: Timestamp,
    ) -> Result<bool, RemoteError> {
        let before = self.facts().holders.get(&key).map(|reading| reading.value.clone());
        let mut asked = asked.clone();
        if let Some(before) = before.as_ref().filter(|before| before.asked.len() <= ASKED_MAX) {
            asked.extend(&before.asked);
        }
        let value = remote.azure.owners(key.0, key.1, &asked).await?;
        let is_news = before.is_none_or(|before| {
            before.assigned != value.assigned
                || before.asked.iter().any(|one| before.holding(*one) != value.holding(*one))
        });
        self.facts().holders.insert(key, Reading::new(value, at));
        Ok(is_news)
    }

    async fn read_user(
        &self,
        remote: &Remote,
        customer: TenantId,
        name: &UserPrincipalName,
        at: Timestamp,
    ) -> Result<bool, RemoteError> {
        let value = remote.graph.user(customer, name).await?;
        Ok(put(&mut self.facts().users, (customer, name.clone()), value, at))
    }

    async fn read_policy(&self, remote: &Remote, customer: TenantId, at: Timestamp) -> Result<bool, RemoteError> {
        let value = match remote.partner_center.policy(customer).await {
            Ok(Some(policy)) => PolicyState::Present(policy),
            Ok(None) => PolicyState::Absent,
            // What is released on the strength of this is not revoked, so it is asked twice.
            Err(error) if error.customer_not_ours() => match remote.partner_center.customer(customer).await {
                Ok(profile) if profile.relationship == Relationship::Reseller => {
                    return Err(RemoteError::stale_policy(customer));
                }
                Ok(_) => PolicyState::CustomerNotOurs,
                Err(second) if second.customer_not_ours() => PolicyState::CustomerNotOurs,
                Err(second) => return Err(second),
            },
            Err(error) => return Err(error),
        };
        let mut facts = self.facts();
        if facts.past.is_over(customer, &value, Instant::now()) {
            tracing::debug!(%customer, "Partner Center still shows what was there before the last write");
            return Err(RemoteError::stale_policy(customer));
        }
        Ok(put(&mut facts.policies, customer, value, at))
    }

    async fn read_agreement(&self, remote: &Remote, customer: TenantId, at: Timestamp) -> Result<bool, RemoteError> {
        let value = remote.partner_center.has_accepted_agreement(customer).await?;
        Ok(put(&mut self.facts().agreements, customer, value, at))
    }

    async fn read_billing_accounts(&self, remote: &Remote, at: Timestamp) -> Result<bool, RemoteError> {
        let value = remote.billing.accounts().await?;
        self.facts().accounts = Some(Reading::new(value, at));
        Ok(false)
    }

    async fn read_charges(
        &self,
        remote: &Remote,
        customer: TenantId,
        account: &BillingAccount,
        at: Timestamp,
    ) -> Result<bool, RemoteError> {
        let value = remote.billing.charges(customer, account).await?;
        Ok(put(&mut self.facts().charges, customer, value, at))
    }

    async fn read_charges_change(
        &self,
        remote: &Remote,
        customer: TenantId,
        operation: &str,
        at: Timestamp,
    ) -> Result<bool, RemoteError> {
        let value = remote.billing.charges_change(customer, operation).await?;
        let mut facts = self.facts();
        if value == ChargeProgress::Over {
            facts.begun.remove(&customer);
        }
        facts.progress.insert(customer, (operation.to_owned(), Reading::new(value, at)));
        Ok(false)
    }

    async fn read_purchases(
        &self,
        remote: &Remote,
        need: &Need,
        (customer, settled): (TenantId, &BTreeSet<Uuid>),
        at: Timestamp,
    ) -> Result<bool, RemoteError> {
        let PurchasesRead { seen, failures } = remote.purchases(customer, settled).await?;
        for error in &failures {
            tracing::info!(category = error.category(), "{}", error.message());
            self.partner.read_failed(Some(need), error, at);
        }
        Ok(put(&mut self.facts().purchases, customer, seen, at))
    }

    fn is_read(&self, need: &Need, since: Timestamp) -> bool {
        let is_answered = match need {
            Need::Owners(customer, subscription, asked) => self
                .facts()
                .holders
                .get(&(*customer, *subscription))
                .is_some_and(|reading| asked.iter().all(|owner| reading.value.holding(*owner) != Holding::NotAsked)),
            Need::Customer(_)
            | Need::Estate(_)
            | Need::User(..)
            | Need::Policy(_)
            | Need::Agreement(_)
            | Need::PlanPurchase(_)
            | Need::BillingAccounts
            | Need::Charges(..)
            | Need::ChargesChange(..)
            | Need::Purchases(..)
            | Need::Partner(_) => true,
        };
        is_answered && self.read_at(need).is_some_and(|at| at >= since)
    }

    fn read_at(&self, need: &Need) -> Option<Timestamp> {
        let facts = self.facts();
        match need {
            Need::Customer(customer) => facts.profiles.get(customer).map(Reading::at),
            Need::Estate(customer) => facts.estates.get(customer).map(Reading::at),
            Need::Owners(customer, subscription, _) => facts.holders.get(&(*customer, *subscription)).map(Reading::at),
            Need::User(customer, name) => facts.users.get(&(*customer, name.clone())).map(Reading::at),
            Need::Policy(customer) => facts.policies.get(customer).map(Reading::at),
            Need::Agreement(customer) => facts.agreements.get(customer).map(Reading::at),
            Need::PlanPurchase(_) => None,
            Need::BillingAccounts => facts.accounts.as_ref().map(Reading::at),
            Need::Charges(customer, _) => facts.charges.get(customer).map(Reading::at),
            Need::ChargesChange(customer, operation) => {
                let found = facts.progress.get(customer).filter(|(known, _)| known == operation);
                found.map(|(_, reading)| reading.at())
            }
            Need::Purchases(customer, _) => facts.purchases.get(customer).map(Reading::at),
            Need::Partner(question) => self.partner.asked_at(*question),
        }
    }

    fn turn(&self, need: &Need) -> Arc<tokio::sync::Mutex<()>> {
        let key = match need {
            Need::Customer(customer) => TurnKey::Profile(*customer),
            Need::Estate(customer) => TurnKey::Estate(*customer),
            Need::Owners(customer, subscription, _) => TurnKey::Holders(*customer, *subscription),
            Need::User(customer, name) => TurnKey::User(*customer, name.clone()),
            Need::Policy(customer) => TurnKey::Policy(*customer),
            Need::Agreement(customer) => TurnKey::Agreement(*customer),
            Need::PlanPurchase(customer) => TurnKey::PlanPurchase(*customer),
            Need::BillingAccounts => TurnKey::BillingAccounts,
            Need::Charges(customer, _) => TurnKey::Charges(*customer),
            Need::ChargesChange(customer, _) => TurnKey::ChargesChange(*customer),
            Need::Purchases(customer, _) => TurnKey::Purchases(*customer),
            Need::Partner(question) => TurnKey::Partner(*question),
        };
        self.turn_of(key)
    }

    fn turn_of(&self, key: TurnKey) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.turns().entry(key).or_default())
    }

    pub(super) fn turns(&self) -> MutexGuard<'_, HashMap<TurnKey, Arc<tokio::sync::Mutex<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a turn. Who holds it may wait long for its call, which is no fault of whoever is behind.
async fn in_turn<'a>(remote: &Remote, turn: &'a tokio::sync::Mutex<()>) -> tokio::sync::MutexGuard<'a, ()> {
    let _wait = remote.errand().wait();
    turn.lock().await
}

/// Counts a waiting pass for as long as it lives, also when the pass is dropped.
#[derive(Debug)]
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
