//! Entra's token endpoints: who gets a token, for what, and how a refusal looks.
//!
//! The router comes in by [`token`], [`discovery`] and [`interactive`], the control API by [`sign_in`].

mod client_proof;
mod consent;
pub(crate) mod discovery;
pub(crate) mod interactive;
mod issuance;
mod registered;
pub(crate) mod scope;
mod token;

pub(crate) use issuance::sign_in;
pub(crate) use token::token;
