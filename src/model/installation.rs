//! Correlation ids by which an installation recognises its own writes in the activity log.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::TenantId;

/// One installation of the operator.
///
/// Every write carries an `MS-CorrelationId` that Partner Center repeats in the activity record. It is a `UUIDv8` whose
/// first 48 bits are a hash of the installation and the customer's tenant, so that a record is recognised after any
/// crash without having stored anything; the other bits are random, so that no two writes share one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation(String);

/// Whose request a correlation id belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This installation's.
    Own,
    /// Another installation's: nobody else uses version 8.
    Rival,
    /// Anybody else's, or unknown.
    Other,
}

impl Installation {
    /// The installation called `id`; stable across restarts, different between installations.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// A correlation id for one write that concerns `customer`; `random` must be new for every write.
    pub fn correlation_id(&self, customer: TenantId, random: [u8; 10]) -> Uuid {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&self.mark(customer));
        bytes[6..].copy_from_slice(&random);
        // `new_v8` puts the version and variant bits behind the first 48.
        Uuid::new_v8(bytes)
    }

    /// Whose write about `customer` carried `correlation_id`.
    pub fn origin(&self, customer: TenantId, correlation_id: &str) -> Origin {
        match Uuid::try_parse(correlation_id) {
            Ok(id) if id.get_version_num() != 8 => Origin::Other,
            Ok(id) if id.as_bytes()[..6] == self.mark(customer) => Origin::Own,
            Ok(_) => Origin::Rival,
            Err(_) => Origin::Other,
        }
    }

    fn mark(&self, customer: TenantId) -> [u8; 6] {
        let mut hash = Sha256::new();
        hash.update(self.0.as_bytes());
        // The tenant has a fixed length, so no separator is needed.
        hash.update(customer.as_bytes());
        let digest = hash.finalize();
        [digest[0], digest[1], digest[2], digest[3], digest[4], digest[5]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(last: u8) -> TenantId {
        format!("c1a0c1a0-1111-4a11-8a11-0000000000{last:02x}").parse().unwrap()
    }

    #[test]
    fn recognises_its_own_and_no_others() {
        let ours = Installation::new("ours");
        let id = ours.correlation_id(tenant(1), [7; 10]);
        assert_eq!(id.get_version_num(), 8);
        assert_eq!(ours.origin(tenant(1), &id.to_string().to_uppercase()), Origin::Own);
        assert_eq!(ours.origin(tenant(2), &id.to_string()), Origin::Rival);
        assert_eq!(Installation::new("theirs").origin(tenant(1), &id.to_string()), Origin::Rival);
        assert_eq!(ours.origin(tenant(1), "0f7c3a52-9d2e-4d0b-8a53-2b1f0e9b7a10"), Origin::Other);
        assert_eq!(ours.origin(tenant(1), "no id"), Origin::Other);
    }

    #[test]
    fn every_write_has_its_own() {
        let ours = Installation::new("ours");
        assert_ne!(ours.correlation_id(tenant(1), [1; 10]), ours.correlation_id(tenant(1), [2; 10]));
    }
}
