//! The one policy that Partner Center holds per customer.

use std::collections::BTreeSet;
use std::fmt;

/// One of the two switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Switch {
    /// May the customer buy Azure reservations?
    Reservations,
    /// May the customer buy Azure savings plans?
    SavingsPlans,
}

impl Switch {
    /// Both, in the order in which they are always shown.
    pub const ALL: [Self; 2] = [Self::Reservations, Self::SavingsPlans];

    /// The field of `spec` that wishes it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Reservations => "azureReservations",
            Self::SavingsPlans => "azureSavingsPlans",
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field())
    }
}

/// What a policy permits. No policy at all is the empty set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PermissionSet {
    allowed: BTreeSet<Switch>,
    others: Vec<OtherPermission>,
}

/// An entry of a policy that this program does not know: kept in every write, never interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherPermission {
    /// Partner Center's `resource`.
    pub resource: String,
    /// Partner Center's `action`.
    pub action: String,
}

impl PermissionSet {
    /// The set that allows exactly `allowed`, and keeps `others`.
    pub fn new(allowed: impl IntoIterator<Item = Switch>, others: Vec<OtherPermission>) -> Self {
        Self { allowed: allowed.into_iter().collect(), others }
    }

    /// Whether the switch is on.
    pub fn allows(&self, switch: Switch) -> bool {
        self.allowed.contains(&switch)
    }

    /// This set with one switch turned.
    #[must_use]
    pub fn with(mut self, switch: Switch, allow: bool) -> Self {
        if allow {
            self.allowed.insert(switch);
        } else {
            self.allowed.remove(&switch);
        }
        self
    }

    /// The switches that are on.
    pub fn allowed(&self) -> impl Iterator<Item = Switch> + '_ {
        self.allowed.iter().copied()
    }

    /// The entries that this program does not know, in the order they were read.
    pub fn others(&self) -> &[OtherPermission] {
        &self.others
    }

    /// Whether nothing at all is permitted, so that no policy needs to exist.
    pub fn is_empty(&self) -> bool {
        self.allowed.is_empty() && self.others.is_empty()
    }
}

/// A policy as read from, or just written to, Partner Center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its id; opaque.
    pub id: String,
    /// Its etag, with the quotes it is sent in; opaque, echoed in an update, never stored. Absent if Partner Center
    /// sent none.
    pub etag: Option<String>,
    /// What it permits.
    pub permissions: PermissionSet,
}

/// What Partner Center answers when it is asked for a customer's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyState {
    /// The customer has none: nothing is permitted.
    Absent,
    /// The customer has this one.
    Present(Policy),
    /// The partner has no relationship to the customer any more, and so no say over its policy.
    CustomerNotOurs,
}

impl PolicyState {
    /// The policy, if there is one.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Present(policy) => Some(policy),
            Self::Absent | Self::CustomerNotOurs => None,
        }
    }

    /// Whether the switch is on.
    pub fn allows(&self, switch: Switch) -> bool {
        self.policy().is_some_and(|policy| policy.permissions.allows(switch))
    }
}
