//! Purchase permissions of Microsoft CSP customers, declared in Kubernetes.
pub mod api;
pub mod model;
pub mod operator;
pub mod plan;
pub mod reconcile;
pub mod remote;
pub mod simulator;
