//! A long list in pages.

use super::form::{address, asked};
use crate::simulator::exchange::Request;

/// Which part of a list a page shows, and where the others are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// What is counted, in a plural that ends in s.
    what: &'static str,
    total: usize,
    /// How many come before.
    pub(super) skip: usize,
    pub(super) size: usize,
    /// From 1.
    pub(super) page: usize,
    pub(super) pages: usize,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

impl Paging {
    /// The page that is asked for; a number that is none, or too high, is the nearest.
    pub(super) fn of(request: &Request, what: &'static str, total: usize, size: usize) -> Self {
        let pages = total.div_ceil(size).max(1);
        let page = asked(request, "page").and_then(|page| page.parse().ok()).unwrap_or(1).clamp(1, pages);
        let kept = request.query.iter().filter(|(name, _)| !["page", "done"].contains(&name.as_str()));
        let kept: Vec<(&str, &str)> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let at = |page: usize| address(&request.path, &[kept.as_slice(), &[("page", &page.to_string())]].concat());
        Self {
            what,
            total,
            skip: (page - 1) * size,
            size,
            page,
            pages,
            previous: (page > 1).then(|| at(page - 1)),
            next: (page < pages).then(|| at(page + 1)),
        }
    }

    /// How many there are, and which of them are here.
    pub(super) fn told(&self) -> String {
        let Self { what, total, skip, size, .. } = self;
        match total {
            0 => format!("No {what} found."),
            1 => format!("1 {}.", what.trim_end_matches('s')),
            _ if self.pages == 1 => format!("{total} {what}."),
            _ => format!("{total} {what}, of which {} to {}.", skip + 1, total.min(&(skip + size))),
        }
    }
}
