//! The control plane as its users see it, against the real binaries.

#![allow(clippy::unwrap_used, reason = "clippy takes only the test functions themselves for tests")]

mod lifetime;
mod operator_rbac;
mod requests;

use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use local_cluster::{ControlPlane, Options};

/// One control plane for every test that leaves it running. Nobody drops it: the end of the test process removes it.
static SHARED: LazyLock<ControlPlane> = LazyLock::new(|| ControlPlane::start(&Options::named("it")).unwrap());

/// Waits until `done`, or fails with what was waited for.
fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "still waiting until {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
