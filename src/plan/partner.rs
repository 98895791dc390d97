//! Whether the partner's sign-in may change purchase permissions at all.
//!
//! What Partner Center has done says most: a write that it has accepted or refused. Beforehand, two questions can be
//! asked: what kind of partner it is, and whether the signed-in user is an Admin agent. They are asked only when a grant
//! is about to be decided; whoever has nothing to grant does not care. Where nothing can be said, the write itself is
//! the test, since a refused write changes nothing.

mod writes;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

pub use writes::Writes;

use super::conditions::Verdict;
use super::{Need, PartnerQuestion};
use crate::model::{Denial, Fact, PartnerKind};

/// How long it takes a changed role to arrive everywhere, as documented. For this long a refusal counts, and for this
/// long after an accepted write nobody is asked.
const ROLES_ARRIVE_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// How long it is believed that the user is no Admin agent: whoever has just given it the role waits for this.
const NO_ADMIN_AGENT_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How long it is believed what kind of partner it is.
const KIND_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How long it is believed that it is an indirect reseller, for which nothing can be done.
const RESELLER_AGE_MAX: SignedDuration = ROLES_ARRIVE_WITHIN;
/// While the clock is wrong, an object that waits for it is looked at this often.
const CLOCK_LOOKED_AT_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What is known of the partner and its sign-in. It concerns the partner as a whole, never one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerFacts {
    /// What kind of partner it is.
    pub kind: Fact<PartnerKind>,
    /// Whether the signed-in user is a member of the group of the Admin agents.
    pub is_admin_agent: Fact<bool>,
    /// When Partner Center has last accepted a write of this sign-in.
    pub accepted_at: Option<Timestamp>,
    /// The sign-in was refused, and none has worked since.
    pub sign_in_refused: Option<Refused>,
    /// A grant was refused in a way that is the partner's, and no write has been accepted since; see [`Writes`].
    pub write_refused: Option<Refused>,
    /// A reading was refused to the partner as a whole, and the same has not been answered since.
    pub read_refused: Option<Refused>,
    /// This machine's clock is wrong, and with it the age of every fact.
    pub is_clock_off: bool,
}

/// A refusal of the partner as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub denial: Denial,
    /// When.
    pub at: Timestamp,
}

/// Whether the partner's sign-in may change purchase permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartnerAuthorization {
    /// Partner Center has accepted a write of it.
    WriteAccepted,
    /// The signed-in user is an Admin agent, and the partner no indirect reseller.
    AdminAgent,
    /// Nothing has shown it either way.
    Unverified {
        /// Why, for people.
        message: String,
    },
    /// It may not.
    Denied {
        /// Why.
        denial: Denial,
        /// When that is looked at again.
        until: Timestamp,
    },
}

impl PartnerFacts {
    /// Of a sign-in that nobody knows anything of.
    pub const UNKNOWN: Self = Self {
        kind: Fact::NOT_READ,
        is_admin_agent: Fact::NOT_READ,
        accepted_at: None,
        sign_in_refused: None,
        write_refused: None,
        read_refused: None,
        is_clock_off: false,
    };

    /// What follows from the facts. The strongest comes first: what has happened to a write, then what was asked.
    pub fn authorization(&self, now: Timestamp) -> PartnerAuthorization {
        let denied = |Refused { denial, at }: &Refused| PartnerAuthorization::Denied {
            denial: denial.clone(),
            until: after(*at, ROLES_ARRIVE_WITHIN),
        };
        if let Some(refused) = still_counts(self.sign_in_refused.as_ref(), now) {
            return denied(refused);
        }
        if self.is_clock_off {
            // The feed asks all the time, and so finds out when it is right again.
            return PartnerAuthorization::Denied { denial: clock(), until: after(now, CLOCK_LOOKED_AT_AGAIN) };
        }
        if let (Fact::Known { value: PartnerKind::IndirectReseller, at }, None) = (&self.kind, self.accepted_at) {
            // Also where something was refused: this says why.
            return PartnerAuthorization::Denied { denial: reseller(), until: after(*at, RESELLER_AGE_MAX) };
        }
        for refused in [&self.write_refused, &self.read_refused] {
            if let Some(refused) = still_counts(refused.as_ref(), now) {
                return denied(refused);
            }
        }
        match (&self.is_admin_agent, self.accepted_at) {
            // The role may have been taken away since; what was asked earlier says less than the write.
            (Fact::Known { value: false, at }, accepted)
                if accepted.is_none_or(|accepted| *at >= after(accepted, ROLES_ARRIVE_WITHIN)) =>
            {
                let until = after(*at, NO_ADMIN_AGENT_AGE_MAX);
                PartnerAuthorization::Denied { denial: no_admin_agent(), until }
            }
            (_, Some(_)) => PartnerAuthorization::WriteAccepted,
            (Fact::Known { .. }, None) => PartnerAuthorization::AdminAgent,
            (Fact::Unknown { .. }, None) => PartnerAuthorization::Unverified { message: self.unverified() },
        }
    }

    /// What to ask before a grant. `is_asked_anew`: a person wants everything read that is not from this very pass.
    pub(super) fn needs(&self, now: Timestamp, is_asked_anew: bool) -> BTreeSet<Need> {
        let is_accepted_lately = self.accepted_at.is_some_and(|at| now < after(at, ROLES_ARRIVE_WITHIN));
        let is_refused = [&self.sign_in_refused, &self.write_refused, &self.read_refused]
            .into_iter()
            .any(|refused| still_counts(refused.as_ref(), now).is_some());
        if is_refused || self.is_clock_off || is_accepted_lately {
            return BTreeSet::new();
        }
        // Whose writes are accepted is of the right kind.
        let is_kind_due = self.accepted_at.is_none() && self.is_kind_due(now, is_asked_anew);
        let is_reseller = matches!(self.kind, Fact::Known { value: PartnerKind::IndirectReseller, .. });
        if is_reseller && !is_kind_due {
            return BTreeSet::new();
        }
        let is_membership_due = match &self.is_admin_agent {
            Fact::Known { value: true, at } => is_due(*at, ROLES_ARRIVE_WITHIN, now, is_asked_anew),
            Fact::Known { value: false, at } => is_due(*at, NO_ADMIN_AGENT_AGE_MAX, now, is_asked_anew),
            Fact::Unknown { .. } => self.is_admin_agent.is_unread(),
        };
        [
            (is_kind_due, Need::Partner(PartnerQuestion::Kind)),
            (is_membership_due, Need::Partner(PartnerQuestion::AdminAgents)),
        ]
        .into_iter()
        .filter_map(|(is_due, need)| is_due.then_some(need))
        .collect()
    }

    /// What to ask to tell people why everything is refused: an indirect reseller gets nothing from Partner Center, and
    /// no refusal says that this is why.
    pub(super) fn needs_to_explain(&self, now: Timestamp, is_asked_anew: bool) -> Option<Need> {
        let is_puzzling = [&self.write_refused, &self.read_refused]
            .into_iter()
            .filter_map(|refused| still_counts(refused.as_ref(), now))
            .any(|refused| refused.denial.reason == "ProgramNotActive");
        (is_puzzling && self.is_kind_due(now, is_asked_anew)).then_some(Need::Partner(PartnerQuestion::Kind))
    }

    fn is_kind_due(&self, now: Timestamp, is_asked_anew: bool) -> bool {
        match &self.kind {
            Fact::Known { value: PartnerKind::IndirectReseller, at } => {
                is_due(*at, RESELLER_AGE_MAX, now, is_asked_anew)
            }
            Fact::Known { value: PartnerKind::DirectBill | PartnerKind::IndirectProvider, at } => {
                is_due(*at, KIND_AGE_MAX, now, is_asked_anew)
            }
            Fact::Unknown { .. } => self.kind.is_unread(),
        }
    }

    fn unverified(&self) -> String {
        const TEST: &str =
            "no write has shown yet whether the sign-in may change purchase permissions; the next one will";
        match self.is_admin_agent.failure() {
            Some((_, why)) => format!("{TEST}. It cannot be told beforehand: {why}"),
            None => TEST.to_owned(),
        }
    }
}

impl PartnerAuthorization {
    /// Why it may not, if it may not.
    pub fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Denied { denial, .. } => Some(denial),
            Self::WriteAccepted | Self::AdminAgent | Self::Unverified { .. } => None,
        }
    }

    /// For the condition `PartnerAuthorized`.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::WriteAccepted => Verdict::yes("WriteAccepted", "Partner Center has accepted a write of this sign-in"),
            Self::AdminAgent => Verdict::yes(
                "AdminAgent",
                "the signed-in user is an Admin agent: it is a member of the group AdminAgents",
            ),
            Self::Unverified { message } => Verdict::unknown("Unverified", message.clone()),
            Self::Denied { denial, .. } => denied(denial),
        }
    }
}

/// Whether what was read at `at` must be read again.
fn is_due(at: Timestamp, age_max: SignedDuration, now: Timestamp, is_asked_anew: bool) -> bool {
    if is_asked_anew { at < now } else { after(at, age_max) <= now }
}

fn still_counts(refused: Option<&Refused>, now: Timestamp) -> Option<&Refused> {
    refused.filter(|refused| now < after(refused.at, ROLES_ARRIVE_WITHIN))
}

/// What is said of a denial of the partner as a whole.
pub(super) fn denied(denial: &Denial) -> Verdict {
    Verdict::no(denial.reason, denial.message.clone())
}

fn clock() -> Denial {
    Denial {
        reason: "ClockSkewed",
        message: "The clock of the operator's machine is more than five minutes away from those of Microsoft's services: set it right, for nothing is granted by a wrong clock.".to_owned(),
    }
}

fn reseller() -> Denial {
    Denial {
        reason: "IndirectReseller",
        message: "The partner is an indirect reseller; only a direct-bill partner or an indirect provider may change purchase permissions: ask the indirect provider to do it, or sign in as one.".to_owned(),
    }
}

fn no_admin_agent() -> Denial {
    Denial {
        reason: "NotAdminAgent",
        message: "The signed-in user is no member of the group AdminAgents in the partner's tenant, so it may not change purchase permissions: make it an Admin agent in Partner Center; a new role can take an hour to work.".to_owned(),
    }
}

fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.saturating_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
