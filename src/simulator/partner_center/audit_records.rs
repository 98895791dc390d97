//! Audit records, the API behind the portal's activity log:
//! <https://learn.microsoft.com/en-us/partner-center/developer/get-a-record-of-partner-center-activity-by-user>.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::caller::{Needs, authenticate};
use super::collection::{self, Filter};
use super::refusal::{invalid_property, unbindable};
use crate::simulator::audit::{self, Position, Record};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::settings::{AuditWindow, PageSize};
use crate::simulator::state::State;

/// The most days between `startDate` and `endDate` of one request.
const WINDOW_DAYS: i32 = 30;

/// How far back a request may ask.
const RETENTION_DAYS: i32 = 90;

/// What to list: also the content of a continuation token.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Query {
    from: Date,
    to: Date,
    size: PageSize,
    search: Option<Search>,
    below: Option<Position>,
}

/// The one condition of a filter, with its value in lower case.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Search {
    Customer(String),
    ResourceType(String),
    CompanyName(String),
}

impl Search {
    fn of(request: &Request) -> Result<Option<Self>, Answer> {
        let Some(Filter { field, value, operator }) = Filter::of(request)? else {
            return Ok(None);
        };
        match (field.as_str(), operator.as_str()) {
            ("customerid", "equals") => Ok(Some(Self::Customer(value))),
            // Documented as the enum member's name; records spell the same word in snake case.
            ("resourcetype", "equals") => Ok(Some(Self::ResourceType(value.replace('_', "")))),
            ("companyname", "substring") => Ok(Some(Self::CompanyName(value))),
            _ => Err(invalid_property(&format!("Audit records cannot be filtered by {field} with {operator}."))),
        }
    }

    fn finds(&self, record: &Record) -> bool {
        match self {
            Self::Customer(id) => record.customer.to_string() == *id,
            Self::ResourceType(name) => record.resource_type.replace('_', "") == *name,
            Self::CompanyName(part) => record.customer_name.to_lowercase().contains(part),
        }
    }
}

pub(super) fn list(state: &State, request: &Request) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let query = match collection::continuation::<Query>(request)? {
        Some(query) => query,
        None => first_page(state, request)?,
    };
    let (Ok(from), Ok(until)) = (midnight(query.from), query.to.checked_add(1.day()).and_then(midnight)) else {
        return Err(unbindable());
    };
    let mut found = state
        .audit
        .newest_first(from, until, query.below, request.at)
        .filter(|(_, record)| query.search.as_ref().is_none_or(|search| search.finds(record)));
    let page: Vec<(Position, &Record)> = found.by_ref().take(query.size.get()).collect();
    let items: Vec<Value> = page.iter().map(|(_, record)| to_json(state, record)).collect();
    let uri = format!("/auditrecords?startDate={}&endDate={}&size={}", query.from, query.to, query.size.get());
    let last = page.last().map(|(position, _)| *position);
    let rest = found.next().is_some().then(|| Query { below: last, ..query.clone() });
    let next = rest.as_ref().map(|rest| (format!("{uri}&seekOperation=Next"), rest));
    Ok(Answer::ok(&collection::page(&items, &uri, next)))
}

/// An absent record is `null`, not 404.
pub(super) fn get(state: &State, request: &Request, id: &str) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let record = state.audit.get(id, request.at);
    Ok(Answer::ok(&record.map_or(Value::Null, |record| to_json(state, record))))
}

fn first_page(state: &State, request: &Request) -> Result<Query, Answer> {
    let today = request.at.to_zoned(TimeZone::UTC).date();
    let start = date_parameter(request, "startDate")?;
    let end = date_parameter(request, "endDate")?;
    let to = end.unwrap_or_else(|| start.map_or(today, |start| today.max(start)));
    let from = start.unwrap_or_else(|| to.saturating_sub(WINDOW_DAYS.days()));
    if from < today.saturating_sub(RETENTION_DAYS.days()) {
        return Err(invalid_property(&format!("startDate is at most {RETENTION_DAYS} days ago.")));
    }
    if to < from {
        return Err(invalid_property("endDate is before startDate."));
    }
    let window_end = from.saturating_add(WINDOW_DAYS.days());
    if to > window_end && state.settings.audit_window == AuditWindow::Refuse {
        return Err(invalid_property(&format!("startDate and endDate are at most {WINDOW_DAYS} days apart.")));
    }
    let size = state.settings.default_audit_page_size.requested(request.query("size"));
    let size = size.map_err(|text| invalid_property(&text))?;
    Ok(Query { from, to: to.min(window_end), size, search: Search::of(request)?, below: None })
}

fn date_parameter(request: &Request, name: &str) -> Result<Option<Date>, Answer> {
    request.query(name).map(|text| date(text).ok_or_else(unbindable)).transpose()
}

/// A date as `2026-03-01`, or as the .NET SDK writes it: `03/01/2026 00:00:00`. The time of day does not count.
fn date(text: &str) -> Option<Date> {
    let day = text.split([' ', 'T']).next()?;
    ["%Y-%m-%d", "%m/%d/%Y"].iter().find_map(|form| Date::strptime(form, day).ok())
}

fn midnight(date: Date) -> Result<Timestamp, jiff::Error> {
    date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
}

fn to_json(state: &State, record: &Record) -> Value {
    let customized: Vec<Value> =
        record.customized.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let mut body = json!({
        "id": record.id,
        "partnerId": state.partner.tenant_id,
        "customerId": record.customer,
        "customerName": record.customer_name,
        "participants": [state.partner.tenant_id, record.customer],
        "applicationId": record.application,
        "resourceType": record.resource_type,
        "operationType": record.operation,
        "originalCorrelationId": record.correlation_id,
        "operationDate": audit::operation_date(record.at),
        "operationStatus": record.status,
        "customizedData": customized,
        "attributes": { "objectType": "AuditRecord" },
    });
    let optional = [
        ("userPrincipalName", &record.user),
        ("resourceOldValue", &record.old_value),
        ("resourceNewValue", &record.new_value),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_both_forms_and_nothing_else() {
        let expected = Some(jiff::civil::date(2026, 3, 16));
        assert_eq!(date("2026-03-16"), expected);
        assert_eq!(date("03/16/2026 00:00:00"), expected);
        assert_eq!(date("2026-03-16T00:00:00Z"), expected);
        // Day of the year, which Microsoft's Java SDK sends by mistake.
        assert_eq!(date("2026-03-75"), None);
        assert_eq!(date("yesterday"), None);
    }
}
