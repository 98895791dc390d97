//! The first grants of the last hour. Pure: time is an argument.
//!
//! They are reserved some at a time, and what is reserved counts before any of it is used. So one write to the API server
//! serves several grants, and a process that dies has counted too much rather than too little.
//!
//! The hour is measured on a clock that nobody sets. Only what an earlier process has reserved is dated by the wall clock,
//! and a date in the future is taken for now: a clock that goes back frees nothing early.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_hours(1);
/// What is reserved may be used for so long; later, what is left of it is reserved anew.
const USABLE_FOR: Duration = Duration::from_secs(40);
/// How long a reservation counts: the last of it may be used, and be on its way, until a minute after it was made.
const COUNTS_FOR: Duration = Duration::from_secs(HOUR.as_secs() + 60);
/// Parts in which what an hour has room for is reserved.
const PARTS: u32 = 5;
/// Most that is reserved at once; so many a process that dies may leave unused.
const RESERVED_MAX: u32 = 100;

/// One moment, on the clock that people set and on the one that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) wall: Timestamp,
    pub(super) steady: Instant,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { wall: Timestamp::now(), steady: Instant::now() }
    }
}

/// What is counted.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    limit: u32,
    reservations: Vec<Reservation>,
    /// Whether nothing is let out any more.
    is_closed: bool,
}

#[derive(Debug, Clone)]
struct Reservation {
    at: Timestamp,
    /// As remembered outside the process.
    count: u32,
    /// Used, or being used.
    used: u32,
    is_own: bool,
    usable_until: Instant,
    counts_until: Instant,
}

/// One reservation as it is remembered.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    at: Timestamp,
    count: u32,
}

/// One first grant that is counted, and which reservation it is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::reconcile) struct Ticket(Timestamp);

impl Ledger {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, reservations: Vec::new(), is_closed: false }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Takes in what is remembered outside the process. What cannot be read counts as an hour's worth: nobody knows.
    pub(super) fn absorb(&mut self, text: Option<&str>, now: Moment) {
        let remembered: Vec<Remembered> = match text.map(serde_json::from_str) {
            None => Vec::new(),
            Some(Ok(remembered)) => remembered,
            Some(Err(error)) => {
                tracing::warn!(%error, "what is remembered of first grants cannot be read; nothing is granted for the first time within the next hour");
                vec![Remembered { at: now.wall, count: self.limit }]
            }
        };
        self.reservations.retain(|one| one.is_own);
        for Remembered { at, count } in remembered {
            if self.reservations.iter().any(|one| one.is_own && one.at == at) {
                continue;
            }
            let at = at.min(now.wall);
            let age = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
            let counts_until = now.steady + COUNTS_FOR.saturating_sub(age);
            let usable_until = now.steady;
            self.reservations.push(Reservation { at, count, used: count, is_own: false, usable_until, counts_until });
        }
        self.reservations.sort_by_key(|one| one.at);
    }

    /// What is to be remembered outside the process.
    pub(super) fn text(&self) -> String {
        let one = |one: &Reservation| Remembered { at: one.at, count: one.count };
        let all: Vec<_> = self.reservations.iter().filter(|one| one.count > 0).map(one).collect();
        serde_json::to_string(&all).unwrap_or_default()
    }

    /// First grants that count now.
    pub(super) fn used(&self, now: Moment) -> u32 {
        self.counting(now).map(|one| one.used).fold(0, u32::saturating_add)
    }

    /// How many more there may be.
    pub(super) fn free(&self, now: Moment) -> u32 {
        self.limit.saturating_sub(self.used(now))
    }

    fn counting(&self, now: Moment) -> impl Iterator<Item = &Reservation> {
        self.reservations.iter().filter(move |one| now.steady < one.counts_until)
    }

    /// Takes one of what is reserved.
    pub(super) fn take(&mut self, now: Moment) -> Option<Ticket> {
        let usable = |one: &&mut Reservation| one.is_own && now.steady < one.usable_until && one.used < one.count;
        let one = self.reservations.iter_mut().find(usable)?;
        one.used += 1;
        Some(Ticket(one.at))
    }

    /// Goes on as `next`, which is remembered now, with what was given back while that was written.
    pub(super) fn adopt(&mut self, mut next: Self) {
        for one in &mut next.reservations {
            if let Some(now) = self.reservations.iter().find(|now| now.at == one.at) {
                one.used = now.used;
            }
        }
        *self = next;
    }

    /// Gives one back that was not used.
    pub(super) fn give_back(&mut self, ticket: Ticket) {
        if let Some(one) = self.reservations.iter_mut().find(|one| one.is_own && one.at == ticket.0) {
            one.used = one.used.saturating_sub(1);
        }
    }

    /// Lets nothing out any more, and gives back what is reserved and was not used. Whether there was any.
    pub(super) fn close(&mut self, now: Moment) -> bool {
        self.is_closed = true;
        self.reservations.retain(|one| now.steady < one.counts_until);
        let mut is_any = false;
        // They stay, even those of which nothing was used: what is remembered of them outside is known by them to be one's own.
        for one in self.reservations.iter_mut().filter(|one| one.is_own) {
            is_any |= one.used < one.count;
            one.count = one.used;
        }
        is_any
    }

    /// The ledger with another part reserved, which counts once it is remembered. `None`: there is no room.
    pub(super) fn reserving(&self, now: Moment) -> Option<Self> {
        let part = (self.limit / PARTS).clamp(1, RESERVED_MAX).min(self.free(now));
        if part == 0 || self.is_closed {
            return None;
        }
        let mut next = self.clone();
        next.reservations.retain(|one| now.steady < one.counts_until);
        for one in next.reservations.iter_mut().filter(|one| one.is_own) {
            // What is left is part of what is reserved now.
            one.count = one.used;
            one.usable_until = now.steady;
        }
        // No two of one time: by it, tickets know their reservation.
        let mut at = now.wall;
        while next.reservations.iter().any(|one| one.at == at) {
            at = at.saturating_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX);
        }
        let (usable_until, counts_until) = (now.steady + USABLE_FOR, now.steady + COUNTS_FOR);
        next.reservations.push(Reservation { at, count: part, used: 0, is_own: true, usable_until, counts_until });
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Moment {
        Moment { wall: "2026-03-02T08:00:00Z".parse().unwrap(), steady: Instant::now() }
    }

    fn after(moment: Moment, seconds: u64) -> Moment {
        let time = Duration::from_secs(seconds);
        Moment { wall: moment.wall + time, steady: moment.steady + time }
    }

    /// Uses as many as there are, reserving whenever that is needed; gives how many.
    fn use_up(ledger: &mut Ledger, now: Moment) -> u32 {
        let mut used = 0;
        loop {
            if ledger.take(now).is_some() {
                used += 1;
            } else if let Some(next) = ledger.reserving(now) {
                *ledger = next;
            } else {
                return used;
            }
        }
    }

    fn restarted(ledger: &Ledger, limit: u32, now: Moment) -> Ledger {
        let mut next = Ledger::new(limit);
        next.absorb(Some(&ledger.text()), now);
        next
    }

    #[test]
    fn no_hour_has_more_than_the_limit_and_each_is_free_again_after_one() {
        for limit in [0, 1, 3, 50, 777] {
            let now = start();
            let mut ledger = Ledger::new(limit);
            assert_eq!(use_up(&mut ledger, now), limit);
            assert_eq!((ledger.free(now), ledger.used(now)), (0, limit));
            assert_eq!(use_up(&mut ledger, after(now, 3600)), 0, "the last one may have left a minute later");
            assert_eq!(use_up(&mut ledger, after(now, 3661)), limit);
        }
    }

    #[test]
    fn what_was_reserved_is_not_used_much_later_but_reserved_anew() {
        let now = start();
        let mut ledger = Ledger::new(50).reserving(now).unwrap();
        assert!(ledger.take(now).is_some());
        let later = after(now, 1800);
        assert_eq!(ledger.take(later), None);
        assert_eq!(ledger.free(later), 49, "what is left is not lost");
        assert_eq!(use_up(&mut ledger, later), 49);
        // The 49 count from when they were used.
        assert_eq!(use_up(&mut ledger, after(now, 3700)), 1);
        assert_eq!(use_up(&mut ledger, after(later, 3661)), 49);
    }

    #[test]
    fn a_process_that_dies_has_counted_all_that_it_used() {
        let now = start();
        let mut ledger = Ledger::new(50).reserving(now).unwrap();
        for _ in 0..3 {
            ledger.take(now).unwrap();
        }
        let mut next = restarted(&ledger, 50, after(now, 5));
        assert_eq!(next.free(after(now, 5)), 40, "ten were reserved");
        assert_eq!(use_up(&mut next, after(now, 5)), 40);
        assert_eq!(restarted(&next, 60, after(now, 6)).free(after(now, 6)), 10, "a raised limit");
        assert_eq!(restarted(&next, 20, after(now, 6)).free(after(now, 6)), 0, "a lowered one");
    }

    #[test]
    fn a_process_that_stops_leaves_counted_what_it_used_and_no_more() {
        let now = start();
        for used in [0, 3, 10] {
            let mut ledger = Ledger::new(50).reserving(now).unwrap();
            for _ in 0..used {
                ledger.take(now).unwrap();
            }
            let remembered = ledger.text();
            let then = after(now, 5);
            assert_eq!(ledger.close(then), used < 10);
            assert!(!ledger.close(then), "it is given back once");
            assert_eq!(
                (ledger.take(then), ledger.reserving(then).is_none()),
                (None, true),
                "nothing goes out afterwards"
            );
            // Also when what is remembered must be looked at again.
            ledger.absorb(Some(&remembered), then);
            for limit in [50, 11, 4] {
                let free = restarted(&ledger, limit, then).free(then);
                assert_eq!(free, limit.saturating_sub(used), "{used} of {limit}");
            }
        }
        // What others have reserved is not ours to give back.
        let mut ledger = restarted(&Ledger::new(50).reserving(now).unwrap(), 50, now).reserving(after(now, 1)).unwrap();
        assert!(ledger.close(after(now, 2)));
        assert_eq!(restarted(&ledger, 50, after(now, 3)).free(after(now, 3)), 40);
    }

    #[test]
    fn what_was_not_used_is_given_back() {
        let now = start();
        let mut ledger = Ledger::new(1).reserving(now).unwrap();
        let ticket = ledger.take(now).unwrap();
        assert_eq!((ledger.free(now), ledger.take(now)), (0, None));
        ledger.give_back(ticket);
        assert_eq!((ledger.free(now), ledger.take(now)), (1, Some(ticket)));
        // Also long after it was reserved.
        ledger.give_back(ticket);
        assert_eq!(use_up(&mut ledger, after(now, 300)), 1);
    }

    #[test]
    fn a_clock_that_is_set_frees_nothing_early() {
        let now = start();
        let mut ledger = Ledger::new(3);
        assert_eq!(use_up(&mut ledger, now), 3);
        let hour = SignedDuration::from_hours(1);
        for jump in [hour * 24, hour * -24] {
            let set = |moment: Moment| Moment { wall: moment.wall + jump, ..moment };
            assert_eq!(ledger.free(set(after(now, 60))), 0, "in the same process");
            assert_eq!(ledger.free(set(after(now, 3661))), 3, "and none later");
        }
        // The next process finds that it was reserved tomorrow.
        let yesterday = Moment { wall: now.wall - hour * 24, steady: now.steady };
        let next = restarted(&ledger, 3, yesterday);
        assert_eq!(next.free(after(yesterday, 3600)), 0);
        assert_eq!(next.free(after(yesterday, 3661)), 3);
        // It counts for an hour from then, and not from every start that follows.
        let mut raised = restarted(&ledger, 4, yesterday);
        assert_eq!(use_up(&mut raised, yesterday), 1);
        let later = after(yesterday, 1800);
        let last = restarted(&raised, 4, later);
        assert_eq!(last.free(after(yesterday, 3661)), 4);
        // Or what time says.
        assert_eq!(restarted(&ledger, 3, after(now, 3000)).free(after(now, 3000)), 0);
        assert_eq!(restarted(&ledger, 3, after(now, 3661)).free(after(now, 3661)), 3);
    }

    #[test]
    fn what_cannot_be_read_counts_as_an_hours_worth_and_nothing_as_nothing() {
        let now = start();
        for text in
            ["", "{}", "[{\"at\":\"yesterday\",\"count\":1}]", "[{\"at\":\"2026-03-02T08:00:00Z\",\"count\":-1}]"]
        {
            let mut ledger = Ledger::new(50);
            ledger.absorb(Some(text), now);
            assert_eq!(ledger.free(now), 0, "{text}");
            assert_eq!(ledger.free(after(now, 3661)), 50, "{text}");
        }
        let mut ledger = Ledger::new(50);
        ledger.absorb(None, now);
        assert_eq!(ledger.free(now), 50);
    }

    #[test]
    fn what_another_process_has_remembered_meanwhile_counts_beside_ones_own() {
        let now = start();
        let mut own = Ledger::new(50).reserving(now).unwrap();
        own.take(now).unwrap();
        let other = restarted(&own, 50, now).reserving(after(now, 1)).unwrap();
        own.absorb(Some(&other.text()), after(now, 2));
        assert_eq!(own.used(after(now, 2)), 1 + 10);
        // And what is gone from there, such as with the ConfigMap, is not forgotten if it is one's own.
        own.absorb(None, after(now, 3));
        assert_eq!(own.used(after(now, 3)), 1);
    }
}
