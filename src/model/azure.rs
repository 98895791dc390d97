//! What a customer has of Azure.

use super::SubscriptionId;

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
