//! The Activity log page, in the columns and the names of Partner Center's.

use std::collections::BTreeSet;

use askama::Template;
use axum::http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::form::asked;
use super::paging::Paging;
use super::shell::{Moment, Place, Shell};
use super::{page, people, problem};
use crate::simulator::audit::{RETENTION, Record};
use crate::simulator::exchange::{Outcome, Request};
use crate::simulator::state::State;

/// Records on one page.
const PAGE_SIZE: usize = 50;

/// What the portal shows when no time is asked for.
const SPAN: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Debug, Template)]
#[template(path = "activity.html")]
struct Activity {
    shell: Shell,
    filter: Filter,
    operations: Vec<Operation>,
    rows: Vec<Row>,
    paging: Paging,
}

/// What is asked for, as it was written.
#[derive(Debug)]
struct Filter {
    customer: String,
    user: String,
    operation: String,
    from: String,
    until: String,
}

/// A kind of record that there is.
#[derive(Debug)]
struct Operation {
    name: String,
    title: String,
}

#[derive(Debug)]
struct Row {
    at: Moment,
    customer: String,
    /// When the customer still is the partner's.
    tenant: Option<Uuid>,
    action: String,
    user: String,
    result: String,
    correlation_id: String,
}

pub(super) fn list(state: &State, request: &Request) -> Outcome {
    let person = people::signed_in(state, request);
    if !person.is_admin_agent() {
        let said = format!("Only Admin agents see the activity log, and {} is {}.", person.upn, person.title());
        return Err(problem(state, request, StatusCode::FORBIDDEN, "You don’t have permission to see this", &said));
    }
    let text = |name| asked(request, name).unwrap_or_default().to_owned();
    let shell = Shell::new(state, request, Place::Activity, "Activity log");
    let date = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let mut filter = Filter {
        customer: text("customer"),
        user: text("user"),
        operation: text("operation"),
        from: text("from"),
        until: text("until"),
    };
    if filter.from.is_empty() {
        filter.from = date(request.at - SPAN).to_string();
    }
    let times = parsed(&filter.from).and_then(|from| {
        let until = if filter.until.is_empty() { date(request.at) } else { parsed(&filter.until)? };
        // Up to the end of that day.
        Ok((start(from), start(until) + SignedDuration::from_hours(24)))
    });
    let (from, until) = match times {
        Ok(times) => times,
        Err(said) => {
            let paging = Paging::of(request, "records", 0, PAGE_SIZE);
            let shell = shell.refused(&said, "/portal/activity");
            let nothing = Activity { shell, filter, operations: Vec::new(), rows: Vec::new(), paging };
            return Err(page(StatusCode::BAD_REQUEST, &nothing));
        }
    };
    let everything = state.audit.newest_first(request.at - RETENTION, Timestamp::MAX, None, request.at);
    let names: BTreeSet<&str> = everything.map(|(_, record)| record.operation.as_str()).collect();
    let found = state.audit.newest_first(from, until, None, request.at).map(|(_, record)| record);
    let found: Vec<&Record> = found.filter(|record| filter.accepts(record)).collect();
    let paging = Paging::of(request, "records", found.len(), PAGE_SIZE);
    let rows = found.into_iter().skip(paging.skip).take(paging.size).map(|record| row(state, record)).collect();
    let operations = names.into_iter().map(|name| Operation { name: name.to_owned(), title: action(name) }).collect();
    Ok(page(StatusCode::OK, &Activity { shell, filter, operations, rows, paging }))
}

fn parsed(date: &str) -> Result<Date, String> {
    let parsed: Option<Date> = date.parse().ok();
    // Elsewhere the end of such a day might be beyond all time.
    let parsed = parsed.filter(|date| (1970..9000).contains(&date.year()));
    parsed.ok_or_else(|| format!("`{date}` is no date: write it like 2026-03-01."))
}

fn start(date: Date) -> Timestamp {
    date.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |midnight| midnight.timestamp())
}

impl Filter {
    fn accepts(&self, record: &Record) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let is_customer = has(&record.customer_name, &self.customer) || record.customer.to_string() == self.customer;
        is_customer
            && has(&who(record), &self.user)
            && [record.operation.as_str(), ""].contains(&self.operation.as_str())
    }
}

/// A user, or the service that did it.
fn who(record: &Record) -> String {
    record.user.clone().unwrap_or_else(|| record.application.clone())
}

fn row(state: &State, record: &Record) -> Row {
    Row {
        at: Moment(record.at),
        customer: record.customer_name.clone(),
        tenant: Some(record.customer).filter(|tenant| state.customers.contains_key(tenant)),
        action: action(&record.operation),
        user: who(record),
        result: record.status.clone(),
        correlation_id: record.correlation_id.clone(),
    }
}

/// What the portal calls an operation; the three of purchase permissions are named by Microsoft's help article.
fn action(operation: &str) -> String {
    let operation = operation.replace("self_serve_policy", "customer_purchase_permissions");
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    };
    operation.split('_').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_names_of_the_portal() {
        for (operation, name) in [
            ("create_self_serve_policy", "Create Customer Purchase Permissions"),
            ("delete_self_serve_policy", "Delete Customer Purchase Permissions"),
            ("create_order", "Create Order"),
            ("", ""),
        ] {
            assert_eq!(action(operation), name);
        }
    }
}
