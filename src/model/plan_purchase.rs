//! The purchase of an Azure plan, as it is remembered outside of any custom resource.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Id of a cart in Partner Center, as it gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CartId(String);

/// Text that is no id of a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no id of a cart")]
pub struct CartIdError;

impl FromStr for CartId {
    type Err = CartIdError;

    /// Only what can stand in an address as it is.
    fn from_str(text: &str) -> Result<Self, CartIdError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_id = (1..=100).contains(&text.len()) && text.bytes().all(is_plain);
        is_id.then(|| Self(text.to_owned())).ok_or(CartIdError)
    }
}

impl TryFrom<String> for CartId {
    type Error = CartIdError;

    fn try_from(text: String) -> Result<Self, CartIdError> {
        text.parse()
    }
}

impl From<CartId> for String {
    fn from(id: CartId) -> Self {
        id.0
    }
}

impl fmt::Display for CartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far the one purchase of a customer's Azure plan has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanPurchase {
    /// The only cart that is ever checked out, but for those of which it is certain that nothing was bought with them.
    pub cart: CartId,
    /// Partner id of the indirect reseller that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reseller: Option<String>,
    /// When the stage began.
    pub at: Timestamp,
    /// How far it has come.
    pub stage: PurchaseStage,
    /// Why checking it out was refused, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// How far a purchase has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PurchaseStage {
    /// There is a cart. Nothing has been bought with it.
    Prepared,
    /// It may have been checked out.
    Sent,
    /// Checking it out was refused. Nothing has been bought with it.
    Refused,
    /// There is no such cart any more. Nothing has been bought with it.
    Expired,
    /// There is no such cart any more, and it may have been checked out.
    Unclear,
    /// It was checked out.
    Bought,
}

/// What came of checking out a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOut {
    /// It has become an order.
    Ordered,
    /// Partner Center has refused it for certain.
    Refused,
    /// Partner Center knows no such cart.
    NoSuchCart,
    /// There is no telling.
    Unknown,
}

impl PurchaseStage {
    /// What a cart of this stage comes to when checking it out ends so.
    #[must_use]
    pub fn after(self, end: CheckOut) -> Self {
        // What may have been bought once may have been bought, whatever is said of it later.
        let is_certain = matches!(self, Self::Prepared | Self::Refused);
        match end {
            CheckOut::Ordered => Self::Bought,
            CheckOut::Refused if is_certain => Self::Refused,
            CheckOut::NoSuchCart if is_certain => Self::Expired,
            CheckOut::NoSuchCart => Self::Unclear,
            CheckOut::Refused | CheckOut::Unknown => Self::Sent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_bought_is_never_taken_for_not_bought() {
        use CheckOut::{NoSuchCart, Ordered, Refused as No, Unknown};
        use PurchaseStage::{Bought, Expired, Prepared, Refused, Sent, Unclear};
        for (before, end, after) in [
            (Prepared, Ordered, Bought),
            (Prepared, No, Refused),
            (Prepared, NoSuchCart, Expired),
            (Prepared, Unknown, Sent),
            (Refused, No, Refused),
            (Refused, NoSuchCart, Expired),
            (Refused, Unknown, Sent),
            (Sent, Ordered, Bought),
            (Sent, No, Sent),
            (Sent, NoSuchCart, Unclear),
            (Sent, Unknown, Sent),
        ] {
            assert_eq!(before.after(end), after, "{before:?} {end:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_read_back_and_what_is_not_understood_is_an_error() {
        let text = r#"{"cart":"b4c8fdea-cbe4-4d17-9576-13fcacbf9605","at":"2026-03-02T08:00:00Z","stage":"sent"}"#;
        let read: PlanPurchase = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        for wrong in ["", "{}", &text.replace("sent", "new"), &text.replace("b4c8", "a/"), &text.replace("cart", "c")] {
            assert!(serde_json::from_str::<PlanPurchase>(wrong).is_err(), "{wrong}");
        }
    }
}
