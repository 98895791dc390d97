//! Interactive sign-in, as Entra offers it: a page that ends in a redirect with a code, and a code that a person enters
//! elsewhere.
//!
//! The router comes in by [`authorize`], [`device_code`] and [`device_page`], the token endpoint by [`redeem_code`] and
//! [`redeem_device_code`]. Nobody is asked for a password: whoever comes is one of the partner's users. Never found here:
//! the tokens that a sign-in ends with.

mod authorize;
mod code;
mod device;
mod page;

use axum::http::StatusCode;
use serde_json::Value;

use crate::simulator::exchange::{Answer, Request};
use crate::simulator::oauth::{self, Form};
use crate::simulator::state::State;

pub(crate) use authorize::authorize;
pub(crate) use code::redeem_code;
pub(crate) use device::{device_code, device_page, redeem_device_code};

/// The grant of a device code.
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Whether this token request belongs to a sign-in of a public client, which has nothing to prove itself with.
pub(crate) fn may_be_public(state: &State, form: &Form) -> bool {
    match form.get("grant_type") {
        Some("authorization_code") => form
            .get("code")
            .and_then(|code| state.sign_ins.codes.iter().find(|known| known.value == code))
            .is_some_and(|code| code.public),
        Some(DEVICE_CODE | "device_code") => state.partner.application.allow_public_client_flows,
        _ => false,
    }
}

/// The refusal that the settings ask for, as Entra would word it.
fn set_refusal(state: &State, request: &Request) -> Result<(), Answer> {
    let code = state.settings.sign_in_refusal;
    let (error, text) = match code {
        0 => return Ok(()),
        65_001 => (
            "consent_required",
            "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.",
        ),
        65_004 => ("access_denied", "User declined to consent to access the app."),
        50_058 => ("login_required", "A silent sign-in request was sent but no user is signed in."),
        50_072 | 50_074 | 50_076 | 50_079 => (
            "interaction_required",
            "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.",
        ),
        50_105 => (
            "access_denied",
            "Your administrator has configured the application to block users unless they are specifically granted access to the application.",
        ),
        53_000..=53_003 => ("access_denied", "Access has been blocked by Conditional Access policies."),
        90_094 => (
            "consent_required",
            "An administrator of the organization has set a policy that prevents you from granting the application the permissions it is requesting.",
        ),
        650_057 => (
            "invalid_resource",
            "Invalid resource. The client has requested access to a resource which is not listed in the requested permissions in the client's application registration.",
        ),
        _ => ("access_denied", "The sign-in was refused."),
    };
    Err(oauth::refuse(request, StatusCode::BAD_REQUEST, error, code, text))
}

/// `error` and `error_description` of a refusal.
fn said(refusal: &Answer) -> (String, String) {
    let body: Value = refusal.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (text("error"), text("error_description"))
}
