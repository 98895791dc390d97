//! Audit records.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::model::{ActivityOperation, ActivityRecord, OrderRecord};

use super::{Defect, non_empty, text};

/// `AuditRecord`. What changed is not read: its form is not documented, and the policy itself is the truth.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::remote) struct RecordWire {
    id: Option<String>,
    customer_id: Option<String>,
    user_principal_name: Option<String>,
    application_id: Option<String>,
    resource_type: Option<String>,
    operation_type: Option<String>,
    operation_date: Option<String>,
    operation_status: Option<String>,
    original_correlation_id: Option<String>,
    /// Read only of orders, and never worth losing a record for.
    customized_data: Option<Value>,
}

/// The filter that asks for records about policies, of all customers.
pub(in crate::remote) fn activity_filter() -> &'static str {
    r#"{"Field":"ResourceType","Value":"SelfServePolicy","Operator":"equals"}"#
}

/// The filter that asks for records about orders, of all customers.
pub(in crate::remote) fn orders_filter() -> &'static str {
    r#"{"Field":"ResourceType","Value":"Order","Operator":"equals"}"#
}

impl RecordWire {
    /// The new order that it tells of, or `None` when it is about something else, or about no customer or order.
    pub(in crate::remote) fn order(self) -> Result<Option<OrderRecord>, Defect> {
        let is_new = plain(self.operation_type.as_deref().unwrap_or_default()) == "createorder";
        let has_failed = self
            .operation_status
            .is_some_and(|status| ["failed", "decline"].contains(&status.to_ascii_lowercase().as_str()));
        let customer = self.customer_id.as_deref().and_then(|customer| customer.parse().ok());
        let order = self.customized_data.as_ref().and_then(|pairs| value_of(pairs, "OrderId"));
        let (Some(customer), Some(order), true) = (customer, order, is_new && !has_failed) else { return Ok(None) };
        Ok(Some(OrderRecord {
            id: text(self.id, "audit record id")?,
            customer,
            at: time(&text(self.operation_date, "operationDate")?)?,
            order,
            actor: non_empty(self.user_principal_name),
        }))
    }

    /// The record, or `None` when it is about something else or about no customer.
    pub(in crate::remote) fn translate(self) -> Result<Option<ActivityRecord>, Defect> {
        if plain(self.resource_type.as_deref().unwrap_or_default()) != "selfservepolicy" {
            tracing::debug!(resource_type = self.resource_type, "skipped an activity record about something else");
            return Ok(None);
        }
        let id = text(self.id, "audit record id")?;
        let Some(customer) = self.customer_id.as_deref().and_then(|customer| customer.parse().ok()) else {
            tracing::debug!(record = id, "skipped an activity record without a customer");
            return Ok(None);
        };
        Ok(Some(ActivityRecord {
            id,
            customer,
            at: time(&text(self.operation_date, "operationDate")?)?,
            operation: operation(self.operation_type.unwrap_or_default()),
            actor: non_empty(self.user_principal_name).or(non_empty(self.application_id)),
            correlation_id: non_empty(self.original_correlation_id).map(|id| id.to_ascii_lowercase()),
            // Not worth losing the record for.
            status: non_empty(self.operation_status).unwrap_or_else(|| "unknown".to_owned()),
        }))
    }
}

/// The value of a key in `customizedData`.
fn value_of(pairs: &Value, key: &str) -> Option<String> {
    let is_key = |pair: &&Value| pair["key"].as_str().is_some_and(|found| found.eq_ignore_ascii_case(key));
    let value = pairs.as_array()?.iter().find(is_key)?["value"].as_str()?;
    non_empty(Some(value.to_owned()))
}

/// The words differ in case and underscores between the documents, the SDK and the wire.
fn plain(word: &str) -> String {
    word.chars().filter(|letter| *letter != '_').map(|letter| letter.to_ascii_lowercase()).collect()
}

fn operation(word: String) -> ActivityOperation {
    match plain(&word).as_str() {
        "createselfservepolicy" => ActivityOperation::Create,
        "updateselfservepolicy" => ActivityOperation::Update,
        "deleteselfservepolicy" => ActivityOperation::Delete,
        _ => ActivityOperation::Other(word),
    }
}

/// UTC, also where the zone is left out, as .NET does.
fn time(text: &str) -> Result<Timestamp, Defect> {
    text.parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(|time| TimeZone::UTC.to_timestamp(time)))
        .map_err(|_| "operationDate is no time".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sample() -> Value {
        json!({
            "id": "r1", "customerId": "C1A0C1A0-1111-4a11-8a11-000000000001", "customerName": "Fabrikam",
            "userPrincipalName": "operator@contoso.example", "applicationId": "app", "resourceType": "self_serve_policy",
            "resourceNewValue": "{\"Id\":1}", "operationType": "create_self_serve_policy",
            "originalCorrelationId": "0F7C3A52-9d2e-4d0b-8a53-2b1f0e9b7a10",
            "operationDate": "2026-03-01T08:00:00.1234567Z", "operationStatus": "succeeded", "customizedData": []
        })
    }

    /// The sample with some fields replaced.
    fn translate(changes: &Value) -> Result<Option<ActivityRecord>, Defect> {
        let mut body = sample();
        for (field, value) in changes.as_object().unwrap() {
            body[field] = value.clone();
        }
        serde_json::from_value::<RecordWire>(body).unwrap().translate()
    }

    #[test]
    fn reads_a_record() {
        let record = translate(&json!({})).unwrap().unwrap();
        assert_eq!(record.customer.to_string(), "c1a0c1a0-1111-4a11-8a11-000000000001");
        assert_eq!(record.at, "2026-03-01T08:00:00.1234567Z".parse().unwrap());
        assert_eq!(record.operation, ActivityOperation::Create);
        assert_eq!(record.actor.as_deref(), Some("operator@contoso.example"));
        assert_eq!(record.correlation_id.as_deref(), Some("0f7c3a52-9d2e-4d0b-8a53-2b1f0e9b7a10"));
        assert_eq!(record.status, "succeeded");
    }

    #[test]
    fn reads_the_words_in_either_form_and_times_without_a_zone() {
        let operation = |word: &str| translate(&json!({ "operationType": word })).unwrap().unwrap().operation;
        assert_eq!(operation("UpdateSelfServePolicy"), ActivityOperation::Update);
        assert_eq!(operation("delete_self_serve_policy"), ActivityOperation::Delete);
        assert_eq!(operation("frobnicate"), ActivityOperation::Other("frobnicate".to_owned()));
        assert!(translate(&json!({ "resourceType": "SelfServePolicy" })).unwrap().is_some());
        let record = translate(&json!({ "operationDate": "2026-03-01T08:00:00" })).unwrap().unwrap();
        assert_eq!(record.at, "2026-03-01T08:00:00Z".parse().unwrap());
        let record = translate(&json!({ "userPrincipalName": "", "originalCorrelationId": null })).unwrap().unwrap();
        assert_eq!((record.actor.as_deref(), record.correlation_id), (Some("app"), None));
    }

    #[test]
    fn keeps_how_it_ended_does_without_a_person_and_reads_no_values() {
        for status in ["succeeded", "failed", "progress", "decline", "on_hold"] {
            assert_eq!(translate(&json!({ "operationStatus": status })).unwrap().unwrap().status, status);
        }
        let nobody = json!({ "userPrincipalName": null, "applicationId": null, "sessionId": null });
        assert_eq!(translate(&nobody).unwrap().unwrap().actor, None);
        let values = json!({ "resourceOldValue": 5, "resourceNewValue": ["{"], "customizedData": null });
        assert_eq!(translate(&values), translate(&json!({})));
    }

    #[test]
    fn a_new_order_is_read_from_what_the_portal_shows_of_it() {
        let read = |changes: &Value| {
            let mut body = sample();
            body["resourceType"] = json!("order");
            body["operationType"] = json!("create_order");
            body["customizedData"] =
                json!([{ "key": "OfferId-0", "value": null }, { "key": "OrderId", "value": "o1V1" }]);
            for (field, value) in changes.as_object().unwrap() {
                body[field] = value.clone();
            }
            serde_json::from_value::<RecordWire>(body).unwrap().order()
        };
        let found = read(&json!({})).unwrap().unwrap();
        assert_eq!((found.order.as_str(), found.actor.as_deref()), ("o1V1", Some("operator@contoso.example")));
        for nothing in [
            json!({ "operationType": "update_order" }),
            json!({ "operationStatus": "failed" }),
            json!({ "customizedData": null }),
            json!({ "customizedData": [{ "key": "OrderId" }] }),
            json!({ "customizedData": 5 }),
            json!({ "customerId": "" }),
        ] {
            assert_eq!(read(&nothing), Ok(None), "{nothing}");
        }
    }

    #[test]
    fn skips_what_is_about_something_else_and_refuses_half_a_record() {
        for changes in [
            json!({ "resourceType": "order", "id": null }),
            json!({ "resourceType": null }),
            json!({ "customerId": "" }),
            json!({ "customerId": null }),
        ] {
            assert_eq!(translate(&changes), Ok(None), "{changes}");
        }
        assert_eq!(translate(&json!({ "id": null })).unwrap_err(), "audit record id is missing");
        let vague = translate(&json!({ "operationType": null, "operationStatus": null })).unwrap().unwrap();
        assert_eq!((vague.operation, vague.status.as_str()), (ActivityOperation::Other(String::new()), "unknown"));
        assert_eq!(translate(&json!({ "operationDate": "yesterday" })).unwrap_err(), "operationDate is no time");
    }
}
