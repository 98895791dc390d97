//! Audit records.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::model::{ActivityOperation, ActivityRecord};

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
}

/// The filter that asks for records about policies, of all customers.
pub(in crate::remote) fn activity_filter() -> &'static str {
    r#"{"Field":"ResourceType","Value":"SelfServePolicy","Operator":"equals"}"#
}

impl RecordWire {
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
            operation: operation(text(self.operation_type, "operationType")?),
            actor: non_empty(self.user_principal_name).or(non_empty(self.application_id)),
            correlation_id: non_empty(self.original_correlation_id).map(|id| id.to_ascii_lowercase()),
            status: text(self.operation_status, "operationStatus")?,
        }))
    }
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
