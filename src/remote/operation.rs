//! What a request is for.

use std::fmt;

use crate::model::{SubscriptionId, TenantId};

/// What was being done; errors, counters and logs are labelled with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Redeem the refresh token in a tenant.
    SignIn(TenantId),
    /// Read the partner's own profile.
    ReadOrganization,
    /// List all customers.
    ListCustomers,
    /// Read one customer.
    ReadCustomer(TenantId),
    /// List a customer's subscriptions.
    ReadSubscriptions(TenantId),
    /// List the Azure subscriptions below a customer's Azure plan.
    ReadAzureEntitlements(TenantId),
    /// Read a customer's policy.
    ReadPolicy(TenantId),
    /// Create a customer's policy.
    CreatePolicy(TenantId),
    /// Replace a customer's policy.
    UpdatePolicy(TenantId),
    /// Delete a customer's policy.
    DeletePolicy(TenantId),
    /// Read the activity log.
    ReadActivity,
    /// List who holds Owner on an Azure subscription.
    ReadOwners(SubscriptionId),
    /// List the partner's relationships to other partners.
    ReadRelationships,
    /// Assign Owner on an Azure subscription.
    AssignOwner(SubscriptionId),
    /// List the groups of the signed-in user in the partner's tenant.
    ReadOwnGroups,
    /// Look up a user in a customer's tenant.
    ReadUser(TenantId),
    /// Read which agreements a customer has accepted.
    ReadAgreements(TenantId),
    /// Read what an Azure plan is called in the catalogue.
    ReadCatalogue(TenantId),
    /// Put an Azure plan into a cart.
    CreateCart(TenantId),
    /// Buy what is in a cart.
    CheckOutCart(TenantId),
    /// List the partner's billing accounts.
    ReadBillingAccounts,
    /// Read whether a customer sees its charges.
    ReadCharges(TenantId),
    /// Change whether a customer sees its charges.
    ChangeCharges(TenantId),
    /// Ask how such a change is getting on.
    ReadChargesChange(TenantId),
    /// List what a customer has a right to.
    ReadEntitlements(TenantId),
    /// List a customer's orders.
    ReadOrders(TenantId),
    /// List the reservations of a customer's tenant.
    ReadReservations(TenantId),
    /// List the savings plans of a customer's tenant.
    ReadSavingsPlans(TenantId),
    /// List who has a role on a reservation order.
    ReadOrderHolders(TenantId),
}

/// The service that a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Partner Center, always in the partner's tenant.
    PartnerCenter,
    /// Azure Resource Manager, in a customer's tenant.
    Azure,
    /// Microsoft Graph, in the partner's or a customer's tenant.
    Graph,
}

impl Service {
    /// Metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::PartnerCenter => "partner_center",
            Self::Azure => "azure",
            Self::Graph => "graph",
        }
    }
}

impl Operation {
    /// Metric label: one of some twenty words.
    pub fn label(self) -> &'static str {
        match self {
            Self::SignIn(_) => "sign_in",
            Self::ReadOrganization => "read_organization",
            Self::ListCustomers => "list_customers",
            Self::ReadCustomer(_) => "read_customer",
            Self::ReadSubscriptions(_) => "read_subscriptions",
            Self::ReadAzureEntitlements(_) => "read_azure_entitlements",
            Self::ReadPolicy(_) => "read_policy",
            Self::CreatePolicy(_) => "create_policy",
            Self::UpdatePolicy(_) => "update_policy",
            Self::DeletePolicy(_) => "delete_policy",
            Self::ReadActivity => "read_activity",
            Self::ReadOwners(_) => "read_owners",
            Self::ReadRelationships => "read_relationships",
            Self::AssignOwner(_) => "assign_owner",
            Self::ReadOwnGroups => "read_own_groups",
            Self::ReadUser(_) => "read_user",
            Self::ReadAgreements(_) => "read_agreements",
            Self::ReadCatalogue(_) => "read_catalogue",
            Self::CreateCart(_) => "create_cart",
            Self::CheckOutCart(_) => "check_out_cart",
            Self::ReadBillingAccounts => "read_billing_accounts",
            Self::ReadCharges(_) => "read_charges",
            Self::ChangeCharges(_) => "change_charges",
            Self::ReadChargesChange(_) => "read_charges_change",
            Self::ReadEntitlements(_) => "read_entitlements",
            Self::ReadOrders(_) => "read_orders",
            Self::ReadReservations(_) => "read_reservations",
            Self::ReadSavingsPlans(_) => "read_savings_plans",
            Self::ReadOrderHolders(_) => "read_order_holders",
        }
    }

    /// Which of the service's interfaces it uses: services count calls by it.
    pub(super) fn interface(self) -> &'static str {
        match self {
            Self::SignIn(_) => "sign_in",
            Self::ListCustomers | Self::ReadCustomer(_) => "customers",
            Self::ReadSubscriptions(_) | Self::ReadAzureEntitlements(_) => "subscriptions",
            Self::ReadPolicy(_) | Self::CreatePolicy(_) | Self::UpdatePolicy(_) | Self::DeletePolicy(_) => "policies",
            Self::ReadActivity => "activity",
            Self::ReadOwners(_) | Self::AssignOwner(_) => "role_assignments",
            Self::ReadUser(_) => "users",
            Self::ReadAgreements(_) => "agreements",
            Self::ReadCatalogue(_) => "products",
            Self::CreateCart(_) | Self::CheckOutCart(_) => "carts",
            Self::ReadBillingAccounts | Self::ReadCharges(_) | Self::ChangeCharges(_) | Self::ReadChargesChange(_) => {
                "billing"
            }
            Self::ReadRelationships => "relationships",
            Self::ReadOwnGroups => "groups",
            Self::ReadOrganization => "profiles",
            Self::ReadEntitlements(_) => "entitlements",
            Self::ReadOrders(_) => "orders",
            Self::ReadReservations(_) => "reservations",
            Self::ReadSavingsPlans(_) => "savings_plans",
            Self::ReadOrderHolders(_) => "reservation_orders",
        }
    }

    /// The customer that it is about, if its name says so.
    pub(super) fn customer(self) -> Option<TenantId> {
        match self {
            Self::SignIn(customer)
            | Self::ReadCustomer(customer)
            | Self::ReadSubscriptions(customer)
            | Self::ReadAzureEntitlements(customer)
            | Self::ReadPolicy(customer)
            | Self::CreatePolicy(customer)
            | Self::UpdatePolicy(customer)
            | Self::DeletePolicy(customer)
            | Self::ReadUser(customer)
            | Self::ReadAgreements(customer)
            | Self::ReadCatalogue(customer)
            | Self::CreateCart(customer)
            | Self::CheckOutCart(customer)
            | Self::ReadCharges(customer)
            | Self::ChangeCharges(customer)
            | Self::ReadChargesChange(customer)
            | Self::ReadEntitlements(customer)
            | Self::ReadOrders(customer)
            | Self::ReadReservations(customer)
            | Self::ReadSavingsPlans(customer)
            | Self::ReadOrderHolders(customer) => Some(customer),
            Self::ReadOrganization
            | Self::ListCustomers
            | Self::ReadActivity
            | Self::ReadOwners(_)
            | Self::AssignOwner(_)
            | Self::ReadRelationships
            | Self::ReadOwnGroups
            | Self::ReadBillingAccounts => None,
        }
    }

    /// Whether it changes a policy.
    pub fn is_write(self) -> bool {
        matches!(self, Self::CreatePolicy(_) | Self::UpdatePolicy(_) | Self::DeletePolicy(_))
    }

    /// Whether Partner Center does it for an application without a user, as the pages of these calls say.
    pub(super) fn is_for_applications(self) -> bool {
        matches!(
            self,
            Self::ListCustomers
                | Self::ReadCustomer(_)
                | Self::ReadSubscriptions(_)
                | Self::ReadAzureEntitlements(_)
                | Self::ReadOrders(_)
                | Self::ReadActivity
        )
    }

    /// Whether its address names a customer, so that a refusal of the id is a refusal of the customer.
    pub(super) fn is_below_customer(self) -> bool {
        matches!(
            self,
            Self::ReadCustomer(_)
                | Self::ReadSubscriptions(_)
                | Self::ReadAzureEntitlements(_)
                | Self::ReadEntitlements(_)
                | Self::ReadOrders(_)
                | Self::ReadAgreements(_)
                | Self::ReadCatalogue(_)
                | Self::CreateCart(_)
                | Self::CheckOutCart(_)
        )
    }

    /// The service it is asked of.
    pub fn service(self) -> Service {
        match self {
            Self::ReadOwners(_)
            | Self::AssignOwner(_)
            | Self::ReadBillingAccounts
            | Self::ReadCharges(_)
            | Self::ChangeCharges(_)
            | Self::ReadChargesChange(_)
            | Self::ReadReservations(_)
            | Self::ReadSavingsPlans(_)
            | Self::ReadOrderHolders(_) => Service::Azure,
            Self::ReadOwnGroups | Self::ReadUser(_) => Service::Graph,
            _ => Service::PartnerCenter,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignIn(tenant) => write!(f, "sign in to tenant {tenant}"),
            Self::ReadOrganization => f.write_str("read the partner's profile"),
            Self::ListCustomers => f.write_str("list the customers"),
            Self::ReadCustomer(customer) => write!(f, "read customer {customer}"),
            Self::ReadSubscriptions(customer) => write!(f, "read the subscriptions of customer {customer}"),
            Self::ReadAzureEntitlements(customer) => {
                write!(f, "read the Azure subscriptions of customer {customer}")
            }
            Self::ReadPolicy(customer) => write!(f, "read the purchase permissions of customer {customer}"),
            Self::CreatePolicy(customer) => write!(f, "create the purchase permissions of customer {customer}"),
            Self::UpdatePolicy(customer) => write!(f, "change the purchase permissions of customer {customer}"),
            Self::DeletePolicy(customer) => write!(f, "delete the purchase permissions of customer {customer}"),
            Self::ReadActivity => f.write_str("read the activity log"),
            Self::ReadOwners(subscription) => write!(f, "read the owners of Azure subscription {subscription}"),
            Self::ReadRelationships => f.write_str("read the partner's relationships to other partners"),
            Self::AssignOwner(subscription) => write!(f, "assign Owner on Azure subscription {subscription}"),
            Self::ReadOwnGroups => f.write_str("read the groups of the signed-in user"),
            Self::ReadUser(tenant) => write!(f, "look up a user in tenant {tenant}"),
            Self::ReadAgreements(customer) => write!(f, "read which agreements customer {customer} has accepted"),
            Self::ReadCatalogue(customer) => write!(f, "read the catalogue for customer {customer}"),
            Self::CreateCart(customer) => write!(f, "put an Azure plan into a cart for customer {customer}"),
            Self::CheckOutCart(customer) => write!(f, "buy an Azure plan for customer {customer}"),
            Self::ReadBillingAccounts => f.write_str("read the partner's billing accounts"),
            Self::ReadCharges(customer) => write!(f, "read whether customer {customer} sees its charges"),
            Self::ChangeCharges(customer) => write!(f, "change whether customer {customer} sees its charges"),
            Self::ReadChargesChange(customer) => {
                write!(f, "ask whether customer {customer} sees its charges as was asked for")
            }
            Self::ReadEntitlements(customer) => write!(f, "read the reservation entitlements of customer {customer}"),
            Self::ReadOrders(customer) => write!(f, "read the orders of customer {customer}"),
            Self::ReadReservations(tenant) => write!(f, "read the reservations of tenant {tenant}"),
            Self::ReadSavingsPlans(tenant) => write!(f, "read the savings plans of tenant {tenant}"),
            Self::ReadOrderHolders(tenant) => {
                write!(f, "read who has a role on a reservation order of tenant {tenant}")
            }
        }
    }
}
