//! The partner's billing account, and whether a customer sees its charges.
//! <https://learn.microsoft.com/en-us/rest/api/billing/policies>

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{authenticate, check_tenant, check_version, unauthorized};
use super::refusal::refuse;
use crate::simulator::clock::later;
use crate::simulator::commerce::PendingCharges;
use crate::simulator::directory::has_role;
use crate::simulator::exchange::{Answer, Outcome, Request, member, text_member};
use crate::simulator::state::{Customer, State};
use crate::simulator::world::{PartnerRole, SubscriptionKind};

const ACCOUNT_VERSIONS: [&str; 3] = ["2019-10-01-preview", "2020-05-01", "2024-04-01"];
/// The one version in which a change may take its time.
const LONG_RUNNING: &str = "2024-04-01";
/// How many seconds a client is told to wait before it asks again.
const RETRY_AFTER: &str = "1";

pub(super) fn accounts(state: &State, request: &Request) -> Outcome {
    open(state, request, "Microsoft.Billing/billingAccounts/read")?;
    check_version(request, "billingAccounts", &ACCOUNT_VERSIONS)?;
    let name = &state.partner.billing_account;
    let account = json!({
        "id": format!("/providers/Microsoft.Billing/billingAccounts/{name}"),
        "name": name,
        "type": "Microsoft.Billing/billingAccounts",
        "properties": {
            "displayName": state.partner.name,
            "agreementType": "MicrosoftPartnerAgreement",
            "accountType": "Partner",
            "accountStatus": "Active",
            "hasReadAccess": true,
        },
    });
    Ok(Answer::ok(&json!({ "value": [account] })))
}

pub(super) fn get_policy(state: &State, request: &Request, account: &str, customer: &str) -> Outcome {
    open(state, request, "Microsoft.Billing/billingAccounts/customers/policies/read")?;
    check_version(request, "billingAccounts/customers/policies", &ACCOUNT_VERSIONS)?;
    let customer = find(state, account, customer)?;
    Ok(Answer::ok(&policy_json(
        state,
        customer.about.tenant_id,
        customer.commerce.charges.view(request.at),
        "Succeeded",
    )))
}

pub(super) fn put_policy(state: &mut State, request: &Request, account: &str, customer: &str) -> Outcome {
    open(state, request, "Microsoft.Billing/billingAccounts/customers/policies/write")?;
    check_version(request, "billingAccounts/customers/policies", &ACCOUNT_VERSIONS)?;
    let tenant = find(state, account, customer)?.about.tenant_id;
    let body = request.json().unwrap_or_default();
    let asked = member(&body, "properties").and_then(|properties| text_member(properties, "viewCharges"));
    let view =
        ["Allowed", "NotAllowed"].into_iter().find(|view| asked.is_some_and(|asked| asked.eq_ignore_ascii_case(view)));
    let view = view.ok_or_else(|| {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequest", "properties.viewCharges is Allowed or NotAllowed.")
    })?;
    let takes_time = request.query("api-version") == Some(LONG_RUNNING);
    let delay_ms = state.settings.billing_policy_delay_ms.filter(|_| takes_time);
    let Some(held) = state.customers.get_mut(&tenant) else { return Err(absent(customer)) };
    let Some(delay_ms) = delay_ms else {
        held.commerce.charges.set(view.to_owned());
        return Ok(Answer::ok(&policy_json(state, tenant, view, "Succeeded")).effective());
    };
    let id = state.random.uuid();
    let done_at = later(request.at, delay_ms);
    held.commerce.charges.begin(PendingCharges { id, view: view.to_owned(), done_at }, request.at);
    let location = format!(
        "{}{}/operationResults/{id}?api-version={LONG_RUNNING}",
        request.base_url(),
        policy_path(&state.partner.billing_account.replace(':', "%3A"), tenant)
    );
    Ok(Answer::json(StatusCode::CREATED, &policy_json(state, tenant, view, "Pending"))
        .with_header("location", location)
        .with_header("retry-after", RETRY_AFTER)
        .effective())
}

/// The outcome of a change that takes its time: 202 until it is there.
pub(super) fn operation(state: &State, request: &Request, account: &str, customer: &str, id: &str) -> Outcome {
    open(state, request, "Microsoft.Billing/billingAccounts/customers/policies/read")?;
    check_version(request, "operationResults", &[LONG_RUNNING])?;
    let found = find(state, account, customer)?;
    let id = Uuid::try_parse(id).ok();
    match &found.commerce.charges.pending {
        Some(pending) if Some(pending.id) == id && pending.done_at > request.at => {
            Ok(Answer::empty(StatusCode::ACCEPTED)
                .with_header("location", request.link_with("api-version", LONG_RUNNING))
                .with_header("retry-after", RETRY_AFTER))
        }
        Some(pending) if Some(pending.id) == id => {
            Ok(Answer::ok(&policy_json(state, found.about.tenant_id, &pending.view, "Succeeded")))
        }
        _ => Err(refuse(StatusCode::NOT_FOUND, "OperationNotFound", "The operation was not found.")),
    }
}

/// Billing is the partner's: its tenant's token, and its Admin agents.
fn open(state: &State, request: &Request, action: &str) -> Result<(), Answer> {
    let claims = authenticate(state, request, "")?;
    check_tenant(request, &claims, state.partner.tenant_id)?;
    let user = claims.upn.as_deref().and_then(|upn| state.user(upn));
    if user.is_some_and(|user| has_role(&state.partner, user, PartnerRole::Admin)) {
        return Ok(());
    }
    Err(unauthorized(&claims, action, "/providers/Microsoft.Billing"))
}

/// The customer under this account; only those with an Azure plan are there.
fn find<'a>(state: &'a State, account: &str, customer: &str) -> Result<&'a Customer, Answer> {
    if !account.eq_ignore_ascii_case(&state.partner.billing_account) {
        return Err(refuse(
            StatusCode::NOT_FOUND,
            "BillingAccountNotFound",
            &format!("The billing account '{account}' was not found."),
        ));
    }
    let id = Uuid::try_parse(customer).ok();
    let found = id.and_then(|id| state.customers.get(&id));
    let has_plan =
        |customer: &&Customer| customer.about.subscriptions.iter().any(|held| held.kind == SubscriptionKind::AzurePlan);
    found.filter(has_plan).ok_or_else(|| absent(customer))
}

fn absent(customer: &str) -> Answer {
    let text = format!("The customer '{customer}' was not found, or has no Azure plan.");
    refuse(StatusCode::NOT_FOUND, "CustomerNotFound", &text)
}

fn policy_path(account: &str, customer: Uuid) -> String {
    format!("/providers/Microsoft.Billing/billingAccounts/{account}/customers/{customer}/policies/default")
}

/// The id names a billing profile even when the path did not, as in the example of the newest version.
fn policy_json(state: &State, tenant: Uuid, view: &str, provisioning: &str) -> Value {
    let account = &state.partner.billing_account;
    json!({
        "id": format!(
            "/providers/Microsoft.Billing/billingAccounts/{account}/billingProfiles/SIMULATED/customers/{tenant}/policies/default"
        ),
        "name": "default",
        "type": "Microsoft.Billing/billingAccounts/billingProfiles/customers/policies",
        "properties": { "viewCharges": view, "provisioningState": provisioning, "policies": [] },
    })
}
