//! The operator as its users meet it: the real program under its own ServiceAccount, a real API server, and the simulator
//! in place of Microsoft.
//!
//! What is asserted is seen from outside: objects and events as the API server hands them out, the simulator's request
//! log, and the API server's audit log. Tests share one stage ([`stages::shared`]), each with a
//! namespace and customers of its own ([`scene::Scene`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod scene;
mod stages;

mod architecture;
mod command_line;
mod deletion;
mod drift;
mod examples;
mod main_path;
mod ownership;
mod references;
mod refusals;
