//! Where the services are, and how they prove to be there.

use url::{Host, Url};

use super::{ExtraRoots, Service};

/// Base addresses of the four services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    login: Url,
    partner_center: Url,
    azure: Url,
    graph: Url,
    extra_roots: ExtraRoots,
}

/// Where requests, which carry tokens, may go without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// To this machine only.
    #[default]
    ToLoopback,
    /// Anywhere: somebody has said so explicitly.
    ToAnyHost,
}

/// A base address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an address at all.
    #[error("\"{text}\" is not a base URL: expected one like {}", Endpoints::PARTNER_CENTER)]
    NotAUrl {
        /// What was given.
        text: String,
    },
    /// Tokens and the client secret would travel unencrypted.
    #[error("{url} would send tokens unencrypted: use https, a loopback address, or allow plain http explicitly")]
    PlainHttp {
        /// What was given.
        url: Url,
    },
    /// User name, password, query or fragment make no sense in a base address.
    #[error("the base URL for {host} must not contain a user name, password, query or fragment")]
    Surplus {
        /// Host of what was given; the rest may be secret.
        host: String,
    },
}

impl Endpoints {
    /// Microsoft Entra's sign-in, global cloud.
    pub const LOGIN: &'static str = "https://login.microsoftonline.com";
    /// Partner Center's API, global cloud.
    pub const PARTNER_CENTER: &'static str = "https://api.partnercenter.microsoft.com";
    /// Azure Resource Manager, global cloud.
    pub const AZURE: &'static str = "https://management.azure.com";
    /// Microsoft Graph, global cloud, without the version.
    pub const GRAPH: &'static str = "https://graph.microsoft.com";

    /// These addresses, each with or without a path prefix.
    pub fn new(
        login: Url,
        partner_center: Url,
        azure: Url,
        graph: Url,
        plain_http: PlainHttp,
    ) -> Result<Self, EndpointError> {
        for url in [&login, &partner_center, &azure, &graph] {
            check(url, plain_http)?;
        }
        Ok(Self { login, partner_center, azure, graph, extra_roots: ExtraRoots::default() })
    }

    /// The same from text.
    pub fn parse(
        login: &str,
        partner_center: &str,
        azure: &str,
        graph: &str,
        plain_http: PlainHttp,
    ) -> Result<Self, EndpointError> {
        Self::new(parse(login)?, parse(partner_center)?, parse(azure)?, parse(graph)?, plain_http)
    }

    /// Microsoft's global cloud, where nearly every partner is.
    pub fn global() -> Result<Self, EndpointError> {
        Self::parse(Self::LOGIN, Self::PARTNER_CENTER, Self::AZURE, Self::GRAPH, PlainHttp::ToLoopback)
    }

    /// The same, where these authorities may vouch for the services too: a proxy's, or a simulator's.
    #[must_use]
    pub fn trusting(self, extra_roots: ExtraRoots) -> Self {
        Self { extra_roots, ..self }
    }

    /// Authorities that may vouch for the services beside the usual ones.
    pub(super) fn extra_roots(&self) -> &ExtraRoots {
        &self.extra_roots
    }

    /// Microsoft Entra's sign-in.
    pub fn login(&self) -> &Url {
        &self.login
    }

    /// Partner Center's API, without the version.
    pub fn partner_center(&self) -> &Url {
        &self.partner_center
    }

    /// Azure Resource Manager.
    pub fn azure(&self) -> &Url {
        &self.azure
    }

    /// Microsoft Graph, without the version.
    pub fn graph(&self) -> &Url {
        &self.graph
    }

    /// The resource that a token for `service` is asked for.
    ///
    /// A resource is a name, not an address: a simulator or a proxy stands in for the global cloud and gets its names.
    /// Only the national clouds have names of their own.
    pub(super) fn resource(&self, service: Service) -> &'static str {
        match (service, self.host(service)) {
            (Service::PartnerCenter, "partner.partnercenterapi.microsoftonline.cn") => {
                "https://partner.partnercenterapi.microsoftonline.cn"
            }
            (Service::PartnerCenter, _) => Self::PARTNER_CENTER,
            (Service::Azure, "management.usgovcloudapi.net") => "https://management.usgovcloudapi.net/",
            (Service::Azure, "management.chinacloudapi.cn") => "https://management.chinacloudapi.cn/",
            (Service::Azure, _) => "https://management.azure.com/",
            (Service::Graph, "graph.microsoft.us") => "https://graph.microsoft.us",
            (Service::Graph, "dod-graph.microsoft.us") => "https://dod-graph.microsoft.us",
            (Service::Graph, "microsoftgraph.chinacloudapi.cn") => "https://microsoftgraph.chinacloudapi.cn",
            (Service::Graph, _) => Self::GRAPH,
        }
    }

    fn host(&self, service: Service) -> &str {
        let url = match service {
            Service::PartnerCenter => &self.partner_center,
            Service::Azure => &self.azure,
            Service::Graph => &self.graph,
        };
        url.host_str().unwrap_or_default()
    }
}

fn parse(text: &str) -> Result<Url, EndpointError> {
    Url::parse(text).map_err(|_| EndpointError::NotAUrl { text: text.chars().take(128).collect() })
}

fn check(url: &Url, plain_http: PlainHttp) -> Result<(), EndpointError> {
    let host = match url.host() {
        Some(host) if matches!(url.scheme(), "http" | "https") => host,
        _ => return Err(EndpointError::NotAUrl { text: url.scheme().to_owned() }),
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::Surplus { host: host.to_string() });
    }
    let loopback = match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    if url.scheme() == "http" && !loopback && plain_http == PlainHttp::ToLoopback {
        return Err(EndpointError::PlainHttp { url: url.clone() });
    }
    Ok(())
}

/// `base` with `segments` behind it, each escaped.
pub(super) fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // Only addresses such as `mailto:` have no segments; `check` has refused those.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partner_center_at(url: &str, plain_http: PlainHttp) -> Result<Endpoints, EndpointError> {
        Endpoints::parse(Endpoints::LOGIN, url, Endpoints::AZURE, Endpoints::GRAPH, plain_http)
    }

    #[test]
    fn tokens_travel_unencrypted_only_to_this_machine_or_when_allowed() {
        for url in ["https://proxy.example", "http://127.0.0.1:8080", "http://localhost/prefix", "http://[::1]:1"] {
            assert!(partner_center_at(url, PlainHttp::ToLoopback).is_ok(), "{url}");
        }
        for url in ["http://proxy.example", "http://10.0.0.1", "http://localhost.example"] {
            let error = partner_center_at(url, PlainHttp::ToLoopback).unwrap_err();
            assert!(error.to_string().contains("would send tokens unencrypted"), "{error}");
            assert!(partner_center_at(url, PlainHttp::ToAnyHost).is_ok(), "{url}");
        }
    }

    #[test]
    fn refuses_what_is_no_base_address() {
        for url in ["", "api.partnercenter.microsoft.com", "mailto:a@b", "ftp://a.example"] {
            let error = partner_center_at(url, PlainHttp::ToAnyHost).unwrap_err();
            assert!(matches!(error, EndpointError::NotAUrl { .. }), "{error}");
        }
        for url in ["https://user:secret@a.example", "https://a.example/?key=secret", "https://a.example/#secret"] {
            let error = partner_center_at(url, PlainHttp::ToAnyHost).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_simulator_gets_the_global_names_and_a_national_cloud_its_own() {
        let [login, partner_center, azure, graph] = [1, 2, 3, 4].map(|port| format!("http://127.0.0.1:{port}"));
        let simulator = Endpoints::parse(&login, &partner_center, &azure, &graph, PlainHttp::ToLoopback).unwrap();
        assert_eq!(simulator.resource(Service::PartnerCenter), "https://api.partnercenter.microsoft.com");
        assert_eq!(simulator.resource(Service::Azure), "https://management.azure.com/");
        assert_eq!(simulator.resource(Service::Graph), "https://graph.microsoft.com");
        let government = Endpoints::parse(
            "https://login.microsoftonline.us",
            Endpoints::PARTNER_CENTER,
            "https://management.usgovcloudapi.net",
            "https://graph.microsoft.us",
            PlainHttp::ToLoopback,
        )
        .unwrap();
        assert_eq!(government.resource(Service::Azure), "https://management.usgovcloudapi.net/");
        assert_eq!(government.resource(Service::Graph), "https://graph.microsoft.us");
        assert_eq!(government.resource(Service::PartnerCenter), Endpoints::PARTNER_CENTER, "one for both clouds");
        let china = ["partner.partnercenterapi.microsoftonline.cn", "management.chinacloudapi.cn"]
            .map(|host| format!("https://{host}"));
        let login = "https://login.partner.microsoftonline.cn";
        let graph = "https://microsoftgraph.chinacloudapi.cn";
        let china = Endpoints::parse(login, &china[0], &china[1], graph, PlainHttp::ToLoopback).unwrap();
        assert_eq!(
            [Service::PartnerCenter, Service::Azure, Service::Graph].map(|service| china.resource(service)),
            [
                "https://partner.partnercenterapi.microsoftonline.cn",
                "https://management.chinacloudapi.cn/",
                "https://microsoftgraph.chinacloudapi.cn"
            ]
        );
    }

    #[test]
    fn a_path_is_put_behind_the_prefix_and_escaped() {
        for base in ["https://a.example/x", "https://a.example/x/"] {
            let url = below(&base.parse().unwrap(), &["v1", "SelfServePolicy", "a/b?c"]);
            assert_eq!(url.as_str(), "https://a.example/x/v1/SelfServePolicy/a%2Fb%3Fc");
        }
    }
}
