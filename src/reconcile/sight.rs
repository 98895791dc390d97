//! What a look at an object goes by: the other objects, and the facts. One way to gather both, for a pass of the operator
//! as for the preview of what it would do.

use std::collections::BTreeMap;

use super::inventory::Inventory;
use crate::api;
use crate::model::{Fact, Ignorance, TenantId, UserPrincipalName};
use crate::plan::namespace::NamespaceRule;
use crate::plan::owners::{self, OwnerFacts};
use crate::plan::permission::{Contender, Desired, PrerequisiteFacts, SeenRecord, SubscriptionFacts, successor};
use crate::plan::prerequisites::SubscriptionWish;
use crate::plan::{CustomerRef, Need, ObjectName};

/// Where the objects and the facts are.
pub(super) trait Sight {
    /// Whom the Customer of this name means, and whether its namespace may act for it.
    fn customer(&self, name: &ObjectName) -> CustomerRef;
    /// What the `AzureSubscription` of this name wishes, if there is one.
    fn subscription(&self, name: &ObjectName) -> Option<Result<SubscriptionWish, String>>;
    /// All permissions that mean the tenant.
    fn permissions_of(&self, tenant: TenantId) -> Vec<Desired>;
    /// What has been read.
    fn inventory(&self) -> &Inventory;
    /// What has just been tried to read in vain.
    fn failures(&self) -> &BTreeMap<Need, Ignorance>;

    /// A fact as this look sees it: one whose reading has just failed is unknown, whatever was known before.
    fn fact<T>(&self, need: &Need, known: impl FnOnce() -> Fact<T>) -> Fact<T> {
        match self.failures().get(need) {
            Some(why) => Fact::Unknown { why: why.clone() },
            None => known(),
        }
    }

    /// Who owns the subscription that `wish` names.
    fn owners(&self, tenant: TenantId, wish: &SubscriptionWish) -> OwnerFacts {
        let user = |name: &UserPrincipalName| {
            (name.clone(), self.fact(&Need::User(tenant, name.clone()), || self.inventory().user(tenant, name)))
        };
        let users = owners::named_users(wish).map(user).collect();
        let need = Need::Owners(tenant, wish.subscription, owners::ids(wish, &users));
        let holders = self.fact(&need, || self.inventory().holders(tenant, wish.subscription));
        OwnerFacts { users, holders }
    }

    /// Whom a permission refers to.
    fn customer_of(&self, desired: &Desired) -> CustomerRef {
        self.customer(&beside(desired, &desired.customer))
    }

    /// What is known of the prerequisites of a permission.
    fn prerequisites(&self, desired: &Desired) -> PrerequisiteFacts {
        let customer = self.customer_of(desired);
        let tenant = match customer {
            CustomerRef::Found(tenant) => Some(tenant),
            CustomerRef::Missing | CustomerRef::Malformed(_) | CustomerRef::NotAllowed { .. } => None,
        };
        let subscriptions = desired
            .subscriptions
            .iter()
            .map(|name| {
                let wish = self.subscription(&beside(desired, name));
                let owners = match (tenant, &wish) {
                    (Some(tenant), Some(Ok(wish))) => self.owners(tenant, wish),
                    _ => OwnerFacts::NOT_READ,
                };
                SubscriptionFacts { name: name.clone(), wish, owners }
            })
            .collect();
        let inventory = self.inventory();
        PrerequisiteFacts {
            customer,
            profile: tenant
                .map_or(Fact::NOT_READ, |tenant| self.fact(&Need::Customer(tenant), || inventory.profile(tenant))),
            estate: tenant
                .map_or(Fact::NOT_READ, |tenant| self.fact(&Need::Estate(tenant), || inventory.estate(tenant))),
            subscriptions,
        }
    }

    /// Other permissions that mean the tenant, and which of them would take over.
    fn rivals(
        &self,
        desired: &Desired,
        tenant: TenantId,
        activity: &[SeenRecord],
    ) -> (Vec<Contender>, Option<Desired>) {
        let mut others = self.permissions_of(tenant);
        others.retain(|other| other.identity.name != desired.identity.name);
        let contender = |other: &Desired| Contender::of(other, tenant, &self.customer_of(other), activity);
        let contenders: Vec<_> = others.iter().filter_map(contender).collect();
        let staying: Vec<_> = others
            .iter()
            .filter(|other| !other.is_deleting && other.mode == api::Mode::Enforce)
            .filter_map(contender)
            .collect();
        let heir = successor(&staying).map(|heir| heir.uid.clone());
        let heir = heir.and_then(|uid| others.into_iter().find(|other| other.identity.uid == uid));
        (contenders, heir)
    }
}

/// The object of this name in the namespace of a permission.
fn beside(desired: &Desired, name: &str) -> ObjectName {
    ObjectName { namespace: desired.identity.name.namespace.clone(), name: name.to_owned() }
}

/// Whom a Customer means in a namespace with this rule.
pub(super) fn refer(customer: &api::Customer, rule: impl FnOnce(&str) -> NamespaceRule) -> CustomerRef {
    let namespace = customer.metadata.namespace.as_deref().unwrap_or_default();
    match customer.spec.tenant_id.parse() {
        Ok(tenant) => rule(namespace).refer(namespace, tenant),
        Err(error) => CustomerRef::Malformed(format!("spec.tenantId: {error}")),
    }
}
