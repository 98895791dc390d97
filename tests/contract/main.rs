//! What must be true of Partner Center and of the simulator alike.
//!
//! The same assertions run against the simulator, always, and against the real Partner Center when a sandbox's
//! credentials are given: `docs/contract-tests.md` says how. They speak HTTP by themselves: neither the operator's client
//! nor the simulator's code is asked what the wire looks like.
//!
//! Where Microsoft documents nothing, an assertion accepts every likely answer and tells which one it saw.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests, and what they saw is their second result"
)]

mod microsoft_clients;
mod policies;
mod reading;
mod sign_in;
mod target;

use futures::future::BoxFuture;
use target::Target;

/// What was seen, or how the contract is broken.
type Outcome = Result<String, String>;

/// One assertion: its name, whether it writes, and itself.
struct Contract {
    name: &'static str,
    writes: bool,
    check: for<'a> fn(&'a Target) -> BoxFuture<'a, Outcome>,
}

/// Checks every contract that the target allows; panics with all that are broken.
async fn check_all(target: &Target) {
    let contracts = sign_in::CONTRACTS.iter().chain(&reading::CONTRACTS).chain(&policies::CONTRACTS);
    let mut broken = Vec::new();
    for contract in contracts {
        if contract.writes && !target.may_write() {
            println!("{}: left out, since it writes", contract.name);
            continue;
        }
        match (contract.check)(target).await {
            Ok(seen) => println!("{}: {seen}", contract.name),
            Err(how) => broken.push(format!("{}: {how}", contract.name)),
        }
    }
    assert!(broken.is_empty(), "{} contracts are broken:\n{}", broken.len(), broken.join("\n"));
}

#[tokio::test]
async fn the_simulator_keeps_every_contract() {
    check_all(&Target::simulator().await).await;
}

/// Run it with `cargo test --test contract -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "it asks the real Partner Center, with credentials from the environment: see docs/contract-tests.md"]
async fn partner_center_keeps_every_contract() {
    check_all(&Target::partner_center().unwrap_or_else(|missing| panic!("{missing}"))).await;
}
