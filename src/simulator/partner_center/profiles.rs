//! What the partner says about itself: <https://learn.microsoft.com/en-us/partner-center/developer/partner-profile-resources>.
//! None of it tells a direct bill partner from an indirect provider.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::caller::{Needs, authenticate};
use super::refusal::fault;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;

pub(super) fn get(state: &State, request: &Request, name: &str) -> Outcome {
    let needs = if name == "legalbusiness" { Needs::AnyToken } else { Needs::Profile };
    let caller = authenticate(state, request, needs)?;
    let partner = &state.partner;
    let address = json!({
        "country": "US", "city": "Redmond", "state": "WA", "addressLine1": "1 Microsoft Way", "postalCode": "98052",
    });
    let (object_type, about) = match name {
        "organization" => (
            "PartnerOrganizationProfile",
            json!({
                "id": partner.tenant_id, "tenantId": partner.tenant_id, "companyName": partner.name,
                "domain": partner.domain, "email": caller.user, "defaultAddress": address, "culture": "en-US", "language": "en",
                "profileType": "organization_profile",
            }),
        ),
        "mpn" => (
            "PartnerMpnProfile",
            json!({ "mpnId": partner.mpn_id, "partnerName": partner.name, "profileType": "mpn_profile" }),
        ),
        "legalbusiness" => (
            "PartnerLegalBusinessProfile",
            json!({
                "companyName": partner.name, "address": address, "vettingStatus": "authorized",
                "vettingSubStatus": "none", "profileType": "legal_business_profile",
            }),
        ),
        "billing" => (
            "PartnerBillingProfile",
            json!({
                "companyName": partner.name, "address": address, "billingCurrency": "USD",
                "profileType": "billing_profile",
            }),
        ),
        _ => return Err(fault(StatusCode::NOT_FOUND, "1000", "Not found")),
    };
    Ok(Answer::ok(&with_links(about, name, object_type)))
}

fn with_links(mut about: Value, name: &str, object_type: &str) -> Value {
    about["links"] = json!({ "self": { "uri": format!("/profiles/{name}"), "method": "GET", "headers": [] } });
    about["attributes"] = json!({ "objectType": object_type });
    about
}
