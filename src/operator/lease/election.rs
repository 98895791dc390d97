//! What a candidate and a holder do next: pure, with time and chance as arguments.

use std::time::Duration;

use super::super::boot_clock::BootTime;
use super::record::Record;

/// What a candidate remembers.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    me: String,
    /// The last record that somebody else held, and since when it has not changed.
    seen: Option<(Record, BootTime)>,
}

/// What a candidate does about what it has just read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Create the Lease.
    Create(Inheritance),
    /// Become the holder of the Lease that was read.
    Take(Inheritance),
    /// Read again later. It cannot be taken before `until`.
    Wait {
        /// When the holder's time is over, unless it renews.
        until: BootTime,
    },
}

/// What a new holder must expect of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inheritance {
    /// There was none, or it has said that it was done.
    Nothing,
    /// It fell silent: a write it has begun may still be at work.
    Unfinished,
}

impl Candidate {
    /// A candidate called `me` that has read nothing yet.
    pub(super) fn new(me: String) -> Self {
        Self { me, seen: None }
    }

    /// Decides about `record`, absent when there is no Lease. `now` is when the answer had arrived.
    pub(super) fn observe(&mut self, record: Option<&Record>, now: BootTime) -> Decision {
        let Some(record) = record else {
            return match &self.seen {
                // Somebody deleted the Lease; whoever held it does not know that yet.
                Some((last, since)) if now < *since + last.duration => Decision::Wait { until: *since + last.duration },
                Some(_) => Decision::Create(Inheritance::Unfinished),
                None => Decision::Create(Inheritance::Nothing),
            };
        };
        match record.holder.as_deref() {
            None => {
                self.seen = None;
                Decision::Take(Inheritance::Nothing)
            }
            // We took it, but the answer was lost, and with it what we took over.
            Some(holder) if holder == self.me => Decision::Take(Inheritance::Unfinished),
            Some(_) => {
                let since = match &self.seen {
                    Some((last, since)) if last.version == record.version => *since,
                    _ => now,
                };
                self.seen = Some((record.clone(), since));
                let until = since + record.duration;
                if now >= until { Decision::Take(Inheritance::Unfinished) } else { Decision::Wait { until } }
            }
        }
    }
}

/// The time for which a Lease is held.
#[derive(Debug, Clone)]
pub(super) struct Tenure {
    duration: Duration,
    /// When the last renewal that succeeded had not been sent yet.
    renewed: BootTime,
    /// When to renew next.
    next: BootTime,
    /// When what the holder before may have begun has ended.
    acts_from: BootTime,
}

/// What a holder does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Renew now, and give up the attempt after `limit`.
    Renew {
        /// Never past the deadline.
        limit: Duration,
    },
    /// Nothing for `pause`.
    Idle {
        /// At most the time until the next renewal.
        pause: Duration,
    },
    /// The deadline has passed.
    Lost,
}

impl Tenure {
    /// Held since the request that was sent at `sent` was answered at `answered`.
    pub(super) fn begin(
        duration: Duration,
        sent: BootTime,
        answered: BootTime,
        inheritance: Inheritance,
        write_timeout: Duration,
    ) -> Self {
        let acts_from = match inheritance {
            Inheritance::Nothing => answered,
            Inheritance::Unfinished => answered + write_timeout,
        };
        Self { duration, renewed: sent, next: sent + duration / 3, acts_from }
    }

    /// When it is over unless it is renewed.
    pub(super) fn deadline(&self) -> BootTime {
        self.renewed + self.duration
    }

    /// Whether the holder may act.
    pub(super) fn acts(&self, now: BootTime) -> bool {
        self.acts_from <= now && now < self.deadline()
    }

    /// How long the holder must wait before it may act.
    pub(super) fn acts_in(&self, now: BootTime) -> Duration {
        self.acts_from.since(now)
    }

    /// What to do at `now`.
    pub(super) fn next(&self, now: BootTime) -> Next {
        let left = self.deadline().since(now);
        if left.is_zero() {
            Next::Lost
        } else if now < self.next {
            let due = if now < self.acts_from { self.next.min(self.acts_from) } else { self.next };
            Next::Idle { pause: due.since(now) }
        } else {
            Next::Renew { limit: (self.duration / 4).min(left) }
        }
    }

    /// A renewal sent at `sent` succeeded. `jitter` is between 0 and 1: replicas that were started together shall not
    /// knock together for ever.
    pub(super) fn renewed(&mut self, sent: BootTime, jitter: f64) {
        self.renewed = sent;
        // Never later than a third: the check of the settings counts on it.
        self.next = sent + (self.duration / 3).mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0));
    }

    /// A renewal failed, as was known at `now`. A third until the first attempt, a quarter for it, and a twelfth until
    /// the second make two thirds: a third is left for it.
    pub(super) fn failed(&mut self, now: BootTime, jitter: f64) {
        self.next = now + (self.duration / 12).mul_f64(1.0 - 0.2 * jitter.clamp(0.0, 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(30);
    const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

    fn at(second: u64) -> BootTime {
        BootTime::from_nanos(0) + Duration::from_secs(1000 + second)
    }

    /// What a candidate reads: versions and holders.
    enum Reading {
        NoLease,
        Free(&'static str),
        Held(&'static str, &'static str),
    }
    use Reading::{Free, Held, NoLease};

    fn record(reading: &Reading) -> Option<Record> {
        let (version, holder) = match reading {
            NoLease => return None,
            Free(version) => (version, None),
            Held(version, holder) => (version, Some((*holder).to_owned())),
        };
        Some(Record { version: (*version).to_owned(), holder, duration: DURATION })
    }

    /// Lets one candidate called "me" read `readings` and compares what it decides.
    #[track_caller]
    fn check(readings: &[(u64, Reading, Decision)]) {
        let mut candidate = Candidate::new("me".to_owned());
        for (second, reading, decision) in readings {
            let record = record(reading);
            assert_eq!(candidate.observe(record.as_ref(), at(*second)), *decision, "at second {second}");
        }
    }

    fn wait(second: u64) -> Decision {
        Decision::Wait { until: at(second) }
    }

    #[test]
    fn a_lease_that_is_new_or_released_is_taken_at_once() {
        check(&[(0, NoLease, Decision::Create(Inheritance::Nothing))]);
        check(&[(0, Free("1"), Decision::Take(Inheritance::Nothing))]);
        check(&[(0, Held("1", "other"), wait(30)), (2, Free("2"), Decision::Take(Inheritance::Nothing))]);
    }

    #[test]
    fn a_silent_holder_keeps_its_lease_for_the_whole_duration() {
        check(&[
            (0, Held("1", "other"), wait(30)),
            (29, Held("1", "other"), wait(30)),
            (30, Held("1", "other"), Decision::Take(Inheritance::Unfinished)),
        ]);
    }

    #[test]
    fn every_renewal_begins_the_wait_anew() {
        check(&[
            (0, Held("1", "other"), wait(30)),
            (29, Held("2", "other"), wait(59)),
            (31, Held("2", "third"), wait(59)),
            (40, Held("3", "third"), wait(70)),
            (70, Held("3", "third"), Decision::Take(Inheritance::Unfinished)),
        ]);
    }

    #[test]
    fn the_process_before_a_restart_is_somebody_else() {
        check(&[(0, Held("1", "me_before"), wait(30))]);
    }

    #[test]
    fn a_take_whose_answer_was_lost_is_finished() {
        check(&[
            (0, Held("1", "other"), wait(30)),
            (30, Held("1", "other"), Decision::Take(Inheritance::Unfinished)),
            (34, Held("2", "me"), Decision::Take(Inheritance::Unfinished)),
        ]);
    }

    #[test]
    fn a_lease_that_was_deleted_is_not_free_yet() {
        check(&[
            (0, Held("1", "other"), wait(30)),
            (5, NoLease, wait(30)),
            (30, NoLease, Decision::Create(Inheritance::Unfinished)),
        ]);
        check(&[(0, Held("1", "other"), wait(30)), (5, NoLease, wait(30)), (6, Held("2", "other"), wait(36))]);
    }

    #[test]
    fn the_duration_that_counts_is_the_holders() {
        let record = Record { duration: Duration::from_secs(90), ..record(&Held("1", "other")).unwrap() };
        assert_eq!(Candidate::new("me".to_owned()).observe(Some(&record), at(0)), wait(90));
    }

    fn tenure(inheritance: Inheritance) -> Tenure {
        Tenure::begin(DURATION, at(0), at(1), inheritance, WRITE_TIMEOUT)
    }

    fn idle(seconds: u64) -> Next {
        Next::Idle { pause: Duration::from_secs(seconds) }
    }

    fn renew(limit_ms: u64) -> Next {
        Next::Renew { limit: Duration::from_millis(limit_ms) }
    }

    #[test]
    fn a_successor_waits_out_what_was_begun_before_it() {
        let clean = tenure(Inheritance::Nothing);
        assert!(!clean.acts(at(0)) && clean.acts(at(1)) && clean.acts(at(29)) && !clean.acts(at(30)));
        let unfinished = tenure(Inheritance::Unfinished);
        assert!(!unfinished.acts(at(10)) && unfinished.acts(at(11)));
        assert_eq!(unfinished.next(at(1)), idle(9));
    }

    #[test]
    fn it_is_renewed_every_third() {
        let mut tenure = tenure(Inheritance::Nothing);
        assert_eq!(tenure.next(at(1)), idle(9));
        assert_eq!(tenure.next(at(10)), renew(7500));
        tenure.renewed(at(10), 0.0);
        assert_eq!((tenure.deadline(), tenure.next(at(11))), (at(40), idle(9)));
        tenure.renewed(at(20), 1.0);
        assert_eq!((tenure.deadline(), tenure.next(at(20))), (at(50), idle(8)));
    }

    #[test]
    fn after_one_failed_renewal_the_next_still_leaves_room_for_a_write() {
        let mut tenure = tenure(Inheritance::Nothing);
        let Next::Renew { limit } = tenure.next(at(10)) else { panic!("it is due") };
        let failed = at(10) + limit;
        tenure.failed(failed, 0.0);
        let Next::Idle { pause } = tenure.next(failed) else { panic!("not at once") };
        let second = failed + pause;
        assert!(matches!(tenure.next(second), Next::Renew { .. }));
        assert!(tenure.deadline().since(second) >= WRITE_TIMEOUT);
    }

    #[test]
    fn attempts_end_with_the_deadline_and_then_it_is_lost() {
        let mut tenure = tenure(Inheritance::Nothing);
        tenure.failed(at(26), 0.0);
        assert_eq!(tenure.next(at(29)), renew(1000));
        assert_eq!(tenure.next(at(30)), Next::Lost);
        assert_eq!(tenure.next(at(9000)), Next::Lost);
    }
}
