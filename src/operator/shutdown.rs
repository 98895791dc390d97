//! Being told to stop.

#[cfg(unix)]
use tokio::signal::unix::{Signal as Terminate, Signal as Interrupt, SignalKind, signal};
// Only kubectl-csp runs there.
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak as Terminate, CtrlC as Interrupt, ctrl_break, ctrl_c};
use tokio::sync::watch;

/// Tells when no new work shall be begun. Copies tell the same.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Tells the copies of one [`Shutdown`].
#[derive(Debug)]
pub(super) struct Announce(watch::Sender<bool>);

impl Shutdown {
    pub(super) fn new() -> (Announce, Self) {
        let (announce, shutdown) = watch::channel(false);
        (Announce(announce), Self(shutdown))
    }

    /// Waits until no new work shall be begun. What is under way may be finished.
    pub async fn requested(mut self) {
        // An error means that the process is ending without having said so.
        let _ = self.0.wait_for(|requested| *requested).await;
    }

    /// Whether no new work shall be begun.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

impl Announce {
    pub(super) fn request(&self) {
        self.0.send_replace(true);
    }
}

/// The signals that ask this process to stop.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Terminate,
    interrupt: Interrupt,
}

impl Signals {
    /// Catches them from now on; until then they end the process at once.
    #[cfg(unix)]
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The same.
    #[cfg(windows)]
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self { terminate: ctrl_break()?, interrupt: ctrl_c()? })
    }

    /// Waits for the next one and tells its name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
