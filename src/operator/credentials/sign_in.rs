//! The Secret that the user owns.

use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

use crate::model::TenantId;

/// What the user's Secret says.
#[derive(Debug, Clone)]
pub(super) struct SignIn {
    /// The partner's tenant.
    pub(super) partner_tenant: TenantId,
    /// The application there, a GUID in lower case.
    pub(super) client_id: String,
    /// The application's secret.
    pub(super) client_secret: SecretString,
    /// The refresh token of a user of the partner.
    pub(super) refresh_token: SecretString,
}

/// Why the user's Secret cannot be used. The texts name the key and what to do, and hold nothing of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Defect {
    #[error(
        "the Secret {secret} does not exist: create it with the keys partnerTenantId, clientId, clientSecret and refreshToken"
    )]
    Missing { secret: String },
    #[error("the Secret {secret} has no key {key}: add {what}")]
    MissingKey { secret: String, key: &'static str, what: &'static str },
    #[error("the key {key} of the Secret {secret} is empty: set it to {what}")]
    EmptyKey { secret: String, key: &'static str, what: &'static str },
    #[error("the key {key} of the Secret {secret} is not {what}")]
    Malformed { secret: String, key: &'static str, what: &'static str },
}

const TENANT: (&str, &str) = ("partnerTenantId", "the id of the partner's tenant, a GUID");
const CLIENT: (&str, &str) = ("clientId", "the id of the application registered there, a GUID");
const CLIENT_SECRET: (&str, &str) = ("clientSecret", "a secret of that application, one line of text");
const REFRESH_TOKEN: (&str, &str) =
    ("refreshToken", "a refresh token of a user who signed in to that application with MFA, one line of text");

impl SignIn {
    /// Reads the Secret called `name`, absent when there is none.
    pub(super) fn read(found: Option<&Secret>, name: &str) -> Result<Self, Defect> {
        let secret = found.ok_or_else(|| Defect::Missing { secret: name.to_owned() })?;
        let malformed = |(key, what)| Defect::Malformed { secret: name.to_owned(), key, what };
        let text = |(key, what): (&'static str, &'static str)| {
            let bytes = secret.data.as_ref().and_then(|data| data.get(key)).ok_or_else(|| Defect::MissingKey {
                secret: name.to_owned(),
                key,
                what,
            })?;
            // A newline at the end comes with many a way to fill a Secret.
            let text = std::str::from_utf8(&bytes.0).map_err(|_| malformed((key, what)))?.trim();
            if text.is_empty() {
                return Err(Defect::EmptyKey { secret: name.to_owned(), key, what });
            }
            if text.chars().any(|char| char.is_control() || char.is_whitespace()) {
                return Err(malformed((key, what)));
            }
            Ok(text)
        };
        let guid = |field| text(field)?.parse::<TenantId>().map_err(|_| malformed(field));
        Ok(Self {
            partner_tenant: guid(TENANT)?,
            // Any GUID will do, and that is what this type checks.
            client_id: guid(CLIENT)?.to_string(),
            client_secret: text(CLIENT_SECRET)?.into(),
            refresh_token: text(REFRESH_TOKEN)?.into(),
        })
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
        let read = SignIn::read(Some(&secret(("clientSecret", Some(b" hush-1\n")))), "a/b").unwrap();
        assert_eq!(read.client_id, GUID.to_lowercase());
        assert_eq!(read.client_secret.expose_secret(), "hush-1");
        assert!(!format!("{read:?}").contains("hush"));
    }

    #[test]
    fn defects_name_the_secret_the_key_and_what_to_do() {
        for (change, text) in [
            (
                ("clientSecret", None),
                "the Secret a/b has no key clientSecret: add a secret of that application, one line of text",
            ),
            (
                ("refreshToken", Some(&b" \n"[..])),
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
            let error = SignIn::read(Some(&secret(change)), "a/b").unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
        let error = SignIn::read(None, "a/b").unwrap_err().to_string();
        assert!(error.starts_with("the Secret a/b does not exist: create it with"), "{error}");
    }
}
