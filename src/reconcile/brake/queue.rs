//! Who waits for room, oldest first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::plan::{Identity, ObjectName};

/// For so long, who has been told of room holds it against those who came later. Who does not use it by then, because
/// something else has come in its way, holds up nobody.
const OFFER_LASTS: Duration = Duration::from_secs(15);

/// When the object was created, and its UID.
type Rank = (Timestamp, String);

#[derive(Debug, Default)]
pub(super) struct Queue(BTreeMap<Rank, Waiting>);

#[derive(Debug)]
struct Waiting {
    name: ObjectName,
    offered_at: Option<Instant>,
}

fn rank(identity: &Identity) -> Rank {
    (identity.created, identity.uid.clone())
}

impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Notes that an object waits.
    pub(super) fn join(&mut self, identity: &Identity) {
        self.0.insert(rank(identity), Waiting { name: identity.name.clone(), offered_at: None });
    }

    /// Notes that it does not wait any more.
    pub(super) fn leave(&mut self, identity: &Identity) {
        self.0.remove(&rank(identity));
    }

    /// Whether an object comes before all who wait but `free - 1` of them.
    pub(super) fn has_room(&mut self, identity: &Identity, free: u32, now: Instant) -> bool {
        let rank = rank(identity);
        let ahead = self.0.range(..rank.clone()).filter(|(_, other)| other.holds_its_place(now)).count();
        let has_room = ahead < usize::try_from(free).unwrap_or(usize::MAX);
        if has_room && let Some(waiting) = self.0.get_mut(&rank) {
            waiting.offered_at.get_or_insert(now);
        }
        has_room
    }

    /// Who may go on now and has not been told: each is told once, and holds its place for a while.
    pub(super) fn offer(&mut self, free: u32, now: Instant) -> Vec<ObjectName> {
        let places = self.0.values_mut().filter(|one| one.holds_its_place(now));
        let first = places.take(usize::try_from(free).unwrap_or(usize::MAX));
        let untold = first.filter(|one| one.offered_at.is_none());
        untold
            .map(|one| {
                one.offered_at = Some(now);
                one.name.clone()
            })
            .collect()
    }

    /// Forgets those that are gone; `exists` is asked with name and UID.
    pub(super) fn prune(&mut self, exists: impl Fn(&ObjectName, &str) -> bool) {
        self.0.retain(|(_, uid), one| exists(&one.name, uid));
    }
}

impl Waiting {
    fn holds_its_place(&self, now: Instant) -> bool {
        self.offered_at.is_none_or(|at| now.saturating_duration_since(at) < OFFER_LASTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(number: u8) -> Identity {
        Identity {
            name: ObjectName { namespace: "ns".into(), name: format!("object-{number}") },
            uid: format!("uid-{number}"),
            generation: 1,
            created: Timestamp::from_second(number.into()).unwrap(),
            reconcile_request: None,
        }
    }

    fn queue(numbers: impl IntoIterator<Item = u8>) -> Queue {
        let mut queue = Queue::default();
        for number in numbers {
            queue.join(&object(number));
        }
        queue
    }

    fn numbers(names: &[ObjectName]) -> Vec<u8> {
        names.iter().map(|name| name.name.trim_start_matches("object-").parse().unwrap()).collect()
    }

    #[test]
    fn the_oldest_go_first_and_each_is_told_once() {
        let now = Instant::now();
        let mut queue = queue([4, 2, 3, 1]);
        assert!(queue.offer(0, now).is_empty());
        assert_eq!(numbers(&queue.offer(2, now)), [1, 2]);
        assert!(queue.offer(2, now).is_empty());
        assert_eq!(numbers(&queue.offer(3, now)), [3]);
    }

    #[test]
    fn who_comes_later_finds_room_only_behind_all_who_wait() {
        let now = Instant::now();
        let mut queue = queue([1, 2]);
        let has_room = |queue: &mut Queue, number, free| queue.has_room(&object(number), free, now);
        assert!(has_room(&mut queue, 1, 1) && !has_room(&mut queue, 2, 1) && !has_room(&mut queue, 3, 1));
        assert!(!has_room(&mut queue, 3, 2) && has_room(&mut queue, 3, 3));
        queue.leave(&object(1));
        assert!(has_room(&mut queue, 2, 1));
    }

    #[test]
    fn who_does_not_use_its_room_holds_up_the_others_no_longer_than_a_while() {
        let now = Instant::now();
        let later = now + OFFER_LASTS;
        let mut queue = queue([1, 2]);
        assert_eq!(numbers(&queue.offer(1, now)), [1]);
        assert!(!queue.has_room(&object(2), 1, now));
        assert_eq!(numbers(&queue.offer(1, later)), [2]);
        assert!(queue.has_room(&object(2), 1, later));
        // It is still there, and comes first again as soon as it waits for nothing else.
        queue.join(&object(1));
        assert!(queue.has_room(&object(1), 1, later));
        queue.prune(|_, uid| uid == "uid-2");
        assert_eq!(queue.len(), 1);
    }
}
