//! Keys and certificates for tests.

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// The private key of the application.
pub(crate) const APPLICATION: &str = include_str!("../../../tests/keys/application.pem");
/// Somebody else's.
pub(crate) const STRANGER: &str = include_str!("../../../tests/keys/stranger.pem");

/// A certificate of the key's owner, valid for all of this century, as PEM.
pub(crate) fn certificate(key: &str) -> String {
    certificate_until(key, 2099)
}

/// The same, valid until this year begins.
pub(crate) fn certificate_until(key: &str, year: i32) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    params.self_signed(&KeyPair::from_pem(key).unwrap()).unwrap().pem()
}
