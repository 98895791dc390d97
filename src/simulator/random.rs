//! Everything that looks random: ids, etags, tokens. One source, which repeats itself when it is given the same seed.

use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use uuid::{Builder, Uuid};

/// The source. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Random(Arc<Mutex<Rng>>);

impl Random {
    /// Without a seed it is another one every time.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(Arc::new(Mutex::new(seed.map_or_else(Rng::new, Rng::with_seed))))
    }

    /// An id that nobody has seen yet.
    pub(crate) fn uuid(&self) -> Uuid {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).u128(..);
        Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
    }

    /// A word of so many hexadecimal digits, 32 for each of its `parts`.
    pub(crate) fn word(&self, parts: usize) -> String {
        (0..parts).map(|_| self.uuid().simple().to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_no_seed_gives_others() {
        let draw = |seed| {
            let random = Random::new(seed);
            [random.uuid().to_string(), random.uuid().to_string(), random.clone().word(2)]
        };
        assert_eq!(draw(Some(7)), draw(Some(7)));
        assert_ne!(draw(Some(7)), draw(Some(8)));
        assert_ne!(draw(None), draw(None));
        assert_eq!(Random::new(None).uuid().get_version_num(), 4);
    }
}
