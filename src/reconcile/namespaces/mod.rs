//! For which customers each namespace may act: one watch of the Namespaces' metadata.

pub(super) mod confirm;
pub(super) mod follow;
pub(super) mod rules;
