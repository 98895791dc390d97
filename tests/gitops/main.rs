//! csp-operator among GitOps tools, with their own code: `make gitops` builds kstatus, Flux and Argo CD from the modules
//! pinned here, has the tests of the planner write down every status that they reach, and runs this.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "clippy takes only the test functions themselves for tests"
)]

mod examples;
mod flux;
mod reasons;
mod theatre;
mod verdicts;

use std::path::PathBuf;

/// What `make gitops` has built and written.
fn built(name: &str) -> PathBuf {
    let path = stage::root().join("target/gitops").join(name);
    assert!(path.exists(), "{} is not there: run `make gitops`", path.display());
    path
}
