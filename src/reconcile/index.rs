//! Who refers to whom: fed by the watches, asked by everybody who must wake somebody.

use std::collections::{BTreeSet, HashMap};

use crate::model::TenantId;
use crate::plan::ObjectName;

/// What the index remembers of a permission.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PermissionLinks {
    /// Its Customer.
    pub(super) customer: Option<ObjectName>,
    /// Its `AzureSubscription`s.
    pub(super) subscriptions: BTreeSet<ObjectName>,
    /// The tenant it remembers.
    pub(super) remembered: Option<TenantId>,
}

/// The references between all objects of the three kinds.
#[derive(Debug, Default)]
pub(super) struct Index {
    tenants: Relation<TenantId>,
    permissions_by_customer: Relation<ObjectName>,
    permissions_by_subscription: Relation<ObjectName>,
    permissions_by_remembered: Relation<TenantId>,
    subscriptions_by_customer: Relation<ObjectName>,
}

impl Index {
    /// Notes which tenant a Customer names; `None` when it is gone.
    pub(super) fn put_customer(&mut self, name: &ObjectName, tenant: Option<TenantId>) {
        self.tenants.put(name, tenant);
    }

    /// Notes which Customer an `AzureSubscription` names; `None` when it is gone.
    pub(super) fn put_subscription(&mut self, name: &ObjectName, customer: Option<ObjectName>) {
        self.subscriptions_by_customer.put(name, customer);
    }

    /// Notes what a permission refers to; empty links when it is gone.
    pub(super) fn put_permission(&mut self, name: &ObjectName, links: PermissionLinks) {
        self.permissions_by_customer.put(name, links.customer);
        self.permissions_by_subscription.put(name, links.subscriptions);
        self.permissions_by_remembered.put(name, links.remembered);
    }

    /// Permissions that name this Customer.
    pub(super) fn permissions_of_customer(&self, customer: &ObjectName) -> BTreeSet<ObjectName> {
        self.permissions_by_customer.of(customer)
    }

    /// The Customer that a permission names.
    pub(super) fn customers_of_permission(&self, name: &ObjectName) -> BTreeSet<ObjectName> {
        self.permissions_by_customer.keys(name)
    }

    /// Permissions that name this `AzureSubscription`.
    pub(super) fn permissions_of_subscription(&self, subscription: &ObjectName) -> BTreeSet<ObjectName> {
        self.permissions_by_subscription.of(subscription)
    }

    /// `AzureSubscription`s that name this Customer.
    pub(super) fn subscriptions_of_customer(&self, customer: &ObjectName) -> BTreeSet<ObjectName> {
        self.subscriptions_by_customer.of(customer)
    }

    /// Permissions that mean this tenant: by their Customer, or because they remember it.
    pub(super) fn permissions_of_tenant(&self, tenant: TenantId) -> BTreeSet<ObjectName> {
        let mut names = self.permissions_by_remembered.of(&tenant);
        for customer in self.tenants.of(&tenant) {
            names.extend(self.permissions_by_customer.of(&customer));
        }
        names
    }

    /// Customers that name this tenant.
    pub(super) fn customers_of_tenant(&self, tenant: TenantId) -> BTreeSet<ObjectName> {
        self.tenants.of(&tenant)
    }

    /// Other Customers that name the same tenant.
    pub(super) fn rivals_of_customer(&self, name: &ObjectName) -> BTreeSet<ObjectName> {
        let tenants = self.tenants.keys(name);
        let all = tenants.iter().flat_map(|tenant| self.tenants.of(tenant));
        all.filter(|other| other != name).collect()
    }

    /// `AzureSubscription`s whose Customer names this tenant.
    pub(super) fn subscriptions_of_tenant(&self, tenant: TenantId) -> BTreeSet<ObjectName> {
        self.tenants.of(&tenant).iter().flat_map(|customer| self.subscriptions_by_customer.of(customer)).collect()
    }

    /// The tenants that a permission means: at most its Customer's and the one it remembers.
    pub(super) fn tenants_of_permission(&self, name: &ObjectName) -> BTreeSet<TenantId> {
        let mut tenants = self.permissions_by_remembered.keys(name);
        for customer in self.permissions_by_customer.keys(name) {
            tenants.extend(self.tenants.keys(&customer));
        }
        tenants
    }

    /// Whether any object means this tenant.
    pub(super) fn knows_tenant(&self, tenant: TenantId) -> bool {
        self.tenants.has(&tenant) || self.permissions_by_remembered.has(&tenant)
    }
}

/// From each object to its keys, and back.
#[derive(Debug)]
struct Relation<K> {
    forward: HashMap<ObjectName, BTreeSet<K>>,
    backward: HashMap<K, BTreeSet<ObjectName>>,
}

impl<K> Default for Relation<K> {
    fn default() -> Self {
        Self { forward: HashMap::new(), backward: HashMap::new() }
    }
}

impl<K: Ord + std::hash::Hash + Clone> Relation<K> {
    fn put(&mut self, name: &ObjectName, keys: impl IntoIterator<Item = K>) {
        let keys: BTreeSet<K> = keys.into_iter().collect();
        let before =
            if keys.is_empty() { self.forward.remove(name) } else { self.forward.insert(name.clone(), keys.clone()) };
        let before = before.unwrap_or_default();
        for gone in before.difference(&keys) {
            if let Some(names) = self.backward.get_mut(gone) {
                names.remove(name);
                if names.is_empty() {
                    self.backward.remove(gone);
                }
            }
        }
        for new in keys.difference(&before) {
            self.backward.entry(new.clone()).or_default().insert(name.clone());
        }
    }

    fn of(&self, key: &K) -> BTreeSet<ObjectName> {
        self.backward.get(key).cloned().unwrap_or_default()
    }

    fn keys(&self, name: &ObjectName) -> BTreeSet<K> {
        self.forward.get(name).cloned().unwrap_or_default()
    }

    fn has(&self, key: &K) -> bool {
        self.backward.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ObjectName {
        ObjectName { namespace: "ns".into(), name: name.into() }
    }

    fn tenant(last: u8) -> TenantId {
        format!("c1a0c1a0-1111-4a11-8a11-0000000000{last:02x}").parse().unwrap()
    }

    #[test]
    fn a_tenant_is_meant_through_a_customer_or_by_memory() {
        let mut index = Index::default();
        index.put_customer(&name("fabrikam"), Some(tenant(1)));
        let links = |customer: &str, remembered| PermissionLinks {
            customer: Some(name(customer)),
            subscriptions: BTreeSet::new(),
            remembered,
        };
        index.put_permission(&name("a"), links("fabrikam", None));
        index.put_permission(&name("b"), links("gone", Some(tenant(1))));
        index.put_permission(&name("c"), links("gone", None));
        assert_eq!(index.permissions_of_tenant(tenant(1)), BTreeSet::from([name("a"), name("b")]));

        index.put_customer(&name("fabrikam"), None);
        index.put_permission(&name("b"), PermissionLinks::default());
        assert!(index.permissions_of_tenant(tenant(1)).is_empty());
        assert!(!index.knows_tenant(tenant(1)));
        assert_eq!(index.permissions_of_customer(&name("gone")), BTreeSet::from([name("c")]));
    }
}
