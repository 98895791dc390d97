//! The portal under `/portal`: pages on which a person does what people do in Partner Center and in the Azure portal.
//!
//! Only the router comes in here, through [`answer`]. One file for each page, with its template of that name in `pages`; `shell` is
//! what stands around every page, `people` who looks at it, `form` what was sent, `azure_portal` what a
//! customer is refused.
//!
//! What is never found here: a change of the state. Whatever a page does, it does by a call of the control API, so that
//! policies, records and correlation ids come out alike. Neither latency nor faults apply here, and the request log does
//! not list these pages. No page has scripts.

mod account;
mod activity;
mod azure_portal;
mod clock;
mod customers;
pub(crate) mod fault_words;
mod faults;
mod form;
mod paging;
mod people;
mod purchases;
mod shell;
mod subscriptions;

use askama::Template;
use axum::http::{Method, StatusCode};
use uuid::Uuid;

use super::browser;
use super::exchange::{Answer, Outcome, Request};
use super::state::{Customer, State};
use shell::{Place, Shell};

/// The first segment of every path of the portal.
pub(crate) const PREFIX: &str = "portal";

/// No scripts, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Answers a browser.
pub(crate) fn answer(state: &mut State, request: &Request) -> Answer {
    let answer = guarded(state, request).unwrap_or_else(|refusal| refusal);
    [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        // Less would keep browsers from saying where a form comes from.
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ]
    .into_iter()
    .fold(answer, |answer, (name, value)| answer.with_header(name, value))
}

fn guarded(state: &mut State, request: &Request) -> Outcome {
    let refused = |status| move |said: String| told(status, &said);
    browser::check_host(request, &state.host_names).map_err(refused(StatusCode::MISDIRECTED_REQUEST))?;
    if ![Method::GET, Method::HEAD].contains(&request.method) {
        browser::check_origin(request).map_err(refused(StatusCode::FORBIDDEN))?;
    }
    dispatch(state, request)
}

fn dispatch(state: &mut State, request: &Request) -> Outcome {
    let segments: Vec<String> = request.segments().iter().skip(1).map(|segment| segment.to_lowercase()).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let is_post = request.method == Method::POST;
    if !is_post && ![Method::GET, Method::HEAD].contains(&request.method) {
        return Err(method_not_allowed(state, request, "GET, POST"));
    }
    match (is_post, segments.as_slice()) {
        (false, []) => Ok(see_other("/portal/customers")),
        (false, ["style.css"]) => Ok(text("text/css; charset=utf-8", include_str!("style.css"))),
        (false, ["icon.svg"]) => Ok(text("image/svg+xml", include_str!("icon.svg"))),
        (true, ["sign-in"]) => people::sign_in(state, request),
        (false, ["customers"]) => Ok(customers::list(state, request)),
        (false, ["customers", id]) => account::show(state, request, id),
        (true, ["customers", id, "permissions"]) => account::turn(state, request, id),
        (false, ["customers", id, "subscriptions"]) => subscriptions::list(state, request, id),
        (false, ["customers", id, "purchases"]) => purchases::list(state, request, id),
        (true, ["customers", id, "purchases"]) => purchases::buy(state, request, id),
        (false, ["activity"]) => activity::list(state, request),
        (false, ["faults"]) => Ok(faults::show(state, request)),
        (true, ["faults"]) => faults::add(state, request),
        (true, ["faults", "off"]) => faults::remove(state, request),
        (false, ["clock"]) => Ok(clock::show(state, request)),
        (true, ["clock"]) => clock::change(state, request),
        (true, [] | ["customers", ..] | ["activity"]) => Err(method_not_allowed(state, request, "GET")),
        (false, ["sign-in"] | ["customers", _, "permissions"] | ["faults", "off"]) => {
            Err(method_not_allowed(state, request, "POST"))
        }
        _ => Err(not_found(state, request, "There is no such page in the portal.")),
    }
}

/// A page in HTML.
fn page(status: StatusCode, page: &impl Template) -> Answer {
    match page.render() {
        Ok(html) => Answer { body: Some(html), ..Answer::empty(status) }.with_header("content-type", HTML),
        Err(error) => {
            tracing::error!(%error, "a page of the portal could not be rendered");
            Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";

fn text(content_type: &'static str, body: &str) -> Answer {
    Answer { body: Some(body.to_owned()), ..Answer::empty(StatusCode::OK) }.with_header("content-type", content_type)
}

/// A sentence to somebody who is not to see any page.
fn told(status: StatusCode, said: &str) -> Answer {
    Answer { body: Some(format!("{said}\n")), ..Answer::empty(status) }
        .with_header("content-type", "text/plain; charset=utf-8")
}

/// Has the browser get that page, so that going back or reloading does nothing twice.
fn see_other(path: &str) -> Answer {
    Answer::empty(StatusCode::SEE_OTHER).with_header("location", path)
}

/// A page that has nothing to show but why.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
struct Problem {
    shell: Shell,
    heading: &'static str,
    said: String,
}

fn problem(state: &State, request: &Request, status: StatusCode, heading: &'static str, said: &str) -> Answer {
    let shell = Shell::new(state, request, Place::None, heading);
    page(status, &Problem { shell, heading, said: said.to_owned() })
}

fn not_found(state: &State, request: &Request, said: &str) -> Answer {
    problem(state, request, StatusCode::NOT_FOUND, "Not found", said)
}

fn method_not_allowed(state: &State, request: &Request, allowed: &'static str) -> Answer {
    let said = format!("This address takes {allowed} only.");
    problem(state, request, StatusCode::METHOD_NOT_ALLOWED, "Not like this", &said).with_header("allow", allowed)
}

/// The customer that the path names.
fn customer<'a>(state: &'a State, request: &Request, id: &str) -> Result<&'a Customer, Answer> {
    let known = Uuid::try_parse(id).ok().and_then(|tenant| state.customers.get(&tenant));
    known.ok_or_else(|| not_found(state, request, "The partner has no such customer."))
}
