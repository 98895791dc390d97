//! `kubectl csp lint`: what is wrong with manifests, found without an API server.
//!
//! What the API server would refuse is an error ([`schema`], [`metadata`]): the verdict is the same as that of
//! `kubectl apply --dry-run=server --validate=strict`, which a test compares. What it would take, and what would come to
//! nothing, is a warning ([`together`]).

mod metadata;
mod schema;
mod together;

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

use super::args::{LintArgs, Output};
use super::manifests::{self, Manifest, ManifestsError};
use super::table::{FormatError, structured};
use super::terminal::{print, printable};
use schema::Schemas;

/// The group of the three kinds.
pub(super) const GROUP: &str = "csp-operator.dev/";

/// Why the manifests are no good.
#[derive(Debug, thiserror::Error)]
pub(super) enum LintError {
    #[error(transparent)]
    Manifests(#[from] ManifestsError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{0} of {1} objects would be refused by the API server, for the reasons above")]
    Refused(usize, usize),
    #[error("there are {0} warnings, and --strict is set")]
    Warnings(usize),
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) enum Severity {
    /// The API server refuses it.
    Error,
    /// It would come to nothing.
    Warning,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Problem {
    pub(super) severity: Severity,
    pub(super) file: String,
    pub(super) document: usize,
    pub(super) line: usize,
    pub(super) kind: String,
    pub(super) name: String,
    /// As kubectl writes it, such as `spec.owners[0].objectId`.
    pub(super) field: String,
    pub(super) message: String,
}

impl Problem {
    /// Of `manifest`, at this JSON pointer in it.
    pub(super) fn new(severity: Severity, manifest: &Manifest, pointer: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            file: manifest.file.clone(),
            document: manifest.document,
            line: manifest.line(pointer),
            kind: manifest.kind().to_owned(),
            name: manifest.name().to_owned(),
            field: field(pointer),
            message: message.into(),
        }
    }

    /// In one line, such as editors find the place by.
    pub(super) fn sentence(&self) -> String {
        let Self { severity, file, document, line, kind, name, field, message } = self;
        let severity = if *severity == Severity::Error { "error" } else { "warning" };
        let field = if field.is_empty() { String::new() } else { format!("{field}: ") };
        printable(&format!("{file}:{line}: {severity}: document {document}, {kind} {name}: {field}{message}"))
    }
}

/// A JSON pointer as kubectl writes it.
fn field(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |mut field, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.chars().all(|letter| letter.is_ascii_digit()) && !step.is_empty() {
            let _ = write!(field, "[{step}]");
        } else {
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(&step);
        }
        field
    })
}

/// Reads, checks, and prints.
pub(super) fn run(args: &LintArgs) -> Result<ExitCode, LintError> {
    let manifests = manifests::read(&args.files)?;
    let problems = problems(&manifests, &args.namespace);
    let count = manifests.iter().filter(|one| one.api_version().starts_with(GROUP)).count();
    match structured(&problems, args.output)? {
        Some(list) => print(list.trim_end()).map_err(FormatError::from)?,
        None => {
            for problem in &problems {
                print(&problem.sentence()).map_err(FormatError::from)?;
            }
        }
    }
    let warnings = problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
    let mut refused: Vec<_> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| (&problem.file, problem.document, &problem.kind, &problem.name))
        .collect();
    refused.dedup();
    if !refused.is_empty() {
        return Err(LintError::Refused(refused.len(), count));
    }
    if warnings > 0 && args.strict {
        return Err(LintError::Warnings(warnings));
    }
    if args.output == Output::Table {
        let warnings = match warnings {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            count => format!(", {count} warnings"),
        };
        print(&format!("{count} objects are well formed{warnings}")).map_err(FormatError::from)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that is wrong with `manifests`, in their order; those that name no namespace are in `namespace`.
pub(super) fn problems(manifests: &[Manifest], namespace: &str) -> Vec<Problem> {
    let schemas = Schemas::new();
    let mut problems: Vec<_> = manifests.iter().flat_map(|manifest| schemas.check(manifest)).collect();
    problems.extend(together::check(manifests, namespace));
    problems.sort_by(|a, b| (&a.file, a.line, a.severity).cmp(&(&b.file, b.line, b.severity)));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_written_as_kubectl_does() {
        assert_eq!(field("/spec/owners/0/objectId"), "spec.owners[0].objectId");
        assert_eq!(
            field("/metadata/annotations/csp-operator.dev~1abandon"),
            "metadata.annotations.csp-operator.dev/abandon"
        );
        assert_eq!(field(""), "");
    }
}
