//! What a person at a terminal is told.

use std::io::{self, IsTerminal as _, Write as _};

/// Longest text from outside, in characters: ten of the operator's longest messages.
const LETTERS_MAX: usize = 10_000;

/// In one line, without the characters that a terminal obeys or that show something else than is there: for text that came
/// from outside. Should it be endless, it ends in `…`.
pub(super) fn printable(text: &str) -> String {
    let mut letters = text.chars().filter_map(|letter| match letter {
        '\n' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        letter => (!is_unseen(letter)).then_some(letter),
    });
    let mut kept: String = letters.by_ref().take(LETTERS_MAX).collect();
    if letters.next().is_some() {
        kept.push('…');
    }
    kept
}

/// Whether a terminal or a browser obeys it instead of showing it; some turn the direction of writing.
pub(super) fn is_unseen(letter: char) -> bool {
    let is_format = matches!(
        letter,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    letter.is_control() || is_format
}

/// Tells the person what to do, or how far it has come. Nobody is left to tell if standard error is closed.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Nobody can be told what has come of it.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub(super) struct Unwritable(#[from] io::Error);

/// Tells what has come of it.
pub(super) fn report(text: &str) -> Result<(), Unwritable> {
    put(io::stdout(), text)
}

/// The same for text with styles, which are shown on a terminal only, and never with `NO_COLOR`.
pub(super) fn print(text: &str) -> Result<(), Unwritable> {
    put(anstream::stdout(), text)
}

/// Writes a line. That nobody reads on, such as `head`, is no error.
fn put(mut to: impl io::Write, text: &str) -> Result<(), Unwritable> {
    match writeln!(to, "{text}").and_then(|()| to.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Unwritable(error)),
        _ => Ok(()),
    }
}

/// How many columns the terminal has that standard output goes to, if it is one.
pub(super) fn width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}

/// Has what the clients warn of shown too: an entry of a list that had to be skipped, for example.
pub(super) fn show_warnings() {
    let has_colors = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let shown = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(io::stderr);
    // Where somebody else shows them already, that will do.
    let _ = shown.with_ansi(has_colors).with_target(false).without_time().try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_one_line_that_a_terminal_obeys_nowhere() {
        assert_eq!(printable("a\n+ granted\u{1b}[2K\u{202e}b\u{2028}c"), "a + granted[2Kb c");
        let command = format!("kubectl {}", "x".repeat(2_000));
        assert_eq!(printable(&command), command);
        let endless = printable(&"x".repeat(LETTERS_MAX + 1));
        assert!(endless.ends_with("x…") && endless.chars().count() == LETTERS_MAX + 1);
    }

    #[test]
    fn only_a_reader_that_has_gone_may_miss_something() {
        struct Broken(io::ErrorKind);
        impl io::Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(put(Broken(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(put(Broken(io::ErrorKind::StorageFull), "x").is_err());
    }
}
