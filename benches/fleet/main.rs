//! `make bench`: how much the operator costs, on a real API server, with a simulator that takes its time.
//!
//! Many permissions wait, each with a Customer and an `AzureSubscription` of its own. Then the operator starts. Counted
//! are the requests that the simulator and the API server were sent, measured the time, processor time and memory that
//! it took; and again after a restart with everything converged.
//!
//! * [`measure`] is the course of it, [`objects`] what is applied and followed, [`usage`] what the process used;
//! * [`table`] prints what came out, [`claims`] says what must hold: counts, never times.

mod claims;
mod measure;
mod objects;
mod options;
mod progress;
mod table;
mod usage;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use csp_operator::operator::Chain;

use options::Options;
use progress::say;

/// Why a measurement could not be made.
type Failure = Box<dyn Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            say(&format!("failed: {}", Chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<ExitCode, Failure> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Err("this process has a TLS provider already".into());
    }
    let measured = measure::measure(&options).await?;
    let broken = claims::broken(&measured, options.objects);
    let mut out = std::io::stdout().lock();
    write!(out, "\n{}", table::report(&measured, &options))?;
    for claim in &broken {
        writeln!(out, "\nbench: failed: {claim}")?;
    }
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
