//! `kubectl csp export`: manifests for the customers that a partner has already, saying what Partner Center has of them.
//!
//! In this order: the operator's sign-in is borrowed; the customers are listed by the page and named ([`names`]); each one
//! is read ([`read`]), several at a time; and its manifests ([`manifest`]) go to where they are wanted ([`destination`]) as a
//! whole, or not at all. A customer that cannot be read holds up no other.

mod destination;
mod manifest;
mod names;
mod permit;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::args::ExportArgs;
use super::borrowed::{BorrowError, Borrowed};
use super::microsoft::{self, MicrosoftError};
use super::progress::Progress;
use super::terminal::{printable, say, show_warnings};
use crate::model::TenantId;
use crate::operator::Chain;
use crate::remote::{Advice, Allowance, Calls, Error, Limits, PartnerCenter, Remote, SetupError, Unfenced};
use destination::{Destination, DestinationError};
use futures::{StreamExt as _, stream};
use read::{Wanted, patiently};

/// Customers that are read at the same time: enough for the calls to flow as fast as they may.
const AT_A_TIME: usize = 8;

/// So many failures in a row, with none between them that worked, are no matter of single customers.
const FAILURES_MAX: usize = 20;

/// Why not everything was exported. What was written is whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    #[error(transparent)]
    Microsoft(#[from] MicrosoftError),
    #[error("cannot set up the connection to Microsoft")]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Borrow(#[from] BorrowError),
    #[error(transparent)]
    Destination(#[from] DestinationError),
    #[error("{}", why(.0))]
    Customers(Error),
    #[error("Partner Center lists no customer \"{0}\": name it by its tenant id or its primary domain")]
    NoSuchCustomer(String),
    #[error("{failed} of {wanted} customers could not be exported, for the reasons above; {written} were")]
    Incomplete { failed: usize, wanted: usize, written: usize },
    #[error("stopped after {FAILURES_MAX} customers in a row could not be exported; {written} of {wanted} were")]
    Stopped { wanted: usize, written: usize },
}

/// Reads, and writes manifests.
pub(super) async fn run(args: &ExportArgs) -> Result<(), ExportError> {
    // Another part of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    show_warnings();
    let destination = Destination::open(args.output_dir.as_deref(), args.force)?;
    let endpoints = microsoft::endpoints(&args.microsoft)?;
    let sign_in = Borrowed::open(&args.sign_in, &args.cluster).await?;
    let limits = Limits { partner_center_calls: Allowance::per_minute(args.calls_per_minute), ..Limits::default() };
    let remote = Remote::new(&endpoints, limits, Arc::new(sign_in), Arc::new(Unfenced), Calls::default())?;
    export(&remote.partner_center, args, &destination, &|text| say(text)).await
}

/// What has come of it so far.
#[derive(Debug, Default)]
struct Tally {
    written: usize,
    without_policy: usize,
    failed: usize,
    failed_in_a_row: usize,
}

async fn export(
    partner_center: &PartnerCenter,
    args: &ExportArgs,
    destination: &Destination,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<(), ExportError> {
    let customers = patiently(|| partner_center.customers()).await.map_err(ExportError::Customers)?;
    let mut names = names::of_customers(&customers);
    let listed: Vec<_> = customers
        .into_iter()
        .map(|(tenant, profile)| Wanted { name: names.remove(&tenant).unwrap_or_default(), tenant, profile })
        .collect();
    let mut resold: Vec<_> =
        listed.iter().filter(|one| one.is_resold()).map(|one| (one.name.clone(), one.tenant)).collect();
    resold.sort();
    let mut wanted = choose(listed, &args.customers)?;
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    let all = wanted.len();
    wanted.retain(Wanted::is_resold);
    if wanted.len() < all {
        tell(&format!(
            "{} customers are left out: the partner has another relationship to them than reseller",
            all - wanted.len()
        ));
    }
    let total = wanted.len();
    tell(&format!("reading {total} customers, with at most {} requests a minute", args.calls_per_minute));

    let mut tally = Tally::default();
    let mut exported: BTreeSet<TenantId> = BTreeSet::new();
    let mut progress = Progress::begin(total, "customers");
    let read = |wanted: Wanted| async move {
        let found = read::customer(partner_center, &wanted, args.only_with_policy).await;
        (wanted, found)
    };
    let mut readings = stream::iter(wanted).map(read).buffered(AT_A_TIME);
    while let Some((wanted, found)) = readings.next().await {
        let written = match found {
            Ok(None) => {
                tally.without_policy += 1;
                Ok(())
            }
            Ok(Some(found)) => {
                let manifests = manifest::manifests(&found, &wanted.name, args.namespace.as_deref());
                match destination.write(&wanted.name, &manifests) {
                    // Nobody reads any more.
                    Err(error @ DestinationError::Stdout(_)) => return Err(error.into()),
                    Err(error) => Err((Chain(&error).to_string(), matches!(error, DestinationError::Exists(_)))),
                    Ok(()) => {
                        tally.written += 1;
                        exported.insert(wanted.tenant);
                        Ok(())
                    }
                }
            }
            Err(error) => Err((why(&error), false)),
        };
        match written {
            Ok(()) => tally.failed_in_a_row = 0,
            Err((why, is_edited)) => {
                tally.failed += 1;
                // However many a person has edited, nothing is wrong with what comes after them.
                tally.failed_in_a_row = if is_edited { 0 } else { tally.failed_in_a_row + 1 };
                progress.aside(|| tell(&printable(&format!("{} is left out: {why}", wanted.name))));
            }
        }
        if tally.failed_in_a_row >= FAILURES_MAX {
            return Err(ExportError::Stopped { wanted: total, written: tally.written });
        }
        progress.step(tell);
    }
    progress.end();
    let without = match tally.without_policy {
        0 => String::new(),
        count => format!("; {count} have no purchase permissions"),
    };
    tell(&format!("{} customers exported{without}", tally.written));
    // Those whose manifests are there to be applied, from this export or an earlier one, whomever that was of.
    let is_there = |name: &str, tenant: &TenantId| exported.contains(tenant) || destination.has(name, *tenant);
    let there: Vec<_> =
        resold.into_iter().filter(|(name, tenant)| is_there(name, tenant)).map(|(_, tenant)| tenant).collect();
    if !there.is_empty() {
        tell(&permit::say_how(&there, args.namespace.as_deref(), destination)?);
    }
    match tally.failed {
        0 => Ok(()),
        failed => Err(ExportError::Incomplete { failed, wanted: total, written: tally.written }),
    }
}

/// What is wrong, and what to do where a person can do anything. The operator's sentences about what passes promise that it
/// is tried again, which is over here.
fn why(error: &Error) -> String {
    match error.advice() {
        Advice::AwaitChange | Advice::StopOperator => error.message().trim_end_matches('.').to_owned(),
        Advice::RetrySoon | Advice::RetryAfter(_) => Chain(error).to_string(),
    }
}

/// Those that a person means; all of them when nobody is named.
fn choose(listed: Vec<Wanted>, named: &[String]) -> Result<Vec<Wanted>, ExportError> {
    if named.is_empty() {
        return Ok(listed);
    }
    if let Some(nobody) = named.iter().find(|text| listed.iter().all(|one| !one.is(text))) {
        return Err(ExportError::NoSuchCustomer(printable(nobody)));
    }
    Ok(listed.into_iter().filter(|one| named.iter().any(|text| one.is(text))).collect())
}
