//! Which operation below a customer a request is.

use axum::http::Method;

use crate::simulator::operation::Operation;

/// An operation with what its path says after the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    ListOrders,
    GetOrder { id: String },
    ListEntitlements,
    GetArtifact { resource: String },
    ListProducts,
    GetProduct { product: String },
    ListSkus { product: String },
    ListAvailabilities { product: String, sku: String },
    CreateCart,
    GetCart { id: String },
    UpdateCart { id: String },
    CheckOutCart { id: String },
    ListAgreements,
    AcceptAgreement,
    Register { subscription: String },
    RegistrationStatus { subscription: String },
}

impl Route {
    /// The route of a request below `/v1/customers/{customer}`.
    pub(crate) fn of(method: &Method, segments: &[String]) -> Option<Self> {
        let lower: Vec<String> = segments.iter().skip(3).map(|segment| segment.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let id = |index: usize| segments.get(index + 3).cloned().unwrap_or_default();
        let (get, post) = (method == Method::GET, method == Method::POST);
        match lower.as_slice() {
            ["orders"] if get => Some(Self::ListOrders),
            ["orders", _] if get => Some(Self::GetOrder { id: id(1) }),
            ["entitlements"] if get => Some(Self::ListEntitlements),
            ["artifacts", _, "groups", _, "resources", _] if get => Some(Self::GetArtifact { resource: id(5) }),
            ["products"] if get => Some(Self::ListProducts),
            ["products", _] if get => Some(Self::GetProduct { product: id(1) }),
            ["products", _, "skus"] if get => Some(Self::ListSkus { product: id(1) }),
            ["products", _, "skus", _, "availabilities"] if get => {
                Some(Self::ListAvailabilities { product: id(1), sku: id(3) })
            }
            ["carts"] if post => Some(Self::CreateCart),
            ["carts", _] if get => Some(Self::GetCart { id: id(1) }),
            ["carts", _] if method == Method::PUT => Some(Self::UpdateCart { id: id(1) }),
            ["carts", _, "checkout"] if post => Some(Self::CheckOutCart { id: id(1) }),
            ["agreements"] if get => Some(Self::ListAgreements),
            ["agreements"] if post => Some(Self::AcceptAgreement),
            ["subscriptions", _, "registrations"] if post => Some(Self::Register { subscription: id(1) }),
            ["subscriptions", _, "registrationstatus"] if get => Some(Self::RegistrationStatus { subscription: id(1) }),
            _ => None,
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::ListOrders => Operation::ListOrders,
            Self::GetOrder { .. } => Operation::GetOrder,
            Self::ListEntitlements => Operation::ListEntitlements,
            Self::GetArtifact { .. } => Operation::GetArtifact,
            Self::ListProducts => Operation::ListProducts,
            Self::GetProduct { .. } => Operation::GetProduct,
            Self::ListSkus { .. } => Operation::ListSkus,
            Self::ListAvailabilities { .. } => Operation::ListAvailabilities,
            Self::CreateCart => Operation::CreateCart,
            Self::GetCart { .. } => Operation::GetCart,
            Self::UpdateCart { .. } => Operation::UpdateCart,
            Self::CheckOutCart { .. } => Operation::CheckOutCart,
            Self::ListAgreements => Operation::ListAgreements,
            Self::AcceptAgreement => Operation::AcceptAgreement,
            Self::Register { .. } => Operation::RegisterSubscription,
            Self::RegistrationStatus { .. } => Operation::GetRegistrationStatus,
        }
    }
}
