//! `kubectl csp plan`: what manifests would change, before they are applied.
//!
//! In this order: the manifests are read and checked ([`declared`]); the sign-in is borrowed; every permission is foreseen
//! by the operator's own planner ([`crate::reconcile::preview`]), several at a time; and what comes of it ([`report`]) is
//! printed for whoever reads it. Everything here reads.

mod declared;
mod markdown;
mod report;
mod text;

use std::process::ExitCode;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::args::{FailOn, FilesArgs, PlanArgs, PlanOutput};
use super::borrowed::{BorrowError, Borrowed};
use super::lint;
use super::manifests::{self, ManifestsError};
use super::microsoft::{self, MicrosoftError};
use super::progress::Progress;
use super::table::FormatError;
use super::terminal::{print, say, show_warnings};
use crate::plan::permission::Change;
use crate::reconcile::preview::{Declared, Foreseen, Preview};
use crate::remote::{Allowance, Calls, Error, Limits, Remote, SetupError, Unfenced};
use declared::{DeclaredError, Removed};
use report::Report;

/// Permissions that are foreseen at the same time: enough for the calls to flow as fast as they may.
const AT_A_TIME: usize = 8;

/// Exit code where something would change, or may without being planned, or is to change and is held up.
const CHANGES: u8 = 2;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error(transparent)]
    Manifests(#[from] ManifestsError),
    #[error("the API server would refuse these manifests, for the {0} reasons above")]
    Refused(usize),
    #[error(transparent)]
    Declared(#[from] DeclaredError),
    #[error(transparent)]
    Microsoft(#[from] MicrosoftError),
    #[error("cannot set up the connection to Microsoft")]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Borrow(#[from] BorrowError),
    #[error("{}", .0.message().trim_end_matches('.'))]
    SignIn(Error),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("{0} of the permissions could not be planned, for the reasons above")]
    Incomplete(usize),
    #[error("{0} of the switches are to change and are held up, and --fail-on blocked is set")]
    Blocked(usize),
    #[error("{0} of the switches would change, and --fail-on changes is set")]
    Changes(usize),
    #[error(
        "no switch would change, but the objects let the operator write what no plan tells (see the notes), and --fail-on changes is set"
    )]
    Unplanned,
}

/// Reads, plans, and prints.
pub(super) async fn run(args: &PlanArgs) -> Result<ExitCode, PlanError> {
    // Another part of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    show_warnings();
    let manifests = manifests::read(&args.files)?;
    let mut wrong = lint::problems(&manifests, &args.namespace);
    wrong.retain(|problem| problem.severity == lint::Severity::Error);
    if !wrong.is_empty() {
        for problem in &wrong {
            say(&problem.sentence());
        }
        return Err(PlanError::Refused(wrong.len()));
    }
    let declared = declared::declared(&manifests, &args.namespace, args.allow_all_namespaces)?;
    let removed = removed(args, &declared.objects)?;
    let endpoints = microsoft::all_endpoints(&args.microsoft, &args.azure)?;
    let sign_in = Borrowed::open(&args.sign_in, &args.cluster).await?;
    let limits = Limits { partner_center_calls: Allowance::per_minute(args.calls_per_minute), ..Limits::default() };
    let remote = Remote::new(&endpoints, limits, Arc::new(sign_in), Arc::new(Unfenced), Calls::default())?;
    let preview = Preview::new(declared.objects, remote);
    let foreseen = foresee(&preview).await?;
    let report = Report::new(&foreseen, removed, declared.unplanned);
    match args.output {
        PlanOutput::Text => print(&text::text(&report, args.show_unchanged)),
        PlanOutput::Json => print(&serde_json::to_string_pretty(&report).map_err(FormatError::from)?),
        PlanOutput::Markdown => print(markdown::markdown(&report).trim_end()),
        PlanOutput::Yaml => print(serde_yaml::to_string(&report).map_err(FormatError::from)?.trim_end()),
    }
    .map_err(FormatError::from)?;
    ending(&report, &args.fail_on)
}

/// What was declared before, and is not any more.
fn removed(args: &PlanArgs, now: &Declared) -> Result<Vec<Removed>, PlanError> {
    let Some(previous) = &args.previous else { return Ok(Vec::new()) };
    let files = FilesArgs { filenames: vec![previous.clone()], recursive: args.files.recursive };
    match declared::declared(&manifests::read(&files)?, &args.namespace, true) {
        Ok(before) => Ok(declared::removed(&before.objects, now)),
        Err(DeclaredError::Nothing) => Ok(Vec::new()),
        Err(refused) => Err(refused.into()),
    }
}

async fn foresee(preview: &Preview) -> Result<Vec<Foreseen>, PlanError> {
    let names = preview.permissions();
    let mut progress = Progress::begin(names.len(), "permissions");
    let mut foreseen = stream::iter(&names).map(|name| preview.permission(name)).buffered(AT_A_TIME);
    let mut found = Vec::new();
    while let Some(one) = foreseen.try_next().await.map_err(PlanError::SignIn)? {
        found.extend(one);
        progress.step(say);
    }
    Ok(found)
}

/// What the exit code says.
fn ending(report: &Report, fail_on: &[FailOn]) -> Result<ExitCode, PlanError> {
    let changes = report.changes();
    let blocked = report.summary.count(Change::Blocked);
    let unplanned = report.unplanned.len();
    if report.incomplete() > 0 {
        return Err(PlanError::Incomplete(report.incomplete()));
    }
    if blocked > 0 && fail_on.contains(&FailOn::Blocked) {
        return Err(PlanError::Blocked(blocked));
    }
    if changes > 0 && fail_on.contains(&FailOn::Changes) {
        return Err(PlanError::Changes(changes));
    }
    if unplanned > 0 && fail_on.contains(&FailOn::Changes) {
        return Err(PlanError::Unplanned);
    }
    Ok(if changes + blocked + unplanned > 0 { ExitCode::from(CHANGES) } else { ExitCode::SUCCESS })
}
