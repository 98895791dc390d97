//! What a person at a terminal is told.

use std::io::{self, Write as _};

/// Without the characters that a terminal obeys, and not endless: for text that came from outside.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(500).collect()
}

/// Tells the person what to do, or how far it has come. Nobody is left to tell if standard error is closed.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Tells what has come of it.
pub(super) fn report(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// The same for text with styles, which are shown on a terminal only, and never with `NO_COLOR`.
pub(super) fn print(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// How many columns the terminal has that standard output goes to, if it is one.
pub(super) fn width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}

/// Has what the clients warn of shown too: an entry of a list that had to be skipped, for example.
pub(super) fn show_warnings() {
    let shown = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(io::stderr);
    // Where somebody else shows them already, that will do.
    let _ = shown.with_target(false).without_time().try_init();
}
