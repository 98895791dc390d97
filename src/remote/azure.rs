//! Azure Resource Manager, in the customers' tenants.

use std::collections::BTreeSet;
use std::sync::Arc;

use url::Url;
use uuid::Uuid;

use crate::model::{ObjectId, OwnerHolders, SubscriptionId, TenantId};

use super::endpoints::below;
use super::page::{Trail, follow_absolute};
use super::send::Sender;
use super::token::Realm;
use super::transport::Call;
use super::wire::{self, AssignmentPage};
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
        let direct = self.assigned(customer, subscription, "atScope()").await?;
        let mut through_groups = BTreeSet::new();
        for principal in asked.difference(&direct) {
            let filter = format!("atScope() and assignedTo('{principal}')");
            match self.assigned(customer, subscription, &filter).await {
                Ok(owners) if owners.is_empty() => {}
                Ok(_) => {
                    through_groups.insert(*principal);
                }
                // Azure answers this only for users. A group that is not in the list above holds nothing.
                Err(error) if is_bad_request(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(OwnerHolders { direct, through_groups, asked: asked.clone() })
    }

    /// The customer's users and groups in the Owner assignments that pass `filter`.
    async fn assigned(
        &self,
        customer: TenantId,
        subscription: SubscriptionId,
        filter: &str,
    ) -> Result<BTreeSet<ObjectId>, Error> {
        let operation = Operation::ReadOwners(subscription);
        let unexpected = |defect| Error::new(operation, Cause::UnexpectedAnswer(defect));
        let mut url = below(
            &self.base,
            &["subscriptions", &subscription.to_string(), "providers", "Microsoft.Authorization", "roleAssignments"],
        );
        // Not as form pairs: those would write a space as a plus sign.
        url.set_query(Some(&format!("api-version=2022-04-01&$filter={filter}")));
        let correlation = Uuid::new_v4();
        let mut trail = Trail::new(self.sender.limits().pages_max);
        let mut owners = BTreeSet::new();
        loop {
            let answer = self.sender.send(Realm::Azure(customer), Call::get(operation, url), correlation).await?;
            let page: AssignmentPage = wire::read(&answer.body).map_err(unexpected)?;
            let (assignments, next) = page.open().map_err(unexpected)?;
            for assignment in assignments {
                owners.extend(assignment.owner_of(subscription).map_err(unexpected)?);
            }
            let Some(link) = next else { return Ok(owners) };
            let next = follow_absolute(&self.base, &link).map_err(unexpected)?;
            trail.step(&next).map_err(unexpected)?;
            url = next.url;
        }
    }
}

fn is_bad_request(error: &Error) -> bool {
    matches!(error.cause(), Cause::Refused(refusal) if refusal.status() == 400)
}
