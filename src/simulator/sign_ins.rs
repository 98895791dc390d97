//! Sign-ins that have begun in a browser and wait for the program that began them.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::random::Random;

/// Sign-ins remembered at most, of each kind; the oldest are forgotten first.
const SIGN_INS_MAX: usize = 1_000;

/// Sign-ins that have begun, and codes that wait to be redeemed.
#[derive(Debug, Default)]
pub(crate) struct SignIns {
    pub(crate) codes: VecDeque<Code>,
    pub(crate) devices: VecDeque<Device>,
}

/// Keeps one more, and forgets the oldest beyond [`SIGN_INS_MAX`].
pub(crate) fn keep<T>(kept: &mut VecDeque<T>, one: T) {
    kept.push_back(one);
    if kept.len() > SIGN_INS_MAX {
        kept.pop_front();
    }
}

/// One sign-in that waits for its redemption, or has had it.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) value: String,
    pub(crate) tenant: Uuid,
    pub(crate) upn: String,
    /// Named at the sign-in; version 1 may name it at the redemption instead.
    pub(crate) resource: Option<String>,
    pub(crate) scope: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) nonce: Option<String>,
    pub(crate) public: bool,
    pub(crate) issued_at: Timestamp,
    pub(crate) redeemed: bool,
}

/// What the redemption must know the origin of (RFC 7636).
#[derive(Debug, Clone)]
pub(crate) enum Challenge {
    S256(String),
    Plain(String),
}

impl Challenge {
    /// Whether this is the origin.
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        match self {
            Self::S256(challenge) => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == *challenge,
            Self::Plain(challenge) => verifier == challenge,
        }
    }
}

impl SignIns {
    /// Keeps a code under a new value, which it returns.
    pub(crate) fn add_code(&mut self, random: &Random, code: Code) -> String {
        let value = format!("0.SimCode-{}", random.word(2));
        keep(&mut self.codes, Code { value: value.clone(), ..code });
        value
    }
}

/// One code, from when it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) user_code: String,
    /// The part that only the program knows.
    pub(crate) secret: String,
    pub(crate) tenant: Uuid,
    pub(crate) resource: String,
    pub(crate) scope: String,
    pub(crate) expires_at: Timestamp,
    pub(crate) decision: Option<Decision>,
    pub(crate) redeemed: bool,
}

/// What a person did with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Signed in, as this user.
    Approved(String),
    Declined,
}

impl SignIns {
    /// All codes, oldest first, as the control API shows them: without the part that the program keeps to itself.
    pub(crate) fn device_codes(&self) -> Value {
        let view = |device: &Device| {
            let decision = match &device.decision {
                None => "pending",
                Some(Decision::Approved(_)) => "approved",
                Some(Decision::Declined) => "declined",
            };
            json!({
                "userCode": device.user_code,
                "expiresAt": device.expires_at,
                "decision": decision,
                "redeemed": device.redeemed,
            })
        };
        self.devices.iter().map(view).collect()
    }

    /// Notes what a person did with a code; a sentence when there is none to decide on.
    pub(crate) fn decide(&mut self, user_code: &str, decision: Decision, now: Timestamp) -> Result<(), String> {
        let device = self.devices.iter_mut().find(|device| device.user_code.eq_ignore_ascii_case(user_code));
        match device {
            Some(device) if device.expires_at <= now => Err(format!("the code {user_code} has expired")),
            Some(device) if device.decision.is_some() => Err(format!("the code {user_code} has been used already")),
            Some(device) => {
                device.decision = Some(decision);
                Ok(())
            }
            None => Err(format!("there is no code {user_code}")),
        }
    }
}
