//! Completion: the scripts of shells for `kubectl-csp`, and answers for kubectl's own completion.
//!
//! kubectl runs the program `kubectl_complete-csp` with the words behind `kubectl csp`, and reads suggestions, one in a
//! line, and a last line `:N` that says what else the shell may suggest.

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory as _, ValueHint};

use super::args::{Cli, CompletionArgs};
use super::terminal::{Unwritable, report};

/// The shell may suggest files.
const FILES: u8 = 0;
/// It may not.
const NOTHING_ELSE: u8 = 4;

/// Prints the script of a shell.
pub(super) fn script(args: &CompletionArgs) -> Result<(), Unwritable> {
    // Scripts suggest what is hidden, too.
    let whole = Cli::command();
    let visible = whole.get_subcommands().filter(|one| !one.is_hide_set()).cloned();
    let mut command = Command::new("kubectl-csp").subcommands(visible);
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "kubectl-csp", &mut script);
    report(String::from_utf8_lossy(&script).trim_end())
}

/// Answers kubectl.
pub(super) fn answer(words: &[String]) -> Result<(), Unwritable> {
    let (suggestions, rest) = suggestions(&Cli::command(), words);
    for suggestion in suggestions {
        report(&suggestion)?;
    }
    report(&format!(":{rest}"))
}

/// What may follow `words`, the last of which is not finished.
fn suggestions(root: &Command, words: &[String]) -> (Vec<String>, u8) {
    let (done, unfinished) = match words.split_last() {
        Some((last, done)) => (done, last.as_str()),
        None => (words, ""),
    };
    let mut command = root;
    let mut before: Option<&Arg> = None;
    for word in done {
        if before.take().is_some() {
            continue;
        }
        match named(command, word) {
            Some(arg) if !word.contains('=') && arg.get_action().takes_values() => before = Some(arg),
            Some(_) => {}
            None => command = command.find_subcommand(word).unwrap_or(command),
        }
    }
    if let Some(arg) = before {
        return values(arg, unfinished, "");
    }
    if let Some((option, value)) = unfinished.split_once('=')
        && let Some(arg) = named(command, option)
    {
        return values(arg, value, &format!("{option}="));
    }
    if unfinished.starts_with('-') {
        let long = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_long);
        let all = long.map(|long| format!("--{long}")).chain(["--help".to_owned()]);
        let mut found: Vec<_> = all.filter(|option| option.starts_with(unfinished)).collect();
        found.sort();
        found.dedup();
        return (found, NOTHING_ELSE);
    }
    let below = command.get_subcommands().filter(|one| !one.is_hide_set()).map(|one| one.get_name().to_owned());
    let found: Vec<_> = below.filter(|name| name.starts_with(unfinished)).collect();
    if found.is_empty()
        && let Some(arg) = command.get_positionals().next()
    {
        return values(arg, unfinished, "");
    }
    (found, NOTHING_ELSE)
}

/// The option that a word names.
fn named<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split('=').next().unwrap_or(word);
    command.get_arguments().find(|arg| {
        let is_long = name.strip_prefix("--").is_some_and(|long| arg.get_long() == Some(long));
        is_long
            || name
                .strip_prefix('-')
                .is_some_and(|short| arg.get_short().is_some_and(|known| known.to_string() == short))
    })
}

fn values(arg: &Arg, unfinished: &str, prefix: &str) -> (Vec<String>, u8) {
    let possible = arg.get_possible_values();
    let names = possible.iter().filter(|value| !value.is_hide_set()).map(PossibleValue::get_name);
    let found: Vec<_> =
        names.filter(|name| name.starts_with(unfinished)).map(|name| format!("{prefix}{name}")).collect();
    let is_path = matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath);
    (found, if is_path { FILES } else { NOTHING_ELSE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: &[&str], rest: u8) {
        let words: Vec<_> = words.split(' ').map(str::to_owned).collect();
        let (found, found_rest) = suggestions(&Cli::command(), &words);
        assert_eq!((found, found_rest), (expected.iter().map(|one| (*one).to_owned()).collect(), rest), "{words:?}");
    }

    #[test]
    fn commands_options_and_their_values_are_suggested() {
        check("ex", &["export", "explain"], NOTHING_ELSE);
        check("tree --out", &["--output"], NOTHING_ELSE);
        check("tree -o ", &["table", "json", "yaml"], NOTHING_ELSE);
        check("tree --output=j", &["--output=json"], NOTHING_ELSE);
        check("plan -f ", &[], FILES);
        check("completion ", &["bash", "elvish", "fish", "powershell", "zsh"], NOTHING_ELSE);
        check("tree -n x --all", &["--all-namespaces"], NOTHING_ELSE);
        check("__", &[], NOTHING_ELSE);
    }
}
