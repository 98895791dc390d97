//! Partner Center, Entra, Azure Resource Manager and Microsoft Graph as one HTTP server with state, for tests and demos.
//!
//! What lives here: the four APIs as far as purchase permissions need them, a control API to script what people do in the
//! portal, settings and faults, and the log of what was asked. Written from Microsoft's documentation and from what its
//! published clients send.
//!
//! Who may come in: the binary `csp-simulator` and tests, through [`World`], [`Simulator`], [`serve`]
//! and [`serve_tls`].
//!
//! What is never found here: anything of the operator. The simulator shares no code with the client it tests, so that a
//! wrong belief about the wire is not on both sides.
//!
//! A request is read completely (`exchange`), named (`routes`), carried out by its API (`entra`,
//! `partner_center`, `arm`, `graph`) on the one `state`, all of it synchronously; the `server` puts latency and `faults`
//! around that, and `delivery` sends the answer. The `portal` is for people, and does what it does through `control`. What the `state` is made of (`world`, `audit`, `policy`, `commerce`,
//! `sign_ins`, `refresh_tokens`, ...) knows no API.

mod arm;
mod audit;
mod browser;
mod clock;
mod commerce;
mod connection;
mod control;
mod control_call;
mod delivery;
mod directory;
mod entra;
mod exchange;
mod faults;
mod graph;
mod issued;
mod oauth;
mod operation;
mod partner_center;
mod policy;
mod policy_change;
mod portal;
mod purchase;
mod random;
mod rate_limit;
mod refresh_tokens;
mod replays;
mod request_log;
mod routes;
mod scenario;
mod server;
mod settings;
mod sign_ins;
mod state;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod used_statements;
mod world;

pub use scenario::{Scenario, ScenarioError};
pub use server::{Simulator, serve, serve_tls};
pub use tls::{Tls, TlsError};
pub use world::{DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN, DEFAULT_USER, World, WorldError};
