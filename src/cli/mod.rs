//! The kubectl plugin: what a person does at a terminal that no controller can do.
//!
//! Lives here: the command line of `kubectl csp`, the kubeconfig that kubectl would use, and one folder per command. `main`
//! comes in by [`Cli`] and [`run`]. A command may use the clients in [`crate::remote`], what the operator's process is
//! made of, and the preview of what the operator would do; the operator knows nothing of this.
//!
//! Never found here: a wish, a decision about a customer, or a value of a Secret in anything that is printed.

mod activity;
mod args;
mod borrowed;
mod cluster;
mod complete;
mod explain;
mod export;
mod lint;
mod login;
mod manifests;
mod microsoft;
mod objects;
mod plan;
mod progress;
mod purchases;
mod request;
mod secret_file;
mod stored;
mod table;
mod terminal;
mod tree;

use std::error::Error;
use std::process::ExitCode;

pub use args::{Cli, Command};

/// Does what was asked for; gives the exit code.
pub async fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    match cli.command {
        Command::Login(args) => login::run(*args).await?,
        Command::Activity(args) => activity::run(&args).await?,
        Command::Complete(args) => complete::answer(&args.words)?,
        Command::Completion(args) => complete::script(&args)?,
        Command::Explain(args) => explain::run(&args).await?,
        Command::Export(args) => export::run(&args).await?,
        Command::Lint(args) => return Ok(lint::run(&args)?),
        Command::Plan(args) => return Ok(plan::run(&args).await?),
        Command::Purchases(args) => purchases::run(&args).await?,
        Command::Tree(args) => tree::run(&args).await?,
    }
    Ok(ExitCode::SUCCESS)
}
