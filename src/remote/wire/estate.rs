//! Subscriptions, and the Azure subscriptions below an Azure plan.

use serde::Deserialize;

use crate::model::{AzurePlanKind, AzureUse, PlanSubscription};

use super::{Defect, id, non_empty, text};

/// Product of the Azure plan. An offer is `product:sku:availability`, and the last part differs by market.
const AZURE_PLAN_PRODUCT: &str = "DZH318Z0BPS6";
/// Offers of Azure Global: production, sandbox, US Government.
const AZURE_GLOBAL_OFFERS: [&str; 3] = ["MS-AZR-0145P", "MS-AZR-0146P", "MS-AZR-USGOV-0146P"];

/// `Subscription`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct SubscriptionWire {
    id: Option<String>,
    offer_id: Option<String>,
    status: Option<String>,
    entitlement_id: Option<String>,
}

impl SubscriptionWire {
    /// The plan, or `None` for the many products that Azure cannot be used through. The Azure subscriptions of an Azure
    /// plan have to be asked for.
    pub(in crate::remote) fn translate(self) -> Result<Option<PlanSubscription>, Defect> {
        let Some(kind) = self.offer_id.as_deref().and_then(kind) else { return Ok(None) };
        let plan = text(self.id, "subscription id")?.to_ascii_lowercase();
        let status = text(self.status, "subscription status")?;
        let uses = match (kind, non_empty(self.entitlement_id)) {
            (AzurePlanKind::AzurePlan, _) => Vec::new(),
            (AzurePlanKind::AzureGlobal, Some(entitlement)) => {
                vec![AzureUse { id: id(Some(entitlement), "entitlementId")?, status: status.clone() }]
            }
            // Before it is provisioned, and long after it is gone, it has no Azure subscription.
            (AzurePlanKind::AzureGlobal, None) if !status.eq_ignore_ascii_case("active") => Vec::new(),
            (AzurePlanKind::AzureGlobal, None) => return Err("entitlementId is missing".to_owned()),
        };
        Ok(Some(PlanSubscription { id: plan, kind, status, uses }))
    }
}

fn kind(offer: &str) -> Option<AzurePlanKind> {
    let product = offer.split(':').next().unwrap_or_default();
    if product.eq_ignore_ascii_case(AZURE_PLAN_PRODUCT) {
        Some(AzurePlanKind::AzurePlan)
    } else if AZURE_GLOBAL_OFFERS.iter().any(|known| offer.eq_ignore_ascii_case(known)) {
        Some(AzurePlanKind::AzureGlobal)
    } else {
        None
    }
}

/// `AzureEntitlement`: an Azure subscription below an Azure plan.
#[derive(Debug, Deserialize)]
pub(in crate::remote) struct EntitlementWire {
    id: Option<String>,
    status: Option<String>,
}

impl EntitlementWire {
    pub(in crate::remote) fn translate(self) -> Result<AzureUse, Defect> {
        Ok(AzureUse { id: id(self.id, "azureEntitlement id")?, status: text(self.status, "azureEntitlement status")? })
    }
}
