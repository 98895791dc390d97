//! What became of the refresh tokens that were issued: for tests that kill a client in the middle of a sign-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Whether an answer has left this process as a whole.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent(Arc<AtomicBool>);

impl Sent {
    /// Its last byte is with the operating system.
    pub(crate) fn whole(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_whole(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The refresh tokens that have been issued: how many, and the last one.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    count: u64,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    refresh_token: String,
    upn: String,
    tenant: Uuid,
    at: Timestamp,
    /// Of the access token that was issued with it.
    unique_id: String,
    sent: Sent,
    used: bool,
}

impl Issued {
    /// A refresh token was issued together with the access token of this unique id. What is returned is to be told
    /// when the answer has been sent.
    pub(crate) fn add(&mut self, refresh_token: &str, upn: &str, tenant: Uuid, at: Timestamp, unique_id: &str) -> Sent {
        self.count += 1;
        let sent = Sent::default();
        self.last = Some(Last {
            refresh_token: refresh_token.to_owned(),
            upn: upn.to_owned(),
            tenant,
            at,
            unique_id: unique_id.to_owned(),
            sent: sent.clone(),
            used: false,
        });
        sent
    }

    /// Somebody calls an API with the access token of this unique id: so the answer it came in has been received.
    pub(crate) fn presented(&mut self, unique_id: &str) {
        if let Some(last) = self.last.as_mut().filter(|last| last.unique_id == unique_id) {
            last.used = true;
        }
    }

    /// As the control API tells it.
    pub(crate) fn told(&self) -> Value {
        let last = self.last.as_ref().map(|last| {
            json!({
                "refreshToken": last.refresh_token,
                "user": last.upn,
                "tenant": last.tenant,
                "at": last.at,
                "sent": last.sent.is_whole(),
                "accessTokenUsed": last.used,
            })
        });
        json!({ "issued": self.count, "last": last })
    }
}
