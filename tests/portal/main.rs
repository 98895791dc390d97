//! The simulator's portal in a real browser: headless Chromium, which chromedriver operates as a person would.
//!
//! * `without_scripts`: everything that can be done, with scripts forbidden;
//! * `keyboard`: the same by keys alone, and that one always sees where one is;
//! * `accessibility`: what axe-core finds on every page, light and dark, wide and narrow.
//!
//! `make portal-test` runs it: it needs more than Rust, and says what is missing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod accessibility;
mod browser;
mod focus;
mod keyboard;
mod without_scripts;

use csp_operator::simulator::{Simulator, World, serve};
use tokio::net::TcpListener;

/// Tenant of the first generated customer, which is in order in every way.
const CUSTOMER: &str = "c0000000-0000-4000-8000-000000000000";

/// A simulator with so many customers that their list has pages; gives its address.
async fn simulator() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, Simulator::new(World::generated(30))));
    address
}
