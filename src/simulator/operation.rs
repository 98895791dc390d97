//! The names of what is asked, and of the APIs it is asked of.

use serde::{Deserialize, Serialize};

/// The stable names by which faults and the request log know operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    Token,
    OpenidConfiguration,
    InstanceDiscovery,
    SigningKeys,
    Authorize,
    DeviceCode,
    DevicePage,
    GetOrganizationProfile,
    ListCustomers,
    GetCustomer,
    ListSubscriptions,
    GetSubscription,
    ListAzureEntitlements,
    GetAzureEntitlement,
    ListSelfServePolicies,
    GetSelfServePolicy,
    CreateSelfServePolicy,
    UpdateSelfServePolicy,
    DeleteSelfServePolicy,
    ListAuditRecords,
    GetAuditRecord,
    ListRelationships,
    ListCustomerRelationships,
    GetProfile,
    ListRoles,
    ListRoleMembers,
    GetMfaAdoption,
    ListOrders,
    GetOrder,
    ListEntitlements,
    GetArtifact,
    ListProducts,
    GetProduct,
    ListSkus,
    ListAvailabilities,
    CreateCart,
    GetCart,
    UpdateCart,
    CheckOutCart,
    ListAgreements,
    AcceptAgreement,
    RegisterSubscription,
    GetRegistrationStatus,
    ListRoleAssignments,
    GetRoleAssignment,
    CreateRoleAssignment,
    DeleteRoleAssignment,
    ListReservations,
    ListReservationRoleAssignments,
    ListSavingsPlans,
    ListBillingAccounts,
    GetBillingPolicy,
    UpdateBillingPolicy,
    GetBillingOutcome,
    GetMe,
    ListMyGroups,
    CheckMyGroups,
    GetUser,
    ListGroupMembers,
    /// Anything the simulator does not serve.
    Unknown,
}

/// The API an operation belongs to, which decides the shape of its refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Entra,
    PartnerCenter,
    ResourceManager,
    Graph,
}
