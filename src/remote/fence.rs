//! Whether this process may still speak for the partner.

use std::fmt::Debug;
use std::time::Duration;

/// The lease, as far as requests are concerned.
///
/// It is asked before every send, retries included, because a process can sleep for minutes between any two
/// instructions and wake up while another one holds the lease.
pub trait Fence: Send + Sync + Debug {
    /// How long this process certainly holds the lease from now; zero when it does not.
    fn remaining(&self) -> Duration;
}

/// No lease: for command line tools and tests, which act on a person's word.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unfenced;

impl Fence for Unfenced {
    fn remaining(&self) -> Duration {
        Duration::MAX
    }
}
