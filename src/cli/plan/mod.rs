//! `kubectl csp plan`: what manifests would change, before they are applied.
//!
//! In this order: the manifests are read and checked ([`declared`]); the sign-in is borrowed; every permission is foreseen
//! by the operator's own planner ([`crate::reconcile::preview`]), several at a time; and what comes of it ([`report`]) is
//! printed for whoever reads it. Everything here reads.

mod declared;
mod markdown;
mod report;
mod text;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::args::{FailOn, FilesArgs, PlanArgs, PlanOutput};
use super::borrowed::{BorrowError, Borrowed};
use super::lint;
use super::manifests::{self, Manifest, ManifestsError, Remaining};
use super::microsoft::{self, MicrosoftError};
use super::progress::Progress;
use super::table::FormatError;
use super::terminal::{print, printable, say, show_warnings};
use crate::plan::permission::Change;
use crate::reconcile::preview::{Foreseen, Preview};
use crate::remote::{Allowance, Calls, Error, Limits, Remote, SetupError, Unfenced};
use declared::{API_VERSION, DeclaredError, Found, Removed};
use report::Report;

/// Permissions that are foreseen at the same time: enough for the calls to flow as fast as they may.
const AT_A_TIME: usize = 8;

/// Exit code where something would change, or may without being planned, or is to change and is held up.
const CHANGES: u8 = 2;

/// What to do where nothing is declared.
const ALL_DELETED: &str =
    ": name those that do with -f; if all have been deleted, name those of before with --previous";

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error(transparent)]
    Manifests(#[from] ManifestsError),
    #[error("{0}; if they have all been deleted, name those of before with --previous")]
    Emptied(ManifestsError),
    #[error("cannot read --previous {}; where nothing was declared before, name an empty directory", printable(&.path.display().to_string()))]
    NoPrevious { path: PathBuf, source: io::Error },
    #[error("the files hold no Customer, AzureSubscription or CustomerPurchasePermission of {API_VERSION}{0}")]
    Nothing(&'static str),
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
    let (manifests, gone) = read(args)?;
    let mut wrong = lint::problems(&manifests, &args.namespace);
    wrong.retain(|problem| problem.severity == lint::Severity::Error);
    if !wrong.is_empty() {
        for problem in &wrong {
            say(&problem.sentence());
        }
        return Err(PlanError::Refused(wrong.len()));
    }
    let declared = declared::declared(&manifests, &args.namespace, args.allow_all_namespaces)?;
    let removed = removed(args, &declared)?;
    let endpoints = microsoft::all_endpoints(&args.microsoft, &args.azure)?;
    let sign_in = Borrowed::open(&args.sign_in, &args.cluster).await?;
    let limits = Limits { partner_center_calls: Allowance::per_minute(args.calls_per_minute), ..Limits::default() };
    let remote = Remote::new(&endpoints, limits, Arc::new(sign_in), Arc::new(Unfenced), Calls::default())?;
    let preview = Preview::new(declared.objects, remote);
    let foreseen = foresee(&preview).await?;
    let report = Report::new(&foreseen, removed, declared.unplanned, &gone);
    match args.output {
        PlanOutput::Text => print(&text::text(&report, args.show_unchanged)),
        PlanOutput::Json => print(&serde_json::to_string_pretty(&report).map_err(FormatError::from)?),
        PlanOutput::Markdown => print(markdown::markdown(&report).trim_end()),
        PlanOutput::Yaml => print(serde_yaml::to_string(&report).map_err(FormatError::from)?.trim_end()),
    }
    .map_err(FormatError::from)?;
    ending(&report, &args.fail_on)
}

/// The manifests, and which of their paths do not exist. Only beside those of before may there be none.
fn read(args: &PlanArgs) -> Result<(Vec<Manifest>, Vec<PathBuf>), PlanError> {
    if args.previous.is_some() {
        let Remaining { found, gone } = manifests::read_remaining(&args.files)?;
        return Ok((found, gone));
    }
    match manifests::read(&args.files) {
        Ok(found) => Ok((found, Vec::new())),
        Err(none @ ManifestsError::NoFiles { .. }) => Err(PlanError::Emptied(none)),
        Err(error) => Err(error.into()),
    }
}

/// What was declared before and is not any more; `None` where that is not asked.
fn removed(args: &PlanArgs, now: &Found) -> Result<Option<Vec<Removed>>, PlanError> {
    let Some(previous) = &args.previous else {
        return if now.is_empty() { Err(PlanError::Nothing(ALL_DELETED)) } else { Ok(None) };
    };
    let files = FilesArgs { filenames: vec![previous.clone()], recursive: args.files.recursive };
    let manifests = match manifests::read(&files) {
        Err(ManifestsError::NoFiles { .. }) => Vec::new(),
        // Nothing may be hidden by a path with a mistake in it.
        Err(ManifestsError::Unreadable { path, source }) => return Err(PlanError::NoPrevious { path, source }),
        read => read?,
    };
    let before = declared::declared(&manifests, &args.namespace, true)?;
    if now.is_empty() && before.is_empty() {
        return Err(PlanError::Nothing(", and neither do those of --previous: name those that do with -f"));
    }
    Ok(Some(declared::removed(&before.objects, &now.objects)))
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
