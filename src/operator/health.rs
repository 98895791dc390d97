//! `/livez`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::metrics::Metrics;

/// What a replica needs before it is of use, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The three kinds are served.
    Crds,
    /// The partner's sign-in is there and complete. That Microsoft refuses it is noted, but no reason to be not ready:
    /// another replica would be refused as well.
    Credentials,
    /// This replica holds the lease, or waits for its turn.
    Lease,
    /// The objects have been listed. Only the leader lists them.
    Caches,
}

impl Check {
    const ALL: [Self; 4] = [Self::Crds, Self::Credentials, Self::Lease, Self::Caches];

    fn name(self) -> &'static str {
        match self {
            Self::Crds => "crds",
            Self::Credentials => "credentials",
            Self::Lease => "lease",
            Self::Caches => "caches",
        }
    }
}

/// How one check stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// As it should be.
    Ready,
    /// Good enough to go on, but a person should know this.
    Noted(String),
    /// Another replica holds the lease, and this one would take over: ready, so that a rollout goes on.
    Standby,
    /// Not yet, or no longer: what is missing and what to do about it.
    Missing(String),
}

/// How all checks stand. Copies share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<Checks>>);

#[derive(Debug, Default)]
struct Checks {
    standings: BTreeMap<Check, Standing>,
    objections: BTreeMap<Check, String>,
}

impl Readiness {
    /// Nothing is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records how `check` stands now.
    pub fn set(&self, check: Check, standing: Standing) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).standings.insert(check, standing);
    }

    /// What keeps `check` from being good enough however it stands, until it is withdrawn: for a second one who knows
    /// about it, so that neither overwrites what the other has found.
    pub fn object(&self, check: Check, why: Option<String>) {
        let mut checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            Some(why) => checks.objections.insert(check, why),
            None => checks.objections.remove(&check),
        };
    }

    /// Whether this replica is ready, and the text that says why.
    pub fn report(&self) -> (bool, String) {
        let checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Checks { standings, objections } = &*checks;
        let standby = standings.get(&Check::Lease) == Some(&Standing::Standby);
        let (mut ready, mut text) = (true, String::new());
        for check in Check::ALL {
            let noted;
            let line = match (standings.get(&check), objections.get(&check)) {
                // A standby lists nothing, so there is nothing to wait for.
                _ if standby && check == Check::Caches => continue,
                (Some(Standing::Ready), None) => "ok",
                (Some(Standing::Noted(what)), None) => {
                    noted = format!("ok, but {what}");
                    &noted
                }
                (Some(Standing::Standby), _) => "standby: another replica holds it",
                (Some(Standing::Missing(why)), _) | (Some(Standing::Ready | Standing::Noted(_)), Some(why)) => {
                    ready = false;
                    why
                }
                (None, _) => {
                    ready = false;
                    "not looked at yet"
                }
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}: {line}", check.name());
        }
        (ready, text)
    }
}

/// Why health cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The address is taken, or not ours.
    #[error("could not listen on {address} for health and metrics: choose another --health-address")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
}

/// Serves until the process ends; returns the address, with the port that was chosen if 0 was asked for.
pub(super) async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    metrics: Metrics,
) -> Result<SocketAddr, HealthError> {
    let bind = |source| HealthError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let bound = listener.local_addr().map_err(bind)?;
    let routes = Router::new()
        // The same threads serve this and do the work: an answer means that they turn.
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(metrics_text).with_state(metrics));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "health and metrics are no longer served");
        }
    });
    Ok(bound)
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let (ready, text) = readiness.report();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

async fn metrics_text(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(why: &str) -> Standing {
        Standing::Missing(why.to_owned())
    }

    #[test]
    fn readiness_names_what_is_missing() {
        use Standing::{Noted, Ready, Standby};
        let all = |crds, credentials, lease, caches| {
            [(Check::Crds, crds), (Check::Credentials, credentials), (Check::Lease, lease), (Check::Caches, caches)]
        };
        for (standings, ready, text) in [
            (
                all(Ready, Noted("it ends soon".to_owned()), Ready, Ready),
                true,
                "crds: ok\ncredentials: ok, but it ends soon\nlease: ok\ncaches: ok\n",
            ),
            (all(Ready, Ready, Ready, Ready), true, "crds: ok\ncredentials: ok\nlease: ok\ncaches: ok\n"),
            (
                all(Ready, Ready, Standby, missing("listing")),
                true,
                "crds: ok\ncredentials: ok\nlease: standby: another replica holds it\n",
            ),
            (
                all(Ready, missing("no Secret"), Standby, Ready),
                false,
                "crds: ok\ncredentials: no Secret\nlease: standby: another replica holds it\n",
            ),
            (
                all(missing("not served"), Ready, Ready, missing("listing")),
                false,
                "crds: not served\ncredentials: ok\nlease: ok\ncaches: listing\n",
            ),
        ] {
            let readiness = Readiness::new();
            for (check, standing) in standings {
                readiness.set(check, standing);
            }
            assert_eq!(readiness.report(), (ready, text.to_owned()));
        }
        assert!(!Readiness::new().report().0);
    }

    #[test]
    fn an_objection_stays_until_it_is_withdrawn_and_a_defect_comes_first() {
        let readiness = Readiness::new();
        let line = || readiness.report().1.lines().nth(1).unwrap().to_owned();
        readiness.object(Check::Credentials, Some("somebody else's".to_owned()));
        for (standing, expected) in [
            (Standing::Ready, "credentials: somebody else's"),
            (Standing::Noted("it ends soon".to_owned()), "credentials: somebody else's"),
            (missing("no Secret"), "credentials: no Secret"),
            (Standing::Ready, "credentials: somebody else's"),
        ] {
            readiness.set(Check::Credentials, standing);
            assert_eq!(line(), expected);
        }
        for check in Check::ALL {
            readiness.set(check, Standing::Ready);
        }
        assert!(!readiness.report().0);
        readiness.object(Check::Credentials, None);
        assert_eq!(line(), "credentials: ok");
        assert!(readiness.report().0);
    }

    #[tokio::test]
    async fn a_taken_address_is_named() {
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let address = serve(local, Readiness::new(), Metrics::new()).await.unwrap();
        let error = serve(address, Readiness::new(), Metrics::new()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("could not listen on {address} for health and metrics: choose another --health-address")
        );
    }

    #[tokio::test]
    async fn what_is_served_can_be_read() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let address = serve(local, Readiness::new(), Metrics::new()).await.unwrap();
        for (path, status, part) in [
            ("/livez", "200 OK", "ok\n"),
            ("/readyz", "503 Service Unavailable", "lease: not looked at yet\n"),
            ("/metrics", "200 OK", "csp_operator_build_info{version="),
            ("/elsewhere", "404 Not Found", ""),
        ] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{path}: {answer}");
            assert!(answer.contains(part), "{path}: {answer}");
        }
    }
}
