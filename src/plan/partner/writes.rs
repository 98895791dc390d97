//! What has come of the writes of a sign-in.

use jiff::Timestamp;

use super::{ROLES_ARRIVE_WITHIN, Refused, after};
use crate::model::{Denial, TenantId};

/// What has come of the writes of one sign-in, and whether a refusal is the partner's.
///
/// Partner Center refuses a wrong role in the same words as some customers of their own trouble. So a refusal is taken
/// for the partner's only where nothing speaks against it: it is the first thing that is heard in an hour, or the second
/// customer's with no write accepted in between. The same customer's next refusal says nothing new, and one that was
/// accepted ends all doubt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    accepted_at: Option<Timestamp>,
    /// Whose grant was refused last, if none has been accepted since.
    refused_of: Option<TenantId>,
    refused: Option<Refused>,
}

impl Writes {
    /// Notes an accepted write.
    pub fn accepted(&mut self, at: Timestamp) {
        *self = Self { accepted_at: Some(at), ..Self::default() };
    }

    /// Notes a refused grant. A refused revoke is not noted: it is tried again whatever is believed, and would hold up
    /// every grant for as long.
    pub fn refused(&mut self, customer: TenantId, denial: Denial, at: Timestamp) {
        let is_the_partners = match self.refused_of {
            Some(before) => before != customer,
            None => self.accepted_at.is_none_or(|accepted| at >= after(accepted, ROLES_ARRIVE_WITHIN)),
        };
        self.refused_of = Some(customer);
        if is_the_partners {
            self.refused = Some(Refused { denial, at });
        }
    }

    /// When a write was last accepted.
    pub fn accepted_at(&self) -> Option<Timestamp> {
        self.accepted_at
    }

    /// The last refusal that is the partner's, if no write has been accepted since.
    pub fn refusal(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    /// Minutes, and whose grant was refused then; 0 is a write that was accepted. Gives the minute of the refusal that is
    /// taken for the partner's.
    #[track_caller]
    fn check(history: &[(i64, u8)], expected: Option<i64>) {
        let begin: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let mut writes = Writes::default();
        for (minutes, whose) in history {
            let at = begin + SignedDuration::from_mins(*minutes);
            let customer = format!("c1a0c1a0-1111-4a11-8a11-0000000000{whose:02x}").parse().unwrap();
            let denial = Denial { reason: "NotAdminAgent", message: "what to do".into() };
            if *whose == 0 { writes.accepted(at) } else { writes.refused(customer, denial, at) }
        }
        let found = writes.refusal().map(|refused| refused.at.duration_since(begin).as_mins());
        assert_eq!(found, expected, "{history:?}");
    }

    #[test]
    fn the_first_refusal_of_a_sign_in_is_the_partners() {
        check(&[], None);
        check(&[(0, 1)], Some(0));
    }

    #[test]
    fn one_customers_refusal_soon_after_an_accepted_write_is_that_customers() {
        check(&[(0, 0), (1, 1)], None);
        check(&[(0, 0), (59, 1)], None);
        check(&[(0, 0), (60, 1)], Some(60));
        // Again and again, also after the hour.
        check(&[(0, 0), (1, 1), (30, 1), (90, 1)], None);
    }

    #[test]
    fn a_second_customers_refusal_shows_that_it_is_the_partners() {
        check(&[(0, 0), (1, 1), (2, 2)], Some(2));
        check(&[(0, 0), (1, 1), (1, 1), (300, 2)], Some(300));
    }

    #[test]
    fn the_same_customers_refusal_does_not_renew_it_and_another_ones_does() {
        check(&[(0, 1), (60, 1), (120, 1)], Some(0));
        check(&[(0, 1), (60, 1), (61, 2)], Some(61));
    }

    #[test]
    fn an_accepted_write_ends_all_doubt() {
        check(&[(0, 1), (1, 2), (2, 0)], None);
        check(&[(0, 1), (1, 0), (2, 2)], None);
    }
}
