//! Everything a running simulator holds, and the few changes that more than one API makes to it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use jiff::Timestamp;
use uuid::Uuid;

use super::audit::Trail;
use super::clock::{Clock, later};
use super::commerce::Commerce;
use super::faults::Faults;
use super::issued::Issued;
use super::policy::Policy;
use super::random::Random;
use super::rate_limit::Limiter;
use super::refresh_tokens::RefreshTokens;
use super::replays::Replays;
use super::request_log::RequestLog;
use super::settings::Settings;
use super::sign_ins::SignIns;
use super::used_statements::UsedStatements;
use super::world::{self, Partner, PrincipalType, RoleAssignment, User, World};

/// The state behind the server's lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) partner: Partner,
    /// By which names browsers may come, beside localhost and addresses.
    pub(crate) host_names: Vec<String>,
    pub(crate) customers: BTreeMap<Uuid, Customer>,
    /// The tenant of every Azure subscription, so that Azure's calls need not search.
    azure_tenants: HashMap<Uuid, Uuid>,
    pub(crate) audit: Trail,
    pub(crate) settings: Settings,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) sign_ins: SignIns,
    pub(crate) issued: Issued,
    pub(crate) used_statements: UsedStatements,
    pub(crate) replays: Replays,
    pub(crate) faults: Faults,
    pub(crate) limiter: Limiter,
    pub(crate) log: RequestLog,
}

/// A customer and what has been done to it.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) about: world::Customer,
    pub(crate) policy: Option<Policy>,
    /// What was before the latest writes, and when each was made.
    pub(crate) past: VecDeque<(Timestamp, Option<Policy>)>,
    pub(crate) commerce: Commerce,
    /// When it was added to the running simulator; those of the world are old.
    pub(crate) added_at: Option<Timestamp>,
    /// Creates, updates and deletes that came in through the API.
    pub(crate) policy_writes: u64,
    /// The same, done in the portal.
    pub(crate) portal_writes: u64,
}

/// Earlier states of a policy kept at most.
const PAST_MAX: usize = 16;

impl Customer {
    /// Remembers what the policy was before a write.
    pub(crate) fn remember(&mut self, now: Timestamp) {
        self.past.push_back((now, self.policy.clone()));
        if self.past.len() > PAST_MAX {
            self.past.pop_front();
        }
    }

    /// The policy as reads that lag behind so many milliseconds see it.
    pub(crate) fn policy_seen(&self, now: Timestamp, lag_ms: u64) -> Option<&Policy> {
        let unseen = self.past.iter().find(|(at, _)| later(*at, lag_ms) > now);
        unseen.map_or(&self.policy, |(_, before)| before).as_ref()
    }
}

impl State {
    pub(crate) fn new(world: World, settings: Settings, random: Random) -> Self {
        let World { partner, customers } = world;
        let refresh_tokens = RefreshTokens::seeded(&partner);
        let mut state = Self {
            clock: Clock::default(),
            random,
            partner,
            host_names: Vec::new(),
            customers: BTreeMap::new(),
            azure_tenants: HashMap::new(),
            audit: Trail::default(),
            settings,
            refresh_tokens,
            sign_ins: SignIns::default(),
            issued: Issued::default(),
            used_statements: UsedStatements::default(),
            replays: Replays::default(),
            faults: Faults::default(),
            limiter: Limiter::default(),
            log: RequestLog::default(),
        };
        for customer in customers {
            state.insert(customer, None);
        }
        state
    }

    /// Adds a customer whose ids are known to be new.
    fn insert(&mut self, mut about: world::Customer, added_at: Option<Timestamp>) {
        let tenant = about.tenant_id;
        for subscription in &mut about.subscriptions {
            self.open(tenant, subscription);
        }
        let policy = Policy::permitting(&self.random, &about.permissions);
        let customer = Customer {
            about,
            policy,
            past: VecDeque::new(),
            commerce: Commerce::default(),
            added_at,
            policy_writes: 0,
            portal_writes: 0,
        };
        self.customers.insert(tenant, customer);
    }

    /// Makes the Azure subscriptions under `subscription` known as the tenant's.
    fn open(&mut self, tenant: Uuid, subscription: &mut world::Subscription) {
        let admin_agents = self.partner.admin_agents_group_id;
        for azure in &mut subscription.azure_subscriptions {
            // Every CSP subscription starts with the partner's AdminAgents as Owner:
            // https://learn.microsoft.com/en-us/partner-center/azure-plan-manage
            azure.role_assignments.insert(0, RoleAssignment::owner(admin_agents, PrincipalType::ForeignGroup));
            self.azure_tenants.insert(azure.id, tenant);
        }
    }

    /// Adds a customer, unless one of its ids is taken.
    pub(crate) fn add_customer(&mut self, about: world::Customer, now: Timestamp) -> Result<(), String> {
        about.check()?;
        self.check_new(about.ids()).map_err(|problem| format!("customer `{}`: {problem}", about.name))?;
        self.insert(about, Some(now));
        Ok(())
    }

    /// Adds a subscription to a customer, unless one of its ids is taken. `false`: there is no such customer.
    pub(crate) fn add_subscription(
        &mut self,
        tenant: Uuid,
        mut subscription: world::Subscription,
    ) -> Result<bool, String> {
        if !self.customers.contains_key(&tenant) {
            return Ok(false);
        }
        subscription.check()?;
        self.check_new(subscription.ids())?;
        self.open(tenant, &mut subscription);
        if let Some(customer) = self.customers.get_mut(&tenant) {
            customer.about.subscriptions.push(subscription);
        }
        Ok(true)
    }

    /// Refuses an id that is taken, or that comes twice.
    fn check_new(&self, ids: impl Iterator<Item = Uuid>) -> Result<(), String> {
        let mut new = HashSet::new();
        for id in ids {
            let taken = self.customers.contains_key(&id)
                || self.azure_tenants.contains_key(&id)
                || self.customers.values().any(|known| known.about.subscriptions.iter().any(|plan| plan.id == id));
            if taken || !new.insert(id) {
                return Err(format!("the id {id} is used more than once"));
            }
        }
        Ok(())
    }

    /// Forgets a customer with its policy and subscriptions; its audit records stay.
    pub(crate) fn remove_customer(&mut self, tenant: Uuid) -> bool {
        let removed = self.customers.remove(&tenant);
        if let Some(customer) = &removed {
            for azure in customer.about.azure_subscriptions() {
                self.azure_tenants.remove(&azure.id);
            }
        }
        removed.is_some()
    }

    /// The customer that an Azure subscription belongs to.
    pub(crate) fn tenant_of_azure(&self, subscription: Uuid) -> Option<Uuid> {
        self.azure_tenants.get(&subscription).copied()
    }

    pub(crate) fn azure_mut(&mut self, subscription: Uuid) -> Option<&mut world::AzureSubscription> {
        let tenant = self.tenant_of_azure(subscription)?;
        let about = &mut self.customers.get_mut(&tenant)?.about;
        about.azure_subscriptions_mut().find(|azure| azure.id == subscription)
    }

    /// The partner's user of that name, whatever its case.
    pub(crate) fn user(&self, upn: &str) -> Option<&User> {
        self.partner.users.iter().find(|user| user.upn.eq_ignore_ascii_case(upn))
    }
}
