//! Azure Resource Manager, in the customers' tenants.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::model::{Assignee, AssigneeKind, Assignment, ObjectId, OwnerHolders, SubscriptionId, TenantId};

use super::call::{Body, Call};
use super::endpoints::below;
use super::send::Sender;
use super::token::Realm;
use super::wire::{self, AssignmentWire, NewAssignment, NewPrincipal};
use super::{Cause, Error, Operation};

/// Azure Resource Manager.
#[derive(Debug, Clone)]
pub struct Azure {
    sender: Arc<Sender>,
    base: Url,
}

impl Azure {
    pub(super) fn new(sender: Arc<Sender>, base: Url) -> Self {
        Self { sender, base }
    }

    pub(super) fn with(&self, sender: Arc<Sender>) -> Self {
        Self { sender, base: self.base.clone() }
    }

    /// Who holds Owner on a customer's Azure subscription: everybody to whom it is assigned, and those of `asked` who
    /// hold it through a group.
    ///
    /// One request, and one more for each of `asked` to whom it is not assigned directly.
    pub async fn owners(
        &self,
        customer: TenantId,
        subscription: SubscriptionId,
        asked: &BTreeSet<ObjectId>,
    ) -> Result<OwnerHolders, Error> {
        let mut holders = OwnerHolders { asked: asked.clone(), ..OwnerHolders::default() };
        for assignment in self.assignments(customer, subscription, "atScope()").await? {
            holders.add(assignment);
        }
        for principal in asked {
            if holders.assigned.contains_key(principal) {
                continue;
            }
            let filter = format!("atScope() and assignedTo('{principal}')");
            match self.assignments(customer, subscription, &filter).await {
                Ok(assignments) => {
                    for assignment in assignments {
                        holders.add_through(*principal, assignment);
                    }
                }
                // Azure answers this only for users. A group that is not in the list above holds nothing.
                Err(error) if is_bad_request(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(holders)
    }

    /// Waits until Owner may be assigned on a subscription of `customer`, and then has `look` make sure that it should be.
    /// `look` gives the moment for which it is sure. What is returned sends nothing later than `lasts` after that moment,
    /// not when a send is repeated either.
    ///
    /// [`Error::is_late`] when that cannot be kept, here or when it is assigned.
    pub async fn once_sure<E: From<Error>, Look: Future<Output = Result<Instant, E>>>(
        &self,
        customer: TenantId,
        subscription: SubscriptionId,
        lasts: Duration,
        look: impl Fn() -> Look,
    ) -> Result<Self, E> {
        let sender = self.sender.once_sure(Operation::AssignOwner(subscription), customer, lasts, look).await?;
        Ok(self.with(Arc::new(sender)))
    }

    /// Assigns Owner on a customer's Azure subscription to a user or group of the customer. That the role is assigned
    /// already, by this name or another, is success.
    ///
    /// Azure is told the kind of the principal, so that it refuses an application: a user, or, where that is not known,
    /// else a group.
    pub async fn assign_owner(
        &self,
        customer: TenantId,
        subscription: SubscriptionId,
        assignee: &Assignee,
    ) -> Result<(), Error> {
        let assign = |kind| self.assign(customer, subscription, assignee, kind);
        match (assign(NewPrincipal::User).await, assignee.kind) {
            (Err(error), AssigneeKind::UserOrGroup) if error.is_other_kind_of_principal() => {
                assign(NewPrincipal::Group).await
            }
            (result, _) => result,
        }
    }

    async fn assign(
        &self,
        customer: TenantId,
        subscription: SubscriptionId,
        assignee: &Assignee,
        kind: NewPrincipal,
    ) -> Result<(), Error> {
        let operation = Operation::AssignOwner(subscription);
        let mut url = self.role_assignments(subscription, Some(assignee.assignment));
        url.set_query(Some("api-version=2022-04-01"));
        let body = serde_json::to_vec(&NewAssignment::owner(subscription, assignee.principal, kind))
            .map_err(|_| Error::new(operation, Cause::InvalidRequest("not writable as JSON".to_owned())))?;
        let call = Call::put(operation, url, Body::Json(body));
        let answer = match self.sender.send(Realm::Azure(customer), call, Uuid::new_v4()).await {
            Ok(answer) => answer,
            Err(error) if error.is_assigned_already() => return Ok(()),
            Err(error) => return Err(error),
        };
        // The list of assignments is what is believed in the end; this is only not to overlook somebody else's name.
        let of_another = wire::read::<AssignmentWire>(&answer.body).ok().is_some_and(|written| {
            written.principal().is_some_and(|found| found.parse::<ObjectId>() != Ok(assignee.principal))
        });
        if of_another {
            let defect = Cause::UnexpectedAnswer("principalId is another than was asked for".to_owned());
            return Err(Error::new(operation, defect).having_arrived(true));
        }
        Ok(())
    }

    fn role_assignments(&self, subscription: SubscriptionId, name: Option<Uuid>) -> Url {
        let (subscription, name) = (subscription.to_string(), name.map(|name| name.to_string()));
        let mut segments =
            vec!["subscriptions", &subscription, "providers", "Microsoft.Authorization", "roleAssignments"];
        segments.extend(name.as_deref());
        below(&self.base, &segments)
    }

    /// The Owner assignments that pass `filter` and hold for the whole subscription, to whomever.
    async fn assignments(
        &self,
        customer: TenantId,
        subscription: SubscriptionId,
        filter: &str,
    ) -> Result<Vec<Assignment>, Error> {
        let operation = Operation::ReadOwners(subscription);
        let unexpected = |defect| Error::new(operation, Cause::UnexpectedAnswer(defect));
        let mut url = self.role_assignments(subscription, None);
        // Not as form pairs: those would write a space as a plus sign.
        url.set_query(Some(&format!("api-version=2022-04-01&$filter={filter}")));
        let assignments: Vec<AssignmentWire> = self.list(operation, customer, url).await?;
        let owners = assignments.into_iter().filter_map(|one| one.owner_of(subscription).transpose());
        owners.collect::<Result<_, _>>().map_err(unexpected)
    }

    /// All pages of a list in a customer's tenant.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        operation: Operation,
        customer: TenantId,
        url: Url,
    ) -> Result<Vec<T>, Error> {
        self.sender.all_pages(operation, Realm::Azure(customer), &self.base, url).await
    }

    /// An address below Azure Resource Manager's.
    pub(super) fn url(&self, segments: &[&str], version: &str) -> Url {
        let mut url = below(&self.base, segments);
        url.set_query(Some(&format!("api-version={version}")));
        url
    }
}

fn is_bad_request(error: &Error) -> bool {
    matches!(error.cause(), Cause::Refused(refusal) if refusal.status() == 400)
}
