//! Purchase permissions of Microsoft CSP customers, declared in Kubernetes.

pub mod simulator;
