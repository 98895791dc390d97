//! Roles and who has them, and how the application's callers sign in. Microsoft documents neither page; the shapes are
//! those that its PowerShell module reads.

use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::caller::{Needs, authenticate};
use super::collection;
use super::refusal::fault;
use crate::simulator::directory::has_role;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;
use crate::simulator::world::PartnerRole;

pub(super) fn list(state: &State, request: &Request) -> Outcome {
    authenticate(state, request, Needs::User)?;
    let role = |role: PartnerRole| json!({ "id": state.partner.role_group(role), "name": role.group_name(), "category": "tenant" });
    Ok(Answer::ok(&collection::complete(&PartnerRole::ALL.map(role))))
}

pub(super) fn members(state: &State, request: &Request, role: &str) -> Outcome {
    authenticate(state, request, Needs::User)?;
    let id = Uuid::try_parse(role).ok();
    let role = PartnerRole::ALL.into_iter().find(|role| Some(state.partner.role_group(*role)) == id);
    let role = role.ok_or_else(|| fault(StatusCode::NOT_FOUND, "1000", "Not found"))?;
    let members: Vec<Value> = state
        .partner
        .users
        .iter()
        .filter(|user| has_role(&state.partner, user, role))
        .map(|user| json!({ "id": user.object_id, "displayName": user.upn, "userPrincipalName": user.upn }))
        .collect();
    Ok(Answer::ok(&collection::complete(&members)))
}

pub(super) fn mfa_adoption(state: &State, request: &Request) -> Outcome {
    authenticate(state, request, Needs::AnyToken)?;
    let application = &state.partner.application;
    let is_compliant = state.settings.mfa_in_tokens && state.partner.users.iter().all(|user| user.mfa);
    Ok(Answer::ok(&json!({ "applicationId": application.client_id, "isMfaCompliant": is_compliant })))
}
