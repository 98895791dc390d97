//! `csp-simulator`: the simulator as a program.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use csp_operator::simulator::{Simulator, World, WorldError, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A stand-in for Microsoft Partner Center, Entra and Azure Resource Manager.
///
/// Serves all three under one plain-HTTP base URL, keeps state, and can be scripted under /simulator/. Access tokens are
/// not signed and secrets are public: use it for tests and demos only.
#[derive(Debug, Parser)]
#[command(name = "csp-simulator", version)]
struct Arguments {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Allow --listen to name an address that other machines can reach.
    #[arg(long)]
    allow_remote: bool,

    /// Start with the partner and the customers of this YAML file.
    #[arg(long, value_name = "FILE", conflicts_with = "customers")]
    world: Option<PathBuf>,

    /// Start with this many generated customers, each with an Azure plan, an Azure subscription and an Owner.
    #[arg(long, value_name = "N", default_value_t = 0)]
    customers: u32,

    /// Delay every answer of the simulated APIs.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    latency_ms: u64,

    /// Delay the audit record of every write.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    audit_delay_ms: u64,
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("{0} can be reached from other machines; pass --allow-remote if that is what you want")]
    Remote(SocketAddr),
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    World { path: PathBuf, source: WorldError },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(std::io::stderr).init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    let Arguments { listen, allow_remote, world, customers, latency_ms, audit_delay_ms } = arguments;
    if !listen.ip().is_loopback() && !allow_remote {
        return Err(StartError::Remote(listen));
    }
    let world = match world {
        Some(path) => read_world(path)?,
        None => World::generated(customers),
    };
    let simulator = Simulator::new(world);
    simulator.set_latency_ms(latency_ms);
    simulator.set_audit_delay_ms(audit_delay_ms);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(listen).await.map_err(|source| StartError::Listen { address: listen, source })?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "csp-simulator: listening on http://{}", listener.local_addr()?)?;
    stdout.flush()?;
    tokio::select! {
        served = serve(listener, simulator) => Ok(served?),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

fn read_world(path: PathBuf) -> Result<World, StartError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => World::from_yaml(&text).map_err(|source| StartError::World { path, source }),
        Err(source) => Err(StartError::Read { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_world_and_generated_customers_exclude_each_other() {
        Arguments::try_parse_from(["csp-simulator", "--world", "w.yaml", "--customers", "3"]).expect_err("refused");
    }

    #[tokio::test]
    async fn a_remote_address_needs_the_flag() {
        let arguments = Arguments::parse_from(["csp-simulator", "--listen", "0.0.0.0:0"]);
        let error = run(arguments).await.expect_err("refused");
        assert!(error.to_string().contains("--allow-remote"), "{error}");
    }

    #[tokio::test]
    async fn a_world_that_is_missing_is_named() {
        let arguments = Arguments::parse_from(["csp-simulator", "--world", "no/such/world.yaml"]);
        let error = run(arguments).await.expect_err("refused");
        assert!(error.to_string().contains("no/such/world.yaml"), "{error}");
    }
}
