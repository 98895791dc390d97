//! As which application a person signs in, from the options and from what the Secret has.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

use super::secret::Stored;
use crate::cli::args::LoginArgs;
use crate::model::TenantId;
use crate::operator::sign_in_keys::{CERTIFICATE, KEY};
use crate::remote::{CertificateDefect, ClientCertificate, Proof};

/// Longest client secret that is read. Entra's have some 40 characters.
const CLIENT_SECRET_BYTES_MAX: u64 = 4096;

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
        "the application's secret is not known: give it with --client-secret-file, or say --public-client; the Secret {secret} has neither clientSecret nor tls.crt"
    )]
    NoProof { secret: String },
    #[error(
        "the clientSecret of the Secret {secret} belongs to application {stored}: give that of {wanted} with --client-secret-file"
    )]
    OtherApplication { secret: String, stored: String, wanted: String },
    #[error(
        "the Secret {secret} has a certificate already, and the operator takes one proof only: leave out --client-secret-file, or remove tls.crt and tls.key"
    )]
    TwoProofs { secret: String },
    #[error("the certificate of the Secret {secret} cannot be used: its {part} {defect}")]
    Certificate { secret: String, part: &'static str, defect: CertificateDefect },
    #[error("cannot read the application's secret from {}", .path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("--client-secret-file - reads standard input, which is a terminal and would show it: pipe it in")]
    Terminal,
    #[error("{} holds no application's secret: expected one line of text", .0.display())]
    NotASecret(PathBuf),
}

impl Application {
    /// Whether the options name all of it, so that nothing has to be known of the Secret.
    pub(super) fn is_named_by(args: &LoginArgs) -> bool {
        let has_proof = args.public_client || args.client_secret_file.is_some();
        args.tenant.is_some() && args.client_id.is_some() && has_proof
    }

    /// The application that the options name; what they leave out is as `stored` has it.
    pub(super) fn choose(args: &LoginArgs, stored: &Stored) -> Result<Self, ApplicationError> {
        let secret = || format!("{}/{}", args.cluster.namespace, args.secret);
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
        let new_client_secret = args.client_secret_file.as_deref().map(read_secret).transpose()?;
        if new_client_secret.is_some() && stored.certificate.is_some() {
            return Err(ApplicationError::TwoProofs { secret: secret() });
        }
        let proof = match (&new_client_secret, &stored.client_secret, &stored.certificate) {
            _ if args.public_client => None,
            (Some(given), ..) => Some(Proof::Secret(given.clone())),
            (None, Some(known), _) => match &stored.client_id {
                Some(owner) if !owner.eq_ignore_ascii_case(&client_id) => {
                    let (stored, wanted) = (owner.clone(), client_id);
                    return Err(ApplicationError::OtherApplication { secret: secret(), stored, wanted });
                }
                _ => Some(Proof::Secret(known.clone())),
            },
            (None, None, Some((certificate, key))) => {
                let certificate = ClientCertificate::from_pem(certificate.as_bytes(), key).map_err(|defect| {
                    let part = if defect == CertificateDefect::Certificate { CERTIFICATE } else { KEY };
                    ApplicationError::Certificate { secret: secret(), part, defect }
                })?;
                Some(Proof::Certificate(Arc::new(certificate)))
            }
            (None, None, None) => return Err(ApplicationError::NoProof { secret: secret() }),
        };
        Ok(Self { authority, tenant, client_id, proof, new_client_secret })
    }
}

/// Whether text can be a domain, and cannot be anything else in an address.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

fn read_secret(path: &Path) -> Result<SecretString, ApplicationError> {
    let unreadable = |source| ApplicationError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    if path == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(ApplicationError::Terminal);
        }
        io::stdin().take(CLIENT_SECRET_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(CLIENT_SECRET_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    }
    // A newline at the end comes with many a way to make a file.
    let secret = text.trim();
    if secret.is_empty() || secret.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(ApplicationError::NotASecret(path.to_owned()));
    }
    Ok(secret.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    const ONE: &str = "1f0c2d5e-0b1a-4c3d-8e4f-5a6b7c8d9e0f";

    fn stored() -> Stored {
        Stored { tenant: Some(ONE.to_owned()), client_id: Some(ONE.to_uppercase()), ..Stored::default() }
    }

    fn choose(options: &[&str], stored: &Stored) -> Result<Application, String> {
        let Command::Login(args) = Cli::parse_from([&["kubectl-csp", "login"], options].concat()).command;
        Application::choose(&args, stored).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_options_leave_out_is_as_the_secret_has_it() {
        let known = Stored { client_secret: Some("hush".into()), ..stored() };
        let application = choose(&[], &known).unwrap();
        assert_eq!((application.authority.as_str(), application.client_id.as_str()), (ONE, ONE));
        assert!(matches!(application.proof, Some(Proof::Secret(_))) && application.new_client_secret.is_none());
        assert!(!format!("{application:?}").contains("hush"));
        let elsewhere = choose(&["--tenant", "contoso.com", "--public-client"], &known).unwrap();
        assert_eq!((elsewhere.authority.as_str(), elsewhere.tenant), ("contoso.com", None));
        assert!(elsewhere.proof.is_none());
    }

    #[test]
    fn an_application_proves_itself_in_exactly_one_way() {
        let certified = Stored { certificate: Some(("hush".to_owned(), "hush".into())), ..stored() };
        for (options, stored, sentence) in [
            (&[][..], &stored(), "has neither clientSecret nor tls.crt"),
            (&[], &certified, "its tls.crt holds no certificate in PEM"),
            (&["--client-secret-file", file!()], &certified, "no application's secret"),
        ] {
            let said = choose(options, stored).unwrap_err();
            assert!(said.contains(sentence) && !said.contains("hush"), "{said}");
        }
        let file = std::env::temp_dir().join(format!("csp-login-{}", std::process::id()));
        std::fs::write(&file, "hush\n").unwrap();
        let said = choose(&["--client-secret-file", &file.display().to_string()], &certified).unwrap_err();
        std::fs::remove_file(&file).unwrap();
        assert!(said.contains("leave out --client-secret-file, or remove tls.crt and tls.key"), "{said}");
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
