//! How the application proves to Microsoft Entra that it is itself.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How long a statement is good for, in seconds. It is sent at once; what is left is for clocks that differ.
const STATEMENT_SECONDS: i64 = 600;

/// What the application proves itself with.
#[derive(Debug, Clone)]
pub enum Proof {
    /// A secret that Microsoft Entra knows as well.
    Secret(SecretString),
    /// A certificate whose private key signs a statement for every sign-in.
    Certificate(std::sync::Arc<ClientCertificate>),
    /// A file that always holds a fresh token of somebody whom the application trusts, such as the cluster's own issuer
    /// of service account tokens. It is read anew for every sign-in.
    Federated(PathBuf),
}

/// A certificate with its private key, which fit each other.
pub struct ClientCertificate {
    key: RsaKeyPair,
    /// SHA-256 of the certificate, by which Microsoft Entra finds it.
    thumbprint: String,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// Without the key.
impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate")
            .field("thumbprint", &self.thumbprint)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Why a certificate cannot be used. The texts hold nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateDefect {
    /// No certificate in it that can be read.
    #[error("holds no certificate in PEM that can be read")]
    Certificate,
    /// No private key in it that can be read.
    #[error("holds no private key in PEM that can be read, or one that is encrypted")]
    Key,
    /// Microsoft Entra takes RSA only.
    #[error("holds a key that is not RSA of 2048 bits or more: Microsoft Entra takes no other")]
    NotRsa,
    /// The key is another certificate's.
    #[error("is the key of another certificate")]
    Mismatch,
}

/// Why a certificate is not valid at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfDate {
    /// It was valid until then.
    Expired(Timestamp),
    /// It will be valid from then on.
    NotYetValid(Timestamp),
}

impl fmt::Display for OutOfDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(at) => write!(f, "expired at {at}"),
            Self::NotYetValid(at) => write!(f, "is not valid before {at}"),
        }
    }
}

impl ClientCertificate {
    /// The first certificate of `certificates` and its private `key`, both PEM; the rest of a chain is not needed.
    pub fn from_pem(certificates: &[u8], key: &SecretString) -> Result<Self, CertificateDefect> {
        let der = CertificateDer::from_pem_slice(certificates).map_err(|_| CertificateDefect::Certificate)?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| CertificateDefect::Certificate)?;
        let moment = |seconds| Timestamp::from_second(seconds).map_err(|_| CertificateDefect::Certificate);
        let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| CertificateDefect::Key)?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(CertificateDefect::NotRsa),
        };
        let key = key.map_err(|_| CertificateDefect::NotRsa)?;
        if certificate.public_key().subject_public_key.data.as_ref() != key.public_key().as_ref() {
            return Err(CertificateDefect::Mismatch);
        }
        Ok(Self {
            key,
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
            not_before: moment(certificate.validity().not_before.timestamp())?,
            not_after: moment(certificate.validity().not_after.timestamp())?,
        })
    }

    /// What is wrong with it at this time, if it is not valid then.
    pub fn out_of_date(&self, now: Timestamp) -> Option<OutOfDate> {
        if self.not_after <= now {
            Some(OutOfDate::Expired(self.not_after))
        } else if self.not_before > now {
            Some(OutOfDate::NotYetValid(self.not_before))
        } else {
            None
        }
    }

    /// When it ends to be valid.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// SHA-256 of the certificate as base64: tells it from every other and holds nothing of the key.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// A statement that whoever sends it to `audience` is the application `client_id`. It can be used once.
    ///
    /// `None` when the system has no randomness to offer.
    pub fn statement(&self, client_id: &str, audience: &str, now: Timestamp) -> Option<SecretString> {
        let issued = now.as_second();
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": Uuid::new_v4(),
            "iat": issued, "nbf": issued, "exp": issued + STATEMENT_SECONDS,
        });
        let encoded = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::keys;
    use super::*;

    fn check(certificate: &str, key: &str, defect: CertificateDefect) {
        let error = ClientCertificate::from_pem(certificate.as_bytes(), &key.into()).unwrap_err();
        assert_eq!(error, defect);
    }

    #[test]
    fn a_certificate_that_cannot_be_used_says_why() {
        let certificate = keys::certificate(keys::APPLICATION);
        ClientCertificate::from_pem(certificate.as_bytes(), &keys::APPLICATION.into()).unwrap();
        let chain = format!("{certificate}{}", keys::certificate(keys::STRANGER));
        ClientCertificate::from_pem(chain.as_bytes(), &keys::APPLICATION.into()).unwrap();

        let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
        check(&certificate, keys::STRANGER, CertificateDefect::Mismatch);
        check(&certificate, &certificate, CertificateDefect::Key);
        check(
            &certificate,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            CertificateDefect::NotRsa,
        );
        check(&certificate, &elliptic, CertificateDefect::NotRsa);
        check(keys::APPLICATION, keys::APPLICATION, CertificateDefect::Certificate);
        check("", keys::APPLICATION, CertificateDefect::Certificate);
    }

    #[test]
    fn a_proof_shows_nothing_of_its_secret() {
        let certificate = keys::certificate(keys::APPLICATION);
        let certificate = ClientCertificate::from_pem(certificate.as_bytes(), &keys::APPLICATION.into()).unwrap();
        let statement = certificate.statement("app", "https://a.example", Timestamp::UNIX_EPOCH).unwrap();
        let shown = format!("{:?} {:?}", Proof::Secret("hush".into()), Proof::Certificate(certificate.into()));
        assert!(!shown.contains("hush"), "{shown}");
        for line in keys::APPLICATION.lines().filter(|line| line.len() > 40 && !line.contains(' ')) {
            assert!(!shown.contains(line), "{shown}");
        }
        assert!(!shown.contains(statement.expose_secret()));
    }

    #[test]
    fn no_statement_is_like_another() {
        let certificate = keys::certificate(keys::APPLICATION);
        let certificate = ClientCertificate::from_pem(certificate.as_bytes(), &keys::APPLICATION.into()).unwrap();
        let statement = || certificate.statement("app", "https://a.example", Timestamp::UNIX_EPOCH).unwrap();
        assert_ne!(statement().expose_secret(), statement().expose_secret());
    }
}
