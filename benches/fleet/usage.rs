//! What a process has used so far, as Linux tells it under `/proc`. Elsewhere nothing is known.

use std::fs;
use std::time::Duration;

/// Ticks of `/proc/PID/stat` in a second: part of the kernel's interface, and 100 wherever Rust runs.
const TICKS_PER_SECOND: u32 = 100;

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Processor time, in user mode and in the kernel for it, of all threads.
    pub(crate) cpu: Duration,
    /// Most memory that it has ever had resident, in KiB.
    pub(crate) peak_kib: u64,
    /// Memory that it has resident, in KiB.
    pub(crate) resident_kib: u64,
}

impl Usage {
    /// Of this process; `None` when it has ended, and on anything but Linux.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let memory = |name: &str| {
            let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
            rest.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            cpu: cpu(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?,
            peak_kib: memory("VmHWM:")?,
            resident_kib: memory("VmRSS:")?,
        })
    }
}

fn cpu(stat: &str) -> Option<Duration> {
    // The program's name stands in brackets and may itself contain some; `utime` and `stime` are fields 14 and 15, of
    // which the name is 2.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut times = after_name.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some(Duration::from_secs(u64::from(user) + u64::from(system)) / TICKS_PER_SECOND)
}

/// Runnable and running tasks of the machine over the last minute, to judge times by.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}
