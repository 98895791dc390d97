//! What a token is asked for: a `resource` in version 1 of Entra's endpoints, a list of scopes in version 2.
//!
//! A scope is one of OpenID Connect's, or `resource/name`, or the bare name of one of Graph's:
//! <https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc>.

use axum::http::StatusCode;

use crate::simulator::exchange::{Answer, Request};
use crate::simulator::oauth::{Version, refuse};
use crate::simulator::tokens::Audience;
use crate::simulator::world::GRAPH_SCOPES;

/// The scopes of OpenID Connect that Entra knows. They ask for more than an access token and name no resource.
const OPENID_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// The resource of a scope that is a bare name.
const GRAPH: &str = "https://graph.microsoft.com";

/// Whether `scope`, a list, has this one.
pub(crate) fn has_scope(scope: &str, name: &str) -> bool {
    scope.split(' ').any(|scope| scope == name)
}

/// The resource that a request names, in the form its version uses; or Entra's refusal of what it names.
///
/// A list of scopes holds the resource among those of OpenID Connect, in any order and sometimes not at all.
pub(crate) fn known_resource(
    request: &Request,
    version: Version,
    resource: Option<&str>,
    scope: Option<&str>,
) -> Result<Option<String>, Answer> {
    let resource = match version {
        Version::V1 => resource.map(str::to_owned),
        Version::V2 => resource_of_scopes(scope.unwrap_or_default()).map_err(|NoScope| {
            let text = format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {} is not valid. The scope format is invalid. Scope must be in a valid URI form <https://example/scope> or a valid Guid <guid/scope>.",
                scope.unwrap_or_default()
            );
            refuse(request, StatusCode::BAD_REQUEST, "invalid_scope", 70011, &text)
        })?,
    };
    match resource {
        Some(resource) if Audience::of(&resource).is_none() => Err(refuse(
            request,
            StatusCode::BAD_REQUEST,
            "invalid_resource",
            500_011,
            &format!("The resource principal named {resource} was not found in the tenant."),
        )),
        resource => Ok(resource),
    }
}

/// A list of scopes has something that is none.
#[derive(Debug, PartialEq, Eq)]
struct NoScope;

/// The first resource of a list of scopes, if it names any.
fn resource_of_scopes(scopes: &str) -> Result<Option<String>, NoScope> {
    let is_of_openid = |scope: &&str| OPENID_SCOPES.iter().any(|known| known.eq_ignore_ascii_case(scope));
    let others = scopes.split_whitespace().filter(|scope| !is_of_openid(scope));
    let resources: Vec<String> = others.map(resource_of_scope).collect::<Result<_, _>>()?;
    Ok(resources.into_iter().next())
}

/// `https://host/name` is the scope `name` of the resource `https://host`; a second slash belongs to the resource.
fn resource_of_scope(scope: &str) -> Result<String, NoScope> {
    match scope.rsplit_once('/') {
        // A whole address without a name ends in the two slashes before its host.
        Some((resource, _name)) if !resource.is_empty() && !resource.ends_with(":/") => Ok(resource.to_owned()),
        None if GRAPH_SCOPES.iter().any(|known| known.eq_ignore_ascii_case(scope)) => Ok(GRAPH.to_owned()),
        _ => Err(NoScope),
    }
}

/// The scopes of an answer of version 2: each behind its resource, and `.default`, without which Microsoft's Go library
/// takes what it asked for to have been declined.
pub(crate) fn granted(resource: &str, scopes: &str) -> String {
    let names = scopes.split_whitespace().chain([".default"]);
    names.map(|name| format!("{resource}/{name}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_found_among_other_scopes() {
        let found = |scopes: &str| resource_of_scopes(scopes).expect("scopes");
        let partner_center = Some("https://api.partnercenter.microsoft.com".to_owned());
        assert_eq!(found("openid https://api.partnercenter.microsoft.com/.default offline_access"), partner_center);
        assert_eq!(found("https://api.partnercenter.microsoft.com/user_impersonation"), partner_center);
        assert_eq!(found("https://management.azure.com//.default"), Some("https://management.azure.com/".to_owned()));
        assert_eq!(found("openid  offline_access"), None);
        assert_eq!(found("user.read"), Some(GRAPH.to_owned()));
    }
}
