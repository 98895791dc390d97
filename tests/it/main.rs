//! The operator as its users meet it: the real program under its own ServiceAccount, a real API server, and the simulator
//! in place of Microsoft.
//!
//! What is asserted is seen from outside: objects and events as the API server hands them out, the simulator's request
//! log, and the API server's audit log. Tests that leave the operator alone share one stage ([`stages::shared`]), each
//! with a namespace and customers of its own ([`scene::Scene`]). Tests that kill, stop or misconfigure something take one
//! of some other stages for themselves ([`stages::Exclusive`]).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod scene;
mod stages;

mod activity;
mod architecture;
mod behind;
mod brake;
mod budget;
mod chart;
mod claims;
mod command_line;
mod costs;
mod coverage;
mod crash;
mod deletion;
mod drift;
mod ending;
mod examples;
mod explain;
mod export;
mod in_cluster;
mod links;
mod lint;
mod login;
mod main_path;
mod monitoring;
mod namespace_rights;
mod namespaces;
mod outside;
mod owners;
mod ownership;
mod people;
mod plan;
mod plans;
mod plugin;
mod portal;
mod proofs;
mod purchases;
mod races;
mod references;
mod refusals;
mod replaced;
mod restart;
mod secrets;
mod sign_in;
mod sign_in_kills;
mod stalls;
mod traces;
mod uninstall;
mod upgrade;
mod who_may;
