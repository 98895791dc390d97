//! The partner's billing account, and what customers see of their charges.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Name of a billing account, as Azure writes it: two GUIDs and a date, of no further meaning here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BillingAccount(String);

/// Text that is no name of a billing account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no name of a billing account")]
pub struct BillingAccountError;

impl FromStr for BillingAccount {
    type Err = BillingAccountError;

    /// Only what can stand in an address as it is, but for the colon.
    fn from_str(text: &str) -> Result<Self, BillingAccountError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
        let is_name = (1..=200).contains(&text.len()) && text.bytes().all(is_plain);
        is_name.then(|| Self(text.to_owned())).ok_or(BillingAccountError)
    }
}

impl fmt::Display for BillingAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a customer sees its charges in Cost Management.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeView {
    /// It sees them, at pay-as-you-go retail rates.
    Visible,
    /// It does not.
    Hidden,
    /// Something else, in a word of Azure's.
    Other,
}

/// What became of a change of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeChange {
    /// It is so now.
    Done,
    /// Azure is at work on it.
    Running {
        /// Where to ask how it is getting on.
        operation: String,
        /// How long to wait before that.
        wait: Duration,
    },
    /// It was accepted, and nothing tells whether it is done.
    Unclear,
}

/// How a change is getting on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeProgress {
    /// Azure is still at work on it.
    Running {
        /// How long to wait before asking again.
        wait: Duration,
    },
    /// It is over: done, given up by Azure, or forgotten. What is so now has to be read.
    Over,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_stand_in_an_address() {
        let name = "aaaa0000-8888-4b22-9b22-000000000008:aaaa0000-9999-4b22-9b22-000000000009_2019-05-31";
        assert_eq!(name.parse::<BillingAccount>().unwrap().to_string(), name);
        for wrong in ["", "a/b", "a b", "a?b", "..", "a%2Fb", &"a".repeat(201)] {
            assert!(wrong.parse::<BillingAccount>().is_err(), "{wrong}");
        }
    }
}
