//! The refresh tokens that have been issued.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::random::Random;
use super::tokens::DEFAULT_RESOURCE;
use super::world::Partner;

/// Rotated refresh tokens kept at most. Beyond it the oldest are forgotten, as if they had expired.
const ROTATED_TOKENS_MAX: usize = 10_000;

/// How every issued refresh token begins, so that one is recognised wherever it turns up.
const REFRESH_TOKEN_MARK: &str = "0.SimRefresh-";

/// Every refresh token that can be redeemed, and whose it is.
#[derive(Debug, Default)]
pub(crate) struct RefreshTokens {
    pub(crate) owners: HashMap<String, Grant>,
    /// Tokens from rotation in the order they were issued; seeds are not among them and never age.
    rotated: VecDeque<String>,
}

/// Whose a token is, and what has become of it.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) upn: String,
    pub(crate) resource: String,
    /// Of a seed: when it was first redeemed.
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) spent: bool,
    /// The administrator has signed the user out everywhere since.
    pub(crate) revoked: bool,
    /// Came of a sign-in of a public client, which has nothing to prove itself with.
    pub(crate) public: bool,
}

impl RefreshTokens {
    /// The tokens that the partner's users start with.
    pub(crate) fn seeded(partner: &Partner) -> Self {
        let mut tokens = Self::default();
        for user in &partner.users {
            if let Some(token) = &user.refresh_token {
                tokens.owners.insert(token.clone(), Grant::new(&user.upn, DEFAULT_RESOURCE, None, false));
            }
        }
        tokens
    }

    /// A new token for this user.
    pub(crate) fn issue(&mut self, random: &Random, upn: &str, resource: &str, now: Timestamp, public: bool) -> String {
        let token = format!("{REFRESH_TOKEN_MARK}{}", random.word(2));
        self.owners.insert(token.clone(), Grant::new(upn, resource, Some(now), public));
        self.rotated.push_back(token.clone());
        if self.rotated.len() > ROTATED_TOKENS_MAX
            && let Some(oldest) = self.rotated.pop_front()
        {
            self.owners.remove(&oldest);
        }
        token
    }

    /// Makes this token one of the user's, as a seed is; a sentence when it is somebody else's.
    pub(crate) fn give(&mut self, upn: &str, token: String) -> Result<(), String> {
        if self.owners.get(&token).is_some_and(|grant| !grant.upn.eq_ignore_ascii_case(upn)) {
            return Err("the refresh token belongs to another user".to_owned());
        }
        self.owners.insert(token, Grant::new(upn, DEFAULT_RESOURCE, None, false));
        Ok(())
    }

    /// From now on the tokens that this user has are refused; a new sign-in gets new ones.
    pub(crate) fn revoke(&mut self, upn: &str) {
        for grant in self.owners.values_mut().filter(|grant| grant.upn.eq_ignore_ascii_case(upn)) {
            grant.revoked = true;
        }
    }
}

impl Grant {
    fn new(upn: &str, resource: &str, issued_at: Option<Timestamp>, public: bool) -> Self {
        let (upn, resource) = (upn.to_owned(), resource.to_owned());
        Self { upn, resource, issued_at, spent: false, revoked: false, public }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rotated_tokens_are_forgotten_and_seeds_are_not() {
        let random = Random::new(None);
        let mut tokens = RefreshTokens::seeded(&Partner::default());
        let first = tokens.issue(&random, "ada@contoso.com", DEFAULT_RESOURCE, Timestamp::UNIX_EPOCH, false);
        for _ in 0..ROTATED_TOKENS_MAX {
            tokens.issue(&random, "ada@contoso.com", DEFAULT_RESOURCE, Timestamp::UNIX_EPOCH, false);
        }
        assert!(!tokens.owners.contains_key(&first));
        assert!(tokens.owners.contains_key(crate::simulator::world::DEFAULT_REFRESH_TOKEN));
    }
}
