//! `kubectl csp login`: a person signs in with MFA, and the Secret that the operator signs in with is created or renewed.
//!
//! In this order: what the Secret has and whether it may be written ([`secret`]); as which application
//! ([`application`]); the person's sign-in ([`flow`], with [`loopback`] as the place where the browser comes back to); what
//! was issued is examined, and shown to Partner Center; only then anything is written. Whatever fails before leaves the
//! Secret as it was.

mod application;
mod entra;
mod flow;
mod loopback;
mod refusal;
mod secret;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::args::{LoginArgs, MicrosoftArgs};
use super::cluster::{self, ClusterError};
use super::microsoft::MicrosoftError;
use super::request::RequestError;
use super::terminal::{Unwritable, printable, report, say};
use crate::remote::interactive::{Interactive, SignedIn};
use crate::remote::{Error, Limits, SetupError, TokenDefect};
use application::{Application, ApplicationError};
use flow::{SignInError, Way};
use secret::{Contents, SecretError, Stored, UserSecret};

/// Why nothing was written. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    #[error(transparent)]
    Endpoint(#[from] MicrosoftError),
    #[error("cannot set up the connection to Microsoft")]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error("{}", refusal::defect(*.0))]
    Defect(TokenDefect),
    #[error("Microsoft's answer does not say which tenant {0} is: name it by its id, with --tenant")]
    UnknownTenant(String),
    #[error("{} Nothing was written; with --no-verify it is not asked.", refusal::unverified(.0))]
    Unverified(Error),
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// Signs in, and writes the Secret.
pub(super) async fn run(args: LoginArgs) -> Result<(), LoginError> {
    // Another part of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let interactive = microsoft(&args.microsoft)?;

    let (secret, stored) = look(&args).await?;
    let application = Application::choose(&args, &stored, Timestamp::now())?;
    if let Some(secret) = &secret {
        // Before the person is bothered.
        secret.rehearse().await?;
    }

    let way = if args.device_code {
        Way::DeviceCode
    } else {
        Way::Browser { open: !args.no_browser, user: args.user.clone() }
    };
    let issued = flow::sign_in(&interactive, &application, way, args.timeout, &|text| say(text)).await?;
    let signed_in = interactive.examine(&issued.access_token, application.tenant).map_err(LoginError::Defect)?;
    let tenant = application
        .tenant
        .or(signed_in.tenant)
        .ok_or_else(|| LoginError::UnknownTenant(application.authority.clone()))?;
    let partner = if args.no_verify {
        None
    } else {
        Some(interactive.organization(&issued.access_token).await.map_err(LoginError::Unverified)?.name)
    };
    report(&who(&signed_in, partner.as_deref()))?;

    let contents = Contents {
        tenant,
        client_id: application.client_id,
        new_client_secret: application.new_client_secret,
        refresh_token: issued.refresh_token,
    };
    let keys = contents.keys().join(", ");
    match secret {
        Some(secret) if !args.dry_run => {
            let written = secret.write(&contents).await?;
            report(&format!("{secret} {written}: {keys}"))?;
        }
        _ => {
            let name = format!("Secret {}/{}", args.namespace, args.secret);
            report(&format!("{name} would be written (dry run): {keys}"))?;
        }
    }
    Ok(())
}

/// The Secret, and what it has. None where a dry run finds no cluster and needs nothing from it.
async fn look(args: &LoginArgs) -> Result<(Option<UserSecret>, Stored), LoginError> {
    let found = async {
        let secret = UserSecret::new(cluster::client(&args.cluster).await?, &args.namespace, &args.secret);
        let stored = secret.read().await?;
        Ok((Some(secret), stored))
    };
    match found.await {
        Err(
            error @ (LoginError::Cluster(ClusterError::None(_))
            | LoginError::Secret(SecretError::Request(
                RequestError::Unreachable { .. } | RequestError::TimedOut { .. },
            ))),
        ) if args.dry_run && Application::is_named_by(args) => {
            say(&format!(
                "{error}. The dry run goes on without it: nobody has looked whether the Secret can be written."
            ));
            let nothing = Secret::default();
            Ok((None, Stored::of(&nothing, &format!("{}/{}", args.namespace, args.secret))))
        }
        found => found,
    }
}

fn microsoft(args: &MicrosoftArgs) -> Result<Interactive, LoginError> {
    Ok(Interactive::new(super::microsoft::endpoints(args)?, Limits::default())?)
}

fn who(signed_in: &SignedIn, partner: Option<&str>) -> String {
    let user = signed_in.user.as_deref().unwrap_or("a user who is not named");
    let text = match partner {
        Some(partner) => format!("signed in as {user} of {partner}; Partner Center accepts it"),
        None => format!("signed in as {user}; not verified with Partner Center"),
    };
    printable(&text)
}
