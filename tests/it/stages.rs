//! Where tests run.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use stage::{Control, Programs, Stage, World};
use tokio::runtime::Runtime;

/// Longest wait for something that is expected. Seconds are usual; a busy machine takes many times that.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(50);

/// Customers in each simulator: many more than tests use.
const CUSTOMERS: u32 = 500;

/// A request that hangs is given up sooner than users would like it, so that tests of that do not take minutes.
pub(crate) const QUICK: [&str; 2] = ["--request-timeout", "2s"];

/// One for all tests: the connections of a client live in the runtime that opened them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    Runtime::new().unwrap()
});

/// Runs something asynchronous to its end.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// Waits until `look` finds something; gives up after [`PATIENCE`], saying `what` was waited for.
pub(crate) fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    eventually_or(what, look, String::new)
}

/// The same; `explain` adds to what is said.
pub(crate) fn eventually_or<T>(what: &str, look: impl Fn() -> Option<T>, explain: impl Fn() -> String) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "still waiting until {what}\n{}", explain());
        std::thread::sleep(POLL);
    }
}

/// A stage as a test sees it.
#[derive(Clone)]
pub(crate) struct View {
    /// Kubernetes, as its administrator.
    pub(crate) client: Client,
    /// Partner Center, as whoever tests need.
    pub(crate) simulator: Control,
    /// What the API server was asked.
    pub(crate) audit_log: PathBuf,
    /// What the operator says.
    pub(crate) operator_log: PathBuf,
}

impl View {
    fn of(stage: &Stage) -> Self {
        Self {
            client: run(client(&stage.cluster.kubeconfig())),
            simulator: (*stage.simulator).clone(),
            audit_log: stage.cluster.audit_log(),
            operator_log: stage.operator.log_path().to_owned(),
        }
    }
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// One after the other: a control plane takes all the cores that it gets while it starts.
static STARTING: Mutex<()> = Mutex::new(());

fn start(name: &str) -> Stage {
    let _turn = STARTING.lock();
    let programs = Programs {
        operator: env!("CARGO_BIN_EXE_csp-operator").into(),
        simulator: env!("CARGO_BIN_EXE_csp-simulator").into(),
    };
    // The stage makes HTTP clients, which need the TLS provider.
    let _runtime = RUNTIME.enter();
    Stage::start(name, &programs, &World::Customers(CUSTOMERS)).unwrap()
}

static SHARED: LazyLock<(Stage, View)> = LazyLock::new(|| {
    let mut stage = start("it");
    stage.operator.start(&QUICK).unwrap();
    let view = View::of(&stage);
    (stage, view)
});

/// The stage that is shared: its operator runs all the time.
pub(crate) fn shared() -> (&'static Stage, &'static View) {
    (&SHARED.0, &SHARED.1)
}
