//! Where Microsoft is, as the options say it.

use super::args::{AzureArgs, MicrosoftArgs};
use crate::operator::{SettingsError, extra_roots};
use crate::remote::{EndpointError, Endpoints, PlainHttp};

/// Why nobody can be asked there.
#[derive(Debug, thiserror::Error)]
pub(super) enum MicrosoftError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// Where a person signs in, and Partner Center; for a command that speaks to neither Azure nor Graph.
pub(super) fn endpoints(args: &MicrosoftArgs) -> Result<Endpoints, MicrosoftError> {
    parse(args, Endpoints::AZURE, Endpoints::GRAPH)
}

/// Everything the operator speaks to.
pub(super) fn all_endpoints(args: &MicrosoftArgs, azure: &AzureArgs) -> Result<Endpoints, MicrosoftError> {
    parse(args, azure.azure_url.as_str(), azure.graph_url.as_str())
}

fn parse(args: &MicrosoftArgs, azure: &str, graph: &str) -> Result<Endpoints, MicrosoftError> {
    let urls = [&args.login_url, &args.partner_center_url].map(ToString::to_string);
    let endpoints = Endpoints::parse(&urls[0], &urls[1], azure, graph, PlainHttp::ToLoopback)?;
    Ok(match &args.ca_file {
        Some(path) => endpoints.trusting(extra_roots(path)?),
        None => endpoints,
    })
}
