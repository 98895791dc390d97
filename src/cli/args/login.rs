//! Options of `kubectl csp login`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ClusterArgs, MicrosoftArgs};
use crate::operator::args::between;

/// Options of `kubectl csp login`.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The Secret to create or renew.
    #[arg(long, value_name = "NAME", default_value = "csp-operator-credentials", help_heading = "Cluster")]
    pub secret: String,

    /// The namespace of the operator.
    #[arg(short, long, value_name = "NAME", default_value = "csp-operator", help_heading = "Cluster")]
    pub namespace: String,

    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// The partner's tenant, an id or a domain. Without it: the Secret's partnerTenantId.
    #[arg(long, value_name = "TENANT", help_heading = "Application")]
    pub tenant: Option<String>,

    /// The id of the application that is registered there. Without it: the Secret's clientId.
    #[arg(long, value_name = "GUID", help_heading = "Application")]
    pub client_id: Option<String>,

    /// A file with the application's secret, - for standard input. Goes into the Secret, unless --no-store-client-secret says
    /// otherwise. Without it: the Secret's
    /// clientSecret, or its certificate in tls.crt and tls.key.
    #[arg(long, value_name = "FILE", help_heading = "Application")]
    pub client_secret_file: Option<PathBuf>,

    /// Use the secret of --client-secret-file for this sign-in only, and do not put it into the Secret: for an operator
    /// that runs with --federated-token-file, which takes no other proof beside that.
    #[arg(long, requires = "client_secret_file", help_heading = "Application")]
    pub no_store_client_secret: bool,

    /// Sign in without a proof of the application, which must then allow public clients: its redirect URI is on the
    /// platform "Mobile and desktop applications", or for --device-code "Allow public client flows" is on.
    #[arg(long, conflicts_with = "client_secret_file", help_heading = "Application")]
    pub public_client: bool,

    /// Show a code to be entered in a browser on any machine, instead of opening one on this.
    #[arg(long, help_heading = "Sign-in")]
    pub device_code: bool,

    /// Show the address instead of opening a browser. The browser must run on this machine.
    #[arg(long, conflicts_with = "device_code", help_heading = "Sign-in")]
    pub no_browser: bool,

    /// The user who is to sign in, such as ada@contoso.com. Without it, the page asks.
    #[arg(long, value_name = "NAME", conflicts_with = "device_code", help_heading = "Sign-in")]
    pub user: Option<String>,

    /// How long to wait for the person.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        value_parser = between(Duration::from_secs(1), Duration::from_hours(1)),
        help_heading = "Sign-in"
    )]
    pub timeout: Duration,

    /// Do not ask Partner Center whether the sign-in works.
    #[arg(long, help_heading = "Sign-in")]
    pub no_verify: bool,

    /// Sign in, but write nothing: show which keys of the Secret would be written. Needs no cluster if --tenant,
    /// --client-id, and --client-secret-file or --public-client are given.
    #[arg(long, help_heading = "Sign-in")]
    pub dry_run: bool,

    /// Where Microsoft is.
    #[command(flatten)]
    pub microsoft: MicrosoftArgs,
}
