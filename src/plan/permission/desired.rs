//! What a `CustomerPurchasePermission` wishes, and what it has claimed.

use jiff::Timestamp;

use crate::api::{
    ABANDON_ANNOTATION, CustomerPurchasePermission, CustomerPurchasePermissionStatus, DeletionPolicy, DriftPolicy,
    FINALIZER, Mode, OnPrerequisiteLost, PurchaseSwitch, TENANT_ANNOTATION,
};
use crate::model::{Switch, TenantId};
use crate::plan::{CustomerRef, Identity, to_second};

/// A permission as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Name, UID, generation, age.
    pub identity: Identity,
    /// Name of the Customer it refers to.
    pub customer: String,
    /// The wish for each switch.
    pub wishes: Wishes,
    /// Names of the `AzureSubscription`s that must be in order before a grant.
    pub subscriptions: Vec<String>,
    /// How far the operator may go.
    pub mode: Mode,
    /// What follows when somebody else turns a switch.
    pub drift_policy: DriftPolicy,
    /// What follows when a prerequisite fails after a grant.
    pub on_prerequisite_lost: OnPrerequisiteLost,
    /// When everything that is allowed ends.
    pub valid_until: Option<Timestamp>,
    /// What deletion does.
    pub deletion_policy: DeletionPolicy,
    /// Whether the object is being deleted.
    pub is_deleting: bool,
    /// Whether a person asks for its release, whatever Partner Center holds.
    pub is_abandoned: bool,
    /// Whether our finalizer is on it.
    pub has_finalizer: bool,
    /// The tenant it remembers, from its annotation.
    pub remembered: Option<TenantId>,
    /// What its status tells of what it has done.
    pub record: Record,
}

/// The wish for each switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes {
    /// Azure reservations.
    pub reservations: PurchaseSwitch,
    /// Azure savings plans.
    pub savings_plans: PurchaseSwitch,
}

impl Wishes {
    /// The wish for `switch`.
    pub fn of(self, switch: Switch) -> PurchaseSwitch {
        match switch {
            Switch::Reservations => self.reservations,
            Switch::SavingsPlans => self.savings_plans,
        }
    }

    /// Whether any switch is to be on.
    pub fn allow_anything(self) -> bool {
        Switch::ALL.into_iter().any(|switch| self.of(switch) == PurchaseSwitch::Allow)
    }

    /// The same with everything off that is to be on.
    pub(super) fn without_grants(self) -> Self {
        let off = |wish| if wish == PurchaseSwitch::Allow { PurchaseSwitch::Deny } else { wish };
        Self { reservations: off(self.reservations), savings_plans: off(self.savings_plans) }
    }
}

impl Desired {
    /// Reads what is declared. `None` for an object that no API server has handed out: without name, UID or time.
    pub fn of(object: &CustomerPurchasePermission) -> Option<Self> {
        let metadata = &object.metadata;
        let annotation = |name| metadata.annotations.as_ref().and_then(|all| all.get(name)).map(String::as_str);
        let spec = &object.spec;
        Some(Self {
            identity: Identity::of(metadata)?,
            customer: spec.customer_ref.name.clone(),
            wishes: Wishes { reservations: spec.azure_reservations, savings_plans: spec.azure_savings_plans },
            subscriptions: spec.azure_subscription_refs.iter().map(|reference| reference.name.clone()).collect(),
            mode: spec.mode,
            drift_policy: spec.drift_policy,
            on_prerequisite_lost: spec.on_prerequisite_lost,
            // To the second, like what the status remembers of it: else it would never be the same again.
            valid_until: spec.valid_until.as_ref().map(|end| to_second(end.0).0),
            deletion_policy: spec.deletion_policy,
            is_deleting: metadata.deletion_timestamp.is_some(),
            is_abandoned: annotation(ABANDON_ANNOTATION) == Some("true"),
            has_finalizer: metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER),
            remembered: annotation(TENANT_ANNOTATION).and_then(|tenant| tenant.parse().ok()),
            record: object.status.as_ref().map_or(Record::NONE, Record::of),
        })
    }

    /// Whether it wishes the same as `other`, now and later.
    pub(super) fn wishes_the_same(&self, other: &Self) -> bool {
        (self.wishes, self.valid_until) == (other.wishes, other.valid_until)
    }

    /// The tenant it has claimed: remembered in the same patch that set the finalizer. A tool that replaces objects strips
    /// finalizer and annotation; the status, which only the operator writes, still tells whom the object has acted for. An
    /// annotation without the finalizer is no claim: it may have been copied.
    pub fn claim(&self) -> Option<TenantId> {
        if self.has_finalizer {
            return self.remembered.or(self.record.tenant);
        }
        // What is being deleted can be held no more, and who observes has let go.
        let still_answers = self.record.has_acted && !self.is_deleting && self.mode != Mode::Observe;
        self.record.tenant.filter(|_| still_answers)
    }

    /// The tenant it means: the one it has claimed, whatever its Customer has become; else its Customer's. An annotation
    /// without the finalizer says nothing: it may have been copied from another object.
    pub fn tenant(&self, customer: &CustomerRef) -> Option<TenantId> {
        self.claim().or(match customer {
            CustomerRef::Found(tenant) => Some(*tenant),
            CustomerRef::Missing | CustomerRef::Malformed(_) | CustomerRef::NotAllowed { .. } => None,
        })
    }

    /// Whether it has claimed `tenant`, which it means. An object whose annotation a tool has stripped still has the
    /// finalizer, and so still answers for what it may have granted.
    pub fn answers_for(&self, tenant: TenantId) -> bool {
        self.claim().map_or(self.has_finalizer, |claimed| claimed == tenant)
    }

    /// Whether both halves of its claim are on it.
    pub(super) fn is_claim_written(&self) -> bool {
        self.has_finalizer && self.remembered.is_some()
    }

    /// Whether its status tells that a wish of it has held for `tenant`.
    pub(super) fn has_acted_for(&self, tenant: TenantId) -> bool {
        self.record.has_acted && self.record.tenant == Some(tenant)
    }

    /// Whether a field that decides about writes has a value newer than this program.
    pub fn has_unknown_values(&self) -> bool {
        self.mode == Mode::Unknown
            || self.deletion_policy == DeletionPolicy::Unknown
            || self.drift_policy == DriftPolicy::Unknown
            || self.on_prerequisite_lost == OnPrerequisiteLost::Unknown
            || Switch::ALL.into_iter().any(|switch| self.wishes.of(switch) == PurchaseSwitch::Unknown)
    }
}

/// What the status of an object tells of what it has done. Only the operator may write a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The tenant that the status is about.
    pub tenant: Option<TenantId>,
    /// Whether a wish of the object has held there.
    pub has_acted: bool,
    /// Whether there is no status yet: the process may have died after it acted and before it could tell.
    pub is_untold: bool,
}

impl Record {
    /// Of an object that nobody has looked at.
    pub const NONE: Self = Self { tenant: None, has_acted: false, is_untold: true };

    /// What `status` tells.
    pub fn of(status: &CustomerPurchasePermissionStatus) -> Self {
        if status.observed_generation < 0 {
            return Self::NONE;
        }
        Self {
            tenant: status.tenant_id.as_ref().and_then(|tenant| tenant.parse().ok()),
            has_acted: status.last_applied.is_some(),
            is_untold: false,
        }
    }
}
