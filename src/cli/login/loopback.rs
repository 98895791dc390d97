//! Where the browser comes back to: a server on this machine that lives for one sign-in (RFC 8252).

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::refusal::Refusal;

/// How often a port is looked for that is free for both kinds of addresses.
const PORTS_MAX: u32 = 10;

/// How long the browser has to take its page after the sign-in.
const LAST_PAGE_MAX: Duration = Duration::from_secs(1);

/// No port can be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on a loopback address")]
pub(in crate::cli) struct BindError(#[from] io::Error);

/// With what the browser comes back.
#[derive(Debug)]
pub(super) enum Comeback {
    /// The code to be redeemed.
    Code(SecretString),
    /// Entra's refusal.
    Refused(Refusal),
}

/// A port of this machine that waits for the browser.
#[derive(Debug)]
pub(super) struct Loopback {
    listeners: Vec<TcpListener>,
    port: u16,
}

impl Loopback {
    /// On a free port. `localhost` may be either address, so both are taken: nobody else shall answer on one of them.
    pub(super) async fn bind() -> Result<Self, BindError> {
        for _ in 0..PORTS_MAX {
            let first = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
            let port = first.local_addr()?.port();
            match TcpListener::bind((IpAddr::V6(Ipv6Addr::LOCALHOST), port)).await {
                Ok(second) => return Ok(Self { listeners: vec![first, second], port }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // A machine without IPv6.
                Err(_) => return Ok(Self { listeners: vec![first], port }),
            }
        }
        Err(BindError(io::ErrorKind::AddrInUse.into()))
    }

    /// Its address, in the form that matches a registered `http://localhost`.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// Waits until the browser comes with this `state`. Whoever comes with another one is sent away.
    pub(super) async fn wait_for(self, state: &str) -> Comeback {
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting { state: state.into(), sender: Arc::new(Mutex::new(Some(sender))) };
        let router = Router::new().route("/", get(come_back)).with_state(waiting);
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        for listener in self.listeners {
            let mut stopped = stopped.clone();
            let server = axum::serve(listener, router.clone()).with_graceful_shutdown(async move {
                // An error means that nobody waits any more.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            });
            servers.spawn(server.into_future());
        }
        let Ok(comeback) = receiver.await else {
            // The sender lives as long as the router does, which the servers hold.
            return std::future::pending().await;
        };
        let _ = stop.send(true);
        let _ = tokio::time::timeout(LAST_PAGE_MAX, servers.join_all()).await;
        comeback
    }
}

#[derive(Clone)]
struct Waiting {
    state: Arc<str>,
    sender: Arc<Mutex<Option<oneshot::Sender<Comeback>>>>,
}

async fn come_back(State(waiting): State<Waiting>, Query(params): Query<HashMap<String, String>>) -> Response {
    let param = |name: &str| params.get(name).map(String::as_str).unwrap_or_default();
    if param("state") != &*waiting.state {
        return page(StatusCode::BAD_REQUEST, "This is not the answer to the sign-in that was begun here.");
    }
    let (comeback, text) = if param("error").is_empty() {
        if param("code").is_empty() {
            return page(StatusCode::BAD_REQUEST, "This answer has neither a code nor an error.");
        }
        (Comeback::Code(param("code").into()), "You have signed in. kubectl csp login does the rest.")
    } else {
        let refusal = Refusal::new(param("error"), param("error_description"));
        (Comeback::Refused(refusal), "Microsoft has refused the sign-in. kubectl csp login says why.")
    };
    let sender = waiting.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    // Whoever comes twice, as browsers do, gets the page again.
    if let Some(sender) = sender {
        let _ = sender.send(comeback);
    }
    page(StatusCode::OK, text)
}

/// Holds nothing that anybody has sent.
fn page(status: StatusCode, text: &'static str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>kubectl csp login</title>\
         <p>{text}</p><p>You may close this page.</p></html>"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Else the browser would keep the connection, and this program.
        (header::CONNECTION, "close"),
    ];
    (status, headers, Html(html)).into_response()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    async fn visit(address: &str) -> (u16, String) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answer = reqwest::get(address).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn only_the_answer_to_this_sign_in_is_taken() {
        let loopback = Loopback::bind().await.unwrap();
        let address = loopback.redirect_uri();
        let browser = tokio::spawn(async move {
            for query in ["", "?code=c", "?code=c&state=other", "?state=right"] {
                let (status, page) = visit(&format!("{address}/{query}")).await;
                assert_eq!(status, 400, "{query}: {page}");
            }
            assert_eq!(visit(&format!("{address}/favicon.ico")).await.0, 404);
            visit(&format!("{address}/?code=c-1&state=right&session_state=x")).await
        });
        let Comeback::Code(code) = loopback.wait_for("right").await else { panic!("no code") };
        assert_eq!(code.expose_secret(), "c-1");
        let (status, page) = browser.await.unwrap();
        assert!(status == 200 && page.contains("You may close this page"), "{page}");
        assert!(!page.contains("c-1"));
    }

    #[tokio::test]
    async fn a_refusal_is_taken_too() {
        let loopback = Loopback::bind().await.unwrap();
        let address = loopback.redirect_uri();
        let browser = tokio::spawn(async move {
            visit(&format!("{address}/?error=access_denied&error_description=AADSTS65004%3A+no&state=s")).await
        });
        let Comeback::Refused(refusal) = loopback.wait_for("s").await else { panic!("no refusal") };
        assert_eq!(refusal, Refusal::new("access_denied", "AADSTS65004: no"));
        assert!(browser.await.unwrap().1.contains("refused"));
    }
}
