//! How urgent something is, when there is not enough of what it needs.

/// How urgent a pass and its calls are: the first goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Lowers what the partner may have to pay, or finds out what must be lowered.
    Revoke,
    /// Does what a new or changed manifest says: a person waits for it.
    Change,
    /// Puts right what is not as declared, or looks whether it is by now.
    Drift,
    /// Looks at what seems to be in order.
    Sweep,
}

impl Urgency {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Revoke, Self::Change, Self::Drift, Self::Sweep];

    /// Metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Change => "change",
            Self::Drift => "drift",
            Self::Sweep => "sweep",
        }
    }
}
