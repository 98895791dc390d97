//! Device codes: a program shows a short code, a person enters it in a browser elsewhere, and the program asks until then.

use axum::http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{page, set_refusal};
use crate::simulator::entra::issuance::{Wanted, issue_to};
use crate::simulator::entra::registered::{known_client, known_tenant};
use crate::simulator::entra::scope::{self, has_scope};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::oauth::{self, Form, Version};
use crate::simulator::random::Random;
use crate::simulator::settings::DeviceCodeApproval;
use crate::simulator::sign_ins::{Decision, Device, keep};
use crate::simulator::state::State;
use crate::simulator::tokens::DEFAULT_RESOURCE;

/// The device authorization endpoint.
pub(crate) fn device_code(state: &mut State, request: &Request, tenant: &str, version: Version) -> Answer {
    begin(state, request, tenant, version).unwrap_or_else(|refusal| refusal)
}

fn begin(state: &mut State, request: &Request, tenant: &str, version: Version) -> Outcome {
    let form = Form::of(request);
    let tenant = known_tenant(state, request, tenant)?;
    known_client(state, request, form.required(request, "client_id")?)?;
    if version == Version::V2 {
        form.required(request, "scope")?;
    }
    let resource = scope::known_resource(request, version, form.get("resource"), form.get("scope"))?;
    let seconds = state.settings.device_code_seconds;
    let expires_at = request.at.saturating_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX);
    let device = Device {
        user_code: user_code(&request.random),
        secret: format!("D-SimDevice-{}", request.random.word(2)),
        tenant,
        resource: resource.unwrap_or_else(|| DEFAULT_RESOURCE.to_owned()),
        scope: form.get("scope").unwrap_or_default().to_owned(),
        expires_at,
        decision: None,
        redeemed: false,
    };
    let page = format!("{}/common/oauth2/deviceauth", request.base_url());
    let message = format!(
        "To sign in, use a web browser to open the page {page} and enter the code {} to authenticate.",
        device.user_code
    );
    let address = if version == Version::V1 { "verification_url" } else { "verification_uri" };
    let interval = state.settings.device_code_interval_seconds;
    let mut body = json!({
        "user_code": device.user_code,
        "device_code": device.secret,
        "expires_in": seconds,
        "interval": interval,
        "message": message,
    });
    body[address] = json!(page);
    if version == Version::V1 {
        body["expires_in"] = json!(seconds.to_string());
        body["interval"] = json!(interval.to_string());
    }
    keep(&mut state.sign_ins.devices, device);
    Ok(Answer::ok(&body))
}

/// Nine letters that nobody confuses, as Entra's have.
fn user_code(random: &Random) -> String {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    let random = random.uuid();
    // The last nine bytes of a random id; that two of their bits are fixed does not matter.
    random.as_bytes()[7..].iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// The grant of a device code.
pub(crate) fn redeem_device_code(
    state: &mut State,
    request: &Request,
    form: &Form,
    tenant: Uuid,
    version: Version,
) -> Outcome {
    let presented = form.required(request, if form.get("device_code").is_some() { "device_code" } else { "code" })?;
    let refuse = |error, code, text: &str| Err(oauth::refuse(request, StatusCode::BAD_REQUEST, error, code, text));
    let approval = state.settings.device_code_approval;
    let first_user = state.partner.users.first().map(|user| user.upn.clone()).unwrap_or_default();
    let device = state.sign_ins.devices.iter_mut().find(|device| device.secret == presented);
    let Some(device) = device.filter(|device| !device.redeemed && device.tenant == tenant) else {
        return refuse("bad_verification_code", 70018, "Invalid verification code.");
    };
    if request.at >= device.expires_at {
        return refuse(
            "expired_token",
            70020,
            "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
        );
    }
    let decision = device.decision.clone().or(match approval {
        DeviceCodeApproval::Ask => None,
        DeviceCodeApproval::Approve => Some(Decision::Approved(first_user)),
        DeviceCodeApproval::Decline => Some(Decision::Declined),
    });
    let upn = match decision {
        None => {
            return refuse(
                "authorization_pending",
                70016,
                "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
            );
        }
        Some(Decision::Declined) => {
            return refuse("authorization_declined", 70017, "The end user has denied the authorization request.");
        }
        Some(Decision::Approved(upn)) => upn,
    };
    device.redeemed = true;
    let device = device.clone();
    set_refusal(state, request)?;
    let Some(user) = state.user(&upn).cloned() else {
        return refuse("invalid_grant", 50034, "The user account does not exist in the directory.");
    };
    let proves = form.get("client_secret").or_else(|| form.get("client_assertion")).is_some();
    let wanted = Wanted {
        refresh_token: version == Version::V1 || has_scope(&device.scope, "offline_access"),
        id_token: version == Version::V1 || has_scope(&device.scope, "openid"),
        nonce: None,
        public: !proves,
    };
    issue_to(state, request, tenant, &user, &device.resource, version, &wanted)
}

/// The page on which a person enters a code: shows it (GET), decides on it (POST).
pub(crate) fn device_page(state: &mut State, request: &Request) -> Answer {
    let title = "Enter code";
    if request.method == Method::GET {
        let options = state.partner.users.iter().map(|user| page::escaped(&user.upn));
        let users = format!("<option>{}</option>", options.collect::<Vec<_>>().join("</option><option>"));
        let body = format!(
            "<form method=\"post\"><p><label>Code <input name=\"code\"></label> \
             <label>User <select name=\"user\">{users}</select></label></p>\
             <button name=\"decision\" value=\"approve\">Sign in</button> \
             <button name=\"decision\" value=\"decline\">Cancel</button></form>"
        );
        return page::page(StatusCode::OK, title, &body);
    }
    let form = Form::of(request);
    let decision = if form.get("decision") == Some("decline") {
        Decision::Declined
    } else {
        Decision::Approved(form.get("user").unwrap_or_default().to_owned())
    };
    match state.sign_ins.decide(form.get("code").unwrap_or_default().trim(), decision, request.at) {
        Ok(()) => page::page(StatusCode::OK, title, "<p>Done. You may close this page.</p>"),
        Err(sentence) => page::page(StatusCode::BAD_REQUEST, title, &page::escaped(&sentence)),
    }
}
