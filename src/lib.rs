//! Purchase permissions of Microsoft CSP customers, declared in Kubernetes.
//!
//! A newcomer who wants to know when a customer is allowed to buy reads [`plan::permission`] from top to bottom. All else
//! serves it:
//!
//! ```text
//!   api ──▶ model ──▶ plan ◀── reconcile ──▶ remote
//!                                  ▲
//!                              operator            simulator
//!                                 ▲
//!                                cli
//! ```
//!
//! * [`api`] holds the three kinds as they travel; it knows nothing of HTTP or of the planner.
//! * [`model`] holds what has been parsed: a tenant id that is one, a fact that says when it was read.
//! * [`plan`] decides everything and does nothing: no network, no clock, no randomness.
//! * [`remote`] speaks to Microsoft; it knows nothing of Kubernetes or of wishes.
//! * [`reconcile`] carries out what the planner says; it decides nothing.
//! * [`operator`] is the process around it: settings, lease, health, credentials, shutdown.
//! * [`cli`] is the kubectl plugin, for the people who look after it: `kubectl csp plan`, `lint`,
//!   `explain`, `tree`, `export`, `activity`, `purchases`, `login`, `completion`.
//! * [`simulator`] stands in for Microsoft. It was written from Microsoft's documentation and shares no code with the
//!   rest, so that a wrong belief is not on both sides.
//!
//! `docs/design.md` gives the reasons.

pub mod api;
pub mod cli;
pub mod model;
pub mod operator;
pub mod plan;
pub mod reconcile;
pub mod remote;
pub mod simulator;
