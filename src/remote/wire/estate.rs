//! Subscriptions, and the Azure subscriptions below an Azure plan.

use serde::Deserialize;

use crate::model::{AzurePlanKind, AzureUse, PlanSubscription};

use super::{AZURE_PLAN_PRODUCT, Defect, id, non_empty, text};

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
    // An offer is `product:sku:availability`, and the last part differs by market.
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const AZURE: &str = "50b50b50-3333-4c33-8c33-000000000003";

    fn translate(body: Value) -> Result<Option<PlanSubscription>, Defect> {
        serde_json::from_value::<SubscriptionWire>(body).unwrap().translate()
    }

    #[test]
    fn tells_the_two_kinds_from_everything_else() {
        let kind = |offer: &str| {
            translate(json!({ "id": "7D0F", "offerId": offer, "status": "suspended" })).unwrap().map(|plan| plan.kind)
        };
        for offer in ["DZH318Z0BPS6:0001:DZH318Z0BML6", "dzh318z0bps6", "DZH318Z0BPS6:0002:X"] {
            assert_eq!(kind(offer), Some(AzurePlanKind::AzurePlan), "{offer}");
        }
        for offer in ["MS-AZR-0145P", "ms-azr-0145p", "MS-AZR-0146P", "MS-AZR-USGOV-0146P"] {
            assert_eq!(kind(offer), Some(AzurePlanKind::AzureGlobal), "{offer}");
        }
        for offer in ["DZH318Z09V6F:0001:X", "DZH318Z0BPS66:0001", "MS-AZR-0145PX", "", "X:DZH318Z0BPS6"] {
            assert_eq!(kind(offer), None, "{offer}");
        }
        assert_eq!(translate(json!({ "id": "x", "status": "active" })), Ok(None));
    }

    #[test]
    fn azure_global_is_its_own_azure_subscription() {
        let body = |status: &str, entitlement: Value| {
            translate(
                json!({ "id": "7D0F", "offerId": "MS-AZR-0145P", "status": status, "entitlementId": entitlement }),
            )
        };
        let plan = body("Active", json!(AZURE)).unwrap().unwrap();
        assert_eq!(plan.id, "7d0f");
        assert!(plan.is_active());
        assert_eq!(plan.uses, [AzureUse { id: AZURE.parse().unwrap(), status: "Active".to_owned() }]);
        assert_eq!(body("pending", Value::Null).unwrap().unwrap().uses, []);
        assert_eq!(body("active", Value::Null).unwrap_err(), "entitlementId is missing");
        assert_eq!(body("active", json!("x")).unwrap_err(), "entitlementId is not a GUID");
    }
}
