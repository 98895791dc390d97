//! The planner of permissions, by subject: tables first, then properties of whole histories.

mod activity;
mod authors;
mod barred;
mod braked;
mod claims;
mod deletion;
mod ending;
mod grants;
mod held;
mod modes;
mod reasons;
mod support;
mod turned;
mod urgency;
mod world;
