//! For which customers each namespace may act: what is known (`rules`), the one watch that it comes from (`follow`),
//! and one more look at a Namespace right before anything is granted in it (`confirm`).

pub(super) mod confirm;
pub(super) mod follow;
pub(super) mod rules;
