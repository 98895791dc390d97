//! Which server a request is for, in the words of whoever has set its address.

use std::fmt;

use url::Url;

use super::{Operation, Service};

/// One of the four servers, and where it is looked for. Displayed with its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    kind: Kind,
    /// Scheme, host and port; none of something that is more than one request.
    origin: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Entra,
    Of(Service),
}

impl Server {
    /// Of a request for `operation` to `url`, of which the path is not kept: it may hold ids.
    pub(super) fn at(operation: Operation, url: &Url) -> Self {
        Self { origin: Some(url.origin().ascii_serialization()), ..Self::of(operation) }
    }

    /// Of `operation` as a whole.
    pub(super) fn of(operation: Operation) -> Self {
        let kind = match operation {
            Operation::SignIn(_) => Kind::Entra,
            other => Kind::Of(other.service()),
        };
        Self { kind, origin: None }
    }

    /// What Microsoft calls it.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::Entra => "Microsoft Entra",
            Kind::Of(Service::PartnerCenter) => "Partner Center",
            Kind::Of(Service::Azure) => "Azure Resource Manager",
            Kind::Of(Service::Graph) => "Microsoft Graph",
        }
    }

    /// The option and the variable that say where it is, of the operator and of the command line tools alike.
    pub fn setting(&self) -> &'static str {
        match self.kind {
            Kind::Entra => "--login-url or CSP_LOGIN_URL",
            Kind::Of(Service::PartnerCenter) => "--partner-center-url or CSP_PARTNER_CENTER_URL",
            Kind::Of(Service::Azure) => "--azure-url or CSP_AZURE_URL",
            Kind::Of(Service::Graph) => "--graph-url or CSP_GRAPH_URL",
        }
    }

    /// What a person can do when it does not answer.
    pub(super) fn advice(&self) -> String {
        format!("If that lasts, check network policies and proxies, and {}, which says where it is", self.setting())
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.origin.iter().try_for_each(|origin| write!(f, " at {origin}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::TenantId;
    use crate::remote::{Cause, Error};

    #[test]
    fn whoever_is_silent_is_named_with_what_can_be_done() {
        let operation = Operation::ReadPolicy("c0000000-0000-4000-8000-000000000000".parse().unwrap());
        let server = Server::at(operation, &"https://proxy.example/x".parse().unwrap());
        let error = Error::new(operation, Cause::TimedOut { server, limit: Duration::from_secs(30) });
        assert_eq!(
            error.message(),
            "Cannot read the purchase permissions of customer c0000000-0000-4000-8000-000000000000: Partner Center at https://proxy.example did not answer in time. If that lasts, check network policies and proxies, and --partner-center-url or CSP_PARTNER_CENTER_URL, which says where it is."
        );
    }

    #[test]
    fn every_server_has_a_name_its_address_and_the_settings_that_say_where_it_is() {
        let tenant: TenantId = "c0000000-0000-4000-8000-000000000000".parse().unwrap();
        let subscription = "a0000000-0000-4000-8000-000000000000".parse().unwrap();
        let url: Url = "https://proxy.example:8443/c0000000-0000-4000-8000-000000000000?x=y".parse().unwrap();
        for (operation, name, option) in [
            (Operation::SignIn(tenant), "Microsoft Entra", "login-url"),
            (Operation::ReadPolicy(tenant), "Partner Center", "partner-center-url"),
            (Operation::ReadOwners(subscription), "Azure Resource Manager", "azure-url"),
            (Operation::ReadUser(tenant), "Microsoft Graph", "graph-url"),
        ] {
            assert_eq!(Server::at(operation, &url).to_string(), format!("{name} at https://proxy.example:8443"));
            assert_eq!(Server::of(operation).to_string(), name);
            let variable = format!("CSP_{}", option.replace('-', "_").to_uppercase());
            assert_eq!(Server::of(operation).setting(), format!("--{option} or {variable}"));
        }
    }
}
