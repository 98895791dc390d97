//! The course of a measurement.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser as _;
use csp_operator::operator::args::RunArgs;
use csp_operator::operator::{Cli, Command};
use csp_operator::plan::schedule::Intervals;
use jiff::{SignedDuration, Timestamp};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use local_cluster::audit::{self, Counts};
use serde_json::json;
use stage::{OPERATOR_USER, Programs, Stage, World};
use tokio::sync::watch;

use super::Failure;
use super::objects::{self, NAMESPACE, Standing};
use super::options::Options;
use super::progress::say;
use super::usage::Usage;

/// How long is looked at after a restart.
pub(crate) const AFTER_RESTART: Duration = Duration::from_mins(1);
/// How long nothing must be written until all is taken to be done.
const QUIET: Duration = Duration::from_secs(2);
/// How long one permission may take, on average, until it is given up. Far more than it needs on the slowest machine.
const EACH_MAX: Duration = Duration::from_millis(250);
/// How often a waiting person is told how far it is.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// How much of the operator's log a failure shows, in lines.
const LOG_LINES: usize = 20;
/// What the customers buy is looked for at the same pace whatever else happens, and would only blur the counts: as seldom as
/// can be.
const PURCHASE_INTERVAL: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What was counted from one moment to another.
#[derive(Debug, Default)]
pub(crate) struct Phase {
    /// Requests to the simulator, by operation.
    pub(crate) remote: BTreeMap<String, u64>,
    /// Requests of the operator to the API server.
    pub(crate) kubernetes: Counts,
    /// Processor time of the operator in this phase.
    pub(crate) cpu: Option<Duration>,
    /// Memory of the operator at the end of this phase.
    pub(crate) usage: Option<Usage>,
}

/// What a measurement has come to.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// From the start of the operator to the last write that changed a policy.
    pub(crate) last_write_after: Duration,
    /// From the start of the operator until every permission was `Ready`.
    pub(crate) ready_after: Duration,
    /// Writes that changed a policy.
    pub(crate) effective_writes: usize,
    /// From the start of the operator until nothing more was to be done.
    pub(crate) first: Phase,
    /// From there until every permission showed its activity record.
    pub(crate) activity: Phase,
    /// The first minute after a restart.
    pub(crate) restart: Phase,
    /// Requests that Partner Center is sent in a minute by default.
    pub(crate) calls_per_minute: u16,
    /// Remote calls of that minute that were due anyway, restart or not.
    pub(crate) restart_timetable: usize,
    /// Events by the kind they are about, until nothing more was to be done.
    pub(crate) first_events: BTreeMap<String, u64>,
    /// Events by the kind they are about, until every permission showed its activity record.
    pub(crate) all_events: BTreeMap<String, u64>,
}

/// Measures.
pub(crate) async fn measure(options: &Options) -> Result<Measurement, Failure> {
    let count = usize::try_from(options.objects)?;
    let defaults = defaults()?;
    say("starting a control plane and the simulator");
    let programs =
        Programs { operator: options.operator.clone(), simulator: PathBuf::from(env!("CARGO_BIN_EXE_csp-simulator")) };
    let mut bench =
        Bench::new(Stage::start("bench", &programs, &World::Customers(options.objects))?, options.concurrency).await?;
    bench.stage.kubectl(&["create", "namespace", NAMESPACE])?;
    objects::create_all(&bench.client, options.objects).await?;
    bench.stage.simulator.set(json!({ "latencyMs": options.latency_ms })).await?;
    let (sender, mut standing) = watch::channel(Standing::default());
    tokio::spawn(objects::follow(bench.client.clone(), sender));

    say("starting the operator");
    bench.begin_phase().await?;
    let (start, start_at) = (Instant::now(), Timestamp::now());
    bench.start_operator()?;
    let limit = Duration::from_mins(1) + EACH_MAX * options.objects;
    let ready_at = bench.wait(&mut standing, count, limit, "Ready", |standing| standing.ready).await?;
    while objects::unready_prerequisites(&bench.client).await? > 0 && start.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bench.wait_until_quiet().await?;
    let (last_write_at, effective_writes) = bench.last_write(options.latency_ms).await?;
    let first = bench.end_phase(None).await?;
    let first_events = objects::events_by_kind(&bench.client).await?;

    say("waiting until the activity log is read again");
    bench.begin_phase().await?;
    let limit = defaults.activity_interval * 2 + EACH_MAX * options.objects;
    bench.wait(&mut standing, count, limit, "with their activity record", |standing| standing.recorded).await?;
    bench.wait_until_quiet().await?;
    let activity = bench.end_phase(first.usage).await?;
    let all_events = objects::events_by_kind(&bench.client).await?;

    say("restarting the operator");
    drop(standing);
    bench.stage.operator.stop()?;
    bench.begin_phase().await?;
    let restart_at = Timestamp::now();
    bench.start_operator()?;
    say("watching it for a minute");
    tokio::time::sleep(AFTER_RESTART).await;
    let restart = bench.end_phase(None).await?;
    let intervals = Intervals {
        resync: defaults.resync.try_into()?,
        prerequisites: defaults.prerequisite_interval.try_into()?,
        purchases: PURCHASE_INTERVAL,
    };
    let minute = (restart_at, Timestamp::now());
    let restart_timetable = objects::calls_by_timetable(&bench.client, intervals, minute).await?;
    if let Some(path) = &options.log {
        std::fs::copy(bench.stage.operator.log_path(), path)?;
    }

    Ok(Measurement {
        last_write_after: Duration::try_from(last_write_at.duration_since(start_at))?,
        ready_after: ready_at.duration_since(start),
        effective_writes,
        first,
        activity,
        restart,
        calls_per_minute: defaults.partner_center_calls_per_minute.get(),
        restart_timetable,
        first_events,
        all_events,
    })
}

/// The operator's options where none are given.
fn defaults() -> Result<Box<RunArgs>, Failure> {
    match Cli::try_parse_from(["csp-operator", "run"])?.command {
        Command::Run(arguments) => Ok(arguments),
        Command::Crds(_) | Command::Ready(_) => Err("csp-operator run is something else now".into()),
    }
}

struct Bench {
    stage: Stage,
    client: Client,
    concurrency: Option<u16>,
    /// Where the audit log ended when the phase began.
    audit_start: u64,
}

impl Bench {
    async fn new(stage: Stage, concurrency: Option<u16>) -> Result<Self, Failure> {
        let kubeconfig = Kubeconfig::read_from(stage.cluster.kubeconfig())?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Self { stage, client: Client::try_from(config)?, concurrency, audit_start: 0 })
    }

    fn start_operator(&mut self) -> Result<(), Failure> {
        let concurrency = self.concurrency.map(|concurrency| concurrency.to_string());
        let purchase_interval = format!("{}h", PURCHASE_INTERVAL.as_hours());
        let mut arguments = vec!["--purchase-interval", &purchase_interval, "--allow-all-namespaces"];
        // Else the limits would be measured, and not the machine.
        arguments.extend(["--partner-center-calls-per-minute", "60000", "--max-grants-per-hour", "100000"]);
        arguments.extend(concurrency.iter().flat_map(|count| ["--concurrency", count]));
        Ok(self.stage.operator.start_with_defaults(&arguments)?)
    }

    async fn begin_phase(&mut self) -> Result<(), Failure> {
        self.stage.simulator.forget_requests().await?;
        self.audit_start = audit::read(self.stage.cluster.audit_log(), self.audit_start)?.end;
        Ok(())
    }

    /// What was counted since the phase began; the operator had used `before` by then.
    async fn end_phase(&self, before: Option<Usage>) -> Result<Phase, Failure> {
        let usage = self.stage.operator.pid().and_then(Usage::of);
        Ok(Phase {
            remote: self.stage.simulator.counts().await?.into_iter().collect(),
            kubernetes: self.requests()?,
            cpu: usage.map(|usage| usage.cpu.saturating_sub(before.map(|usage| usage.cpu).unwrap_or_default())),
            usage,
        })
    }

    fn requests(&self) -> Result<Counts, Failure> {
        Ok(audit::read(self.stage.cluster.audit_log(), self.audit_start)?.counts.of(OPERATOR_USER))
    }

    /// Waits until `number` of the permissions has come to `count`; gives the moment it did.
    async fn wait(
        &mut self,
        standing: &mut watch::Receiver<Standing>,
        count: usize,
        limit: Duration,
        what: &str,
        number: impl Fn(&Standing) -> usize,
    ) -> Result<Instant, Failure> {
        let deadline = Instant::now() + limit;
        loop {
            let now = *standing.borrow_and_update();
            let reached = number(&now);
            let so_far = format!("{reached} of {count} permissions are {what}");
            say(&so_far);
            if reached >= count {
                return Ok(now.changed.unwrap_or_else(Instant::now));
            }
            if Instant::now() > deadline || !self.stage.operator.is_running()? {
                let log = self.stage.operator.log();
                let lines: Vec<_> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
                return Err(format!("only {so_far}; the operator last said:\n{end}").into());
            }
            let all = standing.wait_for(|standing| number(standing) >= count);
            // Ended or not, the next look tells.
            let _ = tokio::time::timeout(BETWEEN_LOOKS, all).await;
        }
    }

    /// Waits until the operator has written nothing but its lease for a while.
    async fn wait_until_quiet(&self) -> Result<(), Failure> {
        let mut before = None;
        loop {
            let writes = self.requests()?.writes().only(|request| !is_lease(&request.resource)).total();
            if before == Some(writes) {
                return Ok(());
            }
            before = Some(writes);
            tokio::time::sleep(QUIET).await;
        }
    }

    /// When the last write changed a policy, and how many did.
    async fn last_write(&self, latency_ms: u32) -> Result<(Timestamp, usize), Failure> {
        let log = self.stage.simulator.get("requests?operation=create_self_serve_policy").await?;
        let requests = log["requests"].as_array().cloned().unwrap_or_default();
        let arrivals = requests
            .iter()
            .filter(|request| request["effective"].as_bool() == Some(true))
            .map(|request| request["at"].as_str().unwrap_or_default().parse::<Timestamp>());
        let arrivals = arrivals.collect::<Result<Vec<_>, _>>()?;
        let last = arrivals.iter().max().ok_or("no policy was written")?;
        // The log has the arrival; the effect comes after the latency.
        Ok((*last + Duration::from_millis(u64::from(latency_ms)), arrivals.len()))
    }
}

/// Whether a resource of the audit log is the operator's lease.
pub(crate) fn is_lease(resource: &str) -> bool {
    resource.starts_with("leases.")
}
