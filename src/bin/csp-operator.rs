//! The operator: parses the command line, does what it says, and has one exit for errors.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use csp_operator::operator::args::RunArgs;
use csp_operator::operator::{self, Chain, Cli, Command, Settings, Surroundings};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run(*args),
        Command::Ready(args) => operator::probe::ready(&args).map_err(Into::into),
        Command::Crds(args) => operator::crd_files::write(&args).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "csp-operator: {}", Chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(args: RunArgs) -> Result<(), Box<dyn Error>> {
    let settings = Settings::new(args, &Surroundings::look())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(operator::run(settings, operator::controllers));
    // Tasks that are left must not go on for another moment, least of all after a lost lease.
    runtime.shutdown_background();
    outcome.map_err(Into::into)
}
