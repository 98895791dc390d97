//! Telling a waiting person what is going on.

use std::io::Write;

/// Receives one line of text at a time, without a line break.
pub type Progress<'a> = dyn FnMut(&str) + 'a;

/// Prints the line to standard error, past the test harness's capturing: a build of minutes must not look like a hang.
pub fn to_stderr(line: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "local-cluster: {line}");
}
