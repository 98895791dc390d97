//! The clock that leases are judged by: it never goes back, and goes on while the machine sleeps.

use std::time::Duration;

/// A moment since this machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BootTime(Duration);

impl BootTime {
    /// Now.
    ///
    /// Not [`std::time::Instant`], which stands still while a machine is suspended: a holder that wakes up must know
    /// that its lease has run out.
    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // Neither part is ever negative on this clock.
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
        Self(Duration::new(seconds, nanoseconds))
    }

    /// Now, on machines that offer no such clock: development only.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn now() -> Self {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        // Never 0, which stands for "no deadline".
        Self(START.get_or_init(std::time::Instant::now).elapsed() + Duration::from_secs(1))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub(super) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Nanoseconds since the start, to be kept in an atomic; it lasts for 584 years.
    pub(super) fn as_nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The inverse of [`Self::as_nanos`].
    pub(super) fn from_nanos(nanos: u64) -> Self {
        Self(Duration::from_nanos(nanos))
    }
}

impl std::ops::Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}
