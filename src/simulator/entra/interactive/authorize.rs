//! The authorization endpoint: who asks, for what, where the answer goes, and which user signs in.
//!
//! As long as it is not certain where an answer may go, a refusal is a page; afterwards it is part of the redirect.

use axum::http::{Method, StatusCode};
use url::Url;
use uuid::Uuid;

use super::{page, said, set_refusal};
use crate::simulator::entra::issuance::client_info;
use crate::simulator::entra::registered::{known_client, known_tenant};
use crate::simulator::entra::scope;
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::oauth::{self, Version};
use crate::simulator::sign_ins::{Challenge, Code};
use crate::simulator::state::State;
use crate::simulator::world::{Application, User};

/// Answers a browser that was sent to sign a user in.
pub(crate) fn authorize(state: &mut State, request: &Request, tenant: &str, version: Version) -> Answer {
    let params = Params::of(request);
    let begun =
        known_tenant(state, request, tenant).and_then(|tenant| Ok((tenant, Reply::allowed(state, request, &params)?)));
    let (tenant, reply) = match begun {
        Ok(begun) => begun,
        Err(refusal) => return refused(&refusal),
    };
    sign_in(state, request, &params, tenant, version, &reply).unwrap_or_else(|refusal| {
        let (error, description) = said(&refusal);
        reply.with(&params, &[("error", &error), ("error_description", &description)])
    })
}

fn refused(refusal: &Answer) -> Answer {
    let (_, description) = said(refusal);
    page::page(StatusCode::BAD_REQUEST, "Sorry, but we’re having trouble signing you in.", &page::escaped(&description))
}

/// The parameters, from the query or from a form.
struct Params(Vec<(String, String)>);

impl Params {
    fn of(request: &Request) -> Self {
        if request.method == Method::POST {
            Self(url::form_urlencoded::parse(&request.body).into_owned().collect())
        } else {
            Self(request.query.clone())
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn required(&self, request: &Request, name: &str) -> Result<&str, Answer> {
        self.get(name).ok_or_else(|| {
            let text = format!("The request body must contain the following parameter: '{name}'.");
            refuse(request, "invalid_request", 900_144, &text)
        })
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

fn refuse(request: &Request, error: &str, code: u32, text: &str) -> Answer {
    oauth::refuse(request, StatusCode::BAD_REQUEST, error, code, text)
}

/// Where the answer goes, and how.
struct Reply {
    redirect_uri: Url,
    /// As it was sent, which the redemption must repeat.
    sent: String,
    /// Whether it is registered for programs on somebody's machine, which cannot keep a secret.
    public: bool,
    mode: Mode,
}

#[derive(Clone, Copy)]
enum Mode {
    Query,
    Fragment,
    FormPost,
}

impl Reply {
    fn allowed(state: &State, request: &Request, params: &Params) -> Result<Self, Answer> {
        let client = params.required(request, "client_id")?;
        known_client(state, request, client)?;
        let application = &state.partner.application;
        let sent = params.get("redirect_uri").or_else(|| application.redirect_uris.first().map(String::as_str));
        let sent = sent.unwrap_or_default();
        let url = Url::parse(sent).ok();
        let (redirect_uri, public) =
            url.and_then(|url| registered(application, &url).map(|public| (url, public))).ok_or_else(|| {
                let text = format!(
                    "The redirect URI '{sent}' specified in the request does not match the redirect URIs configured for the application '{client}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal."
                );
                refuse(request, "invalid_request", 50011, &text)
            })?;
        let mode = match params.get("response_mode") {
            None | Some("query") => Mode::Query,
            Some("fragment") => Mode::Fragment,
            Some("form_post") => Mode::FormPost,
            Some(other) => return Err(unknown_value(request, "response_mode", other)),
        };
        Ok(Self { redirect_uri, sent: sent.to_owned(), public, mode })
    }

    /// The answer that carries these, and the caller's `state`.
    fn with(&self, params: &Params, said: &[(&str, &str)]) -> Answer {
        let state = params.get("state").map(|state| ("state", state));
        let said: Vec<(&str, &str)> = said.iter().copied().chain(state).collect();
        let mut url = self.redirect_uri.clone();
        match self.mode {
            Mode::Query => drop(url.query_pairs_mut().extend_pairs(said)),
            Mode::Fragment => {
                let pairs = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
                url.set_fragment(Some(&pairs));
            }
            Mode::FormPost => return page::page(StatusCode::OK, "Working...", &page::form(url.as_str(), &said)),
        }
        Answer::empty(StatusCode::FOUND).with_header("location", url).with_header("cache-control", "no-store")
    }
}

/// Whether an address is registered, and if so, whether as that of a public client.
fn registered(application: &Application, url: &Url) -> Option<bool> {
    let is_among = |registered: &[String]| registered.iter().any(|registered| is_same_address(registered, url));
    if is_among(&application.redirect_uris) {
        Some(false)
    } else {
        is_among(&application.public_redirect_uris).then_some(true)
    }
}

/// The port of a loopback address does not count: a program takes whichever is free.
/// <https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions>
fn is_same_address(registered: &str, sent: &Url) -> bool {
    let Ok(registered) = Url::parse(registered) else { return false };
    let is_loopback = matches!(sent.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    registered.scheme() == sent.scheme()
        && registered.host_str() == sent.host_str()
        && (is_loopback || registered.port_or_known_default() == sent.port_or_known_default())
        && registered.path().trim_end_matches('/') == sent.path().trim_end_matches('/')
        && registered.query() == sent.query()
        && sent.fragment().is_none()
}

fn unknown_value(request: &Request, name: &str, value: &str) -> Answer {
    refuse(request, "invalid_request", 90023, &format!("The value '{value}' is not valid for the parameter '{name}'."))
}

fn sign_in(
    state: &mut State,
    request: &Request,
    params: &Params,
    tenant: Uuid,
    version: Version,
    reply: &Reply,
) -> Outcome {
    let response_type = params.required(request, "response_type")?;
    if response_type != "code" {
        let text = format!("The app requested an unsupported response type '{response_type}'.");
        return Err(refuse(request, "unsupported_response_type", 70005, &text));
    }
    if version == Version::V2 {
        params.required(request, "scope")?;
    }
    let prompt = params.get("prompt");
    if let Some(other) =
        prompt.filter(|prompt| !["login", "none", "consent", "select_account", "admin_consent"].contains(prompt))
    {
        return Err(unknown_value(request, "prompt", other));
    }
    let challenge = challenge(request, params)?;
    let resource = scope::known_resource(request, version, params.get("resource"), params.get("scope"))?;
    let user = match choose(state, request, params)? {
        Chosen::User(user) => user,
        Chosen::Several(page) => return Ok(page),
    };
    set_refusal(state, request)?;
    let client_info = (params.get("client_info") == Some("1")).then(|| client_info(state, &user));
    let code = state.sign_ins.add_code(
        &request.random,
        Code {
            value: String::new(),
            tenant,
            upn: user.upn,
            resource,
            scope: params.owned("scope").unwrap_or_default(),
            redirect_uri: reply.sent.clone(),
            challenge,
            nonce: params.owned("nonce"),
            public: reply.public,
            issued_at: request.at,
            redeemed: false,
        },
    );
    let session = request.random.uuid().to_string();
    let mut answer = vec![("code", code.as_str()), ("session_state", session.as_str())];
    answer.extend(client_info.as_deref().map(|info| ("client_info", info)));
    Ok(reply.with(params, &answer))
}

fn challenge(request: &Request, params: &Params) -> Result<Option<Challenge>, Answer> {
    let Some(value) = params.get("code_challenge") else { return Ok(None) };
    if !(43..=128).contains(&value.len()) {
        return Err(refuse(request, "invalid_request", 501_491, "Invalid size of Code_Challenge parameter."));
    }
    match params.get("code_challenge_method") {
        Some("S256") => Ok(Some(Challenge::S256(value.to_owned()))),
        None | Some("plain") => Ok(Some(Challenge::Plain(value.to_owned()))),
        Some(_) => Err(refuse(request, "invalid_request", 50149, "Invalid Code_Challenge_method parameter.")),
    }
}

enum Chosen {
    User(User),
    /// A page on which a person picks one.
    Several(Answer),
}

/// Whoever `login_hint` names, or the only user there is; else a page asks.
fn choose(state: &State, request: &Request, params: &Params) -> Result<Chosen, Answer> {
    let unknown = || refuse(request, "access_denied", 50034, "The user account does not exist in the directory.");
    if let Some(hint) = params.get("login_hint") {
        return state.user(hint).cloned().map(Chosen::User).ok_or_else(unknown);
    }
    match state.partner.users.as_slice() {
        [] => Err(unknown()),
        [user] => Ok(Chosen::User(user.clone())),
        _ if params.get("prompt") == Some("none") => {
            let text = "Session information is not sufficient for single-sign-on.";
            Err(refuse(request, "login_required", 50058, text))
        }
        users => {
            let link = |user: &User| {
                let query = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(&params.0)
                    .append_pair("login_hint", &user.upn)
                    .finish();
                format!("<li><a href=\"?{}\">{}</a>", page::escaped(&query), page::escaped(&user.upn))
            };
            let list: String = users.iter().map(link).collect();
            Ok(Chosen::Several(page::page(StatusCode::OK, "Pick an account", &format!("<ul>{list}</ul>"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_is_known_with_any_port_and_others_with_theirs() {
        let same = |registered: &str, sent: &str| is_same_address(registered, &Url::parse(sent).unwrap());
        assert!(same("http://localhost", "http://localhost:40123/"));
        assert!(same("http://localhost/", "http://localhost:40123"));
        assert!(same("https://portal.example:8443/done", "https://portal.example:8443/done"));
        assert!(!same("http://localhost", "http://127.0.0.1:40123/"));
        assert!(!same("http://localhost", "http://localhost:40123/elsewhere"));
        assert!(!same("http://localhost", "https://localhost/"));
        assert!(!same("https://portal.example/done", "https://portal.example:8443/done"));
        assert!(!same("https://portal.example/done", "https://evil.example/done"));
    }
}
