//! How many calls a service is sent at most, and what is made of its complaints.

use std::num::NonZeroU16;
use std::time::Duration;

/// A limit is counted over a minute. The second more is for calls that arrive closer together than they were sent.
const WINDOW: Duration = Duration::from_secs(61);

/// How much slower than allowed calls become at the most, when a service keeps complaining.
const SLOWEST: u32 = 8;

/// Tokens that a call costs at full speed. A call at half of it costs twice as many.
const UNIT: u32 = 16;

/// The most calls that a service may be sent within any minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    calls: NonZeroU16,
    window: Duration,
}

impl Allowance {
    /// As many calls in any 60 seconds, at most.
    pub const fn per_minute(calls: NonZeroU16) -> Self {
        Self { calls, window: WINDOW }
    }

    /// As many calls within any time of this length.
    #[cfg(test)]
    pub(in crate::remote) const fn within(calls: NonZeroU16, window: Duration) -> Self {
        Self { calls, window }
    }

    pub(super) fn calls(self) -> u32 {
        self.calls.get().into()
    }

    /// Calls that may be sent at once after a quiet time: a fifth.
    ///
    /// What can be saved up counts against the window too: in any window lie at most the whole burst, and what has
    /// flowed in since its beginning. So the other four fifths are what flows in.
    fn burst(self) -> u32 {
        u32::from(self.calls.get() / 5).max(1)
    }

    /// Tokens that the bucket holds.
    pub(super) fn capacity(self) -> u32 {
        self.burst() * UNIT
    }

    /// Time in which one token flows in.
    ///
    /// With a burst of b of n calls, one call flows in every 1 / (n - b + 1) of the window: n - b of them come before
    /// its end, and the next one with it.
    pub(super) fn token_period(self) -> Duration {
        self.window / ((self.calls() - self.burst() + 1) * UNIT)
    }
}

/// The speed that a service bears, as far as it has told: halved by a complaint, and growing back with every answer.
#[derive(Debug)]
pub(super) struct Speed {
    allowance: Allowance,
    /// In thousandths of a call in a window.
    now: u64,
}

impl Speed {
    pub(super) fn new(allowance: Allowance) -> Self {
        Self { allowance, now: u64::from(allowance.calls()) * 1_000 }
    }

    /// Calls in a window at this speed.
    pub(super) fn calls(&self) -> u64 {
        self.now / 1_000
    }

    /// Tokens that a call costs now; never more than the bucket holds.
    pub(super) fn cost(&self) -> u32 {
        let cost = (u64::from(UNIT) * self.full()).div_ceil(self.now);
        u32::try_from(cost).unwrap_or(u32::MAX).min(self.allowance.capacity())
    }

    pub(super) fn halve(&mut self) {
        self.now = (self.now / 2).max(self.full() / u64::from(SLOWEST)).max(1);
    }

    /// As many answers as there are calls in a full window give back a tenth of the speed.
    pub(super) fn grow(&mut self) {
        self.now = (self.now + 100).min(self.full());
    }

    fn full(&self) -> u64 {
        u64::from(self.allowance.calls()) * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowance(calls: u16) -> Allowance {
        Allowance::per_minute(NonZeroU16::new(calls).unwrap())
    }

    #[test]
    fn what_is_saved_up_and_what_flows_in_are_together_what_is_allowed() {
        for calls in [1, 2, 3, 5, 9, 10, 60, 499, 500, 65_535] {
            let allowance = allowance(calls);
            let period = allowance.token_period() * UNIT;
            let flows_in = Duration::from_mins(1).as_nanos() / period.as_nanos();
            let burst = u128::from(allowance.burst());
            assert!(burst + flows_in <= u128::from(calls), "{calls}: {burst} + {flows_in}");
        }
        assert_eq!(allowance(500).burst(), 100);
    }

    #[test]
    fn a_complaint_halves_the_speed_and_answers_give_it_back() {
        let mut speed = Speed::new(allowance(500));
        assert_eq!((speed.calls(), speed.cost()), (500, UNIT));
        speed.halve();
        assert_eq!((speed.calls(), speed.cost()), (250, 2 * UNIT));
        for _ in 0..9 {
            speed.halve();
        }
        assert_eq!((speed.calls(), speed.cost()), (62, SLOWEST * UNIT), "but no lower than an eighth");
        for _ in 0..500 {
            speed.grow();
        }
        assert_eq!(speed.calls(), 112);
        for _ in 0..5_000 {
            speed.grow();
        }
        assert_eq!((speed.calls(), speed.cost()), (500, UNIT), "and no higher than allowed");
    }

    #[test]
    fn a_call_never_costs_more_than_the_bucket_holds() {
        for calls in 1..50 {
            let mut speed = Speed::new(allowance(calls));
            for _ in 0..9 {
                speed.halve();
            }
            assert!(speed.cost() <= allowance(calls).capacity(), "{calls}");
        }
    }
}
