//! Authorization codes: redeemed once, soon, and only by whoever asked for them.

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::simulator::entra::issuance::{Wanted, issue_to};
use crate::simulator::entra::scope::{self, has_scope};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::oauth::{self, Form, Version};
use crate::simulator::sign_ins::Challenge;
use crate::simulator::state::State;
use crate::simulator::tokens::DEFAULT_RESOURCE;

/// How long a code can be redeemed.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// The grant `authorization_code`.
pub(crate) fn redeem_code(
    state: &mut State,
    request: &Request,
    form: &Form,
    tenant: Uuid,
    version: Version,
) -> Outcome {
    let presented = form.required(request, "code")?;
    let redirect_uri = form.required(request, "redirect_uri")?;
    let invalid_grant = |code, text: &str| oauth::refuse(request, StatusCode::BAD_REQUEST, "invalid_grant", code, text);
    let Some(code) = state.sign_ins.codes.iter_mut().find(|code| code.value == presented) else {
        return Err(invalid_grant(9_002_313, "Invalid request. Request is malformed or invalid."));
    };
    if code.redeemed {
        return Err(invalid_grant(
            54005,
            "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
        ));
    }
    if request.at > code.issued_at.saturating_add(LIFETIME).unwrap_or(Timestamp::MAX) {
        return Err(invalid_grant(
            70008,
            "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
        ));
    }
    if code.tenant != tenant {
        return Err(invalid_grant(
            700_005,
            "The provided Authorization Code is intended to use against other tenant, thus rejected.",
        ));
    }
    if code.redirect_uri != redirect_uri {
        let text = format!(
            "The reply address '{redirect_uri}' does not match the reply address '{}' provided when requesting Authorization code.",
            code.redirect_uri
        );
        return Err(oauth::refuse(request, StatusCode::BAD_REQUEST, "invalid_client", 500_112, &text));
    }
    check_verifier(request, form, code.challenge.as_ref())?;
    check_no_proof(request, form, code.public)?;
    code.redeemed = true;
    let code = code.clone();
    let named = scope::known_resource(request, version, form.get("resource"), form.get("scope"))?;
    let resource = code.resource.or(named).unwrap_or_else(|| DEFAULT_RESOURCE.to_owned());
    let Some(user) = state.user(&code.upn).cloned() else {
        return Err(invalid_grant(50034, "The user account does not exist in the directory."));
    };
    let wanted = Wanted {
        refresh_token: version == Version::V1 || has_scope(&code.scope, "offline_access"),
        id_token: version == Version::V1 || has_scope(&code.scope, "openid"),
        nonce: code.nonce,
        public: code.public,
    };
    issue_to(state, request, tenant, &user, &resource, version, &wanted)
}

fn check_verifier(request: &Request, form: &Form, challenge: Option<&Challenge>) -> Result<(), Answer> {
    let is_met = match (challenge, form.get("code_verifier")) {
        (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if is_met {
        return Ok(());
    }
    Err(oauth::refuse(
        request,
        StatusCode::BAD_REQUEST,
        "invalid_grant",
        501_481,
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ))
}

/// Programs on somebody's machine have no secret; one that presents a secret is not what it was registered as.
fn check_no_proof(request: &Request, form: &Form, public: bool) -> Result<(), Answer> {
    let proves = form.get("client_secret").or_else(|| form.get("client_assertion")).is_some();
    if !(public && proves) {
        return Ok(());
    }
    Err(oauth::refuse(
        request,
        StatusCode::UNAUTHORIZED,
        "invalid_client",
        700_025,
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_met_by_the_verifier_it_was_made_of() {
        // The example of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = Challenge::S256("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned());
        assert!(challenge.is_met_by(verifier));
        assert!(!challenge.is_met_by(&verifier.replace('d', "e")));
        assert!(Challenge::Plain(verifier.to_owned()).is_met_by(verifier));
    }
}
