//! The planner of permissions, by subject: tables first, then properties of whole histories.

mod activity;
mod deletion;
mod grants;
mod held;
mod modes;
mod support;
mod urgency;
mod world;
