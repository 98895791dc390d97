//! TLS with certificates made at start: Microsoft's sign-in libraries refuse anything but https.
//!
//! The certificates are judged by their callers' clocks, so their dates come from this machine's clock, never from the
//! simulated one; and their keys never leave the process, so they come from the operating system, never from the seed.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// The names that every server certificate is good for. Some clients, mono among them, take no address for a name.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// How long certificates are valid. Some systems distrust those of more than 398 days, whoever has signed them.
const VALID_DAYS: i64 = 397;

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A further name cannot stand in a certificate.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    Name(String),
    /// The certificates could not be made.
    #[error("cannot make certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// The TLS library refuses them.
    #[error("cannot set up TLS: {0}")]
    Library(#[from] rustls::Error),
}

/// A certificate authority that was made just now, and a server certificate that it has signed.
#[derive(Clone)]
pub struct Tls {
    authority_pem: String,
    acceptor: TlsAcceptor,
}

/// Without the private key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("authority_pem", &self.authority_pem).finish_non_exhaustive()
    }
}

impl Tls {
    /// Makes both, for `localhost`, the loopback addresses, and these further DNS names or IP addresses.
    pub fn generate(names: &[String]) -> Result<Self, TlsError> {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let authority = authority(today)?;
        let key = KeyPair::generate()?;
        let certificate = server(today, names)?.signed_by(&key, &authority)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority_pem: authority.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The authority's certificate, as PEM: what a client has to trust.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

fn authority(today: Date) -> Result<CertifiedIssuer<'static, KeyPair>, TlsError> {
    let mut params = dated(CertificateParams::default(), today);
    params.distinguished_name.push(DnType::CommonName, "csp-simulator CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

fn server(today: Date, names: &[String]) -> Result<CertificateParams, TlsError> {
    let mut params = dated(CertificateParams::new(NAMES.map(str::to_owned))?, today);
    for name in names {
        let further = CertificateParams::new([name.clone()]).map_err(|_| TlsError::Name(name.clone()))?;
        let is_name = !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter == '/');
        if !is_name {
            return Err(TlsError::Name(name.clone()));
        }
        params.subject_alt_names.extend(further.subject_alt_names);
    }
    params.distinguished_name.push(DnType::CommonName, "csp-simulator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict clients, such as Python's, ask for it.
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Valid since yesterday, for clocks that are a little behind.
fn dated(mut params: CertificateParams, today: Date) -> CertificateParams {
    let moment = |days: i64| {
        let date = today.saturating_add(days.days());
        // Both are within 1 to 31.
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        date_time_ymd(i32::from(date.year()), month, day)
    };
    (params.not_before, params.not_after) = (moment(-1), moment(VALID_DAYS - 1));
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_one_is_refused() {
        for name in ["", "två", "a b", "https://localhost"] {
            let error = Tls::generate(&[name.to_owned()]).expect_err(name);
            assert_eq!(error.to_string(), format!("`{name}` is neither a DNS name nor an IP address"));
        }
        Tls::generate(&["simulator.test".to_owned(), "10.0.0.1".to_owned()]).expect("names");
    }

    #[test]
    fn every_run_has_an_authority_of_its_own_and_shows_no_key() {
        let (one, other) = (Tls::generate(&[]).expect("made"), Tls::generate(&[]).expect("made"));
        assert_ne!(one.authority_pem(), other.authority_pem());
        assert!(one.authority_pem().starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}
