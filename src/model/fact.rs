//! What is known of the outside, and what is not.

use jiff::{SignedDuration, Timestamp};

/// One thing read from outside.
///
/// It cannot be used without saying what happens when it is unknown: nothing is ever done, and nothing is ever taken for
/// absent, on the strength of an [`Fact::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// Read, or written by us, at `at`.
    Known {
        /// What was read.
        value: T,
        /// When, on this machine's clock.
        at: Timestamp,
    },
    /// Not known.
    Unknown {
        /// Why not.
        why: Ignorance,
    },
}

/// Why a fact is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignorance {
    /// Nobody has asked yet since this process started.
    NotRead,
    /// Reading it failed.
    Failed {
        /// A condition reason, such as `Throttled`.
        reason: &'static str,
        /// What went wrong and what to do, for people. The same failure always reads the same: no ids, no times.
        message: String,
        /// When it was last read with success, if this process ever did.
        last_read: Option<Timestamp>,
    },
}

impl<T> Fact<T> {
    /// A fact that nobody has read.
    pub const NOT_READ: Self = Self::Unknown { why: Ignorance::NotRead };

    /// What was read, however long ago.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    /// What was read at `since` or later.
    pub fn known_since(&self, since: Timestamp) -> Option<&T> {
        match self {
            Self::Known { value, at } if *at >= since => Some(value),
            Self::Known { .. } | Self::Unknown { .. } => None,
        }
    }

    /// What was read at most `age_max` before `now`.
    pub fn fresh(&self, now: Timestamp, age_max: SignedDuration) -> Option<&T> {
        self.known_since(now.saturating_sub(age_max).unwrap_or(Timestamp::MIN))
    }

    /// When it was last read with success by this process.
    pub fn read_at(&self) -> Option<Timestamp> {
        match self {
            Self::Known { at, .. } => Some(*at),
            Self::Unknown { why: Ignorance::Failed { last_read, .. } } => *last_read,
            Self::Unknown { why: Ignorance::NotRead } => None,
        }
    }

    /// Whether nobody has asked yet.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unknown { why: Ignorance::NotRead })
    }

    /// Whether reading it was tried and failed.
    pub fn failure(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Unknown { why: Ignorance::Failed { reason, message, .. } } => Some((reason, message)),
            Self::Known { .. } | Self::Unknown { why: Ignorance::NotRead } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_fresh_up_to_and_including_its_age() {
        let at: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let fact = Fact::Known { value: 1, at };
        let minutes = SignedDuration::from_mins;
        assert_eq!(fact.fresh(at + minutes(10), minutes(10)), Some(&1));
        assert_eq!(fact.fresh(at + minutes(11), minutes(10)), None);
        assert_eq!(Fact::<u8>::NOT_READ.fresh(at, minutes(10)), None);
    }
}
