//! One stage for all tests here: the simulated customers of the examples, and an operator that may do all of them.

use std::future::Future;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use stage::{Programs, Stage, World};
use tokio::runtime::Runtime;

/// Longest wait for something that is expected, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Some of the examples ask for both.
pub(crate) const ARGUMENTS: [&str; 2] = ["--allow-plan-purchase", "--allow-owner-assignment"];

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    Runtime::new().unwrap()
});

static STAGE: LazyLock<Mutex<Stage>> = LazyLock::new(|| {
    let programs = Programs {
        operator: env!("CARGO_BIN_EXE_csp-operator").into(),
        simulator: env!("CARGO_BIN_EXE_csp-simulator").into(),
    };
    let _runtime = RUNTIME.enter();
    let world = World::File(stage::root().join("examples/demo/world.yaml"));
    let mut stage = Stage::start("gitops", &programs, &world).unwrap();
    stage.operator.start(&ARGUMENTS).unwrap();
    Mutex::new(stage)
});

/// The stage, for one test after the other. What a test declares it removes, and it forgets the requests of before.
pub(crate) fn take() -> MutexGuard<'static, Stage> {
    let mut stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    if !stage.operator.is_running().unwrap() {
        stage.operator.start(&ARGUMENTS).unwrap();
    }
    run(stage.simulator.forget_requests()).unwrap();
    stage
}

/// Runs something asynchronous to its end.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// Waits until `look` finds something; `explain` says how it is instead.
pub(crate) fn eventually<T>(what: &str, look: impl Fn() -> Option<T>, explain: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "still waiting until {what}\n{}", explain());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// An object, or all of a kind, as kubectl gives it; `None` if there is none.
pub(crate) fn get(stage: &Stage, arguments: &[&str]) -> Option<Value> {
    let output = stage.kubectl(&[&["get", "--ignore-not-found", "--output=json"], arguments].concat()).unwrap();
    (!output.trim().is_empty()).then(|| serde_json::from_str(&output).unwrap())
}

/// Waits until all CRDs are served. kubectl gives up on one that has no conditions yet.
pub(crate) fn until_established(stage: &Stage) {
    let wait = || stage.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    eventually("all CRDs are served", || wait().ok(), String::new);
}

/// The writes to Partner Center about the customer of this number, such as `create`.
pub(crate) fn writes(stage: &Stage, customer: u32) -> Vec<String> {
    let tenant = format!("10000000-0000-4000-8000-{customer:012x}");
    let log = run(stage.simulator.writes()).unwrap();
    let of_customer = log.into_iter().filter(|(_, about, _)| *about == tenant);
    of_customer.map(|(operation, ..)| operation.trim_end_matches("_self_serve_policy").to_owned()).collect()
}
