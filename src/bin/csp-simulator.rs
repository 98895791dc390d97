//! `csp-simulator`: the simulator as a program.

// The comments on options are what --help prints, and a terminal shows backticks as they are.
#![allow(clippy::doc_markdown)]

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use csp_operator::operator::version::version;
use csp_operator::simulator::{Scenario, ScenarioError, Simulator, Tls, TlsError, World, WorldError, serve, serve_tls};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A stand-in for Microsoft Partner Center, Entra, Azure Resource Manager and Graph.
///
/// Serves all of them under one base URL, keeps state in memory, and can be scripted under /simulator/. Prints one line on
/// standard output for each address once it can be used; logs go to standard error (RUST_LOG=csp_operator=debug shows
/// every request). Access tokens are not signed and secrets are public: use it for tests and demos only.
#[derive(Debug, Parser)]
#[command(name = "csp-simulator", version = version(), max_term_width = 110, after_help = AFTER_HELP)]
struct Arguments {
    /// Address to listen on without TLS; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", help_heading = "Addresses")]
    listen: SocketAddr,

    /// Address to listen on with TLS, too. Microsoft's sign-in libraries refuse http.
    #[arg(long, value_name = "ADDRESS", requires = "tls_directory", help_heading = "Addresses")]
    tls_listen: Option<SocketAddr>,

    /// Directory to write ca.pem into: the certificate authority, made anew at every start, that clients have to trust.
    #[arg(long, value_name = "DIR", requires = "tls_listen", help_heading = "Addresses")]
    tls_directory: Option<PathBuf>,

    /// Further DNS name or IP address that the server certificate is good for, beside localhost, 127.0.0.1 and ::1. Can
    /// be given more than once.
    #[arg(long = "tls-name", value_name = "NAME", requires = "tls_listen", help_heading = "Addresses")]
    tls_names: Vec<String>,

    /// Allow addresses that other machines can reach.
    #[arg(long, help_heading = "Addresses")]
    allow_remote: bool,

    /// Start with the partner and the customers of this YAML file.
    #[arg(long, value_name = "FILE", conflicts_with = "customers", help_heading = "World")]
    world: Option<PathBuf>,

    /// Start with this many generated customers, each with an Azure plan, an Azure subscription and an Owner.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "World")]
    customers: u32,

    /// Make the calls of the control API that this YAML file lists, at the start or later. They are tried beforehand: the
    /// simulator does not start with one that would be refused.
    #[arg(long, value_name = "FILE", help_heading = "World")]
    scenario: Option<PathBuf>,

    /// Make all that looks random (ids, etags, tokens) from this number: the same requests get the same answers again,
    /// but for the time, which PUT /simulator/clock can freeze.
    #[arg(long, value_name = "N", help_heading = "Behaviour")]
    seed: Option<u64>,

    /// Delay every answer of the simulated APIs.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0, help_heading = "Behaviour")]
    latency_ms: u64,

    /// Delay the audit record of every write.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0, help_heading = "Behaviour")]
    audit_delay_ms: u64,
}

/// What a stranger needs for the first request.
const AFTER_HELP: &str = "\
First steps:
  csp-simulator --listen 127.0.0.1:8085 --customers 3
  TOKEN=$(curl -s http://127.0.0.1:8085/aaaa0000-2222-4b22-9b22-000000000002/oauth2/token \\
    -d grant_type=refresh_token -d refresh_token=simulated-refresh-token \\
    -d client_id=11112222-3333-4444-8555-666677778888 -d client_secret=simulated-client-secret \\
    -d resource=https://api.partnercenter.microsoft.com | jq -r .access_token)
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8085/v1/customers
  curl http://127.0.0.1:8085/simulator/state

docs/simulator.md has every route, the control API and the formats of files.";

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("{0} can be reached from other machines; pass --allow-remote if that is what you want")]
    Remote(SocketAddr),
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    World { path: PathBuf, source: WorldError },
    #[error("{path}: {source}")]
    Scenario { path: PathBuf, source: ScenarioError },
    #[error("cannot offer TLS: {0}")]
    Tls(#[from] TlsError),
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
    check_addresses(&arguments)?;
    let world = match &arguments.world {
        Some(path) => read_world(path)?,
        None => World::generated(arguments.customers),
    };
    let scenario = match &arguments.scenario {
        Some(path) => Some(read_scenario(path, &world)?),
        None => None,
    };
    let simulator = match arguments.seed {
        Some(seed) => Simulator::seeded(world, seed),
        None => Simulator::new(world),
    };
    simulator.set_latency_ms(arguments.latency_ms);
    simulator.set_audit_delay_ms(arguments.audit_delay_ms);
    simulator.allow_host_names(&arguments.tls_names);

    if let (Some(scenario), Some(path)) = (scenario, arguments.scenario.clone()) {
        let refused = |source| StartError::Scenario { path, source };
        let later = simulator.begin(scenario).map_err(refused)?;
        tokio::spawn(async move {
            if let Err(error) = later.await {
                tracing::error!("the scenario ends: {error}");
            }
        });
    }

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let plain = listen(arguments.listen).await?;
    let secure = Secure::prepare(&arguments).await?;
    announce("http", &plain)?;
    if let Some(Secure { listener, .. }) = &secure {
        announce("https", listener)?;
    }
    say(&format!("the portal, for browsers: http://{}/portal", plain.local_addr()?))?;
    tokio::select! {
        served = serve(plain, simulator.clone()) => Ok(served?),
        served = serve_secure(secure, simulator) => served,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

fn check_addresses(arguments: &Arguments) -> Result<(), StartError> {
    let mut addresses = [Some(arguments.listen), arguments.tls_listen].into_iter().flatten();
    match addresses.find(|address| !address.ip().is_loopback() && !arguments.allow_remote) {
        Some(address) => Err(StartError::Remote(address)),
        None => Ok(()),
    }
}

/// The address with TLS, when there is one.
struct Secure {
    listener: TcpListener,
    tls: Tls,
}

impl Secure {
    async fn prepare(arguments: &Arguments) -> Result<Option<Self>, StartError> {
        let (Some(address), Some(directory)) = (arguments.tls_listen, &arguments.tls_directory) else {
            return Ok(None);
        };
        let tls = Tls::generate(&arguments.tls_names)?;
        let path = directory.join("ca.pem");
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&path, tls.authority_pem()))
            .map_err(|source| StartError::Write { path, source })?;
        Ok(Some(Self { listener: listen(address).await?, tls }))
    }
}

/// Never ends when there is no address with TLS.
async fn serve_secure(secure: Option<Secure>, simulator: Simulator) -> Result<(), StartError> {
    match secure {
        Some(Secure { listener, tls }) => Ok(serve_tls(listener, simulator, &tls).await?),
        None => std::future::pending().await,
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

fn announce(scheme: &str, listener: &TcpListener) -> Result<(), StartError> {
    say(&format!("listening on {scheme}://{}", listener.local_addr()?))
}

fn say(line: &str) -> Result<(), StartError> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "csp-simulator: {line}")?;
    Ok(stdout.flush()?)
}

fn read_world(path: &Path) -> Result<World, StartError> {
    let path = path.to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => World::from_yaml(&text).map_err(|source| StartError::World { path, source }),
        Err(source) => Err(StartError::Read { path, source }),
    }
}

fn read_scenario(path: &Path, world: &World) -> Result<Scenario, StartError> {
    let refused = |source| StartError::Scenario { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(|source| StartError::Read { path: path.to_owned(), source })?;
    let scenario = Scenario::from_yaml(&text).map_err(refused)?;
    scenario.rehearse(world.clone()).map_err(refused)?;
    Ok(scenario)
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
    fn arguments_that_make_no_sense_together_are_refused() {
        for arguments in [
            ["--world", "w.yaml", "--customers", "3"].as_slice(),
            &["--tls-listen", "127.0.0.1:0"],
            &["--tls-directory", "tls"],
            &["--tls-name", "simulator.test"],
        ] {
            let words = ["csp-simulator"].iter().chain(arguments);
            Arguments::try_parse_from(words).expect_err("refused");
        }
    }

    async fn refusal(arguments: &[&str]) -> String {
        let words = ["csp-simulator"].iter().chain(arguments);
        run(Arguments::parse_from(words)).await.expect_err("refused").to_string()
    }

    #[tokio::test]
    async fn what_cannot_be_done_is_refused_in_one_sentence() {
        for (arguments, sentence) in [
            (["--listen", "0.0.0.0:0"].as_slice(), "pass --allow-remote"),
            (&["--tls-listen", "0.0.0.0:0", "--tls-directory", "/nonexistent"], "pass --allow-remote"),
            (&["--tls-listen", "127.0.0.1:0", "--tls-directory", "/dev/null/x"], "cannot write /dev/null/x/ca.pem"),
            (
                &["--tls-listen", "127.0.0.1:0", "--tls-directory", "/nonexistent", "--tls-name", "a b"],
                "cannot offer TLS: `a b` is neither a DNS name nor an IP address",
            ),
            (&["--world", "no/such/world.yaml"], "cannot read no/such/world.yaml"),
            (&["--scenario", "no/such/scenario.yaml"], "cannot read no/such/scenario.yaml"),
            (&["--scenario", "Cargo.toml"], "Cargo.toml: the scenario is not understood"),
        ] {
            let said = refusal(arguments).await;
            assert!(said.contains(sentence), "{arguments:?}: {said}");
        }
    }

    #[test]
    fn help_explains_every_option_and_the_first_request() {
        let mut command = Arguments::command();
        let help = command.render_long_help().to_string();
        for option in command.get_arguments() {
            assert!(option.get_help().is_some(), "{} is not documented", option.get_id());
        }
        for word in ["--tls-listen", "ca.pem", "First steps:", "simulated-refresh-token", "docs/simulator.md"] {
            assert!(help.contains(word), "{word}: {help}");
        }
    }
}
