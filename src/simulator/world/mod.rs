//! The world a simulator starts with: one partner and its customers, from a YAML file or generated.
//!
//! Everybody in the simulator may read these types; only a [`World`] leaves it. A world is checked when it is made, so
//! nobody else meets an id that is used twice. Never found here: what happens to the world later, and its wire form.

mod azure;
mod directory;

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use azure::{AzureSubscription, PrincipalType, RoleAssignment, RoleDefinition, Scope};
pub(crate) use directory::{
    Access, GRAPH_SCOPES, Group, PartnerType, PortalUser, RelatedPartner, TenantUser, UserType, graph_scopes,
};

/// The one user of the default partner.
pub const DEFAULT_USER: &str = "operator@contosopartner.onmicrosoft.com";
/// The refresh token of [`DEFAULT_USER`].
pub const DEFAULT_REFRESH_TOKEN: &str = "simulated-refresh-token";
/// The client secret of the default partner's application.
pub const DEFAULT_CLIENT_SECRET: &str = "simulated-client-secret";

/// Why a world was refused.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The text is not YAML, or does not have the shape of a world. The message names the place.
    #[error("the world file is not understood: {0}")]
    Shape(#[from] serde_yaml::Error),
    /// The shape is right, but the parts do not fit together.
    #[error("{0}")]
    Inconsistent(String),
}

/// A partner with its customers; every id in it is unique.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub(crate) partner: Partner,
    pub(crate) customers: Vec<Customer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct WorldFile {
    partner: Partner,
    customers: Vec<Customer>,
}

impl World {
    /// Reads a world file. Unknown fields, malformed ids and duplicate ids are refused.
    pub fn from_yaml(text: &str) -> Result<Self, WorldError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let file: WorldFile = serde_yaml::from_str(text)?;
        let mut ids = KnownIds::default();
        for customer in &file.customers {
            ids.add(customer).map_err(WorldError::Inconsistent)?;
        }
        file.partner.check().map_err(WorldError::Inconsistent)?;
        Ok(Self { partner: file.partner, customers: file.customers })
    }

    /// The default partner with `count` resold customers, each with an active Azure plan, one Azure subscription under
    /// it, and one user who is Owner of that.
    ///
    /// The ids of customer `i` (from 0) end in `i` as twelve hexadecimal digits: tenant `c0000000-0000-4000-8000-…`,
    /// Azure plan `b0000000-…`, Azure subscription `a0000000-…`, owner `d0000000-…`.
    pub fn generated(count: u32) -> Self {
        Self { partner: Partner::default(), customers: (0..count).map(generated_customer).collect() }
    }
}

fn generated_customer(index: u32) -> Customer {
    let id = |prefix: u32| Uuid::from_fields(prefix, 0, 0x4000, &numbered(index));
    Customer {
        tenant_id: id(0xc000_0000),
        name: format!("Contoso Customer {index}"),
        domain: Some(format!("customer{index}.onmicrosoft.com")),
        relationship: Relationship::Reseller,
        subscriptions: vec![Subscription {
            id: id(0xb000_0000),
            kind: SubscriptionKind::AzurePlan,
            status: SubscriptionStatus::Active,
            azure_subscriptions: vec![AzureSubscription {
                id: id(0xa000_0000),
                name: azure::default_name(),
                status: azure::default_status(),
                role_assignments: vec![RoleAssignment::owner(id(0xd000_0000), PrincipalType::User)],
            }],
            reseller: None,
            visible_at: None,
        }],
        users: vec![TenantUser {
            upn: format!("owner@customer{index}.onmicrosoft.com"),
            object_id: id(0xd000_0000),
            user_type: UserType::Member,
            account_enabled: true,
            created_at: None,
        }],
        groups: Vec::new(),
        permissions: Vec::new(),
        access: Access::default(),
        agreement_accepted: true,
    }
}

/// The last eight bytes of a generated id: the variant, then the customer's number.
fn numbered(index: u32) -> [u8; 8] {
    let [a, b, c, d] = index.to_be_bytes();
    [0x80, 0, 0, 0, a, b, c, d]
}

/// The partner the simulator belongs to.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Partner {
    pub(crate) tenant_id: Uuid,
    pub(crate) name: String,
    pub(crate) domain: String,
    pub(crate) application: Application,
    pub(crate) users: Vec<User>,
    /// Those who use nothing but the portal; one of each role when absent.
    pub(crate) portal_users: Option<Vec<PortalUser>>,
    /// The security group that appears as `ForeignGroup` Owner on every CSP subscription.
    pub(crate) admin_agents_group_id: Uuid,
    pub(crate) helpdesk_agents_group_id: Uuid,
    pub(crate) sales_agents_group_id: Uuid,
    /// Groups beside those of the roles; nested in them where `memberOf` says so.
    pub(crate) groups: Vec<Group>,
    #[serde(rename = "type")]
    pub(crate) kind: PartnerType,
    pub(crate) mpn_id: String,
    /// The name of its billing account.
    pub(crate) billing_account: String,
    /// The indirect resellers of an indirect provider, or the indirect providers of an indirect reseller.
    pub(crate) related_partners: Vec<RelatedPartner>,
    /// The scopes of Graph that the partner has consented to; none at all means no token. Absent means all.
    pub(crate) graph: Option<Vec<String>>,
}

impl Default for Partner {
    fn default() -> Self {
        Self {
            tenant_id: Uuid::from_u128(0xaaaa_0000_2222_4b22_9b22_0000_0000_0002),
            name: "Contoso Partner".to_owned(),
            domain: "contosopartner.onmicrosoft.com".to_owned(),
            application: Application::default(),
            users: vec![User {
                upn: DEFAULT_USER.to_owned(),
                object_id: Uuid::from_u128(0xeeee_0000_4444_4d44_8d44_0000_0000_0004),
                roles: default_roles(),
                mfa: true,
                refresh_token: Some(DEFAULT_REFRESH_TOKEN.to_owned()),
            }],
            portal_users: None,
            admin_agents_group_id: Uuid::from_u128(0xaaaa_0000_5555_4e55_9e55_0000_0000_0005),
            helpdesk_agents_group_id: Uuid::from_u128(0xaaaa_0000_5555_4e55_9e55_0000_0000_0006),
            sales_agents_group_id: Uuid::from_u128(0xaaaa_0000_5555_4e55_9e55_0000_0000_0007),
            groups: Vec::new(),
            kind: PartnerType::DirectBill,
            mpn_id: "1234567".to_owned(),
            billing_account: "aaaa0000-8888-4b22-9b22-000000000008:aaaa0000-9999-4b22-9b22-000000000009_2019-05-31"
                .to_owned(),
            related_partners: Vec::new(),
            graph: None,
        }
    }
}

impl Partner {
    /// The group of Entra that stands behind a role.
    pub(crate) fn role_group(&self, role: PartnerRole) -> Uuid {
        match role {
            PartnerRole::Admin => self.admin_agents_group_id,
            PartnerRole::Helpdesk => self.helpdesk_agents_group_id,
            PartnerRole::Sales => self.sales_agents_group_id,
        }
    }

    /// Those who use nothing but the portal.
    pub(crate) fn portal_users(&self) -> Vec<PortalUser> {
        self.portal_users.clone().unwrap_or_else(|| PortalUser::of_each_role(&self.domain))
    }

    fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        let mut tokens = HashSet::new();
        for user in self.portal_users.iter().flatten() {
            if !names.insert(user.upn.to_lowercase()) {
                return Err(format!("partner.portalUsers: `{}` is listed twice", user.upn));
            }
        }
        for user in &self.users {
            if !names.insert(user.upn.to_lowercase()) {
                return Err(format!("partner.users: `{}` is listed twice", user.upn));
            }
            if user.refresh_token.as_ref().is_some_and(|token| !tokens.insert(token)) {
                return Err(format!("partner.users: the refresh token of `{}` belongs to another user too", user.upn));
            }
        }
        Ok(())
    }
}

/// The application registration that calls Partner Center.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Application {
    pub(crate) client_id: Uuid,
    pub(crate) client_secret: String,
    /// Where a browser may be sent with the outcome of a sign-in; the port of a loopback address does not count.
    pub(crate) redirect_uris: Vec<String>,
    /// The same for programs on somebody's machine, which cannot keep a secret and must not present one.
    pub(crate) public_redirect_uris: Vec<String>,
    /// Whether a device code can be redeemed without the client secret.
    pub(crate) allow_public_client_flows: bool,
    /// The certificates by which it can prove itself instead, as PEM.
    pub(crate) certificates: Vec<String>,
    /// Those whose tokens prove it.
    pub(crate) federated_credentials: Vec<FederatedCredential>,
}

/// Whose tokens prove the application: each value must be exactly the token's.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FederatedCredential {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    #[serde(default = "default_audience")]
    pub(crate) audience: String,
}

fn default_audience() -> String {
    "api://AzureADTokenExchange".to_owned()
}

impl Default for Application {
    fn default() -> Self {
        Self {
            client_id: Uuid::from_u128(0x1111_2222_3333_4444_8555_6666_7777_8888),
            client_secret: DEFAULT_CLIENT_SECRET.to_owned(),
            redirect_uris: vec!["http://localhost".to_owned()],
            public_redirect_uris: Vec::new(),
            allow_public_client_flows: false,
            certificates: Vec::new(),
            federated_credentials: Vec::new(),
        }
    }
}

/// A user of the partner tenant.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) upn: String,
    pub(crate) object_id: Uuid,
    #[serde(default = "default_roles")]
    pub(crate) roles: Vec<PartnerRole>,
    #[serde(default = "yes")]
    pub(crate) mfa: bool,
    #[serde(default)]
    pub(crate) refresh_token: Option<String>,
}

fn default_roles() -> Vec<PartnerRole> {
    vec![PartnerRole::Admin]
}

fn yes() -> bool {
    true
}

/// A role in Partner Center that concerns customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum PartnerRole {
    #[serde(rename = "AdminAgent")]
    Admin,
    #[serde(rename = "SalesAgent")]
    Sales,
    #[serde(rename = "HelpdeskAgent")]
    Helpdesk,
}

impl PartnerRole {
    pub(crate) const ALL: [Self; 3] = [Self::Admin, Self::Helpdesk, Self::Sales];

    /// The name of the role's group.
    pub(crate) fn group_name(self) -> &'static str {
        match self {
            Self::Admin => "AdminAgents",
            Self::Helpdesk => "HelpdeskAgents",
            Self::Sales => "SalesAgents",
        }
    }
}

/// A customer tenant of the partner.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Customer {
    pub(crate) tenant_id: Uuid,
    pub(crate) name: String,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    pub(crate) relationship: Relationship,
    #[serde(default)]
    pub(crate) subscriptions: Vec<Subscription>,
    #[serde(default)]
    pub(crate) users: Vec<TenantUser>,
    #[serde(default)]
    pub(crate) groups: Vec<Group>,
    #[serde(default)]
    pub(crate) access: Access,
    /// Whether it has accepted the Microsoft Customer Agreement, without which nothing is sold to it.
    #[serde(default = "yes")]
    pub(crate) agreement_accepted: bool,
    /// The resources whose purchase is permitted at the start.
    #[serde(default)]
    pub(crate) permissions: Vec<String>,
}

impl Customer {
    /// The given domain, or one made from the name.
    pub(crate) fn domain(&self) -> String {
        self.domain.clone().unwrap_or_else(|| {
            let letters: String = self.name.chars().filter(char::is_ascii_alphanumeric).collect();
            format!("{}.onmicrosoft.com", letters.to_lowercase())
        })
    }

    pub(crate) fn azure_subscriptions(&self) -> impl Iterator<Item = &AzureSubscription> {
        self.subscriptions.iter().flat_map(|subscription| &subscription.azure_subscriptions)
    }

    pub(crate) fn azure_subscriptions_mut(&mut self) -> impl Iterator<Item = &mut AzureSubscription> {
        self.subscriptions.iter_mut().flat_map(|subscription| &mut subscription.azure_subscriptions)
    }
}

/// `relationshipToPartner` of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Relationship {
    None,
    #[default]
    Reseller,
    Advisor,
    Syndication,
    MicrosoftSupport,
    /// A word that is not documented, to see what a client makes of it.
    #[serde(untagged)]
    Other(String),
}

/// A subscription as Partner Center lists it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Subscription {
    pub(crate) id: Uuid,
    pub(crate) kind: SubscriptionKind,
    #[serde(default)]
    pub(crate) status: SubscriptionStatus,
    /// Under an Azure plan any number; for Azure Global the one that it is.
    #[serde(default)]
    pub(crate) azure_subscriptions: Vec<AzureSubscription>,
    /// The partner id of the indirect reseller that an Azure plan is for.
    #[serde(default)]
    pub(crate) reseller: Option<String>,
    /// Until then it cannot be read.
    #[serde(skip)]
    pub(crate) visible_at: Option<Timestamp>,
}

/// What kind of subscription it is, which decides its offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SubscriptionKind {
    /// The modern Azure plan, with Azure subscriptions under it.
    AzurePlan,
    /// The legacy Microsoft Azure offer MS-AZR-0145P, which is itself one Azure subscription.
    AzureGlobal,
    /// Licences for something that is not Azure.
    License,
}

/// `status` of a subscription in Partner Center.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SubscriptionStatus {
    None,
    #[default]
    Active,
    Pending,
    Suspended,
    Expired,
    Disabled,
    Deleted,
    /// A word that is not documented, to see what a client makes of it.
    #[serde(untagged)]
    Other(String),
}

/// The ids that a world has used so far.
#[derive(Debug, Default)]
struct KnownIds(HashSet<Uuid>);

impl KnownIds {
    fn add(&mut self, customer: &Customer) -> Result<(), String> {
        customer.check()?;
        for id in customer.ids() {
            if !self.0.insert(id) {
                return Err(format!("customer `{}`: the id {id} is used more than once", customer.name));
            }
        }
        Ok(())
    }
}

impl Customer {
    /// Every id that must be unique in the world.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Uuid> {
        std::iter::once(self.tenant_id).chain(self.subscriptions.iter().flat_map(Subscription::ids))
    }

    /// What the types cannot say about its users and subscriptions.
    pub(crate) fn check(&self) -> Result<(), String> {
        let mut names = HashSet::new();
        let mut ids = HashSet::new();
        for user in &self.users {
            if !names.insert(user.upn.to_lowercase()) || !ids.insert(user.object_id) {
                return Err(format!("customer `{}`: the user `{}` is listed twice", self.name, user.upn));
            }
        }
        self.subscriptions
            .iter()
            .try_for_each(Subscription::check)
            .map_err(|problem| format!("customer `{}`, {problem}", self.name))
    }
}

impl Subscription {
    /// Its own id and those of the Azure subscriptions under it.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Uuid> {
        std::iter::once(self.id).chain(self.azure_subscriptions.iter().map(|azure| azure.id))
    }

    /// What the types cannot say: an Azure Global subscription is exactly one Azure subscription, licences are none.
    pub(crate) fn check(&self) -> Result<(), String> {
        let found = self.azure_subscriptions.len();
        let problem = match self.kind {
            SubscriptionKind::AzurePlan => return Ok(()),
            SubscriptionKind::AzureGlobal if found == 1 => return Ok(()),
            SubscriptionKind::License if found == 0 => return Ok(()),
            SubscriptionKind::AzureGlobal => "an AzureGlobal subscription has exactly one entry in azureSubscriptions",
            SubscriptionKind::License => "a License subscription has no azureSubscriptions",
        };
        Err(format!("subscription {}: {problem}, not {found}", self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(yaml: &str) -> String {
        World::from_yaml(yaml).expect_err("refused").to_string()
    }

    #[test]
    fn generated_ids_follow_the_documented_scheme() {
        let world = World::generated(300);
        let last = &world.customers[299];
        assert_eq!(last.tenant_id.to_string(), "c0000000-0000-4000-8000-00000000012b");
        assert_eq!(last.subscriptions[0].id.to_string(), "b0000000-0000-4000-8000-00000000012b");
        let azure = &last.subscriptions[0].azure_subscriptions[0];
        assert_eq!(azure.id.to_string(), "a0000000-0000-4000-8000-00000000012b");
        assert_eq!(azure.role_assignments[0].principal_id.to_string(), "d0000000-0000-4000-8000-00000000012b");
    }

    #[test]
    fn the_default_partner_is_the_documented_one() {
        let partner = World::from_yaml("").expect("an empty world").partner;
        assert_eq!(partner.tenant_id.to_string(), "aaaa0000-2222-4b22-9b22-000000000002");
        assert_eq!(partner.application.client_id.to_string(), "11112222-3333-4444-8555-666677778888");
    }

    #[test]
    fn a_partner_overrides_only_what_it_names() {
        let world = World::from_yaml("partner: { name: Fabrikam Partner }").expect("a world");
        assert_eq!(world.partner.name, "Fabrikam Partner");
        assert_eq!(world.partner.users[0].upn, DEFAULT_USER);
    }

    #[test]
    fn refusals_name_the_place() {
        let tenant = "c1a0c1a0-1111-4a11-8a11-000000000001";
        let cases = [
            ("custommers: []".to_owned(), "unknown field `custommers`"),
            (
                format!("customers: [{{ tenantId: {tenant}, name: A, colour: red }}]"),
                "customers[0]: unknown field `colour`",
            ),
            ("customers: [{ tenantId: nonsense, name: A }]".to_owned(), "customers[0].tenantId"),
            (
                format!("customers: [{{ tenantId: {tenant}, name: A }}, {{ tenantId: {tenant}, name: B }}]"),
                "customer `B`: the id c1a0c1a0-1111-4a11-8a11-000000000001 is used more than once",
            ),
            (
                format!(
                    "customers: [{{ tenantId: {tenant}, name: A, subscriptions: [{{ id: {}, kind: AzureGlobal }}] }}]",
                    Uuid::from_u128(7)
                ),
                "exactly one entry in azureSubscriptions, not 0",
            ),
        ];
        for (yaml, expected) in cases {
            let message = refusal(&yaml);
            assert!(message.contains(expected), "{yaml}\nsaid: {message}");
        }
    }
}
