//! What a customer has of Azure, and who owns it.

use std::collections::BTreeSet;

use super::{ObjectId, SubscriptionId};

/// All that a customer has of Azure through the partner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureEstate {
    /// Azure plans and Azure Global subscriptions, active or not. Other products are left out.
    pub plans: Vec<PlanSubscription>,
}

/// A subscription in Partner Center that Azure can be used through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSubscription {
    /// Its id in Partner Center, in lower case. Not an Azure subscription id.
    pub id: String,
    /// Azure plan or Azure Global.
    pub kind: AzurePlanKind,
    /// Status in Partner Center's own word.
    pub status: String,
    /// The Azure subscriptions below it.
    pub uses: Vec<AzureUse>,
}

/// The two products through which a CSP customer uses Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AzurePlanKind {
    /// The modern kind; many Azure subscriptions below one plan.
    AzurePlan,
    /// Microsoft Azure (MS-AZR-0145P); the subscription itself.
    AzureGlobal,
}

/// One Azure subscription of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureUse {
    /// Its id in Azure.
    pub id: SubscriptionId,
    /// Status in Partner Center's own word.
    pub status: String,
}

impl PlanSubscription {
    /// Whether the plan may be used.
    pub fn is_active(&self) -> bool {
        self.status.eq_ignore_ascii_case("active")
    }
}

impl AzureUse {
    /// Whether the subscription may be used.
    pub fn is_active(&self) -> bool {
        self.status.eq_ignore_ascii_case("active")
    }
}

/// Who holds the role Owner on one Azure subscription, at its scope or above, as far as was asked.
///
/// Principals of the partner (`ForeignGroup`) and service principals are left out: they are not key users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerHolders {
    /// The customer's users and groups to whom Owner is assigned directly.
    pub direct: BTreeSet<ObjectId>,
    /// Those of `asked` who hold it through a group.
    pub through_groups: BTreeSet<ObjectId>,
    /// The principals whose group memberships were looked up, or needed no look-up because they are in `direct`.
    pub asked: BTreeSet<ObjectId>,
}

impl OwnerHolders {
    /// Whether `principal` holds Owner; `None` when that was not asked.
    pub fn holds(&self, principal: ObjectId) -> Option<bool> {
        if self.direct.contains(&principal) || self.through_groups.contains(&principal) {
            return Some(true);
        }
        self.asked.contains(&principal).then_some(false)
    }
}
