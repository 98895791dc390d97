//! Purchase permissions of Microsoft CSP customers, declared in Kubernetes.
