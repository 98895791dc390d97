//! What the Azure portal refuses to a customer's user, and what is to be done about it in a simulated world.
//!
//! It sells nothing without the permission, and nothing to who is no Owner. What the partner buys itself needs neither.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{account, subscriptions};
use crate::simulator::control;
use crate::simulator::exchange::Request;
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{AzureSubscription, SubscriptionStatus};

/// What a user of the customer wants to buy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buying<'a> {
    /// The resource whose purchase has to be permitted.
    pub(super) resource: &'static str,
    pub(super) upn: &'a str,
    /// The id of an Azure subscription as it was sent; empty for all of them.
    pub(super) subscription: &'a str,
}

/// Whether the user is sold that; else a sentence that says what is missing, and how it comes about.
pub(super) fn may_buy(
    state: &State,
    request: &Request,
    customer: &Customer,
    buying: &Buying<'_>,
) -> Result<(), String> {
    let about = &customer.about;
    let Buying { resource, upn, subscription } = buying;
    if !account::is_on(customer, resource) {
        return Err(format!(
            "The Azure portal refuses: {} may not purchase {} itself. An Admin agent of the partner turns that on, under Account.",
            about.name,
            account::title(resource)
        ));
    }
    let user = about.users.iter().find(|user| user.upn.eq_ignore_ascii_case(upn));
    let user = user.ok_or_else(|| {
        format!(
            "{} has no user {upn}. Pick another who buys, or add the user: {}",
            about.name,
            add_user(request, customer)
        )
    })?;
    let is_asked = |azure: &&AzureSubscription| subscription.is_empty() || *subscription == azure.id.to_string();
    let asked: Vec<_> = subscriptions::active(customer).filter(is_asked).collect();
    if asked.iter().any(|azure| subscriptions::is_owner(state, customer, user.object_id, azure)) {
        return Ok(());
    }
    let Some(first) = asked.first() else {
        return Err(none_active(request, customer, user.object_id, subscription));
    };
    let which = if subscription.is_empty() { "any active Azure subscription" } else { "that Azure subscription" };
    let body = json!({ "subscription": first.id, "principalId": user.object_id, "holds": true });
    Err(format!(
        "The Azure portal refuses: {upn} does not hold the role Owner on {which}. In reality it is assigned there, under Access control (IAM); here: {}",
        command(request, "owners", &body)
    ))
}

/// Why there is nothing to buy for, although the customer may and the user is known.
fn none_active(request: &Request, customer: &Customer, user: Uuid, subscription: &str) -> String {
    let about = &customer.about;
    let held =
        about.subscriptions.iter().flat_map(|plan| plan.azure_subscriptions.iter().map(move |azure| (plan, azure)));
    let mut asked = held.filter(|(_, azure)| subscription.is_empty() || subscription == azure.id.to_string());
    if let Some((plan, azure)) = asked.next() {
        let id = if plan.status == SubscriptionStatus::Active { azure.id } else { plan.id };
        return format!(
            "The Azure portal refuses: Azure subscription {} of {} is not active, or the plan that it is under is not. Here that is put right by: {}",
            azure.id,
            about.name,
            command(request, "subscriptions/status", &json!({ "id": id, "status": "active" }))
        );
    }
    if !subscription.is_empty() {
        return format!("{} has no Azure subscription {subscription}. Pick one of those that are listed.", about.name);
    }
    let owner = json!({ "principalId": user, "role": "Owner" });
    let azure = json!({ "id": "GUID", "roleAssignments": [owner] });
    let plan = json!({ "id": "GUID", "kind": "AzurePlan", "azureSubscriptions": [azure] });
    format!(
        "The Azure portal refuses: {} has no Azure subscription to buy for. In reality the partner buys an Azure plan and creates one under it; here, with ids of your own: {}",
        about.name,
        command(request, &format!("customers/{}/subscriptions", about.tenant_id), &plan)
    )
}

/// The command that gives a customer a user: whoever holds Owner but is not in its directory, if there is somebody.
pub(super) fn add_user(request: &Request, customer: &Customer) -> String {
    let about = &customer.about;
    let is_unknown = |id: &Uuid| about.users.iter().all(|user| user.object_id != *id);
    let mut holders = about.azure_subscriptions().flat_map(subscriptions::owners).map(|held| held.principal_id);
    let id = holders.find(is_unknown).map_or_else(|| "GUID".to_owned(), |id| id.to_string());
    let body = json!({ "upn": format!("ada@{}", about.domain()), "objectId": id });
    command(request, &format!("customers/{}/users", about.tenant_id), &body)
}

/// A call of the control API as one types it into a POSIX shell.
fn command(request: &Request, path: &str, body: &Value) -> String {
    // Values of a world file stand in it.
    let body = body.to_string().replace('\'', r"'\''");
    format!("curl -s {}/{}/{path} -d '{body}'", request.base_url(), control::PREFIX)
}
