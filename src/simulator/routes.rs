//! Which operation a request is, and which customer it concerns.

use axum::http::Method;
use uuid::Uuid;

use super::arm::route as arm;
use super::exchange::{Request, member, text_member};
use super::graph::route as graph;
use super::oauth::Version;
use super::operation::{Api, Operation};
use super::partner_center::commerce;
use super::state::State;
use super::tokens;

/// An operation with what its path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Token {
        tenant: String,
        version: Version,
    },
    OpenidConfiguration {
        tenant: String,
        version: Version,
    },
    InstanceDiscovery,
    SigningKeys {
        tenant: String,
    },
    /// A browser comes to sign a user in.
    Authorize {
        tenant: String,
        version: Version,
    },
    DeviceCode {
        tenant: String,
        version: Version,
    },
    /// A browser comes to enter a device code.
    DevicePage,
    ListCustomers,
    GetCustomer {
        customer: String,
    },
    ListSubscriptions {
        customer: String,
    },
    GetSubscription {
        customer: String,
        subscription: String,
    },
    ListAzureEntitlements {
        customer: String,
        plan: String,
    },
    GetAzureEntitlement {
        customer: String,
        plan: String,
        entitlement: String,
    },
    ListSelfServePolicies,
    GetSelfServePolicy {
        id: String,
    },
    CreateSelfServePolicy,
    /// Older Microsoft pages print the path without an id.
    UpdateSelfServePolicy {
        id: Option<String>,
    },
    DeleteSelfServePolicy {
        id: String,
    },
    ListAuditRecords,
    GetAuditRecord {
        id: String,
    },
    /// The relationships to other partners.
    ListRelationships,
    ListCustomerRelationships {
        customer: String,
    },
    GetProfile {
        name: String,
    },
    ListRoles,
    ListRoleMembers {
        role: String,
    },
    GetMfaAdoption,
    /// What is bought for a customer.
    Commerce {
        customer: String,
        route: commerce::Route,
    },
    Azure(arm::Route),
    Graph(graph::Route),
    /// The path exists, the method does not.
    MethodNotAllowed(Api),
    Unknown(Api),
}

impl Route {
    /// The route of a request; case does not matter.
    pub(crate) fn of(request: &Request) -> Self {
        Self::at(&request.method, &request.segments())
    }

    /// The methods with which the request's path is an operation, as the header `Allow` lists them.
    pub(crate) fn methods_of(request: &Request) -> String {
        let segments = request.segments();
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let is_route =
            |method: &&Method| !matches!(Self::at(method, &segments), Self::MethodNotAllowed(_) | Self::Unknown(_));
        methods.iter().filter(is_route).map(Method::as_str).collect::<Vec<_>>().join(", ")
    }

    fn at(method: &Method, segments: &[String]) -> Self {
        let lower: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let id = |index: usize| segments.get(index).cloned().unwrap_or_default();
        let get = method == Method::GET;
        let post = method == Method::POST;
        match lower.as_slice() {
            [_, "oauth2", "token"] if post => Self::Token { tenant: id(0), version: Version::V1 },
            [_, "oauth2", "v2.0", "token"] if post => Self::Token { tenant: id(0), version: Version::V2 },
            [_, "oauth2", "authorize"] if get || post => Self::Authorize { tenant: id(0), version: Version::V1 },
            [_, "oauth2", "v2.0", "authorize"] if get || post => {
                Self::Authorize { tenant: id(0), version: Version::V2 }
            }
            [_, "oauth2", "devicecode"] if post => Self::DeviceCode { tenant: id(0), version: Version::V1 },
            [_, "oauth2", "v2.0", "devicecode"] if post => Self::DeviceCode { tenant: id(0), version: Version::V2 },
            ["common", "oauth2", "deviceauth"] if get || post => Self::DevicePage,
            [_, ".well-known", "openid-configuration"] if get => {
                Self::OpenidConfiguration { tenant: id(0), version: Version::V1 }
            }
            [_, "v2.0", ".well-known", "openid-configuration"] if get => {
                Self::OpenidConfiguration { tenant: id(0), version: Version::V2 }
            }
            ["common", "discovery", "instance"] if get => Self::InstanceDiscovery,
            [_, "discovery", "keys"] | [_, "discovery", "v2.0", "keys"] if get => Self::SigningKeys { tenant: id(0) },
            ["common", "oauth2", "deviceauth"]
            | [_, "oauth2", "token" | "authorize" | "devicecode"]
            | [_, "oauth2", "v2.0", "token" | "authorize" | "devicecode"] => Self::MethodNotAllowed(Api::Entra),
            ["v1", "customers"] if get => Self::ListCustomers,
            ["v1", "customers", _] if get => Self::GetCustomer { customer: id(2) },
            ["v1", "customers", _, "subscriptions"] if get => Self::ListSubscriptions { customer: id(2) },
            ["v1", "customers", _, "subscriptions", _] if get => {
                Self::GetSubscription { customer: id(2), subscription: id(4) }
            }
            ["v1", "customers", _, "subscriptions", _, "azureentitlements"] if get => {
                Self::ListAzureEntitlements { customer: id(2), plan: id(4) }
            }
            ["v1", "customers", _, "subscriptions", _, "azureentitlements", _] if get => {
                Self::GetAzureEntitlement { customer: id(2), plan: id(4), entitlement: id(6) }
            }
            ["v1", "selfservepolicy"] if get => Self::ListSelfServePolicies,
            ["v1", "selfservepolicy"] if post => Self::CreateSelfServePolicy,
            ["v1", "selfservepolicy"] if method == Method::PUT => Self::UpdateSelfServePolicy { id: None },
            ["v1", "selfservepolicy", _] if get => Self::GetSelfServePolicy { id: id(2) },
            ["v1", "selfservepolicy", _] if method == Method::PUT => Self::UpdateSelfServePolicy { id: Some(id(2)) },
            ["v1", "selfservepolicy", _] if method == Method::DELETE => Self::DeleteSelfServePolicy { id: id(2) },
            ["v1", "auditrecords"] if get => Self::ListAuditRecords,
            ["v1", "auditrecords", _] if get => Self::GetAuditRecord { id: id(2) },
            ["v1", "selfservepolicy" | "auditrecords" | "customers", ..] if lower.len() <= 3 => {
                Self::MethodNotAllowed(Api::PartnerCenter)
            }
            ["v1", "customers", _, "relationships"] if get => Self::ListCustomerRelationships { customer: id(2) },
            ["v1", "relationships"] if get => Self::ListRelationships,
            ["v1", "profiles", name] if get => Self::GetProfile { name: (*name).to_owned() },
            ["v1", "roles"] if get => Self::ListRoles,
            ["v1", "roles", _, "usermembers"] if get => Self::ListRoleMembers { role: id(2) },
            ["v1", "applicationmfaadoptionstatus"] if get => Self::GetMfaAdoption,
            ["v1", "customers", _, _, ..] => commerce::Route::of(method, segments)
                .map_or(Self::Unknown(Api::PartnerCenter), |route| Self::Commerce { customer: id(2), route }),
            ["v1.0", ..] => graph::Route::of(method, segments).map_or(Self::Unknown(Api::Graph), Self::Graph),
            ["subscriptions" | "providers", ..] => {
                arm::Route::of(method, segments).map_or(Self::Unknown(Api::ResourceManager), Self::Azure)
            }
            _ => Self::Unknown(Api::PartnerCenter),
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Token { .. } => Operation::Token,
            Self::OpenidConfiguration { .. } => Operation::OpenidConfiguration,
            Self::InstanceDiscovery => Operation::InstanceDiscovery,
            Self::SigningKeys { .. } => Operation::SigningKeys,
            Self::Authorize { .. } => Operation::Authorize,
            Self::DeviceCode { .. } => Operation::DeviceCode,
            Self::DevicePage => Operation::DevicePage,
            Self::GetProfile { name } if name == "organization" => Operation::GetOrganizationProfile,
            Self::ListCustomers => Operation::ListCustomers,
            Self::GetCustomer { .. } => Operation::GetCustomer,
            Self::ListSubscriptions { .. } => Operation::ListSubscriptions,
            Self::GetSubscription { .. } => Operation::GetSubscription,
            Self::ListAzureEntitlements { .. } => Operation::ListAzureEntitlements,
            Self::GetAzureEntitlement { .. } => Operation::GetAzureEntitlement,
            Self::ListSelfServePolicies => Operation::ListSelfServePolicies,
            Self::GetSelfServePolicy { .. } => Operation::GetSelfServePolicy,
            Self::CreateSelfServePolicy => Operation::CreateSelfServePolicy,
            Self::UpdateSelfServePolicy { .. } => Operation::UpdateSelfServePolicy,
            Self::DeleteSelfServePolicy { .. } => Operation::DeleteSelfServePolicy,
            Self::ListAuditRecords => Operation::ListAuditRecords,
            Self::GetAuditRecord { .. } => Operation::GetAuditRecord,
            Self::ListRelationships => Operation::ListRelationships,
            Self::ListCustomerRelationships { .. } => Operation::ListCustomerRelationships,
            Self::GetProfile { .. } => Operation::GetProfile,
            Self::ListRoles => Operation::ListRoles,
            Self::ListRoleMembers { .. } => Operation::ListRoleMembers,
            Self::GetMfaAdoption => Operation::GetMfaAdoption,
            Self::Commerce { route, .. } => route.operation(),
            Self::Azure(route) => route.operation(),
            Self::Graph(route) => route.operation(),
            Self::MethodNotAllowed(_) | Self::Unknown(_) => Operation::Unknown,
        }
    }

    pub(crate) fn api(&self) -> Api {
        match self {
            Self::Token { .. }
            | Self::OpenidConfiguration { .. }
            | Self::InstanceDiscovery
            | Self::SigningKeys { .. }
            | Self::Authorize { .. }
            | Self::DeviceCode { .. }
            | Self::DevicePage => Api::Entra,
            Self::Azure(_) => Api::ResourceManager,
            Self::Graph(_) => Api::Graph,
            Self::MethodNotAllowed(api) | Self::Unknown(api) => *api,
            _ => Api::PartnerCenter,
        }
    }

    /// The customer that the request names, whether or not it exists.
    pub(crate) fn customer(&self, request: &Request, state: &State) -> Option<Uuid> {
        let guid = |text: &str| Uuid::try_parse(text).ok();
        match self {
            Self::Token { tenant, .. }
            | Self::OpenidConfiguration { tenant, .. }
            | Self::SigningKeys { tenant }
            | Self::Authorize { tenant, .. }
            | Self::DeviceCode { tenant, .. } => guid(tenant).filter(|tenant| *tenant != state.partner.tenant_id),
            Self::GetCustomer { customer }
            | Self::ListSubscriptions { customer }
            | Self::GetSubscription { customer, .. }
            | Self::ListAzureEntitlements { customer, .. }
            | Self::GetAzureEntitlement { customer, .. }
            | Self::ListCustomerRelationships { customer }
            | Self::Commerce { customer, .. } => guid(customer),
            Self::ListSelfServePolicies => request.query("entity_id").and_then(guid),
            Self::CreateSelfServePolicy | Self::UpdateSelfServePolicy { id: None } => {
                let body = request.json()?;
                text_member(member(&body, "selfServeEntity")?, "tenantID").and_then(guid)
            }
            Self::GetSelfServePolicy { id }
            | Self::UpdateSelfServePolicy { id: Some(id) }
            | Self::DeleteSelfServePolicy { id } => id.split_once('_').and_then(|(_, customer)| guid(customer)),
            Self::Azure(route) => {
                let of_subscription = route.subscription().and_then(|id| state.tenant_of_azure(id));
                of_subscription.or_else(|| route.customer()).or_else(|| customer_of_token(request, state))
            }
            Self::Graph(_) => customer_of_token(request, state),
            Self::InstanceDiscovery
            | Self::DevicePage
            | Self::ListCustomers
            | Self::ListAuditRecords
            | Self::GetAuditRecord { .. }
            | Self::ListRelationships
            | Self::GetProfile { .. }
            | Self::ListRoles
            | Self::ListRoleMembers { .. }
            | Self::GetMfaAdoption
            | Self::MethodNotAllowed(_)
            | Self::Unknown(_) => None,
        }
    }
}

/// The customer in whose tenant the request's token is valid.
fn customer_of_token(request: &Request, state: &State) -> Option<Uuid> {
    let claims = request.bearer().and_then(tokens::decode)?;
    (claims.tid != state.partner.tenant_id).then_some(claims.tid)
}
