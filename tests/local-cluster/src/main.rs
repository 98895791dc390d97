//! `local-cluster`: makes sure the binaries exist, or runs a control plane until it is interrupted.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use local_cluster::assets::to_stderr;
use local_cluster::{Assets, ControlPlane, Options};

const USAGE: &str = "\
usage: local-cluster assets    find the binaries, or build them, and print where they are
       local-cluster run       run a control plane until Ctrl-C
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["assets"] => assets(),
        ["run"] => run(),
        ["help" | "--help" | "-h"] => print(USAGE),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = write!(io::stderr(), "{}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn assets() -> Result<(), Box<dyn Error>> {
    let Assets { etcd, kube_apiserver, kube_controller_manager, kubectl } = Assets::find(&mut to_stderr)?;
    let paths = [etcd, kube_apiserver, kube_controller_manager, kubectl];
    print(&paths.map(|path| format!("{}\n", path.display())).concat())
}

/// Ctrl-C ends this process at once; the watchdog then kills the components and removes the directory.
fn run() -> Result<(), Box<dyn Error>> {
    let mut cluster = ControlPlane::start(&Options::named("run"))?;
    print(&format!(
        "export KUBECONFIG={}\n# Running at {}. Ctrl-C stops it and removes everything.\n",
        quoted(&cluster.kubeconfig().display().to_string()),
        cluster.server()
    ))?;
    Err(cluster.wait_for_failure().into())
}

fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The error and what caused it, on one line each.
fn chain(error: &dyn Error) -> String {
    let mut text = format!("{}\n", error.to_string().trim_end());
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str("  because: ");
        text.push_str(error.to_string().trim_end());
        text.push('\n');
        cause = error.source();
    }
    text
}
