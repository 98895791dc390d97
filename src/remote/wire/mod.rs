//! Microsoft's words, exactly as sent, and their translation: the only place that knows both languages.
//!
//! Fields that nobody reads are left out, unknown fields and words are fine, optional fields may be missing or null. A
//! required field that is missing is an error that names it.

mod activity;
mod customer;
mod estate;
mod graph;
mod owner;
mod policy;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) use activity::{RecordWire, activity_filter};
pub(super) use customer::CustomerWire;
pub(super) use estate::{EntitlementWire, SubscriptionWire};
pub(super) use graph::{GraphPage, GroupWire};
pub(super) use owner::AssignmentPage;
pub(super) use policy::{PolicyWire, Terms, is_policy_id};

/// What is wrong with an answer; a field's name and nothing that varies.
pub(super) type Defect = String;

/// One page of a Partner Center list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    items: Option<Vec<T>>,
    links: Option<Links>,
}

#[derive(Debug, Deserialize)]
struct Links {
    next: Option<Link>,
}

/// A link to follow.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) uri: Option<String>,
    pub(super) method: Option<String>,
    pub(super) headers: Option<Vec<LinkHeader>>,
}

/// A header that belongs on the request.
#[derive(Debug, Deserialize)]
pub(super) struct LinkHeader {
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

impl<T> Page<T> {
    /// The items and the way to the next page.
    pub(super) fn open(self) -> Result<(Vec<T>, Option<Link>), Defect> {
        // A body without `items` is not an empty list: that would be taken for "no policy", or "no customer".
        let items = required(self.items, "items")?;
        Ok((items, self.links.and_then(|links| links.next)))
    }
}

/// Reads a body.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Defect> {
    // The parser's own words quote the body, so they are not passed on.
    serde_json::from_slice(body).map_err(|error| format!("not the JSON expected ({:?} error)", error.classify()))
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, Defect> {
    value.ok_or_else(|| format!("{field} is missing"))
}

fn text(value: Option<String>, field: &str) -> Result<String, Defect> {
    required(value.filter(|text| !text.is_empty()), field)
}

fn id<T: std::str::FromStr>(value: Option<String>, field: &str) -> Result<T, Defect> {
    text(value, field)?.parse().map_err(|_| format!("{field} is not a GUID"))
}

fn non_empty(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.is_empty())
}
