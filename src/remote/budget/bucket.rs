//! The bucket of tokens, on the runtime's clock.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use super::allowance::Allowance;

/// Tokens that flow in all the time, up to a limit.
#[derive(Debug)]
pub(super) struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, RuntimeClock, StateInformationMiddleware>,
    token_period: Duration,
    capacity: u32,
    /// Tokens that were left when some were last taken, and when that was.
    left: (u32, Instant),
}

impl Bucket {
    /// A full one.
    pub(super) fn new(allowance: Allowance) -> Self {
        // Neither is ever 0; governor refuses a period of 0 only.
        let (capacity, token_period) = (allowance.capacity(), allowance.token_period().max(Duration::from_nanos(1)));
        let quota = Quota::with_period(token_period).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let quota = quota.allow_burst(NonZeroU32::new(capacity).unwrap_or(NonZeroU32::MIN));
        let start = Instant::now();
        let limiter =
            RateLimiter::direct_with_clock(quota, RuntimeClock(start)).with_middleware::<StateInformationMiddleware>();
        Self { limiter, token_period, capacity, left: (capacity, start) }
    }

    /// Takes as many tokens, or says how long it takes until they are there.
    pub(super) fn take(&mut self, tokens: u32) -> Result<(), Duration> {
        let tokens = NonZeroU32::new(tokens.min(self.capacity)).unwrap_or(NonZeroU32::MIN);
        match self.limiter.check_n(tokens) {
            Ok(Ok(snapshot)) => {
                self.left = (snapshot.remaining_burst_capacity(), Instant::now());
                Ok(())
            }
            Ok(Err(refused)) => {
                let clock = self.limiter.clock();
                // The runtime's timers count in milliseconds.
                Err(refused.wait_time_from(clock.now()).max(Duration::from_millis(1)))
            }
            // More than the bucket holds: cut off above.
            Err(_) => Err(self.token_period * tokens.get()),
        }
    }

    /// Tokens there are now.
    pub(super) fn tokens(&self) -> u32 {
        let (left, at) = self.left;
        let since = at.elapsed().as_nanos() / self.token_period.as_nanos();
        left.saturating_add(u32::try_from(since).unwrap_or(u32::MAX)).min(self.capacity)
    }
}

/// Time since the bucket was made, on the clock that the runtime's timers use.
#[derive(Debug, Clone)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}
