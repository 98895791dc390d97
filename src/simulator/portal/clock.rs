//! The simulator's clock. Not a page of Partner Center's.

use askama::Template;
use axum::http::StatusCode;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::form::Form;
use super::shell::{Place, Shell};
use super::{page, see_other};
use crate::simulator::control;
use crate::simulator::control_call::{ControlCall, Verb};
use crate::simulator::exchange::{Answer, Outcome, Request};
use crate::simulator::state::State;

#[derive(Debug, Template)]
#[template(path = "clock.html")]
struct Clock {
    shell: Shell,
    is_frozen: bool,
    now: String,
    advance: String,
}

pub(super) fn show(state: &State, request: &Request) -> Answer {
    let shell = Shell::new(state, request, Place::Clock, "Clock");
    page(StatusCode::OK, &clock(state, &Form::of(request), shell))
}

/// The page, with what was filled in.
fn clock(state: &State, form: &Form, shell: Shell) -> Clock {
    let shown = state.clock.shown();
    let sent = |name| form.get(name).map(str::to_owned);
    Clock {
        shell,
        is_frozen: shown.frozen,
        now: sent("now").unwrap_or_else(|| shown.now.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
        advance: sent("advance").unwrap_or_default(),
    }
}

/// Somebody sets the clock.
pub(super) fn change(state: &mut State, request: &Request) -> Outcome {
    let form = Form::of(request);
    let made = body(&form)
        .and_then(|body| control::make(&ControlCall::new(Verb::Put, "clock".to_owned(), body), state, request.at));
    made.map(|_| see_other("/portal/clock?done=clock")).map_err(|said| {
        let shell = Shell::new(state, request, Place::Clock, "Clock").refused(&said, "/portal/clock");
        page(StatusCode::BAD_REQUEST, &clock(state, &form, shell))
    })
}

/// The change in the words of the control API, by the button that was pressed.
fn body(form: &Form) -> Result<Value, String> {
    match form.get("change") {
        Some("set") => {
            let text = form.get("now").unwrap_or_default();
            let time: Option<DateTime> = text.parse().ok();
            let time = time.and_then(|time| time.to_zoned(TimeZone::UTC).ok());
            let time = time.ok_or_else(|| format!("`{text}` is no time: write it like 2026-03-01T08:00."))?;
            Ok(json!({ "now": time.timestamp() }))
        }
        Some("advance") => Ok(json!({ "advance": form.get("advance").unwrap_or_default() })),
        Some("stop") => Ok(json!({ "frozen": true })),
        Some("go") => Ok(json!({ "frozen": false })),
        Some("right") => Ok(json!({ "offset": "0s", "frozen": false })),
        _ => Err("The form does not say what is to become of the clock.".to_owned()),
    }
}
