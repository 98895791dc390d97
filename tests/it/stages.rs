//! Where tests run: one stage that is shared, and some that a test can have for itself.
//!
//! `make e2e` has the tests of the shared stage run against an installation in a cluster (`CSP_E2E_KUBECONFIG`): the same scenes,
//! but the operator comes from its image and runs under the kubelet. A test that needs more than that says so by [`leave_out`].

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use csp_operator::api::{AzureSubscription, Customer, CustomerPurchasePermission};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource, ResourceExt as _};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::json;
use stage::{Control, Installation, NAMESPACE, Operator, Programs, Reach, Stage, World};
use tokio::runtime::Runtime;

/// Longest wait for something that is expected. Seconds are usual; a busy machine takes many times that.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Between the first two looks at something that is waited for, and the longest. A look costs whoever is looked at as much as the looker.
const POLL: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_millis(200);

/// Customers in each simulator.
const CUSTOMERS: u32 = 500;

/// From this one on customers are not a scene's: tests that name theirs take them from here.
pub(crate) const NO_SCENES_CUSTOMER: u32 = 400;

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
    let mut pause = POLL;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "still waiting until {what}\n{}", explain());
        std::thread::sleep(pause);
        pause = POLL_MAX.min(pause * 3 / 2);
    }
}

/// A stage as a test sees it.
#[derive(Clone)]
pub(crate) struct View {
    /// Kubernetes, as its administrator.
    pub(crate) client: Client,
    /// Partner Center, as whoever tests need.
    pub(crate) simulator: Control,
    /// What the API server was asked. A cluster that is not ours does not tell.
    pub(crate) audit_log: Option<PathBuf>,
    /// What the operator says.
    pub(crate) operator_log: PathBuf,
}

impl View {
    fn of(stage: &Stage) -> Self {
        Self {
            client: run(client(&stage.cluster.kubeconfig())),
            simulator: (*stage.simulator).clone(),
            audit_log: Some(stage.cluster.audit_log()),
            operator_log: stage.operator.log_path().to_owned(),
        }
    }
}

async fn client(kubeconfig: &Path) -> Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    // An API server of ours has just started and may say so. In a cluster that is up, 503 is what a pod answers that is not ready, and
    // goes on to: kube would ask for minutes.
    config.default_retry = !is_in_cluster();
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

/// Label of the namespaces that tests make: `tests/e2e/remove.sh` removes those that have it, and no others.
pub(crate) const MADE_HERE: &str = "csp-operator.dev/e2e";

/// Kubeconfig of a cluster in which everything is installed. Without it the stage is on this machine.
const E2E_KUBECONFIG: &str = "CSP_E2E_KUBECONFIG";

/// What keeps the shared stage up.
#[allow(dead_code, reason = "it is there to be dropped last")]
enum Ground {
    Here(Box<Stage>),
    Cluster(Box<Installation>),
}

static SHARED: LazyLock<(Ground, Reach, View)> = LazyLock::new(|| match std::env::var_os(E2E_KUBECONFIG) {
    None => {
        let mut stage = start("it");
        stage.operator.start(&QUICK).unwrap();
        let (reach, view) = (stage.reach(), View::of(&stage));
        (Ground::Here(Box::new(stage)), reach, view)
    }
    Some(kubeconfig) => {
        let _runtime = RUNTIME.enter();
        let installation = Installation::find(Path::new(&kubeconfig), &stage::root().join("target/e2e/logs")).unwrap();
        let reach = installation.reach().clone();
        let view = View {
            client: run(client(reach.kubeconfig())),
            simulator: reach.simulator().clone(),
            audit_log: None,
            operator_log: installation.operator_log().to_owned(),
        };
        (Ground::Cluster(Box::new(installation)), reach, view)
    }
});

/// The stage that is shared: its operator runs all the time.
pub(crate) fn shared() -> (&'static Reach, &'static View) {
    let (_, reach, view) = &*SHARED;
    if is_in_cluster() {
        // `tests/e2e/summary.sh` counts the tests that say so.
        say("runs in the cluster");
    }
    (reach, view)
}

fn is_in_cluster() -> bool {
    std::env::var_os(E2E_KUBECONFIG).is_some()
}

/// Ends a test that cannot be made in a cluster that is not ours; there is no other way to end it and not to pass. `make e2e` lists it
/// with `why`, which goes on after "it ".
pub(crate) fn leave_out(why: &str) -> ! {
    panic!("left out in a cluster: it {why}")
}

#[allow(clippy::print_stdout, reason = "the test harness keeps only this with the test")]
fn say(what: &str) {
    println!("e2e: {what}");
}

/// As many as are worth their start: tests wait for each other here more than for the machine.
static POOL: [LazyLock<Mutex<Stage>>; 5] = [
    LazyLock::new(|| Mutex::new(start("it-a"))),
    LazyLock::new(|| Mutex::new(start("it-b"))),
    LazyLock::new(|| Mutex::new(start("it-c"))),
    LazyLock::new(|| Mutex::new(start("it-d"))),
    LazyLock::new(|| Mutex::new(start("it-e"))),
];

/// A stage that nobody else uses meanwhile, with nothing declared and nothing broken. Its operator is not running.
pub(crate) struct Exclusive {
    /// Everything on it.
    pub(crate) stage: MutexGuard<'static, Stage>,
    /// What is seen of it.
    pub(crate) view: View,
}

impl Exclusive {
    /// Takes one of them, as soon as one is free, and clears away what the last test has left.
    pub(crate) fn take() -> Self {
        if is_in_cluster() {
            leave_out("starts, stops or breaks the operator, the API server or the partner");
        }
        let stage = eventually_free();
        let mut exclusive = Self { view: View::of(&stage), stage };
        exclusive.clear();
        exclusive
    }

    /// Starts the operator with these arguments, and waits until it acts.
    pub(crate) fn start(&mut self, arguments: &[&str]) {
        self.start_with(&[], arguments);
    }

    /// The same, with these environment variables.
    pub(crate) fn start_with(&mut self, variables: &[(&str, &str)], arguments: &[&str]) {
        let before = self.stage.operator.log().len();
        self.stage.operator.start_with(variables, arguments).unwrap();
        until_it_acts(&self.stage.operator, before);
    }

    /// Kills the operator and starts it again. Its lease is taken away, which spares the new process the wait for its
    /// end: the old one is dead for certain.
    pub(crate) fn kill_and_start(&mut self, arguments: &[&str]) {
        self.stage.operator.kill().unwrap();
        run(forget_lease(&self.view.client));
        self.start(arguments);
    }

    /// What the operator serves at this path, such as `readyz`.
    pub(crate) fn served(&self, path: &str) -> String {
        let log = self.stage.operator.log();
        let line = log.lines().rev().find(|line| line.contains("serving /livez")).unwrap();
        let port: String = line.split("127.0.0.1:").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
        run(async { reqwest::get(format!("http://127.0.0.1:{port}/{path}")).await.unwrap().text().await.unwrap() })
    }

    fn clear(&mut self) {
        self.stage.operator.kill().unwrap();
        self.stage.cluster.start_apiserver().unwrap();
        self.stage.apply(&stage::credentials("simulated-refresh-token")).unwrap();
        run(async {
            remove_all::<CustomerPurchasePermission>(&self.view.client).await;
            remove_all::<AzureSubscription>(&self.view.client).await;
            remove_all::<Customer>(&self.view.client).await;
            forget_lease(&self.view.client).await;
            self.view.simulator.call(Method::DELETE, "faults", None).await.unwrap();
            let quick = json!({
                "latencyMs": 0, "roleAssignmentDelayMs": 0, "principalReplicationMs": 0,
                "billingPolicyDelayMs": null, "orderDelayMs": 0,
            });
            self.view.simulator.set(quick).await.unwrap();
            self.view.simulator.call(Method::PUT, "clock", Some(json!({ "offset": "0s" }))).await.unwrap();
            let agent = json!({
                "upn": "operator@contosopartner.onmicrosoft.com", "roles": ["AdminAgent"], "mfa": true,
                "refreshToken": "simulated-refresh-token",
            });
            self.view.simulator.post("partner/user", agent).await.unwrap();
            let partner = json!({
                "type": "DirectBill", "relatedPartners": [], "groups": [],
                "graph": ["User.Read", "User.Read.All", "GroupMember.Read.All"],
            });
            self.view.simulator.call(Method::PATCH, "partner", Some(partner)).await.unwrap();
        });
    }
}

/// Waits until a replica says that it acts, after this much of its log.
pub(crate) fn until_it_acts(operator: &Operator, after: usize) {
    let acts = || operator.log().get(after..)?.contains("this replica acts").then_some(());
    eventually_or("it acts", acts, || operator.log());
}

fn eventually_free() -> MutexGuard<'static, Stage> {
    // No deadline: whoever is ahead has its own.
    loop {
        for stage in &POOL {
            match stage.try_lock() {
                Ok(stage) => return stage,
                Err(TryLockError::Poisoned(poisoned)) => return PoisonError::into_inner(poisoned),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        std::thread::sleep(POLL);
    }
}

pub(crate) async fn forget_lease(client: &Client) {
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let _ = leases.delete("csp-operator", &DeleteParams::default()).await;
}

/// Removes every object of a kind without asking anybody's finalizer.
async fn remove_all<K>(client: &Client)
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let all: Api<K> = Api::all(client.clone());
    for object in all.list(&ListParams::default()).await.unwrap() {
        let api: Api<K> = Api::namespaced(client.clone(), &object.namespace().unwrap());
        let name = object.name_any();
        let without = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        let _ = api.patch(&name, &PatchParams::default(), &without).await;
        let _ = api.delete(&name, &DeleteParams::default()).await;
    }
}
