//! Telling a waiting person what is going on.

use std::io::Write as _;
use std::sync::LazyLock;
use std::time::Instant;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Prints a line to standard error, with the time since the first one.
pub(crate) fn say(line: &str) {
    let elapsed = START.elapsed().as_secs();
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "bench: {elapsed:3} s  {line}");
}
