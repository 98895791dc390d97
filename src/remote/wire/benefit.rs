//! Reservations and savings plans of Azure, and who has a role on a reservation order.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Deserialize;
use uuid::Uuid;

use crate::model::{Benefit, PurchaseKind};

use super::{Defect, non_empty, required, text};

/// Of the times that Azure tells the utilization for, the one that is shown, in days.
const UTILIZATION_DAYS: f64 = 7.0;
/// Steps in which utilization is told. It moves a little every day, and each step costs a write.
const UTILIZATION_STEP: f64 = 5.0;

/// `ReservationResponse` or `SavingsPlanModel`
#[derive(Debug, Deserialize)]
pub(in crate::remote) struct BenefitWire {
    id: Option<String>,
    location: Option<String>,
    sku: Option<SkuWire>,
    properties: Option<BenefitProperties>,
}

#[derive(Debug, Deserialize)]
struct SkuWire {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BenefitProperties {
    display_name: Option<String>,
    reserved_resource_type: Option<String>,
    applied_scope_type: Option<String>,
    applied_scopes: Option<Vec<String>>,
    applied_scope_properties: Option<ScopeProperties>,
    term: Option<String>,
    quantity: Option<i64>,
    commitment: Option<CommitmentWire>,
    purchase_date_time: Option<String>,
    purchase_date: Option<String>,
    effective_date_time: Option<String>,
    expiry_date_time: Option<String>,
    expiry_date: Option<String>,
    renew: Option<bool>,
    utilization: Option<UtilizationWire>,
    display_provisioning_state: Option<String>,
    provisioning_state: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ScopeProperties {
    #[serde(rename = "subscriptionId")]
    subscription: Option<String>,
    #[serde(rename = "resourceGroupId")]
    resource_group: Option<String>,
    #[serde(rename = "managementGroupId")]
    management_group: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitmentWire {
    grain: Option<String>,
    currency_code: Option<String>,
    amount: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct UtilizationWire {
    aggregates: Option<Vec<AggregateWire>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AggregateWire {
    grain: Option<f64>,
    grain_unit: Option<String>,
    value: Option<f64>,
}

impl BenefitWire {
    /// What it is. Only the ids are needed: the rest is for people.
    pub(in crate::remote) fn translate(self, kind: PurchaseKind) -> Result<Benefit, Defect> {
        let (order, id) = ids(&text(self.id, "id")?)?;
        let properties = required(self.properties, "properties")?;
        let sku = self.sku.and_then(|sku| non_empty(sku.name));
        let product: Vec<String> = non_empty(properties.reserved_resource_type).into_iter().chain(sku).collect();
        let moment = |whole: Option<String>, day: Option<String>| {
            non_empty(whole).and_then(|text| moment(&text)).or(non_empty(day).and_then(|text| moment(&text)))
        };
        let scopes = properties.applied_scopes.unwrap_or_default().into_iter().filter(|scope| !scope.is_empty());
        let mut scopes: Vec<String> = scopes.collect();
        if let Some(scope) = properties.applied_scope_properties.filter(|_| scopes.is_empty()) {
            let narrowest = [scope.resource_group, scope.subscription, scope.management_group];
            scopes.extend(narrowest.into_iter().find_map(non_empty));
        }
        scopes.sort();
        Ok(Benefit {
            kind,
            id,
            order,
            display_name: non_empty(properties.display_name),
            product: (!product.is_empty()).then(|| product.join(" ")),
            scope_type: non_empty(properties.applied_scope_type),
            scopes,
            term: non_empty(properties.term),
            quantity: properties.quantity,
            commitment: properties.commitment.and_then(CommitmentWire::words),
            region: non_empty(self.location),
            purchased_at: moment(properties.purchase_date_time, properties.purchase_date)
                .or(moment(properties.effective_date_time, None)),
            expires_at: moment(properties.expiry_date_time, properties.expiry_date),
            renews: properties.renew,
            utilization_percent: properties.utilization.and_then(UtilizationWire::percent),
            state: non_empty(properties.display_provisioning_state).or(non_empty(properties.provisioning_state)),
        })
    }
}

impl CommitmentWire {
    fn words(self) -> Option<String> {
        let grain = non_empty(self.grain).unwrap_or_else(|| "Hourly".to_owned());
        Some(format!("{} {} {grain}", self.amount?, non_empty(self.currency_code)?))
    }
}

impl UtilizationWire {
    fn percent(self) -> Option<u8> {
        let is_shown = |one: &AggregateWire| {
            one.grain.is_some_and(|days| (days - UTILIZATION_DAYS).abs() < 0.5)
                && one.grain_unit.as_deref().is_none_or(|unit| unit.eq_ignore_ascii_case("days"))
        };
        let value = self.aggregates?.into_iter().find(is_shown)?.value?;
        let rounded = (value / UTILIZATION_STEP).round() * UTILIZATION_STEP;
        // Not a number becomes 0, which nothing that is in use is told to be; it is no answer then.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
        value.is_finite().then(|| rounded.clamp(0.0, 100.0) as u8)
    }
}

/// Order and id of `…/reservationOrders/{order}/reservations/{id}` or `…/savingsPlanOrders/{order}/savingsPlans/{id}`.
fn ids(path: &str) -> Result<(Uuid, Uuid), Defect> {
    let mut segments = path.trim_end_matches('/').rsplit('/');
    let (id, _, order) = (segments.next(), segments.next(), segments.next());
    let guid = |text: Option<&str>| text.and_then(|text| Uuid::try_parse(text).ok());
    guid(order).zip(guid(id)).ok_or_else(|| "id names no order and no GUID".to_owned())
}

/// A time, or the beginning of a day; UTC where the zone is left out.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let of_day = |day: Date| TimeZone::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight())).ok();
    text.parse::<Timestamp>().ok().or_else(|| match text.len() {
        10 => text.parse::<Date>().ok().and_then(of_day),
        _ => text.parse::<DateTime>().ok().and_then(|time| TimeZone::UTC.to_timestamp(time).ok()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ORDER: &str = "0aa00aa0-1111-4a11-8a11-000000000001";
    const ID: &str = "0bb00bb0-2222-4b22-8b22-000000000002";

    fn translate(kind: PurchaseKind, body: Value) -> Result<Benefit, Defect> {
        serde_json::from_value::<BenefitWire>(body).unwrap().translate(kind)
    }

    #[test]
    fn reads_a_reservation_as_azure_tells_it() {
        let found = translate(
            PurchaseKind::Reservation,
            json!({
                "id": format!("/providers/Microsoft.Capacity/reservationOrders/{ORDER}/reservations/{ID}"),
                "location": "westeurope", "sku": { "name": "Standard_D2s_v5" }, "etag": 3,
                "properties": {
                    "displayName": "VM_RI", "reservedResourceType": "VirtualMachines", "quantity": 2, "term": "P1Y",
                    "appliedScopeType": "Single", "appliedScopes": ["/subscriptions/b", "/subscriptions/a"],
                    "purchaseDate": "2026-03-02", "purchaseDateTime": "2026-03-02T09:15:00.1234567Z",
                    "expiryDate": "2027-03-02", "renew": true, "provisioningState": "Succeeded",
                    "utilization": { "trend": "UP", "aggregates": [
                        { "grain": 1, "grainUnit": "days", "value": 3, "valueUnit": "percentage" },
                        { "grain": 7, "grainUnit": "days", "value": 87.4, "valueUnit": "percentage" }] },
                },
            }),
        )
        .unwrap();
        assert_eq!((found.order.to_string().as_str(), found.id.to_string().as_str()), (ORDER, ID));
        assert_eq!(found.product.as_deref(), Some("VirtualMachines Standard_D2s_v5"));
        assert_eq!(found.scopes, ["/subscriptions/a", "/subscriptions/b"]);
        assert_eq!(found.purchased_at, Some("2026-03-02T09:15:00.1234567Z".parse().unwrap()));
        assert_eq!(found.expires_at, Some("2027-03-02T00:00:00Z".parse().unwrap()), "a day without a time");
        assert_eq!((found.renews, found.utilization_percent, found.quantity), (Some(true), Some(85), Some(2)));
        assert_eq!(found.state.as_deref(), Some("Succeeded"));
    }

    #[test]
    fn reads_a_savings_plan_and_needs_nothing_but_its_ids() {
        let id = format!("/providers/Microsoft.BillingBenefits/savingsPlanOrders/{ORDER}/savingsPlans/{ID}");
        let found = translate(
            PurchaseKind::SavingsPlan,
            json!({ "id": id, "properties": {
                "commitment": { "grain": "Hourly", "currencyCode": "USD", "amount": 0.5 },
                "appliedScopeProperties": { "subscriptionId": "/subscriptions/a" } } }),
        )
        .unwrap();
        assert_eq!(found.commitment.as_deref(), Some("0.5 USD Hourly"));
        assert_eq!(found.scopes, ["/subscriptions/a"]);
        let bare = translate(PurchaseKind::SavingsPlan, json!({ "id": id, "properties": {} })).unwrap();
        assert_eq!((bare.purchased_at, bare.utilization_percent, bare.quantity), (None, None, None));
        for (body, defect) in [
            (json!({ "properties": {} }), "id is missing"),
            (json!({ "id": "/x/y/z", "properties": {} }), "id names no order and no GUID"),
            (json!({ "id": id }), "properties is missing"),
        ] {
            assert_eq!(translate(PurchaseKind::SavingsPlan, body).unwrap_err(), defect);
        }
    }
}
