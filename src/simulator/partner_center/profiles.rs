//! What Partner Center knows of the partner itself:
//! <https://learn.microsoft.com/en-us/partner-center/developer/get-an-organization-profile>.

use serde_json::json;

use super::caller::{Needs, authenticate};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;

pub(super) fn organization(state: &State, request: &Request) -> Outcome {
    let caller = authenticate(state, request, Needs::User)?;
    let partner = &state.partner;
    Ok(Answer::ok(&json!({
        "id": partner.tenant_id,
        "companyName": partner.name,
        "domain": partner.domain,
        "tenantId": partner.tenant_id,
        "email": caller.user,
        "language": "en",
        "culture": "en-US",
        "profileType": "organization_profile",
        "attributes": { "objectType": "OrganizationProfile" },
    })))
}
