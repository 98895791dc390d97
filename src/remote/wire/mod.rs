//! Microsoft's words, exactly as sent, and their translation: the only place that knows both languages.
//!
//! Fields that nobody reads are left out, unknown fields and words are fine, optional fields may be missing or null. A
//! required field that is missing is an error that names it.

mod activity;
mod benefit;
mod billing;
mod customer;
mod estate;
mod graph;
mod order;
mod owner;
mod plan_purchase;
mod policy;
mod relationship;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

pub(super) use activity::{RecordWire, activity_filter, orders_filter};
pub(super) use benefit::BenefitWire;
pub(super) use billing::{AccountPage, ChargesWire, OperationWire};
pub(super) use customer::CustomerWire;
pub(super) use estate::{EntitlementWire, SubscriptionWire};
pub(super) use graph::{GroupWire, UserWire};
pub(super) use order::{OrderWire, RightWire};
pub(super) use owner::{AssignmentWire, NewAssignment, NewPrincipal};
pub(super) use plan_purchase::{
    AZURE_PLAN_PRODUCT, AZURE_PLAN_SKU, AgreementWire, AvailabilityWire, CartWire, CheckOutWire, NewCart,
};
pub(super) use policy::{PolicyWire, Terms, is_policy_id};
pub(super) use relationship::{PROVIDER_OF, RESELLER_OF, RelationshipWire};

/// An item of a list that can do without those of its items that cannot be read.
#[derive(Debug)]
pub(super) struct Item<T>(Result<T, Defect>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let item = serde_path_to_error::deserialize(value)
            .map_err(|error: serde_path_to_error::Error<serde_json::Error>| wrong_type(&error));
        Ok(Self(item))
    }
}

impl<T> Item<T> {
    pub(super) fn read(self) -> Result<T, Defect> {
        self.0
    }
}

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

/// One page of a list of Azure's or Graph's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LinkedPage<T> {
    value: Option<Vec<T>>,
    /// Graph has another name for it.
    #[serde(alias = "@odata.nextLink")]
    next_link: Option<String>,
}

impl<T> LinkedPage<T> {
    /// The items and the address of the next page.
    pub(super) fn open(self) -> Result<(Vec<T>, Option<String>), Defect> {
        // A body without `value` is not an empty list: that would be taken for "holds nothing" or "member of nothing".
        Ok((required(self.value, "value")?, non_empty(self.next_link)))
    }
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
    let body = without_mark(body);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| defect(body, &error))?;
    reader.end().map_err(|_| "something after the end of the JSON".to_owned())?;
    Ok(value)
}

/// The parser's own words quote the body, so they are not passed on; where it was is only our names and counts.
fn defect(body: &[u8], error: &serde_path_to_error::Error<serde_json::Error>) -> Defect {
    match (body.trim_ascii_start().first(), error.inner().classify()) {
        (None, _) => "no body where JSON was expected".to_owned(),
        (Some(b'<'), _) => {
            "a web page where JSON was expected; a proxy, or a wrong address, answers like this".to_owned()
        }
        (_, Category::Eof) => "the JSON breaks off".to_owned(),
        (_, Category::Syntax | Category::Io) => "not JSON".to_owned(),
        (_, Category::Data) => wrong_type(error),
    }
}

fn wrong_type(error: &serde_path_to_error::Error<serde_json::Error>) -> Defect {
    match error.path().to_string().as_str() {
        "." => "another kind of JSON than expected".to_owned(),
        path => format!("{path} is of another type than expected"),
    }
}

/// JSON in UTF-8 needs no byte order mark; .NET services sometimes send one, and the parser would stumble over it.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
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
