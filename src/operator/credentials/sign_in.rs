//! The Secret that the user owns.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

use super::keys;
use crate::model::TenantId;
use crate::remote::{CertificateDefect, ClientCertificate, Proof};

/// What the user's Secret says.
#[derive(Debug, Clone)]
pub(super) struct SignIn {
    /// The partner's tenant.
    pub(super) partner_tenant: TenantId,
    /// The application there, a GUID in lower case.
    pub(super) client_id: String,
    /// What the application proves itself with.
    pub(super) proof: Proof,
    /// The refresh token of a user of the partner.
    pub(super) refresh_token: SecretString,
}

/// Why the user's Secret cannot be used. The texts name the key and what to do, and hold nothing of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Defect {
    #[error(
        "the Secret {secret} does not exist: run: kubectl csp login, or create it with the keys partnerTenantId, clientId, clientSecret and refreshToken"
    )]
    Missing { secret: String },
    #[error("the Secret {secret} has no key {key}: add {what}")]
    MissingKey { secret: String, key: &'static str, what: &'static str },
    #[error("the key {key} of the Secret {secret} is empty: set it to {what}")]
    EmptyKey { secret: String, key: &'static str, what: &'static str },
    #[error("the key {key} of the Secret {secret} is not {what}")]
    Malformed { secret: String, key: &'static str, what: &'static str },
    #[error(
        "the Secret {secret} has nothing by which the application proves itself: add clientSecret, or tls.crt and tls.key, or start the operator with --federated-token-file"
    )]
    NoProof { secret: String },
    #[error("the Secret {secret} has both clientSecret and tls.crt: keep the one that is valid and remove the other")]
    TwoProofs { secret: String },
    #[error(
        "--federated-token-file is set, and the Secret {secret} has the key {key} as well: keep one of them, so that it is clear how the application proves itself"
    )]
    FederatedAndOther { secret: String, key: &'static str },
    #[error("the key {key} of the Secret {secret} {defect}")]
    Certificate { secret: String, key: &'static str, defect: CertificateDefect },
}

/// A key, and what belongs under it.
type Field = (&'static str, &'static str);

const TENANT: Field = (keys::TENANT, "the id of the partner's tenant, a GUID");
const CLIENT: Field = (keys::CLIENT, "the id of the application registered there, a GUID");
const CLIENT_SECRET: Field = (keys::CLIENT_SECRET, "a secret of that application, one line of text");
const REFRESH_TOKEN: Field =
    (keys::REFRESH_TOKEN, "a refresh token of a user who signed in to that application with MFA, one line of text");
const CERTIFICATE: Field = (keys::CERTIFICATE, "a certificate that is registered with that application, as PEM");
const KEY: Field = (keys::KEY, "the private key of the certificate in tls.crt, as PEM");

/// The user's Secret, while it is read.
struct Reading<'a> {
    secret: &'a Secret,
    name: &'a str,
}

impl<'a> Reading<'a> {
    fn has(&self, (key, _): Field) -> bool {
        self.secret.data.as_ref().is_some_and(|data| data.contains_key(key))
    }

    /// Text of one or more lines.
    fn lines(&self, (key, what): Field) -> Result<&'a str, Defect> {
        let secret = || self.name.to_owned();
        let bytes = self.secret.data.as_ref().and_then(|data| data.get(key));
        let bytes = bytes.ok_or_else(|| Defect::MissingKey { secret: secret(), key, what })?;
        // A newline at the end comes with many a way to fill a Secret.
        let text = std::str::from_utf8(&bytes.0).map_err(|_| self.malformed((key, what)))?.trim();
        if text.is_empty() { Err(Defect::EmptyKey { secret: secret(), key, what }) } else { Ok(text) }
    }

    fn line(&self, field: Field) -> Result<&'a str, Defect> {
        let text = self.lines(field)?;
        if text.chars().any(|char| char.is_control() || char.is_whitespace()) {
            return Err(self.malformed(field));
        }
        Ok(text)
    }

    fn guid(&self, field: Field) -> Result<TenantId, Defect> {
        self.line(field)?.parse().map_err(|_| self.malformed(field))
    }

    fn malformed(&self, (key, what): Field) -> Defect {
        Defect::Malformed { secret: self.name.to_owned(), key, what }
    }

    fn proof(&self, federated: Option<&Path>) -> Result<Proof, Defect> {
        let secret = || self.name.to_owned();
        let Some(path) = federated else {
            return self.stored_proof()?.ok_or_else(|| Defect::NoProof { secret: secret() });
        };
        if self.has(CLIENT_SECRET) {
            Err(Defect::FederatedAndOther { secret: secret(), key: CLIENT_SECRET.0 })
        } else if self.has(CERTIFICATE) || self.has(KEY) {
            Err(Defect::FederatedAndOther { secret: secret(), key: CERTIFICATE.0 })
        } else {
            Ok(Proof::Federated(path.to_owned()))
        }
    }

    /// Exactly one way to prove itself: with two, nobody could say which one is about to expire.
    fn stored_proof(&self) -> Result<Option<Proof>, Defect> {
        let secret = || self.name.to_owned();
        match (self.has(CLIENT_SECRET), self.has(CERTIFICATE) || self.has(KEY)) {
            (false, false) => Ok(None),
            (true, true) => Err(Defect::TwoProofs { secret: secret() }),
            (true, false) => Ok(Some(Proof::Secret(self.line(CLIENT_SECRET)?.into()))),
            (false, true) => {
                let (certificate, key) = (self.lines(CERTIFICATE)?, self.lines(KEY)?);
                ClientCertificate::from_pem(certificate.as_bytes(), &key.into())
                    .map(|certificate| Some(Proof::Certificate(Arc::new(certificate))))
                    .map_err(|defect| {
                        let key = if defect == CertificateDefect::Certificate { CERTIFICATE.0 } else { KEY.0 };
                        Defect::Certificate { secret: secret(), key, defect }
                    })
            }
        }
    }
}

/// What the Secret called `name` has to prove the application with; nothing is no defect where the proof comes from
/// elsewhere.
pub(crate) fn stored_proof(secret: &Secret, name: &str) -> Result<Option<Proof>, Defect> {
    Reading { secret, name }.stored_proof()
}

/// What a person is to do about a certificate of the Secret called `name` that is not valid at this time.
pub(crate) fn out_of_date(proof: &Proof, name: &str, now: Timestamp) -> Option<String> {
    let Proof::Certificate(certificate) = proof else { return None };
    let out_of_date = certificate.out_of_date(now)?;
    Some(format!(
        "the certificate in the key tls.crt of the Secret {name} {out_of_date}: put in one that is valid, and register it with the application"
    ))
}

impl SignIn {
    /// Reads the Secret called `name`, absent when there is none. `federated` is the file with the application's proof,
    /// if it is not in the Secret.
    pub(super) fn read(found: Option<&Secret>, name: &str, federated: Option<&Path>) -> Result<Self, Defect> {
        Self::proven_by(found, name, |reading| reading.proof(federated))
    }

    /// The same with this proof, if there is one, whatever the Secret has.
    pub(super) fn read_with(found: Option<&Secret>, name: &str, proof: Option<Proof>) -> Result<Self, Defect> {
        Self::proven_by(found, name, |reading| proof.map_or_else(|| reading.proof(None), Ok))
    }

    fn proven_by(
        found: Option<&Secret>,
        name: &str,
        proof: impl FnOnce(&Reading<'_>) -> Result<Proof, Defect>,
    ) -> Result<Self, Defect> {
        let secret = found.ok_or_else(|| Defect::Missing { secret: name.to_owned() })?;
        let reading = Reading { secret, name };
        Ok(Self {
            partner_tenant: reading.guid(TENANT)?,
            // Any GUID will do, and that is what this type checks.
            client_id: reading.guid(CLIENT)?.to_string(),
            proof: proof(&reading)?,
            refresh_token: reading.line(REFRESH_TOKEN)?.into(),
        })
    }

    /// What a person should know of the proof at this time; `name` is the Secret's. No reason not to use it: that is for
    /// Entra to say when a token is asked for, by its own clock, and a revoke does without for as long as there is one.
    pub(super) fn note(&self, name: &str, now: Timestamp) -> Option<String> {
        out_of_date(&self.proof, name, now)
    }

    /// When the application's proof ends, if that can be known. A client secret does not tell, and a federated token is
    /// always fresh.
    pub(super) fn proof_ends(&self) -> Option<Timestamp> {
        match &self.proof {
            Proof::Certificate(certificate) => Some(certificate.not_after()),
            Proof::Secret(_) | Proof::Federated(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use secrecy::ExposeSecret as _;

    use super::*;

    const GUID: &str = "C1A0C1A0-1111-4A11-8A11-00000000000F";

    fn secret(change: (&str, Option<&[u8]>)) -> Secret {
        let mut data = std::collections::BTreeMap::new();
        for (key, value) in
            [("partnerTenantId", GUID), ("clientId", GUID), ("clientSecret", "hush-1"), ("refreshToken", "hush-2")]
        {
            data.insert(key.to_owned(), ByteString(value.into()));
        }
        match change {
            (key, Some(value)) => data.insert(key.to_owned(), ByteString(value.into())),
            (key, None) => data.remove(key),
        };
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn a_complete_secret_is_read() {
        let read = SignIn::read(Some(&secret(("clientSecret", Some(b" hush-1\n")))), "a/b", None).unwrap();
        assert_eq!(read.client_id, GUID.to_lowercase());
        let Proof::Secret(secret) = &read.proof else { panic!("{read:?}") };
        assert_eq!(secret.expose_secret(), "hush-1");
        assert_eq!(read.proof_ends(), None);
        assert!(!format!("{read:?}").contains("hush"));
    }

    #[test]
    fn defects_name_the_secret_the_key_and_what_to_do() {
        for (change, text) in [
            (
                ("clientId", None),
                "the Secret a/b has no key clientId: add the id of the application registered there, a GUID",
            ),
            (
                ("clientSecret", None),
                "the Secret a/b has nothing by which the application proves itself: add clientSecret",
            ),
            (
                ("tls.crt", Some(&b"hush"[..])),
                "the Secret a/b has both clientSecret and tls.crt: keep the one that is valid",
            ),
            (
                ("refreshToken", Some(b" \n")),
                "the key refreshToken of the Secret a/b is empty: set it to a refresh token",
            ),
            (
                ("partnerTenantId", Some(b"hush.onmicrosoft.com")),
                "the key partnerTenantId of the Secret a/b is not the id of the partner's tenant, a GUID",
            ),
            (("clientId", Some(b"hush")), "the key clientId of the Secret a/b is not the id of the application"),
            (("clientSecret", Some(b"hush\nhush")), "the key clientSecret of the Secret a/b is not a secret of"),
            (("refreshToken", Some(b"hush\xff")), "the key refreshToken of the Secret a/b is not a refresh token"),
        ] {
            let error = SignIn::read(Some(&secret(change)), "a/b", None).unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
        let error = SignIn::read(None, "a/b", None).unwrap_err().to_string();
        assert!(error.starts_with("the Secret a/b does not exist: run: kubectl csp login, or create it"), "{error}");
    }

    const APPLICATION_KEY: &str = include_str!("../../../tests/keys/application.pem");
    const STRANGERS_KEY: &str = include_str!("../../../tests/keys/stranger.pem");

    /// A certificate of the application that is valid from 2001 to the beginning of this year.
    fn certificate(year: i32) -> String {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.self_signed(&rcgen::KeyPair::from_pem(APPLICATION_KEY).unwrap()).unwrap().pem()
    }

    /// Reads a Secret that has a certificate instead of a client secret.
    fn with_certificate(entries: &[(&str, &str)], federated: Option<&Path>) -> Result<SignIn, Defect> {
        let mut secret = secret(("clientSecret", None));
        for (key, value) in entries {
            secret.data.as_mut().unwrap().insert((*key).to_owned(), ByteString((*value).into()));
        }
        SignIn::read(Some(&secret), "a/b", federated)
    }

    #[test]
    fn a_certificate_takes_the_place_of_the_client_secret() {
        let certificate = certificate(2040);
        let read = with_certificate(&[("tls.crt", &certificate), ("tls.key", APPLICATION_KEY)], None).unwrap();
        let end: Timestamp = "2040-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(read.proof_ends(), Some(end));
        let at = |text: &str| read.note("a/b", text.parse().unwrap());
        assert_eq!(at("2039-12-31T23:59:59Z"), None);
        let note = at("2040-01-01T00:00:00Z").unwrap();
        assert!(note.contains("of the Secret a/b expired at 2040-01-01T00:00:00Z: put in one that is valid"), "{note}");
        let note = at("2000-12-31T23:59:59Z").unwrap();
        assert!(note.contains("of the Secret a/b is not valid before 2001-01-01T00:00:00Z: put in one"), "{note}");
    }

    #[test]
    fn a_certificate_that_cannot_be_used_is_told_with_its_key() {
        let certificate = certificate(2040);
        for (entries, text) in [
            (vec![("tls.crt", certificate.as_str())], "the Secret a/b has no key tls.key: add the private key of"),
            (vec![("tls.key", APPLICATION_KEY)], "the Secret a/b has no key tls.crt: add a certificate that"),
            (
                vec![("tls.crt", &certificate), ("tls.key", STRANGERS_KEY)],
                "the key tls.key of the Secret a/b is the key of another certificate",
            ),
            (
                vec![("tls.crt", "hush"), ("tls.key", APPLICATION_KEY)],
                "the key tls.crt of the Secret a/b holds no certificate in PEM that can be read",
            ),
            (
                vec![("tls.crt", &certificate), ("tls.key", "hush")],
                "the key tls.key of the Secret a/b holds no private key in PEM",
            ),
        ] {
            let error = with_certificate(&entries, None).unwrap_err().to_string();
            assert!(error.starts_with(text) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_federated_token_file_stands_alone() {
        let file = Path::new("/token");
        let read = with_certificate(&[], Some(file)).unwrap();
        assert!(matches!(&read.proof, Proof::Federated(path) if path == file), "{read:?}");
        let error = with_certificate(&[("tls.crt", "x")], Some(file)).unwrap_err().to_string();
        assert!(error.starts_with("--federated-token-file is set, and the Secret a/b has the key tls.crt"), "{error}");
        let error = SignIn::read(Some(&secret(("clientId", Some(GUID.as_bytes())))), "a/b", Some(file)).unwrap_err();
        assert!(error.to_string().contains("has the key clientSecret as well: keep one"), "{error}");
    }
}
