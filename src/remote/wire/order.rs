//! Orders and entitlements of Partner Center.

use serde::Deserialize;

use crate::model::{Entitlement, Order};

use super::benefit::moment;
use super::{Defect, id, non_empty, text};

/// Product of savings plans. An offer is `product:sku:availability`.
const SAVINGS_PLAN_PRODUCT: &str = "DZH318Z09V6F";

/// `Order`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct OrderWire {
    id: Option<String>,
    creation_date: Option<String>,
    line_items: Option<Vec<LineWire>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineWire {
    offer_id: Option<String>,
    friendly_name: Option<String>,
    term_duration: Option<String>,
    provisioning_context: Option<ContextWire>,
}

/// What it says depends on the product.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContextWire {
    subscription_id: Option<String>,
    scope: Option<String>,
}

impl OrderWire {
    pub(in crate::remote) fn translate(self) -> Result<Order, Defect> {
        let line = self.line_items.and_then(|lines| lines.into_iter().next());
        let (mut order, context) = (
            Order {
                id: text(self.id, "order id")?,
                created_at: self.creation_date.as_deref().and_then(moment),
                name: None,
                term: None,
                scope_type: None,
                subscription: None,
                is_savings_plan: false,
            },
            line.as_ref().and_then(|line| line.provisioning_context.as_ref()),
        );
        order.scope_type = context.and_then(|context| non_empty(context.scope.clone()));
        order.subscription = context.and_then(|context| non_empty(context.subscription_id.clone()));
        if let Some(line) = line {
            let product = line.offer_id.as_deref().and_then(|offer| offer.split(':').next()).unwrap_or_default();
            order.is_savings_plan = product.eq_ignore_ascii_case(SAVINGS_PLAN_PRODUCT);
            order.name = non_empty(line.friendly_name);
            order.term = non_empty(line.term_duration);
        }
        Ok(order)
    }
}

/// `Entitlement`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct RightWire {
    entitlement_type: Option<String>,
    quantity: Option<i64>,
    reference_order: Option<ReferenceWire>,
    entitled_artifacts: Option<Vec<ArtifactWire>>,
    dynamic_attributes: Option<AttributesWire>,
    expiry_date: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReferenceWire {
    id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactWire {
    artifact_type: Option<String>,
    resource_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributesWire {
    reservation_type: Option<String>,
}

impl RightWire {
    /// The right to a reservation, or `None` for something else, or while Azure has no reservation order for it yet.
    pub(in crate::remote) fn translate(self) -> Result<Option<Entitlement>, Defect> {
        // The documents spell it in three ways.
        let is_reservation =
            |word: Option<&str>| word.is_some_and(|word| word.to_ascii_lowercase().ends_with("reservedinstance"));
        if !is_reservation(self.entitlement_type.as_deref()) {
            return Ok(None);
        }
        let artifacts = self.entitled_artifacts.unwrap_or_default();
        let artifact = artifacts.into_iter().find(|one| is_reservation(one.artifact_type.as_deref()));
        let Some(resource) = artifact.and_then(|one| non_empty(one.resource_id)) else { return Ok(None) };
        Ok(Some(Entitlement {
            azure_order: id(Some(resource), "entitledArtifacts resourceId")?,
            order: self.reference_order.and_then(|order| non_empty(order.id)),
            product: self.dynamic_attributes.and_then(|attributes| non_empty(attributes.reservation_type)),
            quantity: self.quantity,
            expires_at: self.expiry_date.as_deref().and_then(moment),
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_right_to_a_reservation_is_told_from_others() {
        let read = |body| serde_json::from_value::<RightWire>(body).unwrap().translate();
        let azure = "0aa00aa0-1111-4a11-8a11-000000000001";
        let found = read(json!({
            "entitlementType": "reservedinstance", "quantity": 2, "referenceOrder": { "id": "o1V1", "lineItemId": 0 },
            "entitledArtifacts": [{ "artifactType": "software" },
                { "artifactType": "virtualMachineReservedInstance", "resourceId": azure }],
            "dynamicAttributes": { "reservationType": "virtualmachines" }, "expiryDate": "2027-03-02T00:00:00Z",
        }))
        .unwrap()
        .unwrap();
        assert_eq!((found.azure_order.to_string().as_str(), found.order.as_deref()), (azure, Some("o1V1")));
        assert_eq!((found.quantity, found.product.as_deref()), (Some(2), Some("virtualmachines")));
        assert!(found.expires_at.is_some());
        assert_eq!(read(json!({ "entitlementType": "software" })), Ok(None));
        assert_eq!(read(json!({ "entitlementType": "ReservedInstance" })), Ok(None), "nothing in Azure yet");
        let odd = json!({ "entitlementType": "reservedInstance",
            "entitledArtifacts": [{ "artifactType": "reservedInstance", "resourceId": "x" }] });
        assert_eq!(read(odd).unwrap_err(), "entitledArtifacts resourceId is not a GUID");
    }

    #[test]
    fn an_order_is_read_by_its_first_line() {
        let read = |body| serde_json::from_value::<OrderWire>(body).unwrap().translate();
        let found = read(json!({
            "id": "o1V1", "creationDate": "2026-03-02T09:15:00.0000000Z",
            "lineItems": [{ "offerId": "dzh318z09v6f:0001:X", "friendlyName": "Plan", "termDuration": "P3Y",
                "provisioningContext": { "subscriptionId": "s", "scope": "shared" } }],
        }))
        .unwrap();
        assert!(found.is_savings_plan && found.created_at.is_some());
        assert_eq!((found.term.as_deref(), found.scope_type.as_deref()), (Some("P3Y"), Some("shared")));
        let bare = read(json!({ "id": "o2V1" })).unwrap();
        assert_eq!((bare.created_at, bare.is_savings_plan, bare.name), (None, false, None));
        assert_eq!(read(json!({})).unwrap_err(), "order id is missing");
    }
}
