//! Who calls Partner Center, and whether they may.

use axum::http::StatusCode;

use super::refusal::fault;
use crate::simulator::directory::has_role;
use crate::simulator::exchange::{Answer, Request};
use crate::simulator::settings::{MfaRefusal, WrongRole};
use crate::simulator::state::State;
use crate::simulator::tokens::{self, Audience};
use crate::simulator::world::{PartnerRole, PartnerType};

/// The caller of a request that may go on.
#[derive(Debug)]
pub(super) struct Caller {
    /// The signed-in user; app-only tokens have none.
    pub(super) user: Option<String>,
    pub(super) application: String,
}

/// What an operation asks of its caller, as the prerequisites of its documentation page say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// App-only and App+User tokens are both good.
    AnyToken,
    /// App+User only; also of an indirect reseller, which may ask for nothing else.
    Profile,
    /// App+User only.
    User,
    /// App+User only, and the user is an Admin agent.
    AdminAgent,
}

/// Checks the token of a request against what the operation needs.
pub(super) fn authenticate(state: &State, request: &Request, needs: Needs) -> Result<Caller, Answer> {
    let Some(token) = request.bearer() else {
        return Err(unauthorized("800001", "Partner Token missing in request context"));
    };
    let Some(claims) = tokens::decode(token).filter(|claims| claims.is_current(request.at)) else {
        return Err(unauthorized("400", "Access denied"));
    };
    if Audience::of(&claims.aud) != Some(Audience::PartnerCenter) {
        return Err(unauthorized("900420", "The audience of the token is not valid for this API."));
    }
    if claims.tid != state.partner.tenant_id || claims.appid != state.partner.application.client_id {
        return Err(unauthorized("400", "Access denied"));
    }
    if state.partner.kind == PartnerType::IndirectReseller && needs != Needs::Profile {
        // "API access to Partner Center for indirect resellers isn't supported":
        // https://learn.microsoft.com/en-us/partner-center/developer/get-started. The code is this simulator's choice.
        return Err(fault(
            StatusCode::FORBIDDEN,
            "900149",
            "The program of the partner account is not active for this API.",
        ));
    }
    let application = claims.appid.to_string();
    let Some(upn) = &claims.upn else {
        return match needs {
            Needs::AnyToken => Ok(Caller { user: None, application }),
            Needs::Profile | Needs::User | Needs::AdminAgent => Err(fault(
                StatusCode::FORBIDDEN,
                "900329",
                "This resource does not support application-only authentication.",
            )),
        };
    };
    let Some(user) = state.user(upn) else {
        return Err(unauthorized("400", "Access denied"));
    };
    if !claims.has_mfa() {
        return Err(without_mfa(state.settings.mfa_refusal));
    }
    if needs == Needs::AdminAgent && !has_role(&state.partner, user, PartnerRole::Admin) {
        return Err(wrong_role(state.settings.wrong_role));
    }
    Ok(Caller { user: Some(user.upn.clone()), application })
}

/// Says whether the token of a request would satisfy the demand for MFA, when the request asks for that.
pub(super) fn with_mfa_report(answer: Answer, request: &Request) -> Answer {
    let is_asked = request.header("ValidateMfa").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match request.bearer().and_then(tokens::decode) {
        Some(claims) if is_asked => answer.with_header("isMfaCompliant", claims.has_mfa().to_string()),
        _ => answer,
    }
}

fn unauthorized(code: &str, description: &str) -> Answer {
    fault(StatusCode::UNAUTHORIZED, code, description)
        .with_header("WWW-Authenticate", r#"Bearer error="invalid_token""#)
}

fn without_mfa(form: MfaRefusal) -> Answer {
    match form {
        MfaRefusal::Code => unauthorized("900421", "Multi-factor authentication is required for this request."),
        MfaRefusal::ReasonPhrase => Answer::empty(StatusCode::UNAUTHORIZED)
            .with_reason("Unauthorized - MFA required")
            .with_header("WWW-Authenticate", r#"Bearer error="invalid_token""#),
    }
}

fn wrong_role(form: WrongRole) -> Answer {
    const WORDS: &str = "The supplied role does not have the rights to perform the requested operation";
    let (code, description) = match form {
        WrongRole::EmptyBody => return Answer::empty(StatusCode::FORBIDDEN),
        WrongRole::ReasonPhrase => return Answer::empty(StatusCode::FORBIDDEN).with_reason(WORDS),
        WrongRole::Fault900150 => ("900150", WORDS),
        WrongRole::Fault2032 => ("2032", "Access denied"),
        WrongRole::Fault900308 => ("900308", "Insufficient privileges to complete the operation."),
        WrongRole::Fault600006 => ("600006", "The requested action is not allowed"),
    };
    fault(StatusCode::FORBIDDEN, code, description)
}
