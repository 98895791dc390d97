//! Leader election by a Lease, with a deadline that every write to the outside is checked against.
//!
//! How two replicas never write at the same time:
//!
//! * The holder's deadline is the lease duration after the moment *before* its last successful renewal was sent, on a
//!   clock that goes on while the machine sleeps. [`LeaseFence`] tells how long that still is, and no write begins
//!   unless the whole write timeout fits in.
//! * A candidate takes over when it has watched the record unchanged for the lease duration on its own clock. It cannot
//!   have seen the last renewal before that was sent, so the holder's deadline has passed. Timestamps in the record
//!   are for people: the clocks of two machines are never compared.
//! * A write that timed out may still be at work on the other side. So who takes over from a holder that never said
//!   goodbye waits one write timeout more before it begins.
//!
//! What remains is a request that the other side works on for longer than that, and a clock that runs wrong by tens of
//! percent. The etag of an update covers the first.
//!
//! Whoever loses the lease ends the process: nothing that the reconciler still remembers can be trusted after that.

mod election;
mod record;
mod replica;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kube::Client;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::replica::Replica;
use super::boot_clock::BootTime;
use super::call::CallError;
use super::health::Readiness;
use super::metrics::Metrics;
use super::settings::Settings;
use crate::remote::Fence;

/// What the election is about.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    namespace: String,
    name: String,
    /// Unique to this process, so that a restart is never taken for the process before it.
    me: String,
    duration: Duration,
    write_timeout: Duration,
}

impl Terms {
    /// The terms in `settings`, under a new identity.
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            namespace: settings.namespace.clone(),
            name: settings.lease_name.clone(),
            me: format!("{}_{}", settings.identity, Uuid::new_v4()),
            duration: settings.lease_duration,
            write_timeout: settings.limits.write_timeout,
        }
    }

    fn object(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// How long this process may still act.
#[derive(Debug, Default)]
pub(super) struct LeaseFence {
    /// Nanoseconds on the boot-time clock; 0 while the lease is not held.
    deadline: AtomicU64,
}

impl Fence for LeaseFence {
    /// What is left of the lease; zero while it is not held, or not yet to be used.
    fn remaining(&self) -> Duration {
        BootTime::from_nanos(self.deadline.load(Ordering::Acquire)).since(BootTime::now())
    }
}

impl LeaseFence {
    fn open_until(&self, deadline: BootTime) {
        self.deadline.store(deadline.as_nanos(), Ordering::Release);
    }

    fn close(&self) {
        self.deadline.store(0, Ordering::Release);
    }
}

/// Why this process may no longer act.
#[derive(Debug, thiserror::Error)]
pub enum LostLease {
    /// Another process holds it.
    #[error("lost the lease {lease}: {holder} holds it now; this process ends and its restart will stand by")]
    Taken {
        /// Namespace and name.
        lease: String,
        /// Who has it.
        holder: String,
    },
    /// No renewal reached the API server in time.
    #[error(
        "lost the lease {lease}: it could not be renewed for {held:?}; this process ends so that no two act at once"
    )]
    Expired {
        /// Namespace and name.
        lease: String,
        /// The lease duration.
        held: Duration,
        /// What the last attempt met with.
        source: Option<CallError>,
    },
    /// The task that renews it ended; a mistake in this program.
    #[error("lost the lease {lease}: the task that renews it ended unexpectedly")]
    Unattended {
        /// Namespace and name.
        lease: String,
    },
}

/// Where this replica stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// It does not hold the lease, or waits out what its predecessor may have begun.
    Waiting,
    /// It may act.
    Leading,
    /// It may not act any more, ever.
    Ended,
}

/// A replica that takes part in the election. Dropping it ends that without releasing the lease.
#[derive(Debug)]
pub(super) struct Election {
    lease: String,
    fence: Arc<LeaseFence>,
    phase: watch::Receiver<Phase>,
    release: oneshot::Sender<()>,
    task: JoinHandle<Result<(), LostLease>>,
}

impl Election {
    /// Takes part from now on. The client should be used for nothing else, so that no renewal waits behind other
    /// requests.
    pub(super) fn join(client: Client, terms: Terms, readiness: Readiness, metrics: Metrics) -> Self {
        let fence = Arc::new(LeaseFence::default());
        let (announce, phase) = watch::channel(Phase::Waiting);
        let (release, released) = oneshot::channel();
        let lease = terms.object();
        let replica = Replica::new(client, terms, Arc::clone(&fence), announce, readiness, metrics);
        let task = tokio::spawn(replica.run(released));
        Self { lease, fence, phase, release, task }
    }

    /// Tells how long this replica may act.
    pub(super) fn fence(&self) -> Arc<LeaseFence> {
        Arc::clone(&self.fence)
    }

    /// Waits until this replica may act.
    pub(super) async fn leading(&mut self) -> Result<(), LostLease> {
        let leading = match self.phase.wait_for(|phase| *phase != Phase::Waiting).await {
            Ok(phase) => *phase == Phase::Leading,
            Err(_) => false,
        };
        if leading { Ok(()) } else { Err(self.lost().await) }
    }

    /// Waits until this replica may not act any more.
    pub(super) async fn lost(&mut self) -> LostLease {
        match (&mut self.task).await {
            Ok(Err(lost)) => lost,
            Ok(Ok(())) | Err(_) => LostLease::Unattended { lease: self.lease.clone() },
        }
    }

    /// Lets another replica begin at once. Nothing that this one has begun may still be under way.
    pub(super) async fn release(self, limit: Duration) {
        // A task that has ended already has nothing to release.
        let _ = self.release.send(());
        if tokio::time::timeout(limit, self.task).await.is_err() {
            tracing::warn!(
                lease = self.lease,
                "the lease could not be released in time; other replicas wait until it expires"
            );
        }
    }
}
