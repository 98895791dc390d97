//! How far long work has come: a bar on a terminal, and a line now and then where there is none.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

/// Between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Work on `total` things.
pub(super) struct Progress {
    /// Draws itself on standard error, and only if that is a terminal.
    bar: ProgressBar,
    what: &'static str,
    told_at: Instant,
}

impl Progress {
    /// Begins work on `total` things, called `what` in the plural.
    pub(super) fn begin(total: usize, what: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg}, {eta} left") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self { bar, what, told_at: Instant::now() }
    }

    /// One more is done. Where there is no bar, `tell` is told now and then.
    pub(super) fn step(&mut self, tell: impl Fn(&str)) {
        self.bar.inc(1);
        if self.bar.is_hidden() && self.told_at.elapsed() >= LINE_EVERY {
            self.told_at = Instant::now();
            tell(&format!("{} of {} {}", self.bar.position(), self.bar.length().unwrap_or_default(), self.what));
        }
    }

    /// Says something without the bar in its way.
    pub(super) fn aside(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
