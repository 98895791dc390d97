//! The facts that this process has read, shared by all objects of a customer.

mod read;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

use super::partner::Partner;
use super::past::Past;
use super::reading::{Reading, fact};
use crate::model::{
    AzureEstate, BillingAccount, ChargeChange, ChargeProgress, ChargeView, CustomerProfile, DirectoryUser, Fact,
    Ignorance, ObjectId, OwnerHolders, PolicyState, SeenPurchases, SubscriptionId, TenantId, UserPrincipalName,
};
use crate::plan::customer::cost::BegunChange;
use crate::remote::Error as RemoteError;

/// All facts, by what they are about.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    facts: Mutex<Facts>,
    /// One reading of the same thing at a time; whoever waited uses it too.
    turns: Mutex<HashMap<read::TurnKey, Arc<tokio::sync::Mutex<()>>>>,
    /// Passes that wait for a customer's profile now.
    waiting_for_profiles: AtomicUsize,
    /// About the partner as a whole.
    pub(super) partner: Partner,
}

#[derive(Debug, Default)]
struct Facts {
    profiles: HashMap<TenantId, Reading<Option<CustomerProfile>>>,
    estates: HashMap<TenantId, Reading<AzureEstate>>,
    holders: HashMap<(TenantId, SubscriptionId), Reading<OwnerHolders>>,
    users: HashMap<(TenantId, UserPrincipalName), Reading<Option<DirectoryUser>>>,
    policies: HashMap<TenantId, Reading<PolicyState>>,
    agreements: HashMap<TenantId, Reading<bool>>,
    accounts: Option<Reading<BTreeSet<BillingAccount>>>,
    charges: HashMap<TenantId, Reading<ChargeView>>,
    /// Changes of them that are under way, as far as no status shows them yet.
    begun: HashMap<TenantId, BegunChange>,
    /// How they are getting on, by where that is told.
    progress: HashMap<TenantId, (String, Reading<ChargeProgress>)>,
    purchases: HashMap<TenantId, Reading<SeenPurchases>>,
    past: Past,
    /// By the UID of the object that asked for it.
    assigned: HashMap<String, Assigned>,
}

/// To whom Owner was assigned for an object whose status does not show it yet.
#[derive(Debug)]
struct Assigned {
    customer: TenantId,
    generation: i64,
    principals: BTreeSet<ObjectId>,
}

/// A reading that failed, as the planner sees it and as the next attempt needs it.
#[derive(Debug)]
pub(super) struct FailedReading {
    pub(super) why: Ignorance,
    pub(super) error: RemoteError,
}

impl Inventory {
    /// What Partner Center says of a customer.
    pub(super) fn profile(&self, customer: TenantId) -> Fact<Option<CustomerProfile>> {
        fact(self.facts().profiles.get(&customer))
    }

    /// What a customer has of Azure.
    pub(super) fn estate(&self, customer: TenantId) -> Fact<AzureEstate> {
        fact(self.facts().estates.get(&customer))
    }

    /// Who owns an Azure subscription.
    pub(super) fn holders(&self, customer: TenantId, subscription: SubscriptionId) -> Fact<OwnerHolders> {
        fact(self.facts().holders.get(&(customer, subscription)))
    }

    /// Who a user of a customer's tenant is.
    pub(super) fn user(&self, customer: TenantId, name: &UserPrincipalName) -> Fact<Option<DirectoryUser>> {
        fact(self.facts().users.get(&(customer, name.clone())))
    }

    /// Whether a customer has accepted the Microsoft Customer Agreement.
    pub(super) fn agreement(&self, customer: TenantId) -> Fact<bool> {
        fact(self.facts().agreements.get(&customer))
    }

    /// Forgets what a customer has of Azure: something has just been bought.
    pub(super) fn estate_changed(&self, customer: TenantId) {
        self.facts().estates.remove(&customer);
    }

    /// The partner's billing accounts.
    pub(super) fn billing_accounts(&self) -> Fact<BTreeSet<BillingAccount>> {
        fact(self.facts().accounts.as_ref())
    }

    /// Whether a customer sees its charges.
    pub(super) fn charges(&self, customer: TenantId) -> Fact<ChargeView> {
        fact(self.facts().charges.get(&customer))
    }

    /// A change of that which no status may show yet.
    pub(super) fn begun_change(&self, customer: TenantId) -> Option<BegunChange> {
        self.facts().begun.get(&customer).cloned()
    }

    /// How the change is getting on that is told of there.
    pub(super) fn charges_change(&self, customer: TenantId, operation: &str) -> Fact<ChargeProgress> {
        let facts = self.facts();
        let found = facts.progress.get(&customer).filter(|(known, _)| known == operation);
        fact(found.map(|(_, reading)| reading))
    }

    /// Forgets what a customer sees of its charges: it is about to be changed.
    pub(super) fn charges_change_begins(&self, customer: TenantId) {
        let mut facts = self.facts();
        facts.charges.remove(&customer);
        facts.begun.remove(&customer);
    }

    /// Notes what has come of a change that was sent at `at`.
    pub(super) fn charges_changed(&self, customer: TenantId, view: ChargeView, change: ChargeChange, at: Timestamp) {
        let mut facts = self.facts();
        match change {
            ChargeChange::Done => drop(facts.charges.insert(customer, Reading::new(view, at))),
            ChargeChange::Running { operation, wait } => {
                facts.begun.insert(customer, BegunChange { operation, since: at, wait });
            }
            ChargeChange::Unclear => {}
        }
    }

    /// Notes which change a status shows.
    pub(super) fn change_shown(&self, customer: TenantId, operation: Option<&str>) {
        let mut facts = self.facts();
        if facts.begun.get(&customer).is_some_and(|begun| Some(begun.operation.as_str()) == operation) {
            facts.begun.remove(&customer);
        }
    }

    /// To whom Owner was assigned for this generation of an object, as far as its status does not show it yet.
    pub(super) fn assigned(&self, uid: &str, generation: i64) -> BTreeSet<ObjectId> {
        let facts = self.facts();
        let assigned = facts.assigned.get(uid).filter(|assigned| assigned.generation == generation);
        assigned.map(|assigned| assigned.principals.clone()).unwrap_or_default()
    }

    /// Notes that Owner was assigned. Whatever becomes of the pass, it is not assigned a second time.
    pub(super) fn owner_assigned(&self, customer: TenantId, uid: &str, generation: i64, principal: ObjectId) {
        let mut facts = self.facts();
        let nobody = || Assigned { customer, generation, principals: BTreeSet::new() };
        let assigned = facts.assigned.entry(uid.to_owned()).or_insert_with(nobody);
        if assigned.generation != generation {
            *assigned = nobody();
        }
        assigned.principals.insert(principal);
    }

    /// Notes which of the principals that were assigned Owner for it an object's status shows.
    pub(super) fn assignments_shown(&self, uid: &str, is_shown: impl Fn(ObjectId) -> bool) {
        let mut facts = self.facts();
        if let Some(assigned) = facts.assigned.get_mut(uid) {
            assigned.principals.retain(|principal| !is_shown(*principal));
            if assigned.principals.is_empty() {
                facts.assigned.remove(uid);
            }
        }
    }

    /// Forgets who owns an Azure subscription: it has just been changed.
    pub(super) fn owners_changed(&self, customer: TenantId, subscription: SubscriptionId) {
        self.facts().holders.remove(&(customer, subscription));
    }

    /// What Partner Center holds for a customer.
    pub(super) fn policy(&self, customer: TenantId) -> Fact<PolicyState> {
        fact(self.facts().policies.get(&customer))
    }

    /// What a customer has bought.
    pub(super) fn purchases(&self, customer: TenantId) -> Fact<SeenPurchases> {
        fact(self.facts().purchases.get(&customer))
    }

    /// Notes that a write is about to be sent; gives what it is to end, which is no policy where nobody has seen one.
    pub(super) fn write_begins(&self, customer: TenantId) -> PolicyState {
        self.facts().policies.remove(&customer).map_or(PolicyState::Absent, |reading| reading.value)
    }

    /// Notes that Partner Center has accepted a write that was sent at `at` and ended `before`.
    pub(super) fn write_accepted(&self, customer: TenantId, before: PolicyState, state: PolicyState, at: Timestamp) {
        let mut facts = self.facts();
        facts.past.ended(customer, before, Some(&state), at, Instant::now());
        facts.policies.insert(customer, Reading::new(state, at));
        drop(facts);
        self.partner.write_accepted(at);
    }

    /// Notes that Partner Center has refused a write because `before` does not hold any more.
    pub(super) fn write_contradicted(&self, customer: TenantId, before: PolicyState, at: Timestamp) {
        self.facts().past.ended(customer, before, None, at, Instant::now());
    }

    /// Notes that somebody else has written at this time.
    pub(super) fn others_wrote(&self, customer: TenantId, at: Timestamp) {
        self.facts().past.others_wrote(customer, at);
    }

    /// Forgets everything: the sign-in has been changed, and it may be another partner's.
    pub(super) fn sign_in_changed(&self) {
        self.partner.sign_in_changed();
        *self.facts() = Facts::default();
    }

    /// Forgets everything about tenants that no object means any more.
    pub(super) fn prune(&self, is_meant: impl Fn(TenantId) -> bool) {
        let mut facts = self.facts();
        facts.profiles.retain(|tenant, _| is_meant(*tenant));
        facts.estates.retain(|tenant, _| is_meant(*tenant));
        facts.holders.retain(|(tenant, _), _| is_meant(*tenant));
        facts.users.retain(|(tenant, _), _| is_meant(*tenant));
        facts.policies.retain(|tenant, _| is_meant(*tenant));
        facts.purchases.retain(|tenant, _| is_meant(*tenant));
        facts.assigned.retain(|_, assigned| is_meant(assigned.customer));
        facts.agreements.retain(|tenant, _| is_meant(*tenant));
        facts.charges.retain(|tenant, _| is_meant(*tenant));
        facts.begun.retain(|tenant, _| is_meant(*tenant));
        facts.progress.retain(|tenant, _| is_meant(*tenant));
        facts.past.prune(Instant::now());
        drop(facts);
        self.turns().retain(|_, turn| Arc::strong_count(turn) > 1);
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
