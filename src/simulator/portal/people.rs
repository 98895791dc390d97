//! Who looks at the portal. Nobody proves anything: a person picks who to be, and the browser remembers it.

use axum::http::StatusCode;

use super::form::Form;
use super::{problem, see_other};
use crate::simulator::directory::has_role;
use crate::simulator::exchange::{Outcome, Request};
use crate::simulator::state::State;
use crate::simulator::world::PartnerRole;

const COOKIE: &str = "portal-user";

/// A user of the partner, as the portal knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) upn: String,
    pub(super) roles: Vec<PartnerRole>,
}

impl Person {
    pub(super) fn is_admin_agent(&self) -> bool {
        self.roles.contains(&PartnerRole::Admin)
    }

    /// Such as `Admin agent`, or `no role`.
    pub(super) fn title(&self) -> String {
        let titles: Vec<&str> = self.roles.iter().map(|role| title(*role)).collect();
        if titles.is_empty() { "no role".to_owned() } else { titles.join(", ") }
    }
}

fn title(role: PartnerRole) -> &'static str {
    match role {
        PartnerRole::Admin => "Admin agent",
        PartnerRole::Helpdesk => "Helpdesk agent",
        PartnerRole::Sales => "Sales agent",
    }
}

/// Everybody who can be picked: those who only use the portal first.
pub(super) fn everybody(state: &State) -> Vec<Person> {
    let partner = &state.partner;
    let only_here = partner.portal_users().into_iter().map(|user| Person { upn: user.upn, roles: user.roles });
    let others = partner.users.iter().map(|user| {
        let roles = PartnerRole::ALL.into_iter().filter(|role| has_role(partner, user, *role));
        Person { upn: user.upn.clone(), roles: roles.collect() }
    });
    only_here.chain(others).collect()
}

/// Whoever was picked, or the first there is.
pub(super) fn signed_in(state: &State, request: &Request) -> Person {
    let mut everybody = everybody(state);
    let picked = cookie(request).and_then(|upn| everybody.iter().position(|person| person.upn == upn));
    if everybody.is_empty() {
        return Person { upn: "nobody".to_owned(), roles: Vec::new() };
    }
    everybody.swap_remove(picked.unwrap_or(0))
}

fn cookie(request: &Request) -> Option<String> {
    let cookies = request.header("cookie")?.split(';');
    let value = cookies.filter_map(|cookie| cookie.trim().split_once('=')).find(|(name, _)| *name == COOKIE)?.1;
    url::form_urlencoded::parse(value.as_bytes()).next().map(|(decoded, _)| decoded.into_owned())
}

/// Somebody picks who to be.
pub(super) fn sign_in(state: &State, request: &Request) -> Outcome {
    let form = Form::of(request);
    let upn = form.get("user").unwrap_or_default();
    let known = everybody(state).into_iter().find(|person| person.upn == upn);
    let person = known.ok_or_else(|| {
        let said = format!("The partner has no user {upn}.");
        problem(state, request, StatusCode::BAD_REQUEST, "Not signed in", &said)
    })?;
    let value: String = url::form_urlencoded::byte_serialize(person.upn.as_bytes()).collect();
    let cookie = format!("{COOKIE}={value}; Path=/portal; HttpOnly; SameSite=Strict");
    Ok(see_other(own_path(form.get("back"))).with_header("set-cookie", cookie))
}

/// A path of the portal and no other address.
fn own_path(asked: Option<&str>) -> &str {
    let is_own = |path: &&str| {
        path.strip_prefix("/portal/").is_some() && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    asked.filter(is_own).unwrap_or("/portal/customers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for elsewhere in ["https://evil.test", "//evil.test", "/simulator/state", "/portal/\\evil", "/portal/\r\nx: y"]
        {
            assert_eq!(own_path(Some(elsewhere)), "/portal/customers", "{elsewhere}");
        }
        assert_eq!(own_path(Some("/portal/activity?from=2026-03-01")), "/portal/activity?from=2026-03-01");
        assert_eq!(own_path(None), "/portal/customers");
    }
}
