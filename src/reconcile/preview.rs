//! What the operator would do about objects that somebody has only declared: read like a pass, planned by the same planner,
//! and written nowhere. Each write that the planner asks for is taken for done, and it is asked again, until nothing is
//! left.
//!
//! What only a running operator knows is not known here: which object claimed a tenant first, who turned a switch, how many
//! first grants this hour has had.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};

use super::inventory::{FailedReading, Inventory};
use super::sight::{Sight, refer};
use super::wishes;
use crate::api::{
    AzureSubscription, Customer, CustomerPurchasePermission, CustomerPurchasePermissionStatus, FINALIZER, Mode,
    TENANT_ANNOTATION,
};
use crate::model::{Fact, Ignorance, PolicyState, TenantId};
use crate::plan::namespace::NamespaceRule;
use crate::plan::partner::PartnerFacts;
use crate::plan::permission::{Action, Attempt, Desired, Facts, GrantBudget, SwitchOutlook, Write, outlook, plan};
use crate::plan::prerequisites::SubscriptionWish;
use crate::plan::schedule::Intervals;
use crate::plan::{CustomerRef, Need, ObjectName};
use crate::remote::{Advice, Cause, Error as RemoteError, Remote, Service, patiently};

/// Most rounds for one permission: as in a pass, and one for each write that is taken for done.
const ROUNDS_MAX: usize = 20;

/// They say when to look again, which nobody does.
const INTERVALS: Intervals = Intervals {
    resync: SignedDuration::from_hours(24),
    prerequisites: SignedDuration::from_hours(24),
    purchases: SignedDuration::from_hours(24),
};

/// Objects of the three kinds, and for whom their namespaces may act. Every object has a namespace and a name.
#[derive(Debug, Default)]
pub struct Declared {
    /// By name.
    pub customers: BTreeMap<ObjectName, Customer>,
    /// By name.
    pub subscriptions: BTreeMap<ObjectName, AzureSubscription>,
    /// By name.
    pub permissions: BTreeMap<ObjectName, CustomerPurchasePermission>,
    /// By namespace.
    pub rules: BTreeMap<String, NamespaceRule>,
    /// Of all other namespaces.
    pub rule_otherwise: Option<NamespaceRule>,
}

/// What would become of the permissions among some objects.
#[derive(Debug)]
pub struct Preview {
    declared: Declared,
    by_tenant: BTreeMap<TenantId, BTreeSet<ObjectName>>,
    remote: Remote,
    inventory: Inventory,
    started: Timestamp,
}

/// What would become of one permission.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// Which.
    pub name: ObjectName,
    /// Name of its Customer.
    pub customer: String,
    /// The tenant it means, if that is known.
    pub tenant: Option<TenantId>,
    /// What Partner Center calls the customer, if it was asked.
    pub company: Option<String>,
    /// How far the operator may go.
    pub mode: Mode,
    /// Both switches.
    pub switches: Vec<SwitchOutlook>,
    /// What is written to Partner Center, in this order.
    pub writes: Vec<Write>,
    /// Whether a first grant is among them, which the operator lets through only so many times an hour.
    pub is_first_grant: bool,
    /// The conditions of its status afterwards.
    pub conditions: Vec<Condition>,
    /// What could not be read although it may be there: sentences. What is foreseen may be wrong then.
    pub unread: Vec<String>,
}

impl Preview {
    /// Of the permissions among `declared`, with what `remote` tells of their customers.
    pub fn new(mut declared: Declared, remote: Remote) -> Self {
        for (name, object) in &mut declared.customers {
            created(&mut object.metadata, name);
            object.status = None;
        }
        for (name, object) in &mut declared.subscriptions {
            created(&mut object.metadata, name);
            object.status = None;
        }
        for (name, object) in &mut declared.permissions {
            created(&mut object.metadata, name);
            object.status = None;
        }
        let mut preview = Self {
            declared,
            by_tenant: BTreeMap::new(),
            remote,
            inventory: Inventory::default(),
            started: Timestamp::now(),
        };
        for (name, object) in &preview.declared.permissions {
            let Some(desired) = Desired::of(object) else { continue };
            if let Some(tenant) = desired.tenant(&preview.customer(&beside(name, &desired.customer))) {
                preview.by_tenant.entry(tenant).or_default().insert(name.clone());
            }
        }
        preview
    }

    /// Names of the permissions.
    pub fn permissions(&self) -> Vec<ObjectName> {
        self.declared.permissions.keys().cloned().collect()
    }

    /// What would become of this one; `None` when there is none of that name. An error where nothing can be foreseen of
    /// any: the sign-in is refused.
    pub async fn permission(&self, name: &ObjectName) -> Result<Option<Foreseen>, RemoteError> {
        let Some(object) = self.declared.permissions.get(name) else { return Ok(None) };
        let mut look = Look {
            preview: self,
            object: object.clone(),
            now: Timestamp::now(),
            failures: BTreeMap::new(),
            unread: Vec::new(),
            imagined: None,
            attempt: Attempt::None,
        };
        look.foresee().await
    }

    fn customer(&self, name: &ObjectName) -> CustomerRef {
        let Some(customer) = self.declared.customers.get(name) else { return CustomerRef::Missing };
        refer(customer, |namespace| {
            let rule = self.declared.rules.get(namespace).or(self.declared.rule_otherwise.as_ref());
            rule.cloned().unwrap_or(NamespaceRule::Unknown { why: None })
        })
    }
}

fn beside(name: &ObjectName, other: &str) -> ObjectName {
    ObjectName { namespace: name.namespace.clone(), name: other.to_owned() }
}

/// As the API server makes it of a manifest: whatever only a server can say, such as a deletion or an age, is not believed.
fn created(metadata: &mut ObjectMeta, name: &ObjectName) {
    *metadata = ObjectMeta {
        namespace: Some(name.namespace.clone()),
        name: Some(name.name.clone()),
        // What nobody has created yet is told apart by its name.
        uid: Some(name.to_string()),
        generation: Some(1),
        labels: metadata.labels.take(),
        annotations: metadata.annotations.take(),
        finalizers: metadata.finalizers.take(),
        owner_references: metadata.owner_references.take(),
        ..ObjectMeta::default()
    };
}

/// One permission in the making.
struct Look<'a> {
    preview: &'a Preview,
    object: CustomerPurchasePermission,
    now: Timestamp,
    failures: BTreeMap<Need, Ignorance>,
    unread: Vec<String>,
    /// What Partner Center would hold by now.
    imagined: Option<PolicyState>,
    attempt: Attempt,
}

impl Look<'_> {
    async fn foresee(&mut self) -> Result<Option<Foreseen>, RemoteError> {
        let start = self.object.status.clone().unwrap_or_default();
        let mut before = start.clone();
        let mut tried = BTreeSet::new();
        let (mut writes, mut is_first_grant) = (Vec::new(), false);
        for _ in 0..ROUNDS_MAX {
            let Some(desired) = Desired::of(&self.object) else { break };
            let facts = self.observe(&desired);
            let plan = plan(&desired, &facts, &before, INTERVALS, self.now);
            let mut needs = plan.needs.clone();
            // The operator may create without having read, since the server refuses that where there is a policy. Here
            // nobody refuses.
            needs.extend(plan.actions.iter().filter_map(|action| match action {
                Action::Write { tenant, .. } if facts.policy.is_unread() => Some(Need::Policy(*tenant)),
                _ => None,
            }));
            let untried: Vec<_> = needs.difference(&tried).cloned().collect();
            if !untried.is_empty() {
                for need in &untried {
                    self.read(need).await?;
                }
                tried.extend(untried);
                continue;
            }
            before = plan.status;
            if plan.actions.is_empty() {
                return Ok(Some(self.foreseen(&desired, &start, before, writes, is_first_grant)));
            }
            for action in plan.actions {
                match action {
                    Action::Claim { tenant } => self.claim(tenant),
                    Action::Write { write, is_first_grant: is_first, .. } => {
                        self.imagined = Some(write.result());
                        self.attempt = Attempt::Accepted;
                        is_first_grant |= is_first;
                        writes.push(write);
                    }
                    Action::PassOn { .. } => {}
                    Action::Release { .. } => {
                        return Ok(Some(self.foreseen(&desired, &start, before, writes, is_first_grant)));
                    }
                }
            }
        }
        // The planner ends; should it ever not, that is no plan to be agreed to.
        self.unread.push("the planner came to no end; please report this".to_owned());
        Ok(Desired::of(&self.object).map(|desired| self.foreseen(&desired, &start, before, writes, is_first_grant)))
    }

    fn foreseen(
        &self,
        desired: &Desired,
        start: &CustomerPurchasePermissionStatus,
        status: CustomerPurchasePermissionStatus,
        writes: Vec<Write>,
        is_first_grant: bool,
    ) -> Foreseen {
        let inventory = self.inventory();
        let tenant = desired.tenant(&self.customer_of(desired));
        let read = tenant.and_then(|tenant| inventory.policy(tenant).known().cloned());
        let after = self.imagined.clone().or_else(|| read.clone());
        let profile = tenant.and_then(|tenant| inventory.profile(tenant).known().cloned().flatten());
        Foreseen {
            name: desired.identity.name.clone(),
            customer: desired.customer.clone(),
            tenant,
            company: profile.and_then(|profile| profile.company_name),
            mode: desired.mode,
            switches: outlook(desired, (read.as_ref(), after.as_ref()), start, &status, !self.unread.is_empty()),
            writes,
            is_first_grant,
            conditions: status.conditions,
            unread: self.unread.clone(),
        }
    }

    fn observe(&self, desired: &Desired) -> Facts {
        let (inventory, remote) = (&self.preview.inventory, &self.preview.remote);
        let tenant = desired.tenant(&self.customer_of(desired));
        let policy = match (&self.imagined, tenant) {
            (Some(state), _) => Fact::Known { value: state.clone(), at: self.now },
            (None, Some(tenant)) => self.fact(&Need::Policy(tenant), || inventory.policy(tenant)),
            (None, None) => Fact::NOT_READ,
        };
        let (contenders, _) = tenant.map(|tenant| self.rivals(desired, tenant, &[])).unwrap_or_default();
        Facts {
            prerequisites: self.prerequisites(desired),
            partner: PartnerFacts { is_clock_off: remote.clock.is_off(), ..inventory.partner.facts(self.now, false) },
            policy,
            activity: Vec::new(),
            is_record_pending: false,
            is_feed_trusted: false,
            contenders,
            successor: None,
            clock_ahead: remote.clock.ahead(),
            started: self.preview.started,
            grant_budget: GrantBudget { limit: u32::MAX, has_room: true },
            attempt: self.attempt.clone(),
        }
    }

    /// Reads one fact. What cannot be read for good is for the planner to judge, as in a pass; what only passes, and what
    /// nothing can be foreseen without, is told.
    async fn read(&mut self, need: &Need) -> Result<(), RemoteError> {
        let Preview { inventory, remote, .. } = self.preview;
        let read = async || inventory.read(remote, need, self.now, false).await;
        let Err(FailedReading { why, error }) = patiently(read, |failed| failed.error.advice()).await else {
            return Ok(());
        };
        let is_the_sign_in = matches!(error.cause(), Cause::SignIn(_) | Cause::Credentials(_) | Cause::Token(_));
        if is_the_sign_in && error.operation().service() == Service::PartnerCenter {
            return Err(error);
        }
        let may_pass = matches!(error.advice(), Advice::RetrySoon | Advice::RetryAfter(_));
        if may_pass || matches!(need, Need::Customer(_) | Need::Policy(_)) {
            self.unread.push(error.message());
        }
        self.failures.insert(need.clone(), why);
        Ok(())
    }

    /// As the operator would put the claim on it.
    fn claim(&mut self, tenant: TenantId) {
        let metadata = &mut self.object.metadata;
        let finalizers = metadata.finalizers.get_or_insert_default();
        if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
        metadata.annotations.get_or_insert_default().insert(TENANT_ANNOTATION.to_owned(), tenant.to_string());
    }
}

impl Sight for Look<'_> {
    fn customer(&self, name: &ObjectName) -> CustomerRef {
        self.preview.customer(name)
    }

    fn subscription(&self, name: &ObjectName) -> Option<Result<SubscriptionWish, String>> {
        self.preview.declared.subscriptions.get(name).map(wishes::of_subscription)
    }

    fn permissions_of(&self, tenant: TenantId) -> Vec<Desired> {
        let names = self.preview.by_tenant.get(&tenant).into_iter().flatten();
        names.filter_map(|name| Desired::of(self.preview.declared.permissions.get(name)?)).collect()
    }

    fn inventory(&self) -> &Inventory {
        &self.preview.inventory
    }

    fn failures(&self) -> &BTreeMap<Need, Ignorance> {
        &self.failures
    }
}
