//! The kubectl plugin: parses the command line, does what it says, and has one exit for errors.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use csp_operator::cli::{self, Cli};
use csp_operator::operator::Chain;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "error: {}", Chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
