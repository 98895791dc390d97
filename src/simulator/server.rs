//! The HTTP server: one request in, latency and faults around it, one answer out.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, State as Shared};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::sleep;
use uuid::Uuid;

use super::browser;
use super::connection::{Accept, AcceptTls, Connection};
use super::control;
use super::control_call::ControlCall;
use super::delivery::response;
use super::entra::{self, discovery, interactive};
use super::exchange::{Answer, Delivery, Request, http_date};
use super::faults::{CutHow, FaultAnswer};
use super::operation::Api;
use super::random::Random;
use super::request_log::Entry;
use super::routes::Route;
use super::settings::Settings;
use super::state::State;
use super::tls::Tls;
use super::tokens;
use super::world::World;
use super::{arm, graph, partner_center, portal};

/// The largest body that is read.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A simulated Partner Center, Entra and Azure Resource Manager. Clones share one state.
#[derive(Debug, Clone)]
pub struct Simulator {
    state: Arc<Mutex<State>>,
}

impl Simulator {
    /// A simulator of this world, with the default settings.
    pub fn new(world: World) -> Self {
        Self::with(world, Random::new(None))
    }

    /// The same, where all that looks random (ids, etags, tokens) is the same for the same seed and the same requests in
    /// the same order.
    pub fn seeded(world: World, seed: u64) -> Self {
        Self::with(world, Random::new(Some(seed)))
    }

    fn with(world: World, random: Random) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(world, Settings::default(), random))) }
    }

    /// Delays every answer of the simulated APIs by so many milliseconds.
    pub fn set_latency_ms(&self, latency_ms: u64) {
        self.lock().settings.latency_ms = latency_ms;
    }

    /// Delays the audit record of every write by so many milliseconds.
    pub fn set_audit_delay_ms(&self, audit_delay_ms: u64) {
        self.lock().settings.audit_delay_ms = audit_delay_ms;
    }

    /// Lets browsers come to the portal by these names, too: beside localhost and addresses.
    pub fn allow_host_names(&self, names: &[String]) {
        self.lock().host_names.extend_from_slice(names);
    }

    /// Makes a call of the control API; a sentence when it is refused.
    pub(super) fn make(&self, call: &ControlCall) -> Result<(), String> {
        let mut state = self.lock();
        let now = state.clock.now();
        control::make(call, &mut state, now).map(drop)
    }

    /// What the simulated clock shows.
    fn now(&self) -> Timestamp {
        self.lock().clock.now()
    }

    /// No handler leaves the state half changed when it panics, so a poisoned lock is as good as any.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a simulator until the future is dropped.
pub async fn serve(listener: TcpListener, simulator: Simulator) -> io::Result<()> {
    let service = router(simulator).into_make_service_with_connect_info::<Connection>();
    axum::serve(Accept(listener), service).await
}

/// Serves a simulator with TLS until the future is dropped. It may be served without at the same time, at another
/// address.
pub async fn serve_tls(listener: TcpListener, simulator: Simulator, tls: &Tls) -> io::Result<()> {
    let service = router(simulator).into_make_service_with_connect_info::<Connection>();
    axum::serve(AcceptTls::new(listener, tls.acceptor()), service).await
}

fn router(simulator: Simulator) -> Router {
    Router::new().fallback(handle).with_state(simulator)
}

async fn handle(
    Shared(simulator): Shared<Simulator>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: axum::extract::Request,
) -> Response {
    let Ok(mut request) = read(&simulator, request, connection.scheme()).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let first = request.segments().first().map(|first| first.to_lowercase()).unwrap_or_default();
    if let control::PREFIX | portal::PREFIX = first.as_str() {
        let answer = match first.as_str() {
            portal::PREFIX => portal::answer(&mut simulator.lock(), &request),
            _ => control(&simulator, &request),
        };
        return dated(answer, &simulator, &connection);
    }
    let arrival = arrive(&simulator, &request);
    sleep(arrival.latency).await;
    request.at = simulator.now();
    let answer = answer_with_fault(&simulator, &mut request, &arrival).await;
    let Some(answer) = answer else {
        connection.cut();
        return StatusCode::OK.into_response();
    };
    simulator.lock().log.answered(arrival.seq, answer.status.as_u16());
    tracing::debug!(operation = ?arrival.route.operation(), status = answer.status.as_u16(), "answered");
    dated(answer, &simulator, &connection)
}

/// The response, with the time of the simulated clock, unless the answer has another.
fn dated(answer: Answer, simulator: &Simulator, connection: &Connection) -> Response {
    let has_date = answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("date"));
    let answer = if has_date { answer } else { answer.with_header("date", http_date(simulator.now())) };
    response(answer, connection)
}

fn control(simulator: &Simulator, request: &Request) -> Answer {
    if let Err(said) = browser::check_program(request, &simulator.lock().host_names) {
        return Answer::json(StatusCode::FORBIDDEN, &json!({ "error": said }));
    }
    if request.method == Method::POST && request.segments().get(1..) == Some(&["scenario".to_owned()]) {
        return match simulator.play(&request.body) {
            Ok(()) => Answer::empty(StatusCode::NO_CONTENT),
            Err(error) => control::refuse(&error.to_string()),
        };
    }
    control::answer(&mut simulator.lock(), request)
}

async fn read(
    simulator: &Simulator,
    request: axum::extract::Request,
    scheme: &'static str,
) -> Result<Request, axum::Error> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await?.to_vec();
    let (at, random) = {
        let state = simulator.lock();
        (state.clock.now(), state.random.clone())
    };
    let query = parts.uri.query().unwrap_or_default();
    Ok(Request {
        at,
        random,
        scheme,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parts.headers,
        body,
    })
}

/// A request that has been noted, and what is to happen to it.
#[derive(Debug, Clone)]
struct Arrival {
    seq: u64,
    route: Route,
    latency: Duration,
    fault: Option<FaultAnswer>,
    /// One request too many: in how many seconds the caller may come again.
    limited: Option<i64>,
}

fn arrive(simulator: &Simulator, request: &Request) -> Arrival {
    let route = Route::of(request);
    let operation = route.operation();
    let mut state = simulator.lock();
    let customer = route.customer(request, &state);
    let fault = state.faults.take(operation, customer);
    let limit = state.settings.rate_limit.filter(|_| route.api() == Api::PartnerCenter);
    let limited = limit.and_then(|limit| state.limiter.count(limit, operation, customer, request.at));
    let seq = state.log.arrive(entry(request, &route, customer, fault.is_some()));
    Arrival { seq, route, latency: Duration::from_millis(state.settings.latency_ms), fault, limited }
}

fn entry(request: &Request, route: &Route, customer: Option<Uuid>, fault: bool) -> Entry {
    Entry {
        seq: 0,
        at: request.at,
        operation: route.operation(),
        method: request.method.to_string(),
        path: request.path_and_query(),
        customer,
        status: None,
        effective: false,
        fault,
        request_id: request.header("MS-RequestId").map(str::to_owned),
        correlation_id: request.header("MS-CorrelationId").map(str::to_owned),
    }
}

/// The answer as the fault leaves it; `None` ends the connection.
async fn answer_with_fault(simulator: &Simulator, request: &mut Request, arrival: &Arrival) -> Option<Answer> {
    let api = arrival.route.api();
    match &arrival.fault {
        None => Some(take_effect(simulator, request, arrival)),
        Some(FaultAnswer::Status(status)) => {
            if status.applied {
                take_effect(simulator, request, arrival);
            }
            Some(with_response_headers(status.answer(request, api), api, request))
        }
        Some(FaultAnswer::Edit(edit)) => Some(edit.apply(take_effect(simulator, request, arrival))),
        Some(FaultAnswer::NextLink { form }) => Some(form.apply(request, take_effect(simulator, request, arrival))),
        Some(FaultAnswer::Drip { bytes, every_ms }) => {
            let delivery = Delivery::Drip { bytes: *bytes, pause: Duration::from_millis(*every_ms) };
            Some(take_effect(simulator, request, arrival).delivered(delivery))
        }
        Some(FaultAnswer::Cut { after_bytes, how }) => {
            let delivery = match how {
                CutHow::Length => Delivery::Cut { after_bytes: *after_bytes, has_length: true },
                CutHow::Chunked => Delivery::Cut { after_bytes: *after_bytes, has_length: false },
                CutHow::Reset => Delivery::Reset { after_bytes: *after_bytes },
            };
            Some(take_effect(simulator, request, arrival).delivered(delivery))
        }
        Some(FaultAnswer::Then { calls }) => Some(take_effect_then(simulator, request, arrival, calls)),
        Some(FaultAnswer::Garbage) => {
            let mut answer = take_effect(simulator, request, arrival);
            answer.body = Some(r#"{"items":[{"id":"#.to_owned());
            answer.sent = None;
            Some(answer)
        }
        Some(FaultAnswer::Disconnect { applied }) => {
            if *applied {
                take_effect(simulator, request, arrival);
            }
            None
        }
        Some(FaultAnswer::Delay { delay_ms, applied: true }) => {
            let answer = take_effect(simulator, request, arrival);
            sleep(Duration::from_millis(*delay_ms)).await;
            Some(answer)
        }
        Some(FaultAnswer::Delay { delay_ms, applied: false }) => {
            // When the client gives up meanwhile, the server drops this future, and the request has no effect.
            sleep(Duration::from_millis(*delay_ms)).await;
            request.at = simulator.now();
            Some(take_effect(simulator, request, arrival))
        }
        Some(FaultAnswer::Late { delay_ms }) => {
            // A task of its own, which goes on when the client gives up.
            let late = carry_out_later(simulator.clone(), request.clone(), arrival.clone(), *delay_ms);
            tokio::spawn(late).await.ok()
        }
    }
}

async fn carry_out_later(simulator: Simulator, mut request: Request, arrival: Arrival, delay_ms: u64) -> Answer {
    sleep(Duration::from_millis(delay_ms)).await;
    request.at = simulator.now();
    take_effect(&simulator, &request, &arrival)
}

/// Carries the request out as if nothing were simulated.
fn take_effect(simulator: &Simulator, request: &Request, arrival: &Arrival) -> Answer {
    take_effect_then(simulator, request, arrival, &[])
}

/// The same, and then these calls of the control API; nobody sees anything in between.
fn take_effect_then(simulator: &Simulator, request: &Request, arrival: &Arrival, calls: &[ControlCall]) -> Answer {
    let mut state = simulator.lock();
    let route = &arrival.route;
    if let Some(claims) = request.bearer().and_then(tokens::decode) {
        state.issued.presented(&claims.uti);
    }
    let answer = match (route.api(), route) {
        (Api::PartnerCenter, _) if arrival.limited.is_some() => {
            let seconds = arrival.limited.unwrap_or_default();
            let message = format!("Rate limit is exceeded. Try again in {seconds} seconds.");
            partner_center::throttled(StatusCode::TOO_MANY_REQUESTS, &message)
                .with_header("retry-after", seconds.to_string())
        }
        (_, Route::Token { tenant, version }) => entra::token(&mut state, request, tenant, *version),
        (_, Route::OpenidConfiguration { tenant, version }) => {
            discovery::openid_configuration(&state, request, tenant, *version).unwrap_or_else(|refusal| refusal)
        }
        (_, Route::InstanceDiscovery) => discovery::instance(request).unwrap_or_else(|refusal| refusal),
        (_, Route::SigningKeys { tenant }) => {
            discovery::keys(&state, request, tenant).unwrap_or_else(|refusal| refusal)
        }
        (_, Route::Authorize { tenant, version }) => interactive::authorize(&mut state, request, tenant, *version),
        (_, Route::DeviceCode { tenant, version }) => interactive::device_code(&mut state, request, tenant, *version),
        (_, Route::DevicePage) => interactive::device_page(&mut state, request),
        (Api::ResourceManager, _) => arm::answer(&mut state, request, route),
        (Api::Graph, _) => graph::answer(&state, request, route),
        (Api::Entra | Api::PartnerCenter, _) => partner_center::answer(&mut state, request, route),
    };
    if answer.effective {
        state.log.took_effect(arrival.seq, route.operation());
    }
    for call in calls {
        if let Err(said) = control::make(call, &mut state, request.at) {
            tracing::warn!(path = call.path(), said, "a fault's call was refused");
        }
    }
    with_response_headers(answer, route.api(), request)
}

fn with_response_headers(answer: Answer, api: Api, request: &Request) -> Answer {
    match api {
        Api::PartnerCenter => partner_center::with_response_headers(answer, request),
        Api::ResourceManager => answer.with_header("x-ms-request-id", request.random.uuid().to_string()),
        Api::Graph => answer.with_header("request-id", request.random.uuid().to_string()),
        Api::Entra => answer,
    }
}
