//! What an Azure plan is bought with: agreements, the catalogue, carts.

use serde::{Deserialize, Serialize};

use crate::model::CartId;

use super::{Defect, required, text};

/// Product of the Azure plan.
pub(in crate::remote) const AZURE_PLAN_PRODUCT: &str = "DZH318Z0BPS6";
/// Its one SKU.
pub(in crate::remote) const AZURE_PLAN_SKU: &str = "0001";
/// How often it is paid for itself: it costs nothing, what is used costs.
const BILLING_CYCLE: &str = "one_time";
/// The part that an indirect reseller has in a purchase.
const RESELLER: &str = "transaction_reseller";

/// `Agreement`
#[derive(Debug, Deserialize)]
pub(in crate::remote) struct AgreementWire {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl AgreementWire {
    pub(in crate::remote) fn is_customer_agreement(&self) -> bool {
        self.kind.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("MicrosoftCustomerAgreement"))
    }
}

/// `Availability`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct AvailabilityWire {
    catalog_item_id: Option<String>,
    is_purchasable: Option<bool>,
}

impl AvailabilityWire {
    /// What the item is called, if it is an Azure plan that can be bought.
    pub(in crate::remote) fn azure_plan(self) -> Option<String> {
        let item = self.catalog_item_id.filter(|_| self.is_purchasable != Some(false))?;
        let mut parts = item.split(':');
        let is_plan = parts.next().is_some_and(|product| product.eq_ignore_ascii_case(AZURE_PLAN_PRODUCT))
            && parts.next() == Some(AZURE_PLAN_SKU);
        is_plan.then_some(item)
    }
}

/// A cart to be made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct NewCart<'a> {
    line_items: [NewLine<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NewLine<'a> {
    id: u8,
    catalog_item_id: &'a str,
    quantity: u8,
    billing_cycle: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<[NewParticipant<'a>; 1]>,
}

#[derive(Debug, Serialize)]
struct NewParticipant<'a> {
    key: &'static str,
    value: &'a str,
}

impl<'a> NewCart<'a> {
    /// One Azure plan.
    pub(in crate::remote) fn of(item: &'a str, reseller: Option<&'a str>) -> Self {
        let participants = reseller.map(|value| [NewParticipant { key: RESELLER, value }]);
        let line = NewLine { id: 0, catalog_item_id: item, quantity: 1, billing_cycle: BILLING_CYCLE, participants };
        Self { line_items: [line] }
    }
}

/// `Cart`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct CartWire {
    id: Option<String>,
    line_items: Option<Vec<LineWire>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineWire {
    catalog_item_id: Option<String>,
    quantity: Option<u64>,
    participants: Option<Vec<ParticipantWire>>,
    error: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct ParticipantWire {
    key: Option<String>,
    value: Option<String>,
}

impl CartWire {
    /// Its id, if it holds just one of `item` for that reseller.
    pub(in crate::remote) fn holding(self, item: &str, reseller: Option<&str>) -> Result<CartId, Defect> {
        let mut lines = required(self.line_items, "lineItems")?;
        let line =
            lines.pop().filter(|_| lines.is_empty()).ok_or("lineItems has not just the one that was asked for")?;
        if line.error.is_some_and(|error| !error.is_null()) {
            return Err("lineItems has one that cannot be bought".to_owned());
        }
        let holds_item =
            line.catalog_item_id.is_some_and(|held| held.eq_ignore_ascii_case(item)) && line.quantity == Some(1);
        let held = line.participants.unwrap_or_default().into_iter().find(|one| one.key.as_deref() == Some(RESELLER));
        let held = held.and_then(|participant| participant.value);
        if !holds_item || held.as_deref() != reseller {
            return Err("lineItems has something else than was asked for".to_owned());
        }
        text(self.id, "cart id")?.parse().map_err(|_| "cart id is none that can stand in an address".to_owned())
    }
}

/// `CartCheckoutResult`
#[derive(Debug, Deserialize)]
pub(in crate::remote) struct CheckOutWire {
    orders: Option<Vec<OrderWire>>,
}

#[derive(Debug, Deserialize)]
struct OrderWire {
    id: Option<String>,
}

impl CheckOutWire {
    /// The orders that it has become: at least one.
    pub(in crate::remote) fn orders(self) -> Result<Vec<String>, Defect> {
        let orders: Vec<_> = required(self.orders, "orders")?
            .into_iter()
            .map(|order| text(order.id, "order id"))
            .collect::<Result<_, _>>()?;
        if orders.is_empty() { Err("orders is empty".to_owned()) } else { Ok(orders) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ITEM: &str = "DZH318Z0BPS6:0001:DZH318Z0BML6";

    fn cart(lines: &Value) -> Result<CartId, Defect> {
        serde_json::from_value::<CartWire>(json!({ "id": "c-1", "lineItems": lines })).unwrap().holding(ITEM, None)
    }

    #[test]
    fn only_an_azure_plan_that_can_be_bought_is_taken_from_the_catalogue() {
        let item = |body: Value| serde_json::from_value::<AvailabilityWire>(body).unwrap().azure_plan();
        assert_eq!(item(json!({ "catalogItemId": ITEM, "isPurchasable": true })).as_deref(), Some(ITEM));
        assert_eq!(item(json!({ "catalogItemId": ITEM })).as_deref(), Some(ITEM));
        for other in ["DZH318Z0BPS6:0002:X", "DZH318Z09V6F:0001:X", "DZH318Z0BPS6", ""] {
            assert_eq!(item(json!({ "catalogItemId": other })), None, "{other}");
        }
        assert_eq!(item(json!({ "catalogItemId": ITEM, "isPurchasable": false })), None);
    }

    #[test]
    fn a_cart_holds_what_was_asked_for_and_nothing_else() {
        let line = json!({ "catalogItemId": ITEM, "quantity": 1 });
        assert_eq!(cart(&json!([line])).unwrap().to_string(), "c-1");
        let other = json!({ "catalogItemId": "DZH318Z0BPS6:0002:X", "quantity": 1 });
        let more = json!({ "catalogItemId": ITEM, "quantity": 2 });
        let broken = json!({ "catalogItemId": ITEM, "quantity": 1, "error": { "errorCode": 1 } });
        let somebodys = json!({ "catalogItemId": ITEM, "quantity": 1,
                                "participants": [{ "key": "transaction_reseller", "value": "1" }] });
        for wrong in
            [json!([]), json!([line, line]), json!([other]), json!([more]), json!([broken]), json!([somebodys])]
        {
            assert!(cart(&wrong).is_err(), "{wrong}");
        }
        let sent = serde_json::to_value(NewCart::of(ITEM, Some("7"))).unwrap();
        assert_eq!(sent["lineItems"][0]["participants"], json!([{ "key": "transaction_reseller", "value": "7" }]));
        assert_eq!(serde_json::to_value(NewCart::of(ITEM, None)).unwrap()["lineItems"][0].get("participants"), None);
    }

    #[test]
    fn a_checkout_without_an_order_says_nothing() {
        let orders = |body: Value| serde_json::from_value::<CheckOutWire>(body).unwrap().orders();
        assert_eq!(orders(json!({ "orders": [{ "id": "o" }] })), Ok(vec!["o".to_owned()]));
        for wrong in [json!({}), json!({ "orders": [] }), json!({ "orders": [{}] })] {
            assert!(orders(wrong).is_err());
        }
    }
}
