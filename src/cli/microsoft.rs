//! Where Microsoft is, as the options say it.

use super::args::MicrosoftArgs;
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

/// Where a person signs in, and Partner Center. Nothing here speaks to Azure or Graph.
pub(super) fn endpoints(args: &MicrosoftArgs) -> Result<Endpoints, MicrosoftError> {
    let urls = [&args.login_url, &args.partner_center_url].map(ToString::to_string);
    let endpoints = Endpoints::parse(&urls[0], &urls[1], Endpoints::AZURE, Endpoints::GRAPH, PlainHttp::ToLoopback)?;
    Ok(match &args.ca_file {
        Some(path) => endpoints.trusting(extra_roots(path)?),
        None => endpoints,
    })
}
