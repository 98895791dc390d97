//! The answers of writes that have been applied, by what they were asked with.

use std::collections::{HashMap, VecDeque};

use super::exchange::Answer;

/// Answers kept at most; the oldest are forgotten first.
const ANSWERS_MAX: usize = 10_000;

/// Stands for a whole request.
pub(crate) type Key = [u8; 32];

/// The answers of applied writes.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    pub(crate) answers: HashMap<Key, Answer>,
    order: VecDeque<Key>,
}

impl Replays {
    /// Keeps one more, and forgets the oldest beyond [`ANSWERS_MAX`].
    pub(crate) fn store(&mut self, key: Key, answer: &Answer) {
        let stored = Answer { effective: false, ..answer.clone() };
        if self.answers.insert(key, stored).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > ANSWERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}
