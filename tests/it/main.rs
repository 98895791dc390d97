//! The operator as its users meet it: the real program under its own ServiceAccount, a real API server, and the simulator
//! in place of Microsoft.
//!
//! What the source and the command line promise without a cluster is held here too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod architecture;
mod command_line;
