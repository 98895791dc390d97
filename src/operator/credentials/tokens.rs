//! The Secret that the operator owns, and which refresh token wins: pure.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::outlook;
use super::sign_in::SignIn;
use crate::model::TenantId;
use crate::remote::Proof;

/// How many tokens of the user's are remembered as seen; a Secret has room for many more.
const SEEDS_MAX: usize = 64;

/// A token, as far as it may be known: SHA-256 of it. It has far too much entropy to be guessed from that.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn of(token: &SecretString) -> Self {
        let mut text = String::with_capacity(64);
        for byte in Sha256::digest(token.expose_secret().as_bytes()) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }
}

impl Fingerprint {
    /// Of what an application proves itself with.
    pub(super) fn of_proof(proof: &Proof) -> Self {
        match proof {
            Proof::Secret(secret) => Self::of(secret),
            Proof::Certificate(certificate) => Self(certificate.thumbprint().to_owned()),
            Proof::Federated(path) => Self(path.display().to_string()),
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// The newest refresh token, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    /// The tenant and the application that it belongs to.
    pub(super) owner: (TenantId, String),
    /// The token.
    pub(super) refresh_token: SecretString,
    /// When it came to us.
    pub(super) issued_at: Timestamp,
    /// The tokens of the user's Secret that have been seen, and since when.
    pub(super) seeds: BTreeMap<Fingerprint, Timestamp>,
    /// Those of the tenant and application before, which itself has none before it. Somebody may have put the wrong
    /// credentials into the user's Secret, and puts the right ones back: their first token may long be spent.
    pub(super) former: Option<Box<Tokens>>,
}

/// Which token goes on.
#[derive(Debug)]
pub(super) enum Choice {
    /// The one we have.
    Keep,
    /// The user's, which is new, or the newest of the application that the user's Secret has gone back to.
    Adopt(Tokens),
}

/// Decides between the user's token and the newest that we have.
pub(super) fn choose(user: &SignIn, ours: Option<&Tokens>, now: Timestamp) -> Choice {
    let owner = (user.partner_tenant, user.client_id.clone());
    let seed = Fingerprint::of(&user.refresh_token);
    let (same_owner, former) = match ours {
        Some(tokens) if tokens.owner == owner => (Some(tokens), tokens.former.clone()),
        Some(tokens) => {
            let others = Tokens { former: None, ..tokens.clone() };
            (tokens.former.as_deref().filter(|former| former.owner == owner), Some(Box::new(others)))
        }
        None => (None, None),
    };
    if let Some(tokens) = same_owner.filter(|tokens| tokens.seeds.contains_key(&seed)) {
        let is_in_use = ours.is_some_and(|ours| ours.owner == owner);
        return if is_in_use { Choice::Keep } else { Choice::Adopt(Tokens { former, ..tokens.clone() }) };
    }
    let mut seeds = same_owner.map(|tokens| tokens.seeds.clone()).unwrap_or_default();
    while seeds.len() >= SEEDS_MAX {
        let oldest = seeds.iter().min_by_key(|(_, since)| **since).map(|(seed, _)| seed.clone());
        oldest.and_then(|oldest| seeds.remove(&oldest));
    }
    seeds.insert(seed, now);
    let issued_at = same_owner.map_or(now, |tokens| after(tokens.issued_at, now));
    Choice::Adopt(Tokens { owner, refresh_token: user.refresh_token.clone(), issued_at, seeds, former })
}

impl Tokens {
    /// These with the newer token that `refresh_token` is.
    pub(super) fn rotated(&self, refresh_token: SecretString, now: Timestamp) -> Self {
        Self { refresh_token, issued_at: after(self.issued_at, now), ..self.clone() }
    }

    /// What to keep after somebody else has written `theirs`.
    pub(super) fn newest(self, theirs: Option<Self>) -> Self {
        let Some(mut theirs) = theirs.filter(|theirs| theirs.owner == self.owner) else { return self };
        let mut seeds = self.seeds.clone();
        seeds.append(&mut theirs.seeds);
        let former = self.former.clone().or_else(|| theirs.former.take());
        let newer = if theirs.issued_at > self.issued_at { theirs } else { self };
        Self { seeds, former, ..newer }
    }
}

/// Now, but after `before` in any case: a clock that was put back must not make a newer token look older.
fn after(before: Timestamp, now: Timestamp) -> Timestamp {
    now.max(before.saturating_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX))
}

const TENANT: &str = "partnerTenantId";
const CLIENT: &str = "clientId";
const REFRESH_TOKEN: &str = "refreshToken";
const ISSUED_AT: &str = "issuedAt";
/// For people: nothing reads it.
const EXPIRES_AT: &str = "expiresAt";
const SEEDS: &str = "seeds";
const FORMER: &str = "former";

/// [`Tokens::former`] as the Secret has it. Not `Debug`: it holds a token.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Former {
    partner_tenant_id: String,
    client_id: String,
    refresh_token: String,
    issued_at: Timestamp,
    seeds: BTreeMap<Fingerprint, Timestamp>,
}

impl Former {
    fn of(tokens: &Tokens) -> Self {
        Self {
            partner_tenant_id: tokens.owner.0.to_string(),
            client_id: tokens.owner.1.clone(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            issued_at: tokens.issued_at,
            seeds: tokens.seeds.clone(),
        }
    }

    fn read(text: &str) -> Option<Tokens> {
        let former: Self = serde_json::from_str(text).ok()?;
        Some(Tokens {
            owner: (former.partner_tenant_id.parse().ok()?, former.client_id),
            refresh_token: former.refresh_token.into(),
            issued_at: former.issued_at,
            seeds: former.seeds,
            former: None,
        })
    }
}

/// The key of the operator's Secret that cannot be read. Nobody but the operator should write there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its key {0} cannot be read")]
pub(super) struct Unreadable(&'static str);

/// Reads the operator's Secret. One without any keys is as good as none.
pub(super) fn decode(secret: &Secret) -> Result<Option<Tokens>, Unreadable> {
    let Some(data) = secret.data.as_ref().filter(|data| data.contains_key(REFRESH_TOKEN)) else { return Ok(None) };
    let text = |key| {
        let bytes = data.get(key).ok_or(Unreadable(key))?;
        std::str::from_utf8(&bytes.0).map_err(|_| Unreadable(key))
    };
    let tenant = text(TENANT)?.parse().map_err(|_| Unreadable(TENANT))?;
    let refresh_token = text(REFRESH_TOKEN)?;
    if refresh_token.is_empty() {
        return Err(Unreadable(REFRESH_TOKEN));
    }
    let former = if data.contains_key(FORMER) {
        Some(Box::new(Former::read(text(FORMER)?).ok_or(Unreadable(FORMER))?))
    } else {
        None
    };
    Ok(Some(Tokens {
        owner: (tenant, text(CLIENT)?.to_owned()),
        refresh_token: refresh_token.into(),
        issued_at: text(ISSUED_AT)?.parse().map_err(|_| Unreadable(ISSUED_AT))?,
        seeds: serde_json::from_str(text(SEEDS)?).map_err(|_| Unreadable(SEEDS))?,
        former,
    }))
}

/// The Secret called `name` that holds `tokens`; both to create it and to merge into it, if it still is at `version`.
pub(super) fn encode(name: &str, version: Option<&str>, tokens: &Tokens) -> Result<Secret, serde_json::Error> {
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    let seeds = serde_json::to_string(&tokens.seeds)?;
    let former = tokens.former.as_deref().map(|former| serde_json::to_string(&Former::of(former))).transpose()?;
    let mut data = vec![
        (TENANT, bytes(&tokens.owner.0.to_string())),
        (CLIENT, bytes(&tokens.owner.1)),
        (REFRESH_TOKEN, bytes(tokens.refresh_token.expose_secret())),
        (ISSUED_AT, bytes(&tokens.issued_at.to_string())),
        (EXPIRES_AT, bytes(&outlook::refresh_token_ends(tokens.issued_at).to_string())),
        (SEEDS, bytes(&seeds)),
    ];
    data.extend(former.map(|former| (FORMER, bytes(&former))));
    let labels = [("app.kubernetes.io/managed-by".to_owned(), "csp-operator".to_owned())];
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            resource_version: version.map(str::to_owned),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ..Secret::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn user(client: &str, token: &str) -> SignIn {
        SignIn {
            partner_tenant: "c1a0c1a0-1111-4a11-8a11-00000000000f".parse().unwrap(),
            client_id: client.to_owned(),
            proof: Proof::Secret("hush-secret".into()),
            refresh_token: token.into(),
        }
    }

    /// What happens to the sign-in over time.
    enum Event {
        /// The user's Secret now holds this application and token.
        User(&'static str, &'static str),
        /// Microsoft handed out this token.
        Rotated(&'static str),
    }
    use Event::{Rotated, User};

    /// Plays `events`, one per second, and compares which token is in use after each.
    #[track_caller]
    fn check(events: &[(Event, &str)]) {
        let mut tokens: Option<Tokens> = None;
        for (second, (event, expected)) in (1..).zip(events) {
            match event {
                User(client, token) => {
                    if let Choice::Adopt(adopted) = choose(&user(client, token), tokens.as_ref(), at(second)) {
                        tokens = Some(adopted);
                    }
                }
                Rotated(token) => tokens = tokens.map(|tokens| tokens.rotated((*token).into(), at(second))),
            }
            assert_eq!(tokens.as_ref().unwrap().refresh_token.expose_secret(), *expected, "at second {second}");
        }
    }

    #[test]
    fn a_rotated_token_replaces_the_users() {
        check(&[(User("app", "u1"), "u1"), (Rotated("r1"), "r1"), (User("app", "u1"), "r1"), (Rotated("r2"), "r2")]);
    }

    #[test]
    fn a_token_that_a_person_supplies_replaces_the_rotated_one() {
        check(&[(User("app", "u1"), "u1"), (Rotated("r1"), "r1"), (User("app", "u2"), "u2"), (Rotated("r2"), "r2")]);
    }

    #[test]
    fn a_token_that_gitops_restores_changes_nothing() {
        check(&[
            (User("app", "u1"), "u1"),
            (Rotated("r1"), "r1"),
            (User("app", "u2"), "u2"),
            // Before u2 was ever rotated: the newest is u2 all the same.
            (User("app", "u1"), "u2"),
            (Rotated("r2"), "r2"),
            (User("app", "u1"), "r2"),
            (User("app", "u2"), "r2"),
        ]);
    }

    #[test]
    fn another_application_begins_anew() {
        check(&[(User("app", "u1"), "u1"), (Rotated("r1"), "r1"), (User("other", "u1"), "u1"), (Rotated("r2"), "r2")]);
    }

    #[test]
    fn credentials_that_are_put_back_after_a_mistake_go_on_with_their_newest_token() {
        check(&[
            (User("app", "u1"), "u1"),
            (Rotated("r1"), "r1"),
            (User("other", "x1"), "x1"),
            (User("app", "u1"), "r1"),
            (Rotated("r2"), "r2"),
            (User("other", "x1"), "x1"),
            (Rotated("x2"), "x2"),
            (User("app", "u1"), "r2"),
            (User("other", "x1"), "x2"),
            (User("app", "u2"), "u2"),
            (User("app", "u1"), "u2"),
        ]);
    }

    #[test]
    fn the_seen_tokens_are_bounded_and_the_oldest_go_first() {
        let mut tokens = None;
        for second in 0..100 {
            let Choice::Adopt(next) = choose(&user("app", &format!("u{second}")), tokens.as_ref(), at(second)) else {
                panic!("u{second} is new")
            };
            tokens = Some(next);
        }
        let seen = |token: &str| matches!(choose(&user("app", token), tokens.as_ref(), at(200)), Choice::Keep);
        assert!(seen("u99") && seen("u36") && !seen("u35"));
    }

    fn tokens(token: &str, issued_at: i64, seed: &str) -> Tokens {
        let Choice::Adopt(tokens) = choose(&user("app", seed), None, at(issued_at)) else { panic!("it is new") };
        Tokens { refresh_token: token.into(), ..tokens }
    }

    #[test]
    fn after_a_conflict_the_newer_token_stays_and_nothing_seen_is_forgotten() {
        for (ours, theirs, expected) in [(1, 2, "theirs"), (2, 1, "ours"), (2, 2, "ours")] {
            let kept = tokens("ours", ours, "u1").newest(Some(tokens("theirs", theirs, "u2")));
            assert_eq!(kept.refresh_token.expose_secret(), expected);
            assert_eq!(kept.seeds.len(), 2);
        }
        let mut foreign = tokens("theirs", 9, "u2");
        foreign.owner.1 = "other".to_owned();
        assert_eq!(tokens("ours", 1, "u1").newest(Some(foreign)).refresh_token.expose_secret(), "ours");
        assert_eq!(tokens("ours", 1, "u1").newest(None).refresh_token.expose_secret(), "ours");
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_make_a_newer_token_older() {
        let first = tokens("r1", 1000, "u1");
        let second = first.rotated("r2".into(), at(10));
        assert!(second.issued_at > first.issued_at);
        let Choice::Adopt(third) = choose(&user("app", "u2"), Some(&second), at(20)) else { panic!("it is new") };
        assert!(third.issued_at > second.issued_at);
    }

    #[test]
    fn the_secret_holds_everything_and_shows_nothing() {
        let former = Tokens { owner: (user("", "").partner_tenant, "other".to_owned()), ..tokens("hush-too", 3, "u0") };
        let before = Tokens { former: Some(Box::new(former)), ..tokens("hush", 7, "u1") };
        let secret = encode("name", Some("42"), &before).unwrap();
        assert_eq!(secret.metadata.resource_version.as_deref(), Some("42"));
        let shown = secret.data.as_ref().and_then(|data| data.get("expiresAt")).unwrap();
        assert_eq!(shown.0, b"1970-04-01T00:00:07Z", "90 days after it came");
        let after = decode(&secret).unwrap().unwrap();
        assert_eq!((&after.owner, after.issued_at, &after.seeds), (&before.owner, before.issued_at, &before.seeds));
        assert_eq!(after.refresh_token.expose_secret(), "hush");
        assert!(!format!("{after:?}").contains("hush"));
        let (before, after) = (before.former.unwrap(), after.former.unwrap());
        assert_eq!((&after.owner, after.issued_at, &after.seeds), (&before.owner, before.issued_at, &before.seeds));
        assert_eq!(after.refresh_token.expose_secret(), "hush-too");
    }

    #[test]
    fn a_secret_that_somebody_wrote_into_is_refused() {
        assert!(decode(&Secret::default()).unwrap().is_none());
        for key in [TENANT, CLIENT, ISSUED_AT, SEEDS, FORMER] {
            let mut secret = encode("name", None, &tokens("hush", 7, "u1")).unwrap();
            secret.data.as_mut().unwrap().insert(key.to_owned(), ByteString(vec![0xff]));
            assert_eq!(decode(&secret).unwrap_err(), Unreadable(key));
        }
    }
}
