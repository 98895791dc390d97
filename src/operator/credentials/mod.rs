//! The partner's sign-in, kept in two Secrets.
//!
//! The user, or their GitOps tool, owns the first: tenant, application and a refresh token. Microsoft hands out a newer
//! refresh token with every sign-in and lets an old one expire after 90 days, so the newest must be kept; the operator
//! owns the second Secret for that, and never writes to the first.
//!
//! Which token is used is decided in one place, [`tokens::choose`]: the newest wins. A token of the user's Secret that
//! has been seen before is one that a GitOps tool has restored, and changes nothing; one that has never been seen was
//! supplied by a person just now. The second Secret remembers the fingerprints of those that were seen. Another tenant
//! or application begins anew, since a refresh token belongs to both; what belonged to the one before is kept for the
//! case that it was a mistake.
//!
//! A refresh token lives for 90 days, and each use brings a new one. Should it ever come near its end, or a client
//! certificate, [`outlook`] says so in a metric, in an event about the operator's Secret and in `/readyz`. When a client
//! secret ends only Microsoft Entra knows.
//!
//! Only the replica that acts reads or writes the second Secret. Values are never shown, in no log and no error.

mod borrow;
pub(crate) mod keys;
mod outlook;
mod sign_in;
mod store;
mod tie;
mod timeout;
mod tokens;

pub(crate) use borrow::borrow;
pub(crate) use sign_in::{Defect, out_of_date, stored_proof};
pub(super) use store::SecretStore;
pub(super) use tie::Tied;
