//! Manifests as they stand in files: found as `kubectl apply -f` finds them, and read with the place of everything in them.

mod yaml;

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(super) use yaml::{Yaml, documents, escaped};

use super::args::FilesArgs;
use super::terminal::printable;

/// Largest file that is read.
const BYTES_MAX: u64 = 64 << 20;

/// Why the manifests cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestsError {
    #[error("cannot read {}", shown(.path))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("-f - reads standard input, which is a terminal: pipe manifests in, or name a file or a directory")]
    Terminal,
    #[error("{} holds no file that ends in .yaml, .yml or .json{}", shown(.path), .hint)]
    NoFiles { path: PathBuf, hint: &'static str },
    #[error("{}:{line}: this is no YAML: {}", printable(.file), printable(.what))]
    Malformed { file: String, line: usize, what: String },
    #[error("{}:{line}: {what}", printable(.file))]
    NoObject { file: String, line: usize, what: &'static str },
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// One object, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    /// As it was named; `-` is standard input.
    pub(super) file: String,
    /// Which document of the file, counted from 1.
    pub(super) document: usize,
    /// Where in the document, as a JSON pointer; empty unless it stands in a List.
    pub(super) pointer: String,
    pub(super) yaml: std::sync::Arc<Yaml>,
}

impl Manifest {
    pub(super) fn value(&self) -> &Value {
        self.yaml.value.pointer(&self.pointer).unwrap_or(&Value::Null)
    }

    /// Where something in it stands, or else what holds it.
    pub(super) fn line(&self, pointer: &str) -> usize {
        let whole = format!("{}{pointer}", self.pointer);
        let mut at = whole.as_str();
        loop {
            if let Some(line) = self.yaml.lines.get(at) {
                return *line;
            }
            let Some((above, _)) = at.rsplit_once('/') else { return 1 };
            at = above;
        }
    }

    pub(super) fn kind(&self) -> &str {
        self.value()["kind"].as_str().unwrap_or_default()
    }

    /// Pointers of entries that stand in the same mapping twice.
    pub(super) fn repeated(&self) -> impl Iterator<Item = String> + '_ {
        self.yaml.repeated.iter().filter_map(|(pointer, _)| pointer.strip_prefix(&self.pointer)).map(str::to_owned)
    }

    /// Where something in it stands, and what it is: the beginning of whatever is said about it.
    pub(super) fn place(&self, pointer: &str) -> String {
        let (file, line, document) = (&self.file, self.line(pointer), self.document);
        printable(&format!("{file}:{line}: document {document}, {} {}", self.kind(), self.name()))
    }

    /// The group and version.
    pub(super) fn api_version(&self) -> &str {
        self.value()["apiVersion"].as_str().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.value()["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.value()["metadata"]["namespace"].as_str().filter(|namespace| !namespace.is_empty())
    }
}

/// All objects of all kinds in the files that the options name, in the order in which kubectl would apply them.
pub(super) fn read(args: &FilesArgs) -> Result<Vec<Manifest>, ManifestsError> {
    let mut found = Vec::new();
    args.filenames.iter().try_for_each(|path| read_path(path, args.recursive, &mut found))?;
    Ok(found)
}

/// What is left of manifests that may all have been deleted.
#[derive(Debug)]
pub(super) struct Remaining {
    pub(super) found: Vec<Manifest>,
    /// Paths that do not exist: Git keeps no directory without a file.
    pub(super) gone: Vec<PathBuf>,
}

/// The same, where a directory without manifests, or none at all, only means that there are none any more.
pub(super) fn read_remaining(args: &FilesArgs) -> Result<Remaining, ManifestsError> {
    let mut remaining = Remaining { found: Vec::new(), gone: Vec::new() };
    for named in &args.filenames {
        match read_path(named, args.recursive, &mut remaining.found) {
            Err(ManifestsError::Unreadable { path, source })
                if path == *named && source.kind() == io::ErrorKind::NotFound =>
            {
                remaining.gone.push(path);
            }
            Ok(()) | Err(ManifestsError::NoFiles { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(remaining)
}

fn read_path(path: &Path, recursive: bool, found: &mut Vec<Manifest>) -> Result<(), ManifestsError> {
    if path == Path::new("-") {
        if io::stdin().is_terminal() {
            return Err(ManifestsError::Terminal);
        }
        let mut text = String::new();
        let unreadable = |source| ManifestsError::Unreadable { path: path.to_owned(), source };
        io::stdin().take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        return objects("-", &text, found);
    }
    for file in files(path, recursive)? {
        let unreadable = |source| ManifestsError::Unreadable { path: file.clone(), source };
        let mut text = String::new();
        let opened = fs::File::open(&file).map_err(unreadable)?;
        opened.take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        objects(&file.display().to_string(), &text, found)?;
    }
    Ok(())
}

/// A file as it is named; of a directory those in it, and with `recursive` below it, that kubectl would read.
fn files(path: &Path, recursive: bool) -> Result<Vec<PathBuf>, ManifestsError> {
    let unreadable = |source| ManifestsError::Unreadable { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        let unreadable = |source| ManifestsError::Unreadable { path: directory.clone(), source };
        for entry in fs::read_dir(&directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                if recursive {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known)) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        let hint = if recursive { "" } else { "; with -R, those in the directories below it are read too" };
        return Err(ManifestsError::NoFiles { path: path.to_owned(), hint });
    }
    found.sort();
    Ok(found)
}

fn objects(file: &str, text: &str, found: &mut Vec<Manifest>) -> Result<(), ManifestsError> {
    let malformed = |error: yaml::Malformed| ManifestsError::Malformed {
        file: file.to_owned(),
        line: error.line,
        what: error.to_string(),
    };
    for (index, yaml) in documents(text).map_err(malformed)?.into_iter().enumerate() {
        let manifest = Manifest {
            file: file.to_owned(),
            document: index + 1,
            pointer: String::new(),
            yaml: std::sync::Arc::new(yaml),
        };
        let items = if manifest.kind() == "List" { manifest.value()["items"].as_array().map(Vec::len) } else { None };
        match items {
            Some(count) => {
                found.extend((0..count).map(|item| Manifest { pointer: format!("/items/{item}"), ..manifest.clone() }));
            }
            None => found.push(manifest),
        }
    }
    let what = found.iter().find(|one| one.kind().is_empty() || one.api_version().is_empty());
    match what {
        Some(one) => Err(ManifestsError::NoObject {
            file: one.file.clone(),
            line: one.line(""),
            what: "this is no Kubernetes object: it has no apiVersion or no kind",
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_is_in_it_and_lines_are_those_of_the_file() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Pod\n";
        let mut found = Vec::new();
        objects("f", text, &mut found).unwrap();
        let told: Vec<_> =
            found.iter().map(|one| (one.kind(), one.line(""), one.line("/metadata/namespace"))).collect();
        assert_eq!(told, [("Secret", 4, 6), ("Pod", 7, 7)]);
        assert_eq!((found[0].name(), found[0].namespace()), ("a", None));
        let error = objects("f", "a: 1\n---\n\nb: 2", &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(error, "f:1: this is no Kubernetes object: it has no apiVersion or no kind");
    }
}
