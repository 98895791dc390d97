//! Certificate authorities that are trusted beside the usual ones: those of proxies and of simulators.

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Further authorities, each known to be usable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtraRoots(Vec<CertificateDer<'static>>);

/// Why a file names no authorities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// Nothing that looks like a certificate.
    #[error("it holds no certificate: expected PEM, which begins with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// One of them is damaged.
    #[error("its certificate no. {number} cannot be read ({why})")]
    Malformed {
        /// Counted from 1.
        number: usize,
        /// What is wrong.
        why: String,
    },
}

impl ExtraRoots {
    /// The certificates of a PEM bundle; other blocks in it, such as keys, are passed over.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, RootsError> {
        let mut found = Vec::new();
        // Only to find out whether it takes them.
        let mut store = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(bundle).enumerate() {
            let malformed = |why: String| RootsError::Malformed { number: index + 1, why };
            let certificate = certificate.map_err(|error| malformed(error.to_string()))?;
            store.add(certificate.clone()).map_err(|error| malformed(error.to_string()))?;
            found.push(certificate);
        }
        if found.is_empty() { Err(RootsError::Empty) } else { Ok(Self(found)) }
    }

    pub(super) fn certificates(&self) -> Result<Vec<Certificate>, reqwest::Error> {
        self.0.iter().map(|certificate| Certificate::from_der(certificate)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::Tls;

    #[test]
    fn a_bundle_is_read_with_whatever_stands_between_its_certificates() {
        let [one, other] = [(); 2].map(|()| Tls::generate(&[]).unwrap().authority_pem().to_owned());
        let bundle = format!("# The proxy\n{one}\n# Another\n{other}");
        assert_eq!(ExtraRoots::from_pem(bundle.as_bytes()).unwrap().certificates().unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_bundle_says_why() {
        let good = Tls::generate(&[]).unwrap().authority_pem().to_owned();
        let damaged = good.replacen("-----\nMII", "-----\nAAA", 1);
        for (bundle, sentence) in [
            (String::new(), "it holds no certificate"),
            ("not PEM".to_owned(), "it holds no certificate"),
            (format!("{good}{damaged}"), "its certificate no. 2 cannot be read"),
            (good.replace("-----END", "-----FIN"), "its certificate no. 1 cannot be read"),
        ] {
            let said = ExtraRoots::from_pem(bundle.as_bytes()).unwrap_err().to_string();
            assert!(said.contains(sentence), "{bundle}: {said}");
        }
    }
}
