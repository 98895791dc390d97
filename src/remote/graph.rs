//! Microsoft Graph: who is in which group, and which user has which object id.
//!
//! It is optional. Nothing that this program does needs it; with it, more is known beforehand.

use std::sync::Arc;

use url::Url;
use uuid::Uuid;

use crate::model::{DirectoryUser, Group, TenantId, UserPrincipalName};

use super::call::Call;
use super::endpoints::below;
use super::send::Sender;
use super::token::Realm;
use super::wire::{self, GroupWire, UserWire};
use super::{Cause, Error, Operation};

/// Microsoft Graph, in the partner's and the customers' tenants.
#[derive(Debug, Clone)]
pub struct Graph {
    sender: Arc<Sender>,
    base: Url,
}

impl Graph {
    pub(super) fn new(sender: Arc<Sender>, base: Url) -> Self {
        Self { sender, base }
    }

    pub(super) fn with(&self, sender: Arc<Sender>) -> Self {
        Self { sender, base: self.base.clone() }
    }

    /// The groups of the partner's tenant that the signed-in user is a member of, directly or through other groups.
    ///
    /// The delegated permission `User.Read` suffices for one's own groups. Groups whose name may not be read come
    /// without one.
    pub async fn own_groups(&self) -> Result<Vec<Group>, Error> {
        let operation = Operation::ReadOwnGroups;
        let partner = self.sender.partner_tenant(operation).await?;
        let mut url = below(&self.base, &["v1.0", "me", "transitiveMemberOf", "microsoft.graph.group"]);
        url.set_query(Some("$select=id,displayName"));
        let items: Vec<GroupWire> = self.sender.all_pages(operation, Realm::Graph(partner), &self.base, url).await?;
        let group = |item: GroupWire| item.translate().map(|(id, name)| Group { id, name });
        let groups: Result<_, _> = items.into_iter().map(group).collect();
        groups.map_err(|defect| Error::new(operation, Cause::UnexpectedAnswer(defect)))
    }

    /// The user of `tenant` that signs in as `name`; `None` when there is none.
    ///
    /// The delegated permission `User.ReadBasic.All` suffices for the id; whether the user is a guest or disabled takes
    /// `User.Read.All`, and is left open without.
    pub async fn user(&self, tenant: TenantId, name: &UserPrincipalName) -> Result<Option<DirectoryUser>, Error> {
        let operation = Operation::ReadUser(tenant);
        let unexpected = |defect| Error::new(operation, Cause::UnexpectedAnswer(defect));
        let mut url = below(&self.base, &["v1.0", "users", name.as_str()]);
        url.set_query(Some("$select=id,userPrincipalName,userType,accountEnabled"));
        let answer = match self.sender.send(Realm::Graph(tenant), Call::get(operation, url), Uuid::new_v4()).await {
            Ok(answer) => answer,
            Err(error) if is_unknown_resource(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let user: UserWire = wire::read(&answer.body).map_err(unexpected)?;
        user.translate().map(Some).map_err(unexpected)
    }
}

/// Graph's own word for "there is none". A 404 without it may come from a proxy, and says nothing.
fn is_unknown_resource(error: &Error) -> bool {
    matches!(
        error.cause(),
        Cause::Refused(refusal) if refusal.status() == 404 && refusal.code() == Some("Request_ResourceNotFound")
    )
}
