//! The three GUIDs that are easily taken for one another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Text that should have been a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a {what}: expected a GUID, like 1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f")]
pub struct IdError {
    what: &'static str,
    text: String,
}

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// The 16 bytes of the GUID, in the order it is written.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Accepts either case, as Microsoft's services do, but only the form with hyphens.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError { what: $what, text: text.chars().take(64).collect() };
                if text.len() != 36 {
                    return Err(error());
                }
                Uuid::try_parse(text).map(Self).map_err(|_| error())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

guid! {
    /// Microsoft Entra tenant id of a customer or of the partner.
    TenantId, "tenant id"
}
guid! {
    /// Id of an Azure subscription as Azure knows it, not the id that a plan has in Partner Center.
    SubscriptionId, "subscription id"
}
guid! {
    /// Object id of a user or group in a customer's tenant.
    ObjectId, "object id"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_either_case_and_writes_lower_case() {
        let id: TenantId = "C1A0C1A0-1111-4A11-8A11-00000000000F".parse().unwrap();
        assert_eq!(id.to_string(), "c1a0c1a0-1111-4a11-8a11-00000000000f");
    }

    #[test]
    fn refuses_everything_that_is_no_hyphenated_guid() {
        for text in [
            "",
            "contoso",
            "c1a0c1a011114a118a1100000000000f",
            "{c1a0c1a0-1111-4a11-8a11-00000000000f}",
            "é".repeat(18).as_str(),
        ] {
            let error = text.parse::<TenantId>().unwrap_err().to_string();
            assert!(error.contains("is not a tenant id: expected a GUID"), "{error}");
        }
    }
}
