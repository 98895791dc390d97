//! What Partner Center says of a customer.

use std::fmt;

/// A customer as Partner Center knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerProfile {
    /// Company name.
    pub company_name: Option<String>,
    /// Primary domain of the tenant.
    pub domain: Option<String>,
    /// The domains that it has added to its tenant, in lower case.
    pub custom_domains: Vec<String>,
    /// Relationship to the partner.
    pub relationship: Relationship,
}

/// Relationship of a customer to the partner. Only a reseller may change purchase permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relationship {
    /// The partner resells to the customer.
    Reseller,
    /// Anything else, in Partner Center's own word.
    Other(String),
}

impl fmt::Display for Relationship {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reseller => f.write_str("reseller"),
            Self::Other(word) => f.write_str(word),
        }
    }
}
