//! Where Microsoft is.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use crate::remote::Endpoints;

/// Where Microsoft is. The same variables set it for the operator.
#[derive(Debug, Args)]
pub struct MicrosoftArgs {
    /// Where tokens are issued.
    #[arg(long, env = "CSP_LOGIN_URL", value_name = "URL", default_value = Endpoints::LOGIN, help_heading = "Microsoft")]
    pub login_url: Url,

    /// Partner Center's API.
    #[arg(
        long,
        env = "CSP_PARTNER_CENTER_URL",
        value_name = "URL",
        default_value = Endpoints::PARTNER_CENTER,
        help_heading = "Microsoft"
    )]
    pub partner_center_url: Url,

    /// PEM file with certificate authorities to trust for these URLs, beside the usual ones.
    #[arg(long, env = "CSP_CA_FILE", value_name = "FILE", help_heading = "Microsoft")]
    pub ca_file: Option<PathBuf>,
}

/// Where Azure is. The same variables set it for the operator.
#[derive(Debug, Args)]
pub struct AzureArgs {
    /// Azure Resource Manager's API.
    #[arg(long, env = "CSP_AZURE_URL", value_name = "URL", default_value = Endpoints::AZURE, help_heading = "Microsoft")]
    pub azure_url: Url,

    /// Microsoft Graph's API, without the version.
    #[arg(long, env = "CSP_GRAPH_URL", value_name = "URL", default_value = Endpoints::GRAPH, help_heading = "Microsoft")]
    pub graph_url: Url,
}
