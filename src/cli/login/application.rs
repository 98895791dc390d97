//! As which application a person signs in, from the options and from what the Secret has.

use jiff::Timestamp;
use secrecy::SecretString;

use super::secret::Stored;
use crate::cli::args::LoginArgs;
use crate::cli::secret_file::{SecretFileError, read_secret};
use crate::model::TenantId;
use crate::operator::{CredentialsDefect, proof_out_of_date};
use crate::remote::Proof;

/// The application, and where it is registered.
#[derive(Debug)]
pub(super) struct Application {
    /// The tenant as Entra is asked for it: an id or a domain.
    pub(super) authority: String,
    /// The same, when it was given as an id.
    pub(super) tenant: Option<TenantId>,
    /// A GUID in lower case.
    pub(super) client_id: String,
    /// Nothing for a public client.
    pub(super) proof: Option<Proof>,
    /// A client secret that is to go into the Secret.
    pub(super) new_client_secret: Option<SecretString>,
}

/// Why nobody can sign in yet.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ApplicationError {
    #[error("the partner's tenant is not known: name it with --tenant; the Secret {secret} has no partnerTenantId")]
    NoTenant { secret: String },
    #[error("\"{0}\" is no tenant: expected an id, like 1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f, or a domain")]
    NotATenant(String),
    #[error("the application is not known: name it with --client-id; the Secret {secret} has no clientId")]
    NoClientId { secret: String },
    #[error("\"{0}\" is no application id: expected a GUID, like 1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f")]
    NotAClientId(String),
    #[error(
        "the application's secret is not known, for the Secret {secret} has neither clientSecret nor tls.crt: give it with --client-secret-file (and add --no-store-client-secret where the operator runs with --federated-token-file), or say --public-client"
    )]
    NoProof { secret: String },
    #[error(
        "the clientSecret of the Secret {secret} belongs to application {stored}: give that of {wanted} with --client-secret-file, which takes its place, or remove clientSecret"
    )]
    OtherApplication { secret: String, stored: String, wanted: String },
    #[error(
        "the Secret {secret} has a certificate already, and the operator takes one proof only: leave out --client-secret-file, or add --no-store-client-secret, or remove tls.crt and tls.key"
    )]
    TwoProofs { secret: String },
    /// The operator would refuse it as well.
    #[error(transparent)]
    Stored(#[from] CredentialsDefect),
    /// The operator leaves that to Entra's clock; here the statement is dated by the same clock, and would be refused.
    #[error("{0}; or set this machine's clock, if it is wrong")]
    OutOfDate(String),
    #[error(transparent)]
    File(#[from] SecretFileError),
}

impl Application {
    /// Whether the options name all of it, so that nothing has to be known of the Secret.
    pub(super) fn is_named_by(args: &LoginArgs) -> bool {
        let has_proof = args.public_client || args.client_secret_file.is_some();
        args.tenant.is_some() && args.client_id.is_some() && has_proof
    }

    /// The application that the options name; what they leave out is as `stored` has it.
    pub(super) fn choose(args: &LoginArgs, stored: &Stored, now: Timestamp) -> Result<Self, ApplicationError> {
        let secret = || format!("{}/{}", args.namespace, args.secret);
        let authority = args.tenant.clone().or_else(|| stored.tenant.clone());
        let authority = authority.ok_or_else(|| ApplicationError::NoTenant { secret: secret() })?;
        let tenant = authority.parse::<TenantId>().ok();
        if tenant.is_none() && !is_domain(&authority) {
            return Err(ApplicationError::NotATenant(authority));
        }
        let client_id = args.client_id.clone().or_else(|| stored.client_id.clone());
        let client_id = client_id.ok_or_else(|| ApplicationError::NoClientId { secret: secret() })?;
        // Any GUID will do, and that is what this type checks.
        let client_id = client_id
            .parse::<TenantId>()
            .map_err(|_| ApplicationError::NotAClientId(client_id.chars().take(64).collect()))?
            .to_string();
        let given = args.client_secret_file.as_deref().map(read_secret).transpose()?;
        let new_client_secret = given.clone().filter(|_| !args.no_store_client_secret);
        // What stays in the Secret, and has to suit the operator whatever this sign-in proves itself with.
        let kept = match &new_client_secret {
            Some(_) if stored.has_certificate => return Err(ApplicationError::TwoProofs { secret: secret() }),
            Some(_) => None,
            None => stored.proof.clone()?,
        };
        if let (Some(Proof::Secret(_)), Some(owner)) = (&kept, &stored.client_id)
            && !owner.eq_ignore_ascii_case(&client_id)
        {
            let (stored, wanted) = (owner.clone(), client_id);
            return Err(ApplicationError::OtherApplication { secret: secret(), stored, wanted });
        }
        let proof = match (given, kept) {
            _ if args.public_client => None,
            (Some(given), _) => Some(Proof::Secret(given)),
            (None, Some(kept)) => match proof_out_of_date(&kept, &secret(), now) {
                Some(sentence) => return Err(ApplicationError::OutOfDate(sentence)),
                None => Some(kept),
            },
            (None, None) => return Err(ApplicationError::NoProof { secret: secret() }),
        };
        Ok(Self { authority, tenant, client_id, proof, new_client_secret })
    }
}

/// Whether text can be a domain, and cannot be anything else in an address.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser as _;
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::remote::tests::keys;

    const ONE: &str = "1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f";

    /// A Secret with these entries beside tenant and client id.
    fn stored(entries: &[(&str, &str)]) -> Stored {
        let client = ONE.to_uppercase();
        let all = [("partnerTenantId", ONE), ("clientId", &client)];
        let data = all.iter().chain(entries).map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
        Stored::of(&Secret { data: Some(data.collect()), ..Secret::default() }, "a/b")
    }

    fn choose(options: &[&str], stored: &Stored) -> Result<Application, String> {
        let Command::Login(args) = Cli::parse_from([&["kubectl-csp", "login"], options].concat()).command else {
            panic!("another command")
        };
        Application::choose(&args, stored, Timestamp::now()).map_err(|error| error.to_string())
    }

    /// A file with a client secret.
    struct File(PathBuf);

    impl File {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("csp-login-{name}-{}", std::process::id()));
            std::fs::write(&path, "hush-given\n").unwrap();
            Self(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn what_the_options_leave_out_is_as_the_secret_has_it() {
        let known = stored(&[("clientSecret", "hush")]);
        let application = choose(&[], &known).unwrap();
        assert_eq!((application.authority.as_str(), application.client_id.as_str()), (ONE, ONE));
        assert!(matches!(application.proof, Some(Proof::Secret(_))) && application.new_client_secret.is_none());
        assert!(!format!("{application:?}").contains("hush"));
        let elsewhere = choose(&["--tenant", "contoso.com", "--public-client"], &known).unwrap();
        assert_eq!((elsewhere.authority.as_str(), elsewhere.tenant), ("contoso.com", None));
        assert!(elsewhere.proof.is_none());
    }

    #[test]
    fn what_the_operator_would_refuse_is_refused_before_anybody_signs_in() {
        let file = File::new("refused");
        let given = ["--client-secret-file", file.path()];
        let certified = stored(&[("tls.crt", "hush"), ("tls.key", "hush")]);
        let both = stored(&[("clientSecret", "hush"), ("tls.crt", "hush"), ("tls.key", "hush")]);
        let old =
            stored(&[("tls.crt", &keys::certificate_until(keys::APPLICATION, 2002)), ("tls.key", keys::APPLICATION)]);
        let known = stored(&[("clientSecret", "hush")]);
        let other = ["--client-id", "2f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f", "--public-client"];
        for (options, stored, sentence) in [
            (
                &[][..],
                &stored(&[]),
                "has neither clientSecret nor tls.crt: give it with --client-secret-file (and add --no-st",
            ),
            (&[], &certified, "the key tls.crt of the Secret a/b holds no certificate in PEM"),
            (&[], &both, "the Secret a/b has both clientSecret and tls.crt: keep the one that is valid"),
            (&["--public-client"], &both, "has both clientSecret and tls.crt"),
            (&[], &stored(&[("clientSecret", " ")]), "the key clientSecret of the Secret a/b is empty"),
            (
                &[],
                &old,
                "expired at 2002-01-01T00:00:00Z: put in one that is valid, and register it with the application; or set",
            ),
            (&other, &known, "belongs to application 1F0C2D5E-0B1A-4C3D-8E4F-5A6B7C8D9E0F: give that of 2f0c2d5e-"),
            (&["--client-secret-file", file!()], &certified, "no application's secret"),
            (
                &given,
                &certified,
                "leave out --client-secret-file, or add --no-store-client-secret, or remove tls.crt and",
            ),
        ] {
            let said = choose(options, stored).expect_err(sentence);
            assert!(said.contains(sentence) && !said.contains("hush"), "{sentence}\n{said}");
        }
        let valid =
            stored(&[("tls.crt", &keys::certificate_until(keys::APPLICATION, 9999)), ("tls.key", keys::APPLICATION)]);
        assert!(matches!(choose(&[], &valid).unwrap().proof, Some(Proof::Certificate(_))));
    }

    #[test]
    fn a_client_secret_that_is_not_to_be_stored_serves_this_sign_in_only() {
        let file = File::new("once");
        let options = ["--client-secret-file", file.path(), "--no-store-client-secret"];
        let certified =
            stored(&[("tls.crt", &keys::certificate_until(keys::APPLICATION, 2002)), ("tls.key", keys::APPLICATION)]);
        for stored in [&stored(&[]), &stored(&[("clientSecret", "hush")]), &certified] {
            let once = choose(&options, stored).unwrap();
            let Some(Proof::Secret(secret)) = &once.proof else { panic!("{once:?}") };
            assert_eq!((secret.expose_secret(), once.new_client_secret.is_none()), ("hush-given", true));
            if !stored.has_certificate {
                assert!(choose(&options[..2], stored).unwrap().new_client_secret.is_some());
            }
        }
    }

    #[test]
    fn a_tenant_is_an_id_or_a_domain() {
        for (text, is_one) in [
            ("contoso.com", true),
            ("contoso.onmicrosoft.com", true),
            ("contoso", false),
            ("a/../b.com", false),
            ("contoso.com?x", false),
            (".com", false),
            ("", false),
        ] {
            assert_eq!(is_domain(text), is_one, "{text}");
        }
    }
}
