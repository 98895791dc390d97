//! Which manifests, and where objects are that do not say it.

use std::path::PathBuf;

use clap::Args;

/// Which manifests, as kubectl apply's own options say it.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// A file, a directory whose .yaml, .yml and .json files are read, or - for standard input. Can be given several times.
    #[arg(short, long = "filename", value_name = "PATH", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub filenames: Vec<PathBuf>,

    /// Read the directories below a directory too.
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

/// A name that a namespace can have, and that can stand in YAML as it is.
pub(super) fn namespace(text: &str) -> Result<String, &'static str> {
    let is_letter = |letter: char| letter.is_ascii_digit() || letter.is_ascii_lowercase();
    let is_label = (1..=63).contains(&text.len())
        && text.starts_with(is_letter)
        && text.ends_with(is_letter)
        && text.chars().all(|letter| is_letter(letter) || letter == '-');
    is_label.then(|| text.to_owned()).ok_or("use lower-case letters, digits and hyphens")
}
