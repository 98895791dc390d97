//! Who is next: by urgency, with a share for the less urgent, and in the order of arrival.

use std::collections::BTreeMap;

use crate::model::Urgency;

/// Of this many turns, one goes to every urgency that has somebody waiting, however many more urgent ones there are.
const SHARE: u32 = 10;

/// Those who wait for something that comes one by one. Pure: it neither waits nor tells the time.
#[derive(Debug)]
pub struct Queue<T> {
    /// By urgency; in each, by arrival.
    lines: [BTreeMap<u64, T>; Urgency::ALL.len()],
    /// How many turns in a row each line has seen given to more urgent ones while somebody waited in it.
    passed_over: [u32; Urgency::ALL.len()],
    joined: u64,
}

/// A place in a [`Queue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(u64);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { lines: Default::default(), passed_over: Default::default(), joined: 0 }
    }
}

impl<T> Queue<T> {
    /// Joins at the end of the line of this urgency.
    pub fn join(&mut self, urgency: Urgency, who: T) -> Place {
        self.joined += 1;
        self.lines[urgency as usize].insert(self.joined, who);
        Place(self.joined)
    }

    /// Joins again at the place of a turn that could not be used: before those who came later. Where that is taken, or
    /// no place of this queue, at the end.
    pub fn rejoin(&mut self, urgency: Urgency, place: Place, who: T) -> Place {
        if place.0 > self.joined || self.line_of(place).is_some() {
            return self.join(urgency, who);
        }
        self.lines[urgency as usize].insert(place.0, who);
        place
    }

    /// Leaves without having had a turn.
    pub fn leave(&mut self, place: Place) -> Option<T> {
        let index = self.line_of(place)?;
        let who = self.lines[index].remove(&place.0);
        self.forget_empty_lines();
        who
    }

    /// Moves to a more urgent line, to where the time of arrival belongs; one that is as urgent stays.
    pub fn raise(&mut self, place: Place, urgency: Urgency) {
        let Some(index) = self.line_of(place).filter(|index| *index > urgency as usize) else { return };
        if let Some(who) = self.lines[index].remove(&place.0) {
            self.lines[urgency as usize].insert(place.0, who);
        }
        self.forget_empty_lines();
    }

    /// Who is next among those who may go.
    pub fn next(&self, may_go: impl Fn(Urgency, &T) -> bool) -> Option<(Place, &T)> {
        let first = |urgency: Urgency| {
            let line = &self.lines[urgency as usize];
            line.iter().find(|(_, who)| may_go(urgency, who)).map(|(place, who)| (Place(*place), who))
        };
        let starving = Urgency::ALL.into_iter().filter(|urgency| self.passed_over[*urgency as usize] >= SHARE - 1);
        starving.chain(Urgency::ALL).find_map(first)
    }

    /// Takes out the one who has had a turn.
    pub fn serve(&mut self, place: Place) -> Option<T> {
        let index = self.line_of(place)?;
        self.passed_over[index] = 0;
        for passed_over in &mut self.passed_over[index + 1..] {
            *passed_over = passed_over.saturating_add(1);
        }
        let who = self.lines[index].remove(&place.0);
        self.forget_empty_lines();
        who
    }

    /// How many wait in the line of this urgency.
    pub fn len(&self, urgency: Urgency) -> usize {
        self.lines[urgency as usize].len()
    }

    /// Everybody who waits.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.lines.iter().flat_map(BTreeMap::values)
    }

    fn line_of(&self, place: Place) -> Option<usize> {
        self.lines.iter().position(|line| line.contains_key(&place.0))
    }

    /// Nobody is passed over where nobody waits.
    fn forget_empty_lines(&mut self) {
        for (line, passed_over) in self.lines.iter().zip(&mut self.passed_over) {
            if line.is_empty() {
                *passed_over = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use Urgency::{Change, Drift, Revoke, Sweep};

    use super::*;

    /// Names of those who get the next turns.
    fn serve<T: Copy>(queue: &mut Queue<T>, turns: usize) -> Vec<T> {
        let one = |queue: &mut Queue<T>| {
            let place = queue.next(|_, _| true)?.0;
            queue.serve(place)
        };
        (0..turns).map_while(|_| one(queue)).collect()
    }

    #[test]
    fn the_most_urgent_goes_first_and_within_one_urgency_the_first_to_come() {
        let mut queue = Queue::default();
        for (urgency, name) in [
            (Sweep, "s1"),
            (Drift, "d1"),
            (Change, "c1"),
            (Sweep, "s2"),
            (Revoke, "r1"),
            (Change, "c2"),
            (Revoke, "r2"),
        ] {
            queue.join(urgency, name);
        }
        assert_eq!(serve(&mut queue, 9), ["r1", "r2", "c1", "c2", "d1", "s1", "s2"]);
    }

    #[test]
    fn a_revoke_overtakes_whoever_waits() {
        let mut queue = Queue::default();
        for _ in 0..200 {
            queue.join(Sweep, "sweep");
        }
        serve(&mut queue, 50);
        queue.join(Revoke, "revoke");
        assert_eq!(serve(&mut queue, 1), ["revoke"]);
    }

    #[test]
    fn each_urgency_has_one_turn_in_ten_however_many_more_urgent_ones_wait() {
        let mut queue = Queue::default();
        for urgency in Urgency::ALL {
            for _ in 0..1_000 {
                queue.join(urgency, urgency);
            }
        }
        let served = serve(&mut queue, 1_000);
        let turns = |urgency| served.iter().filter(|served| **served == urgency).count();
        for urgency in [Change, Drift, Sweep] {
            assert!((80..=110).contains(&turns(urgency)), "{urgency:?} had {} of 1,000", turns(urgency));
        }
        assert!(turns(Revoke) > 650, "{}", turns(Revoke));
    }

    #[test]
    fn a_share_is_not_saved_up_while_nobody_waits() {
        let mut queue = Queue::default();
        for _ in 0..100 {
            queue.join(Revoke, "revoke");
        }
        serve(&mut queue, 50);
        queue.join(Sweep, "sweep");
        assert_eq!(serve(&mut queue, 9), ["revoke"; 9]);
        assert_eq!(serve(&mut queue, 1), ["sweep"]);
    }

    #[test]
    fn who_leaves_is_not_served_and_who_is_raised_keeps_the_order_of_arrival() {
        let mut queue = Queue::default();
        let [one, two, _] = ["s1", "s2", "s3"].map(|name| queue.join(Sweep, name));
        queue.join(Revoke, "r1");
        queue.raise(two, Revoke);
        queue.raise(two, Drift);
        assert_eq!(queue.leave(one), Some("s1"));
        assert_eq!(queue.leave(one), None);
        assert_eq!((queue.len(Revoke), queue.len(Sweep)), (2, 1));
        assert_eq!(serve(&mut queue, 9), ["s2", "r1", "s3"]);
    }

    #[test]
    fn who_joins_again_goes_before_those_who_came_later_and_after_what_is_more_urgent() {
        let mut queue = Queue::default();
        let place = queue.join(Change, "first");
        queue.serve(place);
        for name in ["c1", "c2"] {
            queue.join(Change, name);
        }
        assert_eq!(queue.rejoin(Change, place, "again"), place);
        queue.join(Revoke, "r1");
        assert_ne!(queue.rejoin(Change, place, "twice"), place, "where somebody stands");
        queue.rejoin(Change, Place(99), "of another queue");
        queue.join(Change, "c3");
        assert_eq!(serve(&mut queue, 9), ["r1", "again", "c1", "c2", "twice", "of another queue", "c3"]);
    }

    #[test]
    fn who_may_not_go_holds_up_nobody() {
        let mut queue = Queue::default();
        for name in ["paused", "other"] {
            queue.join(Revoke, name);
        }
        let (place, name) = queue.next(|_, name| *name != "paused").unwrap();
        assert_eq!(*name, "other");
        queue.serve(place);
        assert!(queue.next(|_, name| *name != "paused").is_none());
        assert_eq!(queue.iter().collect::<Vec<_>>(), [&"paused"]);
    }
}
