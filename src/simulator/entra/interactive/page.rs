//! The few pages that a person sees.

use std::fmt::Write as _;

use axum::http::StatusCode;

use crate::simulator::exchange::Answer;

/// A page with this body, which is HTML.
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Answer {
    let title = escaped(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1>{body}</html>"
    );
    let mut answer = Answer::empty(status)
        .with_header("content-type", "text/html; charset=utf-8")
        .with_header("cache-control", "no-store");
    answer.body = Some(html);
    answer
}

/// A form of hidden fields that goes to `action`; by itself if the browser runs scripts, else by its button.
pub(super) fn form(action: &str, fields: &[(&str, &str)]) -> String {
    let mut html = format!("<form method=\"post\" action=\"{}\">", escaped(action));
    for (name, value) in fields {
        // Writing to a String cannot fail.
        let _ = write!(html, "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value));
    }
    html.push_str("<button>Continue</button></form><script>document.forms[0].submit()</script>");
    html
}

/// Text that means nothing to HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_sends_stays_text() {
        let answer = page(StatusCode::OK, "<b>", &form("x\"y", &[("a", "<script>")]));
        let html = answer.body.unwrap();
        assert!(html.contains("&lt;b&gt;") && html.contains("x&quot;y") && html.contains("&lt;script&gt;"), "{html}");
    }
}
