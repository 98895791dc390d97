//! The kubectl plugin: parses the command line, does what it says, and has one exit for errors.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use csp_operator::cli::{self, Cli};
use csp_operator::operator::Chain;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Not 2, which clap would take: `plan` says something else by that.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match cli::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "error: {}", Chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
