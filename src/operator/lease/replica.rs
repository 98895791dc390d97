//! The loop over [`super::election`]: asks the API server, waits, and tells the others.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::{oneshot, watch};

use super::super::boot_clock::BootTime;
use super::super::call::{Call, CallError, within};
use super::super::health::{Check, Readiness, Standing};
use super::super::metrics::Metrics;
use super::super::telemetry::{Chain, Complaints};
use super::election::{Candidate, Decision, Next, Tenure};
use super::record::{self, Record};
use super::{LeaseFence, LostLease, Phase, Terms};

/// Timers stand still while the machine sleeps, the deadline does not: no pause is longer than this, so that a machine
/// that wakes up notices soon. (The fence notices at once.)
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How often a candidate reads the Lease at most: how long a release goes unnoticed.
const READ_EVERY_MAX: Duration = Duration::from_secs(2);

/// One process in the election.
pub(super) struct Replica {
    api: Api<Lease>,
    terms: Terms,
    fence: Arc<LeaseFence>,
    phase: watch::Sender<Phase>,
    readiness: Readiness,
    metrics: Metrics,
}

/// The outcome of an attempt to renew.
enum Renewal {
    Done(Box<Lease>),
    Taken { holder: String },
    Failed(CallError),
}

impl Replica {
    pub(super) fn new(
        client: Client,
        terms: Terms,
        fence: Arc<LeaseFence>,
        phase: watch::Sender<Phase>,
        readiness: Readiness,
        metrics: Metrics,
    ) -> Self {
        let api = Api::namespaced(client, &terms.namespace);
        Self { api, terms, fence, phase, readiness, metrics }
    }

    /// Stands by, then holds the lease until it is lost, or until `release` is sent. If the sender of `release` is
    /// dropped the lease is left to expire.
    pub(super) async fn run(self, mut release: oneshot::Receiver<()>) -> Result<(), LostLease> {
        let outcome = tokio::select! {
            (tenure, lease) = self.stand_by() => tokio::select! {
                lost = self.hold(tenure, lease) => Err(lost),
                asked = &mut release => Ok(asked.is_ok()),
            },
            asked = &mut release => Ok(asked.is_ok()),
        };
        self.fence.close();
        self.metrics.set_leading(false);
        self.phase.send_replace(Phase::Ended);
        if outcome? {
            self.release().await;
        }
        Ok(())
    }

    /// Waits for its turn.
    async fn stand_by(&self) -> (Tenure, Box<Lease>) {
        let mut candidate = Candidate::new(self.terms.me.clone());
        let mut complaints = Complaints::default();
        let mut holder_shown = None;
        tracing::info!(lease = self.terms.object(), identity = self.terms.me, "standing by for the lease");
        loop {
            let pause = match self.apply_for(&mut candidate).await {
                Ok(Applied::Won(tenure, lease)) => return (tenure, lease),
                Ok(Applied::Wait { holder, pause }) => {
                    complaints.clear();
                    self.readiness.set(Check::Lease, Standing::Standby);
                    if holder_shown != holder {
                        tracing::info!(holder, "another replica holds the lease");
                        holder_shown = holder;
                    }
                    pause
                }
                Err(error) => {
                    let text = Chain(&error).to_string();
                    if complaints.is_news(&text) {
                        tracing::warn!(error = text, "could not take part in the election; trying again");
                    }
                    self.readiness.set(Check::Lease, Standing::Missing(text));
                    self.read_every()
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads the Lease once and does what follows from it.
    async fn apply_for(&self, candidate: &mut Candidate) -> Result<Applied, CallError> {
        let found = self.read(self.limit()).await?;
        let record = found.as_ref().map(|lease| Record::of(lease, &self.terms));
        let answered = BootTime::now();
        let decision = candidate.observe(record.as_ref(), answered);
        let sent = BootTime::now();
        let (inheritance, attempt) = match (decision, &found) {
            (Decision::Wait { until }, _) => {
                let holder = record.and_then(|record| record.holder);
                return Ok(Applied::Wait { holder, pause: until.since(answered).min(self.read_every()) });
            }
            (Decision::Take(inheritance), Some(lease)) => {
                let taken = record::taken(lease, &self.terms, Timestamp::now());
                (inheritance, self.replace(&taken, self.limit()).await)
            }
            (Decision::Take(inheritance) | Decision::Create(inheritance), _) => {
                let created = record::created(&self.terms, Timestamp::now());
                (inheritance, self.create(&created, self.limit()).await)
            }
        };
        match attempt {
            Ok(lease) => {
                let terms = &self.terms;
                let now = BootTime::now();
                Ok(Applied::Won(Tenure::begin(terms.duration, sent, now, inheritance, terms.write_timeout), lease))
            }
            // Another candidate was faster, or the holder is back.
            Err(CallError::Conflict { .. }) => Ok(Applied::Wait { holder: None, pause: self.read_every() }),
            Err(error) => Err(error),
        }
    }

    /// Holds the lease until it is lost.
    async fn hold(&self, mut tenure: Tenure, mut lease: Box<Lease>) -> LostLease {
        let name = self.terms.object();
        let mut last_failure = None;
        let mut acts = false;
        let acts_in = tenure.acts_in(BootTime::now());
        tracing::info!(lease = name, identity = self.terms.me, ?acts_in, "holding the lease");
        loop {
            let now = BootTime::now();
            if tenure.acts(now) {
                self.fence.open_until(tenure.deadline());
                if !acts {
                    acts = true;
                    self.readiness.set(Check::Lease, Standing::Ready);
                    self.metrics.set_leading(true);
                    self.phase.send_replace(Phase::Leading);
                }
            }
            match tenure.next(now) {
                Next::Idle { pause } => tokio::time::sleep(pause.min(PAUSE_MAX)).await,
                Next::Renew { limit } => match self.renew(&lease, limit).await {
                    Renewal::Done(renewed) => {
                        lease = renewed;
                        last_failure = None;
                        tenure.renewed(now, fastrand::f64());
                    }
                    Renewal::Taken { holder } => return LostLease::Taken { lease: name, holder },
                    Renewal::Failed(error) => {
                        let now = BootTime::now();
                        let left = tenure.deadline().since(now);
                        tracing::warn!(error = %Chain(&error), ?left, "could not renew the lease; trying again");
                        last_failure = Some(error);
                        tenure.failed(now, fastrand::f64());
                    }
                },
                Next::Lost => {
                    return LostLease::Expired { lease: name, held: self.terms.duration, source: last_failure };
                }
            }
        }
    }

    async fn renew(&self, lease: &Lease, limit: Duration) -> Renewal {
        let attempt = async {
            match self.replace(&record::renewed(lease, &self.terms, Timestamp::now()), limit).await {
                // An earlier attempt of ours whose answer was lost, a person, or another replica.
                Err(CallError::Conflict { .. } | CallError::NotFound { .. }) => {}
                other => return other.map_or_else(Renewal::Failed, Renewal::Done),
            }
            let found = match self.read(limit).await {
                Ok(found) => found,
                Err(error) => return Renewal::Failed(error),
            };
            let renewed = match &found {
                Some(lease) => match Record::of(lease, &self.terms).holder {
                    Some(holder) if holder == self.terms.me => {
                        self.replace(&record::renewed(lease, &self.terms, Timestamp::now()), limit).await
                    }
                    holder => return Renewal::Taken { holder: holder.unwrap_or_else(|| "nobody".to_owned()) },
                },
                // Somebody deleted it. Whoever creates it holds it.
                None => self.create(&record::created(&self.terms, Timestamp::now()), limit).await,
            };
            renewed.map_or_else(Renewal::Failed, Renewal::Done)
        };
        match tokio::time::timeout(limit, attempt).await {
            Ok(renewal) => renewal,
            Err(_) => Renewal::Failed(CallError::TimedOut { call: Box::new(self.call("update")), limit }),
        }
    }

    /// Gives the lease back if it is ours.
    async fn release(&self) {
        let outcome = match self.read(self.limit()).await {
            Ok(Some(lease)) if Record::of(&lease, &self.terms).holder.as_deref() == Some(&self.terms.me) => {
                self.replace(&record::released(&lease, Timestamp::now()), self.limit()).await.map(|_| true)
            }
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(true) => tracing::info!(lease = self.terms.object(), "released the lease"),
            Ok(false) => {}
            Err(error) => tracing::warn!(
                error = %Chain(&error),
                "could not release the lease; other replicas wait until it expires"
            ),
        }
    }

    async fn read(&self, limit: Duration) -> Result<Option<Box<Lease>>, CallError> {
        within(limit, || self.call("get"), self.api.get_opt(&self.terms.name)).await.map(|found| found.map(Box::new))
    }

    async fn create(&self, lease: &Lease, limit: Duration) -> Result<Box<Lease>, CallError> {
        within(limit, || self.call("create"), self.api.create(&PostParams::default(), lease)).await.map(Box::new)
    }

    async fn replace(&self, lease: &Lease, limit: Duration) -> Result<Box<Lease>, CallError> {
        within(limit, || self.call("update"), self.api.replace(&self.terms.name, &PostParams::default(), lease))
            .await
            .map(Box::new)
    }

    fn call(&self, verb: &'static str) -> Call {
        Call { verb, resource: "leases.coordination.k8s.io".into(), object: self.terms.object() }
    }

    /// Limit of one request while the lease is not held.
    fn limit(&self) -> Duration {
        self.terms.duration / 4
    }

    fn read_every(&self) -> Duration {
        (self.terms.duration / 6).min(READ_EVERY_MAX).mul_f64(1.0 - 0.2 * fastrand::f64())
    }
}

/// What became of one reading of the Lease.
enum Applied {
    Won(Tenure, Box<Lease>),
    Wait { holder: Option<String>, pause: Duration },
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("terms", &self.terms).finish_non_exhaustive()
    }
}
